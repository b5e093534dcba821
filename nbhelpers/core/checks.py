"""Checks of indices and sizes that every stage shares."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
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
    array = np.asarray(off_torch(values))
    if array.dtype.kind not in "iu":
        n_missing = int(pd.isna(array).sum())
        cure = f"{n_missing:,} are missing: drop or repair them" if n_missing else "convert them"
        raise ValueError(f"{name} must be integers, got dtype {array.dtype}; {cure} first")
    if array.ndim != 1:
        raise ValueError(f"{name} must have one axis, got shape {array.shape}")
    return array.astype(np.int64, copy=False)


def checked_weights(values: ArrayLike | Tensor, *, name: str = "weights") -> NDArray[np.float32]:
    """Weights as a flat float32 array, refused unless they are finite and above 0.

    Parameters
    ----------
    values : array or Tensor of numbers, shape (n,)
    name : str
        What the message calls them.

    Returns
    -------
    ndarray of float32, shape (n,)

    Raises
    ------
    ValueError
        If they are no numbers, do not have one axis, or one is NaN, infinite, 0 or negative, also
        as a float32.
    """
    given = number_array(values, name=name)
    with np.errstate(over="ignore", under="ignore"):  # what float32 cannot hold is refused below
        weights = given.astype(np.float32)
    wrong = given[~((weights > 0) & (weights < np.inf))]
    if wrong.size:
        raise ValueError(
            f"{name} must be finite and above 0, got {wrong.size:,} others, e.g. "
            f"{first_of(wrong)}: leave such rows out, or add to every weight"
        )
    return weights


def checked_timestamps(
    values: ArrayLike | Tensor, *, name: str = "timestamps"
) -> NDArray[np.int64]:
    """Times as a flat int64 array, refused unless they are whole numbers.

    Parameters
    ----------
    values : array or Tensor of numbers, shape (n,)
        Whole numbers; floats below 2**53, from where on one stands for several.
    name : str
        What the message calls them.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If they are no numbers (text and dates included), do not have one axis, or one is missing
        or has a fraction.
    """
    given = number_array(values, name=name)
    if given.dtype.kind == "u" and given.size and given.max() >= 2**63:
        raise ValueError(f"{name} must be below 2**63, got {given.max()}")
    if given.dtype.kind == "f":
        whole = (np.floor(given) == given) & (np.abs(given) < 2**53)  # NaN equals nothing
        if not whole.all():
            raise ValueError(
                f"{name} must be whole numbers, got {int((~whole).sum()):,} others, e.g. "
                f"{first_of(given[~whole])}: leave such rows out, or round them"
            )
    return given.astype(np.int64, copy=False)


def number_array(values: ArrayLike | Tensor, *, name: str) -> NDArray[Any]:
    """Integers or floats as a flat array; what pandas marks as missing becomes NaN.

    Parameters
    ----------
    values : array or Tensor of numbers, shape (n,)
    name : str
        What the message calls them.

    Returns
    -------
    ndarray of an integer or a float dtype, shape (n,)

    Raises
    ------
    ValueError
        If they are no numbers, or do not have one axis.
    """
    values = off_torch(values)
    if isinstance(getattr(values, "dtype", None), pd.api.extensions.ExtensionDtype):
        values = _without_extension(pd.Series(values))
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        cure = "take Unix seconds" if array.dtype.kind in "Mm" else "convert them first"
        raise ValueError(f"{name} must be numbers, got dtype {array.dtype}: {cure}")
    if array.ndim != 1:
        raise ValueError(f"{name} must have one axis, got shape {array.shape}")
    return array


def off_torch(values: Any) -> Any:
    """Values of a tensor as an array; anything else as it is.

    Reading a file of ratings needs no torch, whose import takes seconds: who has a tensor at hand
    has imported it.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(values, torch.Tensor):
        return values
    return values.detach().cpu().numpy()


def first_of(values: Any) -> str:
    """Up to three values, for a message."""
    return ", ".join(str(value) for value in values[:3])


def require_one(**settings: int) -> None:
    """Refuse a size below 1."""
    for name, value in settings.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _without_extension(column: pd.Series[Any]) -> ArrayLike:
    """A nullable column of numbers as NumPy has it, what is missing as NaN; others unchanged."""
    numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numbers and column.isna().any():
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy()
