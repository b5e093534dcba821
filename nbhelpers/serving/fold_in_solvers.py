"""What fold-in solves: a newcomer's vector, or sum of rows, and the recommender that it makes."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.folded import in_range
from nbhelpers.core.padding import padded_blocks
from nbhelpers.core.recommender import evaluation_mode, scores_of
from nbhelpers.data.interactions import Interactions

USERS_COMPARED = 8  # whose scores must be the product of their vectors with those of the items


class Ridge(NamedTuple):
    """How far a newcomer's vector may go from the mean user's, for models that know no fold-in.

    The step d from the mean vector minimizes the sum of (lift - d . item) ** 2 over the positives
    + unobserved_weight * the sum of (d . item) ** 2 over all items + reg * (squared length of d).
    So the mean user's scores, which hold the biases, are where everybody starts. Each positive
    asks for a higher score than there, and other items for the same.

    Attributes
    ----------
    lift : float
        In units of the score: of logits 3 says odds 20 times as high.
    reg : float
        Above 0, in units of a squared length of an item's vector. The mean vector is the limit.
    unobserved_weight : float
        At least 0; as in iALS, but for the step alone.
    """

    lift: float = 3.0
    reg: float = 10.0
    unobserved_weight: float = 0.0


class Start(NamedTuple):
    """Where a newcomer's vector starts, and the quadratic that moves it for their positives.

    The step d minimizes d . shared d + the sum over positives of extra * (d . item) ** 2 -
    2 * pull * (d . item) + damping * (squared length of d). So it is one matrix, the same for all
    positives, times the sum of their vectors: each has a part of its own.

    Attributes
    ----------
    mean : Tensor of float, shape (d,)
    vectors : Tensor of float, shape (n_items, d)
    free : Tensor of bool, shape (d,)
        Columns that the step may change.
    shared : Tensor of float64, shape (n_free, n_free)
        What all items say.
    extra, pull, damping : float
    y_range : (float, float) or None
    """

    mean: Tensor
    vectors: Tensor
    free: Tensor
    shared: Tensor
    extra: float
    pull: float
    damping: float
    y_range: tuple[float, float] | None = None

    def steps(self, item_idx: Tensor) -> Tensor:
        """Part of each positive in the step, shape (n_positives, d)."""
        own = self.vectors[item_idx.to(self.vectors.device)][:, self.free].double()
        left = self.shared + self.extra * own.T @ own  # (n_free, n_free)
        left.diagonal().add_(self.damping)
        steps = self.vectors.new_zeros(len(own), len(self.mean))
        steps[:, self.free] = (self.pull * torch.linalg.solve(left, own.T).T).to(steps)
        return steps

    def users(self, histories: Interactions) -> Tensor:
        """Vector of each newcomer, shape (n_users, d): the mean and a step for all positives."""
        items = self.vectors[:, self.free].double()
        padded = torch.cat([items, items.new_zeros(1, items.shape[1])])  # last row: no positive
        users = self.mean.repeat(histories.n_users, 1)
        blocks = padded_blocks(
            histories.indptr,
            histories.indices,
            n_columns=histories.n_items,
            n_factors=items.shape[1],
        )
        for rows, columns in blocks:
            own = padded[columns.to(padded.device)]  # (rows, most, n_free)
            left = self.shared + self.extra * own.mT @ own
            left.diagonal(dim1=1, dim2=2).add_(self.damping)
            step = torch.linalg.solve(left, self.pull * own.sum(dim=1))  # (rows, n_free)
            users[rows.to(users.device).unsqueeze(1), self.free.nonzero().T] += step.to(users)
        return users


class ItemRows(NamedTuple):
    """What a model knows that compares items alone.

    Attributes
    ----------
    said : ndarray or csr_matrix of float, shape (n_items, n_items)
        Row i is what having item i says about all items.
    item_counts : Tensor of float, shape (n_items,)
        Positives in training, the scores of newcomers without positives.
    """

    said: NDArray[Any] | csr_matrix
    item_counts: Tensor


def item_rows(model: Any) -> ItemRows | None:
    """Rows of a model that has nothing else."""
    if hasattr(model, "item_weights"):  # EASE
        return ItemRows(model.item_weights.numpy(), model.item_counts)
    if hasattr(model, "similarity"):  # ItemKNN
        return ItemRows(model.similarity.T.tocsr(), model.item_counts)
    return None


@torch.no_grad()
def ridge_start(model: Any, ridge: Ridge, *, n_items: int, n_users: int | None) -> Start:
    """What ``ridge`` solves for a model whose scores are products of vectors.

    A column that all users share, such as the one before a bias, stays; so does one that all
    items share, which ranks nothing.
    """
    _check_ridge(ridge)
    if not (hasattr(model, "user_vectors") and hasattr(model, "item_vectors")):
        raise ValueError(
            f"{type(model).__name__} cannot take in a newcomer: it has no item_weights, "
            "similarity or fold_in (is it fitted?), and no user_vectors and item_vectors"
        )
    if n_users is None:
        if not hasattr(model, "user_factors"):
            raise ValueError(f"{type(model).__name__} has no user_factors to count: pass n_users")
        n_users = len(model.user_factors.weight)
    scores = scores_of(model, torch.arange(min(n_users, USERS_COMPARED)), n_items=n_items)
    with evaluation_mode(model):
        users = model.user_vectors(torch.arange(n_users, device=scores.device))
        vectors = model.item_vectors(torch.arange(n_items, device=scores.device))
    y_range = getattr(model, "y_range", None)
    _check_product(in_range(users[: len(scores)] @ vectors.T, y_range), scores, model)
    free = _varies(users) & _varies(vectors)
    return Start(
        mean=users.mean(dim=0),
        vectors=vectors,
        free=free,
        shared=ridge.unobserved_weight * _gram(vectors[:, free]),
        extra=1.0,
        pull=ridge.lift,
        damping=ridge.reg,
        y_range=y_range,
    )


def check_items(n_trained: int, n_items: int) -> None:
    """Refuse histories of another catalog."""
    if n_items != n_trained:
        raise ValueError(
            f"{n_trained} items were trained on, got {n_items}: build the history from the same "
            "item vocabulary"
        )


def _varies(vectors: Tensor) -> Tensor:
    return (vectors != vectors[0]).any(dim=0)


def _gram(vectors: Tensor) -> Tensor:
    return vectors.double().T @ vectors.double()


def _check_ridge(ridge: Ridge) -> None:
    if not (ridge.lift > 0 and ridge.reg > 0 and ridge.unobserved_weight >= 0):
        raise ValueError(
            f"lift and reg must be above 0 and unobserved_weight at least 0, got {tuple(ridge)}"
        )


def _check_product(products: Tensor, scores: Tensor, model: object) -> None:
    """Refuse a model whose scores are not what its vectors say."""
    if not torch.allclose(products, scores, rtol=1e-3, atol=1e-4):
        raise ValueError(
            f"scores of {type(model).__name__} are not the products of its user_vectors and "
            "item_vectors: a newcomer's vector cannot be solved for"
        )
