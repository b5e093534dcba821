"""Rows of different lengths as tables, a few at a time: what batched algebra asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK_SIZE = 2**20  # gathered factors in memory at a time: 4 MiB of float32


def padded_blocks(
    indptr: NDArray[Any], indices: NDArray[Any], *, n_columns: int, n_factors: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Columns of rows of similar length, so that padding them to one length wastes little.

    Parameters
    ----------
    indptr, indices : ndarray of int
        Columns of row r are ``indices[indptr[r]:indptr[r + 1]]``, as in ``csr_matrix`` and
        ``Interactions``.
    n_columns : int
        What pads a row that has no more columns: the index of a further row of zeros, which
        the caller puts behind the factors of the columns.
    n_factors : int
        As for ``padded_positions``.

    Yields
    ------
    rows : Tensor of int64, shape (n,)
        Each row once over all blocks, the longest first.
    columns : Tensor of int64, shape (n, most)

    Examples
    --------
    Three rows hold columns 1 and 4, none, and 3 of five:

    >>> indptr, indices = np.array([0, 2, 2, 3]), np.array([1, 4, 3])
    >>> for rows, columns in padded_blocks(indptr, indices, n_columns=5, n_factors=2):
    ...     print(rows.tolist(), columns.tolist())
    [0, 2, 1] [[1, 4], [3, 5], [5, 5]]
    """
    padded = torch.from_numpy(np.append(indices, n_columns).astype(np.int64))  # (n_entries + 1,)
    for rows, positions in padded_positions(indptr, n_factors=n_factors):
        yield rows, padded[positions]


def padded_positions(indptr: NDArray[Any], *, n_factors: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Where the entries of each row stand: for columns and for what belongs to them alike.

    Parameters
    ----------
    indptr : ndarray of int
        Entries of row r stand at ``indptr[r]`` to ``indptr[r + 1] - 1``.
    n_factors : int
        Of a column. A block gathers at most ``CHUNK_SIZE`` factors, and holds as many for a
        matrix of each row; or those of its one row.

    Yields
    ------
    rows : Tensor of int64, shape (n,)
        Each row once over all blocks, the longest first.
    positions : Tensor of int64, shape (n, most)
        After its own entries a row is padded with the number of all entries, ``indptr[-1]``.
    """
    counts = np.diff(indptr)
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        width = max(int(counts[order[start]]), n_factors)
        size = max(CHUNK_SIZE // max(width * n_factors, 1), 1)
        rows = order[start : start + size]
        positions = _positions(indptr[rows], counts[rows], padding=int(indptr[-1]))
        yield torch.from_numpy(rows), torch.from_numpy(positions)
        start += size


def _positions(starts: NDArray[Any], counts: NDArray[Any], *, padding: int) -> NDArray[np.int64]:
    """Positions of each row's entries, padded to the longest row."""
    offsets = np.arange(counts.max())  # (most,)
    within = offsets < counts[:, None]  # (rows, most)
    return np.where(within, starts[:, None] + offsets, padding).astype(np.int64, copy=False)
