"""The linear systems of alternating least squares, solved exactly or by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class RowSystems(NamedTuple):
    """Linear systems of some rows, whose answers are the factors of these rows.

    The matrix of a row is ``shared`` + ``extra`` * the outer products of its own positives'
    factors + ``damping`` on the diagonal; the right side is ``pull`` * their sum.

    Attributes
    ----------
    shared : Tensor of float, shape (n_factors, n_factors)
    own : Tensor of float, shape (rows, most, n_factors)
        Factors of each row's positives, then zeros.
    extra, pull : float
    damping : Tensor of float, shape (rows, 1)
    """

    shared: Tensor
    own: Tensor
    extra: float
    pull: float
    damping: Tensor

    def right(self) -> Tensor:
        """Right side of each row, shape (rows, n_factors)."""
        return self.pull * self.own.sum(dim=1)

    def product(self, x: Tensor) -> Tensor:
        """Each row's matrix times its ``x``, shape (rows, n_factors), without the matrix."""
        scores = x.unsqueeze(1) @ self.own.transpose(1, 2)  # (rows, 1, most)
        observed: Tensor = (scores @ self.own).squeeze(1)  # (rows, n_factors)
        return x @ self.shared + self.extra * observed + self.damping * x

    def solve(self) -> Tensor:
        """The exact answers, shape (rows, n_factors), by the matrices."""
        left = self.shared + self.extra * self.own.transpose(1, 2) @ self.own
        left.diagonal(dim1=1, dim2=2).add_(self.damping)  # (rows, n_factors, n_factors)
        right = self.right().unsqueeze(2)  # (rows, n_factors, 1)
        return torch.cholesky_solve(right, torch.linalg.cholesky(left)).squeeze(2)

    def near(self, start: Tensor, *, n_steps: int) -> Tensor:
        """Answers that ``n_steps`` conjugate gradients reach from ``start``, same shape.

        References
        ----------
        Takács, Pilászy and Tikk (2011), Applications of the Conjugate Gradient Method for
        Implicit Feedback Collaborative Filtering, https://doi.org/10.1145/2043932.2043987
        """
        return conjugate_gradients(self.product, self.right(), start=start, n_steps=n_steps)


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
    tiny = torch.finfo(right.dtype).tiny  # in place of 0 below a fraction: 0 / tiny is 0
    solved, left_over = start, right - product(start)  # (rows, n_factors)
    direction = left_over
    error = _squared_length(left_over)  # (rows, 1)
    for _ in range(n_steps):
        moved = product(direction)
        curvature = (direction * moved).sum(dim=1, keepdim=True)  # (rows, 1)
        stride = error / curvature.clamp(min=tiny)
        solved = solved + stride * direction
        left_over = left_over - stride * moved
        last_error, error = error, _squared_length(left_over)
        direction = left_over + error / last_error.clamp(min=tiny) * direction
    return solved


def _squared_length(rows: Tensor) -> Tensor:
    """Shape (rows, 1)."""
    return rows.square().sum(dim=1, keepdim=True)
