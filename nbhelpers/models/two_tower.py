"""A network for the user and one for the item, whose vectors meet in a dot product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nbhelpers.models.base import Model
from nbhelpers.models.collab_nn import hidden_layers
from nbhelpers.models.embeddings import small_embedding


class TwoTower(Model, nn.Module):
    """A network for the user, a network for the item; their vectors meet in a dot product.

    The towers see nothing of each other, so the vectors of all items can be computed once and
    kept in an index. A network that reads both sides at once, such as ``MLP``, cannot be served
    that way.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
        Columns of the tables, and length of the vectors.
    n_hidden : sequence of int
        Widths of each tower's hidden layers; without them a tower is a table.
    temperature : float, optional
        Without it, vectors have any length, and a popular item may get a long one. With it,
        vectors are scaled to length 1, and their cosine is divided by ``temperature``: the
        score then lies between -1 / temperature and 1 / temperature. Softmax needs scores
        further apart than cosines are, hence values far below 1, such as 0.1.

    References
    ----------
    Yi et al. (2019), Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations, sec. 3, https://doi.org/10.1145/3298689.3346996

    Examples
    --------
    >>> import torch
    >>> model = TwoTower(5, 7, n_factors=4, n_hidden=(8,), temperature=0.1)
    >>> vectors = model.item_vectors(torch.arange(7))
    >>> vectors.shape, vectors[:2].norm(dim=1).round(decimals=3).tolist()
    (torch.Size([7, 4]), [1.0, 1.0])
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 32,
        *,
        n_hidden: Sequence[int] = (),
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        if temperature is not None and not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.user_tower = _tower(n_users, n_factors, n_hidden)
        self.item_tower = _tower(n_items, n_factors, n_hidden)
        self.temperature = temperature

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Vectors of users, shape (batch, n_factors), already divided by the temperature."""
        vectors: Tensor = self.user_tower(user_idx)
        if self.temperature is None:
            return vectors
        return nn.functional.normalize(vectors, dim=1) / self.temperature

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Vectors of items, shape (batch, n_factors); of length 1 if there is a temperature."""
        vectors: Tensor = self.item_tower(item_idx)
        return vectors if self.temperature is None else nn.functional.normalize(vectors, dim=1)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        return (self.user_vectors(user_idx) * self.item_vectors(item_idx)).sum(dim=1)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,)."""
        items = torch.arange(self.n_items, device=user_idx.device)
        return self.user_vectors(user_idx) @ self.item_vectors(items).T


def _tower(n_rows: int, n_factors: int, n_hidden: Sequence[int]) -> nn.Sequential:
    """A table, and hidden layers (if any) that end in as many numbers as they start from."""
    table = small_embedding(n_rows, n_factors)
    if not n_hidden:
        return nn.Sequential(table)
    hidden = list(hidden_layers(n_factors, n_hidden))[:-1]
    return nn.Sequential(table, *hidden, nn.Linear(n_hidden[-1], n_factors))
