"""Interactions on disk: arrays as safetensors, ids and metadata as JSON, nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_from_bytes
from safetensors.numpy import save as arrays_to_bytes

from nbhelpers.core.csr import row_of
from nbhelpers.core.sealed_folder import DESCRIPTION, ModelFileError, publish, read
from nbhelpers.data.vocabulary import Vocabulary

INTERACTIONS_FORMAT = 1
_ARRAYS = ("indptr", "indices", "weights", "timestamps")
# What JSON can hold, as pandas names it.
_PLAIN_KINDS = (
    *("string", "integer", "floating", "boolean", "empty"),
    *("mixed-integer", "mixed-integer-float"),
)


def write_interactions(folder: Path, fields: Mapping[str, Any]) -> None:
    """Put interactions in a folder, in place of those there, whole or not at all.

    Parameters
    ----------
    folder : Path
    fields : mapping
        Arrays, sizes, vocabularies and metadata, by the names of the attributes.

    Raises
    ------
    ValueError
        If the folder holds something else, or metadata are neither numbers, text nor bools.
    OSError
        If the folder cannot be written.
    """
    _require_own(folder)
    content = {
        "interactions": INTERACTIONS_FORMAT,
        "n_users": fields["n_users"],
        "n_items": fields["n_items"],
        "users": _ids(fields["users"]),
        "items": _ids(fields["items"]),
        "user_metadata": _columns(fields["_user_metadata"], "user_metadata"),
        "item_metadata": _columns(fields["_item_metadata"], "item_metadata"),
    }
    arrays = {name: fields[name] for name in _ARRAYS if fields[name] is not None}
    publish(folder, content, arrays_to_bytes(arrays))


def read_interactions(folder: Path) -> dict[str, Any]:
    """What ``Interactions`` are built from, out of a folder that ``write_interactions`` wrote.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        Arguments of ``Interactions`` by name.

    Raises
    ------
    ModelFileError
        If a file is missing, damaged, or holds something else; the message names it.
    """
    content, blob = read(folder)
    version = content.get("interactions")
    if version != INTERACTIONS_FORMAT:
        found = "no interactions" if version is None else f"interactions of format {version!r}"
        raise ModelFileError(
            f"{folder / DESCRIPTION} holds {found}, and this version reads format "
            f"{INTERACTIONS_FORMAT}"
        )
    try:
        arrays = arrays_from_bytes(blob)
        return {
            "user_idx": row_of(arrays["indptr"], np.arange(len(arrays["indices"]))),
            "item_idx": arrays["indices"],
            "weights": arrays.get("weights"),
            "timestamps": arrays.get("timestamps"),
            "n_users": content["n_users"],
            "n_items": content["n_items"],
            "users": _vocabulary(content["users"]),
            "items": _vocabulary(content["items"]),
            "user_metadata": _frame(content["user_metadata"]),
            "item_metadata": _frame(content["item_metadata"]),
        }
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelFileError(f"{folder / DESCRIPTION} cannot be loaded: {error}") from error


def _require_own(folder: Path) -> None:
    """Refuse a folder in which something else was saved: that would be replaced."""
    content = None
    with suppress(OSError, ValueError):  # nothing is there, or nothing that can be read
        content = json.loads((folder / DESCRIPTION).read_bytes())
    if isinstance(content, dict) and "interactions" not in content:
        raise ValueError(f"{folder} holds something else than interactions: name another folder")


def _ids(vocabulary: Vocabulary | None) -> dict[str, Any] | None:
    return None if vocabulary is None else vocabulary.to_json()


def _vocabulary(stored: Mapping[str, Any] | None) -> Vocabulary | None:
    return None if stored is None else Vocabulary.from_json(stored)


def _columns(metadata: pd.DataFrame | None, name: str) -> list[dict[str, Any]] | None:
    """Metadata column by column: name, dtype, and values with None for what is missing."""
    if metadata is None:
        return None
    if not metadata.columns.is_unique:
        raise ValueError(f"columns of {name} must differ, got {list(metadata.columns)}")
    return [
        {"name": column, "dtype": str(values.dtype), "values": _plain_values(values, name)}
        for column, values in metadata.items()
    ]


def _plain_values(values: pd.Series[Any], name: str) -> list[Any]:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind not in _PLAIN_KINDS or isinstance(values.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"{name} is stored as numbers, text and bools, got {values.dtype} in column "
            f"{values.name!r}: convert it with astype(str), or leave it out"
        )
    if not isinstance(values.name, str):
        raise ValueError(f"columns of {name} are named by text, got {values.name!r}")
    listed: list[Any] = values.astype(object).where(values.notna(), None).tolist()
    try:
        json.dumps(listed, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {values.name!r} of {name} cannot be stored: {error}") from error
    return listed


def _frame(columns: list[dict[str, Any]] | None) -> pd.DataFrame | None:
    if columns is None:
        return None
    return pd.DataFrame({column["name"]: _column(column) for column in columns})


def _column(stored: Mapping[str, Any]) -> pd.Series[Any]:
    values, dtype = stored["values"], stored["dtype"]
    if dtype == "str" and int(pd.__version__.split(".")[0]) < 3:
        dtype = "object"  # the text of pandas 3; pandas 2 would make text of what is missing
    column: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return column
