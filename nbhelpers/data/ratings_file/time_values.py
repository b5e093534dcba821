"""Times as Unix seconds: numbers in any unit, dates in any order, months by name."""

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
    matches,
    null_mask,
)
from nbhelpers.data.ratings_file.time_formats import (
    COMPACT,
    COMPACT_TIME,
    DAY_FIRST,
    ISO,
    ISO_DATE,
    MONTH_FIRST,
    MONTH_NAME,
    NAMED,
    NUMBERED,
    TIME_LIMIT,
    TYPED,
    UNITS,
    numbers_of_text,
)

_CURE = "write Unix seconds in full, or ISO dates such as 1997-12-04"
NAMED_FORMATS = (
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%b %d %Y"),
    *("%d %b %Y %H:%M:%S", "%b %d, %Y %H:%M:%S", "%d %B %Y %H:%M:%S", "%d %b %Y, %H:%M"),
    *("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z"),
    *("%B %d, %Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z", "%d %b %Y %H:%M", "%b %d, %Y, %I:%M:%S %p"),
)


def parse_times(values: Any, form: str) -> Parsed:
    """Times as int64 Unix seconds; UTC where no zone is given, fractions are cut off.

    Parameters
    ----------
    values : pyarrow.Array
    form : str
        From ``time_format``.

    Returns
    -------
    Parsed
    """
    if pa.types.is_integer(values.type) and form in UNITS and not values.null_count:
        return _parse_whole_times(np.asarray(values.cast(pa.int64(), safe=False)), form)
    text = clean_text(values) if is_text(values.type) else None
    missing = null_mask(values if text is None else text)
    if text is not None and form in (*UNITS, COMPACT, COMPACT_TIME):
        seconds, wrong = numbers_of_text(pc.fill_null(text, "0"))
        seconds = _seconds_of(seconds, form)
    elif text is not None:
        seconds = _dates_of_text(pc.fill_null(text, ""), form)
        wrong = np.isnan(seconds)
    elif pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        zone = "UTC" if pa.types.is_timestamp(values.type) and values.type.tz else None
        stamps = pc.fill_null(values.cast(pa.timestamp("us", zone), safe=False), 0)
        seconds = np.floor(np.asarray(stamps.cast(pa.int64())) / 10**6)
        wrong = np.zeros(len(values), dtype=bool)
    elif pa.types.is_null(values.type):
        seconds, wrong = np.zeros(len(values)), np.zeros(len(values), dtype=bool)
    else:
        numbers = np.asarray(pc.fill_null(values, 0).cast(pa.float64(), safe=False))
        seconds = _seconds_of(np.where(missing, 0, numbers), form)
        wrong = np.zeros(len(values), dtype=bool)
    wrong &= ~missing
    outside = ~((seconds >= 0) & (seconds < TIME_LIMIT)) & ~missing & ~wrong
    parsed = Parsed(np.where(missing | wrong | outside, 0, seconds).astype(np.int64))
    parsed.complain(missing, MISSING, MISSING_CURE)
    problem = "is not a number" if form in UNITS else "is not a date of the calendar"
    parsed.complain(wrong, f"{problem} (times are read as {form or 'dates'})", _CURE)
    _refuse_outside(parsed, outside, form)
    return parsed


def _parse_whole_times(numbers: NDArray[np.int64], form: str) -> Parsed:
    """The common case: whole numbers, none missing."""
    per_second, earliest = UNITS[form]
    seconds = numbers if per_second == 1 else numbers // per_second
    outside = (seconds < earliest) | (seconds >= TIME_LIMIT)
    if outside.any():
        seconds = np.where(outside, 0, seconds)
    parsed = Parsed(seconds)
    _refuse_outside(parsed, outside, form)
    return parsed


def _refuse_outside(parsed: Parsed, outside: NDArray[np.bool_], form: str) -> None:
    read_as = {"s": "Unix seconds"}.get(form, form or "dates")
    cure = "correct or remove the row, or say time_format=... (--time-format FORMAT)"
    parsed.complain(outside, f"is outside 1970-2100 when read as {read_as}", cure)


def _seconds_of(numbers: NDArray[np.float64], form: str) -> NDArray[np.float64]:
    """Numbers of a unit as seconds; NaN or out of range where they are of another unit."""
    if form in (COMPACT, COMPACT_TIME):
        digits = pd.Series(np.where(np.isfinite(numbers), numbers, 0)).astype(np.int64).astype(str)
        pattern = "%Y%m%d" if form == COMPACT else "%Y%m%d%H%M%S"
        return _unix(pd.to_datetime(digits, format=pattern, utc=True, errors="coerce"))
    per_second, earliest = UNITS.get(form, (1, 0))
    seconds = np.floor(numbers / per_second)
    return np.where(seconds >= earliest, seconds, -1.0)


def _dates_of_text(text: Any, form: str) -> NDArray[np.float64]:
    """Seconds of dates, NaN where there is none."""
    if form in (DAY_FIRST, MONTH_FIRST):
        text = _iso_of_numbered(text, day_first=form == DAY_FIRST)
    elif form == NAMED:
        return _named(text)
    elif form not in (ISO, TYPED):
        return _unix(pd.to_datetime(_series(text), format=form, utc=True, errors="coerce"))
    return _iso(text)


def _iso(text: Any) -> NDArray[np.float64]:
    """Seconds of dates whose year stands first."""
    shaped = matches(text, ISO_DATE)
    for pattern, replacement in (
        (r"^([0-9]{4})/([0-9]{1,2})/", r"\1-\2-"),
        (r"^([0-9]{4})-([0-9])-", r"\1-0\2-"),
        (r"^([0-9]{4}-[0-9]{2})-([0-9])(\D|$)", r"\1-0\2\3"),
        (r"[T ]([0-9]):", r" 0\1:"),
        (r" ?(?:UTC|GMT|Z)$", "+00:00"),
    ):
        text = pc.replace_substring_regex(text, pattern=pattern, replacement=replacement)
    # a date alone has no zone
    text = pc.replace_substring_regex(
        text, pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})\+00:00$", replacement=r"\1"
    )
    text = pc.if_else(pa.array(shaped), text, None)
    times = _series(text)
    found = pd.to_datetime(times, format="ISO8601", utc=True, errors="coerce")
    for twelve_hours in ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p"):
        rest = found.isna() & times.notna()
        if not rest.any():
            break
        found = found.fillna(
            pd.to_datetime(times.where(rest), format=twelve_hours, utc=True, errors="coerce")
        )
    return _unix(found)


def _iso_of_numbered(text: Any, *, day_first: bool) -> Any:
    parts = pc.extract_regex(text, pattern=NUMBERED)
    day, month = ("a", "b") if day_first else ("b", "a")
    year = pc.struct_field(parts, "y")
    short = pc.less(pc.utf8_length(year), 4)
    # as strptime has it: 69 to 99 are 1969 to 1999
    century = pc.if_else(pc.greater_equal(year, "69"), _large("19"), _large("20"))
    year = pc.if_else(short, pc.binary_join_element_wise(century, year, _large("")), year)
    days = [pc.utf8_lpad(pc.struct_field(parts, each), 2, "0") for each in (month, day)]
    date = pc.binary_join_element_wise(year, *days, _large("-"))
    rest = pc.struct_field(parts, "rest")
    return pc.fill_null(pc.binary_join_element_wise(date, rest, _large("")), "")


def _large(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _named(text: Any) -> NDArray[np.float64]:
    """Seconds of dates with the English name of their month."""
    times = _series(text)
    named = pd.Series(matches(text, MONTH_NAME))
    found = pd.Series(pd.NaT, index=times.index, dtype="datetime64[s, UTC]")
    for form in (*NAMED_FORMATS, "mixed"):
        left = found.isna() & named
        if not left.any():
            break
        attempt = pd.to_datetime(times.where(left), format=form, utc=True, errors="coerce")
        found = found.fillna(attempt.astype(found.dtype))
    return _unix(found)


def _series(text: Any) -> pd.Series[Any]:
    return pd.Series(text.to_numpy(zero_copy_only=False), dtype=object)


def _unix(found: pd.Series[Any]) -> NDArray[np.float64]:
    """Date-times as seconds, NaN where there is none."""
    lost = found.isna().to_numpy(dtype=bool)
    seconds = found.fillna(pd.Timestamp(0, tz="UTC")).astype("datetime64[s, UTC]").astype(np.int64)
    return np.where(lost, np.nan, seconds.to_numpy(dtype=np.float64))
