"""Recommenders that compare items with items: neighbors counted, and a linear model solved."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from nbhelpers.core.blocks import blocks_of
from nbhelpers.core.coverage import FittedOn
from nbhelpers.core.folded import FoldedRows, row_scores
from nbhelpers.core.memory import require_memory
from nbhelpers.core.recommender import Positives
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.base import FITTED, ClosedForm

CHUNK_SIZE = 2**22  # item pairs whose similarity is in memory at a time: 200 MB at most
FILLED = 1 / 8  # of a block: from here on a table is faster than sparse rows


class _ItemToItem(FittedOn, ClosedForm):
    """What both have in common: a user's score of an item is a sum over the user's positives.

    So a user who came after training is scored as if they had been there, and each positive has
    a part of its own in a score.
    """

    seen: csr_matrix
    item_counts: Tensor

    @abstractmethod
    def _item_rows(self) -> NDArray[Any] | csr_matrix:
        """Row i is what having item i says about all items, shape (n_items, n_items)."""

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        seen = self.seen[user_idx.cpu().numpy()]
        return row_scores(seen, self._item_rows(), self.item_counts).to(user_idx.device)

    def fold_in(self, interactions: Positives) -> FoldedRows:
        """Recommender for users of later, whose scores are those that training would have given.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training.

        Returns
        -------
        FoldedRows
            Its user k is row k of ``interactions``; one without positives gets the items by
            popularity.

        Raises
        ------
        ValueError
            If it has another number of items, or the model is not fitted.
        """
        self.check_items(interactions)
        rows = self._item_rows()
        by_row = rows if isinstance(rows, np.ndarray) else rows.tocsr()
        return FoldedRows(interactions, by_row, self.item_counts)

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Part of each positive of row 0 in the score of an item: they add up to the score.

        Parameters
        ----------
        item_idx : int
        interactions : Interactions
            With the items of training.

        Returns
        -------
        Tensor of float32, shape (n_positives,)
            In the order of the positives' indices.

        Raises
        ------
        ValueError
            If it has another number of items, or the model is not fitted.
        """
        self.check_items(interactions)
        own = interactions.indices[: interactions.indptr[1]]
        parts = self._item_rows()[:, [item_idx]][own]
        dense = parts if isinstance(parts, np.ndarray) else parts.toarray()
        return torch.from_numpy(dense).squeeze(1)  # (n_positives,)

    def _keep(self, interactions: Interactions) -> None:
        """The positives of training, and how many there are."""
        if len(interactions) == 0:
            raise ValueError("at least one positive is needed, got none")
        self.remember(interactions)
        self.item_counts = torch.tensor(interactions.item_counts, dtype=torch.float32)
        self.seen = interactions.to_scipy()


class ItemKNN(_ItemToItem):
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
    seen : csr_matrix of float32, shape (n_users, n_items)
        Ones at the positives of training.
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        Who and what has a positive in training.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.data.interactions import Interactions
    >>> train = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], n_users=3, n_items=3)
    >>> model = ItemKNN(n_neighbors=2).fit(train)
    >>> model.score_users(torch.tensor([2]))
    tensor([[0.0000, 0.8165, 0.0000]])

    References
    ----------
    Deshpande and Karypis (2004), Item-Based Top-N Recommendation Algorithms, sec. 4 (which keeps
    the neighbors of the items a user has), https://doi.org/10.1145/963770.963776
    """

    learned = (*FITTED, "seen", "item_counts", "similarity")
    similarity: csr_matrix

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

        Time goes by the pairs of items that users have in common, not by those of the catalog.

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
        self._keep(interactions)
        by_item = self.seen.T.tocsr()
        most = by_item @ np.diff(self.seen.indptr)  # an item's users have no more items than that
        blocks = blocks_of(np.minimum(most, self.n_items), limit=CHUNK_SIZE)
        self.similarity = vstack([self._neighbors(by_item, rows) for rows in blocks], format="csr")
        return self

    def _neighbors(self, by_item: csr_matrix, rows: slice) -> csr_matrix:
        """Nearest neighbors of some items, shape (rows, n_items)."""
        common = by_item[rows] @ self.seen  # users who have both
        counts = torch.from_numpy(np.diff(by_item.indptr)).clamp(min=1).float() ** self.power
        filled = common.nnz >= FILLED * common.shape[0] * common.shape[1]
        search = self._nearest_of_table if filled else self._nearest_of_pairs
        nearest = search(common, counts, rows)
        nearest.eliminate_zeros()  # an item without a common user is no neighbor
        return nearest

    def _nearest_of_table(self, common: csr_matrix, counts: Tensor, rows: slice) -> csr_matrix:
        """Nearest neighbors by a table of all pairs, shape (rows, n_items)."""
        table = torch.from_numpy(common.toarray())
        similarity = table / (counts[rows].unsqueeze(1) * counts + self.shrinkage)
        similarity.diagonal(rows.start).zero_()
        best = similarity.topk(min(self.n_neighbors, similarity.shape[1]), dim=1)
        row = torch.arange(len(similarity)).unsqueeze(1).expand_as(best.indices)  # as best
        entries = best.values.flatten(), torch.stack([row, best.indices]).flatten(1)
        return csr_matrix(tuple(part.numpy() for part in entries), shape=similarity.shape)

    def _nearest_of_pairs(self, common: csr_matrix, counts: Tensor, rows: slice) -> csr_matrix:
        """Nearest neighbors by the pairs with a common user alone, shape (rows, n_items)."""
        row = np.repeat(np.arange(common.shape[0]), np.diff(common.indptr))
        both = counts[rows][torch.from_numpy(row)] * counts[torch.from_numpy(common.indices)]
        similarity = common.data / (both + self.shrinkage).numpy()
        similarity[common.indices == row + rows.start] = 0
        order = np.lexsort((-similarity, row))  # each row's pairs, the nearest first
        kept = order[np.arange(len(row)) - common.indptr[row] < self.n_neighbors]
        return csr_matrix((similarity[kept], (row[kept], common.indices[kept])), shape=common.shape)

    def _item_rows(self) -> csr_matrix:
        return self.similarity.T  # item i speaks for those that have it among their neighbors


def ease_bytes(n_items: int) -> int:
    """Most memory that ``EASE.fit`` holds at a time: three matrices of float64.

    Parameters
    ----------
    n_items : int

    Returns
    -------
    int

    Examples
    --------
    >>> ease_bytes(60_000)
    86400000000
    """
    return 24 * n_items**2


class EASE(_ItemToItem):
    """Linear model that says each item from the user's other items, solved in closed form.

    Weights B minimize the squared error of X @ B against X, the 0/1 matrix of positives, plus
    reg * (sum of squared weights), where no item may say itself: the diagonal of B is 0. A user
    without positives gets the items by popularity. Training inverts one matrix of n_items x
    n_items float64: see ``ease_bytes``. Where these do not fit, ``fit`` refuses.

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
    seen : csr_matrix of float32, shape (n_users, n_items)
        Ones at the positives of training.
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        Who and what has a positive in training.

    Raises
    ------
    ValueError
        If ``reg`` is out of its range.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.data.interactions import Interactions
    >>> train = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], n_users=3, n_items=3)
    >>> model = EASE(reg=1.0).fit(train)
    >>> model.score_users(torch.tensor([2]))
    tensor([[0.0000, 0.5000, 0.0000]])

    References
    ----------
    Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, sec. 3.1,
    https://arxiv.org/abs/1905.03375
    """

    learned = (*FITTED, "seen", "item_counts", "item_weights")
    item_weights: Tensor

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
            If there is no positive; ``TooLargeError`` if the matrices need more memory than is
            free, which is found out before any of them is made.
        """
        require_memory(
            ease_bytes(interactions.n_items),
            what=f"EASE of {interactions.n_items:,} items",
            instead="use ItemKNN, which keeps the nearest neighbors of each item only, or IALS; "
            "or leave out rare items",
        )
        self._keep(interactions)
        common = torch.from_numpy((self.seen.T @ self.seen).toarray()).double()
        common.diagonal().add_(self.reg)
        weights = torch.cholesky_inverse(torch.linalg.cholesky(common))
        del common
        weights /= -weights.diagonal().clone()  # each column by its own diagonal value
        weights.fill_diagonal_(0.0)
        self.item_weights = weights.float()
        return self

    def _item_rows(self) -> NDArray[Any]:
        return self.item_weights.numpy()
