"""Checks of indices and sizes that every stage shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor


def checked_indices(values: ArrayLike | Tensor, *, name: str, size: int) -> NDArray[np.int64]:
    """Indices as a flat array, refused unless they are integers from 0 to ``size - 1``.

    Parameters
    ----------
    values : array or Tensor of int, shape (n,)
    name : str
        What the message calls them.
    size : int

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If the dtype is no integer, there is not one axis, or an index is out of range.
    """
    indices = integer_array(values, name=name)
    outside = indices[(indices < 0) | (indices >= size)]
    if outside.size:
        raise ValueError(
            f"{name} must lie between 0 and {size - 1}, got {outside.size:,} outside, "
            f"e.g. {first_of(outside)}"
        )
    return indices


def integer_array(values: ArrayLike | Tensor, *, name: str) -> NDArray[np.int64]:
    """Integers as a flat array, refused if they have another dtype or more than one axis.

    Parameters
    ----------
    values : array or Tensor of int, shape (n,)
    name : str
        What the message calls them.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If the dtype is no integer (missing values make floats), or there is not one axis.
    """
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    if array.dtype.kind not in "iu":
        n_missing = int(pd.isna(array).sum())
        cure = f"{n_missing:,} are missing: drop or repair them" if n_missing else "convert them"
        raise ValueError(f"{name} must be integers, got dtype {array.dtype}; {cure} first")
    if array.ndim != 1:
        raise ValueError(f"{name} must have one axis, got shape {array.shape}")
    return array.astype(np.int64, copy=False)


def first_of(values: Any) -> str:
    """Up to three values, for a message."""
    return ", ".join(str(value) for value in values[:3])


def require_one(**settings: int) -> None:
    """Refuse a size below 1."""
    for name, value in settings.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
