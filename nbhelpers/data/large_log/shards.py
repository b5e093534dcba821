"""Arrow batches from DuckDB to Parquet files with row groups of one length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def write_shards(groups: Iterator[Any], folder: Path, *, groups_per_shard: int) -> None:
    """Write tables to ``part-00000.parquet`` and so on, a row group each.

    Parameters
    ----------
    groups : iterator of Table
        Of ``row_groups``.
    folder : Path
        Is made.
    groups_per_shard : int
        Row groups of a file; the last one may have fewer.
    """
    folder.mkdir()
    for number in count():
        first = next(groups, None)
        if first is None:
            return
        path = folder / f"part-{number:05d}.parquet"
        write_groups(chain([first], islice(groups, groups_per_shard - 1)), path)


def write_groups(groups: Iterator[Any], path: Path) -> None:
    """Write tables, one at least, to a file, a row group each."""
    first = next(groups)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for group in chain([first], groups):
            writer.write_table(group, row_group_size=len(group))


def row_groups(batches: Iterable[Any], n_rows: int) -> Iterator[Any]:
    """The rows of Arrow batches in tables of ``n_rows`` each, all but the last.

    Examples
    --------
    >>> batches = [pa.record_batch({"k": [1, 2, 3]}), pa.record_batch({"k": [4]})]
    >>> [table["k"].to_pylist() for table in row_groups(batches, 2)]
    [[1, 2], [3, 4]]
    """
    held: list[Any] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += len(batch)
        if n_held >= n_rows:
            table = pa.Table.from_batches(held)
            n_full = n_held - n_held % n_rows
            for start in range(0, n_full, n_rows):
                yield table.slice(start, n_rows).combine_chunks()
            held, n_held = table.slice(n_full).to_batches(), n_held - n_full
    if n_held:
        yield pa.Table.from_batches(held).combine_chunks()
