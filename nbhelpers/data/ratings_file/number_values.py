"""Ratings and weights as float64, from numbers or from text that spells them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbhelpers.data.ratings_file.id_values import whole_numbers
from nbhelpers.data.ratings_file.parsed import (
    MISSING,
    Parsed,
    clean_text,
    is_text,
    kind_word,
    matches,
    null_mask,
)
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError

UNRATED_CURE = "fill the cell, or say unrated='drop' or 'implicit' (--unrated drop)"
DECIMAL_NUMBER = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z"
DECIMAL_COMMA = r"\A[+-]?[0-9]*,[0-9]+\z"
THOUSANDS = r"\A[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?\z"


def decimal_mark(values: Any, asked: str | None) -> str:
    """Which mark stands before the decimals.

    Parameters
    ----------
    values : pyarrow.Array
    asked : {".", ","}, optional
        What the caller said.

    Returns
    -------
    str
        ``"."`` or ``","``.

    Raises
    ------
    AmbiguousRatingsError
        If every comma is followed by three digits and nothing has a point, so that "1,500" may be
        1.5 or 1500.
    """
    if asked is not None or not is_text(values.type):
        return asked or "."
    text = clean_text(values)
    commas = matches(text, ",")
    if not commas.any() or not matches(text, DECIMAL_COMMA)[commas].all():
        return "."
    if matches(text, r"\.").any():
        return "."
    if matches(text, THOUSANDS)[commas].all():
        example = text[int(commas.argmax())].as_py()
        raise AmbiguousRatingsError(
            f"holds {example!r}, which may be {example.replace(',', '.')} or "
            f"{example.replace(',', '')}: say decimal=',' or decimal='.' "
            "(on the command line: --decimal , or --decimal .)"
        )
    return ","


def parse_numbers(values: Any, *, decimal: str = ".") -> Parsed:
    """Numbers as float64; a cell that is empty or no finite number is a problem.

    Parameters
    ----------
    values : pyarrow.Array
    decimal : {".", ","}
        See ``decimal_mark``.

    Returns
    -------
    Parsed

    Raises
    ------
    InvalidRatingsError
        If the values are of another type.
    """
    kind = values.type
    missing = null_mask(values)
    if is_text(kind):
        return _from_text(values, decimal)
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not numeric and not pa.types.is_null(kind):
        raise InvalidRatingsError(f"holds {kind_word(kind)} values: numbers are needed")
    numbers = np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), np.nan))
    parsed = Parsed(numbers)
    parsed.complain(missing, MISSING, UNRATED_CURE)
    _refuse_infinite(parsed, missing)
    return parsed


def _from_text(values: Any, decimal: str) -> Parsed:
    text = clean_text(values)
    missing = null_mask(text)
    text = pc.fill_null(text, "0")
    whole = whole_numbers(text)
    if whole is not None:
        parsed = Parsed(np.where(missing, np.nan, whole.astype(np.float64)))
        parsed.complain(missing, MISSING, UNRATED_CURE)
        return parsed
    if decimal == ",":
        text = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    else:
        grouped = matches(text, THOUSANDS)
        text = pc.if_else(pa.array(grouped), pc.replace_substring(text, ",", ""), text)
    comma = matches(text, DECIMAL_COMMA)
    wrong = ~matches(text, DECIMAL_NUMBER)
    plain = pc.utf8_ltrim(pc.if_else(pa.array(wrong), "0", text), characters="+")
    numbers = np.asarray(pc.cast(plain, pa.float64()))
    parsed = Parsed(np.where(missing | wrong, np.nan, numbers))
    parsed.complain(missing, MISSING, UNRATED_CURE)
    cure = 'write a decimal point everywhere, or say decimal="," (--decimal ,)'
    parsed.complain(comma, "has a decimal comma", cure)
    cure = (
        "write plain digits with a decimal point, or, if these are words, name the column as "
        "event=... and say event_weights={...} (--event NAME --event-weights view=1,buy=5)"
    )
    parsed.complain(wrong & ~comma, "is not a number", cure)
    _refuse_infinite(parsed, missing | wrong)
    return parsed


def _refuse_infinite(parsed: Parsed, known: Any) -> None:
    bad = ~np.isfinite(parsed.cells) & ~known
    parsed.complain(bad, "is not a finite number", "remove the row")
