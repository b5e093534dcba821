"""A user's CSV or Parquet file as a raw table, refused where its bytes make no sense."""

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from nbhelpers.data.ratings_file.columns import InvalidRatingsError

MISSING_WORDS = ("", "na", "n/a", "nan", "null", "none", "<na>")
DELIMITERS = (",", ";", "\t", "|")
TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
UTF8_MARK, UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
# Stands after the last row: a quote that is never closed swallows it.
END_OF_ROWS = "\x02"


def read_table(path: Path, encoding: str) -> Any:
    """Content of a file as a pyarrow table; a text file gives text, null where a cell is empty.

    Parameters
    ----------
    path : Path
        A file ending in .csv, .tsv, .txt, .parquet or .pq.
    encoding : str
        Encoding of a text file.

    Returns
    -------
    pyarrow.Table
        All columns of the file, under its own names.

    Raises
    ------
    InvalidRatingsError
        If the file is not there, of another kind, or damaged.
    """
    if path.is_dir():
        raise InvalidRatingsError("this is a folder: name one file in it")
    if not path.exists():
        raise InvalidRatingsError(f"no such file, looked for {path}")
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        return _read_parquet(path)
    if suffix in TEXT_SUFFIXES:
        return _read_text(_file_bytes(path), encoding)
    known = ", ".join((*TEXT_SUFFIXES, *PARQUET_SUFFIXES))
    raise InvalidRatingsError(f"unknown kind of file {suffix or 'without a suffix'}: use {known}")


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRatingsError(f"cannot be opened ({error.strerror})") from error


def _read_parquet(path: Path) -> Any:
    data = _file_bytes(path)
    if not data:
        raise InvalidRatingsError("the file is empty")
    try:
        return pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidRatingsError("no readable Parquet file: write it again") from error


def _read_text(data: bytes, encoding: str) -> Any:
    data = _as_utf8(data, encoding)
    header = next((line for line in data[:65536].splitlines() if line.strip()), b"")
    if not header:
        raise InvalidRatingsError("the file is empty")
    delimiter, n_columns = _delimiter(header.decode(errors="replace"))
    end = delimiter.join([END_OF_ROWS] * n_columns).encode()
    table = _split_cells(data + b"\n" + end + b"\n", delimiter, n_columns)
    last = table.num_rows - 1
    if table.column(0)[last].as_py() != END_OF_ROWS:
        raise InvalidRatingsError(f"row {last}: a quote is opened and never closed")
    names = [cells[0].as_py() or "" for cells in table.columns]
    return table.slice(1, last - 1).rename_columns(names)


def _split_cells(data: bytes, delimiter: str, n_columns: int) -> Any:
    """All cells as trimmed text, the header as row 0."""
    odd_rows: list[Any] = []

    def judge(row: Any) -> str:
        if not row.text.strip():
            return "skip"
        odd_rows.append(row)
        return "error"

    names = [f"f{k}" for k in range(n_columns)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=judge
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string())
            ),
        )
    except pa.ArrowException as error:
        raise InvalidRatingsError(_odd_row(odd_rows)) from error
    trimmed = [_null_if_missing(pc.utf8_trim_whitespace(cells)) for cells in table.columns]
    return pa.table(dict(zip(names, trimmed, strict=True)))


def _null_if_missing(cells: Any) -> Any:
    missing = pc.is_in(pc.utf8_lower(cells), pa.array(MISSING_WORDS, pa.large_string()))
    return pc.if_else(missing, None, cells)


def _odd_row(odd_rows: list[Any]) -> str:
    if not odd_rows or odd_rows[0].number is None:
        return "cannot be split into rows and columns: check its delimiter and quotes"
    row = odd_rows[0]
    return (
        f"row {row.number - 1} has {row.actual_columns} cells, the header has "
        f"{row.expected_columns}: check the delimiter and quotes of {row.text[:40]!r}"
    )


def _delimiter(header: str) -> tuple[str, int]:
    """Delimiter found most often outside quotes in the header, and the number of columns."""
    bare = re.sub(r'"[^"]*"', "", header)
    delimiter = max(DELIMITERS, key=bare.count)
    return delimiter, len(next(csv.reader([header], delimiter=delimiter)))


def _as_utf8(data: bytes, encoding: str) -> bytes:
    if data.startswith(UTF8_MARK):
        data, encoding = data.removeprefix(UTF8_MARK), "utf-8"
    try:
        text = data.decode(encoding)
        return text.encode()
    except UnicodeDecodeError as error:
        cure = "utf-16" if data.startswith(UTF16_MARKS) else "latin-1"
        if encoding == cure:
            cure = "utf-8"
        row = data.count(b"\n", 0, error.start)
        raise InvalidRatingsError(
            f"byte {error.start} ({f'row {row}' if row else 'in the header'}) is not {encoding}: "
            f'try encoding="{cure}"'
        ) from error
    except (LookupError, UnicodeError) as error:
        raise InvalidRatingsError(
            f'encoding {encoding!r} cannot be used: try "utf-8" or "latin-1"'
        ) from error
