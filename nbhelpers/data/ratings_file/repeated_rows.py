"""Rows with the same user and item: counted, kept, or merged as the caller said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.refusals import InvalidRatingsError

PAIR = ["user_id", "item_id"]
COLUMN_ORDER = [*PAIR, "rating", "weight", "timestamp", "event"]
REPEATS_SAID = {
    "last": "the last row of each pair is kept",
    "first": "the first row of each pair is kept",
    "sum": "the weights of each pair are added up",
    "count": "the weight of a pair is its number of rows",
    "max": "the highest value of each pair is kept",
}


def count_repeats(frame: pd.DataFrame) -> tuple[int, int, int]:
    """Numbers of users, of items, and of rows that repeat an earlier pair.

    Parameters
    ----------
    frame : DataFrame
        With ``user_id`` and ``item_id``.

    Returns
    -------
    n_users, n_items, n_repeated : int
    """
    items, n_items = _numbered(frame["item_id"])
    keys, n_users = _numbered(frame["user_id"])
    keys = keys * (int(items.max(initial=0)) + 1)
    keys += items
    del items
    keys.sort()
    return n_users, n_items, int(np.count_nonzero(keys[1:] == keys[:-1]))


def _numbered(ids: pd.Series[Any]) -> tuple[NDArray[np.int64], int]:
    """A small whole number for each id, and how many different ones there are."""
    if len(ids) and ids.dtype == np.int64:
        lowest, highest = int(ids.min()), int(ids.max())
        if highest - lowest < 4 * len(ids):
            codes = ids.to_numpy() - lowest
            return codes, int(np.count_nonzero(np.bincount(codes)))
    codes, different = pd.factorize(ids)
    return codes.astype(np.int64), len(different)


def merge_repeats(frame: pd.DataFrame, repeats: str) -> pd.DataFrame:
    """One row for each pair, in the order of their first rows.

    Parameters
    ----------
    frame : DataFrame
    repeats : {"last", "first", "sum", "count", "max"}
        "last" and "first" go by time where there is one, else by row.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidRatingsError
        If there is nothing to add up or to compare, or counting would lose values.
    """
    has_rating, has_weight = "rating" in frame, "weight" in frame
    if repeats == "sum" and not has_weight:
        raise InvalidRatingsError(
            "repeats='sum' adds up weights, and there are none: name them, weight=... "
            "(--weight NAME), or count rows with repeats='count' (--repeats count)"
        )
    if repeats == "max" and not (has_rating or has_weight):
        raise InvalidRatingsError(
            "repeats='max' needs ratings or weights: count rows with 'count' (--repeats count)"
        )
    if repeats == "count" and (has_rating or has_weight):
        name = "rating" if has_rating else "weight"
        raise InvalidRatingsError(
            f"repeats='count' makes weights of its own: leave the other out, {name}=False "
            f"(--{name} -)"
        )
    if repeats in ("last", "first"):
        return _one_of_each(frame, repeats)
    rest = {name: "last" for name in frame.columns if name not in PAIR}
    if repeats == "count":
        frame, rest = frame.assign(weight=1.0), {**rest, "weight": "sum"}
    for name in ("weight", "rating") if repeats == "max" else ("weight",):
        if name in frame:
            rest[name] = "max" if repeats == "max" else "sum"
    if "timestamp" in frame:
        rest["timestamp"] = "max"
    merged: pd.DataFrame = frame.groupby(PAIR, sort=False, as_index=False).agg(rest)
    order = [name for name in COLUMN_ORDER if name in merged]
    return merged[order]


def _one_of_each(frame: pd.DataFrame, repeats: Any) -> pd.DataFrame:
    ordered = frame.sort_values("timestamp", kind="stable") if "timestamp" in frame else frame
    kept = ordered.drop_duplicates(PAIR, keep=repeats).sort_index()
    return kept.reset_index(drop=True)
