"""What a model makes of users it has never met: recommenders of their vectors, or of item rows."""

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
    """
    if low >= high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    return torch.sigmoid(score) * (high - low) + low


def in_range(score: Tensor, y_range: YRange | None) -> Tensor:
    """Score within ``y_range``, if there is one: see ``sigmoid_range``."""
    return score if y_range is None else sigmoid_range(score, *y_range)


class FoldedVectors:
    """Recommender for newcomers who have a vector: its products with the items' are the scores.

    Parameters
    ----------
    user_vectors : Tensor of float, shape (n_users, d)
    item_vectors : Tensor of float, shape (n_items, d)
    y_range : (float, float), optional
        Range of the scores.
    """

    def __init__(
        self,
        user_vectors: Tensor,
        item_vectors: Tensor,
        *,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        self.user_vectors, self.item_vectors, self.y_range = user_vectors, item_vectors, y_range
        self.device = item_vectors.device

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of newcomers, shape (batch,)."""
        return in_range(self.user_vectors[user_idx] @ self.item_vectors.T, self.y_range)


class FoldedRows:
    """Recommender for newcomers whose scores add up from their positives, one row for each.

    Parameters
    ----------
    positives : Interactions
    item_rows : ndarray or csr_matrix of float, shape (n_items, n_items)
        Row i is what having item i says about all items.
    item_counts : Tensor of float, shape (n_items,)
        Popularity, the scores of newcomers without positives.
    """

    def __init__(
        self,
        positives: Positives,
        item_rows: NDArray[Any] | csr_matrix,
        item_counts: Tensor,
    ) -> None:
        self._seen, self.item_rows, self.item_counts = positives.to_scipy(), item_rows, item_counts

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of newcomers, shape (batch,)."""
        seen = self._seen[user_idx.cpu().numpy()]
        return row_scores(seen, self.item_rows, self.item_counts).to(user_idx.device)


def row_scores(
    seen: csr_matrix, item_rows: NDArray[Any] | csr_matrix, item_counts: Tensor
) -> Tensor:
    """Sum of the rows of what each user has; who has nothing gets the items by popularity.

    Parameters
    ----------
    seen : csr_matrix of float, shape (batch, n_items)
        Ones at the positives of each user.
    item_rows : ndarray or sparse matrix of float, shape (n_items, n_items)
        Row i is what having item i says about all items.
    item_counts : Tensor of float, shape (n_items,)

    Returns
    -------
    Tensor of float, shape (batch, n_items)
    """
    scores = seen @ item_rows
    dense = scores.toarray() if isinstance(scores, csr_matrix) else scores
    cold = torch.from_numpy(np.diff(seen.indptr) == 0).unsqueeze(1)  # (batch, 1)
    return torch.where(cold, item_counts, torch.from_numpy(np.asarray(dense)))
