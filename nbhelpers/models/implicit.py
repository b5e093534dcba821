"""Matrix factorization of implicit feedback, on logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nbhelpers.models.explicit import small_embedding


class MatrixFactorization(nn.Module):
    """Score of a pair: dot product of a user's and an item's factors, plus a bias of the item.

    The score is a logit: ``torch.sigmoid`` makes it the probability that the pair is a positive
    rather than one of the negatives it was trained against. There is no bias of the user. It
    would move all of a user's scores alike, so no ranking would change; and with ``n`` negatives
    for each positive, every user has the same share of positives.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int

    References
    ----------
    Rendle et al. (2020), Neural Collaborative Filtering vs. Matrix Factorization Revisited,
    sec. 2, https://arxiv.org/abs/2005.09683
    """

    def __init__(self, n_users: int, n_items: int, n_factors: int = 32) -> None:
        super().__init__()
        self.user_factors = small_embedding(n_users, n_factors)
        self.item_factors = small_embedding(n_items, n_factors)
        self.item_bias = small_embedding(n_items, 1)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        product: Tensor = self.user_factors(user_idx) * self.item_factors(item_idx)
        bias: Tensor = self.item_bias(item_idx).squeeze(1)
        return product.sum(dim=1) + bias  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,)."""
        product: Tensor = self.user_factors(user_idx) @ self.item_factors.weight.T
        return product + self.item_bias.weight.T  # (batch, n_items)

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Factors and a one, shape (batch, n_factors + 1): a dot product away from the score."""
        factors: Tensor = self.user_factors(user_idx)
        return torch.cat([factors, torch.ones_like(factors[:, :1])], dim=1)

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Factors and bias, shape (batch, n_factors + 1)."""
        return torch.cat([self.item_factors(item_idx), self.item_bias(item_idx)], dim=1)
