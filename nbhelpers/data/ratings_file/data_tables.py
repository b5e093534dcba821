"""Tables with types of their own: Parquet, Feather, Excel, SQLite, DuckDB and frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pq

from nbhelpers.data.ratings_file.formats import FileBytes
from nbhelpers.data.ratings_file.opened import (
    BATCH_ROWS,
    NO_TYPES,
    SAMPLE_ROWS,
    Loaded,
    Opened,
    loaded,
    open_table,
    without_views,
)
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, some
from nbhelpers.data.ratings_file.spellings import tier_of


@runtime_checkable
class ArrowStream(Protocol):
    """A table that can hand itself over as Arrow: of Polars, DuckDB, pyarrow and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream of its batches."""
        ...


def open_frame(frame: pd.DataFrame) -> Opened:
    """A pandas frame as an open source; a named index counts as columns.

    Parameters
    ----------
    frame : DataFrame
        It is not changed.

    Returns
    -------
    Opened
    """
    index_names = [str(name) for name in frame.index.names if name is not None]
    is_wide = (
        isinstance(frame.columns.name, str)
        and len(index_names) == 1
        and tier_of(frame.columns.name, "item") is not None
    )
    if index_names:
        frame = frame.reset_index()
    names = [str(label) for label in frame.columns]
    numbered = bool(names) and all(isinstance(label, int) for label in frame.columns)
    return _open_columns(
        frame, "a pandas frame", has_header=not numbered or is_wide, is_wide=is_wide
    )


def _open_columns(frame: pd.DataFrame, kind: str, **known: Any) -> Opened:
    """Columns of a frame, those without a type of Arrow's marked as unreadable."""
    arrays, unreadable = [], {}
    for k in range(frame.shape[1]):
        array, problem = column_of_series(frame.iloc[:, k])
        arrays.append(array)
        if problem:
            unreadable[k] = problem
    names = [str(label) for label in frame.columns]
    table = pa.Table.from_arrays(arrays, names=names)
    return open_table(table, kind, unreadable=unreadable, **known)


def column_of_series(column: pd.Series[Any]) -> tuple[Any, str]:
    """A pandas column as a pyarrow array; whole numbers beside text become text.

    Parameters
    ----------
    column : Series

    Returns
    -------
    array : pyarrow.Array or ChunkedArray
    problem : str
        The kind of values that pyarrow has no type for; the array is then all null.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    try:
        return pa.array(column, from_pandas=True), ""
    except UnicodeEncodeError:
        return pa.nulls(len(column)), "text that is no Unicode"
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("integer", "mixed-integer"):
        text = _whole_numbers_beside_text(column)
        if text is not None:
            return text, ""
    return pa.nulls(len(column)), f"{kind} values"


def _whole_numbers_beside_text(column: pd.Series[Any]) -> Any:
    """All as text, or None where other values are among them or two values become one."""
    present = column.dropna()
    plain = present.map(lambda value: isinstance(value, int | str) and not isinstance(value, bool))
    text = present.map(str)
    if not plain.all() or text.nunique() != present.nunique():
        return None
    try:
        return pa.array(text.reindex(column.index), pa.large_string(), from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError, ValueError):
        return None


def open_arrow(source: ArrowStream) -> Opened:
    """A table of another library, handed over as Arrow, as an open source.

    Parameters
    ----------
    source : ArrowStream

    Returns
    -------
    Opened
    """
    table = source if isinstance(source, pa.Table) else pa.table(source)
    package = type(source).__module__.partition(".")[0]
    return open_table(table, f"a table of {package}")


def open_parquet(source: FileBytes) -> Opened:
    """A Parquet file as an open source, read by columns and, where asked for, in batches.

    Parameters
    ----------
    source : FileBytes

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If it is damaged.
    """
    handle = (
        (lambda: pa.BufferReader(source.read())) if source.packing else (lambda: str(source.path))
    )
    try:
        with pq.ParquetFile(handle()) as file:
            names, n_rows = tuple(file.schema_arrow.names), file.metadata.num_rows
            if not names:
                raise InvalidRatingsError("the Parquet file has no column")
            batches = file.iter_batches(min(SAMPLE_ROWS, max(n_rows, 1)))
            first = next(batches, None)
        first = pa.Table.from_batches([first] if first is not None else [], file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise InvalidRatingsError(DAMAGED) from error

    def read(positions: Sequence[int], types: Mapping[int, Any] = NO_TYPES) -> Loaded:
        parts = list(read_batches(positions))
        columns = {
            k: pa.chunked_array([chunk for part in parts for chunk in part.columns[k].chunks])
            for k in positions
        }
        return Loaded(columns, sum(part.n_rows for part in parts))

    def read_batches(positions: Sequence[int]) -> Iterator[Loaded]:
        n_done = 0
        try:
            with pq.ParquetFile(handle()) as file:
                wanted = [names[k] for k in positions]
                for batch in map(without_views, file.iter_batches(BATCH_ROWS, columns=wanted)):
                    columns = {k: batch.column(names[k]) for k in positions}
                    yield Loaded(columns, len(batch), first_position=n_done)
                    n_done += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise InvalidRatingsError(DAMAGED) from error

    return Opened(
        kind="Parquet",
        names=names,
        has_header=True,
        sample=loaded(without_views(first), range(len(names))),
        is_whole=first.num_rows == n_rows,
        read=read,
        batches=read_batches,
    )


DAMAGED = "no readable Parquet file: write it again"


def open_feather(source: FileBytes) -> Opened:
    """A Feather (Arrow) file as an open source.

    Parameters
    ----------
    source : FileBytes

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If it is damaged.
    """
    try:
        table = pa_feather.read_table(pa.BufferReader(source.read()))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidRatingsError("no readable Feather file: write it again") from error
    return open_table(table, "Feather")


def open_excel(source: FileBytes, table: str | None) -> Opened:
    """A sheet of an Excel workbook as an open source; the first row is the header.

    Parameters
    ----------
    source : FileBytes
    table : str, optional
        Name of the sheet, needed where there are several.

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If openpyxl is not installed, the file is damaged, or the sheet is not clear.
    """
    try:
        with pd.ExcelFile(source.path, engine="openpyxl") as book:
            sheet = chosen_table([str(name) for name in book.sheet_names], table, "sheet")
            frame = pd.read_excel(
                book, sheet_name=sheet, dtype=object, keep_default_na=False, na_values=[""]
            )
    except ImportError as error:
        raise InvalidRatingsError(
            "Excel files need openpyxl: pip install 'nbhelpers[excel]', or save it as .csv"
        ) from error
    except InvalidRatingsError:
        raise
    except Exception as error:  # openpyxl raises KeyError, BadZipFile, XML errors and others
        raise InvalidRatingsError("no readable Excel file: save it again, or as .csv") from error
    return _open_columns(frame.infer_objects(), f"Excel, sheet {sheet}")


def chosen_table(names: list[str], wanted: str | None, what: str) -> str:
    """The table that was named, or the only one.

    Parameters
    ----------
    names : list of str
    wanted : str, optional
    what : {"table", "sheet"}

    Returns
    -------
    str

    Raises
    ------
    InvalidRatingsError
        If there are several and none is named, or none of that name.
    """
    if wanted in names:
        return str(wanted)
    if wanted is None and len(names) == 1:
        return names[0]
    if not names:
        raise InvalidRatingsError(f"there is no {what} in it")
    found = f"no {what} {wanted!r}" if wanted else f"{len(names)} {what}s"
    raise InvalidRatingsError(
        f"the file holds {found} ({some(names)}): name one, table={names[0]!r} "
        f"(on the command line: --table {names[0]!r})"
    )
