"""Vectors of users who were not trained on, for models with vectors and no fold-in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nbhelpers.core.coverage import require_same_items, trained_rows
from nbhelpers.core.folded import FoldedVectors, YRange, in_range
from nbhelpers.core.padding import padded_blocks
from nbhelpers.core.recommender import (
    HasRange,
    HasSizes,
    HasVectors,
    Recommender,
    evaluation_mode,
    scores_of,
)
from nbhelpers.data.interactions import Interactions

USERS_COMPARED = 8  # whose scores must be the product of their vectors with those of the items


class Ridge(NamedTuple):
    """How far a new user's vector may go from the mean user's.

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

    Examples
    --------
    >>> Ridge(reg=3.0)
    Ridge(lift=3.0, reg=3.0, unobserved_weight=0.0)
    """

    lift: float = 3.0
    reg: float = 10.0
    unobserved_weight: float = 0.0


class Start(NamedTuple):
    """Where a new user's vector starts, and the quadratic that moves it for their positives.

    The step d minimizes d . shared d + the sum over positives of (d . item) ** 2 - 2 * lift *
    (d . item) + reg * (squared length of d). So it is one matrix, the same for all positives,
    times the sum of their vectors: each has a part of its own.

    Attributes
    ----------
    mean : Tensor of float, shape (d,)
    vectors : Tensor of float, shape (n_items, d)
    free : Tensor of bool, shape (d,)
        Columns that the step may change.
    shared : Tensor of float64, shape (n_free, n_free)
        What all items say.
    ridge : Ridge
    y_range : (float, float) or None
    trained_items : Tensor of bool, shape (n_items,)
    """

    mean: Tensor
    vectors: Tensor
    free: Tensor
    shared: Tensor
    ridge: Ridge
    y_range: YRange | None
    trained_items: Tensor

    def parts(self, item_idx: int, interactions: Interactions) -> Tensor:
        """Part of each positive of row 0 in the score of an item, shape (n_positives,)."""
        positives = torch.from_numpy(interactions.items_of(0).astype(np.int64))
        own = self.vectors[positives.to(self.vectors.device)][:, self.free].double()
        left = self.shared + own.T @ own  # (n_free, n_free)
        left.diagonal().add_(self.ridge.reg)
        steps = self.ridge.lift * torch.linalg.solve(left, own.T).T  # (n_positives, n_free)
        parts: Tensor = steps @ self.vectors[item_idx, self.free].double()
        return parts

    def folded(self, interactions: Interactions) -> FoldedVectors:
        """Recommender of new users: the mean vector, and a step for all positives of each."""
        items = self.vectors[:, self.free].double()
        padded = torch.cat([items, items.new_zeros(1, items.shape[1])])  # last row: no positive
        users = self.mean.repeat(interactions.n_users, 1)
        blocks = padded_blocks(
            interactions.indptr,
            interactions.indices,
            n_columns=interactions.n_items,
            n_factors=items.shape[1],
        )
        for rows, columns in blocks:
            own = padded[columns.to(padded.device)]  # (rows, most, n_free)
            left = self.shared + own.mT @ own
            left.diagonal(dim1=1, dim2=2).add_(self.ridge.reg)
            step = torch.linalg.solve(left, self.ridge.lift * own.sum(dim=1))  # (rows, n_free)
            users[rows.to(users.device).unsqueeze(1), self.free.nonzero().T] += step.to(users)
        return FoldedVectors(
            users, self.vectors, y_range=self.y_range, trained_items=self.trained_items
        )


@torch.no_grad()
def ridge_start(model: Recommender, ridge: Ridge, interactions: Interactions) -> Start:
    """What ``ridge`` solves for a model whose scores are products of vectors.

    A column that all users share, such as the one before a bias, stays; so does one that all
    items share, which ranks nothing. The mean is that of the users trained on.

    Parameters
    ----------
    model : Recommender
        With ``user_vectors``, ``item_vectors``, ``n_users`` and ``n_items``.
    ridge : Ridge
    interactions : Interactions
        Of new users, with the items of training.

    Returns
    -------
    Start

    Raises
    ------
    ValueError
        If the model lacks one of these, was trained on other items, scores something else than
        the products of its vectors, or a number of ``ridge`` is out of its range.
    """
    _check_ridge(ridge)
    if not isinstance(model, HasVectors) or not isinstance(model, HasSizes):
        raise ValueError(
            f"{type(model).__name__} cannot fold in new users: it needs either fold_in, or "
            "user_vectors, item_vectors, n_users and n_items"
        )
    require_same_items(model, interactions.n_items, interactions.items)
    n_users, n_items = model.n_users, interactions.n_items
    scores = scores_of(model, torch.arange(min(n_users, USERS_COMPARED)), n_items=n_items)
    with evaluation_mode(model):
        users = model.user_vectors(torch.arange(n_users, device=scores.device))
        vectors = model.item_vectors(torch.arange(n_items, device=scores.device))
    y_range = model.y_range if isinstance(model, HasRange) else None
    _check_product(in_range(users[: len(scores)] @ vectors.T, y_range), scores, model)
    trained_users, trained_items = trained_rows(model, n_users=n_users, n_items=n_items)
    free = _varies(users) & _varies(vectors)
    own = vectors[:, free].double()
    return Start(
        mean=users[trained_users.to(users.device)].mean(dim=0),
        vectors=vectors,
        free=free,
        shared=ridge.unobserved_weight * own.T @ own,
        ridge=ridge,
        y_range=y_range,
        trained_items=trained_items,
    )


def _varies(vectors: Tensor) -> Tensor:
    return (vectors != vectors[0]).any(dim=0)


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
            "item_vectors: a vector of a new user cannot be solved for"
        )
