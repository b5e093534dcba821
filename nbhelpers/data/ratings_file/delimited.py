"""Delimited text: CSV, TSV, ``::`` and their kin, read column by column through pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.dialect import (
    DELIMITER_WORDS,
    Dialect,
    find_dialect,
)
from nbhelpers.data.ratings_file.formats import FileBytes
from nbhelpers.data.ratings_file.opened import NO_TYPES, Loaded, OddRow, Opened
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError
from nbhelpers.data.ratings_file.utf8_stream import UNIT_SEPARATOR, Utf8Stream

BLOCK_BYTES = 1 << 24
MOST_ODD_ROWS = 100_000


def open_delimited(
    source: FileBytes, text: str, encoding: str, choices: Choices, *, is_whole: bool
) -> Opened:
    """A delimited text file as an open source.

    Parameters
    ----------
    source : FileBytes
    text : str
        The beginning of the file.
    encoding : str
        Of the file.
    choices : Choices
    is_whole : bool
        Whether ``text`` is all of it.

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If the first lines make no table.
    """
    dialect = find_dialect(text, choices)
    if not is_whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    reader = DelimitedReader(source, encoding, dialect, named=choices.encoding is not None)
    every = range(dialect.n_columns)
    sample = reader.read_sample(text, every, is_whole=is_whole)

    def chosen(positions: Sequence[int], types: Mapping[int, Any] = NO_TYPES) -> Loaded:
        return replace(sample, columns={k: sample.columns[k] for k in positions})

    word = DELIMITER_WORDS.get(dialect.delimiter, dialect.delimiter)
    header = "with" if dialect.has_header else "without"
    packed = f"{source.packing} of " if source.packing else ""
    return Opened(
        kind=f"{packed}delimited text ({word}), {header} a header, {encoding}",
        names=dialect.names,
        has_header=dialect.has_header,
        sample=sample,
        is_whole=is_whole,
        read=chosen if is_whole else reader.read,
        batches=reader.batches,
    )


@dataclass(frozen=True)
class DelimitedReader:
    """Reads the rows of one file, however often.

    Parameters
    ----------
    source : FileBytes
    encoding : str
    dialect : Dialect
    named : bool
        Whether the caller named the encoding.
    """

    source: FileBytes
    encoding: str
    dialect: Dialect
    named: bool

    def read_sample(self, text: str, positions: Sequence[int], *, is_whole: bool) -> Loaded:
        """Rows of a text that is in memory, the beginning of the file or all of it."""
        stream = io.BytesIO(text.encode())
        reader = replace(self, encoding="utf-8", source=replace(self.source, open=lambda: stream))
        return reader._table(positions, Judge(), in_order=True, may_be_cut=not is_whole)

    def read(self, positions: Sequence[int], types: Mapping[int, Any] = NO_TYPES) -> Loaded:
        """All rows of some columns.

        Parameters
        ----------
        positions : sequence of int
        types : mapping of int to a type of pyarrow
            Columns to be read as such, if all of their cells can: faster or smaller than text.

        Returns
        -------
        Loaded
            Each column as text.

        Raises
        ------
        InvalidRatingsError
            If a quote is never closed, or the bytes are not in the encoding.
        """
        judge = Judge(stops=True)
        try:
            return self._table(positions, judge, in_order=False, types=types)
        except pa.ArrowException:
            if types and not judge.stopped:
                return self.read(positions)
            if not judge.stopped:
                raise InvalidRatingsError(CUT_WRONG) from None
        return self._table(positions, Judge(), in_order=True)  # which numbers the odd rows

    def batches(self, positions: Sequence[int]) -> Iterator[Loaded]:
        """The same rows batch by batch, so that a file may be larger than memory."""
        judge = Judge()
        n_done = 0
        with self._stream() as stream:
            try:
                reader = pa_csv.open_csv(stream, **self._options(positions, judge, in_order=True))
                waiting = None  # the last batch ends in our own row
                for batch in reader:
                    if waiting is not None and len(batch):
                        yield self._batch(waiting, judge, positions, n_done)
                        n_done += len(waiting)
                    waiting = batch if len(batch) else waiting
            except pa.ArrowException as error:
                raise InvalidRatingsError(CUT_WRONG) from error
        if waiting is not None:
            last = len(waiting) - 1
            _require_end(waiting, last)
            yield self._batch(waiting.slice(0, last), judge, positions, n_done)

    def _batch(self, batch: Any, judge: Judge, positions: Sequence[int], n_done: int) -> Loaded:
        odd_rows, judge.odd_rows = judge.odd_rows, []
        columns = {k: pa.chunked_array([batch.column(str(k))]) for k in positions}
        return Loaded(columns, len(batch), odd_rows, judge.absent, n_done)

    def _table(
        self,
        positions: Sequence[int],
        judge: Judge,
        *,
        in_order: bool,
        may_be_cut: bool = False,
        types: Mapping[int, Any] = NO_TYPES,
    ) -> Loaded:
        with self._stream() as stream:
            try:
                table = pa_csv.read_csv(
                    stream, **self._options(positions, judge, in_order=in_order, types=types)
                )
            except pa.ArrowException as error:
                if judge.stops:
                    raise
                raise InvalidRatingsError(judge.complaint or CUT_WRONG) from error
        last = table.num_rows - 1
        if not may_be_cut:
            _require_end(table, last)
        table = table.slice(0, last)
        columns = {k: table.column(str(k)) for k in positions}
        return Loaded(columns, table.num_rows, judge.odd_rows, judge.absent)

    def _stream(self) -> Any:
        end = self._delimiter * (self.dialect.n_columns - 1) or '""'
        return pa.PythonFile(
            Utf8Stream(
                self.source.open(),
                self.encoding,
                n_lines_before=self.dialect.n_lines_before,
                replaces=self.dialect.delimiter,
                end=f"\n{end}\n",  # an empty row, which a quote that is never closed swallows
                named=self.named,
            ),
            mode="r",
        )

    @property
    def _delimiter(self) -> str:
        return UNIT_SEPARATOR if len(self.dialect.delimiter) > 1 else self.dialect.delimiter

    def _options(
        self,
        positions: Sequence[int],
        judge: Judge,
        *,
        in_order: bool,
        types: Mapping[int, Any] = NO_TYPES,
    ) -> dict[str, Any]:
        names = [str(k) for k in range(self.dialect.n_columns)]
        chosen = [str(k) for k in positions]
        return {
            "read_options": pa_csv.ReadOptions(
                use_threads=not in_order, block_size=BLOCK_BYTES, column_names=names
            ),
            "parse_options": pa_csv.ParseOptions(
                delimiter=self._delimiter,
                newlines_in_values=True,
                invalid_row_handler=judge,
            ),
            "convert_options": pa_csv.ConvertOptions(
                column_types={
                    **dict.fromkeys(chosen, pa.string()),
                    **{str(k): types[k] for k in positions if k in types},
                },
                include_columns=chosen,
            ),
        }


def _require_end(table: Any, last: int) -> None:
    """Refuse a table without the empty row that was put after its last one."""
    if last < 0:
        raise InvalidRatingsError(CUT_WRONG)
    if any(column[last].as_py() for column in table.columns):
        raise InvalidRatingsError(f"row {last + 1}: a quote is opened and never closed")


CUT_WRONG = "cannot be split into rows and columns: check its delimiter and quotes"


@dataclass
class Judge:
    """What becomes of rows with another number of cells: kept aside with their numbers.

    Parameters
    ----------
    stops : bool
        Whether the first one ends the reading.
    """

    stops: bool = False
    stopped: bool = False
    complaint: str = ""
    odd_rows: list[OddRow] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)

    def __call__(self, row: Any) -> str:
        """Called by pyarrow."""
        if self.stops:
            self.stopped = True
            return "error"
        if not row.text.strip(" \t\r\n\x1f"):
            self.absent.append(row.number)
            return "skip"
        expected = f"the header has {row.expected_columns}"
        reason = f"has {row.actual_columns} cells, {expected}"
        self.odd_rows.append(OddRow(row.number, row.text, reason))
        self.absent.append(row.number)
        if len(self.odd_rows) > MOST_ODD_ROWS:
            self.complaint = (
                f"more than {MOST_ODD_ROWS:,} rows do not have {row.expected_columns} cells, e.g. "
                f"row {row.number}, {row.text[:40]!r}: name the delimiter, delimiter=... "
                "(--delimiter)"
            )
            return "error"
        return "skip"
