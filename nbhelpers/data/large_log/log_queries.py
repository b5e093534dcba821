"""What is asked of DuckDB about a log: its rows, the likes, the k-core, and the ids in order.

The connection has a view ``log`` with ``user_id``, ``item_id``, ``timestamp`` (NULL where the log
has no times), ``weight`` (likewise) and ``liked``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from nbhelpers.core.checks import require_one

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
FETCHED = 1 << 16  # rows that come from DuckDB at a time


@contextmanager
def work_room(folder: Path, *, memory_limit: str, n_threads: int) -> Iterator[Any]:
    """A DuckDB connection whose tables and overflow lie in a folder.

    Parameters
    ----------
    folder : Path
    memory_limit : str
        Such as "1GB".
    n_threads : int

    Yields
    ------
    duckdb.DuckDBPyConnection

    Raises
    ------
    ValueError
        If the limit cannot be read, or is too little for the log.
    """
    require_one(n_threads=n_threads)
    connection = duckdb.connect(str(folder / "work.duckdb"))
    try:
        connection.execute("SET memory_limit = ?", [memory_limit])
        connection.execute("SET temp_directory = ?", [str(folder / "spill")])
        connection.execute(f"SET threads = {n_threads}")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise ValueError(
            f"memory_limit={memory_limit!r} is too little for this log: say more"
        ) from error
    except duckdb.ParserException as error:
        raise ValueError(f"memory_limit={memory_limit!r} is no size: say one as '1GB'") from error
    finally:
        connection.close()


def open_log(
    connection: Any, paths: Sequence[Path], *, min_rating: float | None, weights: str | None
) -> None:
    """Make the view ``log`` of Parquet files, after a look at their columns.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    paths : sequence of Path
    min_rating : float, optional
        The lowest rating that is a like; left out, every row is one.
    weights : str, optional
        The column that becomes ``weight``.

    Raises
    ------
    ValueError
        If a column is missing or of a type that needs a choice.
    """
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    source = f"read_parquet([{listed}])"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise ValueError(f"{paths[0].name}: no readable Parquet: write it again") from error
    kinds = {name: kind for name, kind, *_ in described}
    _check_columns(kinds, min_rating=min_rating, weights=weights)
    times = "CAST(timestamp AS BIGINT)" if "timestamp" in kinds else "CAST(NULL AS BIGINT)"
    weight = f"CAST({_name(weights)} AS FLOAT)" if weights else "CAST(NULL AS FLOAT)"
    liked = "TRUE" if min_rating is None else f"rating >= {float(min_rating)!r}"
    connection.execute(
        f"CREATE OR REPLACE VIEW log AS SELECT user_id, item_id, {times} AS timestamp, "
        f"{weight} AS weight, {liked} AS liked FROM {source}"
    )


def _check_columns(kinds: dict[str, str], *, min_rating: float | None, weights: str | None) -> None:
    wanted = ["user_id", "item_id", *(["rating"] if min_rating is not None else [])]
    absent = [name for name in [*wanted, *([weights] if weights else [])] if name not in kinds]
    if absent:
        raise ValueError(f"the log needs columns {absent}, it has {list(kinds)}")
    for name in ("user_id", "item_id"):
        if kinds[name] not in (*INTEGERS, "VARCHAR"):
            raise ValueError(
                f"{name} must be whole numbers or text, got {kinds[name]}: write the log by "
                f"stream_to_parquet"
            )
    if "timestamp" in kinds and kinds["timestamp"] not in INTEGERS:
        raise ValueError(
            f"timestamp must be whole seconds since 1970, got {kinds['timestamp']}: write the log "
            f"by stream_to_parquet"
        )


def refuse_gaps(connection: Any, *, needs_times: bool, rated: bool, weighted: bool) -> None:
    """Refuse a log without rows, or rows that lack what the choices need.

    Raises
    ------
    ValueError
    """
    n_rows, *counts = connection.execute(
        "SELECT count(*), count(user_id), count(item_id), count(timestamp), count(liked), "
        "count(*) FILTER (WHERE weight > 0 AND isfinite(weight)) FROM log"
    ).fetchone()
    if not n_rows:
        raise ValueError("the log has no rows: at least one is needed")
    if needs_times and not counts[2]:
        raise ValueError(
            "this split goes by time, and the log has no times: split at random, or name the "
            "column of times when the file is read"
        )
    wanted = {
        "user_id": (True, counts[0]),
        "item_id": (True, counts[1]),
        "timestamp": (needs_times, counts[2]),
        "rating": (rated, counts[3]),
        "weight above 0": (weighted, counts[4]),
    }
    for name, (needed, found) in wanted.items():
        if needed and found < n_rows:
            raise ValueError(
                f"{n_rows - found:,} of {n_rows:,} rows have no {name}: leave them out of the log"
            )


def keep_core(connection: Any, *, min_per_user: int, min_per_item: int) -> int:
    """Fill ``kept_users`` and ``kept_items``: the k-core of the likes.

    Users with too few likes leave, then items with too few likes of those who stay, and so on,
    until nobody leaves. What remains does not depend on who goes first.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    min_per_user, min_per_item : int
        Likes that a user and an item need, at least 1.

    Returns
    -------
    int
        Rounds that somebody left in.

    Raises
    ------
    ValueError
        If a number is below 1, or nobody is left.
    """
    require_one(min_per_user=min_per_user, min_per_item=min_per_item)
    _keep(connection, "user", "TRUE", min_per_user)
    _keep(connection, "item", "TRUE", min_per_item)
    sizes, rounds = _n_kept(connection), 0
    while max(min_per_user, min_per_item) > 1 and all(sizes):
        _keep(connection, "item", "user_id IN (SELECT user_id FROM kept_users)", min_per_item)
        _keep(connection, "user", "item_id IN (SELECT item_id FROM kept_items)", min_per_user)
        before, sizes = sizes, _n_kept(connection)
        if sizes == before:
            break
        rounds += 1
    if not all(sizes):
        raise ValueError(
            f"no row is left with {min_per_user} likes or more of each user and {min_per_item} of "
            f"each item: ask for fewer"
        )
    return rounds


def _n_kept(connection: Any) -> tuple[int, int]:
    found = connection.execute(
        "SELECT (SELECT count(*) FROM kept_users), (SELECT count(*) FROM kept_items)"
    ).fetchone()
    return int(found[0]), int(found[1])


def _keep(connection: Any, side: str, where: str, least: int) -> None:
    connection.execute(
        f"CREATE OR REPLACE TABLE kept_{side}s AS SELECT {side}_id FROM log "
        f"WHERE liked AND {where} GROUP BY {side}_id HAVING count(*) >= {least}"
    )


def number_ids(connection: Any) -> None:
    """Tables ``users`` and ``items``: kept ids in order, numbered from 0, as a Vocabulary is."""
    for side in ("user", "item"):
        connection.execute(
            f"CREATE OR REPLACE TABLE {side}s AS SELECT {side}_id, "
            f"CAST(row_number() OVER (ORDER BY {side}_id) - 1 AS INTEGER) AS {side}_idx "
            f"FROM kept_{side}s"
        )


def encode_rows(connection: Any, *, seed: int) -> None:
    """Table ``rows``: kept rows as indices, with two random numbers of seed and ids each.

    ``draw`` decides on parts and on rows of one second, ``place`` is where a row comes in its
    part. MD5 gives the same ones on every machine and for any number of threads.
    """
    connection.execute(
        f"""CREATE OR REPLACE TABLE rows AS
        SELECT user_idx, item_idx, timestamp, weight, liked,
               CAST(hash & 18446744073709551615 AS UBIGINT) AS draw,
               CAST(hash >> 64 AS UBIGINT) AS place
        FROM (SELECT user_idx, item_idx, timestamp, weight, liked, CAST(
                         md5_number(concat_ws(chr(31), user_id, item_id, {int(seed)})) AS UHUGEINT
                     ) AS hash
              FROM log JOIN users USING (user_id) JOIN items USING (item_id))"""
    )


def counts_of(connection: Any, source: str) -> dict[str, int]:
    """Rows, users and items of ``log`` or another table, perhaps with a WHERE."""
    form = "id" if source.startswith("log") else "idx"
    found = connection.execute(
        f"SELECT count(*), count(DISTINCT user_{form}), count(DISTINCT item_{form}) FROM {source}"
    ).fetchone()
    return dict(zip(("rows", "users", "items"), map(int, found), strict=True))


def batches_of(connection: Any, query: str) -> Iterator[Any]:
    """Rows of a query as Arrow batches, which DuckDB hands over as it goes."""
    result = connection.execute(query)
    is_new = hasattr(result, "to_arrow_reader")  # DuckDB 1.4 and before know the other name alone
    yield from (result.to_arrow_reader if is_new else result.fetch_record_batch)(FETCHED)


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
