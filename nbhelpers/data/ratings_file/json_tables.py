"""JSON as a table: one object a line, or one array of objects, read by DuckDB."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa

from nbhelpers.data.ratings_file.formats import CHUNK, FileBytes
from nbhelpers.data.ratings_file.opened import (
    NO_TYPES,
    SAMPLE_ROWS,
    Loaded,
    OddRow,
    Opened,
    loaded,
    open_table,
)
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError
from nbhelpers.data.ratings_file.spellings import is_known

SMALL = 1 << 28  # bytes of a JSON text that is read as one


def is_json(text: str) -> bool:
    """Whether a text begins like JSON with rows.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def open_json(source: FileBytes, text: str, *, skips: bool = False) -> Opened:
    """A JSON file as an open source, every cell as text.

    Parameters
    ----------
    source : FileBytes
    text : str
        Its beginning.
    skips : bool
        Whether lines that are no JSON become empty rows, to be left out as bad.

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If it is no JSON, or none with rows.
    """
    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        if text[1:].lstrip().startswith("{"):
            return _open(JsonRows(source, "array"), "a JSON array of objects")
        return open_table(_whole(source), "a JSON array of arrays", has_header=False)
    first_line = text.splitlines()[0]
    if first_line.startswith(("{'", "{u'")):
        raise InvalidRatingsError(
            "the lines are Python dictionaries, not JSON: write them again with json.dumps, "
            "after ast.literal_eval"
        )
    if _is_row(first_line) or "\n{" in text:
        return _open(JsonRows(source, "newline_delimited", skips), "JSON lines")
    return open_table(_whole(source), "one JSON object")


@dataclass(frozen=True)
class JsonRows:
    """The rows of a JSON file.

    Parameters
    ----------
    source : FileBytes
    form : {"newline_delimited", "array"}
    skips : bool
        Whether a line that is no JSON becomes an empty row.
    """

    source: FileBytes
    form: Literal["newline_delimited", "array"]
    skips: bool = False

    def names(self) -> tuple[str, ...]:
        """Names of the columns, of the first rows at least."""
        with self._relation(None) as relation:
            return tuple(relation.columns)

    def read(self, names: Sequence[str], *, limit: int | None = None) -> tuple[Any, list[OddRow]]:
        """All rows of some columns as text, and the lines that are no object."""
        with self._relation(names) as relation:
            table = (relation if limit is None else relation.limit(limit)).to_arrow_table()
        return table, []

    def batches(self, names: Sequence[str]) -> Iterator[Any]:
        """The same rows batch by batch."""
        with self._relation(names) as relation:
            for batch in pa.RecordBatchReader.from_stream(relation):
                yield pa.Table.from_batches([batch])

    @contextmanager
    def _relation(self, names: Sequence[str] | None) -> Iterator[Any]:
        columns = (
            {"maximum_depth": 1} if names is None else {"columns": dict.fromkeys(names, "VARCHAR")}
        )
        with _on_disk(self.source) as path, duckdb.connect() as connection:
            try:
                yield connection.read_json(
                    str(path), format=self.form, ignore_errors=self.skips, **columns
                )
            except duckdb.Error as error:
                raise InvalidRatingsError(_complaint(error, self.source)) from error


def _open(rows: JsonRows, kind: str) -> Opened:
    names = rows.names()
    first, _ = rows.read(names, limit=SAMPLE_ROWS + 1)

    def read(positions: Sequence[int], types: Mapping[int, Any] = NO_TYPES) -> Loaded:
        table, odd_rows = rows.read([names[k] for k in positions])
        columns = {k: table.column(at) for at, k in enumerate(positions)}
        return Loaded(columns, table.num_rows, odd_rows)

    def batches(positions: Sequence[int]) -> Iterator[Loaded]:
        n_done = 0
        for table in rows.batches([names[k] for k in positions]):
            columns = {k: table.column(at) for at, k in enumerate(positions)}
            yield Loaded(columns, table.num_rows, first_position=n_done)
            n_done += table.num_rows

    return Opened(
        kind=kind,
        names=names,
        has_header=True,
        sample=loaded(first.slice(0, SAMPLE_ROWS), range(len(names))),
        is_whole=first.num_rows <= SAMPLE_ROWS,
        read=read,
        batches=batches,
    )


@contextmanager
def _on_disk(source: FileBytes) -> Iterator[Path]:
    """The file, unpacked into a temporary one where it is packed."""
    if not source.packing:
        yield source.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.json")
        with source.open() as packed, path.open("wb") as plain:
            while data := packed.read(CHUNK):
                plain.write(data)
        yield path


def _is_row(line: str) -> bool:
    """Whether a line is an object with a cell, not one of columns."""
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and not all(
        isinstance(cell, dict | list) for cell in value.values()
    )


def _whole(source: FileBytes) -> Any:
    """A JSON text of one value as a table."""
    with source.open() as stream:
        data = stream.read(SMALL)
        if stream.read(1):
            raise InvalidRatingsError("one JSON value of more than 256 MB: write one object a line")
    try:
        value = json.loads(data)
    except ValueError as error:
        raise InvalidRatingsError(f"no readable JSON ({error}): write one object a line") from error
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()  # {"ratings": [...]}
    if isinstance(value, dict) and not any(map(is_known, value)):
        raise InvalidRatingsError(
            "this is one object without a known column, which may hold users and their items or "
            "items and their users: write one object a line, with user_id and item_id"
        )
    try:
        frame = pd.DataFrame(value).astype(str)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRatingsError("this JSON holds no table: write one object a line") from error
    return pa.table({str(name): pa.array(frame[name].astype(object)) for name in frame.columns})


def _complaint(error: duckdb.Error, source: FileBytes) -> str:
    found = re.search(r"in line (\d+)", str(error))
    where = f"line {_broken_line(source, int(found[1]))}" if found else "the file"
    return f"{where} is no readable JSON: correct it, or write one object a line"


def _broken_line(source: FileBytes, told: int) -> int:
    """Number of the line that is no JSON: the one that DuckDB told, or the one before it."""
    with io.BufferedReader(source.open()) as stream:
        before = list(islice(stream, max(told - 2, 0), max(told - 1, 0)))
    for line in before:
        try:
            json.loads(line)
        except ValueError:
            return told - 1
    return told
