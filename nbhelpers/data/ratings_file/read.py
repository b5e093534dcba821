"""Your own ratings table, checked row by row before anything is built on it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from nbhelpers.data.ratings_file.columns import (
    InvalidRatingsError,
    parse_ids,
    parse_stars,
    parse_times,
)
from nbhelpers.data.ratings_file.formats import read_table

# Other spellings, in lower case, that are accepted and printed.
KNOWN_SPELLINGS = {
    "user_id": ("user_id", "userid", "user"),
    "item_id": ("item_id", "itemid", "item", "movie_id", "movieid", "movie"),
    "rating": ("rating",),
    "timestamp": ("timestamp",),
}
REQUIRED = ("user_id", "item_id")


class ColumnChoice(NamedTuple):
    """Which of a table's columns are read, under which name, and which are left out."""

    positions: dict[str, int]
    renamed: dict[str, str]
    dropped: list[str]

    def remark(self) -> str:
        """What the reader should know about names, in words; empty where nothing changed."""
        parts = [f"{theirs} read as {ours}" for theirs, ours in self.renamed.items()]
        if self.dropped:
            parts.append(f"left out: {_some(self.dropped)}")
        return ", ".join(parts)


def read_ratings(
    path: str | Path,
    *,
    rating_range: tuple[float, float] | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    r"""Ratings from your own CSV, TSV or Parquet file, checked, announced in one printed line.

    Parameters
    ----------
    path : str or Path
        A file with columns ``user_id`` and ``item_id``, and where known ``rating`` and
        ``timestamp``. The delimiter (comma, semicolon, tab or ``|``) is found from the header.
    rating_range : tuple of two floats, optional
        Lowest and highest rating allowed.
    encoding : str, default "utf-8"
        Encoding of a text file.

    Returns
    -------
    DataFrame
        ``user_id`` and ``item_id`` (int64 where every id is written as a plain whole number,
        else text), ``rating`` (float64) and ``timestamp`` (int64, Unix seconds, UTC) where the
        file has them; rows in the file's order.

    Raises
    ------
    InvalidRatingsError
        If the file cannot be read or a row cannot be used; rows are counted from 1 after the
        header.
    ValueError
        If ``rating_range`` does not rise.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.csv")
    ...     _ = path.write_text("userId;movie;rating\n7;12;4.5\n7;30;3\n9;12;5\n")
    ...     ratings = read_ratings(path, rating_range=(0.5, 5))
    mine.csv: 3 ratings by 2 users of 2 items (userId read as user_id, movie read as item_id)
    >>> ratings
       user_id  item_id  rating
    0        7       12     4.5
    1        7       30     3.0
    2        9       12     5.0
    """
    path = Path(path)
    low_to_high = _valid_range(rating_range)
    try:
        table = read_table(path, encoding)
        choice = choose_columns(table.column_names)
        frame = _to_frame(table, choice)
        ratings = _checked(frame, low_to_high)
    except InvalidRatingsError as error:
        raise InvalidRatingsError(f"{path.name}: {error}") from error.__cause__
    remark = f" ({choice.remark()})" if choice.remark() else ""
    print(f"{path.name}: {describe_counts(ratings)}{remark}")
    return ratings


def check_ratings(
    frame: pd.DataFrame, *, rating_range: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Ratings from your own frame, checked and brought to the fixed columns and types.

    Parameters
    ----------
    frame : DataFrame
        Columns as for :func:`read_ratings`; it is not changed.
    rating_range : tuple of two floats, optional
        Lowest and highest rating allowed.

    Returns
    -------
    DataFrame
        As from :func:`read_ratings`, with a fresh index. A line is printed only where a column
        was read under another name or left out.

    Raises
    ------
    InvalidRatingsError
        If a row cannot be used; rows are counted from 1.
    ValueError
        If ``rating_range`` does not rise.

    Examples
    --------
    >>> frame = pd.DataFrame({"user": ["ann", "bob"], "item_id": [5.0, 6.0], "note": ["x", "y"]})
    >>> check_ratings(frame)
    user read as user_id, left out: note
      user_id  item_id
    0     ann        5
    1     bob        6
    """
    low_to_high = _valid_range(rating_range)
    choice = choose_columns([str(label) for label in frame.columns])
    chosen = frame.iloc[:, list(choice.positions.values())]
    ratings = _checked(chosen.set_axis(list(choice.positions), axis=1), low_to_high)
    if choice.remark():
        print(choice.remark())
    return ratings


def describe_counts(ratings: pd.DataFrame) -> str:
    """Counts in words.

    Examples
    --------
    >>> describe_counts(pd.DataFrame({"user_id": [1, 1], "item_id": [4, 5], "rating": [3.0, 5.0]}))
    '2 ratings by 1 user of 2 items'
    """
    rows = "rating" if "rating" in ratings else "interaction"
    users, items = ratings["user_id"].nunique(), ratings["item_id"].nunique()
    return f"{_count(len(ratings), rows)} by {_count(users, 'user')} of {_count(items, 'item')}"


def choose_columns(names: Sequence[str]) -> ColumnChoice:
    """Find the fixed columns among ``names``, under their own or another well-known spelling.

    Parameters
    ----------
    names : sequence of str
        Column names of a table.

    Returns
    -------
    ColumnChoice
        Position of each fixed column that is there.

    Raises
    ------
    InvalidRatingsError
        If ``user_id`` or ``item_id`` is not there, or a column is there twice.
    """
    positions: dict[str, int] = {}
    for ours, spellings in KNOWN_SPELLINGS.items():
        found = [k for k, name in enumerate(names) if name == ours] or [
            k for k, name in enumerate(names) if name.strip().lower() in spellings
        ]
        if len(found) > 1:
            doubles = _some([names[k] for k in found])
            raise InvalidRatingsError(f"{len(found)} columns stand for {ours}, {doubles}: keep one")
        if found:
            positions[ours] = found[0]
    _require(positions, names)
    renamed = {names[k]: ours for ours, k in positions.items() if names[k] != ours}
    taken = set(positions.values())
    dropped = [name for k, name in enumerate(names) if k not in taken and name]
    return ColumnChoice(positions, renamed, dropped)


def _require(positions: dict[str, int], names: Sequence[str]) -> None:
    absent = [ours for ours in REQUIRED if ours not in positions]
    if not absent:
        return
    if names and all(re.fullmatch(r"[\d.\s:-]+", name) for name in names):
        raise InvalidRatingsError(
            f"no header, the first line is {_some(names)}: "
            "write user_id,item_id,rating,timestamp above it"
        )
    spare = [name for k, name in enumerate(names) if k not in positions.values()]
    example = spare[0] if spare else "yours"
    raise InvalidRatingsError(
        f"no column {absent[0]} among {_some(names)}: rename the one that holds it, "
        f'frame.rename(columns={{"{example}": "{absent[0]}"}}), and pass it to check_ratings'
    )


def _to_frame(table: Any, choice: ColumnChoice) -> pd.DataFrame:
    chosen = table.select(list(choice.positions.values())).rename_columns(list(choice.positions))
    try:
        frame: pd.DataFrame = chosen.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InvalidRatingsError("holds columns of a kind pandas cannot read") from error
    return frame


def _checked(frame: pd.DataFrame, rating_range: tuple[float, float] | None) -> pd.DataFrame:
    if frame.empty:
        raise InvalidRatingsError("no rows: at least one rating is needed")
    columns = {name: parse_ids(frame[name]) for name in REQUIRED}
    if "rating" in frame:
        columns["rating"] = parse_stars(frame["rating"], rating_range)
    if "timestamp" in frame:
        columns["timestamp"] = parse_times(frame["timestamp"])
    ratings = pd.DataFrame(columns)
    _refuse_repeats(ratings)
    return ratings


def _refuse_repeats(ratings: pd.DataFrame) -> None:
    repeats = ratings.duplicated(list(REQUIRED)).to_numpy()
    if not repeats.any():
        return
    second = int(repeats.argmax())
    user_id, item_id = (ratings[name].iloc[second] for name in REQUIRED)
    same = (ratings["user_id"] == user_id) & (ratings["item_id"] == item_id)
    first = int(same.to_numpy().argmax())
    raise InvalidRatingsError(
        f"each pair of user_id and item_id may stand once, {int(repeats.sum()):,} repeated, e.g. "
        f"rows {first + 1} and {second + 1} (user {user_id}, item {item_id}): keep one, "
        'frame.drop_duplicates(["user_id", "item_id"], keep="last")'
    )


def _valid_range(rating_range: tuple[float, float] | None) -> tuple[float, float] | None:
    if rating_range is not None and not rating_range[0] < rating_range[1]:
        raise ValueError(f"rating_range must be (low, high) with low < high, got {rating_range}")
    return rating_range


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
