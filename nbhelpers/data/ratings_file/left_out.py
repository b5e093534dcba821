"""Pairs of rows that were left out: nothing is learned from them, and they are had all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from nbhelpers.data.ratings_file.parsed import Mask

PAIR = ["user_id", "item_id"]


def left_out_rows(columns: Mapping[str, Any], at: Mask, *, timed: Mask) -> pd.DataFrame:
    """Users and items of some rows, with their times where these are known.

    Parameters
    ----------
    columns : mapping of str to ndarray or pyarrow array
        ``user_id``, ``item_id``, and perhaps ``timestamp``, of all rows.
    at : ndarray of bool, shape (n_rows,)
        Rows that were left out, and whose ids can be read.
    timed : ndarray of bool, shape (n_rows,)
        Where the time can be read.

    Returns
    -------
    DataFrame
        Each pair once, from its first row on. A row of an unknown time counts as old as the oldest
        row that has one: a mask may come early and never late.
    """
    names = [name for name in (*PAIR, "timestamp") if name in columns]
    rows = pd.DataFrame({name: taken(columns[name], at) for name in names})
    if "timestamp" in rows:
        times = np.asarray(columns["timestamp"])
        oldest = times[timed].min() if timed.any() else 0
        rows["timestamp"] = rows["timestamp"].where(timed[at], oldest).astype(np.int64)
        rows = rows.sort_values("timestamp", kind="stable")
    return rows.drop_duplicates(PAIR).sort_index().reset_index(drop=True)


def beside(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Those of some rows whose pair is not in a frame.

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": [1, 1], "item_id": [5, 6]})
    >>> beside(rows, pd.DataFrame({"user_id": [1, 2], "item_id": [5, 6]}))["item_id"].tolist()
    [6]
    """
    if rows.empty:
        return rows
    both = pd.concat([frame[PAIR], rows[PAIR]], ignore_index=True)
    again = both.duplicated(PAIR).to_numpy()[len(frame) :]
    return rows[~again].reset_index(drop=True)


def taken(column: Any, at: Mask) -> Any:
    """Some rows of a column, as pandas holds it."""
    if not at.all():
        column = column[at] if isinstance(column, np.ndarray) else column.filter(pa.array(at))
    return column if isinstance(column, np.ndarray) else column.to_pandas()
