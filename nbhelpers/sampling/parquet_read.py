"""Parquet files of pairs, read piece by piece: memory never holds a file, nor a row group."""

from __future__ import annotations

import copy
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
WEIGHT, TIMESTAMP = "weight", "timestamp"  # columns that a file may have besides
PIECE = 1 << 16  # rows read at a time, however long a row group is


class RowGroup(NamedTuple):
    """Where a row group is found."""

    path: Path
    footer: Any
    number: int


class Piece(NamedTuple):
    """Some rows of a file.

    Attributes
    ----------
    pairs : ndarray of int64, shape (n, 2)
        User and item of each row.
    weights : ndarray of float32, shape (n,), or None
        None where the files have no column of weights.
    """

    pairs: NDArray[np.int64]
    weights: NDArray[np.float32] | None


class PairFiles:
    """The row groups of one file or of a folder, found in the footers; rows stay on disk.

    Parameters
    ----------
    path : str or Path
        A Parquet file with integer columns ``user_idx`` and ``item_idx``, and numbers in
        ``weight`` if there is such a column; or a folder. In a folder, subfolders and names with
        a leading dot or underscore are passed over.
    n_users, n_items : int, optional
        What indices must be below.

    Attributes
    ----------
    groups : list of RowGroup
        By file name, then as in the file.
    n_pairs : int
    weighted : bool
        Whether the files have weights.

    Raises
    ------
    ValueError
        If there is no such file, no pair, a column is missing (or in some files only) or has
        another type, or the statistics of a row group tell of an index out of range.
    """

    groups: list[RowGroup]
    n_pairs: int
    weighted: bool

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
        self.weighted = _are_weighted(self.groups)
        for group in self.groups:
            self._check_statistics(group)

    def only(self, groups: Iterable[int]) -> PairFiles:
        """Some of the row groups alone."""
        some = copy.copy(self)
        some.groups = [self.groups[number] for number in groups]
        some.n_pairs = sum(each.footer.row_group(each.number).num_rows for each in some.groups)
        return some

    def largest(self) -> tuple[int, int]:
        """Largest index of a user and of an item, from the statistics where the files have them.

        Raises
        ------
        ValueError
            If row groups without statistics have to be read, and cannot be.
        """
        bounds = [self._largest_of(number) for number in range(len(self.groups))]
        users, items = zip(*bounds, strict=True)
        return max(users), max(items)

    def _largest_of(self, number: int) -> tuple[int, int]:
        group = self.groups[number]
        described = group.footer.row_group(group.number)
        columns = map(described.column, range(described.num_columns))
        found = {each.path_in_schema: each.statistics for each in columns}
        known = [found[name].max for name in COLUMNS if _has_bounds(found[name])]
        if len(known) < len(COLUMNS):
            pieces = (piece.pairs.max(axis=0) for piece in self.pieces([number]))
            known = np.max(list(pieces), axis=0).tolist()
        return int(known[0]), int(known[1])

    def pieces(self, order: Iterable[int]) -> Iterator[Piece]:
        """Rows of the row groups named by ``order``, at most ``PIECE`` at a time.

        Yields
        ------
        Piece

        Raises
        ------
        ValueError
            If a file is damaged, an index is missing or out of range, or a weight is missing,
            not finite or not above 0.
        """
        columns = [*COLUMNS, WEIGHT] if self.weighted else list(COLUMNS)
        for group in map(self.groups.__getitem__, order):
            try:
                for batch in _batches(group, columns):
                    weights = _weights(batch, group) if self.weighted else None
                    yield Piece(self._pairs(batch, group), weights)
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(group.path) from error

    def _pairs(self, batch: Any, group: RowGroup) -> NDArray[np.int64]:
        pairs = np.empty((len(batch), 2), dtype=np.int64)
        for side, name in enumerate(COLUMNS):
            pairs[:, side] = _complete(batch, name, group).cast(pa.int64())
            self._check_range(group, name, pairs[:, side].min(), pairs[:, side].max())
        return pairs

    def _check_statistics(self, group: RowGroup) -> None:
        """Refuse before the first row is read what the file itself says about its columns."""
        described = group.footer.row_group(group.number)
        for column in map(described.column, range(described.num_columns)):
            name, statistics = column.path_in_schema, column.statistics
            if name not in (*COLUMNS, WEIGHT) or statistics is None:
                continue
            if statistics.has_null_count and statistics.null_count:
                raise _missing(group, name, statistics.null_count)
            if name in COLUMNS and statistics.has_min_max:
                self._check_range(group, name, statistics.min, statistics.max)

    def _check_range(self, group: RowGroup, name: str, lowest: int, highest: int) -> None:
        size = self.sizes[name]
        outside = lowest if lowest < 0 else highest
        if lowest < 0 or (size is not None and highest >= size):
            bounds = "not be negative" if size is None else f"lie between 0 and {size - 1}"
            raise ValueError(
                f"{group.path.name}: {name} must {bounds}, got {outside} in row group "
                f"{group.number}: encode raw ids by write_pairs"
            )


def _has_bounds(statistics: Any) -> bool:
    return statistics is not None and bool(statistics.has_min_max)


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


def _are_weighted(groups: list[RowGroup]) -> bool:
    """Whether the files have weights, as numbers; refused if only some of them do."""
    weighted = {}
    for group in groups:
        schema = group.footer.schema.to_arrow_schema()
        weighted[group.path] = WEIGHT in schema.names
        kind = schema.field(WEIGHT).type if weighted[group.path] else pa.float32()
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise ValueError(f"{group.path.name}: {WEIGHT} must be numbers, got {kind}")
    if len(set(weighted.values())) > 1:
        with_, without = (
            min(path.name for path in weighted if weighted[path] is has) for has in (True, False)
        )
        raise ValueError(
            f"{with_} has a column {WEIGHT}, {without} has none: write all files with weights, "
            f"or all without"
        )
    return all(weighted.values())


def _batches(group: RowGroup, columns: list[str]) -> Iterator[Any]:
    # Mapped, so that Arrow holds some pages where it would otherwise hold a whole row group. Its
    # buffered reading would do, too, but up to Arrow 18 it fails on some files.
    with pq.ParquetFile(group.path, metadata=group.footer, memory_map=True) as file:
        batches = file.iter_batches(
            PIECE, row_groups=[group.number], columns=columns, use_threads=False
        )
        yield from filter(len, batches)


def _weights(batch: Any, group: RowGroup) -> NDArray[np.float32]:
    column = _complete(batch, WEIGHT, group).cast(pa.float32(), safe=False)
    weights: NDArray[np.float32] = column.to_numpy(zero_copy_only=False)
    wrong = weights[~((weights > 0) & (weights < np.inf))]
    if wrong.size:
        raise ValueError(
            f"{group.path.name}: {WEIGHT} must be finite and above 0, got {wrong[0]:g} in row "
            f"group {group.number}: leave out rows without a weight"
        )
    return weights


def _complete(batch: Any, name: str, group: RowGroup) -> Any:
    """A column in which nothing is missing."""
    column = batch.column(name)
    if column.null_count:
        raise _missing(group, name, column.null_count)
    return column


def _unreadable(path: Path) -> ValueError:
    return ValueError(f"{path.name}: no readable Parquet file: write it again")


def _missing(group: RowGroup, name: str, count: int) -> ValueError:
    where = f"{group.path.name}, row group {group.number}"
    return ValueError(f"{where}: {count:,} rows have no {name}: write them without these rows")
