"""Ids to indices and back, one mapping for every split, with a row for the unknown."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbhelpers.core.checks import integer_array
from nbhelpers.data.raw_ids import (
    checked_ids,
    is_text,
    refuse_twins,
    refuse_twins_of,
    visible_form,
)

_WHOLE_NUMBERS = re.compile(r"(u?int|U?Int)(8|16|32|64)")


class Vocabulary:
    """One-to-one map between raw ids and the indices 0 to n - 1.

    Fit it on the training rows, and use that one object for every split. An id it has never
    seen gets the index ``n``: the unknown row, one more than the known ones, so that the k-th
    row of every table stays the k-th id.

    Parameters
    ----------
    ids : iterable of int, or of str
        Raw ids, a set included; repeats are fine. They are sorted, so neither the order of the
        rows nor the run decides an index. Whole numbers written as floats become integers.

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
        If there is no id, one of them is missing (NaN or None), they are neither all whole
        numbers nor all text, or two differ only in what nobody sees: invisible characters, outer
        blanks, the Unicode normal form.

    Examples
    --------
    >>> users = Vocabulary(["cat", "ann", "bob", "ann"])
    >>> users
    Vocabulary of 3 ids, 'ann' to 'cat'
    >>> users.encode(["bob", "zoe"])
    array([1, 3])
    >>> users.unknown
    3
    """

    def __init__(self, ids: Iterable[Any]) -> None:
        values = checked_ids(ids).unique()
        if len(values) == 0:
            raise ValueError("a vocabulary needs at least one id, got none")
        refuse_twins(values)
        self.ids = values.sort_values()
        self.unknown = len(self.ids)
        self.n_rows = len(self.ids) + 1

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same ids, and for no others.

        Integers of any width count as one type.

        Examples
        --------
        >>> Vocabulary([2, 1]).fingerprint == Vocabulary([1, 2]).fingerprint
        True
        >>> Vocabulary([1, 2]).fingerprint == Vocabulary(["1", "2"]).fingerprint
        False
        """
        return hashlib.sha256(json.dumps(self.ids.tolist()).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The ids and their type, as JSON can hold them."""
        kind = "text" if is_text(self.ids) else str(self.ids.dtype)
        return {"type": kind, "ids": self.ids.tolist()}

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
        ids : iterable of int, or of str, length n
            Of the vocabulary's type. Integers of another width and whole floats will do for
            integers; text never stands for a number.

        Returns
        -------
        ndarray of int64, shape (n,)
            Between 0 and ``unknown``.

        Raises
        ------
        ValueError
            If the ids are of another type than the vocabulary's, one is missing (NaN), or an
            unknown one differs from a known one only in what nobody sees.

        Examples
        --------
        >>> Vocabulary([10, 20]).encode([20, 10, 99])
        array([1, 0, 2])
        """
        indices, _ = self._encoded(ids)
        return indices

    def encode_known(self, ids: Iterable[Any]) -> NDArray[np.int64]:
        """Indices of raw ids that must all be known.

        Parameters
        ----------
        ids : iterable of int, or of str, length n

        Returns
        -------
        ndarray of int64, shape (n,)
            Between 0 and ``len(vocabulary) - 1``.

        Raises
        ------
        KeyError
            If an id is unknown; the message names up to three.
        ValueError
            If ``encode`` refuses.

        Examples
        --------
        >>> Vocabulary([10, 20]).encode_known([20, 10])
        array([1, 0])
        """
        indices, unknown = self._encoded(ids)
        if len(unknown):
            shown = ", ".join(map(str, unknown[:3]))
            raise KeyError(
                f"{len(unknown)} ids are unknown, e.g. {shown}: this vocabulary knows "
                f"{len(self):,} ids, {self.ids[0]} to {self.ids[-1]}"
            )
        return indices

    def _encoded(self, ids: Iterable[Any]) -> tuple[NDArray[np.int64], pd.Index[Any]]:
        """Indices of raw ids, and the different ones that are unknown."""
        values = checked_ids(ids, known=self.ids)
        indices = self.ids.get_indexer(values).astype(np.int64)
        is_unknown = indices < 0
        indices[is_unknown] = self.unknown
        unknown = values[is_unknown].unique()
        if len(unknown) and is_text(self.ids):
            refuse_twins_of(unknown, self.ids, visible=self._visible_ids)
        return indices, unknown

    @cached_property
    def _visible_ids(self) -> pd.Index[Any]:
        return visible_form(self.ids)

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
            If an index is no integer, or outside 0 to ``len(vocabulary) - 1``; the unknown row
            has no id.

        Examples
        --------
        >>> Vocabulary([10, 20]).decode([1, 0])
        array([20, 10])
        """
        positions = integer_array(_array(indices), name="indices")
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
        If the first column is no id column, its ids are of another type than the vocabulary's,
        or an id has two rows.
    KeyError
        If an id of the vocabulary has no row; the message names up to three.

    Examples
    --------
    >>> films = pd.DataFrame({"item_id": [3, 1, 9], "title": ["Heat", "Up", "Big"]})
    >>> align_metadata(films, Vocabulary([1, 3]))
       item_id title
    0        1    Up
    1        3  Heat
    """
    column = metadata.columns[0]
    if column not in ("item_id", "user_id"):
        raise ValueError(f"the first column must be item_id or user_id, got {column!r}")
    repeated = metadata.loc[metadata[column].duplicated(), column]
    if len(repeated):
        raise ValueError(f"{column} {repeated.iloc[0]} has more than one row of metadata")
    described = checked_ids(metadata[column], known=vocabulary.ids)
    rows = described.get_indexer(vocabulary.ids)
    missing = vocabulary.ids[rows < 0]
    if len(missing) and is_text(described):
        refuse_twins_of(missing, described, visible=visible_form(described))
    if len(missing):
        shown = ", ".join(map(str, missing[:3]))
        raise KeyError(f"{len(missing)} ids have no row of metadata, e.g. {shown}")
    aligned: pd.DataFrame = metadata.iloc[rows].reset_index(drop=True)
    return aligned


def _array(indices: Iterable[int]) -> Any:
    """Indices as an array or a Tensor; without any, of integers."""
    if hasattr(indices, "dtype"):
        return indices
    listed = list(indices)
    return np.asarray(listed) if listed else np.zeros(0, dtype=np.int64)
