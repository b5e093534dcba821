"""How times are written: the unit of numbers, the order of day and month, the names of months."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.parsed import clean_text, is_text, kind_word, matches
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError

FIRST_FEW = 1000
TIME_LIMIT = 4_102_444_800  # 2100-01-01, Unix seconds
# Per second, and the earliest second that a number of the unit may mean: 1973 but for seconds, so
# that no number fits two units.
UNITS = {"s": (1, 0), "ms": (10**3, 10**8), "us": (10**6, 10**8), "ns": (10**9, 10**8)}
DAY_FIRST, MONTH_FIRST = "DD/MM/YYYY", "MM/DD/YYYY"
ISO, NAMED, COMPACT, COMPACT_TIME, TYPED = "ISO", "named months", "YYYYMMDD", "YYYYMMDDhhmmss", ""
KNOWN_FORMATS = (*UNITS, ISO, DAY_FIRST, MONTH_FIRST, NAMED, COMPACT, COMPACT_TIME)
PLAIN_NUMBER = r"\A[+-]?[0-9]+(?:\.[0-9]*)?\z"
ISO_DATE = r"\A[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}(?:[T ].*)?\z"
NUMBERED = (
    r"\A(?P<a>[0-9]{1,2})[-/. ](?P<b>[0-9]{1,2})[-/., ]+(?P<y>[0-9]{4}|[0-9]{2})(?P<rest>[T ].*)?\z"
)
MONTH_NAME = r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"


def time_format(values: Any, asked: str | None) -> str:
    """How the times of a column are written.

    Parameters
    ----------
    values : pyarrow.Array
    asked : str, optional
        What the caller said: one of ``KNOWN_FORMATS``, or a format of ``strptime``.

    Returns
    -------
    str

    Raises
    ------
    AmbiguousRatingsError
        If days and months may be swapped.
    ValueError
        If the format that was asked for is none.
    """
    if asked is not None:
        if asked not in KNOWN_FORMATS and "%" not in asked:
            raise ValueError(
                f"time_format must be one of {list(KNOWN_FORMATS)} or a format such as "
                f"'%d.%m.%Y', got {asked!r}"
            )
        return asked
    kind = values.type
    if is_text(kind):
        return _format_of_text(pc.drop_null(clean_text(values)))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind):
        return TYPED
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise InvalidRatingsError(f"holds {kind_word(kind)} values: times are needed")
    numbers = np.asarray(pc.drop_null(values).cast(pa.float64(), safe=False))
    return _format_of_numbers(numbers)


def _format_of_numbers(numbers: NDArray[np.float64]) -> str:
    """Unit of numbers, or dates without dashes."""
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return "s"
    if _are_compact(numbers, 1):
        return COMPACT
    if _are_compact(numbers, 10**6):
        return COMPACT_TIME
    middle = float(np.median(numbers))
    for unit, (per_second, earliest) in UNITS.items():
        if earliest * per_second <= middle < TIME_LIMIT * per_second:
            return unit
    return "s"


def _are_compact(numbers: NDArray[np.float64], rest: int) -> bool:
    """Whether all numbers are dates such as 19971204, followed by so many more digits."""
    if len(numbers) > FIRST_FEW and not _are_compact(numbers[:FIRST_FEW], rest):
        return False
    days = numbers // rest
    year, month, day = days // 10_000, days // 100 % 100, days % 100
    fits = (year >= 1900) & (year <= 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(fits.all())


def _format_of_text(text: Any) -> str:
    """Format that most of the values have."""
    if not len(text):
        return "s"
    numbers = matches(text, PLAIN_NUMBER)
    if numbers.mean() >= 0.5:
        return _format_of_numbers(numbers_of_text(text.filter(pa.array(numbers)))[0])
    if matches(text, ISO_DATE).mean() >= 0.5:
        return ISO
    numbered = matches(text, NUMBERED)
    if numbered.mean() >= 0.5:
        return _day_or_month_first(text.filter(pa.array(numbered)))
    if matches(text, MONTH_NAME).mean() >= 0.5:
        return NAMED
    return "s"


def _day_or_month_first(text: Any) -> str:
    parts = pc.extract_regex(text, pattern=NUMBERED)
    first, second = (
        np.asarray(pc.struct_field(parts, name).cast(pa.int64())) for name in ("a", "b")
    )
    if (first > 12).any() and not (second > 12).any():
        return DAY_FIRST
    if (second > 12).any() and not (first > 12).any():
        return MONTH_FIRST
    example = text[int((first != second).argmax())].as_py()
    if (first > 12).any():
        raise InvalidRatingsError(
            f"holds dates with the day first and dates with the month first, e.g. "
            f"{text[int((first > 12).argmax())].as_py()!r} and "
            f"{text[int((second > 12).argmax())].as_py()!r}: write ISO dates such as 1997-12-04"
        )
    raise AmbiguousRatingsError(
        f"holds dates such as {example!r}, in which the day or the month may stand first: say "
        f"time_format='{DAY_FIRST}' or time_format='{MONTH_FIRST}' (on the command line: "
        f"--time-format {DAY_FIRST} or --time-format {MONTH_FIRST})"
    )


def numbers_of_text(text: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers that text spells, and where it spells none.

    Parameters
    ----------
    text : pyarrow.Array of large text, without nulls

    Returns
    -------
    numbers : ndarray of float64
    wrong : ndarray of bool
    """
    wrong = ~matches(text, PLAIN_NUMBER)
    plain = pc.utf8_ltrim(pc.if_else(pa.array(wrong), "0", text), characters="+")
    return np.asarray(pc.cast(plain, pa.float64())), wrong
