"""Factorization machines: every pair of features interacts, and a network beside them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from nbhelpers.models.base import Model
from nbhelpers.models.collab_nn import CHUNK_SIZE, hidden_layers
from nbhelpers.models.lightfm import SIDES, FeatureSide, LightFM, Rows


def pair_products(total: Tensor, squares: Tensor) -> Tensor:
    """Sum of the dot products of all pairs among some vectors, from two sums over the vectors.

    The square of a sum holds each vector's square once and each pair's product twice; so half of
    what is left without the squares is the sum over the pairs, in time linear in their number.

    Parameters
    ----------
    total, squares : Tensor of float, shape (batch, n_factors)
        Sum of the vectors, and sum of their squares.

    Returns
    -------
    Tensor of float, shape (batch,)

    References
    ----------
    Rendle (2010), Factorization Machines, lemma 3.1, https://doi.org/10.1109/ICDM.2010.127
    """
    return (total.square() - squares).sum(dim=1) / 2


class FactorizationMachine(LightFM):
    """Score of a pair: a bias of each feature, and a dot product for each pair of features.

    The features are the user's and the item's together, ids included. A ``LightFM``
    has the pairs between the two sides alone; here the item's genre and decade also interact
    with each other, and so do the user's age and occupation. The former moves an item up or down
    for everybody; the latter moves all items of a user alike, and no ranking.

    Parameters
    ----------
    n_users, n_items, n_factors, user_features, item_features, ids, id_dropout, dropout
        As for ``LightFM``; pairs within a side keep all factors.

    References
    ----------
    Rendle (2010), Factorization Machines, eq. 1, https://doi.org/10.1109/ICDM.2010.127. The
    score is a logit.

    Examples
    --------
    >>> import torch
    >>> model = FactorizationMachine(2, 2, n_factors=1, item_features=torch.ones(2, 1))
    >>> for numbers in model.parameters():
    ...     _ = numbers.data.fill_(1.0)
    >>> model(torch.tensor([0]), torch.tensor([1])).item()  # 4 biases, 3 pairs of features
    7.0
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
        super().__init__(
            n_users,
            n_items,
            n_factors,
            user_features=user_features,
            item_features=item_features,
            ids=ids,
            id_dropout=id_dropout,
            dropout=dropout,
        )
        self.global_bias = nn.Parameter(torch.zeros(1))

    def offsets(self, side: FeatureSide, rows: Rows) -> Tensor:
        """What rows of one side bring into a score: biases, and the pairs among their features.

        The pairs between the sides are the dot product of their sums: so a score takes a dot
        product and two offsets. The bias of all comes with the user.
        """
        own = side.bias(rows) + pair_products(side.factors(rows), side.squares(rows))
        return own + self.global_bias if side is self.user_side else own


class DeepFM(Model, nn.Module):
    """The logits of a factorization machine and of a network that reads the same factors, added.

    The network reads one vector for each field: the id of the user, the kinds of user features,
    the id of the item, the kinds of item features. A field with several features of a row, such
    as genres, is the sum of their vectors.

    Parameters
    ----------
    n_users, n_items, n_factors, user_features, item_features, ids, id_dropout, dropout
        As for ``FactorizationMachine``; the network reads all factors.
    user_fields, item_fields : sequence of int, optional
        How many columns of the features belong to each field, in order, such as
        ``features.kinds.values()``; without it they are one field.
    n_hidden : sequence of int
        Width of each hidden layer.

    Attributes
    ----------
    machine : FactorizationMachine
    layers : nn.Sequential
        The network.

    Raises
    ------
    ValueError
        If the fields do not add up to the columns, or as for ``LightFM``.

    References
    ----------
    Guo et al. (2017), DeepFM, sec. 2.1, https://arxiv.org/abs/1703.04247. There a field has one
    feature of a row, and neurons drop out.

    Examples
    --------
    >>> import torch
    >>> model = DeepFM(4, 6, n_factors=8, item_features=torch.ones(6, 5), item_fields=[3, 2])
    >>> model.layers[0].in_features  # 8 numbers for each of 4 fields: two ids, two kinds
    32
    >>> model.score_users(torch.tensor([0, 3])).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 16,
        *,
        user_features: Tensor | None = None,
        item_features: Tensor | None = None,
        user_fields: Sequence[int] | None = None,
        item_fields: Sequence[int] | None = None,
        ids: Sequence[str] = SIDES,
        id_dropout: float = 0.0,
        dropout: float = 0.0,
        n_hidden: Sequence[int] = (32, 16),
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.machine = FactorizationMachine(
            n_users,
            n_items,
            n_factors,
            user_features=user_features,
            item_features=item_features,
            ids=ids,
            id_dropout=id_dropout,
            dropout=dropout,
        )
        user, item = self.machine.user_side, self.machine.item_side
        self.user_fields = _checked_fields(user_fields, user, name="user_fields")
        self.item_fields = _checked_fields(item_fields, item, name="item_fields")
        n_ids = sum(side.id_factors is not None for side in (user, item))
        n_fields = len(self.user_fields) + len(self.item_fields) + n_ids
        self.layers = hidden_layers(n_fields * n_factors, n_hidden)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        users = self.machine.user_side.rows(user_idx)  # once, for both parts hide the same ids
        items = self.machine.item_side.rows(item_idx)
        deep: Tensor = self.layers(torch.cat(self._inputs(users, items), dim=1))  # (batch, 1)
        return self.machine.score(users, items) + deep.squeeze(1)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,), in blocks."""
        machine = self.machine
        return self._table(machine.user_side.rows(user_idx), machine.item_side.all_rows())

    def score_new_users(self, features: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users known by their features alone."""
        machine = self.machine
        return self._table(machine.user_side.new_rows(features), machine.item_side.all_rows())

    def score_new_items(self, user_idx: Tensor, features: Tensor) -> Tensor:
        """Logit of n items known by their features alone, shape (batch, n)."""
        machine = self.machine
        return self._table(machine.user_side.rows(user_idx), machine.item_side.new_rows(features))

    def without_ids(self, *, users: Tensor | None = None, items: Tensor | None = None) -> Self:
        """A copy in which some rows are known by their features: see ``LightFM``."""
        other = copy.deepcopy(self)
        other.machine = self.machine.without_ids(users=users, items=items)
        return other

    def _inputs(self, users: Rows, items: Rows) -> tuple[Tensor, Tensor]:
        """What the network reads of each side: its fields, shape (batch, n_fields * n_factors)."""
        machine = self.machine
        return (
            torch.cat(_field_vectors(machine.user_side, users, self.user_fields), dim=1),
            torch.cat(_field_vectors(machine.item_side, items, self.item_fields), dim=1),
        )

    def _table(self, users: Rows, items: Rows) -> Tensor:
        """Each user with each item. The first layer, being linear, is a sum over the sides."""
        weight, bias = self.layers[0].parameters()
        user, item = self._inputs(users, items)
        user_part = user @ weight[:, : user.shape[1]].T + bias  # (batch, n_hidden)
        item_part = item @ weight[:, user.shape[1] :].T  # (n_items, n_hidden)
        chunk_size = max(1, CHUNK_SIZE // max(1, len(item_part)))
        deep = [
            self.layers[1:](block + item_part).squeeze(2)
            for block in user_part.unsqueeze(1).split(chunk_size)
        ]
        return self.machine.score_table(users, items) + torch.cat(deep)  # (batch, n_items)


def _field_vectors(side: FeatureSide, rows: Rows, fields: Sequence[int]) -> list[Tensor]:
    """Factors of the id, if ids are features, and their sum within each field of features."""
    vectors: list[Tensor] = []
    if side.id_factors is not None:
        vectors.append(rows.own * side.id_factors(rows.idx))
    if side.feature_factors is not None:
        parts = zip(
            rows.features.split(list(fields), dim=1),
            side.feature_factors.weight.split(list(fields)),
            strict=True,
        )
        vectors += [numbers @ table for numbers, table in parts]
    return vectors


def _checked_fields(
    fields: Sequence[int] | None, side: FeatureSide, *, name: str
) -> tuple[int, ...]:
    n_features = side.features.shape[1]
    if fields is None:
        return (n_features,) if n_features else ()
    sizes = tuple(fields)
    if sum(sizes) != n_features or any(size < 1 for size in sizes):
        raise ValueError(
            f"{name} must be at least 1 each and add up to the {n_features} columns, "
            f"got {sizes[:3]}, {sum(sizes)} in all"
        )
    return sizes
