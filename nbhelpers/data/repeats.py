"""Pairs in order, and what it means that a pair comes more than once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbhelpers.core.csr import Ints, sort_with_order

Weights = NDArray[np.float32]
# What each choice does to the rows of one pair, in the words of the line that is printed.
REPEATS = {
    "refuse": "",
    "last": "the last row of each pair is kept",
    "first": "the first row of each pair is kept",
    "sum": "the weights of each pair are added up",
    "count": "the weight of a pair is its number of rows",
    "max": "the highest weight of each pair is kept",
}


class Pairs(NamedTuple):
    """Numbers of pairs (see ``pair_keys``) with what belongs to each, aligned."""

    keys: Ints
    weights: Weights | None
    timestamps: Ints | None

    def at(self, positions: Ints, *, keys: Ints) -> Pairs:
        """Some of the pairs, whose numbers are ``keys``."""
        weights, timestamps = self.weights, self.timestamps
        return Pairs(
            keys,
            None if weights is None else weights[positions],
            None if timestamps is None else timestamps[positions],
        )


def check_repeats(repeats: str, *, weighted: bool) -> None:
    """Refuse a choice that does not exist, or that does not go with the weights.

    Parameters
    ----------
    repeats : str
    weighted : bool
        Whether there are weights.

    Raises
    ------
    ValueError
    """
    if repeats not in REPEATS:
        raise ValueError(f"repeats must be one of {list(REPEATS)}, got {repeats!r}")
    if repeats in ("sum", "max") and not weighted:
        raise ValueError(
            f"repeats={repeats!r} needs weights: name them, or count rows with repeats='count'"
        )
    if repeats == "count" and weighted:
        raise ValueError("repeats='count' makes its own weights: leave weights out")


def sorted_pairs(pairs: Pairs) -> Pairs:
    """Pairs by number; rows of one pair keep their order.

    Parameters
    ----------
    pairs : Pairs

    Returns
    -------
    Pairs
    """
    if pairs.weights is None and pairs.timestamps is None:
        return Pairs(np.sort(pairs.keys), None, None)
    keys, order = sort_with_order(pairs.keys)
    return pairs.at(order, keys=keys)


def without_repeats(pairs: Pairs, *, n_columns: int, repeats: str) -> Pairs:
    """One row for each pair; says in one line what became of the others.

    Parameters
    ----------
    pairs : Pairs
        In the order of ``sorted_pairs``.
    n_columns : int
        Of the matrix, for the message.
    repeats : {"refuse", "last", "first", "sum", "count", "max"}
        See ``Interactions``.

    Returns
    -------
    Pairs

    Raises
    ------
    ValueError
        If a pair comes twice and that is to be refused, or a sum is too large for a float32.
    """
    repeated = pairs.keys[1:] == pairs.keys[:-1]
    n_repeated = int(np.count_nonzero(repeated))
    if n_repeated and repeats == "refuse":
        raise ValueError(_refusal(pairs.keys, repeated, n_columns))
    if n_repeated:
        n_rows, starts = len(pairs.keys), np.flatnonzero(np.concatenate([[True], ~repeated]))
        print(f"{repeat_a_pair(n_repeated, n_rows)}: {REPEATS[repeats]}")
        return _merged(pairs, starts, repeats)
    if repeats == "count":
        return pairs._replace(weights=np.ones(len(pairs.keys), dtype=np.float32))
    return pairs


def repeat_a_pair(n_repeated: int, n_rows: int) -> str:
    """How many rows repeat a pair, in words.

    Parameters
    ----------
    n_repeated, n_rows : int

    Returns
    -------
    str

    Examples
    --------
    >>> repeat_a_pair(1, 4), repeat_a_pair(2, 4)
    ('1 of 4 rows repeats a pair', '2 of 4 rows repeat a pair')
    """
    verb = "repeats" if n_repeated == 1 else "repeat"
    return f"{n_repeated:,} of {n_rows:,} rows {verb} a pair"


def _merged(pairs: Pairs, starts: Ints, repeats: str) -> Pairs:
    """One row for each group of equal keys, which begin at ``starts``."""
    if repeats in ("first", "last"):
        return _chosen(pairs, starts, repeats)
    timestamps = pairs.timestamps
    return Pairs(
        pairs.keys[starts],
        _merged_weights(pairs.weights, starts, repeats, n_rows=len(pairs.keys)),
        None if timestamps is None else np.maximum.reduceat(timestamps, starts),
    )


def _chosen(pairs: Pairs, starts: Ints, repeats: str) -> Pairs:
    """The first or the last row of each group: by time where there is one, else by row."""
    ends = np.append(starts[1:], len(pairs.keys)) - 1
    chosen = starts if repeats == "first" else ends
    if pairs.timestamps is not None:
        by_time = np.lexsort((pairs.timestamps, pairs.keys))  # stable: ties keep their order
        chosen = by_time[chosen]
    return pairs.at(chosen, keys=pairs.keys[starts])


def _merged_weights(weights: Weights | None, starts: Ints, repeats: str, *, n_rows: int) -> Weights:
    if weights is None:  # the choice is "count"
        return np.diff(starts, append=n_rows).astype(np.float32)
    if repeats == "max":
        highest: Weights = np.maximum.reduceat(weights, starts)
        return highest
    sums = np.add.reduceat(weights, starts, dtype=np.float64)
    if sums.max() > np.finfo(np.float32).max:
        raise ValueError(f"the sum of weights must fit a float32, got {sums.max():g}: scale them")
    return sums.astype(np.float32)


def _refusal(keys: Ints, repeated: NDArray[np.bool_], n_columns: int) -> str:
    user, item = divmod(int(keys[1:][repeated][0]), n_columns)
    return (
        f"{int(repeated.sum()):,} of {len(keys):,} pairs repeat another one, e.g. user_idx {user} "
        f"with item_idx {item}: say what that means with repeats='last', 'first', 'sum', 'count' "
        f"or 'max', or drop them first, frame.drop_duplicates(['user_id', 'item_id'])"
    )
