"""Matrix factorization of implicit feedback, on logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbhelpers.core.folded import YRange, in_range
from nbhelpers.models.base import Model
from nbhelpers.models.embeddings import small_embedding


class MatrixFactorization(Model, nn.Module):
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
    dropout : float
        Share of the factors that each training step hides, from 0 to below 1; the others grow
        to make up for it. Biases stay. ``score_users`` hides those of users alone: all rows of
        its table of scores would have to do without the same factors of an item.
    sparse : bool
        Gradients of only the rows that a batch looks up, for SparseAdam or SGD without ``wd``:
        a step then costs the same in a catalog of any size. Training by ``score_users`` looks
        up every item, and its gradients are dense.
    y_range : (float, float), optional
        Range of the scores, which then are no logits; ``None`` leaves them unbounded.

    Raises
    ------
    ValueError
        If ``dropout`` is out of its range.

    References
    ----------
    Rendle et al. (2020), Neural Collaborative Filtering vs. Matrix Factorization Revisited,
    sec. 2, https://arxiv.org/abs/2005.09683

    Examples
    --------
    >>> import torch
    >>> model = MatrixFactorization(3, 4, n_factors=2)
    >>> users, items = torch.arange(3), torch.arange(4)
    >>> product = model.user_vectors(users) @ model.item_vectors(items).T
    >>> product.shape, torch.allclose(product, model.score_users(users))
    (torch.Size([3, 4]), True)
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 32,
        *,
        dropout: float = 0.0,
        sparse: bool = False,
        y_range: YRange | None = None,
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        self.user_factors = small_embedding(n_users, n_factors, sparse=sparse)
        self.item_factors = small_embedding(n_items, n_factors, sparse=sparse)
        self.item_bias = small_embedding(n_items, 1, sparse=sparse)
        self.dropout, self.y_range = dropout, y_range

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Scores, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        user, item = (
            self._seen(self.user_factors(user_idx)),
            self._seen(self.item_factors(item_idx)),
        )
        bias: Tensor = self.item_bias(item_idx).squeeze(1)
        return in_range((user * item).sum(dim=1) + bias, self.y_range)  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        product = self._seen(self.user_factors(user_idx)) @ self.item_factors.weight.T
        return in_range(product + self.item_bias.weight.T, self.y_range)  # (batch, n_items)

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Factors and a one, shape (batch, n_factors + 1): a dot product away from the score.

        With ``y_range`` the product is the score before it is bounded, and ranks alike.
        """
        factors = self._seen(self.user_factors(user_idx))
        return torch.cat([factors, torch.ones_like(factors[:, :1])], dim=1)

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Factors and bias, shape (batch, n_factors + 1)."""
        factors = self._seen(self.item_factors(item_idx))
        return torch.cat([factors, self.item_bias(item_idx)], dim=1)

    def _seen(self, factors: Tensor) -> Tensor:
        """What dropout leaves of factors in training; all of them otherwise."""
        return functional.dropout(factors, self.dropout, self.training)
