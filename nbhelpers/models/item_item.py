"""Recommenders that compare items with items: neighbors counted, and a linear model solved."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from nbhelpers.core.coverage import FittedOn
from nbhelpers.core.folded import FoldedRows, popular_where_empty
from nbhelpers.core.recommender import Positives
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.baselines import Popularity

CHUNK_SIZE = 2**24  # item pairs whose similarity is in memory at a time: 64 MiB


class ItemKNN(FittedOn):
    """Scores an item by its similarity to what the user has, over its nearest neighbors.

    Two items with n and m users, c of them common, have the similarity c / ((n * m) ** power +
    shrinkage). An item's score is the sum of its similarities to those of the user's items that
    are among its ``n_neighbors`` nearest; an item is no neighbor of itself. A user without
    positives gets the items by popularity.

    Parameters
    ----------
    n_neighbors : int
        Neighbors kept for an item, at least 1; which of equally near ones is left open.
    shrinkage : float
        At least 0. Lowers similarities that few users speak for.
    power : float
        0.5 gives the cosine; less favors popular items, more favors rare ones.

    Attributes
    ----------
    similarity : csr_matrix of float32, shape (n_items, n_items)
        Row i holds the neighbors of item i.
    item_counts : Tensor of float32, shape (n_items,)
        Positives of each item in training.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Deshpande and Karypis (2004), Item-Based Top-N Recommendation Algorithms, sec. 4 (which keeps
    the neighbors of the items a user has), https://doi.org/10.1145/963770.963776
    """

    similarity: csr_matrix
    item_counts: Tensor

    def __init__(
        self, n_neighbors: int = 100, *, shrinkage: float = 0.0, power: float = 0.5
    ) -> None:
        if n_neighbors < 1 or shrinkage < 0:
            raise ValueError(
                f"n_neighbors must be at least 1 and shrinkage at least 0, got {n_neighbors} and "
                f"{shrinkage}"
            )
        self.n_neighbors, self.shrinkage, self.power = n_neighbors, shrinkage, power

    def fit(self, interactions: Interactions) -> Self:
        """Find the neighbors, in blocks of items: memory for ``n_neighbors`` of each.

        Parameters
        ----------
        interactions : Interactions

        Returns
        -------
        ItemKNN
            Itself.

        Raises
        ------
        ValueError
            If there is no positive.
        """
        self.item_counts = Popularity().fit(interactions).item_counts
        self._seen = interactions.to_scipy()
        by_item, n_items = self._seen.T.tocsr(), interactions.n_items
        size = max(CHUNK_SIZE // n_items, 1)
        starts = range(0, n_items, size)
        blocks = [self._neighbors(by_item, slice(start, start + size)) for start in starts]
        self.similarity = vstack(blocks, format="csr")
        return self.remember(interactions)

    def fold_in(self, interactions: Positives) -> FoldedRows:
        """Recommender for users who were not trained on: as training would have scored them.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training.

        Returns
        -------
        FoldedRows

        Raises
        ------
        ValueError
            If the model is not fitted, or on other items.
        """
        self.check_items(interactions)
        return FoldedRows(interactions, self.similarity.T.tocsr(), self.item_counts)

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Similarity of the item to each positive of row 0, shape (n_positives,)."""
        self.check_items(interactions)
        own = interactions.indices[: interactions.indptr[1]]
        return torch.from_numpy(self.similarity[[item_idx]].toarray()[0, own])

    def _neighbors(self, by_item: csr_matrix, rows: slice) -> csr_matrix:
        """Nearest neighbors of some items, shape (rows, n_items)."""
        common = torch.from_numpy((by_item[rows] @ by_item.T).toarray())  # (rows, n_items)
        counts = torch.from_numpy(np.diff(by_item.indptr)).clamp(min=1).float() ** self.power
        similarity = common / (counts[rows].unsqueeze(1) * counts + self.shrinkage)
        similarity.diagonal(rows.start).zero_()
        best = similarity.topk(min(self.n_neighbors, similarity.shape[1]), dim=1)
        place = (
            torch.arange(len(similarity)).unsqueeze(1).expand_as(best.indices)
        )  # (rows, n_neighbors)
        entries = best.values.flatten(), torch.stack([place, best.indices]).flatten(1)
        nearest = csr_matrix(tuple(part.numpy() for part in entries), shape=similarity.shape)
        nearest.eliminate_zeros()  # an item without a common user is no neighbor
        return nearest

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        seen = self._seen[user_idx.cpu().numpy()]
        scores = torch.from_numpy((seen @ self.similarity.T).toarray())
        return popular_where_empty(scores, seen, self.item_counts).to(user_idx.device)


class EASE(FittedOn):
    """Linear model that says each item from the user's other items, solved in closed form.

    Weights B minimize the squared error of X @ B against X, the 0/1 matrix of positives, plus
    reg * (sum of squared weights), where no item may say itself: the diagonal of B is 0. A user
    without positives gets the items by popularity. Training inverts one matrix of n_items x
    n_items float64.

    Parameters
    ----------
    reg : float
        Above 0, in units of a count of users.

    Attributes
    ----------
    item_weights : Tensor of float32, shape (n_items, n_items)
        B: row i is what having item i says about all items.
    item_counts : Tensor of float32, shape (n_items,)
        Positives of each item in training.

    Raises
    ------
    ValueError
        If ``reg`` is out of its range.

    References
    ----------
    Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, sec. 3.1,
    https://arxiv.org/abs/1905.03375
    """

    item_weights: Tensor
    item_counts: Tensor

    def __init__(self, reg: float = 250.0) -> None:
        if not reg > 0:
            raise ValueError(f"reg must be above 0, got {reg}")
        self.reg = reg

    def fit(self, interactions: Interactions) -> Self:
        """Solve for the weights.

        Parameters
        ----------
        interactions : Interactions

        Returns
        -------
        EASE
            Itself.

        Raises
        ------
        ValueError
            If there is no positive.
        """
        self.item_counts = Popularity().fit(interactions).item_counts
        self._seen = interactions.to_scipy()
        common = torch.from_numpy((self._seen.T @ self._seen).toarray()).double()
        common.diagonal().add_(self.reg)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(common))
        weights = inverse / -inverse.diagonal()  # each column by its own diagonal value
        weights.fill_diagonal_(0.0)
        self.item_weights = weights.float()
        return self.remember(interactions)

    def fold_in(self, interactions: Positives) -> FoldedRows:
        """Recommender for users who were not trained on: as training would have scored them.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training.

        Returns
        -------
        FoldedRows

        Raises
        ------
        ValueError
            If the model is not fitted, or on other items.
        """
        self.check_items(interactions)
        return FoldedRows(interactions, self.item_weights.numpy(), self.item_counts)

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Weight of each positive of row 0 in the score of an item, shape (n_positives,)."""
        self.check_items(interactions)
        own = torch.from_numpy(interactions.indices[: interactions.indptr[1]].astype(np.int64))
        return self.item_weights[own, item_idx]

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        seen = self._seen[user_idx.cpu().numpy()]
        scores = torch.from_numpy(seen @ self.item_weights.numpy())
        return popular_where_empty(scores, seen, self.item_counts).to(user_idx.device)
