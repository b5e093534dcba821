"""The linear systems of alternating least squares, solved exactly or by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.padding import padded_positions
from nbhelpers.core.threads import on_threads
from nbhelpers.models.sparse_systems import DEVICES, SparseSystems, row_blocks, sparse_rows


class RowSystems(NamedTuple):
    """Linear systems of some rows, whose answers are the factors of these rows.

    The matrix of a row is ``shared`` + the outer products of its own positives' factors, each
    times its ``square`` weight, + ``damping`` on the diagonal. The right side is the sum of its
    positives' factors, each times its ``linear`` weight, + ``damping`` times ``mean``, if there
    is one: the factors that damping draws to, in place of zeros.

    Attributes
    ----------
    shared : Tensor of float, shape (n_factors, n_factors)
    own : Tensor of float, shape (rows, most, n_factors)
        Factors of each row's positives, then zeros.
    square, linear : Tensor of float, shape (rows, most)
        Weights of the squared score and of the score of each positive.
    damping : Tensor of float, shape (rows, 1)
    mean : Tensor of float, shape (rows, n_factors), optional
    """

    shared: Tensor
    own: Tensor
    square: Tensor
    linear: Tensor
    damping: Tensor
    mean: Tensor | None = None

    def right(self) -> Tensor:
        """Right side of each row, shape (rows, n_factors)."""
        right = (self.linear.unsqueeze(1) @ self.own).squeeze(1)
        return right if self.mean is None else right + self.damping * self.mean

    def product(self, x: Tensor) -> Tensor:
        """Each row's matrix times its ``x``, shape (rows, n_factors), without the matrix."""
        scores = x.unsqueeze(1) @ self.own.transpose(1, 2)  # (rows, 1, most)
        observed: Tensor = ((self.square.unsqueeze(1) * scores) @ self.own).squeeze(1)
        return x @ self.shared + observed + self.damping * x  # (rows, n_factors)

    def matrices(self) -> Tensor:
        """Matrix of each row, shape (rows, n_factors, n_factors)."""
        weighted = self.square.unsqueeze(2) * self.own  # (rows, most, n_factors)
        left = torch.baddbmm(self.shared, weighted.transpose(1, 2), self.own)
        left.diagonal(dim1=1, dim2=2).add_(self.damping)
        return left

    def solve(self) -> Tensor:
        """The exact answers, shape (rows, n_factors); NaN where a matrix is not definite."""
        # upper: as the matrix is stored row by row, torch copies less
        factor, failed = torch.linalg.cholesky_ex(self.matrices(), upper=True)  # failed: 0 if not
        answers = torch.cholesky_solve(self.right().unsqueeze(2), factor, upper=True).squeeze(2)
        return answers.masked_fill((failed != 0).unsqueeze(1), torch.nan)

    def near(self, start: Tensor, *, n_steps: int) -> Tensor:
        """Answers that ``n_steps`` conjugate gradients reach from ``start``, same shape.

        References
        ----------
        Takács, Pilászy and Tikk (2011), Applications of the Conjugate Gradient Method for
        Implicit Feedback Collaborative Filtering, https://doi.org/10.1145/2043932.2043987
        """
        return conjugate_gradients(self.product, self.right(), start=start, n_steps=n_steps)


class RowProblems(NamedTuple):
    """A quadratic for each row of positives, to be minimized by the row's factors.

    Row r with factors x minimizes ``unobserved_weight`` * the sum of (score of a column) ** 2
    over all columns + the sum over its positives of square * score ** 2 - 2 * linear * score +
    damping * (squared length of x), where a score is the product of x with the column's factors.
    With a mean, the last length is that of x - mean: x is drawn to its mean instead of to zero.

    Attributes
    ----------
    indptr : ndarray of int
        Columns of row r are ``columns[indptr[r]:indptr[r + 1]]``.
    columns : Tensor of int, shape (n_positives,)
    square, linear : Tensor of float32, shape (n_positives,)
    damping : Tensor of float32, shape (n_rows,)
    unobserved_weight : float
    """

    indptr: NDArray[Any]
    columns: Tensor
    square: Tensor
    linear: Tensor
    damping: Tensor
    unobserved_weight: float

    @property
    def has_positives(self) -> Tensor:
        """Which rows have a positive: bool, shape (n_rows,)."""
        return torch.from_numpy(np.diff(self.indptr) > 0).to(self.damping.device)

    def solve(self, others: Tensor, *, mean: Tensor | None = None) -> Tensor:
        """Best factors of every row, given those of the columns.

        Parameters
        ----------
        others : Tensor of float32, shape (n_columns, n_factors)
        mean : Tensor of float32, shape (n_rows, n_factors), optional
            Factors that damping draws each row to; left out, zeros.

        Returns
        -------
        Tensor of float32, shape (n_rows, n_factors)
            Zeros for a row without positives.

        Raises
        ------
        ValueError
            If float32 cannot hold the answer.
        """
        return self._solved(others, mean, lambda rows, systems: systems.solve())

    def near(
        self, others: Tensor, start: Tensor, *, n_steps: int, mean: Tensor | None = None
    ) -> Tensor:
        """Factors that ``n_steps`` conjugate gradients reach from ``start``: see ``solve``.

        Beside the answers it holds one block of rows at a time, in about 5 MB for each of
        torch's threads (or, where one row has more than ``BLOCK_SIZE`` positives, three numbers
        for each of them). Rows do not touch each other, so threads do not change the answers.
        """
        if others.device.type not in DEVICES:
            return self._solved(
                others, mean, lambda rows, systems: systems.near(start[rows], n_steps=n_steps)
            )
        solved = others.new_zeros(len(self.damping), others.shape[1])

        def solve(block: tuple[slice, SparseSystems]) -> None:
            rows, systems = block
            missing = systems.left_over(start[rows])
            solved[rows] = _descended(systems.product, missing, start=start[rows], n_steps=n_steps)

        on_threads(solve, self._sparse_blocks(others, mean))
        return self._checked(solved)

    def _sparse_blocks(
        self, others: Tensor, mean: Tensor | None
    ) -> Iterator[tuple[slice, SparseSystems]]:
        """Rows and their systems, block by block."""
        n_columns, n_factors = others.shape
        shared = self.unobserved_weight * others.T @ others
        for rows in row_blocks(self.indptr, n_factors=n_factors):
            own = self.indptr[rows.start : rows.stop + 1]
            yield (
                rows,
                SparseSystems(
                    shared,
                    others,
                    square=sparse_rows(own, self.columns, self.square, n_columns=n_columns),
                    linear=self.linear[own[0] : own[-1]],
                    damping=self.damping[rows].unsqueeze(1),
                    mean=None if mean is None else mean[rows],
                ),
            )

    def _solved(
        self,
        others: Tensor,
        mean: Tensor | None,
        solver: Callable[[Tensor, RowSystems], Tensor],
    ) -> Tensor:
        """What ``solver`` answers for the systems of all rows, block by block."""
        n_columns, n_factors = others.shape
        shared = self.unobserved_weight * others.T @ others
        factors = torch.cat([others, others.new_zeros(1, n_factors)])  # last row: padding
        columns = torch.cat([self.columns, self.columns.new_full((1,), n_columns)])
        square, linear = (torch.cat([w, w.new_zeros(1)]) for w in (self.square, self.linear))
        solved = others.new_zeros(len(self.damping), n_factors)

        def solve(block: tuple[Tensor, Tensor]) -> None:
            rows, positions = block
            systems = RowSystems(
                shared,
                factors[columns[positions]],
                square=square[positions],
                linear=linear[positions],
                damping=self.damping[rows].unsqueeze(1),
                mean=None if mean is None else mean[rows],
            )
            solved[rows] = solver(rows, systems)

        on_threads(solve, padded_positions(self.indptr, n_factors=n_factors))
        return self._checked(solved)

    def _checked(self, solved: Tensor) -> Tensor:
        """The answers, if they are finite; zeros for rows without positives."""
        solved[~self.has_positives] = 0  # wherever they started
        if not torch.stack(solved.aminmax()).isfinite().all():  # NaN where there is one
            wrong = ~solved.isfinite().all(dim=1)
            raise ValueError(
                f"{int(wrong.sum()):,} of {len(wrong):,} rows have no answer in float32, e.g. row "
                f"{int(wrong.nonzero()[0])}: damping of {float(self.damping.min()):.3g} is too "
                f"small beside weights up to {float(self.linear.max()):.3g}; raise reg, or lower "
                "alpha, the weights, or the factors to start from"
            )
        return solved


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, *, start: Tensor, n_steps: int
) -> Tensor:
    """Answers ``x`` to ``product(x) = right``, each row a system of its own, after some steps.

    Each step goes along one direction of a row as far as pays, and no later step spoils what it
    gained. So ``n_factors`` steps would end at the exact answer if numbers were not rounded, and
    from a good start a few come close. No matrix is built: all that is asked of one is its
    product with a vector.

    Parameters
    ----------
    product : callable
        Of directions, shape (rows, n_factors), to each row's symmetric positive definite matrix
        times its direction, same shape.
    right : Tensor of float, shape (rows, n_factors)
    start : Tensor of float, shape (rows, n_factors)
        Where to set out from; not changed. A row that is solved already stays.
    n_steps : int

    Returns
    -------
    Tensor of float, shape (rows, n_factors)

    References
    ----------
    Hestenes and Stiefel (1952), Methods of Conjugate Gradients for Solving Linear Systems,
    sec. 3, https://doi.org/10.6028/jres.049.044
    """
    return _descended(product, right - product(start), start=start, n_steps=n_steps)


def _descended(
    product: Callable[[Tensor], Tensor], left_over: Tensor, *, start: Tensor, n_steps: int
) -> Tensor:
    """Answers after some steps from ``start``, where ``left_over`` is missing; it is changed."""
    tiny = torch.finfo(left_over.dtype).tiny  # in place of 0 below a fraction: 0 / tiny is 0
    solved, direction = start.clone(), left_over.clone()  # (rows, n_factors)
    error = _squared_length(left_over)  # (rows, 1)
    for _ in range(n_steps):
        moved = product(direction)
        curvature = (direction * moved).sum(dim=1, keepdim=True)  # (rows, 1)
        stride = error / curvature.clamp(min=tiny)
        solved.addcmul_(stride, direction)
        left_over.addcmul_(stride, moved, value=-1)
        last_error, error = error, _squared_length(left_over)
        direction.mul_(error / last_error.clamp(min=tiny)).add_(left_over)
    return solved


def _squared_length(rows: Tensor) -> Tensor:
    """Shape (rows, 1)."""
    return rows.square().sum(dim=1, keepdim=True)
