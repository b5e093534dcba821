"""What the values of a column look like: times, numbers on a scale, or names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbhelpers.data.ratings_file.number_values import (
    DECIMAL_COMMA,
    DECIMAL_NUMBER,
    THOUSANDS,
    parse_numbers,
)
from nbhelpers.data.ratings_file.opened import Opened
from nbhelpers.data.ratings_file.parsed import clean_text, distinct, is_text, matches
from nbhelpers.data.ratings_file.time_formats import ISO_DATE, MONTH_NAME, NUMBERED, UNITS

# Between 1995 and 2065 a number of seconds is rather a time than an id.
EARLIEST, LATEST = 788_918_400, 2_998_166_400
FIRST_ROWS = 2000
TIME_TYPES = (pa.int64(), pa.timestamp("us"), pa.timestamp("us", "UTC"))
HIGHEST_STAR, MOST_COUNTS = 10, 100


@dataclass(frozen=True)
class Look:
    """What is seen of the first rows of a column.

    Attributes
    ----------
    kind : {"time", "number", "text", "empty"}
    n_distinct : int
    low, high : float
        Of numbers.
    whole : bool
        Whether all numbers are whole.
    """

    kind: str
    n_distinct: int
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    @property
    def is_stars(self) -> bool:
        """Whether these may be ratings on a usual scale."""
        return self.kind == "number" and self.low >= -HIGHEST_STAR and self.high <= HIGHEST_STAR

    @property
    def is_counts(self) -> bool:
        """Whether these are more likely counts than ratings."""
        return self.kind == "number" and self.low >= 0 and self.high > MOST_COUNTS


def look_at(column: Any) -> Look:
    """What a column looks like.

    Parameters
    ----------
    column : pyarrow.ChunkedArray

    Returns
    -------
    Look
    """
    _, values = distinct(column)
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Look("time", pc.count_distinct(values).as_py())
    if is_text(kind):
        values = pc.unique(pc.drop_null(clean_text(values)))
        return _look_at_text(values)
    if pa.types.is_null(kind) or not len(pc.drop_null(values)):
        return Look("empty", 0)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _look_at_numbers(pc.unique(pc.drop_null(values)))
    return Look("text", len(values))


def _look_at_text(values: Any) -> Look:
    n_distinct = len(values)
    if not n_distinct:
        return Look("empty", 0)
    numbers = matches(values, DECIMAL_NUMBER)
    commas = matches(values, DECIMAL_COMMA) | matches(values, THOUSANDS)
    if (numbers | commas).all():
        return _look_at_numbers(values, decimal="," if commas.any() and not numbers.all() else ".")
    dates = matches(values, ISO_DATE) | matches(values, NUMBERED)
    named = matches(values, MONTH_NAME) & matches(values, r"[0-9]{2}")
    if (dates | (named & matches(values, r"\A.{8,40}\z"))).all():
        return Look("time", n_distinct)
    return Look("text", n_distinct)


def _look_at_numbers(values: Any, decimal: str = ".") -> Look:
    numbers = parse_numbers(values, decimal=decimal).cells
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Look("empty", 0)
    whole = bool((np.floor(numbers) == numbers).all())
    low, high = float(numbers.min()), float(numbers.max())
    is_time = any(
        EARLIEST * per_second <= low and high <= LATEST * per_second
        for per_second, _ in UNITS.values()
    )
    return Look("time" if is_time else "number", len(values), low, high, whole)


def quick_types(opened: Opened, positions: Mapping[str, int]) -> dict[int, Any]:
    """Types of pyarrow as which columns of text are read faster, judged by the first rows.

    Parameters
    ----------
    opened : Opened
    positions : mapping of str to int
        Column of each role.

    Returns
    -------
    dict of int to a type of pyarrow
        Whole numbers or date-times for times, one copy of each different text for names. Ids that
        look like numbers stay text, since 007 is not 7.
    """
    types = {}
    for role, position in positions.items():
        column = opened.sample.columns[position].slice(0, FIRST_ROWS)
        if not is_text(column.type) or not len(column):
            continue
        if role == "time":
            fitting = [kind for kind in TIME_TYPES if _can_be(column, kind)]
            types.update({position: fitting[0]} if fitting else {})
        elif look_at(column).kind == "text":
            types[position] = pa.dictionary(pa.int32(), pa.string())
    return types


def _can_be(column: Any, kind: Any) -> bool:
    try:
        pc.cast(column, kind)
    except pa.ArrowInvalid:
        return False
    return True
