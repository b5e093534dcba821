"""Metadata of users and items as JSON, and back: columns of numbers, bools, text and dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nbhelpers.data.vocabulary import Vocabulary

_NUMBERS = "iufb"


def frame_to_json(frame: pd.DataFrame, vocabulary: Vocabulary, *, name: str) -> dict[str, Any]:
    """A frame of metadata, column by column.

    Parameters
    ----------
    frame : DataFrame
        Its first column holds the ids, in the order of the vocabulary.
    vocabulary : Vocabulary
    name : str
        Of the argument, for the message.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If row k is not that of id k, or a column holds something other than numbers, bools,
        text and dates.
    """
    if not frame.iloc[:, 0].reset_index(drop=True).equals(pd.Series(vocabulary.ids)):
        raise ValueError(
            f"{name} must have one row for each of the {len(vocabulary)} ids, in their order, got "
            f"{len(frame)} rows: use align_metadata(frame, vocabulary) first"
        )
    return {"columns": [_column(frame[column], name) for column in frame.columns]}


def frame_from_json(stored: Mapping[str, Any]) -> pd.DataFrame:
    """The frame that ``frame_to_json`` described, with its columns and their types."""
    columns = {
        each["name"]: pd.Series(each["values"], dtype=each["dtype"]) for each in stored["columns"]
    }
    return pd.DataFrame(columns)


def _column(column: pd.Series[Any], name: str) -> dict[str, Any]:
    """Name, type and values; a missing value is null."""
    if not isinstance(column.name, str):
        raise ValueError(f"columns of {name} must have names of text, got {column.name!r}")
    values = column.astype(object).where(column.notna(), None)
    if column.dtype.kind == "M":
        values = values.map(pd.Timestamp.isoformat, na_action="ignore")
    elif column.dtype.kind not in _NUMBERS:
        strange = [each for each in values if not (each is None or isinstance(each, str))]
        if strange:
            raise ValueError(
                f"columns of {name} must hold numbers, bools, text or dates, and "
                f"{column.name!r} holds {strange[0]!r:.40}"
            )
    return {"name": column.name, "dtype": str(column.dtype), "values": values.tolist()}
