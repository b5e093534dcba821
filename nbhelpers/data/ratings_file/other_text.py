"""Text files that are no table: a user with all items on a line, and blocks under an item."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.dialect import LOOKED_AT, is_number
from nbhelpers.data.ratings_file.formats import FileBytes
from nbhelpers.data.ratings_file.opened import Opened, open_table
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, counted
from nbhelpers.data.ratings_file.spellings import is_known

_BLOCK_HEAD = re.compile(r"[^,;\t:]+:")
_BLANKS = r"[ \t,;]+"
LINES_LOOKED_AT = 50


def layout_of(text: str, choices: Choices) -> str:
    """Whether a text is a table (``"long"``), ``"lists"`` of items, or ``"blocks"``.

    Parameters
    ----------
    text : str
        Its beginning.
    choices : Choices
        ``layout`` where the caller named it.

    Returns
    -------
    str
    """
    lines = [line for line in re.split(r"\r\n|\n|\r", text[:200_000])[:LOOKED_AT] if line.strip()]
    if not lines or choices.layout not in (None, "lists"):
        return "long"
    if choices.layout == "lists":
        return "lists"
    if _BLOCK_HEAD.fullmatch(lines[0].strip()) and any("," in line for line in lines[1:]):
        return "blocks"
    return "lists" if _are_lists(lines[:LINES_LOOKED_AT]) else "long"


def _are_lists(lines: Sequence[str]) -> bool:
    """Whether lines have different numbers of whole numbers, and nothing else."""
    rows = [re.split(r"[ \t]+", line.strip()) for line in lines[:-1] or lines]
    if any(is_known(cell) for cell in rows[0]) or len({len(row) for row in rows}) < 2:
        return False
    widths = [len(row) for row in rows]
    if max(widths.count(width) for width in set(widths)) > 0.9 * len(widths):
        return False
    return all(is_number(cell.partition(":")[0]) for row in rows for cell in row)


def open_lists(source: FileBytes, encoding: str) -> Opened:
    """Lines ``user item item ...``, or ``user item:rating item:rating ...``, as an open source.

    Parameters
    ----------
    source : FileBytes
    encoding : str

    Returns
    -------
    Opened
        With one row for each user and item.

    Raises
    ------
    InvalidRatingsError
        If no line has an item, or only some items have a rating.
    """
    lines = _lines(source, encoding)
    tokens = pc.split_pattern_regex(lines, pattern=_BLANKS)
    lengths = np.asarray(pc.list_value_length(tokens))
    flat = pc.list_flatten(tokens)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    is_item = np.ones(len(flat), dtype=bool)
    is_item[starts] = False
    users = flat.take(pa.array(np.repeat(starts, lengths - 1)))
    columns = {"user_id": users, **_items(flat.filter(pa.array(is_item)))}
    n_bare = int((lengths == 1).sum())
    bare = [f"{counted(n_bare, 'line')} with a user and no item"] if n_bare else []
    if not len(users):
        raise InvalidRatingsError("no line has an item after its user")
    return open_table(
        pa.table(columns),
        "lines of a user and all items of this user",
        notes=["the first id of a line is taken for the user, the others for items", *bare],
    )


def _items(tokens: Any) -> dict[str, Any]:
    """Items, and their ratings where they are written ``item:rating``."""
    rated = np.asarray(pc.match_substring(tokens, ":"))
    if not rated.any():
        return {"item_id": tokens}
    if not rated.all():
        bare = tokens[int(rated.argmin())].as_py()
        raise InvalidRatingsError(f"some items have a rating (item:rating), {bare!r} has none")
    parts = pc.extract_regex(tokens, pattern=r"^(?P<item>.*):(?P<rating>[^:]*)$")
    return {"item_id": pc.struct_field(parts, "item"), "rating": pc.struct_field(parts, "rating")}


def open_blocks(source: FileBytes, encoding: str) -> Opened:
    """Blocks ``item:`` with lines ``user,rating,date`` under each, as an open source.

    Parameters
    ----------
    source : FileBytes
    encoding : str

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If a line under an item has another number of cells than the first.
    """
    lines = _lines(source, encoding)
    is_head = np.asarray(pc.ends_with(lines, ":"))
    if not is_head[0]:
        raise InvalidRatingsError("row 1: a line 'item:' is needed before the first row")
    body = lines.filter(pa.array(~is_head))
    if not len(body):
        raise InvalidRatingsError("no rows: at least one rating is needed")
    heads = pc.utf8_rtrim(lines.filter(pa.array(is_head)), characters=": ")
    items = heads.take(pa.array((np.cumsum(is_head) - 1)[~is_head]))
    cells = pc.split_pattern(body, pattern=",")
    widths = np.asarray(pc.list_value_length(cells))
    odd = widths != widths[0]
    if odd.any():
        row = int(odd.argmax())
        raise InvalidRatingsError(
            f"row {row + 1} has {widths[row]} cells, the first has {widths[0]}: "
            f"correct {body[row].as_py()!r}"
        )
    flat = pc.list_flatten(cells)
    names = ("user_id", "rating", "date")[: widths[0]]
    columns = {
        name: flat.take(pa.array(np.arange(k, len(flat), widths[0])))
        for k, name in enumerate(names)
    }
    table = pa.table({"item_id": items, **columns})
    notes = ["a line 'id:' is taken for an item, the lines under it for user, rating and date"]
    return open_table(table, "blocks of ratings, one for each item", notes=notes)


def _lines(source: FileBytes, encoding: str) -> Any:
    """Lines of a text that are not blank."""
    try:
        text = source.read().decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidRatingsError(f"byte {error.start} is not {encoding}") from error
    whole = pa.array([text.replace("\r\n", "\n").replace("\r", "\n")], pa.large_string())
    lines = pc.utf8_trim_whitespace(pc.list_flatten(pc.split_pattern(whole, pattern="\n")))
    return lines.filter(pc.not_equal(lines, ""))
