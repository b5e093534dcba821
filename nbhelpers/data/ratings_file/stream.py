"""A log larger than memory: read batch by batch, put in order by DuckDB, written as Parquet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nbhelpers.data.ratings_file.bad_rows import refuse_too_many, write_rejected
from nbhelpers.data.ratings_file.choices import Choices, Column
from nbhelpers.data.ratings_file.convert import Converted, Converter
from nbhelpers.data.ratings_file.id_values import whole_numbers
from nbhelpers.data.ratings_file.open_source import Source, open_source, source_name
from nbhelpers.data.ratings_file.policies import event_weights
from nbhelpers.data.ratings_file.read import FALLBACK_ENCODING, rejected_path
from nbhelpers.data.ratings_file.read_report import ReadReport
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, NotUtf8Error, printable
from nbhelpers.data.ratings_file.repeated_rows import COLUMN_ORDER
from nbhelpers.data.ratings_file.reporting import repeats_in_words, report_of
from nbhelpers.data.ratings_file.roles import Roles, choose_roles
from nbhelpers.data.raw_ids import refuse_twins

MOST_REJECTED = 1_000_000
PLAIN_ID = "[!-~]+( [!-~]+)*"


def stream_to_parquet(
    source: Source,
    out: str | Path,
    *,
    user: Column = None,
    item: Column = None,
    rating: Column = None,
    weight: Column = None,
    time: Column = None,
    event: Column = None,
    repeats: str = "keep",
    zeros: str | None = None,
    missing_values: Sequence[float] | None = None,
    unrated: str | None = None,
    event_weights: Mapping[str, float] | None = None,
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
    memory_limit: str = "1GB",
) -> ReadReport:
    r"""Write a log as Parquet, whatever its size; only a batch of it is ever in memory.

    Parameters
    ----------
    source : path, DataFrame, or table that can hand itself over as Arrow
        Delimited text (packed or not), JSON lines and Parquet are read in batches.
    out : str or Path
        The Parquet file, which is written whole or not at all.
    user, item, rating, weight, time, event : str or int, optional
        As for ``read_ratings``, and all that follows, too.
    repeats, zeros, missing_values, unrated, event_weights, on_bad, rejected : optional
        The file holds nothing of rows that these leave out, see ``RatingsLog.also_had``.
    rating_range, time_format, decimal, encoding, delimiter, header, layout, table : optional
        How times and decimals are written is found in the first rows.
    memory_limit : str, default "1GB"
        What DuckDB may hold while it puts the rows in order; the rest goes to a temporary folder
        beside ``out``.

    Returns
    -------
    ReadReport

    Raises
    ------
    InvalidRatingsError
        As for ``read_ratings``.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "log.csv").write_text("user_id,item_id,rating\n7,12,4\n7,12,5\n")
    ...     report = stream_to_parquet(
    ...         Path(folder, "log.csv"), Path(folder, "log.parquet"), repeats="max"
    ...     )
    ...     pd.read_parquet(Path(folder, "log.parquet"))
       user_id  item_id  rating
    0        7       12     5.0
    >>> report.n_rows_read, report.n_rows
    (2, 1)
    """
    choices = Choices(
        columns={
            "user": user,
            "item": item,
            "rating": rating,
            "weight": weight,
            "time": time,
            "event": event,
            "title": False,
        },
        repeats=repeats,
        zeros=zeros,
        missing_values=missing_values,
        unrated=unrated,
        event_weights=event_weights,
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
    target, name = Path(out), source_name(source)
    try:
        try:
            return _Stream(source, choices, target, memory_limit).run(rejected)
        except NotUtf8Error as error:
            choices = replace(choices, encoding=FALLBACK_ENCODING)
            note = (
                f"{error}: read as {FALLBACK_ENCODING}, say encoding=... (--encoding NAME) if this "
                "is wrong"
            )
            return _Stream(source, choices, target, memory_limit).run(rejected, note)
    except InvalidRatingsError as error:
        raise type(error)(printable(f"{name}: {error}")) from error.__cause__


@dataclass
class _Stream:
    """One way through a source."""

    source: Source
    choices: Choices
    out: Path
    memory_limit: str

    def run(self, rejected: str | Path | None, *notes: str) -> ReadReport:
        """Write the file and return the report."""
        try:
            return self._run(rejected, *notes)
        except duckdb.OutOfMemoryException as error:
            raise InvalidRatingsError(
                f"memory_limit={self.memory_limit!r} is too little for this file: say more"
            ) from error
        except duckdb.Error as error:
            raise InvalidRatingsError(f"DuckDB cannot write it ({str(error)[:120]})") from error

    def _run(self, rejected: str | Path | None, *notes: str) -> ReadReport:
        opened = open_source(self.source, self.choices)
        roles = choose_roles(opened, self.choices)
        converter = Converter(opened, roles.positions, self.choices, keep_text=True)
        converter.find_forms()
        with self._folder() as folder:
            rows = folder / "rows.parquet"
            bad, are_whole = self._write_rows(converter, rows)
            self._check(converter, bad)
            report = self._put_in_order(converter, roles, rows, are_whole, notes)
            rejected_file = None
            if len(bad):
                path = rejected_path(self.source, rejected)
                if path is not None:
                    rejected_file = str(write_rejected(bad, path, replaces=rejected is not None))
                dropped = {**report.dropped, "rejected as bad": len(bad)}
                report = replace(report, dropped=dropped, rejected_file=rejected_file)
            os.replace(folder / "ordered.parquet", self.out)
        return report

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        try:
            with tempfile.TemporaryDirectory(dir=self.out.parent, prefix=".stream-") as folder:
                yield Path(folder)
        except OSError as error:
            raise InvalidRatingsError(
                f"{self.out} cannot be written ({error.strerror}): name another file"
            ) from error

    def _write_rows(self, converter: Converter, path: Path) -> tuple[pd.DataFrame, dict[str, bool]]:
        """All rows, ids as text, in their order; the bad ones; whether all ids are whole."""
        positions = sorted(set(converter.positions.values()))
        are_whole = {"user_id": True, "item_id": True}
        writer, rejected, n_rejected = None, [], 0
        try:
            for loaded in converter.opened.batches(positions):
                converted = converter.convert(loaded)
                shown = {converter.opened.names[k]: k for k in loaded.columns}
                rejected.append(converted.bad.to_frame(shown))
                n_rejected += len(rejected[-1])
                if n_rejected > MOST_REJECTED:
                    raise InvalidRatingsError(f"more than {MOST_REJECTED:,} rows are bad")
                table = _table(converted, are_whole)
                writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()
        bad = pd.concat(rejected, ignore_index=True) if rejected else pd.DataFrame()
        return bad, are_whole

    def _check(self, converter: Converter, bad: pd.DataFrame) -> None:
        n_rows = converter.tally.n_rows
        if not n_rows:
            raise InvalidRatingsError("no rows: at least one rating is needed")
        if len(bad):
            refuse_too_many(len(bad), n_rows, f"row {bad['row'].iloc[0]}")
        converter.judge_values()
        if self.choices.event_weights is not None:
            event_weights(list(converter.tally.events), self.choices)

    def _put_in_order(
        self,
        converter: Converter,
        roles: Roles,
        rows: Path,
        are_whole: Mapping[str, bool],
        notes: Sequence[str],
    ) -> ReadReport:
        names = pq.read_schema(rows).names
        ids = [
            f"CAST({name} AS BIGINT) AS {name}" if are_whole[name] else name
            for name in ("user_id", "item_id")
        ]
        rest = [name for name in COLUMN_ORDER if name in names and not name.endswith("_id")]
        with duckdb.connect() as connection:
            connection.execute(f"SET memory_limit = '{self.memory_limit}'")
            connection.execute("SET threads = 2")
            connection.execute("SET enable_progress_bar = false")
            connection.execute(f"SET temp_directory = '{_quoted(rows.parent / 'spill')}'")
            connection.execute(
                f"CREATE VIEW log AS SELECT {', '.join([*ids, *rest])}, file_row_number AS row_at "
                f"FROM read_parquet('{_quoted(rows)}', file_row_number = true)"
            )
            n_rows, n_users, n_items, n_pairs = _counts(connection)
            _refuse_twins(connection, are_whole)
            if not n_rows:
                raise InvalidRatingsError("no row is left by the policies")
            if self.choices.repeats == "refuse" and n_pairs < n_rows:
                raise InvalidRatingsError(
                    f"each pair of user and item may stand once, {n_rows - n_pairs:,} repeated: "
                    "say repeats='last' (--repeats last) or another of keep, first, sum, count, max"
                )
            query = _ordered(rest, self.choices.repeats)
            target = _quoted(rows.parent / "ordered.parquet")
            connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
            ranges = _ranges(connection, rest)
        kept = n_rows if self.choices.repeats in ("keep", "refuse") else n_pairs
        converter.tally.note(*roles.notes, *converter.opened.notes, *notes)
        said = repeats_in_words(self.choices.repeats, n_rows - n_pairs, n_rows)
        return report_of(
            source_name(self.source),
            converter.opened,
            roles,
            converter,
            n_rows=kept,
            counts=(n_users, n_items),
            ranges=ranges,
            policies={"repeats": said},
            rejected_file=None,
        )


def _table(converted: Converted, are_whole: dict[str, bool]) -> Any:
    """Rows of a batch with ids as text; notes which ids are no plain whole numbers."""
    columns = {}
    for name in converted.frame.columns:
        column = pa.chunked_array([pa.array(converted.frame[name])]).combine_chunks()
        if name in are_whole:
            if pa.types.is_integer(column.type):
                column = column.cast(pa.string())
            elif are_whole[name]:
                different = column.unique().cast(pa.large_string())
                are_whole[name] = whole_numbers(different) is not None
            column = column.cast(pa.string())
        elif name == "event":
            column = column.cast(pa.string())
        columns[name] = column
    return pa.table(columns)


def _counts(connection: Any) -> tuple[int, int, int, int]:
    """Numbers of rows, users, items and different pairs."""
    query = (
        "SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id), "
        "(SELECT count(*) FROM (SELECT DISTINCT user_id, item_id FROM log)) FROM log"
    )
    n_rows, n_users, n_items, n_pairs = connection.execute(query).fetchone()
    return int(n_rows), int(n_users), int(n_items), int(n_pairs)


def _refuse_twins(connection: Any, are_whole: Mapping[str, bool]) -> None:
    """Refuse ids that differ only in what nobody sees, if any id is more than plain letters."""
    for name, whole in are_whole.items():
        if whole:
            continue
        query = f"SELECT DISTINCT {name} FROM log"
        odd = connection.execute(
            f"SELECT count(*) FROM ({query}) WHERE NOT regexp_full_match({name}, '{PLAIN_ID}')"
        ).fetchone()[0]
        if odd:
            try:
                refuse_twins(pd.Index(connection.execute(query).df()[name].astype("str")))
            except ValueError as error:
                raise InvalidRatingsError(f"{name}: {error}") from error


def _ordered(rest: Sequence[str], repeats: str) -> str:
    """The query that applies the policy on repeats."""
    columns = ", ".join(["user_id", "item_id", *rest])
    if repeats in ("keep", "refuse"):
        return f"SELECT {columns} FROM log"  # which keeps its order
    by_time = "timestamp, row_at" if "timestamp" in rest else "row_at"
    if repeats in ("last", "first"):
        order = by_time.replace(",", " DESC,") + " DESC" if repeats == "last" else by_time
        return (
            f"SELECT {columns} FROM log QUALIFY row_number() OVER "
            f"(PARTITION BY user_id, item_id ORDER BY {order}) = 1 ORDER BY row_at"
        )
    has = {name: name in rest for name in ("rating", "weight")}
    if repeats == "sum" and not has["weight"]:
        raise InvalidRatingsError("repeats='sum' adds up weights, and there are none")
    if repeats == "max" and not any(has.values()):
        raise InvalidRatingsError("repeats='max' needs ratings or weights: count rows with 'count'")
    if repeats == "count" and any(has.values()):
        raise InvalidRatingsError("repeats='count' makes weights of its own: leave the other out")
    merged = ["user_id", "item_id"]
    for name in rest:
        if name == "timestamp" or (repeats == "max" and name in has):
            merged.append(f"max({name}) AS {name}")
        elif repeats == "sum" and name == "weight":
            merged.append("sum(weight) AS weight")
        else:
            merged.append(f"last({name} ORDER BY row_at) AS {name}")
    if repeats == "count":
        merged.insert(2, "CAST(count(*) AS DOUBLE) AS weight")
    return f"SELECT {', '.join(merged)} FROM log GROUP BY user_id, item_id ORDER BY min(row_at)"


def _ranges(connection: Any, rest: Sequence[str]) -> dict[str, list[float | str]]:
    ranges: dict[str, list[float | str]] = {}
    for name in rest:
        if name == "event":
            continue
        low, high = connection.execute(f"SELECT min({name}), max({name}) FROM log").fetchone()
        if name == "timestamp":
            ends = [pd.Timestamp(int(end), unit="s", tz="UTC").isoformat() for end in (low, high)]
            ranges["time"] = list(ends)
        elif low is not None:
            ranges[name] = [float(low), float(high)]
    return ranges


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
