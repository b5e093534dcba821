"""A two-tower model that knows a user by what they chose last, in order."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nbhelpers.models.base import Model


def past_items(
    user_idx: NDArray[np.int64],
    item_idx: NDArray[np.int64],
    *,
    n_users: int,
    length: int,
    pad: int,
) -> tuple[Tensor, Tensor]:
    """What came before each choice, and before each user's next one, latest first.

    Parameters
    ----------
    user_idx, item_idx : ndarray of int, shape (n,)
        Choices by ascending user, and of each user in order of time.
    n_users : int
    length : int
        How far back to look, at least 1.
    pad : int
        Stands where there was no choice yet.

    Returns
    -------
    past : Tensor of int64, shape (n, length)
        Items that the row's user chose before the row.
    latest : Tensor of int64, shape (n_users, length)
        Items that each user chose last.

    Raises
    ------
    ValueError
        If the users do not ascend, or ``length`` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> user_idx, item_idx = np.array([0, 0, 0, 1]), np.array([5, 3, 8, 2])
    >>> past, latest = past_items(user_idx, item_idx, n_users=2, length=2, pad=9)
    >>> past.tolist()
    [[9, 9], [5, 9], [3, 5], [9, 9]]
    >>> latest.tolist()
    [[8, 3], [2, 9]]
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    wrong = int((np.diff(user_idx) < 0).sum())
    if wrong:
        raise ValueError(f"sort the rows by user, then time: {wrong:,} rows come too late")
    everyone = np.arange(n_users)
    first = np.searchsorted(user_idx, everyone)
    end = np.searchsorted(user_idx, everyone, side="right")
    padded = np.append(item_idx, pad)

    def before(row: NDArray[np.int64], start: NDArray[np.int64]) -> Tensor:
        places = row[:, None] - 1 - np.arange(length)  # (n, length)
        return torch.from_numpy(padded[np.where(places >= start[:, None], places, len(item_idx))])

    return before(np.arange(len(item_idx)), first[user_idx]), before(end, first)


class SequenceTower(Model, nn.Module):
    """Scores of all items from the latest items of a user; users have no table of their own.

    A user's vector is the sum of the vectors of their latest items, each times a learned weight
    of its place. The same table serves as the items' side, so what a user chose last scores high
    itself: mask what was seen. A user who came after training needs nothing but a history.

    Parameters
    ----------
    n_items : int
        Also the index that pads a history.
    latest : Tensor of int, shape (n_users, length)
        What each user chose last, latest first: see ``past_items``.
    n_factors : int
    item_dropout, dropout : float
        In training, the share of a history's items and of a user's numbers that are hidden.

    References
    ----------
    Covington, Adams and Sargin (2016), Deep Neural Networks for YouTube Recommendations, sec. 3
    (who average the vectors and feed the mean to a network),
    https://doi.org/10.1145/2959100.2959190

    Examples
    --------
    >>> import torch
    >>> latest = torch.tensor([[8, 3], [2, 9]])  # of two users; 9 is the padding
    >>> model = SequenceTower(9, latest, n_factors=4)
    >>> model.score_users(torch.tensor([0, 1])).shape
    torch.Size([2, 9])
    >>> model(torch.tensor([[1, 7]])).shape  # the history of a new user
    torch.Size([1, 9])
    """

    latest: Tensor

    def __init__(
        self,
        n_items: int,
        latest: Tensor,
        n_factors: int = 64,
        *,
        item_dropout: float = 0.2,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = len(latest), n_items
        self.register_buffer("latest", latest, persistent=False)
        self.item_factors = nn.Embedding(n_items + 1, n_factors, padding_idx=n_items)
        nn.init.normal_(self.item_factors.weight, 0, 0.05)
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        places = torch.arange(1.0, latest.shape[1] + 1)
        self.log_weight = nn.Parameter(1 - places.log() / 2)
        self.item_dropout, self.dropout = item_dropout, dropout

    def past_vectors(self, past: Tensor) -> Tensor:
        """Vectors, shape (batch, n_factors), of latest items, shape (batch, length)."""
        weight = self.log_weight.exp().expand(past.shape)
        vectors = functional.embedding_bag(
            past,
            self.item_factors.weight,
            mode="sum",
            per_sample_weights=functional.dropout(weight, self.item_dropout, self.training),
            padding_idx=self.item_factors.padding_idx,
        )
        return functional.dropout(vectors, self.dropout, self.training)

    def forward(self, past: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of histories, shape (batch, length)."""
        product: Tensor = self.past_vectors(past) @ self.item_factors.weight[:-1].T
        return product + self.item_bias  # (batch, n_items)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        scores: Tensor = self(self.latest[user_idx])
        return scores

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Vectors of users and a one, shape (batch, n_factors + 1)."""
        vectors = self.past_vectors(self.latest[user_idx])
        return torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=1)

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Vectors of items and their bias, shape (batch, n_factors + 1)."""
        return torch.cat([self.item_factors(item_idx), self.item_bias[item_idx, None]], dim=1)
