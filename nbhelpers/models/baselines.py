"""What any model has to beat: predictions from means alone, and what everybody takes."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from nbhelpers.core.coverage import FittedOn, require_same_items
from nbhelpers.core.folded import FoldedVectors
from nbhelpers.core.recommender import Positives
from nbhelpers.data.interactions import Interactions


class GlobalMean:
    """Predicts the mean training rating for everybody and everything."""

    mean: float
    n_items: int

    def fit(self, user_idx: Tensor, item_idx: Tensor, rating: Tensor) -> Self:
        """Learn the mean.

        Parameters
        ----------
        user_idx, item_idx : Tensor of int, shape (n,)
        rating : Tensor of float, shape (n,)
            In stars.

        Returns
        -------
        GlobalMean
            Itself.

        Raises
        ------
        ValueError
            If there is no rating.
        """
        if rating.numel() == 0:
            raise ValueError("at least one rating is needed, got none")
        self.mean = rating.double().mean().item()
        self.n_items = int(item_idx.max()) + 1
        return self

    def __call__(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,)."""
        return torch.full(user_idx.shape, self.mean)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items)."""
        return torch.full((len(user_idx), self.n_items), self.mean)


class BiasOnly:
    """Predicts mean + user bias + item bias, each bias damped towards zero.

    Item and user biases are solved in turn, each exactly, until they stand still. An index
    without training rows, such as the unknown row, has the bias 0.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, the unknown rows included.
    user_reg, item_reg : float
        Damping, in pseudo-ratings at the mean: a bias from n ratings shrinks by n / (n + reg).
    n_sweeps : int
        Rounds of solving items, then users.

    References
    ----------
    Koren (2010), Factor in the Neighbors, sec. 2.1, https://doi.org/10.1145/1644873.1644874
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        user_reg: float = 5.0,
        item_reg: float = 3.0,
        n_sweeps: int = 20,
    ) -> None:
        if user_reg < 0 or item_reg < 0:
            raise ValueError(f"reg must not be negative, got {user_reg} and {item_reg}")
        self.user_reg, self.item_reg, self.n_sweeps = user_reg, item_reg, n_sweeps
        self.mean = 0.0
        self.user_bias = torch.zeros(n_users, dtype=torch.float64)
        self.item_bias = torch.zeros(n_items, dtype=torch.float64)

    def fit(self, user_idx: Tensor, item_idx: Tensor, rating: Tensor) -> Self:
        """Learn the mean and the biases.

        Parameters
        ----------
        user_idx, item_idx : Tensor of int, shape (n,)
        rating : Tensor of float, shape (n,)
            In stars.

        Returns
        -------
        BiasOnly
            Itself.

        Raises
        ------
        ValueError
            If there is no rating.
        """
        if rating.numel() == 0:
            raise ValueError("at least one rating is needed, got none")
        self.mean = rating.double().mean().item()
        above = rating.double() - self.mean
        for _ in range(self.n_sweeps):
            left = above - self.user_bias[user_idx]
            self.item_bias = _damped_mean(left, item_idx, self.item_bias, self.item_reg)
            left = above - self.item_bias[item_idx]
            self.user_bias = _damped_mean(left, user_idx, self.user_bias, self.user_reg)
        return self

    def __call__(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,)."""
        return (self.mean + self.user_bias[user_idx] + self.item_bias[item_idx]).float()

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items)."""
        return (self.mean + self.user_bias[user_idx].unsqueeze(1) + self.item_bias).float()


class Popularity(FittedOn):
    """Ranks items by how many users have them: the same list for everybody, strangers included.

    Attributes
    ----------
    item_counts : Tensor of float32, shape (n_items,)
        Users who have each item.
    """

    item_counts: Tensor

    def fit(self, interactions: Interactions) -> Self:
        """Count.

        Parameters
        ----------
        interactions : Interactions

        Returns
        -------
        Popularity
            Itself.

        Raises
        ------
        ValueError
            If there is no positive.
        """
        if len(interactions) == 0:
            raise ValueError("at least one positive is needed, got none")
        self.item_counts = torch.tensor(interactions.item_counts, dtype=torch.float32)
        return self.remember(interactions)

    def fold_in(self, interactions: Positives) -> FoldedVectors:
        """Recommender for any users, who get the same scores as everybody.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training.

        Returns
        -------
        FoldedVectors

        Raises
        ------
        ValueError
            If it has other items.
        """
        require_same_items(self, interactions.n_items, interactions.items)
        ones, counts = torch.ones(interactions.n_users, 1), self.item_counts.unsqueeze(1)
        return FoldedVectors(ones, counts, trained_items=self.trained_items)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """How many users have each item, shape (batch, n_items), for users, shape (batch,)."""
        return self.item_counts.repeat(len(user_idx), 1)


def _damped_mean(left: Tensor, idx: Tensor, table: Tensor, reg: float) -> Tensor:
    """Sum of ``left`` by index over (count + reg); 0 where there is no row."""
    totals = torch.zeros_like(table).index_add_(0, idx, left)
    counts = torch.bincount(idx, minlength=len(table))
    return totals / (counts + reg).clamp(min=1e-12)
