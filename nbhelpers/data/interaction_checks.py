"""The door of ``Interactions``: which indices, ids and metadata may pass, and why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nbhelpers.core.checks import (
    checked_indices,
    checked_timestamps,
    checked_weights,
    first_of,
)
from nbhelpers.data.vocabulary import Vocabulary, align_metadata


def side_of(
    indices: NDArray[np.int64], size: int | None, *, vocabulary: Vocabulary | None, name: str
) -> int:
    """One side of the matrix: as given, as the vocabulary has it, or as the indices need it.

    Parameters
    ----------
    indices : ndarray of int64, shape (n,)
    size : int, optional
    vocabulary : Vocabulary, optional
    name : {"user", "item"}

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If size and vocabulary disagree, an index lies outside, or, with neither of the two, an
        index below the largest never occurs.
    """
    if vocabulary is not None:
        if size not in (None, len(vocabulary)):
            raise ValueError(
                f"n_{name}s is {size:,}, but the vocabulary has {len(vocabulary):,} ids: "
                f"leave n_{name}s out"
            )
        size = len(vocabulary)
    if size is None:
        return _size_without_gaps(indices, name=name)
    if size < 1:
        raise ValueError(f"n_{name}s must be at least 1, got {size}")
    checked_indices(indices, name=f"{name}_idx", size=size)
    return int(size)  # NumPy's integers overflow in products of sizes, and JSON has none


def require_same_ids(
    first: Vocabulary | None, second: Vocabulary | None, *, sizes: tuple[int, int], name: str
) -> None:
    """Refuse two matrices whose users (or items) are not the same.

    Parameters
    ----------
    first, second : Vocabulary, optional
    sizes : tuple of int
        How many each matrix has.
    name : {"user", "item"}

    Raises
    ------
    ValueError
        If the sizes differ, or both have ids and these differ.
    """
    if sizes[0] != sizes[1]:
        raise ValueError(f"both must have the same {name}s, got {sizes[0]:,} and {sizes[1]:,}")
    if first is not None and second is not None and first.fingerprint != second.fingerprint:
        raise ValueError(f"both must have the same {name}s, but their vocabularies differ")


def require_same_columns(first: object | None, second: object | None, *, name: str) -> None:
    """Refuse two matrices of which only one has weights (or timestamps).

    Parameters
    ----------
    first, second : ndarray or None
    name : {"weights", "timestamps"}

    Raises
    ------
    ValueError
    """
    if (first is None) != (second is None):
        without = "first" if first is None else "second"
        raise ValueError(
            f"the {without} of the two has no {name}, the other has: build both with {name}, "
            f"or both without"
        )


def weights_of_pairs(
    values: ArrayLike | Tensor | None, *, n_rows: int
) -> NDArray[np.float32] | None:
    """Weights as float32, one for each row, or None if there are none; see ``checked_weights``."""
    return None if values is None else _one_each(checked_weights(values), n_rows, "weight")


def timestamps_of_pairs(
    values: ArrayLike | Tensor | None, *, n_rows: int
) -> NDArray[np.int64] | None:
    """Timestamps, one for each row, or None if there are none; see ``checked_timestamps``."""
    return None if values is None else _one_each(checked_timestamps(values), n_rows, "timestamp")


def column_of(frame: pd.DataFrame, column: str | None, *, name: str) -> pd.Series[Any] | None:
    """A column of a frame by its name, or None where no name is given.

    Parameters
    ----------
    frame : DataFrame
    column : str, optional
    name : {"weights", "timestamps"}
        The parameter that names the column.

    Returns
    -------
    Series or None

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if column is None:
        return None
    if not isinstance(column, str):
        raise ValueError(f"{name} must be the name of a column, got {type(column).__name__}")
    if column not in frame.columns:
        raise ValueError(f"{name}={column!r} names no column, there are {list(frame.columns)}")
    values: pd.Series[Any] = frame[column]
    return values


def positions_in(which: ArrayLike | Tensor, *, n: int) -> NDArray[np.int64]:
    """Positions that a mask or an array of positions asks for.

    Parameters
    ----------
    which : array or Tensor, of bool, shape (n,), or of int, shape (n_wanted,)
    n : int
        How many there are.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    ValueError
        If the mask has another length, a position is out of range or comes twice, or ``which``
        is neither.
    """
    array = np.asarray(which.detach().cpu() if isinstance(which, Tensor) else which)
    if array.dtype == np.bool_:
        if array.shape != (n,):
            raise ValueError(f"a mask must have the shape ({n},), got {array.shape}")
        return np.flatnonzero(array)
    if array.shape == (0,):  # an empty list, which NumPy takes for floats
        return np.zeros(0, dtype=np.int64)
    positions = checked_indices(array, name="positions", size=n)
    n_repeated = len(positions) - len(np.unique(positions))
    if n_repeated:
        raise ValueError(f"positions must differ, got {n_repeated:,} repeated ones")
    return positions


def subset_of_users(rows: NDArray[np.int64], users: Vocabulary | None) -> Vocabulary | None:
    """Vocabulary of some users, whose order must be that of the vocabulary.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
    users : Vocabulary, optional

    Returns
    -------
    Vocabulary or None

    Raises
    ------
    ValueError
        If there are no rows, or the users have ids and the rows are not strictly ascending.
    """
    if not len(rows):
        raise ValueError("user_idx must name at least one user, got none")
    if users is None:
        return None
    if (np.diff(rows) <= 0).any():
        raise ValueError(
            "user_idx must be ascending, each user once, since these users have ids and a "
            "vocabulary is sorted: sort user_idx first"
        )
    return Vocabulary(users.ids[rows])


def aligned(
    metadata: pd.DataFrame | None, vocabulary: Vocabulary | None, *, name: str
) -> pd.DataFrame | None:
    """Metadata in the order of the vocabulary, or None if there is none.

    Parameters
    ----------
    metadata : DataFrame, optional
    vocabulary : Vocabulary, optional
    name : {"user", "item"}

    Returns
    -------
    DataFrame or None

    Raises
    ------
    ValueError
        If there is metadata but no vocabulary, or an id has two rows.
    KeyError
        If an id has no row.
    """
    if metadata is None:
        return None
    if vocabulary is None:
        raise ValueError(f"{name}_metadata is matched by id: pass the vocabulary {name}s as well")
    if metadata.columns[0] != f"{name}_id":
        raise ValueError(f"{name}_metadata must begin with {name}_id, got {metadata.columns[0]!r}")
    return align_metadata(metadata, vocabulary)


def encoded_pairs(
    frame: pd.DataFrame, *, users: Vocabulary, items: Vocabulary
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the ids of a frame, which must all be present and known.

    Parameters
    ----------
    frame : DataFrame
        With ``user_id`` and ``item_id``.
    users, items : Vocabulary

    Returns
    -------
    user_idx, item_idx : ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If a column or an id is missing.
    KeyError
        If an id is unknown.
    """
    absent = [name for name in ("user_id", "item_id") if name not in frame.columns]
    if absent:
        raise ValueError(f"columns {absent} are required, got {list(frame.columns)}")
    return _encoded(frame["user_id"], users), _encoded(frame["item_id"], items)


def decoded_pairs(
    user_idx: Tensor, item_idx: Tensor, *, users: Vocabulary | None, items: Vocabulary | None
) -> pd.DataFrame:
    """Pairs as a frame of ids, or of indices on a side that has no vocabulary.

    Parameters
    ----------
    user_idx, item_idx : Tensor of int64, shape (n,)
    users, items : Vocabulary, optional

    Returns
    -------
    DataFrame
        ``user_id`` (or ``user_idx``) and ``item_id`` (or ``item_idx``).
    """
    columns = {}
    for name, indices, known in (("user", user_idx, users), ("item", item_idx, items)):
        if known is None:
            columns[f"{name}_idx"] = indices.numpy()
        else:
            columns[f"{name}_id"] = known.decode(indices.tolist())
    return pd.DataFrame(columns)


def _one_each(values: NDArray[Any], n_rows: int, name: str) -> NDArray[Any]:
    if len(values) != n_rows:
        raise ValueError(f"one {name} for each pair, got {len(values):,} and {n_rows:,}")
    return values


def _encoded(ids: pd.Series[Any], vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Indices of one column."""
    n_missing = int(ids.isna().sum())
    if n_missing:
        raise ValueError(
            f"{n_missing:,} of {len(ids):,} rows have no {ids.name} (NaN): "
            f"drop them first, frame.dropna(subset=['{ids.name}'])"
        )
    indices = vocabulary.encode(ids)
    unknown = indices == vocabulary.unknown
    if unknown.any():
        unknown_ids = pd.unique(ids[unknown])
        raise KeyError(
            f"{int(unknown.sum()):,} rows have an unknown {ids.name}, {len(unknown_ids):,} "
            f"different ids, e.g. {first_of(unknown_ids)}: leave these rows out, or build the "
            f"vocabulary from all ids that may come"
        )
    return indices


def _size_without_gaps(indices: NDArray[np.int64], *, name: str) -> int:
    """The largest index + 1, all below it being present."""
    if not indices.size:
        raise ValueError(f"without pairs the number of {name}s is unknown: pass n_{name}s")
    present = np.unique(indices)
    size = int(present[-1]) + 1
    if present[0] < 0:
        raise ValueError(f"{name}_idx must not be negative, got {present[0]}")
    n_gaps = size - len(present)
    if n_gaps:
        first = int(np.argmax(present != np.arange(len(present))))
        raise ValueError(
            f"{n_gaps:,} of the {size:,} indices up to the largest {name}_idx never occur, the "
            f"first is {first}: encode raw ids with a Vocabulary, or pass n_{name}s if {name}s "
            f"without a pair are meant"
        )
    return size
