"""Ids as what they are: whole numbers where every one is written as such, else text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.parsed import (
    MISSING,
    MISSING_CURE,
    Parsed,
    clean_text,
    is_text,
    kind_word,
    matches,
    null_mask,
)
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, counted
from nbhelpers.data.raw_ids import FLOAT_LIMIT, visible_form

_CURE = "write ids as whole numbers or text"


def parse_ids(values: Any, *, look_alikes: str = "refuse", keep_text: bool = False) -> Parsed:
    """Ids as int64 where every one is written as a plain whole number, else as text.

    Parameters
    ----------
    values : pyarrow.Array
        Whole numbers or text. "007" or "7.0" among text keeps all of them text, so that no two ids
        become one.
    look_alikes : {"refuse", "merge"}
        What becomes of ids that differ only in what nobody sees.
    keep_text : bool
        Whether text stays text, even if all of it is whole numbers.

    Returns
    -------
    Parsed
        Of int64 (NumPy) or text (pyarrow).

    Raises
    ------
    InvalidRatingsError
        If they are neither whole numbers nor text, or two look alike.
    """
    kind = values.type
    if is_text(kind):
        return _from_text(values, look_alikes, keep_text)
    if pa.types.is_null(kind):
        parsed = Parsed(np.zeros(len(values), dtype=np.int64))
        parsed.complain(null_mask(values), MISSING, MISSING_CURE)
        return parsed
    if pa.types.is_floating(kind):
        return _from_floats(values)
    if pa.types.is_decimal(kind) and kind.scale <= 0:
        return _from_text(values.cast(pa.large_string()), look_alikes, keep_text)
    if not pa.types.is_integer(kind):
        raise InvalidRatingsError(f"holds {kind_word(kind)} values: {_CURE}")
    missing = null_mask(values)
    filled = pc.fill_null(values, 0)
    try:
        parsed = Parsed(np.asarray(filled.cast(pa.int64())))
    except pa.ArrowInvalid:  # beyond 64 bits with a sign: names made of digits
        parsed = Parsed(filled.cast(pa.large_string()))
    parsed.complain(missing, MISSING, MISSING_CURE)
    return parsed


def plain_whole_numbers(column: Any) -> NDArray[np.int64] | None:
    """A column of text as int64 if every cell is a plain whole number, or None; made for speed.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of text

    Returns
    -------
    ndarray of int64, or None
    """
    try:
        numbers = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        return None
    zero_before = pc.and_(pc.starts_with(column, "0"), pc.greater(pc.binary_length(column), 1))
    if column.null_count or pc.any(pc.or_(zero_before, pc.starts_with(column, "-0"))).as_py():
        return None
    return np.asarray(numbers.to_numpy(), dtype=np.int64)


def whole_numbers(text: Any) -> NDArray[np.int64] | None:
    """Text as int64 if each number is written as an int64 is printed ("7", not "007"), or None.

    Parameters
    ----------
    text : pyarrow.Array of large text, without nulls

    Returns
    -------
    ndarray of int64, or None
    """
    try:
        values = pc.cast(text, pa.int64())
    except pa.ArrowInvalid:  # no number, or beyond 64 bits: such ids are names made of digits
        return None
    printed_alike = pc.all(pc.equal(pc.cast(values, pa.large_string()), text)).as_py()
    return np.asarray(values) if printed_alike is not False else None


def _from_text(values: Any, look_alikes: str, keep_text: bool) -> Parsed:
    text = clean_text(values)
    missing = null_mask(text)
    changed = pc.not_equal(values.cast(pa.large_string()), text)
    n_trimmed = int(pc.sum(pc.cast(pc.fill_null(changed, False), pa.int64())).as_py() or 0)
    text = pc.fill_null(text, "0")
    whole = None if keep_text else whole_numbers(text)
    parsed = Parsed(text if whole is None else whole)
    parsed.complain(missing, MISSING, MISSING_CURE)
    if n_trimmed:
        parsed.notes.append(f"blanks around {counted(n_trimmed, 'id')} were cut off")
    if whole is not None:
        return parsed
    if matches(text, r'\A\{".*\}\z').any():
        raise InvalidRatingsError("holds JSON objects: write the id in them as a column of its own")
    cure = "close the quote before it, or remove it"
    parsed.complain(matches(text, r"[\r\n]"), "holds a line break", cure)
    _look_for_twins(parsed, look_alikes)
    if matches(text, r"\A-?[0-9]+\.0\z").all():
        parsed.notes.append("ids are written as floats (7.0) and stay text")
    return parsed


def _look_for_twins(parsed: Parsed, look_alikes: str) -> None:
    """Merge ids that differ only in what nobody sees, or refuse them."""
    ids = pd.Index(parsed.cells.to_pandas())
    plain = visible_form(ids)
    if plain is ids:
        return
    same = plain.to_frame(index=False).set_axis(["plain"], axis=1).assign(id=np.asarray(ids))
    same = same.drop_duplicates()
    twins = same[same["plain"].duplicated(keep=False)]
    if twins.empty:
        return
    if look_alikes == "refuse":
        pair = twins.loc[twins["plain"] == twins["plain"].iloc[0], "id"].tolist()[:2]
        raise InvalidRatingsError(
            f"holds ids that look the same and are not, {pair[0]!a} and {pair[1]!a}: say "
            "look_alikes='merge' to make them one (on the command line: --look-alikes merge)"
        )
    merged = len(twins) - twins["plain"].nunique()
    parsed.cells = pa.array(plain.to_numpy(dtype=object), pa.large_string())
    parsed.notes.append(f"{counted(merged, 'id')} merged with another that looks the same")


def _from_floats(values: Any) -> Parsed:
    missing = null_mask(values)
    numbers = np.asarray(pc.fill_null(values.cast(pa.float64()), 0.0))
    numbers = np.where(missing, 0.0, numbers)
    broken = np.floor(numbers) != numbers
    inexact = np.abs(numbers) >= FLOAT_LIMIT
    with np.errstate(invalid="ignore"):
        parsed = Parsed(np.where(inexact | broken, 0, numbers).astype(np.int64))
    parsed.complain(missing, MISSING, MISSING_CURE)
    parsed.complain(broken, "is not a whole number", _CURE)
    parsed.complain(inexact, "is a float too large to be exact", _CURE)
    return parsed
