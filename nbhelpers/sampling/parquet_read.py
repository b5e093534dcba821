"""Parquet files of pairs, read piece by piece: memory never holds a file, nor a row group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nbhelpers.core.checks import require_one
from nbhelpers.data.ratings_file.formats import PARQUET_SUFFIXES

COLUMNS = ("user_idx", "item_idx")
PIECE = 1 << 16  # rows read at a time, however long a row group is


class RowGroup(NamedTuple):
    """Where a row group is found."""

    path: Path
    footer: Any
    number: int


class PairFiles:
    """The row groups of one file or of a folder, known from the footers; rows stay on disk.

    Parameters
    ----------
    path : str or Path
        A Parquet file with integer columns ``user_idx`` and ``item_idx``, or a folder. In a
        folder, subfolders and names with a leading dot or underscore are passed over.
    n_users, n_items : int, optional
        What indices must be below.

    Attributes
    ----------
    groups : list of RowGroup
        By file name, then as in the file.
    n_pairs : int

    Raises
    ------
    ValueError
        If there is no such file, no pair, a column is missing or has another type, or the
        statistics of a row group tell of an index out of range.
    """

    groups: list[RowGroup]
    n_pairs: int

    def __init__(self, path: str | Path, *, n_users: int | None, n_items: int | None) -> None:
        self.sizes = dict(zip(COLUMNS, (n_users, n_items), strict=True))
        given = {"n_users": n_users, "n_items": n_items}
        require_one(**{name: size for name, size in given.items() if size is not None})
        self.groups = [
            RowGroup(file, footer, number)
            for file in _parquet_files(Path(path))
            for footer in [_footer(file)]
            for number in range(footer.num_row_groups)
        ]
        self.n_pairs = sum(each.footer.row_group(each.number).num_rows for each in self.groups)
        if not self.n_pairs:
            raise ValueError(f"{path} holds no pair to train on")
        for group in self.groups:
            self._check_statistics(group)

    def pieces(self, order: Iterable[int]) -> Iterator[NDArray[np.int64]]:
        """Rows of the row groups named by ``order``, at most ``PIECE`` at a time.

        Yields
        ------
        ndarray of int64, shape (n, 2)
            User and item of each row.

        Raises
        ------
        ValueError
            If a file is damaged, or an index is missing or out of range.
        """
        for group in map(self.groups.__getitem__, order):
            try:
                for batch in _batches(group):
                    yield self._rows(batch, group)
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(group.path) from error

    def _rows(self, batch: Any, group: RowGroup) -> NDArray[np.int64]:
        rows = np.empty((len(batch), 2), dtype=np.int64)
        for side, name in enumerate(COLUMNS):
            column = batch.column(name)
            if column.null_count:
                raise _missing(group, name, column.null_count)
            rows[:, side] = column.cast(pa.int64())
            self._check_range(group, name, rows[:, side].min(), rows[:, side].max())
        return rows

    def _check_statistics(self, group: RowGroup) -> None:
        """Refuse before the first row is read what the file itself says about its columns."""
        described = group.footer.row_group(group.number)
        for column in map(described.column, range(described.num_columns)):
            known = column.statistics
            if column.path_in_schema not in COLUMNS or known is None:
                continue
            if known.has_null_count and known.null_count:
                raise _missing(group, column.path_in_schema, known.null_count)
            if known.has_min_max:
                self._check_range(group, column.path_in_schema, known.min, known.max)

    def _check_range(self, group: RowGroup, name: str, lowest: int, highest: int) -> None:
        size = self.sizes[name]
        outside = lowest if lowest < 0 else highest
        if lowest < 0 or (size is not None and highest >= size):
            bounds = "not be negative" if size is None else f"lie between 0 and {size - 1}"
            raise ValueError(
                f"{group.path.name}: {name} must {bounds}, got {outside} in row group "
                f"{group.number}: encode raw ids by write_pairs"
            )


def _parquet_files(path: Path) -> list[Path]:
    if not path.exists():
        raise ValueError(f"no such file or folder, looked for {path}")
    if not path.is_dir():
        return [path]
    suited = (file for file in path.iterdir() if file.suffix.lower() in PARQUET_SUFFIXES)
    found = sorted(file for file in suited if file.name[0] not in "._" and file.is_file())
    if not found:
        raise ValueError(f"{path} holds no file that ends in {' or '.join(PARQUET_SUFFIXES)}")
    return found


def _footer(path: Path) -> Any:
    """What a file says about itself; refused unless it holds pairs."""
    try:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path) from error
    absent = [name for name in COLUMNS if name not in schema.names]
    if absent:
        raise ValueError(f"{path.name}: columns {absent} are required, got {schema.names}")
    for name in COLUMNS:
        if not pa.types.is_integer(schema.field(name).type):
            kind = schema.field(name).type
            raise ValueError(f"{path.name}: {name} must be integers, got {kind}: use write_pairs")
    return footer


def _batches(group: RowGroup) -> Iterator[Any]:
    # Mapped, so that Arrow holds some pages where it would otherwise hold a whole row group. Its
    # buffered reading would do, too, but up to Arrow 18 it fails on some files.
    with pq.ParquetFile(group.path, metadata=group.footer, memory_map=True) as file:
        batches = file.iter_batches(
            PIECE, row_groups=[group.number], columns=list(COLUMNS), use_threads=False
        )
        yield from filter(len, batches)


def _unreadable(path: Path) -> ValueError:
    return ValueError(f"{path.name}: no readable Parquet file: write it again")


def _missing(group: RowGroup, name: str, count: int) -> ValueError:
    where = f"{group.path.name}, row group {group.number}"
    return ValueError(f"{where}: {count:,} rows have no {name}: write them without these rows")
