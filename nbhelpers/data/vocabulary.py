"""Ids to indices and back, one mapping for every split, with a row for the unknown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_WHOLE_NUMBERS = re.compile(r"(u?int|U?Int)(8|16|32|64)")


class Vocabulary:
    """One-to-one map between raw ids and the indices 0 to n - 1.

    Fit it on the training rows, and use that one object for every split. An id it has never
    seen gets the index ``n``: the unknown row, one more than the known ones, so that the k-th
    row of every table stays the k-th id.

    Parameters
    ----------
    ids : iterable
        Raw ids, numbers or text; repeats are fine. They are sorted, so neither the order of the
        rows nor the run decides an index.

    Attributes
    ----------
    ids : pandas.Index
        The known ids in index order.
    unknown : int
        Index of the unknown row, equal to ``len(vocabulary)``.
    n_rows : int
        Rows that a table of factors needs: the known ids and the unknown row.

    Raises
    ------
    ValueError
        If there is no id, or one of them is missing (NaN or None).
    """

    def __init__(self, ids: Iterable[Any]) -> None:
        values = pd.Index(pd.unique(pd.Series(ids)))
        if len(values) == 0:
            raise ValueError("a vocabulary needs at least one id, got none")
        if values.hasnans:
            raise ValueError("an id is missing (NaN): drop or repair such rows first")
        self.ids = values.sort_values()
        self.unknown = len(self.ids)
        self.n_rows = len(self.ids) + 1

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same ids in the same order, and for no others."""
        text = f"{self.ids.dtype} {self.ids.tolist()!r}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The ids and their type, as JSON can hold them.

        Raises
        ------
        ValueError
            If the ids are neither whole numbers nor text.
        """
        ids, dtype = self.ids.tolist(), str(self.ids.dtype)
        if _WHOLE_NUMBERS.fullmatch(dtype):
            return {"type": dtype, "ids": ids}
        if all(isinstance(raw_id, str) for raw_id in ids):
            return {"type": "text", "ids": ids}
        raise ValueError(f"ids must be whole numbers or text to be stored, got {dtype}")

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The vocabulary that ``to_json`` described.

        Raises
        ------
        ValueError
            If the ids are not in the order of their rows.
        """
        dtype = stored["type"] if _WHOLE_NUMBERS.fullmatch(stored["type"]) else None
        vocabulary = cls(pd.Series(stored["ids"], dtype=dtype))
        if vocabulary.ids.tolist() != stored["ids"]:
            raise ValueError("the ids are not in the order of their rows")
        return vocabulary

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, raw_id: object) -> bool:
        return raw_id in self.ids

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self):,} ids, {self.ids[0]!r} to {self.ids[-1]!r}"

    def encode(self, ids: Iterable[Any]) -> NDArray[np.int64]:
        """Indices of raw ids; an unknown id gets the unknown row.

        Parameters
        ----------
        ids : iterable, length n

        Returns
        -------
        ndarray of int64, shape (n,)
            Between 0 and ``unknown``.
        """
        found = self.ids.get_indexer(pd.Index(pd.Series(ids)))
        return np.where(found < 0, self.unknown, found).astype(np.int64)

    def encode_known(self, ids: Iterable[Any]) -> NDArray[np.int64]:
        """Indices of raw ids that must all be known.

        Parameters
        ----------
        ids : iterable, length n

        Returns
        -------
        ndarray of int64, shape (n,)
            Between 0 and ``len(vocabulary) - 1``.

        Raises
        ------
        KeyError
            If an id is unknown; the message names up to three.
        """
        values = pd.Series(ids)
        indices = self.encode(values)
        strangers = pd.unique(values[indices == self.unknown])
        if len(strangers):
            shown = ", ".join(map(str, strangers[:3]))
            raise KeyError(
                f"{len(strangers)} ids are unknown, e.g. {shown}: this vocabulary knows "
                f"{len(self):,} ids, {self.ids[0]} to {self.ids[-1]}"
            )
        return indices

    def decode(self, indices: Iterable[int]) -> NDArray[Any]:
        """Raw ids of indices.

        Parameters
        ----------
        indices : iterable of int, length n

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        ValueError
            If an index is outside 0 to ``len(vocabulary) - 1``; the unknown row has no id.
        """
        positions = np.asarray(list(indices), dtype=np.int64)
        outside = positions[(positions < 0) | (positions >= len(self))]
        if outside.size:
            raise ValueError(
                f"index {outside[0]} has no id: known indices are 0 to {len(self) - 1}, "
                f"and {self.unknown} is the unknown row"
            )
        return np.asarray(self.ids[positions])


def align_metadata(metadata: pd.DataFrame, vocabulary: Vocabulary) -> pd.DataFrame:
    """Metadata in the order of a vocabulary, matched by id: row k describes index k.

    Parameters
    ----------
    metadata : DataFrame
        One row for each id, in any order; its first column, ``item_id`` or ``user_id``, is the id.
        Rows of ids outside the vocabulary are left out.
    vocabulary : Vocabulary

    Returns
    -------
    DataFrame
        ``len(vocabulary)`` rows, indexed 0 to n - 1.

    Raises
    ------
    ValueError
        If the first column is no id column, or an id has two rows.
    KeyError
        If an id of the vocabulary has no row; the message names up to three.
    """
    column = metadata.columns[0]
    if column not in ("item_id", "user_id"):
        raise ValueError(f"the first column must be item_id or user_id, got {column!r}")
    repeated = metadata.loc[metadata[column].duplicated(), column]
    if len(repeated):
        raise ValueError(f"{column} {repeated.iloc[0]} has more than one row of metadata")
    rows = pd.Index(metadata[column]).get_indexer(vocabulary.ids)
    missing = vocabulary.ids[rows < 0]
    if len(missing):
        shown = ", ".join(map(str, missing[:3]))
        raise KeyError(f"{len(missing)} ids have no row of metadata, e.g. {shown}")
    aligned: pd.DataFrame = metadata.iloc[rows].reset_index(drop=True)
    return aligned
