"""Pairs larger than memory, from a stream of frames with ids to a Parquet file of indices."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nbhelpers.core.checks import require_one
from nbhelpers.data.interaction_checks import (
    column_of,
    encoded_pairs,
    timestamps_of_pairs,
    weights_of_pairs,
)
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.sampling.parquet_read import COLUMNS, PIECE, TIMESTAMP, WEIGHT


def vocabularies(frames: Iterable[pd.DataFrame]) -> tuple[Vocabulary, Vocabulary]:
    """Ids of a stream of frames; memory holds each id once.

    A stream is read twice, here and by ``write_pairs``: make it anew for each, for instance by
    ``pd.read_csv(path, chunksize=1_000_000, dtype={"user_id": str, "item_id": str})``. Naming
    the types keeps the same id from being a number in one frame and text in another.

    Parameters
    ----------
    frames : iterable of DataFrame
        Each with ``user_id`` and ``item_id``.

    Returns
    -------
    users, items : Vocabulary

    Raises
    ------
    ValueError
        If there is no row, a column or an id is missing, or ids are numbers here and text there.
    """
    # dicts keep the order in which ids come, so that a message names the same ones each time
    seen: dict[str, dict[Any, None]] = {"user_id": {}, "item_id": {}}
    for number, frame in enumerate(_several(frames), start=1):
        for name, ids in seen.items():
            if name not in frame.columns:
                raise ValueError(f"frame {number}: {name} is required, got {list(frame.columns)}")
            ids.update(dict.fromkeys(frame[name].unique().tolist()))
    if not all(seen.values()):
        raise ValueError("the frames hold no row: a stream can be read once, make it anew")
    return _vocabulary("user_id", seen["user_id"]), _vocabulary("item_id", seen["item_id"])


def write_pairs(
    frames: Iterable[pd.DataFrame],
    path: str | Path,
    *,
    users: Vocabulary,
    items: Vocabulary,
    weights: str | None = None,
    timestamps: str | None = None,
    rows_per_group: int = PIECE,
) -> int:
    """Write the pairs of a stream of frames as indices, whole or not at all.

    Memory holds one frame and one row group. So a pair that comes twice, perhaps in frames far
    apart, is not noticed, as it is by ``Interactions``: it stays, and trains twice.

    Parameters
    ----------
    frames : iterable of DataFrame
        Each with ``user_id`` and ``item_id``, in the order in which they are to be written.
    path : str or Path
        A Parquet file, which is replaced when all is written. Until then, and after an error,
        what was there before stays.
    users, items : Vocabulary
        They must contain every id.
    weights, timestamps : str, optional
        Names of the columns that hold them, as in ``Interactions.from_frame``. They are written
        as ``weight`` (float32), which ``StreamedPairs`` takes, and ``timestamp`` (int64).
    rows_per_group : int
        Rows of a row group, which is what ``StreamedPairs`` puts into a new order.

    Returns
    -------
    int
        Pairs written.

    Raises
    ------
    ValueError
        If there is no row, a column or an id is missing, a weight is not finite and above 0, a
        timestamp is no whole number, or ``rows_per_group`` is below 1.
    KeyError
        If an id is unknown; the message counts the rows in the first such frame.

    Examples
    --------
    >>> from nbhelpers.sampling.streaming import scan_pairs
    >>> frames = [
    ...     pd.DataFrame({"user_id": ["ann", "bob"], "item_id": [70, 10], "n_plays": [3, 1]}),
    ...     pd.DataFrame({"user_id": ["bob"], "item_id": [70], "n_plays": [9]}),
    ... ]
    >>> users, items = vocabularies(frames)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plays.parquet"
    ...     n_pairs = write_pairs(frames, path, users=users, items=items, weights="n_plays")
    ...     counts = scan_pairs(path)
    >>> n_pairs, counts.item_counts, counts.item_weights
    (3, array([1, 2]), array([ 1., 12.]))
    """
    require_one(rows_per_group=rows_per_group)
    encoder = _Encoder(users, items, weights=weights, timestamps=timestamps)
    tables = map(encoder.table, _several(frames), count(1))
    n_pairs = 0
    with _replacing(Path(path)) as draft, pq.ParquetWriter(draft, encoder.schema) as writer:
        for table in _in_groups(tables, rows_per_group):
            writer.write_table(table, row_group_size=rows_per_group)
            n_pairs += len(table)
        if not n_pairs:
            raise ValueError("the frames hold no row: a stream can be read once, make it anew")
    return n_pairs


def _several(frames: Iterable[pd.DataFrame] | pd.DataFrame) -> Iterable[pd.DataFrame]:
    if isinstance(frames, pd.DataFrame):
        raise ValueError("frames must be several frames, got a single one: pass [frame]")
    return frames


def _vocabulary(name: str, ids: dict[Any, None]) -> Vocabulary:
    try:
        return Vocabulary(list(ids))
    except ValueError as error:
        raise ValueError(
            f"{name} in all frames: {error}. A file is read with one type by "
            f'pd.read_csv(..., dtype={{"{name}": str}})'
        ) from error


def _narrow(size: int) -> Any:
    return pa.int32() if size <= 1 << 31 else pa.int64()


class _Encoder:
    """Makes tables of indices, all with the same columns, from frames of ids."""

    def __init__(
        self, users: Vocabulary, items: Vocabulary, *, weights: str | None, timestamps: str | None
    ) -> None:
        self.users, self.items = users, items
        self.weights, self.timestamps = weights, timestamps
        sizes = zip(COLUMNS, (len(users), len(items)), strict=True)
        fields = [(name, _narrow(size)) for name, size in sizes]
        if weights is not None:
            fields.append((WEIGHT, pa.float32()))
        if timestamps is not None:
            fields.append((TIMESTAMP, pa.int64()))
        self.schema = pa.schema(fields)

    def table(self, frame: pd.DataFrame, number: int) -> Any:
        """The rows of a frame, whose number is for messages."""
        try:
            columns = self._columns(frame)
        except (ValueError, KeyError) as error:
            raise type(error)(f"frame {number}: {error.args[0]}") from error
        return pa.table(list(map(pa.array, columns, self.schema.types)), schema=self.schema)

    def _columns(self, frame: pd.DataFrame) -> list[NDArray[Any]]:
        weights = column_of(frame, self.weights, name="weights")
        timestamps = column_of(frame, self.timestamps, name="timestamps")
        columns = [
            *encoded_pairs(frame, users=self.users, items=self.items),
            weights_of_pairs(weights, n_rows=len(frame)),
            timestamps_of_pairs(timestamps, n_rows=len(frame)),
        ]
        return [column for column in columns if column is not None]


def _in_groups(tables: Iterable[Any], n_rows: int) -> Iterator[Any]:
    """The same rows in tables of whole row groups, all but the last."""
    held: list[Any] = []
    n_held = 0
    for table in tables:
        held.append(table)
        n_held += len(table)
        if n_held >= n_rows:
            rows, n_rest = pa.concat_tables(held), n_held % n_rows
            yield rows.slice(0, n_held - n_rest)
            held, n_held = [rows.slice(n_held - n_rest)], n_rest
    if n_held:
        yield pa.concat_tables(held)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A draft beside a file, which takes its place unless an error comes first."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        draft = Path(file.name)
    try:
        yield draft
        draft.chmod(0o644)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
