"""What a frame must be like to be split, checked once for every split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbhelpers.core.checks import checked_timestamps
from nbhelpers.core.csr import Ints, pair_keys, sort_with_order
from nbhelpers.data.raw_ids import checked_ids


class Pairs:
    """The pairs of a frame: complete, of one type of ids each, and none of them twice.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``.

    Attributes
    ----------
    codes : dict of str to ndarray of int64, shape (n_rows,)
        ``user_id`` and ``item_id`` as 0, 1, 2, ... in the order of the ids.
    order : ndarray of int64, shape (n_rows,)
        Positions of the rows by user and then by item: the same for rows in any order.

    Raises
    ------
    ValueError
        If a column or an id is missing, ids are neither all whole numbers nor all text, or a pair
        comes twice.
    """

    def __init__(self, ratings: pd.DataFrame) -> None:
        require_columns(ratings, "user_id", "item_id")
        self.codes = {side: _codes(ratings[side]) for side in ("user_id", "item_id")}
        n_users, n_items = (int(codes.max(initial=-1)) + 1 for codes in self.codes.values())
        keys = pair_keys(*self.codes.values(), n_rows=n_users, n_columns=n_items)
        sorted_keys, self.order = sort_with_order(keys)
        _require_distinct(sorted_keys, self.order, ratings)


def times_of(ratings: pd.DataFrame) -> Ints:
    """The timestamps of a frame, whole numbers all of them.

    Parameters
    ----------
    ratings : DataFrame
        With ``timestamp``.

    Returns
    -------
    ndarray of int64, shape (n_rows,)

    Raises
    ------
    ValueError
        If the column is missing, or holds text, dates, a missing time or a fraction.
    """
    require_columns(ratings, "timestamp")
    return checked_timestamps(ratings["timestamp"], name="timestamp")


def require_columns(ratings: pd.DataFrame, *columns: str) -> None:
    """Refuse a frame that lacks one of the columns."""
    missing = [column for column in columns if column not in ratings.columns]
    if missing:
        raise ValueError(f"columns {missing} are required, got {list(ratings.columns)}")


def _codes(ids: pd.Series) -> Ints:
    """Integer codes in the sorted order of the ids."""
    return pd.factorize(checked_ids(ids), sort=True)[0].astype(np.int64)


def _require_distinct(sorted_keys: Ints, order: Ints, ratings: pd.DataFrame) -> None:
    repeated = np.flatnonzero(sorted_keys[1:] == sorted_keys[:-1])
    if len(repeated):
        row = order[repeated[0]]
        user, item = (ratings[side].iloc[row] for side in ("user_id", "item_id"))
        raise ValueError(
            f"{len(repeated):,} of {len(order):,} rows repeat a pair, e.g. user_id {user} with "
            f"item_id {item}, which could then be in two parts: keep one row of each first, for "
            f"example ratings.drop_duplicates(['user_id', 'item_id'], keep='last')"
        )
