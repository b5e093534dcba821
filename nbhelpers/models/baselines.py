"""What any model has to beat: predictions from means alone, and what everybody takes."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from nbhelpers.core.checks import checked_indices
from nbhelpers.core.coverage import FittedOn
from nbhelpers.core.folded import FoldedVectors
from nbhelpers.core.recommender import Positives
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.base import FITTED, TRAINING, ClosedForm


class _OfRatings(ClosedForm):
    """What is fitted on ratings: it remembers who and what has a training row."""

    n_users: int
    n_items: int
    trained_users: Tensor
    trained_items: Tensor

    def _remember(self, user_idx: Tensor, item_idx: Tensor) -> None:
        """Keep who and what was rated, if all have a place in the tables."""
        if user_idx.numel() == 0:
            raise ValueError("at least one rating is needed, got none")
        checked_indices(user_idx, name="user_idx", size=self.n_users)
        checked_indices(item_idx, name="item_idx", size=self.n_items)
        self.trained_users = torch.bincount(user_idx, minlength=self.n_users) > 0
        self.trained_items = torch.bincount(item_idx, minlength=self.n_items) > 0


class GlobalMean(_OfRatings):
    """Predicts the mean training rating for everybody and everything.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, the unknown rows included.

    Attributes
    ----------
    mean : float
        In stars.
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        Who and what has a training row.

    Examples
    --------
    >>> import torch
    >>> user_idx, item_idx = torch.tensor([0, 1]), torch.tensor([2, 0])
    >>> model = GlobalMean(2, 3).fit(user_idx, item_idx, torch.tensor([5.0, 4.0]))
    >>> model.score_users(torch.tensor([1])).tolist()
    [[4.5, 4.5, 4.5]]
    """

    learned = (*TRAINING, "mean")
    mean: float

    def __init__(self, n_users: int, n_items: int) -> None:
        self.n_users, self.n_items = n_users, n_items

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
            If there is no rating, or an index is outside the tables.
        """
        self._remember(user_idx, item_idx)
        self.mean = rating.double().mean().item()
        return self

    def __call__(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,)."""
        return torch.full(user_idx.shape, self.mean)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items)."""
        return torch.full((len(user_idx), self.n_items), self.mean)


class BiasOnly(_OfRatings):
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

    Attributes
    ----------
    mean : float
        In stars.
    user_bias, item_bias : Tensor of float64, shape (n_users,) and (n_items,)
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        Who and what has a training row.

    Raises
    ------
    ValueError
        If a damping is negative.

    Examples
    --------
    >>> import torch
    >>> user_idx, item_idx = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    >>> model = BiasOnly(2, 2).fit(user_idx, item_idx, torch.tensor([5.0, 3.0, 4.0]))
    >>> model.score_users(torch.tensor([0, 1]))
    tensor([[4.2121, 3.7549],
            [4.1713, 3.7141]])

    References
    ----------
    Koren (2010), Factor in the Neighbors, sec. 2.1, https://doi.org/10.1145/1644873.1644874
    """

    learned = (*TRAINING, "mean", "user_bias", "item_bias")
    mean: float
    user_bias: Tensor
    item_bias: Tensor

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
        self.n_users, self.n_items = n_users, n_items
        self.user_reg, self.item_reg, self.n_sweeps = user_reg, item_reg, n_sweeps

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
            If there is no rating, or an index is outside the tables.
        """
        self._remember(user_idx, item_idx)
        self.user_bias = torch.zeros(self.n_users, dtype=torch.float64)
        self.item_bias = torch.zeros(self.n_items, dtype=torch.float64)
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


class Popularity(FittedOn, ClosedForm):
    """Ranks items by how many users have them: the same list for everybody, new users included.

    Attributes
    ----------
    item_counts : Tensor of float32, shape (n_items,)
        Users who have each item.
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        Who and what has a positive in training.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.data.interactions import Interactions
    >>> model = Popularity().fit(Interactions([0, 1, 1], [2, 2, 0], n_users=2, n_items=3))
    >>> model.score_users(torch.tensor([0])).tolist()
    [[1.0, 0.0, 2.0]]
    """

    learned = (*FITTED, "item_counts")
    item_counts: Tensor

    def __init__(self) -> None:
        """There is nothing to set."""

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
            If it has other items, or the model is not fitted.
        """
        self.check_items(interactions)
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
