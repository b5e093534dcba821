"""Which candidates of the sampled evaluation are ranked, and which are refused."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nbhelpers.data.interactions import Interactions


def repeated_candidates(
    held_out: Interactions, candidates: Tensor, *, repeats: str
) -> Tensor | None:
    """Where an item comes again in its row of candidates.

    Parameters
    ----------
    held_out : Interactions
    candidates : Tensor of int, shape (n_users with a positive, 1 + n_negatives)
    repeats : {"refuse", "ignore"}

    Returns
    -------
    Tensor of bool, of the shape of ``candidates``, or None
        None if no item comes again.

    Raises
    ------
    ValueError
        If the candidates do not fit ``held_out``, or an item comes again and is not ignored.
    """
    if repeats not in ("refuse", "ignore"):
        raise ValueError(f"repeats must be 'refuse' or 'ignore', got {repeats!r}")
    _, positive = held_out.pairs()
    if held_out.user_counts.max(initial=0) > 1:
        many = int((held_out.user_counts > 1).sum())
        raise ValueError(f"{many:,} users have several held-out positives: hold out one each")
    if candidates.dim() != 2 or len(candidates) != len(positive) or candidates.shape[1] < 2:
        raise ValueError(
            f"candidates must be ({len(positive)}, 1 + n_negatives), a row for each user with a "
            f"positive, got shape {tuple(candidates.shape)}"
        )
    items = np.sort(candidates.cpu().numpy(), axis=1)
    if items[:, 0].min() < 0 or items[:, -1].max() >= held_out.n_items:
        raise ValueError(f"candidates must lie in 0 to {held_out.n_items - 1}")
    n_others = int((candidates[:, 0].cpu() != positive).sum())
    if n_others:
        raise ValueError(f"{n_others:,} rows do not start with the user's held-out positive")
    n_repeated = int((items[:, 1:] == items[:, :-1]).any(axis=1).sum())
    if n_repeated and repeats == "refuse":
        raise ValueError(
            f"{n_repeated:,} rows hold an item twice: draw without replacement, or rank each item "
            f"once with repeats='ignore'"
        )
    return _come_before(candidates) if n_repeated else None


def _come_before(candidates: Tensor) -> Tensor:
    """True where an item of a row has come before in the row."""
    items, order = candidates.sort(dim=1, stable=True)
    again = torch.zeros_like(items, dtype=torch.bool)
    again[:, 1:] = items[:, 1:] == items[:, :-1]
    return torch.zeros_like(again).scatter(1, order, again)
