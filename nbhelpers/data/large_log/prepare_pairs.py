"""From a log of any size to shards that training streams: one call, and memory that does not grow.

DuckDB does the work, in queries that ``log_queries.py`` and ``part_rules.py`` hold; what does not
fit into ``memory_limit`` goes to a folder beside the result and is removed with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nbhelpers.core.checks import require_one
from nbhelpers.data.large_log.log_queries import (
    batches_of,
    counts_of,
    encode_rows,
    keep_core,
    number_ids,
    open_log,
    refuse_gaps,
    work_room,
)
from nbhelpers.data.large_log.part_rules import NAMES, EverythingTrains, PartRule
from nbhelpers.data.large_log.prepared import PreparedPairs, write_description
from nbhelpers.data.large_log.shards import row_groups, write_groups, write_shards
from nbhelpers.data.ratings_file.formats import PARQUET_SUFFIXES
from nbhelpers.data.ratings_file.stream import stream_to_parquet

ROWS_PER_GROUP = 1 << 16
GROUPS_PER_SHARD = 64  # 4 million pairs, some 20 MB


def prepare_pairs(
    log: str | Path,
    folder: str | Path,
    *,
    split: PartRule | None,
    min_rating: float | None = None,
    min_per_user: int = 1,
    min_per_item: int = 1,
    weights: str | None = None,
    seed: int = 0,
    rows_per_group: int = ROWS_PER_GROUP,
    groups_per_shard: int = GROUPS_PER_SHARD,
    memory_limit: str = "1GB",
    n_threads: int = 2,
    reading: Mapping[str, Any] | None = None,
) -> PreparedPairs:
    """Count, filter, number, split and shuffle a log, and write what training and tests stream.

    The steps, in this order: likes are the rows of ``min_rating`` or more; users and items with
    too few likes leave, until all have enough (the *k-core*); the ids that are left are numbered
    in their order; ``split`` says to which part a row belongs; and each part is written in a
    random order. The same seed gives the same files, whatever the number of threads.

    A row below ``min_rating`` is in no shard. If its user and item are left, it stands in
    ``by_user``, since a list must not show again what somebody has disliked.

    Parameters
    ----------
    log : str or Path
        Parquet with ``user_id`` and ``item_id`` (perhaps ``rating``, ``weight``, ``timestamp`` in
        seconds), as ``stream_to_parquet`` writes it; a folder of such files; or any file that
        ``stream_to_parquet`` reads, which is then called first.
    folder : str or Path
        New or empty. It appears when it is complete.
    split : LastRows, RandomShare, FromDate or None
        What is held out; ``None`` trains on everything.
    min_rating : float, optional
        The lowest rating that is a like. Left out, every row is one, whatever its rating.
    min_per_user, min_per_item : int
        Likes that each user and each item must have, of those who are left.
    weights : str, optional
        A column of numbers above 0, which shards then hold as ``weight``.
    seed : int
        Decides random shares, the later of two rows of one second, and the order of the shards.
    rows_per_group, groups_per_shard : int
        Rows of a row group, and row groups of a file; only the last ones are shorter.
    memory_limit : str
        What DuckDB may hold. Python and Arrow take some 200 MB besides.
    n_threads : int
    reading : mapping, optional
        Arguments of ``stream_to_parquet``, such as ``{"user": "uid", "repeats": "last"}``.

    Returns
    -------
    PreparedPairs

    Raises
    ------
    ValueError
        If the log cannot be read, lacks what the choices need (``min_rating`` without ratings, a
        split by time without times), holds a pair twice, or a part would be empty.
    OSError
        If ``folder`` holds something, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from nbhelpers.data.large_log.part_rules import LastRows
    >>> rows = [(7, 1, 10), (7, 2, 20), (7, 3, 30), (9, 1, 10), (9, 3, 20), (8, 2, 10)]
    >>> log = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    >>> with tempfile.TemporaryDirectory() as place:
    ...     log.to_parquet(f"{place}/log.parquet")
    ...     prepared = prepare_pairs(
    ...         f"{place}/log.parquet", f"{place}/pairs", split=LastRows(2), min_per_user=2
    ...     )
    ...     valid = pd.read_parquet(prepared.valid)
    >>> valid.sort_values("user_idx")[["user_idx", "item_idx"]].values.tolist()
    [[0, 2], [1, 2]]
    >>> for step, n_rows in prepared.report["rows"].items():
    ...     print(n_rows, step)
    6 rows of the log
    5 2 or more a user, 1 or more an item
    3 train
    2 valid
    """
    require_one(rows_per_group=rows_per_group, groups_per_shard=groups_per_shard)
    choices = _Choices(
        rule=split or EverythingTrains(),
        min_rating=min_rating,
        least=(min_per_user, min_per_item),
        weights=weights,
        seed=seed,
        sizes=(rows_per_group, groups_per_shard),
    )
    with _new_folder(Path(folder)) as draft, _scratch(draft) as scratch:
        paths = _parquet_of(Path(log), scratch, reading, memory_limit)
        room = work_room(scratch, memory_limit=memory_limit, n_threads=n_threads)
        with room as connection:
            prepared = _Preparation(connection, draft, choices).run(paths)
        write_description(prepared)
    return replace(prepared, folder=Path(folder))


@dataclass(frozen=True)
class _Choices:
    """What was asked for."""

    rule: PartRule
    min_rating: float | None
    least: tuple[int, int]
    weights: str | None
    seed: int
    sizes: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "split": self.rule.says(),
            "min_rating": self.min_rating,
            "min_per_user": self.least[0],
            "min_per_item": self.least[1],
            "weights": self.weights,
            "seed": self.seed,
            "rows_per_group": self.sizes[0],
            "groups_per_shard": self.sizes[1],
        }


class _Preparation:
    """The steps, with the counts after each."""

    def __init__(self, connection: Any, folder: Path, choices: _Choices) -> None:
        self.connection, self.folder, self.choices = connection, folder, choices
        self.steps: list[dict[str, Any]] = []

    def run(self, paths: list[Path]) -> PreparedPairs:
        """Go through all steps."""
        self._open(paths)
        self._filter()
        number_ids(self.connection)
        encode_rows(self.connection, seed=self.choices.seed)
        self._cut()
        n_rows = self._write_parts()
        self._write_ids()
        return PreparedPairs(
            folder=self.folder,
            n_users=self._size("users"),
            n_items=self._size("items"),
            n_rows=n_rows,
            steps=tuple(self.steps),
            settings=self.choices.to_dict(),
        )

    def _open(self, paths: list[Path]) -> None:
        rating, weights = self.choices.min_rating, self.choices.weights
        open_log(self.connection, paths, min_rating=rating, weights=weights)
        refuse_gaps(
            self.connection,
            needs_times=self.choices.rule.needs_times,
            rated=rating is not None,
            weighted=weights is not None,
        )
        self._count("rows of the log", "log")

    def _filter(self) -> None:
        if self.choices.min_rating is not None:
            self._count(f"rated {self.choices.min_rating:g} or more", "log WHERE liked")
        user, item = self.choices.least
        rounds = keep_core(self.connection, min_per_user=user, min_per_item=item)
        if rounds or max(user, item) > 1:
            kept = " AND ".join(
                f"{side}_id IN (SELECT {side}_id FROM kept_{side}s)" for side in ("user", "item")
            )
            step = f"{user} or more a user, {item} or more an item"
            self._count(step, f"log WHERE liked AND {kept}")

    def _cut(self) -> None:
        rule = self.choices.rule
        rule.prepare(self.connection)
        self.connection.execute(
            f"CREATE OR REPLACE VIEW parted AS SELECT rows.*, {rule.expression()} AS part "
            f"FROM rows LEFT JOIN cuts USING (user_idx)"
        )

    def _write_parts(self) -> dict[str, int]:
        n_rows = {}
        for part, name in enumerate(NAMES[: self.choices.rule.n_parts]):
            where = f"parted WHERE liked AND part = {part}"
            self._count(name, where)
            n_rows[name] = self.steps[-1]["rows"]
            if not n_rows[name]:
                raise ValueError(
                    f"the {name} part would be empty: {self.choices.rule.says()} leaves it no row"
                )
            self._write_shards(name, where)
        self._write_by_user()
        return n_rows

    def _write_shards(self, name: str, where: str) -> None:
        columns = "user_idx, item_idx"
        columns += ", weight" if self.choices.weights else ""
        columns += ", timestamp" if self._has_times() else ""
        query = f"SELECT {columns} FROM {where} ORDER BY place, user_idx, item_idx"
        groups = self._groups(query, self.choices.sizes[0])
        write_shards(groups, self.folder / name, groups_per_shard=self.choices.sizes[1])

    def _has_times(self) -> bool:
        found = self.connection.execute("SELECT count(timestamp) = count(*) FROM rows").fetchone()
        return bool(found[0])

    def _write_by_user(self) -> None:
        query = (
            "SELECT user_idx, item_idx, CAST(part AS TINYINT) AS part, liked FROM parted "
            "ORDER BY user_idx, item_idx"
        )
        groups = self._groups(query, ROWS_PER_GROUP)
        write_groups(_NoRepeats(self.connection).checked(groups), self.folder / "by_user.parquet")

    def _write_ids(self) -> None:
        for side in ("user", "item"):
            query = (
                f"SELECT {side}_idx, any_value({side}_id) AS {side}_id, "
                f"count(*) FILTER (WHERE liked) AS count, "
                f"count(*) FILTER (WHERE liked AND part = 0) AS n_train "
                f"FROM parted JOIN {side}s USING ({side}_idx) GROUP BY {side}_idx "
                f"ORDER BY {side}_idx"
            )
            write_groups(self._groups(query, ROWS_PER_GROUP), self.folder / f"{side}s.parquet")

    def _groups(self, query: str, n_rows: int) -> Iterator[Any]:
        return row_groups(batches_of(self.connection, query), n_rows)

    def _size(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def _count(self, step: str, source: str) -> None:
        self.steps.append({"step": step, **counts_of(self.connection, source)})


class _NoRepeats:
    """Refuses a pair that comes twice, which a file sorted by pair shows as it is written."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._last = np.array([-1]), np.array([-1])

    def checked(self, groups: Iterator[Any]) -> Iterator[Any]:
        """The same tables, each looked at."""
        for group in groups:
            self._look(group)
            yield group

    def _look(self, group: Any) -> None:
        columns = [
            np.concatenate([last, group[name].to_numpy()])
            for name, last in zip(("user_idx", "item_idx"), self._last, strict=True)
        ]
        same = np.logical_and(*(column[1:] == column[:-1] for column in columns)).nonzero()[0]
        if len(same):
            raise ValueError(self._message(*(int(column[same[0]]) for column in columns)))
        self._last = columns[0][-1:], columns[1][-1:]

    def _message(self, user_idx: int, item_idx: int) -> str:
        ids = self._connection.execute(
            "SELECT user_id, item_id FROM users, items WHERE user_idx = ? AND item_idx = ?",
            [user_idx, item_idx],
        ).fetchone()
        return (
            f"user_id {ids[0]} comes with item_id {ids[1]} more than once, perhaps in two parts: "
            f"say which row counts, by reading={{'repeats': 'last'}} (--repeats last)"
        )


def _parquet_of(
    log: Path, scratch: Path, reading: Mapping[str, Any] | None, memory_limit: str
) -> list[Path]:
    """The Parquet files of a log; any other file is made one first."""
    if not log.exists():
        raise ValueError(f"no such file or folder, looked for {log}")
    if log.is_dir():
        if reading:
            raise ValueError("reading= is for one file, got a folder: write each file first")
        return _files_in(log)
    if log.suffix.lower() in PARQUET_SUFFIXES and not reading and _has_ids(log):
        return [log]
    written = scratch / "log.parquet"
    stream_to_parquet(log, written, **{"memory_limit": memory_limit, **(reading or {})})
    return [written]


def _files_in(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PARQUET_SUFFIXES and path.name[0] not in "._"
    )
    if not found:
        raise ValueError(f"{folder} holds no file that ends in {' or '.join(PARQUET_SUFFIXES)}")
    return found


def _has_ids(path: Path) -> bool:
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name}: no readable Parquet file: write it again") from error
    return {"user_id", "item_id"} <= set(names)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A draft beside a new folder, which takes its place when all of it was written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} holds something already: name a new folder")
    draft = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _scratch(draft: Path) -> Iterator[Path]:
    """Room for tables and overflow, removed before the draft takes its place."""
    scratch = draft / "scratch"
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)
