"""The contract of a recommender, and the one door through which its scores leave, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from nbhelpers.core.checks import require_one

CHUNK_SIZE = 2**24  # scores held at a time: 64 MiB of float32


class Ids(Protocol):
    """A vocabulary of ids, which a short text tells from others."""

    @property
    def fingerprint(self) -> str:
        """The same for the same ids in the same order, and for no others."""


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

    @property
    def item_counts(self) -> NDArray[np.int64]:
        """Positives of each column, shape (n_items,)."""

    @property
    def users(self) -> Ids | None:
        """Ids of the rows, if they are known."""

    @property
    def items(self) -> Ids | None:
        """Ids of the columns, if they are known."""

    def to_scipy(self) -> csr_matrix:
        """The rows as a matrix of ones."""

    def weighted_scipy(self) -> csr_matrix:
        """The rows as a matrix of float32 weights, ones where there are none."""


class Recommender(Protocol):
    """Whatever scores all items for users."""

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), higher is better."""
        ...


# What a model can do besides scoring, and what it says about itself. A model has a capability by
# having the method or attribute; evaluation and serving ask isinstance(model, FoldsIn) and the
# like, and never for a class of models.


@runtime_checkable
class FoldsIn(Recommender, Protocol):
    """A model that takes in users it was not trained on, from their positives, without training."""

    def fold_in(self, interactions: Positives) -> Recommender:
        """Recommender whose user k is row k of ``interactions``."""
        ...


@runtime_checkable
class Explains(Recommender, Protocol):
    """A model whose score of an item, as ``fold_in`` gives it, is a sum over the positives."""

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


@runtime_checkable
class HasSizes(Recommender, Protocol):
    """A model that says how many users and items it scores; rating models count unknown rows."""

    @property
    def n_users(self) -> int:
        """Users."""

    @property
    def n_items(self) -> int:
        """Items."""


@runtime_checkable
class HasRange(Recommender, Protocol):
    """A model that may bound its scores; before that they are the products of its vectors."""

    @property
    def y_range(self) -> tuple[float, float] | None:
        """Open interval of the scores, or None."""


@runtime_checkable
class HasDevice(Recommender, Protocol):
    """A model that is no module and says where it computes."""

    @property
    def device(self) -> torch.device:
        """Where ``score_users`` wants its indices."""


@runtime_checkable
class KnowsTraining(Recommender, Protocol):
    """A model that says whom and what it was trained on: whose rows mean something.

    A user is *hot* where ``trained_users`` is True. Others are *warm* if the caller knows
    positives (``fold_in``) or features of theirs, and *cold* if nothing is known. The same holds
    for items. A model that does not say so is taken at its word: every row is served.
    """

    @property
    def trained_users(self) -> Tensor:
        """Tensor of bool, shape (n_users,)."""

    @property
    def trained_items(self) -> Tensor:
        """Tensor of bool, shape (n_items,)."""


@runtime_checkable
class KnowsIds(Recommender, Protocol):
    """A model that remembers which vocabularies it was trained with, if there were any."""

    @property
    def user_fingerprint(self) -> str | None:
        """``Vocabulary.fingerprint`` of the users."""

    @property
    def item_fingerprint(self) -> str | None:
        """``Vocabulary.fingerprint`` of the items."""


@runtime_checkable
class Storable(Protocol):
    """A model that its settings build anew, so that ``save_model`` can store it.

    It has ``n_users`` and ``n_items`` besides: of rating models the rows of its tables, the
    unknown rows included. What it learned goes with it if it has ``state_dict`` and
    ``load_state_dict`` (``HasState``); a model that only puts others together needs neither.
    """

    def settings(self) -> dict[str, Any]:
        """Every argument of the constructor by name."""
        ...


@runtime_checkable
class HasState(Protocol):
    """A model whose learned numbers come and go as tensors, as those of ``nn.Module`` do."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Everything learned, by name."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> object:
        """Take what another model of the same settings learned."""
        ...


@torch.no_grad()
def scores_of(model: Recommender, user_idx: Tensor, *, n_items: int) -> Tensor:
    """Scores of some users, by a model in evaluation mode and without gradient.

    Parameters
    ----------
    model : Recommender
        Indices go to its device; each part of a module gets its own mode back. A column more
        than there are items, as models with an unknown row have it, is cut. Scores that come as
        an array, as lists or as integers are converted.
    user_idx : Tensor of int, shape (batch,)
    n_items : int

    Returns
    -------
    Tensor of float32 or float64, shape (batch, n_items)
        On the device where the model puts them.

    Raises
    ------
    ValueError
        If the scores are no numbers, not finite, or not one for each item.
    """
    with evaluation_mode(model):
        scores = model.score_users(user_idx.to(device_of(model)))
    return _checked(_floats(scores, model), user_idx, n_items)


def score_blocks(
    model: Recommender, user_idx: Tensor, *, n_items: int, chunk_size: int = CHUNK_SIZE
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
    require_one(chunk_size=chunk_size)
    for block in user_idx.split(max(1, chunk_size // n_items)) if len(user_idx) else ():
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
    """Where a model computes: that of its first tensor, or what it says itself, or the CPU."""
    if isinstance(model, nn.Module):
        for tensor in chain(model.parameters(), model.buffers()):
            return tensor.device
    return torch.device(model.device) if isinstance(model, HasDevice) else torch.device("cpu")


def _floats(scores: Any, model: object) -> Tensor:
    """Scores as a dense tensor of float32 or float64."""
    try:
        table = scores if isinstance(scores, Tensor) else torch.from_numpy(np.array(scores))
    except (TypeError, ValueError) as error:
        raise _no_scores(type(scores).__name__, model) from error
    if table.layout != torch.strided or table.is_complex():
        raise _no_scores(f"a tensor of {table.dtype}, {table.layout}", model)
    if table.dtype in (torch.float32, torch.float64):
        return table
    return table.float() if table.is_floating_point() else table.double()


def _no_scores(got: str, model: object) -> ValueError:
    return ValueError(
        f"score_users of {type(model).__name__} must give a dense Tensor of float, shape "
        f"(batch, n_items), got {got}"
    )


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
