"""Interactions on a device, so that what is drawn or scored there is looked up there, too."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.data.interactions import Interactions


class DeviceRows:
    """The rows of interactions on a device, and questions to them that are answered there.

    No question reads a value back, so none makes the program wait for a GPU. That is why indices
    are not checked: one out of range ends in the error that PyTorch has for it. On the CPU the
    memory is that of the interactions, elsewhere it is a copy.

    Parameters
    ----------
    interactions : Interactions
    device : torch.device or str

    Attributes
    ----------
    n_users, n_items : int
    indptr : Tensor of int64, shape (n_users + 1,)
    indices : Tensor of int32 or int64, shape (n_positives,)
    weights : Tensor of float32, shape (n_positives,), or None
    has_full_row : bool
        Whether a user has every item.
    """

    def __init__(self, interactions: Interactions, device: torch.device | str) -> None:
        self.n_users, self.n_items = interactions.n_users, interactions.n_items
        self.indptr = _tensor(interactions.indptr, device)
        self.indices = _tensor(interactions.indices, device)
        weights = interactions.weights
        self.weights = None if weights is None else _tensor(weights, device)
        self._longest = int(interactions.user_counts.max(initial=0))
        self.has_full_row = self._longest == self.n_items

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.indptr.device

    def pairs_at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs at some positions of the order by user and then by item.

        Parameters
        ----------
        positions : Tensor of int, shape (n,)

        Returns
        -------
        user_idx, item_idx : Tensor of int64, shape (n,)
        """
        after = torch.searchsorted(self.indptr, positions.long(), right=True)
        return after - 1, self.indices.index_select(0, positions).long()

    def n_absent(self, user_idx: Tensor) -> Tensor:
        """How many items each user does not have, of the shape of ``user_idx``."""
        return self.n_items - self._counts(user_idx)

    def nth_absent(self, user_idx: Tensor, nth: Tensor) -> Tensor:
        """The n-th item, from 0, that a user does not have.

        Parameters
        ----------
        user_idx, nth : Tensor of int64, of shapes that broadcast together
            ``nth`` is below ``n_absent(user_idx)``.

        Returns
        -------
        Tensor of int64, of the common shape
        """
        up_to = torch.searchsorted(self._gaps, user_idx * self.n_items + nth, right=True)
        return nth + up_to - self.indptr[user_idx]

    def dense(self, user_idx: Tensor) -> Tensor:
        """Rows of the matrix, True where the pair is a positive.

        Parameters
        ----------
        user_idx : Tensor of int64, shape (batch,)

        Returns
        -------
        Tensor of bool, shape (batch, n_items)
        """
        return self._ones(user_idx, torch.bool)

    def dense_weights(self, user_idx: Tensor) -> Tensor:
        """Rows of the matrix: the weight of each positive, 1 without weights, and 0 elsewhere.

        Parameters
        ----------
        user_idx : Tensor of int64, shape (batch,)

        Returns
        -------
        Tensor of float32, shape (batch, n_items)
        """
        if self.weights is None:
            return self._ones(user_idx, torch.float32)
        cells, positions = self._cells(user_idx)
        values = self.weights.index_select(0, positions.flatten())
        flat = self._blank(len(user_idx), torch.float32)
        return self._table(flat.scatter_(0, cells.flatten(), values))

    def _ones(self, user_idx: Tensor, dtype: torch.dtype) -> Tensor:
        cells, _ = self._cells(user_idx)
        flat = self._blank(len(user_idx), dtype)
        return self._table(flat.index_fill_(0, cells.flatten(), 1))

    def _blank(self, n_rows: int, dtype: torch.dtype) -> Tensor:
        """Zeros for all cells of some users, and one cell more for what fills rows up."""
        return torch.zeros(n_rows * self.n_items + 1, dtype=dtype, device=self.device)

    def _table(self, flat: Tensor) -> Tensor:
        return flat[:-1].view(-1, self.n_items)

    def _counts(self, user_idx: Tensor) -> Tensor:
        return self.indptr[user_idx + 1] - self.indptr[user_idx]

    def _cells(self, user_idx: Tensor) -> tuple[Tensor, Tensor]:
        """Where the positives of some users stand in a table of these users, and in ``indices``."""
        return (self._ragged if self.device.type == "cpu" else self._padded)(user_idx)

    def _ragged(self, user_idx: Tensor) -> tuple[Tensor, Tensor]:
        """Cells and positions, both of shape (n,): one of each for each positive."""
        counts = self._counts(user_idx)
        row = torch.repeat_interleave(counts)
        first = self.indptr[user_idx] - (counts.cumsum(dim=0) - counts)
        positions = first[row] + torch.arange(len(row), device=self.device)
        return row * self.n_items + self.indices[positions], positions

    def _padded(self, user_idx: Tensor) -> tuple[Tensor, Tensor]:
        """The same of shape (batch, longest row); what fills a row stands behind the last cell.

        This shape is known beforehand, where that of ``_ragged`` has to be read from the device.
        """
        offset = torch.arange(self._longest, device=self.device)
        real = offset < self._counts(user_idx).unsqueeze(1)  # (batch, longest)
        positions = (self.indptr[user_idx].unsqueeze(1) + offset).where(real, 0)
        row = torch.arange(len(user_idx), device=self.device).unsqueeze(1)
        cells = row * self.n_items + self.indices[positions]
        return cells.where(real, len(user_idx) * self.n_items), positions

    @cached_property
    def _gaps(self) -> Tensor:
        """How many items each user lacks before each positive, plus ``n_items`` times the user.

        These numbers ascend over all positives, so one bisection answers for all users.
        """
        positions = torch.arange(len(self.indices), device=self.device)
        users, items = self.pairs_at(positions)
        return users * self.n_items + items - (positions - self.indptr[users])


def _tensor(array: NDArray[Any], device: torch.device | str) -> Tensor:
    with warnings.catch_warnings():  # that the array is read-only: nothing here writes to it
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array).to(device)
