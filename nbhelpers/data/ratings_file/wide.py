"""A matrix with a row for each user and a column for each item, as rows of user and item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.column_looks import look_at
from nbhelpers.data.ratings_file.opened import Opened, open_table
from nbhelpers.data.ratings_file.parsed import clean_text, is_text
from nbhelpers.data.ratings_file.questions import FEWEST_ITEMS, argument
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError
from nbhelpers.data.ratings_file.roles import column_position
from nbhelpers.data.ratings_file.spellings import is_known, tier_of

MOST_CELLS = 100_000_000


def is_wide(opened: Opened, choices: Choices) -> bool:
    """Whether a table has items (or users) as columns.

    Parameters
    ----------
    opened : Opened
    choices : Choices
        ``layout`` where the caller named it.

    Returns
    -------
    bool
        Without a word of the caller only if the first column differs in every row, and all others
        hold numbers on a scale of ratings under names that are no known ones.
    """
    if choices.layout is not None:
        return choices.layout == "wide"
    if opened.is_wide:
        return True
    others = opened.names[1:]
    if not opened.has_header or len(others) < FEWEST_ITEMS or any(map(is_known, others)):
        return False
    sample = opened.sample
    looks = [look_at(sample.columns[k]) for k in range(len(opened.names))]
    if looks[0].n_distinct != sample.n_rows or sample.n_rows < 2:
        return False
    return all(look.is_stars or look.kind == "empty" for look in looks[1:])


def open_wide(opened: Opened, choices: Choices) -> Opened:
    """The same table as one row for each cell that is filled.

    Parameters
    ----------
    opened : Opened
    choices : Choices
        ``columns`` may name the one of the users (or of the items).

    Returns
    -------
    Opened
        With the columns ``user_id``, ``item_id`` and ``rating``.

    Raises
    ------
    AmbiguousRatingsError
        If it is not clear whether rows are users or items.
    InvalidRatingsError
        If the matrix is too large.
    """
    id_at, rows_are = _id_column(opened, choices)
    others = [k for k in range(len(opened.names)) if k != id_at]
    table = opened.read(range(len(opened.names)))
    if table.n_rows * len(others) > MOST_CELLS:
        raise InvalidRatingsError(
            f"a matrix of {table.n_rows:,} x {len(others):,} cells: write one row for each rating"
        )
    if id_at is None:
        row_ids = pa.array(np.arange(1, table.n_rows + 1))
    else:
        row_ids = _plain(table.columns[id_at])
    long = _long(row_ids, [opened.names[k] for k in others], [table.columns[k] for k in others])
    names = ["user_id", "item_id"] if rows_are == "users" else ["item_id", "user_id"]
    columns_are = "items" if rows_are == "users" else "users"
    rows = open_table(
        pa.table(dict(zip([*names, "rating"], long, strict=True))),
        f"a wide matrix ({opened.kind})",
        notes=[*opened.notes, f"rows are taken for {rows_are}, columns for {columns_are}"],
    )
    return replace(rows, is_wide=True)


def _id_column(opened: Opened, choices: Choices) -> tuple[int | None, str]:
    """The column of ids, and whether these are users or items."""
    for role, rows_are in (("user", "users"), ("item", "items")):
        column = choices.column(role)
        if column is not None and column is not False:
            return column_position(opened, column, role), rows_are
    first = opened.names[0]
    if tier_of(first, "user") is not None:
        return 0, "users"
    if tier_of(first, "item") is not None or tier_of(first, "title") is not None:
        return 0, "items"
    if not opened.has_header:
        return None, "users"
    given = argument(opened, 0)
    n_rows, n_columns = opened.sample.n_rows, len(opened.names) - 1
    raise AmbiguousRatingsError(
        f"this is a matrix, and its rows may be users or items: say user={given!r} "
        f"({n_rows:,} users, {n_columns:,} items) or item={given!r} "
        f"({n_columns:,} users, {n_rows:,} items; on the "
        f"command line: --user {given} or --item {given})"
    )


def _long(row_ids: Any, names: Sequence[str], columns: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Row ids, column names and values of all filled cells, row by row."""
    n_rows = len(row_ids)
    cells = pa.chunked_array([_plain(column) for column in columns])
    cells = cells.combine_chunks() if cells.num_chunks != 1 else cells.chunk(0)
    order = np.arange(len(cells)).reshape(len(columns), n_rows).T.reshape(-1)
    cells = cells.take(pa.array(order))
    filled = np.flatnonzero(np.asarray(pc.is_valid(cells)))
    rows, at = np.divmod(filled, len(columns))
    labels = pa.array([str(name) for name in names])
    return row_ids.take(pa.array(rows)), labels.take(pa.array(at)), cells.take(pa.array(filled))


def _plain(column: Any) -> Any:
    """A column as one array of text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    text = column if is_text(column.type) else column.cast(pa.large_string())
    return clean_text(text)
