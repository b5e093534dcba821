"""Candidates for the sampled evaluation: a held-out item among items that the user never chose."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.csr import nth_absent
from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.negatives import either, uniform_shares


def evaluation_candidates(
    held_out: Interactions,
    *,
    seen: Interactions,
    n_negatives: int = 99,
    generator: torch.Generator,
) -> Tensor:
    """For each user with a held-out positive that item, then items that the user never chose.

    The negatives of a user are all different, each set of them equally likely; none is in
    ``seen`` or ``held_out``. Row r belongs to ``held_out.pairs()[0][r]``.

    Parameters
    ----------
    held_out : Interactions
        One positive for each user, or none: users without one get no row.
    seen : Interactions
        Every other positive, training and validation alike: ``train | valid``.
    n_negatives : int
    generator : torch.Generator

    Returns
    -------
    Tensor of int64, shape (n_users_with_a_positive, 1 + n_negatives)
        The positive is in column 0. On the device of the generator.

    Raises
    ------
    ValueError
        If no user or a user with several has held-out positives, one of them is also in ``seen``,
        or a user has fewer than ``n_negatives`` items left.

    Examples
    --------
    >>> seen = Interactions([0, 0, 1], [0, 1, 0], n_users=2, n_items=5)
    >>> held_out = Interactions([0, 1], [4, 2], n_users=2, n_items=5)
    >>> generator = torch.Generator().manual_seed(0)
    >>> candidates = evaluation_candidates(held_out, seen=seen, n_negatives=2, generator=generator)
    >>> candidates[:, 0].tolist(), candidates[0].sort().values.tolist()
    ([4, 2], [2, 3, 4])
    """
    if n_negatives < 1:
        raise ValueError(f"n_negatives must be at least 1, got {n_negatives}")
    chosen = either(seen, held_out)
    _require_one_each(held_out, n_together=len(chosen) - len(seen))
    user_idx, item_idx = held_out.pairs()
    rows = user_idx.numpy()
    n_free = chosen.n_items - chosen.user_counts[rows]
    _require_enough(rows, n_free, n_negatives)
    nth = _distinct_below(n_free, n_negatives, generator)
    negatives = [nth_absent(chosen.indptr, chosen.indices, rows, column) for column in nth]
    table = torch.from_numpy(np.stack([item_idx.numpy(), *negatives], axis=1))
    return table.to(generator.device)


def _distinct_below(
    bounds: NDArray[np.int64], n_drawn: int, generator: torch.Generator
) -> NDArray[np.int64]:
    """Different whole numbers from 0 to each bound - 1, shape (n_drawn, n_bounds).

    Floyd's method: the i-th of n numbers is drawn from 0 to bound - n + i; if it is already
    there, that upper end is taken, which cannot be there yet (Bentley 1987, More Programming
    Pearls, column 13).
    """
    drawn = np.empty((n_drawn, len(bounds)), dtype=np.int64)
    for i in range(n_drawn):
        last = bounds - n_drawn + i
        share = uniform_shares(bounds.shape, generator).cpu().numpy()
        number = (share * (last + 1)).astype(np.int64)
        drawn[i] = np.where((drawn[:i] == number).any(axis=0), last, number)
    return drawn


def _require_one_each(held_out: Interactions, *, n_together: int) -> None:
    if not len(held_out):
        raise ValueError("held_out has no positive: there is nothing to rank")
    several = np.flatnonzero(held_out.user_counts > 1)
    if several.size:
        raise ValueError(
            f"each user may have one held-out positive, but {several.size:,} have more, "
            f"e.g. user_idx {several[0]} has {held_out.user_counts[several[0]]}: "
            f"hold out one each (leave_last_out), or rank the full catalog"
        )
    n_seen = len(held_out) - n_together
    if n_seen:
        raise ValueError(
            f"{n_seen:,} held-out positives are also in seen: a positive to find again is no "
            f"test, pass disjoint parts of a split"
        )


def _require_enough(rows: NDArray[np.int64], n_free: NDArray[np.int64], n_negatives: int) -> None:
    short = np.flatnonzero(n_free < n_negatives)
    if short.size:
        raise ValueError(
            f"{n_negatives} negatives are required, but {short.size:,} users have fewer items "
            f"left, e.g. user_idx {rows[short[0]]} has {n_free[short[0]]}: ask for fewer"
        )
