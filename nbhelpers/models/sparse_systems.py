"""The linear systems of rows of positives, kept sparse: no padding, no gathered factors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.blocks import blocks_of

BLOCK_SIZE = 2**17  # positives and factors of a block's rows: 512 KiB of float32
DEVICES = ("cpu", "cuda")  # where torch multiplies sparse rows

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")


class SparseSystems(NamedTuple):
    """The systems of ``RowSystems``, for methods that ask only for products with a matrix.

    A score is wanted at the positives alone, and each row adds up the factors of its positives:
    both are products with a sparse matrix, which torch does for all rows at once, on its threads
    or on a GPU. What it needs beside its arguments are a number for each positive and a few
    vectors for each row.

    Attributes
    ----------
    shared : Tensor of float, shape (n_factors, n_factors)
    others : Tensor of float, shape (n_columns, n_factors)
        Factors of the columns.
    square : Tensor of float, sparse CSR, shape (rows, n_columns)
        Weight of the squared score of each positive.
    linear : Tensor of float, shape (n_positives,)
        Weight of the score of each positive, in the order of ``square``.
    damping : Tensor of float, shape (rows, 1)
    mean : Tensor of float, shape (rows, n_factors), optional

    Examples
    --------
    One row, whose positives are columns 0 and 2 of three, with one factor:

    >>> weights = sparse_rows(np.array([0, 2]), torch.tensor([0, 2]), torch.ones(2), n_columns=3)
    >>> systems = SparseSystems(
    ...     shared=torch.zeros(1, 1),
    ...     others=torch.tensor([[1.0], [5.0], [2.0]]),
    ...     square=weights,
    ...     linear=torch.ones(2),
    ...     damping=torch.tensor([[0.5]]),
    ... )
    >>> systems.product(torch.tensor([[1.0]]))  # 1 * 1 + 2 * 2 + 0.5
    tensor([[5.5000]])
    >>> systems.left_over(torch.tensor([[1.0]]))  # 1 + 2 - 5.5
    tensor([[-2.5000]])
    """

    shared: Tensor
    others: Tensor
    square: Tensor
    linear: Tensor
    damping: Tensor
    mean: Tensor | None = None

    def left_over(self, x: Tensor) -> Tensor:
        """Each row's right side minus its matrix times ``x``, shape (rows, n_factors)."""
        scores = self._scores(x)
        torch.sub(self.linear, scores.values(), out=scores.values())
        away = x if self.mean is None else x - self.mean
        silent = torch.addmm(self.damping * away, x, self.shared)  # (rows, n_factors)
        return _plus_product(silent.neg_(), scores, self.others)

    def product(self, x: Tensor) -> Tensor:
        """Each row's matrix times its ``x``, shape (rows, n_factors)."""
        silent = torch.addmm(self.damping * x, x, self.shared)  # (rows, n_factors)
        return _plus_product(silent, self._scores(x), self.others)

    def _scores(self, x: Tensor) -> Tensor:
        """Score of each positive times its square weight, sparse CSR, shape (rows, n_columns)."""
        others = self.others.T
        scores: Tensor = torch.sparse.sampled_addmm(self.square, x, others, beta=0.0)
        scores.values().mul_(self.square.values())
        return scores


def _plus_product(base: Tensor, rows: Tensor, factors: Tensor) -> Tensor:
    """``base``, changed in place, plus sparse ``rows @ factors``."""
    if base.is_cuda:
        return base.addmm_(rows, factors)
    return base.add_(torch.sparse.mm(rows, factors, "sum"))  # faster, but for processors only


def sparse_rows(indptr: NDArray[Any], columns: Tensor, values: Tensor, *, n_columns: int) -> Tensor:
    """A matrix of some rows as torch's CSR, which shares ``columns`` and ``values``.

    Parameters
    ----------
    indptr : ndarray of int
        The rows of a larger matrix: row r has the positions ``indptr[r]`` to ``indptr[r + 1]``.
    columns, values : Tensor, shape (n_positives,)
        Of the larger matrix.
    n_columns : int

    Returns
    -------
    Tensor, sparse CSR, shape (len(indptr) - 1, n_columns)

    Examples
    --------
    The second of two rows:

    >>> columns, values = torch.tensor([4, 0, 1]), torch.tensor([7.0, 8.0, 9.0])
    >>> sparse_rows(np.array([1, 3]), columns, values, n_columns=5).to_dense()
    tensor([[8., 9., 0., 0., 0.]])
    """
    own = slice(int(indptr[0]), int(indptr[-1]))
    starts = torch.from_numpy(indptr - indptr[0]).to(columns)
    shape = (len(indptr) - 1, n_columns)
    return torch.sparse_csr_tensor(
        starts, columns[own], values[own], size=shape, check_invariants=False
    )


def row_blocks(indptr: NDArray[Any], *, n_factors: int) -> Iterator[slice]:
    """Rows one after another, in blocks of at most ``BLOCK_SIZE`` positives and factors.

    Parameters
    ----------
    indptr : ndarray of int
        Entries of row r stand at ``indptr[r]`` to ``indptr[r + 1] - 1``.
    n_factors : int
        How many numbers a row counts beside its positives.

    Returns
    -------
    iterator of slice
        Of rows; one row alone where it exceeds a block.

    Examples
    --------
    >>> list(row_blocks(np.array([0, 3, 5, 5]), n_factors=BLOCK_SIZE // 2))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    return blocks_of(np.diff(indptr) + n_factors, limit=BLOCK_SIZE)
