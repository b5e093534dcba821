"""Tables of a database file: SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote

import duckdb
import pandas as pd
import pyarrow as pa

from nbhelpers.data.ratings_file.data_tables import chosen_table
from nbhelpers.data.ratings_file.formats import FileBytes
from nbhelpers.data.ratings_file.opened import Opened, open_table
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError

SQL_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"


def open_sqlite(source: FileBytes, table: str | None) -> Opened:
    """A table of an SQLite database as an open source, every cell as text.

    Parameters
    ----------
    source : FileBytes
    table : str, optional
        Its name, needed where there are several.

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If the file is damaged or packed, or the table is not clear.
    """
    _refuse_packed(source)
    address = f"file:{quote(str(source.path.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            tables = [name for (name,) in connection.execute(SQL_TABLES)]
            chosen = chosen_table(
                [name for name in tables if not name.startswith("sqlite_")], table, "table"
            )
            quoted = _quoted(chosen)
            described = connection.execute(f"SELECT * FROM {quoted} LIMIT 0").description
            names = [name for name, *_ in described]
            cells = ", ".join(f"CAST({_quoted(name)} AS TEXT) AS {_quoted(name)}" for name in names)
            frame = pd.read_sql_query(f"SELECT {cells} FROM {quoted}", connection)
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise InvalidRatingsError(f"no readable SQLite database ({error})") from error
    columns = [pa.array(frame[name], pa.large_string(), from_pandas=True) for name in names]
    return open_table(pa.Table.from_arrays(columns, names=names), f"SQLite, table {chosen}")


def open_duckdb(source: FileBytes, table: str | None) -> Opened:
    """A table of a DuckDB database as an open source.

    Parameters
    ----------
    source : FileBytes
    table : str, optional
        Its name, needed where there are several.

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If the file is damaged or packed, or the table is not clear.
    """
    _refuse_packed(source)
    try:
        with duckdb.connect(str(source.path), read_only=True) as connection:
            rows = connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
            chosen = chosen_table(sorted(name for (name,) in rows), table, "table")
            content = connection.sql(f"SELECT * FROM {_quoted(chosen)}").to_arrow_table()
    except duckdb.Error as error:
        raise InvalidRatingsError(f"no readable DuckDB database ({str(error)[:120]})") from error
    return open_table(content, f"DuckDB, table {chosen}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refuse_packed(source: FileBytes) -> None:
    if source.packing:
        raise InvalidRatingsError("a packed database cannot be opened: unpack it first")
