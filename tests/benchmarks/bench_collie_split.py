"""A tenth of each user's positives held out: all users at once against a loop over them.

Other rows are drawn, but as many of each user, which a test holds.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from nbhelpers.data.splits import stratified_split
from tests.benchmarks.bench_collie import HELD_OUT, SEED, liked_rows
from tests.benchmarks.measure import Benchmark, Case

Parts = list[pd.DataFrame]


def benchmark() -> Benchmark:
    """Split of what users of the default data set liked."""
    liked = liked_rows()
    cases = [
        Case("stratified_split", lambda: partial(ours, liked)),
        Case("scikit-learn's split for each user", lambda: partial(users_split, liked), 0.0),
        Case("the same on frames, concatenated", lambda: partial(frames_split, liked), 0.0),
        Case("a permutation for each user", lambda: partial(users_permuted, liked), 0.0),
    ]
    n_users = liked["user_id"].nunique()
    title = f"Split: {HELD_OUT:.0%} of each of {n_users:,} users' rows, {len(liked):,} in all"
    return Benchmark(title, cases, "rows held out", lambda parts: float(len(parts[1])))


def ours(liked: pd.DataFrame) -> Parts:
    """All users at once."""
    return stratified_split(liked, valid_frac=HELD_OUT, rng=SEED)


def users_split(liked: pd.DataFrame) -> Parts:
    """For each user find the rows and have them split."""
    users = liked["user_id"].to_numpy()
    kept, held_out = [], []
    for user in np.unique(users):
        rows = np.flatnonzero(users == user)
        parts = split(rows)
        kept.append(parts[0])
        held_out.append(parts[1])
    return [liked.iloc[np.concatenate(part)] for part in (kept, held_out)]


def frames_split(liked: pd.DataFrame) -> Parts:
    """Have each user's frame split, and put the many frames together."""
    parts = [split(rows) for _, rows in liked.groupby("user_id")]
    return [pd.concat(part) for part in zip(*parts, strict=True)]


def split(rows: np.ndarray | pd.DataFrame) -> list:
    """The rows of a user in two parts; few rows stay together."""
    n_held_out = round(len(rows) * HELD_OUT)
    if not n_held_out:
        return [rows, rows[:0]]
    return train_test_split(rows, test_size=n_held_out, random_state=SEED)


def users_permuted(liked: pd.DataFrame) -> Parts:
    """The least that a loop can do: rows by one sort, for each user a permutation."""
    users = liked["user_id"].to_numpy()
    order = np.argsort(users, kind="stable")
    rng, is_held_out = np.random.default_rng(SEED), np.zeros(len(users), dtype=bool)
    for rows in np.split(order, np.flatnonzero(np.diff(users[order])) + 1):
        is_held_out[rng.permutation(rows)[: round(len(rows) * HELD_OUT)]] = True
    return [liked[~is_held_out], liked[is_held_out]]
