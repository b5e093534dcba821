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
    """Rows of similar length together, so that filling them up to one length wastes little.

    Parameters
    ----------
    indptr, indices : ndarray of int
        Columns of row r are ``indices[indptr[r]:indptr[r + 1]]``, as in ``csr_matrix`` and
        ``Interactions``.
    n_columns : int
        What stands where a row has no more columns: the index of a further row of zeros, which
        the caller puts behind the factors of the columns.
    n_factors : int
        Of a column. A block gathers at most ``CHUNK_SIZE`` factors, and holds as many for a
        matrix of each row; or those of its one row.

    Yields
    ------
    rows : Tensor of int64, shape (n,)
        Each row once over all blocks, the longest first.
    columns : Tensor of int64, shape (n, most)
    """
    counts = np.diff(indptr)
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        width = max(int(counts[order[start]]), n_factors)
        size = max(CHUNK_SIZE // max(width * n_factors, 1), 1)
        rows = order[start : start + size]
        columns = _padded(indptr[rows], counts[rows], indices, fill=n_columns)
        yield torch.from_numpy(rows), torch.from_numpy(columns)
        start += size


def _padded(
    starts: NDArray[Any], counts: NDArray[Any], indices: NDArray[Any], *, fill: int
) -> NDArray[np.int64]:
    """Columns of each row, filled up to the longest."""
    place = np.arange(counts.max())  # (most,)
    within = place < counts[:, None]  # (rows, most)
    columns = np.full(within.shape, fill, dtype=np.int64)
    columns[within] = indices[(starts[:, None] + place)[within]]
    return columns
