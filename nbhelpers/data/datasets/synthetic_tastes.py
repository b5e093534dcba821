"""Synthetic likes of users with tastes, in a catalog of any size: a log to learn vectors from."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nbhelpers.core.checks import require_one
from nbhelpers.data.interactions import Interactions

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

N_FAVORITES = 4  # groups that a user likes
# Weight of rank r is (r + shift) ** -exponent.
USER_TAIL, ITEM_TAIL = (100, 0.5), (20, 1.0)


def make_likes(
    n_users: int,
    n_items: int,
    n_draws: int,
    *,
    n_groups: int = 100,
    loyalty: float = 0.8,
    rng: int | Generator,
) -> Interactions:
    """Likes with power-law counts on both sides, most of them from a user's favorite groups.

    Every item belongs to a group, and every user draws four favorite groups, which may coincide.
    A like is for an item of a favorite group, with probability ``loyalty``, else for any item;
    within what is left, popular items are liked more often.

    Parameters
    ----------
    n_users, n_items, n_draws : int
        A pair that is drawn again counts once, so that there are fewer likes than draws; users
        and items without a like occur.
    n_groups : int
        At most ``n_items``. Item k is in group ``k * n_groups // n_items``.
    loyalty : float
        Between 0, no tastes at all, and 1.
    rng : int or numpy Generator

    Returns
    -------
    Interactions

    Raises
    ------
    ValueError
        If a count is below 1, there are more groups than items, or ``loyalty`` is out of range.

    Examples
    --------
    >>> make_likes(20, 100, 300, n_groups=10, rng=0).n_items
    100
    """
    require_one(n_users=n_users, n_items=n_items, n_draws=n_draws, n_groups=n_groups)
    if n_groups > n_items or not 0 <= loyalty <= 1:
        raise ValueError(
            f"at most one group an item and a loyalty within 0 and 1 are required, got "
            f"{n_groups} groups of {n_items} items and {loyalty}"
        )
    rng = np.random.default_rng(rng)
    item_steps = np.append(0.0, rng.permutation(_weights(n_items, ITEM_TAIL)).cumsum())
    user_steps = np.append(0.0, _weights(n_users, USER_TAIL).cumsum())
    users = _drawn(user_steps, np.zeros(n_draws), np.full(n_draws, user_steps[-1]), rng)
    favorites = rng.integers(n_groups, size=(n_users, N_FAVORITES))
    group = favorites[users, rng.integers(N_FAVORITES, size=n_draws)]
    loyal = rng.random(n_draws) < loyalty
    edges = item_steps[-(-np.arange(n_groups + 1) * n_items // n_groups)]
    low, high = np.where(loyal, edges[group], 0.0), np.where(loyal, edges[group + 1], edges[-1])
    items = _drawn(item_steps, low, high, rng)
    keys = np.sort(users * n_items + items)
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return Interactions(keys // n_items, keys % n_items, n_users=n_users, n_items=n_items)


def _weights(count: int, tail: tuple[float, float]) -> Floats:
    shift, exponent = tail
    return np.asarray((np.arange(1, count + 1) + shift) ** -exponent, dtype=np.float64)


def _drawn(steps: Floats, low: Floats, high: Floats, rng: Generator) -> Indices:
    """Positions drawn by weight among those whose steps lie between two bounds."""
    at = low + rng.random(len(low)) * (high - low)
    positions: Indices = np.searchsorted(steps, at, side="right") - 1
    return np.minimum(positions, len(steps) - 2)
