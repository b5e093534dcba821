"""Scores of many users, some at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

from nbhelpers.data.interactions import Interactions


class Scorer(Protocol):
    """Any recommender."""

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Scores of shape (batch, n_items), higher is better."""
        ...


def score_blocks(
    model: Scorer, held_out: Interactions, *, scores_at_once: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Users with a held-out positive and their scores, block by block.

    Parameters
    ----------
    model : object with ``score_users``
        Its scores may have one column more than the catalog, for the unknown item: it is cut.
    held_out : Interactions
    scores_at_once : int
        As many users make a block as fit, and at least one.

    Yields
    ------
    user_idx : Tensor of int64, shape (batch,), on the CPU
    scores : Tensor, shape (batch, n_items), on the device of the model

    Raises
    ------
    ValueError
        If nobody has a held-out positive, or scores are not finite or of another shape.
    """
    if scores_at_once < 1:
        raise ValueError(f"scores_at_once must be at least 1, got {scores_at_once}")
    refuse_empty(held_out)
    device = _device(model)
    users = torch.from_numpy(held_out.user_counts.nonzero()[0])
    for block in users.split(max(1, scores_at_once // held_out.n_items)):
        yield block, _checked(model.score_users(block.to(device)), block, held_out.n_items)


@contextmanager
def evaluation_mode(model: object) -> Iterator[None]:
    """Put a module into evaluation mode for a while; each part then gets its own mode back.

    Parameters
    ----------
    model : object
        What is no module is left alone.
    """
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def refuse_empty(held_out: Interactions) -> None:
    """Raise a ValueError if nobody has a held-out positive."""
    if not len(held_out):
        raise ValueError("nobody has a held-out positive: there is nothing to rank")


def _device(model: Scorer) -> torch.device:
    """Where the model computes: that of its first parameter, or what it says itself."""
    if isinstance(model, torch.nn.Module):
        for parameter in model.parameters():
            return parameter.device
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
