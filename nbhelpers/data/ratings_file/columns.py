"""One column of a table at a time: ids, ratings and timestamps, parsed and checked."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

DECIMAL_NUMBER = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z"
PLAIN_NUMBER = r"\A[+-]?[0-9]+(?:\.[0-9]*)?\z"
DECIMAL_COMMA = r"\A[+-]?[0-9]*,[0-9]+\z"
ISO_DATE = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9].*)?\z"

INTEGER_LIMIT = 2**63
# Below this, a float64 holds every whole number; 2**53 + 1 is read as 2**53.
FLOAT_LIMIT = 2**53
TIME_LIMIT = 4_102_444_800  # 2100-01-01, Unix seconds
NUMBER_KINDS = ("integer", "floating", "mixed-integer-float", "decimal")
TIME_KINDS = ("datetime64", "datetime", "date")


class InvalidRatingsError(ValueError):
    """A ratings table that cannot be used, with the row and the column that stand in the way."""


def parse_ids(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Ids as int64 where every one is written as such, else as text.

    Parameters
    ----------
    column : Series
        Whole numbers or text, its name in messages. "007" or "7.0" among text keeps the whole
        column text, so that no two ids become one.

    Returns
    -------
    Series
        int64, or text.

    Raises
    ------
    InvalidRatingsError
        If an id is missing, is neither a whole number nor text, or is a float of 2**53 or more,
        which may have been another number before it was rounded.
    """
    column = _complete(column)
    kind = pd.api.types.infer_dtype(column)
    if kind == "string":
        return _parse_text_ids(column)
    if kind == "integer":
        fits = column.min() >= -INTEGER_LIMIT and column.max() < INTEGER_LIMIT
        if not fits:
            return pd.Series(column.astype(str).to_numpy(dtype=object), dtype="str")
    elif kind == "floating":
        values = column.to_numpy(dtype=np.float64)
        cure = "write ids as whole numbers or text"
        _refuse(np.floor(values) != values, column, "is not a whole number", cure)
        inexact = np.abs(values) >= FLOAT_LIMIT
        _refuse(inexact, column, "is a float too large to be exact", cure)
    else:
        raise InvalidRatingsError(
            f"column {column.name} holds {kind} values: write ids as whole numbers or text"
        )
    return pd.Series(column.to_numpy(dtype=np.int64))


def parse_stars(
    column: "pd.Series[Any]", rating_range: tuple[float, float] | None
) -> "pd.Series[float]":
    """Ratings as float64, all of them finite and within ``rating_range``.

    Parameters
    ----------
    column : Series
        Numbers, or text that spells numbers.
    rating_range : tuple of two floats, or None
        Lowest and highest rating allowed; ``None`` allows any finite number.

    Returns
    -------
    Series
        float64.

    Raises
    ------
    InvalidRatingsError
        If a rating is missing, no number, infinite or out of range.
    """
    column = _complete(column)
    cure = "write plain digits with a decimal point"
    values = _parse_numbers(column, DECIMAL_NUMBER, cure)
    _refuse(~np.isfinite(values), column, "is not a finite number", "remove the row")
    if rating_range is not None:
        low, high = rating_range
        problem = f"is outside rating_range ({low:g}, {high:g})"
        outside = (values < low) | (values > high)
        _refuse(outside, column, problem, "correct the row or the range")
    return pd.Series(values)


def parse_times(column: "pd.Series[Any]") -> "pd.Series[int]":
    """Times as int64 Unix seconds, from seconds or from ISO dates; fractions are cut off.

    Parameters
    ----------
    column : Series
        Unix seconds, ISO dates ("1997-12-04", "1997-12-04T15:55:49+01:00"; UTC where no zone is
        given), or pandas date-times.

    Returns
    -------
    Series
        int64, seconds since 1970-01-01 UTC.

    Raises
    ------
    InvalidRatingsError
        If a time is missing, unreadable, or not between 1970 and 2100.
    """
    column = _complete(column)
    if pd.api.types.infer_dtype(column) in TIME_KINDS or _starts_with_year(column):
        seconds = _parse_dates(column)
    else:
        cure = "write Unix seconds in full, or ISO dates such as 1997-12-04"
        seconds = np.floor(_parse_numbers(column, PLAIN_NUMBER, cure))
        _refuse_compact_dates(seconds, column)
    problem = "is outside 1970-2100 when read as Unix seconds"
    cure = "divide milliseconds by 1000, correct or remove the row"
    _refuse(~((seconds >= 0) & (seconds < TIME_LIMIT)), column, problem, cure)
    whole: pd.Series[int] = pd.Series(seconds, dtype=np.int64)
    return whole


def _parse_text_ids(column: "pd.Series[Any]") -> "pd.Series[Any]":
    text = _as_text(column)
    whole = _whole_numbers(text)
    if whole is not None:
        return pd.Series(whole)
    cure = "close the quote before it, or remove it"
    _refuse(_matches(text, r"[\r\n]"), column, "holds a line break", cure)
    return pd.Series(column.to_numpy(dtype=object), dtype="str")


def _whole_numbers(text: Any) -> NDArray[np.int64] | None:
    """Text as int64 if each number is written as an int64 is printed ("7", not "007"), or None."""
    try:
        values = pc.cast(text, pa.int64())
    except pa.ArrowInvalid:  # no number, or beyond 64 bits: such ids are names made of digits
        return None
    printed_alike = pc.all(pc.equal(pc.cast(values, pa.large_string()), text)).as_py()
    return np.asarray(values) if printed_alike else None


def _parse_numbers(column: "pd.Series[Any]", pattern: str, cure: str) -> NDArray[np.float64]:
    kind = pd.api.types.infer_dtype(column)
    if kind in NUMBER_KINDS:
        try:
            return column.to_numpy(dtype=np.float64)
        except OverflowError:
            raise InvalidRatingsError(f"column {column.name} holds a number too large") from None
    if kind != "string":
        raise InvalidRatingsError(f"column {column.name} holds {kind} values: numbers are needed")
    text = _as_text(column)
    whole = _whole_numbers(text)
    if whole is not None:
        return whole.astype(np.float64)
    comma_cure = 'write a decimal point, or pd.read_csv(..., decimal=",") and check_ratings'
    _refuse(_matches(text, DECIMAL_COMMA), column, "has a decimal comma", comma_cure)
    _refuse(~_matches(text, pattern), column, "is not a number", cure)
    return np.asarray(pc.cast(pc.utf8_ltrim(text, characters="+"), pa.float64()))


def _parse_dates(column: "pd.Series[Any]") -> NDArray[np.float64]:
    cure = "write 1997-12-04, 1997-12-04T15:55:49, or Unix seconds"
    if pd.api.types.infer_dtype(column) == "string":
        shape = _matches(_as_text(column), ISO_DATE)
        _refuse(~shape, column, "is not an ISO date", cure)
        found = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    else:
        found = pd.to_datetime(column, utc=True, errors="coerce")
    _refuse(found.isna().to_numpy(dtype=bool), column, "is not a date of the calendar", cure)
    seconds = found.astype("datetime64[s, UTC]").astype(np.int64)
    return np.asarray(seconds, dtype=np.float64)


def _refuse_compact_dates(seconds: NDArray[np.float64], column: "pd.Series[Any]") -> None:
    """Refuse 19971204, which as Unix seconds is a day in August 1970."""
    whole = np.where(np.isfinite(seconds), seconds, 0)
    year, month, day = whole // 10_000, whole // 100 % 100, whole % 100
    is_date = (year >= 1900) & (year <= 2100) & (month >= 1) & (month <= 12)
    if (is_date & (day >= 1) & (day <= 31)).all():
        _refuse(is_date, column, "looks like a date", "write 1997-12-04, or Unix seconds")


def _starts_with_year(column: "pd.Series[Any]") -> bool:
    first = column.iloc[0]
    return isinstance(first, str) and re.match(r"[0-9]{4}-", first) is not None


def _complete(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The column without categories around its values; refused where a cell is empty."""
    problem, cure = "is missing", "fill the cell or remove the row"
    _refuse(column.isna().to_numpy(dtype=bool), column, problem, cure)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.infer_dtype(column) == "string":
        _refuse((column == "").to_numpy(dtype=bool), column, problem, cure)
    return column


def _as_text(column: "pd.Series[Any]") -> Any:
    """Text as pyarrow holds it; a pandas text column is handed over without Python objects."""
    try:
        if isinstance(column.dtype, pd.StringDtype):
            return pa.array(column).cast(pa.large_string())
        return pa.array(column.to_numpy(dtype=object), type=pa.large_string())
    except UnicodeEncodeError:
        raise InvalidRatingsError(f"column {column.name} holds text that is no Unicode") from None


def _matches(text: Any, pattern: str) -> NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(text, pattern)).astype(np.bool_)


def _refuse(bad: NDArray[np.bool_], column: "pd.Series[Any]", problem: str, cure: str) -> None:
    """Raise on the first bad row, counting data rows from 1."""
    if not bad.any():
        return
    row, count = int(bad.argmax()), int(bad.sum())
    value = column.iloc[row]
    if isinstance(value, str):
        value = repr(value)
    shown = "the value" if problem == "is missing" else str(value)[:40]
    others = f" ({count:,} such rows)" if count > 1 else ""
    raise InvalidRatingsError(
        f"row {row + 1}, column {column.name}: {shown} {problem}{others}: {cure}"
    )
