"""The contract of a recommender, and the one door through which its scores leave, checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn


class Positives(Protocol):
    """Sparse rows of positives, as ``Interactions`` are: what core and models need to know."""

    @property
    def n_users(self) -> int:
        """Rows."""

    @property
    def n_items(self) -> int:
        """Columns."""

    @property
    def indptr(self) -> NDArray[np.int64]:
        """Where each row starts in ``indices``, shape (n_users + 1,)."""

    @property
    def indices(self) -> NDArray[Any]:
        """Items of all rows, ascending within a row, shape (n_positives,)."""

    @property
    def user_counts(self) -> NDArray[np.int64]:
        """Positives of each row, shape (n_users,)."""

    def to_scipy(self) -> csr_matrix:
        """The rows as a matrix of ones."""


class Recommender(Protocol):
    """Whatever scores all items for users."""

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), higher is better."""
        ...


@runtime_checkable
class FoldsIn(Recommender, Protocol):
    """A model that takes in users it was not trained on, from their positives, without training."""

    def fold_in(self, interactions: Positives) -> Recommender:
        """Recommender whose user k is row k of ``interactions``."""
        ...


@runtime_checkable
class Explains(Recommender, Protocol):
    """A model whose score of an item is a sum over the user's positives."""

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Part of each positive of row 0 in the score of an item, shape (n_positives,)."""
        ...


@runtime_checkable
class HasVectors(Recommender, Protocol):
    """A model whose scores rank items as the products of a user's and the items' vectors do."""

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Vectors of users, shape (batch, d)."""
        ...

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Vectors of items, shape (batch, d)."""
        ...


@torch.no_grad()
def scores_of(model: Recommender, user_idx: Tensor, *, n_items: int) -> Tensor:
    """Scores of some users, by a model in evaluation mode and without gradient.

    Parameters
    ----------
    model : Recommender
        Each part of a module gets its own mode back. A column more than there are items, as
        models with an unknown row have it, is cut.
    user_idx : Tensor of int, shape (batch,)
    n_items : int

    Returns
    -------
    Tensor, shape (batch, n_items)
        On the device of the model.

    Raises
    ------
    ValueError
        If the scores are not finite, or not one for each item.
    """
    with evaluation_mode(model):
        scores = model.score_users(user_idx.to(device_of(model)))
    return _checked(scores, user_idx, n_items)


def score_blocks(
    model: Recommender, user_idx: Tensor, *, n_items: int, chunk_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores of many users, block by block, so that memory stays bounded.

    Parameters
    ----------
    model : Recommender
    user_idx : Tensor of int, shape (n,)
    n_items : int
    chunk_size : int
        As many users make a block as fit, and at least one.

    Yields
    ------
    user_idx : Tensor of int, shape (batch,)
    scores : Tensor, shape (batch, n_items)
        See ``scores_of``.

    Raises
    ------
    ValueError
        If ``chunk_size`` is below 1, or ``scores_of`` refuses.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
    for block in user_idx.split(max(1, chunk_size // n_items)):
        yield block, scores_of(model, block, n_items=n_items)


@contextmanager
def evaluation_mode(model: object) -> Iterator[None]:
    """Put a module into evaluation mode for a while; each part then gets its own mode back.

    Parameters
    ----------
    model : object
        What is no module is left alone.
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def device_of(model: object) -> torch.device:
    """Where a model computes: the device of its first tensor, or the one that it names itself."""
    if isinstance(model, nn.Module):
        for tensor in chain(model.parameters(), model.buffers()):
            return tensor.device
    return torch.device(getattr(model, "device", "cpu"))


def _checked(scores: Tensor, users: Tensor, n_items: int) -> Tensor:
    if scores.dim() != 2 or len(scores) != len(users) or not 0 <= scores.shape[1] - n_items <= 1:
        raise ValueError(
            f"score_users must give ({len(users)}, {n_items}), or one column more for the "
            f"unknown item, got shape {tuple(scores.shape)}"
        )
    scores = scores[:, :n_items]
    if scores.sum().isfinite():  # cheap, and then every score is
        return scores
    wrong = ~scores.isfinite()
    if wrong.any():
        by_user = wrong.sum(dim=1).cpu()
        raise ValueError(
            f"{int(by_user.sum()):,} scores are NaN or infinite, of {int((by_user > 0).sum()):,} "
            f"users, e.g. user_idx {int(users[by_user.argmax()])}"
        )
    return scores
