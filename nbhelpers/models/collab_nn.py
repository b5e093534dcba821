"""A small network that reads a user's and an item's factors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from nbhelpers.core.folded import YRange, in_range
from nbhelpers.models.base import Model, Wrapper
from nbhelpers.models.embeddings import small_embedding

CHUNK_SIZE = 65_536  # of a network, when it scores every item: 26 MB at 100 hidden numbers


def embedding_size(n_rows: int) -> int:
    """Suggested number of factors for a table: 1.6 times rows to the power 0.56, at most 600.

    Parameters
    ----------
    n_rows : int
        Rows of the table, the unknown row included.

    Returns
    -------
    int
        A rule of thumb, found by trying, not derived.

    Raises
    ------
    ValueError
        If ``n_rows`` is below 1.

    References
    ----------
    fastai, ``emb_sz_rule``, https://docs.fast.ai/tabular.model.html

    Examples
    --------
    >>> [embedding_size(n_rows) for n_rows in (10, 944, 1_000_000)]
    [6, 74, 600]
    """
    if n_rows < 1:
        raise ValueError(f"n_rows must be at least 1, got {n_rows}")
    size: int = round(1.6 * n_rows**0.56)
    return min(600, size)


def hidden_layers(n_inputs: int, n_hidden: int | Sequence[int]) -> nn.Sequential:
    """Linear layers of the given widths, a ReLU after each, and a last one to a single number."""
    hidden = (n_hidden,) if isinstance(n_hidden, int) else tuple(n_hidden)
    widths = (n_inputs, *hidden, 1)
    if min(widths) < 1:
        raise ValueError(f"widths of layers must be at least 1, got {min(widths)}")
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class CollabNN(Model, nn.Module):
    """Rating by a small network that reads a user's and an item's factors side by side.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, the unknown rows included.
    n_user_factors, n_item_factors : int
        May differ, since nothing is multiplied; see ``embedding_size``.
    n_hidden : int or sequence of int
        Width of each hidden layer.
    y_range : (float, float), optional
        Range of the predicted rating in stars; ``None`` leaves the score unbounded.

    Examples
    --------
    >>> import torch
    >>> model = CollabNN(944, 1683, n_user_factors=74, n_item_factors=102)
    >>> model(torch.tensor([1, 2, 3]), torch.tensor([10, 20, 30])).shape
    torch.Size([3])
    >>> model.score_users(torch.tensor([1, 2])).shape
    torch.Size([2, 1683])
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        n_user_factors: int,
        n_item_factors: int,
        n_hidden: int | Sequence[int] = 100,
        y_range: YRange | None = (0, 5.5),
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.user_factors = small_embedding(n_users, n_user_factors)
        self.item_factors = small_embedding(n_items, n_item_factors)
        self.layers = hidden_layers(n_user_factors + n_item_factors, n_hidden)
        self.y_range = y_range

    def item_features(self, item_idx: Tensor) -> Tensor:
        """What the network reads of items, shape (batch, width)."""
        features: Tensor = self.item_factors(item_idx)
        return features

    def score(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Score of pairs before ``y_range`` bounds it, shape (batch,)."""
        pair = torch.cat([self.user_factors(user_idx), self.item_features(item_idx)], dim=1)
        score: Tensor = self.layers(pair)  # (batch, 1)
        return score.squeeze(1)  # (batch,)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        return self.to_stars(self.score(user_idx, item_idx))

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), of users, shape (batch,).

        The first layer is linear, so its answer to a pair is a part of the user plus a part of
        the item: each part is computed once, and only the sums pair by pair, in blocks.
        """
        weight, bias = self.layers[0].parameters()
        n_items, n_user_factors = self.item_factors.num_embeddings, self.user_factors.embedding_dim
        items = self.item_features(torch.arange(n_items, device=weight.device))
        item_part = items @ weight[:, n_user_factors:].T  # (n_items, n_hidden)
        user_part = self.user_factors(user_idx) @ weight[:, :n_user_factors].T + bias
        blocks = user_part.unsqueeze(1).split(max(1, CHUNK_SIZE // n_items))
        score = [self.layers[1:](block + item_part).squeeze(2) for block in blocks]
        return self.to_stars(torch.cat(score))  # (batch, n_items)

    def to_stars(self, score: Tensor) -> Tensor:
        """Score within ``y_range``, if there is one."""
        return in_range(score, self.y_range)


class PairInput(Wrapper, nn.Module):
    """A pair model that takes users and items in one tensor, as fastai passes them.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)``; it stays reachable as ``.model``, with the
        ``state_dict`` that it has without this wrapper.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.dot_product import DotProduct
    >>> model = PairInput(DotProduct(944, 1683, n_factors=5))
    >>> pairs = torch.tensor([[1, 10], [2, 20], [3, 30]])  # a user and an item in each row
    >>> model(pairs).shape
    torch.Size([3])
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @property
    def within(self) -> Any:
        """The model within."""
        return self.model

    def forward(self, pairs: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,), of an integer tensor of shape (batch, 2)."""
        if pairs.dim() != 2 or pairs.shape[1] != 2:
            raise ValueError(
                "pairs must have the shape (batch, 2), users in the first column and items in "
                f"the second, got {tuple(pairs.shape)}"
            )
        pred: Tensor = self.model(pairs[:, 0], pairs[:, 1])
        return pred

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), by the model within."""
        score: Tensor = self.within.score_users(user_idx)
        return score
