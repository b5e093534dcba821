"""A source that is open: its columns and first rows are known, the rest is read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

NO_TYPES: Mapping[int, Any] = MappingProxyType({})
SAMPLE_ROWS = 100_000
BATCH_ROWS = 1 << 18


@dataclass(frozen=True)
class OddRow:
    """A row that could not be split into the cells of the table.

    Attributes
    ----------
    number : int
        Counted from 1, without the header.
    text : str
    reason : str
    """

    number: int
    text: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """Some columns of a source, all rows or a batch of them.

    Attributes
    ----------
    columns : dict of int to pyarrow.ChunkedArray
        By position in the source. Cells of a text file are text.
    n_rows : int
    odd_rows : list of OddRow
        Rows left out, in their order.
    absent : list of int
        Numbers of all rows before the last one here that are in no table: odd and blank ones.
    first_position : int
        How many rows of the table came before, in earlier batches.
    """

    columns: dict[int, Any]
    n_rows: int
    odd_rows: list[OddRow] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)
    first_position: int = 0

    def row_numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers in the source, counted from 1, of rows at some positions of the table."""
        at = positions + self.first_position
        absent = np.sort(np.asarray(self.absent, dtype=np.int64))
        rows_before = absent - 1 - np.arange(len(absent))  # of the table, before each absent row
        return np.asarray(at + 1 + np.searchsorted(rows_before, at, side="right"), dtype=np.int64)


@dataclass(frozen=True)
class Opened:
    """What is known of a source before it is read as a whole.

    Attributes
    ----------
    kind : str
        What it was taken for, in words.
    names : tuple of str
        Columns, "1", "2", ... where there is no header.
    has_header : bool
    sample : Loaded
        Every column of the first rows.
    is_whole : bool
        Whether the sample holds all rows.
    read : callable
        Given positions of columns, all rows of these. A second argument has types of pyarrow by
        position: text columns may come as such, if all of their cells can.
    batches : callable
        The same, batch by batch.
    notes : list of str
    unreadable : dict of int to str
        Columns of values that nothing can be made of, with their kind.
    is_wide : bool
        Whether it is known to have items as columns.
    file_name : str
    """

    kind: str
    names: tuple[str, ...]
    has_header: bool
    sample: Loaded
    is_whole: bool
    read: Callable[..., Loaded]
    batches: Callable[[Sequence[int]], Iterator[Loaded]]
    notes: list[str] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)
    is_wide: bool = False
    file_name: str = ""


def open_table(table: Any, kind: str, *, has_header: bool = True, **known: Any) -> Opened:
    """A pyarrow table that is in memory, as an open source.

    Parameters
    ----------
    table : pyarrow.Table
    kind : str
    has_header : bool, default True
        Whether the names of its columns are names.
    **known
        ``notes`` and the like of ``Opened``.

    Returns
    -------
    Opened
    """
    table = without_views(table)
    n_columns = table.num_columns

    def read(positions: Sequence[int], types: Mapping[int, Any] = NO_TYPES) -> Loaded:
        return loaded(table, positions)

    def batches(positions: Sequence[int]) -> Iterator[Loaded]:
        for start in range(0, table.num_rows, BATCH_ROWS):
            yield loaded(table.slice(start, BATCH_ROWS), positions, first_position=start)

    names = table.column_names if has_header else map(str, range(1, n_columns + 1))
    return Opened(
        kind=kind,
        names=tuple(names),
        has_header=has_header,
        sample=loaded(table.slice(0, SAMPLE_ROWS), range(n_columns)),
        is_whole=table.num_rows <= SAMPLE_ROWS,
        read=read,
        batches=batches,
        **known,
    )


def without_views(table: Any) -> Any:
    """A table whose text is held in the usual way, since few functions know views.

    Parameters
    ----------
    table : pyarrow.Table or RecordBatch

    Returns
    -------
    pyarrow.Table
    """
    columns = [_without_views(column) for column in table.columns]
    return pa.table(columns, names=table.schema.names)


def _without_views(column: Any) -> Any:
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        plain = [
            pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(pa.large_string()))
            for chunk in chunks
        ]
        return pa.chunked_array(plain, pa.dictionary(column.type.index_type, pa.large_string()))
    return column


def loaded(table: Any, positions: Sequence[int], **known: Any) -> Loaded:
    """Some columns of a pyarrow table.

    Parameters
    ----------
    table : pyarrow.Table
    positions : sequence of int
    **known
        ``odd_rows`` and the like of ``Loaded``.

    Returns
    -------
    Loaded
    """
    columns = {position: table.column(position) for position in positions}
    return Loaded(columns, table.num_rows, **known)
