"""Synthetic pairs of any number, drawn frame by frame: memory holds one frame."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from nbhelpers.core.checks import require_one
from nbhelpers.data.datasets.synthetic import ITEM_TAIL, TIME_SPAN, TIME_START, USER_TAIL

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

ROWS_PER_USER = 50
ITEMS_PER_ROOT = 10  # items for each unit of the square root of the rows
MOST_DENSE = 0.5  # share of all pairs that a frame may hold: beyond it, new ones are rarely drawn


class StreamSizes(NamedTuple):
    """Users and items of a stream."""

    n_users: int
    n_items: int


def stream_sizes(n_rows: int) -> StreamSizes:
    """Users and items that a log of so many rows has: 50 rows a user, 10 * sqrt(rows) items.

    So users grow with the rows and a catalog more slowly, as the logs of one service do: 10^5 rows
    have 2,000 users and 3,162 items, 10^8 rows two million users and 100,000 items.

    Parameters
    ----------
    n_rows : int

    Returns
    -------
    StreamSizes

    Examples
    --------
    >>> stream_sizes(1_000_000)
    StreamSizes(n_users=20000, n_items=10000)
    """
    require_one(n_rows=n_rows)
    return StreamSizes(max(n_rows // ROWS_PER_USER, 1), ITEMS_PER_ROOT * isqrt(n_rows))


def stream_pairs(
    n_rows: int,
    *,
    n_users: int | None = None,
    n_items: int | None = None,
    rows_per_frame: int = 1_000_000,
    rng: int,
) -> Iterator[pd.DataFrame]:
    """Distinct pairs with power-law counts on both sides, in frames of which one is in memory.

    Each frame has users of its own, whose rows come in random order: so no pair comes twice,
    whatever the number of frames. Items and their popularity are the same in all frames. Every
    user has a row; a rare item may have none.

    Parameters
    ----------
    n_rows : int
        Rows in all.
    n_users, n_items : int, optional
        Left out, those of ``stream_sizes``.
    rows_per_frame : int
        Rows of a frame; the last one may be smaller.
    rng : int
        The seed. Each frame is drawn by a generator of its own.

    Yields
    ------
    DataFrame
        ``user_id`` and ``item_id`` from 1 on, ``timestamp`` within two years: all int64.

    Raises
    ------
    ValueError
        If a count is below 1, or users and items are too few for so many distinct pairs.

    Examples
    --------
    >>> frames = list(stream_pairs(1_000, n_items=200, rows_per_frame=400, rng=0))
    >>> [len(frame) for frame in frames], pd.concat(frames)["user_id"].nunique()
    ([400, 400, 200], 20)
    """
    sizes = stream_sizes(n_rows)
    n_users = sizes.n_users if n_users is None else n_users
    n_items = sizes.n_items if n_items is None else n_items
    require_one(n_users=n_users, n_items=n_items, rows_per_frame=rows_per_frame)
    starts = np.append(np.arange(0, n_rows, rows_per_frame), n_rows)
    bounds = n_users * starts // n_rows  # users of a frame, in proportion to its rows
    _check_density(np.diff(starts), np.diff(bounds), n_items)
    seeds = np.random.SeedSequence(rng).spawn(len(starts))
    item_steps = np.random.default_rng(seeds[-1]).permutation(_weights(n_items, ITEM_TAIL)).cumsum()
    return (
        _frame(int(rows), slice(first, last), item_steps, np.random.default_rng(seed))
        for rows, first, last, seed in zip(
            np.diff(starts), bounds[:-1], bounds[1:], seeds[:-1], strict=True
        )
    )


def _frame(n_rows: int, users: slice, item_steps: Floats, rng: Generator) -> pd.DataFrame:
    n_items = len(item_steps)
    keys = _distinct_keys(n_rows, users.stop - users.start, item_steps, rng)
    return pd.DataFrame(
        {
            "user_id": keys // n_items + users.start + 1,
            "item_id": keys % n_items + 1,
            "timestamp": TIME_START + rng.integers(0, TIME_SPAN, n_rows),
        }
    )


def _distinct_keys(n_rows: int, n_users: int, item_steps: Floats, rng: Generator) -> Indices:
    """So many different ``user * n_items + item``, in random order; every user is among them."""
    n_items = len(item_steps)
    user_steps = rng.permutation(_weights(n_users, USER_TAIL)).cumsum()
    cover = np.arange(n_users) * n_items + _drawn(item_steps, n_users, rng)
    held = cover
    while len(held) < n_rows:
        n_drawn = int(1.2 * (n_rows - len(held))) + 100
        pairs = _drawn(user_steps, n_drawn, rng) * n_items + _drawn(item_steps, n_drawn, rng)
        held = _sorted_once(np.concatenate([held, pairs]))
    spare = np.flatnonzero(~np.isin(held, cover, assume_unique=True))
    dropped = rng.choice(spare, len(held) - n_rows, replace=False)
    keys: Indices = rng.permutation(np.delete(held, dropped))
    return keys


def _sorted_once(keys: Indices) -> Indices:
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) > 0]


def _drawn(steps: Floats, size: int, rng: Generator) -> Indices:
    """Positions drawn by weight, from the weights added up."""
    positions: Indices = np.searchsorted(steps, rng.random(size) * steps[-1], side="right")
    return positions


def _weights(count: int, tail: tuple[float, float]) -> Floats:
    shift, exponent = tail
    return np.asarray((np.arange(1, count + 1) + shift) ** -exponent, dtype=np.float64)


def _check_density(n_rows: Indices, n_users: Indices, n_items: int) -> None:
    room = n_users * n_items * MOST_DENSE
    if (n_rows < n_users).any() or (n_rows > room).any():
        frame = int(np.argmax((n_rows < n_users) | (n_rows > room)))
        raise ValueError(
            f"frame {frame + 1} has {n_rows[frame]:,} rows for {n_users[frame]:,} users and "
            f"{n_items:,} items: there must be a row for each user, and half of all pairs at most"
        )
