"""Hybrid models: what users chose, and what is known about users and items besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbhelpers.models.base import Model
from nbhelpers.models.collab_nn import CHUNK_SIZE, hidden_layers
from nbhelpers.models.embeddings import check_features, small_embedding
from nbhelpers.models.matrix_factorization import MatrixFactorization


class FeatureTower(nn.Module):
    """A linear layer and a ReLU over a fixed table of features, a row for each user or item.

    The features are a buffer: they go where the model goes, and are never trained.

    Parameters
    ----------
    features : Tensor, shape (n_rows, n_features)
        Row k describes index k.
    n_outputs : int
    """

    features: Tensor

    def __init__(self, features: Tensor, n_outputs: int) -> None:
        super().__init__()
        self.register_buffer("features", features.detach().float().clone(), persistent=False)
        self.layer = nn.Linear(features.shape[1], n_outputs)

    def forward(self, idx: Tensor) -> Tensor:
        """Numbers of at least 0, shape (batch, n_outputs), of indices, shape (batch,)."""
        numbers: Tensor = self.layer(self.features[idx]).relu()
        return numbers


class _Side(NamedTuple):
    """What a hybrid knows of some users, or of some items."""

    factors: Tensor  # (batch, n_factors); zeros where they are hidden
    bias: Tensor  # (batch,); zeros likewise, and for users
    metadata: Tensor  # (batch, n_metadata), or none: what the tower makes of the features

    @property
    def inputs(self) -> Tensor:
        """What the layers read, shape (batch, n_factors + n_metadata)."""
        return torch.cat([self.factors, self.metadata], dim=1)


class Hybrid(Model, nn.Module):
    """A network that reads factors and features of a user and of an item, side by side.

    The score is a logit: what the last layer says, plus a bias of the item.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
        With 0 there are neither factors nor biases: the model knows features alone.
    user_features, item_features : Tensor, shape (n_users or n_items, n_features), optional
        Numbers or bools; row k describes index k, as data aligned with the vocabulary do. A side
        without features has its factors only.
    n_metadata : int
        Numbers that a side's tower makes of its features.
    n_hidden : sequence of int
        Widths of the combined layers.
    id_dropout : float
        Share of the rows of a training batch, 0 to below 1, whose user is read without factors;
        and likewise of the items, with their biases. Features then learn to stand in for them.
    dropout : float
        Share of the factors, 0 to below 1, that each training step hides; biases and features
        stay. ``score_users`` hides those of users alone, as ``MatrixFactorization`` does.
    cold_users, cold_items : Tensor of bool, shape (n_users,) or (n_items,), optional
        Whose factors and biases are always read as 0, because no positive of theirs is known.
        Otherwise a cold row would be read with the random factors that it started from.

    Raises
    ------
    ValueError
        If a table has another number of rows or holds NaN, ``n_factors`` is 0 and a side lacks
        features, or a share is out of its range.

    References
    ----------
    Volkovs, Yu and Poutanen (2017), DropoutNet, sec. 4, for ``id_dropout`` (there the model
    reproduces the scores of another one; here it learns from the positives),
    https://papers.nips.cc/paper/2017/hash/dbd22ba3bd0df8f385bdac3e9f8be207-Abstract.html
    """

    cold_users: Tensor
    cold_items: Tensor

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 30,
        *,
        user_features: Tensor | None = None,
        item_features: Tensor | None = None,
        n_metadata: int = 8,
        n_hidden: Sequence[int] = (16,),
        id_dropout: float = 0.0,
        dropout: float = 0.0,
        cold_users: Tensor | None = None,
        cold_items: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        for name, share in (("id_dropout", id_dropout), ("dropout", dropout)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {share}")
        if not n_factors and (user_features is None or item_features is None):
            raise ValueError("without factors a model needs features of users and of items")
        self.user_factors = small_embedding(n_users, n_factors) if n_factors else None
        self.item_factors = small_embedding(n_items, n_factors) if n_factors else None
        self.item_bias = small_embedding(n_items, 1) if n_factors else None
        self.user_tower = _tower(user_features, n_users, n_metadata, name="user_features")
        self.item_tower = _tower(item_features, n_items, n_metadata, name="item_features")
        towers = (self.user_tower, self.item_tower)
        n_inputs = 2 * n_factors + n_metadata * sum(tower is not None for tower in towers)
        self.layers = hidden_layers(n_inputs, n_hidden)
        for name, cold, n_rows in (("users", cold_users, n_users), ("items", cold_items, n_items)):
            self.register_buffer(f"cold_{name}", _mask(cold, n_rows, name), persistent=False)
        self.n_factors, self.n_metadata, self.n_hidden = n_factors, n_metadata, tuple(n_hidden)
        self.id_dropout, self.dropout = id_dropout, dropout

    @classmethod
    def from_pretrained(cls, factorization: MatrixFactorization, **settings: Any) -> Self:
        """A model with copies of trained factors and biases; all else is new.

        Nothing is frozen: which part trains when is what ``training.stages`` says.

        Parameters
        ----------
        factorization : MatrixFactorization
            It stays as it is, whatever happens to the copies. Its dropout is not taken over.
        **settings
            Those of the class from ``user_features`` on; another name is a ``TypeError``.

        Returns
        -------
        Hybrid

        Raises
        ------
        ValueError
            If the factorization has a ``y_range``: its scores are no logits.
        """
        if factorization.y_range is not None:
            raise ValueError(f"a y_range of None is required, got {factorization.y_range}")
        n_users = factorization.user_factors.num_embeddings
        model = cls(n_users, *factorization.item_factors.weight.shape, **settings)
        model.load_state_dict(model.state_dict() | factorization.state_dict())
        return model

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        user, item = self._seen(self._users(user_idx)), self._seen(self._items(item_idx))
        said: Tensor = self.layers(torch.cat([user.inputs, item.inputs], dim=1))  # (batch, 1)
        return self._pair_start(user, item) + said.squeeze(1)  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,), in blocks.

        The first layer is linear: each user's part and each item's is computed once.
        """
        user = self._seen(self._users(user_idx))
        item = self._items(torch.arange(len(self.cold_items), device=self.cold_items.device))
        weight, bias = self.layers[0].parameters()
        n_inputs = user.inputs.shape[1]
        item_part = item.inputs @ weight[:, n_inputs:].T + bias  # (n_items, width)
        user_part = (user.inputs @ weight[:, :n_inputs].T).unsqueeze(1)  # (batch, 1, width)
        blocks = user_part.split(max(1, CHUNK_SIZE // len(item_part)))
        said = [self.layers[1:](block + item_part).squeeze(2) for block in blocks]
        return self._table_start(user, item) + torch.cat(said)  # (batch, n_items)

    def _pair_start(self, user: _Side, item: _Side) -> Tensor:
        """What the network's answer for pairs is added to, shape (batch,)."""
        return item.bias

    def _table_start(self, user: _Side, item: _Side) -> Tensor:
        """What the network's answer for all pairs is added to, shape (batch, n_items)."""
        return item.bias.expand(len(user.bias), -1)

    def _users(self, idx: Tensor) -> _Side:
        return self._side(idx, self.cold_users[idx], self.user_tower, [self.user_factors, None])

    def _items(self, idx: Tensor) -> _Side:
        tables = [self.item_factors, self.item_bias]
        return self._side(idx, self.cold_items[idx], self.item_tower, tables)

    def _side(
        self,
        idx: Tensor,
        cold: Tensor,
        tower: FeatureTower | None,
        tables: Sequence[nn.Embedding | None],
    ) -> _Side:
        if self.training and self.id_dropout:
            cold = cold | (torch.rand(idx.shape, device=idx.device) < self.id_dropout)
        shown = (~cold).unsqueeze(1).float()  # (batch, 1)
        none = (shown[:, :0], torch.zeros_like(shown))
        factors, bias = (
            empty if table is None else shown * table(idx)
            for table, empty in zip(tables, none, strict=True)
        )
        metadata = shown[:, :0] if tower is None else tower(idx)
        return _Side(factors, bias.squeeze(1), metadata)

    def _seen(self, side: _Side) -> _Side:
        """What dropout leaves of a side in training; all of it otherwise."""
        return side._replace(factors=functional.dropout(side.factors, self.dropout, self.training))


class HybridMF(Hybrid):
    """Matrix factorization, corrected by a network that reads factors and features.

    A network has to learn at length what a dot product does at once. Here the dot product stays,
    and the network says what is to be added. From pretrained factors the last layer starts with
    zeros: the first scores are those of the factorization, and training goes on from there.
    Where factors are hidden, the network alone decides.

    Parameters
    ----------
    n_users, n_items, n_factors, user_features, item_features, n_metadata, n_hidden, id_dropout,
    dropout, cold_users, cold_items
        As for ``Hybrid``.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> factorization = MatrixFactorization(3, 4, n_factors=2)
    >>> model = HybridMF.from_pretrained(factorization, item_features=torch.eye(4))
    >>> users = torch.arange(3)
    >>> torch.allclose(model.score_users(users), factorization.score_users(users))
    True
    """

    @classmethod
    def from_pretrained(cls, factorization: MatrixFactorization, **settings: Any) -> Self:
        """A model that scores as a trained factorization does, until it is trained.

        Parameters
        ----------
        factorization, **settings
            As for ``Hybrid``. Cold rows score otherwise than in the factorization: their
            factors and biases are read as 0.

        Returns
        -------
        HybridMF
        """
        model = super().from_pretrained(factorization, **settings)
        for weight in model.layers[-1].parameters():
            nn.init.zeros_(weight)
        return model

    def _pair_start(self, user: _Side, item: _Side) -> Tensor:
        """Score of pairs by factors and bias, shape (batch,)."""
        return (user.factors * item.factors).sum(dim=1) + item.bias

    def _table_start(self, user: _Side, item: _Side) -> Tensor:
        """Score of all pairs by factors and bias, shape (batch, n_items)."""
        return user.factors @ item.factors.T + item.bias


def _tower(
    features: Tensor | None, n_rows: int, n_outputs: int, *, name: str
) -> FeatureTower | None:
    """A tower over a table of features that fits, or none without features."""
    if features is None:
        return None
    check_features(features, n_rows, name=name)
    return FeatureTower(features, n_outputs)


def _mask(cold: Tensor | None, n_rows: int, name: str) -> Tensor:
    """Which rows are cold; none without a mask."""
    if cold is None:
        return torch.zeros(n_rows, dtype=torch.bool)
    if cold.dtype != torch.bool or cold.shape != (n_rows,):
        raise ValueError(
            f"cold_{name} must be bool of shape ({n_rows},), got {cold.dtype} of shape "
            f"{tuple(cold.shape)}"
        )
    return cold.clone()
