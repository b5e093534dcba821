"""Rows of a sparse matrix with weights and times beside its pairs, and questions to them."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.checks import checked_indices
from nbhelpers.core.csr import Indices, dense_rows, frozen, grid_of, has_pairs, row, row_of


class SparseRows:
    """What ``Interactions`` know about indices; ids and metadata are theirs.

    Every array is read-only, and no attribute can be set.
    """

    n_users: int
    n_items: int
    n_positives: int
    density: float
    indptr: NDArray[np.int64]
    indices: Indices
    user_counts: NDArray[np.int64]
    item_counts: NDArray[np.int64]
    weights: NDArray[np.float32] | None
    timestamps: NDArray[np.int64] | None

    def items_of(self, user_idx: int) -> Indices:
        """Items of a user in ascending order: a view, not a copy.

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1, 0], [2, 1, 0]).items_of(0).tolist()
        [0, 2]
        """
        return row(self.indptr, self.indices, user_idx, name="user_idx")

    def users_of(self, item_idx: int) -> Indices:
        """Users of an item in ascending order: a view, not a copy.

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1, 0], [1, 1, 0]).users_of(1).tolist()
        [0, 1]
        """
        return row(*self._by_item, item_idx, name="item_idx")

    @cached_property
    def _by_item(self) -> tuple[NDArray[np.int64], Indices]:
        """The matrix compressed the other way; made when it is first asked for."""
        columns = self.to_scipy().tocsc()
        return frozen(columns.indptr.astype(np.int64)), frozen(columns.indices)

    def items_by_time(self, user_idx: int) -> Indices:
        """Items of a user in the order of time: a view, not a copy.

        Items of one time stand in ascending order.

        Parameters
        ----------
        user_idx : int

        Returns
        -------
        ndarray of int, shape (n,)

        Raises
        ------
        ValueError
            If there is no such user, or there are no timestamps.

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> watched = Interactions([0, 0, 0], [0, 1, 2], timestamps=[30, 10, 20])
        >>> watched.items_by_time(0).tolist()
        [1, 2, 0]
        """
        return row(self.indptr, self._by_time, user_idx, name="user_idx")

    @cached_property
    def _by_time(self) -> Indices:
        """Like ``indices``, each row in the order of time; made when it is first asked for."""
        rows = row_of(self.indptr, np.arange(len(self)))
        return frozen(self.indices[np.lexsort((self._known_timestamps(), rows))])

    def _known_timestamps(self) -> NDArray[np.int64]:
        if self.timestamps is None:
            raise ValueError("these interactions have no timestamps: build them with timestamps=")
        return self.timestamps

    def pairs(self) -> tuple[Tensor, Tensor]:
        """All pairs, by user and then by item: two int64 tensors, each (n_positives,).

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([1, 0, 0], [0, 1, 0]).pairs()
        (tensor([0, 0, 1]), tensor([0, 1, 0]))
        """
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

    def weights_at(self, positions: Tensor) -> Tensor:
        """Weights at some positions of the order by user and then by item; ones without weights.

        Parameters
        ----------
        positions : Tensor of int, shape (n,)
            From 0 to ``n_positives - 1``.

        Returns
        -------
        Tensor of float32, shape (n,)
        """
        wanted = checked_indices(positions, name="positions", size=len(self))
        if self.weights is None:
            return torch.ones(len(wanted))
        return torch.from_numpy(self.weights[wanted])

    def timestamps_at(self, positions: Tensor) -> Tensor:
        """Timestamps at some positions of the order by user and then by item.

        Parameters
        ----------
        positions : Tensor of int, shape (n,)
            From 0 to ``n_positives - 1``.

        Returns
        -------
        Tensor of int64, shape (n,)

        Raises
        ------
        ValueError
            If there are no timestamps, or a position is out of range.
        """
        wanted = checked_indices(positions, name="positions", size=len(self))
        return torch.from_numpy(self._known_timestamps()[wanted])

    def contains(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Whether each pair is a positive.

        Parameters
        ----------
        user_idx, item_idx : Tensor of int, of shapes that broadcast together

        Returns
        -------
        Tensor of bool, of the common shape

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1], [1, 0]).contains(torch.tensor([0]), torch.tensor([0, 1]))
        tensor([False,  True])
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

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1], [1, 0]).dense(torch.tensor([1]))
        tensor([[ True, False]])
        """
        rows = checked_indices(user_idx, name="user_idx", size=self.n_users)
        mask = dense_rows(self.indptr, self.indices, rows, n_columns=self.n_items)
        return torch.from_numpy(mask).to(user_idx.device)

    def grid(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Some rows and some columns, True where the pair is a positive.

        The same as ``dense(user_idx)[:, item_idx]``, without the other columns in between.

        Parameters
        ----------
        user_idx : Tensor of int, shape (n,)
        item_idx : Tensor of int, shape (m,)

        Returns
        -------
        Tensor of bool, shape (n, m)

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1], [1, 0]).grid(torch.tensor([0, 1]), torch.tensor([1, 1, 0]))
        tensor([[ True,  True, False],
                [False, False,  True]])
        """
        rows = checked_indices(user_idx, name="user_idx", size=self.n_users)
        columns = checked_indices(item_idx, name="item_idx", size=self.n_items)
        mask = grid_of(self.indptr, self.indices, rows, columns)
        return torch.from_numpy(mask).to(user_idx.device)

    def to_scipy(self) -> csr_matrix:
        """A SciPy matrix of float32 ones, shape (n_users, n_items); a copy, free to change.

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1], [1, 0]).to_scipy().toarray()
        array([[0., 1.],
               [1., 0.]], dtype=float32)
        """
        return self._scipy(np.ones(len(self), dtype=np.float32))

    def weighted_scipy(self) -> csr_matrix:
        """A SciPy matrix of the float32 weights (ones without any); a copy, free to change.

        Examples
        --------
        >>> from nbhelpers.data.interactions import Interactions
        >>> Interactions([0, 1], [1, 0], weights=[5, 0.5]).weighted_scipy().toarray()
        array([[0. , 5. ],
               [0.5, 0. ]], dtype=float32)
        """
        return self.to_scipy() if self.weights is None else self._scipy(self.weights)

    def _scipy(self, values: NDArray[np.float32]) -> csr_matrix:
        shape = (self.n_users, self.n_items)
        return csr_matrix((values, self.indices, self.indptr), shape=shape, copy=True)

    def __len__(self) -> int:
        return len(self.indices)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"interactions never change: build new ones to set {name!r}")
