"""A Parquet file that grows by a row group at a time and appears when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from nbhelpers.core.file_in_place import replacing


@contextmanager
def growing_parquet(path: Path) -> Iterator[Callable[[Any], None]]:
    """What appends an Arrow table to a file as a row group; the first decides on the columns.

    Parameters
    ----------
    path : Path
        In a folder that is there.

    Yields
    ------
    callable
        ``append(table)``; a table without rows is passed over.

    Raises
    ------
    ValueError
        If there is no such folder, or no row came.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "lists.parquet")
    ...     with growing_parquet(path) as append:
    ...         append(pa.table({"user_id": [7, 7]}))
    ...         append(pa.table({"user_id": [8]}))
    ...     pq.read_table(path)["user_id"].to_pylist()
    [7, 7, 8]
    """
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} for {path.name}: make it first")
    with replacing(path) as draft:
        file = _Growing(draft)
        try:
            yield file.append
        finally:
            file.close()
        if not draft.exists():
            raise ValueError(f"there is no row to write to {path.name}")


class _Growing:
    """The file, opened when the first table comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def append(self, table: Any) -> None:
        """Write a row group."""
        if len(table):
            self._writer = self._writer or pq.ParquetWriter(self._path, table.schema)
            self._writer.write_table(table, row_group_size=len(table))

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()
