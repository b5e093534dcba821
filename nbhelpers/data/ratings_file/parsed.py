"""Values of a column that were made sense of, and those that were not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.refusals import InvalidRatingsError

MISSING_WORDS = ("", "na", "n/a", "nan", "null", "none", "<na>", "\\n")
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with some values of a column.

    Attributes
    ----------
    bad : ndarray of bool, shape (n_values,)
    reason : str
        What is wrong, to follow the value.
    cure : str
    """

    bad: Mask
    reason: str
    cure: str


@dataclass
class Parsed:
    """Values of a column in their final type; those with a problem hold anything.

    Attributes
    ----------
    cells : ndarray or pyarrow.Array
    problems : list of Problem
        Without those that no value has.
    notes : list of str
        What was changed or assumed.
    """

    cells: Any
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def complain(self, bad: Mask, reason: str, cure: str) -> Mask:
        """Note a problem where there is one, and return its mask."""
        if bad.any():
            self.problems.append(Problem(bad, reason, cure))
        return bad


def is_text(kind: Any) -> bool:
    """Whether a pyarrow type is text."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def distinct(column: Any) -> tuple[NDArray[np.int64] | None, Any]:
    """Different values of a column, and where each stands.

    Parameters
    ----------
    column : pyarrow.Array or ChunkedArray

    Returns
    -------
    codes : ndarray of int64, shape (n_rows,), or None
        -1 where the cell is null. None where the values are those of the rows, one by one.
    values : pyarrow.Array
    """
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not pa.types.is_dictionary(column.type):
        if pa.types.is_null(column.type) or not _worth_encoding(column.type):
            return None, _one_chunk(column)
        column = column.dictionary_encode()
    elif column.num_chunks > 1:
        column = column.unify_dictionaries()
    chunks = column.chunks
    if not chunks:
        return None, pa.array([], column.type.value_type)
    values = chunks[0].dictionary
    if not is_text(values.type) and not _worth_encoding(values.type):
        return None, _one_chunk(column.cast(values.type))
    codes = np.concatenate([_codes(chunk) for chunk in chunks])
    return codes, values


def _codes(chunk: Any) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(chunk.indices.cast(pa.int64()), -1))


def _worth_encoding(kind: Any) -> bool:
    """Whether a value costs much to parse, so that each should be parsed once."""
    return is_text(kind) or bool(pa.types.is_decimal(kind))


def _one_chunk(column: Any) -> Any:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return combined.chunk(0) if combined.num_chunks else pa.array([], column.type)
    return combined


def clean_text(values: Any) -> Any:
    """Text without blanks around it, null where it is a word for nothing.

    Parameters
    ----------
    values : pyarrow.Array of text

    Returns
    -------
    pyarrow.Array of large text
    """
    try:
        text = pc.utf8_trim_whitespace(values.cast(pa.large_string()))
        missing = pc.is_in(pc.utf8_lower(text), pa.array(MISSING_WORDS, pa.large_string()))
    except pa.ArrowException as error:
        raise InvalidRatingsError("holds text that is no Unicode") from error
    return pc.if_else(missing, None, text)


def null_mask(values: Any) -> Mask:
    """Where values are null."""
    return np.asarray(pc.is_null(values, nan_is_null=True)).astype(np.bool_)


def matches(text: Any, pattern: str) -> Mask:
    """Where text matches a pattern; False where it is null."""
    found = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    return np.asarray(found).astype(np.bool_)


def kind_word(kind: Any) -> str:
    """What a message calls values of a pyarrow type."""
    words = {
        "boolean": pa.types.is_boolean,
        "datetime64": pa.types.is_timestamp,
        "date": pa.types.is_date,
        "binary": lambda each: pa.types.is_binary(each) or pa.types.is_large_binary(each),
        "mixed (lists)": pa.types.is_nested,
    }
    return next((word for word, fits in words.items() if fits(kind)), str(kind))


MISSING, MISSING_CURE = "is missing", "fill the cell or remove the row"
