"""Recommenders for users who were not trained on: by vectors of theirs, or by rows of items."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.recommender import Positives

YRange = tuple[float, float]


def sigmoid_range(score: Tensor, low: float, high: float) -> Tensor:
    """Score squeezed into the open interval from ``low`` to ``high``.

    Parameters
    ----------
    score : Tensor of float, any shape
    low, high : float
        Ends of the interval, in stars; they are approached, never reached.

    Returns
    -------
    Tensor of float, same shape

    Raises
    ------
    ValueError
        If ``low`` is not below ``high``.

    Examples
    --------
    >>> import torch
    >>> sigmoid_range(torch.tensor([-2.0, 0.0, 2.0]), 1.0, 5.0)
    tensor([1.4768, 3.0000, 4.5232])
    """
    if low >= high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    return torch.sigmoid(score) * (high - low) + low


def in_range(score: Tensor, y_range: YRange | None) -> Tensor:
    """Score within ``y_range``, if there is one: see ``sigmoid_range``."""
    return score if y_range is None else sigmoid_range(score, *y_range)


class FoldedVectors:
    """Recommender for users who have a vector: its products with the items' are the scores.

    It serves every user, those without positives too; items as the model it comes from.

    Parameters
    ----------
    user_factors : Tensor of float, shape (n_users, d)
    item_factors : Tensor of float, shape (n_items, d)
    y_range : (float, float), optional
        Range of the scores.
    trained_items : Tensor of bool, shape (n_items,), optional
        Items that the model was trained on; left out, all are.

    Examples
    --------
    >>> folded = FoldedVectors(torch.tensor([[2.0, 1.0]]), torch.eye(2))
    >>> folded.score_users(torch.tensor([0]))
    tensor([[2., 1.]])
    """

    def __init__(
        self,
        user_factors: Tensor,
        item_factors: Tensor,
        *,
        y_range: YRange | None = None,
        trained_items: Tensor | None = None,
    ) -> None:
        self.user_factors, self.item_factors, self.y_range = user_factors, item_factors, y_range
        self.n_users, self.n_items = len(user_factors), len(item_factors)
        self.trained_users, self.trained_items = _served(self.n_users, self.n_items, trained_items)
        self.device = item_factors.device

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Vectors of users, shape (batch, d)."""
        return self.user_factors[user_idx]

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Vectors of items, shape (batch, d)."""
        return self.item_factors[item_idx]

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return in_range(self.user_factors[user_idx] @ self.item_factors.T, self.y_range)


class FoldedRows:
    """Recommender for users whose scores add up from their positives, one row for each.

    It serves every user: one without positives gets the items by popularity.

    Parameters
    ----------
    positives : Interactions
    item_rows : ndarray or csr_matrix of float, shape (n_items, n_items)
        Row i is what a user who has item i gets for each item.
    item_counts : Tensor of float, shape (n_items,)
        Popularity: positives of each item in training.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> positives = SimpleNamespace(  # user 0 has item 1, user 1 has nothing
    ...     n_users=2, n_items=2, to_scipy=lambda: csr_matrix([[0.0, 1.0], [0.0, 0.0]])
    ... )
    >>> rows = np.array([[0.0, 0.3], [0.5, 0.0]])
    >>> folded = FoldedRows(positives, rows, item_counts=torch.tensor([7.0, 9.0]))
    >>> folded.score_users(torch.tensor([0, 1]))
    tensor([[0.5000, 0.0000],
            [7.0000, 9.0000]], dtype=torch.float64)
    """

    def __init__(
        self,
        positives: Positives,
        item_rows: NDArray[Any] | csr_matrix,
        item_counts: Tensor,
    ) -> None:
        self._seen, self.item_rows, self.item_counts = positives.to_scipy(), item_rows, item_counts
        self.n_users, self.n_items = positives.n_users, positives.n_items
        self.trained_users, self.trained_items = _served(
            self.n_users, self.n_items, item_counts > 0
        )

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        seen = self._seen[user_idx.cpu().numpy()]
        return row_scores(seen, self.item_rows, self.item_counts).to(user_idx.device)


def row_scores(
    positives: csr_matrix, item_rows: NDArray[Any] | csr_matrix, item_counts: Tensor
) -> Tensor:
    """Sum of the rows of what each user has; who has nothing gets the items by popularity.

    Parameters
    ----------
    positives : csr_matrix of float, shape (batch, n_items)
        Ones at the positives of each user.
    item_rows : ndarray or sparse matrix of float, shape (n_items, n_items)
        Row i is what a user who has item i gets for each item.
    item_counts : Tensor of float, shape (n_items,)

    Returns
    -------
    Tensor of float, shape (batch, n_items)
    """
    scores = positives @ item_rows
    dense = scores.toarray() if isinstance(scores, csr_matrix) else scores
    empty = torch.from_numpy(np.diff(positives.indptr) == 0).unsqueeze(1)  # (batch, 1)
    return torch.where(empty, item_counts, torch.from_numpy(np.asarray(dense)))


def _served(n_users: int, n_items: int, items: Tensor | None) -> tuple[Tensor, Tensor]:
    """Every user, and the items given, or every one."""
    everyone = torch.ones(n_users, dtype=torch.bool)
    return everyone, torch.ones(n_items, dtype=torch.bool) if items is None else items
