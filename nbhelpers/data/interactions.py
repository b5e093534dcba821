"""Who had to do with what: the positives of implicit feedback, a sparse users x items matrix."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.checks import checked_indices, integer_array
from nbhelpers.core.csr import (
    Indices,
    compress,
    dense_rows,
    frozen,
    has_pairs,
    row,
    row_of,
    summary,
)
from nbhelpers.data.interaction_checks import (
    aligned,
    decoded_pairs,
    encoded_pairs,
    require_same_ids,
    side_of,
)
from nbhelpers.data.vocabulary import Vocabulary


class Interactions:
    """Pairs of a user and an item that belong together, checked once and never changed.

    Stored as a compressed sparse matrix: the items of user u are
    ``indices[indptr[u]:indptr[u + 1]]``, in ascending order. Every array is read-only.

    Parameters
    ----------
    user_idx, item_idx : array or Tensor of int, shape (n_positives,)
        One entry a pair, in any order; no pair comes twice.
    n_users, n_items : int, optional
        Size of the matrix; users and items without a pair are then welcome. Left out, it is the
        largest index + 1, and each index below must occur: a gap hints at raw ids.
    users, items : Vocabulary, optional
        The ids behind the indices; they fix the size.
    user_metadata, item_metadata : DataFrame, optional
        One row for each id in any order, see ``align_metadata``; needs the vocabulary.

    Attributes
    ----------
    n_users, n_items, n_positives : int
    density : float
        Share of all cells of the matrix that are positive.
    indptr : ndarray of int64, shape (n_users + 1,)
    indices : ndarray of int32 (int64 from 2**31 items on), shape (n_positives,)
    user_counts, item_counts : ndarray of int64, shapes (n_users,) and (n_items,)
        Positives of each user and of each item.
    users, items : Vocabulary or None

    Raises
    ------
    ValueError
        If the indices are no integers, differ in length, leave gaps, lie outside the matrix, or
        a pair comes twice; the message says how many.
    KeyError
        If an id has no row of metadata.
    """

    n_users: int
    n_items: int
    n_positives: int
    density: float
    indptr: NDArray[np.int64]
    indices: Indices
    user_counts: NDArray[np.int64]
    item_counts: NDArray[np.int64]
    users: Vocabulary | None
    items: Vocabulary | None
    _user_metadata: pd.DataFrame | None
    _item_metadata: pd.DataFrame | None

    def __init__(
        self,
        user_idx: ArrayLike | Tensor,
        item_idx: ArrayLike | Tensor,
        *,
        n_users: int | None = None,
        n_items: int | None = None,
        users: Vocabulary | None = None,
        items: Vocabulary | None = None,
        user_metadata: pd.DataFrame | None = None,
        item_metadata: pd.DataFrame | None = None,
    ) -> None:
        rows = integer_array(user_idx, name="user_idx")
        columns = integer_array(item_idx, name="item_idx")
        if len(rows) != len(columns):
            raise ValueError(f"one item for each user, got {len(rows):,} and {len(columns):,}")
        n_users = side_of(rows, n_users, vocabulary=users, name="user")
        n_items = side_of(columns, n_items, vocabulary=items, name="item")
        indptr, indices = compress(rows, columns, n_rows=n_users, n_columns=n_items)
        vars(self).update(
            n_users=n_users,
            n_items=n_items,
            n_positives=len(indices),
            density=len(indices) / (n_users * n_items),
            indptr=indptr,
            indices=indices,
            user_counts=frozen(np.diff(indptr)),
            item_counts=frozen(np.bincount(indices, minlength=n_items).astype(np.int64)),
            users=users,
            items=items,
            _user_metadata=aligned(user_metadata, users, name="user"),
            _item_metadata=aligned(item_metadata, items, name="item"),
        )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        users: Vocabulary,
        items: Vocabulary,
        user_metadata: pd.DataFrame | None = None,
        item_metadata: pd.DataFrame | None = None,
    ) -> Self:
        """Interactions of a frame: each row is a positive, whatever its stars.

        Parameters
        ----------
        frame : DataFrame
            With ``user_id`` and ``item_id``. For a threshold pass ``frame[frame.rating >= 4]``.
        users, items : Vocabulary
            An id of theirs without a row in the frame is an empty row or column.
        user_metadata, item_metadata : DataFrame, optional

        Returns
        -------
        Interactions

        Raises
        ------
        ValueError
            If a column or an id is missing, or a pair comes twice.
        KeyError
            If an id is unknown, or has no row of metadata.
        """
        user_idx, item_idx = encoded_pairs(frame, users=users, items=items)
        return cls(
            user_idx,
            item_idx,
            users=users,
            items=items,
            user_metadata=user_metadata,
            item_metadata=item_metadata,
        )

    @property
    def user_metadata(self) -> pd.DataFrame | None:
        """A copy of what is known about the users, row k for index k."""
        return None if self._user_metadata is None else self._user_metadata.copy()

    @property
    def item_metadata(self) -> pd.DataFrame | None:
        """A copy of what is known about the items, row k for index k."""
        return None if self._item_metadata is None else self._item_metadata.copy()

    def items_of(self, user_idx: int) -> Indices:
        """Items of a user in ascending order: a view, not a copy."""
        return row(self.indptr, self.indices, user_idx, name="user_idx")

    def users_of(self, item_idx: int) -> Indices:
        """Users of an item in ascending order: a view, not a copy."""
        return row(*self._by_item, item_idx, name="item_idx")

    @cached_property
    def _by_item(self) -> tuple[NDArray[np.int64], Indices]:
        """The matrix compressed the other way; made when it is first asked for."""
        columns = self.to_scipy().tocsc()
        return frozen(columns.indptr.astype(np.int64)), frozen(columns.indices)

    def pairs(self) -> tuple[Tensor, Tensor]:
        """All pairs, by user and then by item: two int64 tensors, each (n_positives,)."""
        return self.pairs_at(torch.arange(len(self)))

    def pairs_at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs at some positions of the order by user and then by item.

        Parameters
        ----------
        positions : Tensor of int, shape (n,)
            From 0 to ``n_positives - 1``.

        Returns
        -------
        user_idx, item_idx : Tensor of int64, shape (n,)
        """
        wanted = checked_indices(positions, name="positions", size=len(self))
        items = self.indices[wanted].astype(np.int64)
        return torch.from_numpy(row_of(self.indptr, wanted)), torch.from_numpy(items)

    def contains(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Whether each pair is a positive.

        Parameters
        ----------
        user_idx, item_idx : Tensor of int, of shapes that broadcast together

        Returns
        -------
        Tensor of bool, of the common shape
        """
        users, items = torch.broadcast_tensors(user_idx, item_idx)
        rows = checked_indices(users.flatten(), name="user_idx", size=self.n_users)
        columns = checked_indices(items.flatten(), name="item_idx", size=self.n_items)
        found = torch.from_numpy(has_pairs(self.indptr, self.indices, rows, columns))
        return found.view(users.shape).to(user_idx.device)

    def dense(self, user_idx: Tensor) -> Tensor:
        """Rows of the matrix, True where the pair is a positive.

        Parameters
        ----------
        user_idx : Tensor of int, shape (batch,)

        Returns
        -------
        Tensor of bool, shape (batch, n_items)
        """
        rows = checked_indices(user_idx, name="user_idx", size=self.n_users)
        mask = dense_rows(self.indptr, self.indices, rows, n_columns=self.n_items)
        return torch.from_numpy(mask).to(user_idx.device)

    def head(self, n: int = 5) -> pd.DataFrame:
        """The first pairs by user and then by item, as ids where a vocabulary is known."""
        return decoded_pairs(
            *self.pairs_at(torch.arange(min(n, len(self)))), users=self.users, items=self.items
        )

    def tail(self, n: int = 5) -> pd.DataFrame:
        """The last pairs by user and then by item, as ids where a vocabulary is known."""
        return decoded_pairs(
            *self.pairs_at(torch.arange(max(len(self) - n, 0), len(self))),
            users=self.users,
            items=self.items,
        )

    def to_scipy(self) -> csr_matrix:
        """A SciPy matrix of float32 ones, shape (n_users, n_items); a copy, free to change."""
        ones = np.ones(len(self), dtype=np.float32)
        shape = (self.n_users, self.n_items)
        return csr_matrix((ones, self.indices, self.indptr), shape=shape, copy=True)

    def __or__(self, other: Interactions) -> Interactions:
        """The pairs of either; vocabularies and metadata come from the first."""
        sizes = (self.n_users, other.n_users), (self.n_items, other.n_items)
        require_same_ids(self.users, other.users, sizes=sizes[0], name="user")
        require_same_ids(self.items, other.items, sizes=sizes[1], name="item")
        user_idx, item_idx = other.pairs()
        fresh = ~self.contains(user_idx, item_idx)
        ours_user, ours_item = self.pairs()
        return Interactions(
            torch.cat([ours_user, user_idx[fresh]]),
            torch.cat([ours_item, item_idx[fresh]]),
            n_users=self.n_users,
            n_items=self.n_items,
            users=self.users,
            items=self.items,
            user_metadata=self._user_metadata,
            item_metadata=self._item_metadata,
        )

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        sizes = f"{self.n_users:,} users, {self.n_items:,} items, {len(self):,} positives"
        return f"Interactions({sizes})"

    def __str__(self) -> str:
        return summary(self.user_counts, self.item_counts)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"interactions never change: build new ones to set {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: the fields, without what follows from them."""
        return {name: vars(self)[name] for name in Interactions.__annotations__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                frozen(value)  # a pickle forgets that an array is read-only
