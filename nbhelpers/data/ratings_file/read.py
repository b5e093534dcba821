"""The one door for a log of your own: any common file or table, read, checked and reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbhelpers.data.ratings_file.bad_rows import refuse_too_many, write_rejected
from nbhelpers.data.ratings_file.choices import Choices, Column
from nbhelpers.data.ratings_file.column_looks import quick_types
from nbhelpers.data.ratings_file.convert import Converter
from nbhelpers.data.ratings_file.left_out import beside
from nbhelpers.data.ratings_file.open_source import Source, open_source, source_name
from nbhelpers.data.ratings_file.read_report import ReadReport
from nbhelpers.data.ratings_file.refusals import (
    InvalidRatingsError,
    NotUtf8Error,
    counted,
    printable,
)
from nbhelpers.data.ratings_file.repeated_rows import count_repeats, merge_repeats
from nbhelpers.data.ratings_file.reporting import ranges_of, repeats_in_words, report_of
from nbhelpers.data.ratings_file.roles import choose_roles
from nbhelpers.data.ratings_file.title_rows import titles_of

FALLBACK_ENCODING = "latin-1"


@dataclass(frozen=True)
class RatingsLog:
    """A log that was read.

    Attributes
    ----------
    frame : DataFrame
        ``user_id`` and ``item_id`` (int64 where every id is written as a plain whole number, else
        text), and where known ``rating`` and ``weight`` (float64), ``timestamp`` (int64, Unix
        seconds, UTC), ``event`` (text). Rows in the order of the source.
    titles : DataFrame or None
        ``item_id`` and ``title``.
    report : ReadReport
        What it was read as, and what became of its rows.
    rejected : DataFrame
        Rows that were skipped: ``row`` (from 1, without the header), ``column``, ``value``,
        ``reason``.
    also_had : DataFrame
        ``user_id``, ``item_id`` and, where the log has times, ``timestamp`` of pairs that stand
        only in rows that were left out, by a policy or as bad ones whose ids can be read. Nothing
        is learned from them, and their users have them all the same: no list should hold them.
        (An empty cell of a matrix is no row.)
    """

    frame: pd.DataFrame
    titles: pd.DataFrame | None
    report: ReadReport
    rejected: pd.DataFrame
    also_had: pd.DataFrame

    def __repr__(self) -> str:
        return f"RatingsLog({describe_counts(self.frame)})"


def read_ratings(
    source: Source,
    *,
    user: Column = None,
    item: Column = None,
    rating: Column = None,
    weight: Column = None,
    time: Column = None,
    event: Column = None,
    title: Column = None,
    repeats: str = "keep",
    zeros: str | None = None,
    missing_values: Sequence[float] | None = None,
    unrated: str | None = None,
    event_weights: Mapping[str, float] | None = None,
    look_alikes: str = "refuse",
    on_bad: str = "stop",
    rejected: str | Path | None = None,
    rating_range: tuple[float, float] | None = None,
    time_format: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    layout: str | None = None,
    table: str | None = None,
) -> RatingsLog:
    r"""A log of users and items from any common file or table; what is not clear is asked.

    Parameters
    ----------
    source : path, DataFrame, or table that can hand itself over as Arrow
        A file of delimited text (packed or not), JSON, Parquet, Feather, Excel, SQLite or DuckDB; a
        pandas frame; a table of Polars, DuckDB or pyarrow. What a file is, is seen from its bytes.
    user, item, rating, weight, time, event, title : str or int, optional
        Columns by name, or by number from 1. Left out, they are found by their names; ``False``
        leaves a column out.
    repeats : {"keep", "last", "first", "sum", "count", "max", "refuse"}
        What becomes of rows with the same user and item. "last" and "first" go by time.
    zeros : {"implicit", "drop", "keep"}, optional
        What a rating (or weight) of 0 means: a row without a rating, a row to leave out, or 0.
        Must be said where a tenth or more are 0.
    missing_values : sequence of float, optional
        Ratings that stand for none, such as ``(-1, 99)``; ``()`` if there is no such value. Must be
        said where a value looks like one.
    unrated : {"refuse", "drop", "implicit"}, optional
        What becomes of a row without a rating. Left out, empty cells are refused, and rows with a
        value of ``missing_values`` are dropped.
    event_weights : mapping of str to float, optional
        Weight of each kind of event; rows of other events are left out. Without it, all are kept.
    look_alikes : {"refuse", "merge"}
        What becomes of ids that differ only in invisible characters.
    on_bad : {"stop", "skip"}
        Whether the first bad row ends the reading, or bad rows are left out and written to a file.
    rejected : str or Path, optional
        The file of bad rows; left out, NAME.rejected.csv beside the source (none for a table),
        or NAME.rejected.2.csv where that is one of other rows.
    rating_range : tuple of two floats, optional
        Lowest and highest rating allowed.
    time_format : str, optional
        "s", "ms", "us", "ns", "ISO", "DD/MM/YYYY", "MM/DD/YYYY", "YYYYMMDD", "named months", or a
        format of ``strptime``. Must be said where days and months may be swapped.
    decimal : {".", ","}, optional
        Must be said where "1,500" may be 1.5 or 1500.
    encoding : str, optional
        Left out, UTF-8 and UTF-16 are told apart; bytes that are neither are read as Latin-1, and
        a note says so.
    delimiter : str, optional
    header : bool, optional
        Whether the first line names the columns. Must be said where it is all text and unknown.
    layout : {"long", "wide", "lists"}, optional
        Rows of user and item; a matrix of users and items; lines of a user and all items.
    table : str, optional
        Table of a database, sheet of a workbook, or member of a zip archive, where it has several.

    Returns
    -------
    RatingsLog

    Raises
    ------
    InvalidRatingsError
        If the source cannot be read, a row cannot be used (rows are counted from 1 after the
        header), or, as ``AmbiguousRatingsError``, if it can be read in two ways.
    ValueError
        If a policy or a format is none that exists.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.csv")
    ...     _ = path.write_text("userId;movie;stars;date\n7;12;4,5;2020-01-31\n9;12;5;2020-02-01\n")
    ...     log = read_ratings(path)
    >>> log.frame
       user_id  item_id  rating   timestamp
    0        7       12     4.5  1580428800
    1        9       12     5.0  1580515200
    >>> print(log.report)
    source          mine.csv: delimited text (semicolon), with a header, utf-8
    rows            2 ratings by 2 users of 1 item
    columns         user = userId, item = movie, rating = stars, time = date
    rating          4.5 to 5.0
    time            2020-01-31T00:00:00+00:00 to 2020-02-01T00:00:00+00:00
    rows lost       0
    policy repeats  no row repeats a pair of user and item
    note            rating: a comma stands before the decimals
    note            times are read as ISO
    """
    columns = {
        "user": user,
        "item": item,
        "rating": rating,
        "weight": weight,
        "time": time,
        "event": event,
        "title": title,
    }
    choices = Choices(
        columns=columns,
        repeats=repeats,
        zeros=zeros,
        missing_values=missing_values,
        unrated=unrated,
        event_weights=event_weights,
        look_alikes=look_alikes,
        on_bad=on_bad,
        rating_range=rating_range,
        time_format=time_format,
        decimal=decimal,
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        layout=layout,
        table=table,
    )
    name = source_name(source)
    try:
        try:
            return _read(source, choices, name, rejected)
        except NotUtf8Error as error:
            choices = replace(choices, encoding=FALLBACK_ENCODING)
            note = (
                f"{error}: read as {FALLBACK_ENCODING}, say encoding=... (--encoding NAME) if this "
                "is wrong"
            )
            return _read(source, choices, name, rejected, note)
    except InvalidRatingsError as error:
        raise type(error)(printable(f"{name}: {error}")) from error.__cause__


def describe_counts(ratings: pd.DataFrame) -> str:
    """Counts in words.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_counts(pd.DataFrame({"user_id": [1, 1], "item_id": [4, 5], "rating": [3.0, 5.0]}))
    '2 ratings by 1 user of 2 items'
    """
    rows = "rating" if "rating" in ratings else "interaction"
    users, items = ratings["user_id"].nunique(), ratings["item_id"].nunique()
    return f"{counted(len(ratings), rows)} by {counted(users, 'user')} of {counted(items, 'item')}"


def _read(
    source: Source, choices: Choices, name: str, rejected: str | Path | None, *notes: str
) -> RatingsLog:
    opened = open_source(source, choices)
    roles = choose_roles(opened, choices)
    loaded = opened.read(
        sorted(set(roles.positions.values())), quick_types(opened, roles.positions)
    )
    converter = Converter(opened, roles.positions, choices)
    converted = converter.convert(loaded)
    shown = {opened.names[k]: k for k in loaded.columns}
    bad = converted.bad.to_frame(shown)
    del loaded
    _refuse_empty(len(converted.frame), bad, converter.tally.n_rows)
    converter.judge_values()
    titles, title_notes = None, list[str]()
    if converted.titles is not None:
        named = choices.column("title") is not None
        titles, title_notes = titles_of(converted.frame["item_id"], converted.titles, named=named)
        if titles is None:
            del roles.positions["title"]
    frame, counts, repeats_said = with_policy(converted.frame, choices)
    also_had = beside(converted.also_had, frame)
    rejected_file = None
    if len(bad):
        converter.tally.dropped["rejected as bad"] += len(bad)
        path = rejected_path(source, rejected)
        if path is not None:
            rejected_file = str(write_rejected(bad, path, replaces=rejected is not None))
    converter.tally.note(*roles.notes, *opened.notes, *notes, *title_notes)
    report = report_of(
        name,
        opened,
        roles,
        converter,
        n_rows=len(frame),
        counts=counts,
        ranges=ranges_of(frame),
        policies={"repeats": repeats_said},
        rejected_file=rejected_file,
        n_also_had=len(also_had),
    )
    return RatingsLog(frame, titles, report, bad, also_had)


def _refuse_empty(n_kept: int, bad: pd.DataFrame, n_rows: int) -> None:
    if not n_rows:
        raise InvalidRatingsError("no rows: at least one rating is needed")
    if len(bad):
        first = bad.iloc[0]
        column = f"column {first['column']}: " if first["column"] else ""
        refuse_too_many(len(bad), n_rows, f"row {first['row']}, {column}{first['reason']}")
    if not n_kept:
        raise InvalidRatingsError(f"none of {counted(n_rows, 'row')} is left by the policies")


def with_policy(frame: pd.DataFrame, choices: Choices) -> tuple[pd.DataFrame, tuple[int, int], str]:
    """Rows after the policy on repeats, numbers of users and items, and what was done in words.

    Parameters
    ----------
    frame : DataFrame
    choices : Choices

    Returns
    -------
    frame : DataFrame
    counts : tuple of two int
    said : str

    Raises
    ------
    InvalidRatingsError
        If pairs repeat and this is refused.
    """
    n_users, n_items, n_repeated = count_repeats(frame)
    n_rows = len(frame)
    if choices.repeats == "refuse" and n_repeated:
        raise InvalidRatingsError(_repeated(frame, n_repeated))
    merges = choices.repeats not in ("keep", "refuse")
    if merges and (n_repeated or choices.repeats == "count"):
        frame = merge_repeats(frame, choices.repeats)
    return frame, (n_users, n_items), repeats_in_words(choices.repeats, n_repeated, n_rows)


def _repeated(frame: pd.DataFrame, n_repeated: int) -> str:
    second = int(frame.duplicated(["user_id", "item_id"]).to_numpy().argmax())
    user_id, item_id = (frame[name].iloc[second] for name in ("user_id", "item_id"))
    same = (frame["user_id"] == user_id) & (frame["item_id"] == item_id)
    first = int(same.to_numpy().argmax())
    return (
        f"each pair of user and item may stand once, {n_repeated:,} repeated, e.g. rows "
        f"{first + 1} and {second + 1} of those kept (user {user_id}, item {item_id}): say "
        "repeats='last' (--repeats last) or another of keep, first, sum, count, max"
    )


def rejected_path(source: Any, rejected: str | Path | None) -> Path | None:
    """Where bad rows are written: as said, beside a file, nowhere for a table.

    Parameters
    ----------
    source : path or table
    rejected : str or Path, optional

    Returns
    -------
    Path or None
    """
    if rejected is not None:
        return Path(rejected)
    if not isinstance(source, str | Path):
        return None
    path = Path(source)
    return path.with_name(f"{path.name.partition('.')[0] or path.name}.rejected.csv")
