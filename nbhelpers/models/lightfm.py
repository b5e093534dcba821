"""Factorization of features: a user or an item is the sum of what is known about it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbhelpers.models.base import Model
from nbhelpers.models.embeddings import check_features, small_embedding

SIDES = ("user", "item")


class Rows(NamedTuple):
    """Some rows of a side as its features have it: the id, a feature of one row, and the rest."""

    idx: Tensor  # (batch,)
    own: Tensor  # (batch, 1), 1 where the id is there, 0 where it is hidden or not known
    features: Tensor  # (batch, n_features)


class FeatureSide(nn.Module):
    """Users, or items: factors and a bias for each id and each feature; a row sums up its own.

    Parameters
    ----------
    n_rows, n_factors : int
    features : Tensor, shape (n_rows, n_features), optional
        Row k describes index k, as ``Features.table`` does: zeros and ones, or weights.
    n_ids : int
        ``n_rows``, or 0 for a side that is known by its features alone.
    id_dropout : float
        See ``LightFM``.

    Raises
    ------
    ValueError
        If there are neither ids nor features, or the features do not fit.
    """

    features: Tensor

    def __init__(
        self,
        n_rows: int,
        n_factors: int,
        *,
        features: Tensor | None,
        n_ids: int,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check(n_rows, features, n_ids, id_dropout)
        table = torch.zeros(n_rows, 0) if features is None else features.detach().float().clone()
        self.register_buffer("features", table)  # travels with the weights
        n_features = table.shape[1]
        self.id_factors = small_embedding(n_ids, n_factors) if n_ids else None
        self.id_bias = small_embedding(n_ids, 1) if n_ids else None
        self.feature_factors = small_embedding(n_features, n_factors) if n_features else None
        self.feature_bias = small_embedding(n_features, 1) if n_features else None
        self.id_dropout = id_dropout

    def rows(self, idx: Tensor) -> Rows:
        """Rows by index; in training some lose their id."""
        own = torch.ones(len(idx), 1, device=idx.device)
        if self.training and self.id_dropout:
            own = (torch.rand_like(own) >= self.id_dropout).to(own.dtype)
        return Rows(idx, own, self.features[idx])

    def new_rows(self, features: Tensor) -> Rows:
        """Rows that the tables do not know, from features, shape (batch, n_features)."""
        if features.dim() != 2 or features.shape[1] != self.features.shape[1]:
            raise ValueError(
                f"features must have the shape (batch, {self.features.shape[1]}), "
                f"got {tuple(features.shape)}: describe the new rows by the names of the old ones"
            )
        idx = torch.zeros(len(features), dtype=torch.int64, device=features.device)
        return Rows(idx, features.new_zeros(len(features), 1).float(), features.float())

    def all_rows(self) -> Rows:
        """Every row."""
        return self.rows(torch.arange(len(self.features), device=self.features.device))

    def factors(self, rows: Rows) -> Tensor:
        """Sum of the factors of each row's features, shape (batch, n_factors)."""
        return _weighted_sum(rows, self.id_factors, self.feature_factors)

    def bias(self, rows: Rows) -> Tensor:
        """Sum of the biases of each row's features, shape (batch,)."""
        return _weighted_sum(rows, self.id_bias, self.feature_bias).squeeze(1)

    def squares(self, rows: Rows) -> Tensor:
        """Sum of the squares of what ``factors`` adds up, shape (batch, n_factors)."""
        return _weighted_sum(rows, self.id_factors, self.feature_factors, power=2)


class LightFM(Model, nn.Module):
    """Score of a pair: dot product of the two sums of factors, plus the two sums of biases.

    A user's vector is the sum of the vectors of their features, an item's likewise, and so is a
    bias. The id is one more feature, which a single row has. Without other features the model is
    a matrix factorization; without ids, rows with equal features are equal. A row that came
    after training is scored by its features.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
    user_features, item_features : Tensor, shape (n_users, .) and (n_items, .), optional
        Row k describes index k, as ``Features.table`` does. An argument like any other: a stored
        model needs it among its settings, and gets it back.
    ids : sequence of str
        The sides whose ids are features: ``"user"``, ``"item"``, both, or none.
    id_dropout : float
        Share of rows, from 0 to below 1, that lose their id in each training step, so that the
        features learn to stand alone: 0, as in the paper, leaves them what the ids cannot say.
    dropout : float
        Share of the summed factors, from 0 to below 1, that each training step hides; biases
        stay. ``score_users`` hides those of users alone, as ``MatrixFactorization`` does.

    Raises
    ------
    ValueError
        If a side has neither ids nor features, the features do not fit, or a share is out of
        its range.

    References
    ----------
    Kula (2015), Metadata Embeddings for User and Item Cold-start Recommendations, sec. 3.2,
    https://arxiv.org/abs/1507.08439. The score is a logit here, and the hiding of ids is an idea
    of Volkovs, Yu and Poutanen (2017), DropoutNet: Addressing Cold Start in Recommender Systems.

    Examples
    --------
    >>> import torch
    >>> model = LightFM(2, 2, n_factors=1, item_features=torch.ones(2, 1))
    >>> for numbers in model.parameters():
    ...     _ = numbers.data.fill_(1.0)
    >>> model(torch.tensor([0]), torch.tensor([1])).item()  # 3 biases, 1 * (1 + 1)
    5.0
    >>> model.score_new_items(torch.tensor([0]), torch.ones(1, 1)).item()  # without an id
    3.0
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 32,
        *,
        user_features: Tensor | None = None,
        item_features: Tensor | None = None,
        ids: Sequence[str] = SIDES,
        id_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        self.dropout = dropout
        strange = [side for side in ids if side not in SIDES]
        if strange or isinstance(ids, str):
            raise ValueError(f"ids must be a sequence from {list(SIDES)}, got {ids!r}")
        self.user_side = FeatureSide(
            n_users,
            n_factors,
            features=user_features,
            n_ids=n_users if "user" in ids else 0,
            id_dropout=id_dropout,
        )
        self.item_side = FeatureSide(
            n_items,
            n_factors,
            features=item_features,
            n_ids=n_items if "item" in ids else 0,
            id_dropout=id_dropout,
        )

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        return self.score(self.user_side.rows(user_idx), self.item_side.rows(item_idx))

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,)."""
        return self.score_table(self.user_side.rows(user_idx), self.item_side.all_rows())

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Factors, bias and a one, shape (batch, n_factors + 2): a dot product from the score."""
        return self._seen(self._user_vectors(self.user_side.rows(user_idx)))

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Factors, a one and bias, shape (batch, n_factors + 2)."""
        return self._seen(self._item_vectors(self.item_side.rows(item_idx)))

    def new_user_vectors(self, features: Tensor) -> Tensor:
        """Vectors of users who came later, from features alone, shape (batch, n_features)."""
        return self._user_vectors(self.user_side.new_rows(features))

    def new_item_vectors(self, features: Tensor) -> Tensor:
        """Vectors of items that came later, from features alone, shape (batch, n_features)."""
        return self._item_vectors(self.item_side.new_rows(features))

    def score_new_users(self, features: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users known by their features alone."""
        return self.score_table(self.user_side.new_rows(features), self.item_side.all_rows())

    def score_new_items(self, user_idx: Tensor, features: Tensor) -> Tensor:
        """Logit of n items known by their features alone, shape (batch, n)."""
        return self.score_table(self.user_side.rows(user_idx), self.item_side.new_rows(features))

    def without_ids(self, *, users: Tensor | None = None, items: Tensor | None = None) -> Self:
        """A copy in which some rows are known by their features alone; this one stays as it is.

        For rows without a positive in training. Their ids are not neutral: a drawn negative
        teaches the id of an item that nobody could have chosen to score low.

        Parameters
        ----------
        users, items : Tensor of int, shape (n,), optional
            Indices.
        """
        other = copy.deepcopy(self)
        for side, idx in ((other.user_side, users), (other.item_side, items)):
            for table in (side.id_factors, side.id_bias):
                if table is not None and idx is not None:
                    with torch.no_grad():
                        table.weight[idx] = 0
        return other

    def score(self, users: Rows, items: Rows) -> Tensor:
        """Logits, shape (batch,), of pairs of rows."""
        user, item = self._seen(self._user_vectors(users)), self._seen(self._item_vectors(items))
        return (user * item).sum(dim=1)

    def score_table(self, users: Rows, items: Rows) -> Tensor:
        """Logit of each row of users with each row of items, shape (n_users, n_items)."""
        return self._seen(self._user_vectors(users)) @ self._item_vectors(items).T

    def offsets(self, side: FeatureSide, rows: Rows) -> Tensor:
        """What rows of one side bring into a score whatever the other side is, shape (batch,)."""
        return side.bias(rows)

    def _user_vectors(self, rows: Rows) -> Tensor:
        factors = self.user_side.factors(rows)
        offset = self.offsets(self.user_side, rows).unsqueeze(1)
        return torch.cat([factors, offset, torch.ones_like(offset)], dim=1)

    def _item_vectors(self, rows: Rows) -> Tensor:
        factors = self.item_side.factors(rows)
        offset = self.offsets(self.item_side, rows).unsqueeze(1)
        return torch.cat([factors, torch.ones_like(offset), offset], dim=1)

    def _seen(self, vectors: Tensor) -> Tensor:
        """What dropout leaves of vectors in training: factors may go, the last two columns stay."""
        factors = functional.dropout(vectors[:, :-2], self.dropout, self.training)
        return torch.cat([factors, vectors[:, -2:]], dim=1)


def _weighted_sum(
    rows: Rows, ids: nn.Embedding | None, features: nn.Embedding | None, *, power: int = 1
) -> Tensor:
    """Sum over the features of a row of (its number times the feature's vector) to a power."""
    parts: list[Tensor] = []
    if ids is not None:
        parts.append((rows.own * ids(rows.idx)) ** power)
    if features is not None:
        parts.append(rows.features**power @ features.weight**power)
    return reduce(torch.add, parts)


def _check(n_rows: int, features: Tensor | None, n_ids: int, id_dropout: float) -> None:
    if features is None and not n_ids:
        raise ValueError("a side needs ids, features or both, got neither")
    if not 0 <= id_dropout < 1:
        raise ValueError(f"id_dropout must be at least 0 and below 1, got {id_dropout}")
    if features is not None:
        check_features(features, n_rows, name="features")
