"""Models that predict a rating from factors of a user and of an item."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from nbhelpers.core.folded import YRange, in_range
from nbhelpers.models.base import Model
from nbhelpers.models.embeddings import small_embedding


class DotProduct(Model, nn.Module):
    """Rating as the dot product of a user's and an item's factors.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, the unknown rows included.
    n_factors : int
    y_range : (float, float), optional
        Range of the predicted rating in stars; ``None`` leaves the score unbounded.
    embedding : callable, optional
        Makes a table from its number of rows and columns: ``small_embedding`` (an
        ``nn.Embedding``) or ``Embedding`` (a bare parameter).

    Examples
    --------
    >>> import torch
    >>> model = DotProduct(2, 3, n_factors=2)
    >>> model.user_factors.weight.data = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    >>> model.item_factors.weight.data = torch.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, 5.0]])
    >>> model(torch.tensor([0, 1]), torch.tensor([1, 2])).tolist()
    [3.0, 5.0]
    >>> model.score_users(torch.tensor([0])).tolist()
    [[3.0, 3.0, 10.0]]
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        y_range: YRange | None = None,
        embedding: Callable[[int, int], nn.Module] = small_embedding,
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.user_factors = embedding(n_users, n_factors)
        self.item_factors = embedding(n_items, n_factors)
        self.y_range = y_range

    def score(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Score of pairs before ``y_range`` bounds it, shape (batch,)."""
        product: Tensor = self.user_factors(user_idx) * self.item_factors(item_idx)
        return product.sum(dim=1)  # (batch,)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        return self.to_stars(self.score(user_idx, item_idx))

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        return self.to_stars(self.user_factors(user_idx) @ self.item_factors.weight.T)

    def to_stars(self, score: Tensor) -> Tensor:
        """Score within ``y_range``, if there is one."""
        return in_range(score, self.y_range)


class DotProductBias(DotProduct):
    """Dot product plus one number for each user and one for each item.

    Parameters
    ----------
    n_users, n_items, n_factors, y_range, embedding
        As for ``DotProduct``.

    References
    ----------
    Koren, Bell and Volinsky (2009), Matrix Factorization Techniques for Recommender Systems,
    eq. 4 (here without the mean: the range or the biases carry it),
    https://doi.org/10.1109/MC.2009.263

    Examples
    --------
    >>> model = DotProductBias(944, 1683, n_factors=50, y_range=(0, 5.5))
    >>> for name, table in model.named_parameters():
    ...     print(name, tuple(table.shape))
    user_factors.weight (944, 50)
    item_factors.weight (1683, 50)
    user_bias.weight (944, 1)
    item_bias.weight (1683, 1)
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        y_range: YRange | None = None,
        embedding: Callable[[int, int], nn.Module] = small_embedding,
    ) -> None:
        super().__init__(n_users, n_items, n_factors, y_range=y_range, embedding=embedding)
        self.user_bias = embedding(n_users, 1)
        self.item_bias = embedding(n_items, 1)

    def score(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Score of pairs before ``y_range`` bounds it, shape (batch,)."""
        bias: Tensor = self.user_bias(user_idx) + self.item_bias(item_idx)  # (batch, 1)
        return super().score(user_idx, item_idx) + bias.squeeze(1)  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        score = self.user_factors(user_idx) @ self.item_factors.weight.T  # (batch, n_items)
        score = score + self.user_bias(user_idx) + self.item_bias.weight.T
        return self.to_stars(score)
