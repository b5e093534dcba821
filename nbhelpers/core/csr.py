"""A sparse matrix of ones as two arrays, and questions to it without a loop over rows.

The columns of row u are ``indices[indptr[u]:indptr[u + 1]]``, in ascending order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Indices = NDArray[np.int32] | NDArray[np.int64]


def pair_keys(rows: Ints, columns: Ints, *, n_rows: int, n_columns: int) -> Ints:
    """Number of each cell of the matrix, counted row by row from 0.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (n_pairs,)
        Within the matrix.
    n_rows, n_columns : int

    Returns
    -------
    ndarray of int64, shape (n_pairs,)

    Raises
    ------
    ValueError
        If the matrix has more cells than 64 bits can number.
    """
    if n_rows * n_columns >= 2**63:
        raise ValueError(f"fewer than 2**63 cells can be numbered, got {n_rows:,} x {n_columns:,}")
    return rows * n_columns + columns


def sort_with_order(keys: Ints) -> tuple[Ints, Ints]:
    """Keys in ascending order, and where each was before; equal ones keep their order.

    NumPy sorts plain integers several times faster than it finds their order. So each position
    is written into the low bits of its key, wherever both fit into 63 bits.

    Parameters
    ----------
    keys : ndarray of int64, shape (n,)
        At least 0.

    Returns
    -------
    sorted_keys, order : ndarray of int64, shape (n,)
    """
    n_bits = len(keys).bit_length()
    if int(keys.max(initial=0)).bit_length() + n_bits > 63:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    packed = keys << n_bits
    packed |= np.arange(len(keys))
    packed.sort()
    order = packed & ((1 << n_bits) - 1)
    packed >>= n_bits
    return packed, order


def compress(keys: Ints, *, n_rows: int, n_columns: int) -> tuple[Ints, Indices]:
    """Row starts and sorted columns of the cells that are not zero, read-only.

    Parameters
    ----------
    keys : ndarray of int64, shape (n_pairs,)
        Of ``pair_keys``, ascending, none twice.
    n_rows, n_columns : int

    Returns
    -------
    indptr : ndarray of int64, shape (n_rows + 1,)
    indices : ndarray of int32 (int64 from 2**31 columns on), shape (n_pairs,)
    """
    indptr = np.searchsorted(keys, np.arange(n_rows + 1) * n_columns)
    narrow = np.int32 if n_columns <= np.iinfo(np.int32).max else np.int64
    return frozen(indptr), frozen((keys % n_columns).astype(narrow))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, from now on read-only."""
    array.flags.writeable = False
    return array


def row(indptr: Ints, indices: Indices, at: int, *, name: str) -> Indices:
    """Columns of one row: a view, not a copy.

    Parameters
    ----------
    indptr, indices : ndarray
    at : int
    name : str
        What the message calls the row.

    Returns
    -------
    ndarray of int, shape (n,)

    Raises
    ------
    ValueError
        If there is no such row.
    """
    if not 0 <= at < len(indptr) - 1:
        raise ValueError(f"{name} must lie between 0 and {len(indptr) - 2}, got {at}")
    return indices[indptr[at] : indptr[at + 1]]


def row_of(indptr: Ints, positions: Ints) -> Ints:
    """Row of each position in ``indices``.

    Parameters
    ----------
    indptr : ndarray of int64, shape (n_rows + 1,)
    positions : ndarray of int64, shape (n,)
        From 0 to ``n_pairs - 1``.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    return np.searchsorted(indptr, positions, side="right") - 1


def dense_rows(indptr: Ints, indices: Indices, rows: Ints, *, n_columns: int) -> NDArray[np.bool_]:
    """Rows with every column spelled out.

    Parameters
    ----------
    indptr, indices : ndarray
    rows : ndarray of int64, shape (n,)
    n_columns : int

    Returns
    -------
    ndarray of bool, shape (n, n_columns)
    """
    counts = indptr[rows + 1] - indptr[rows]
    mask = np.zeros((len(rows), n_columns), dtype=np.bool_)
    columns = indices[positions_of_rows(indptr, rows)]
    mask[np.repeat(np.arange(len(rows)), counts), columns] = True
    return mask


def grid_of(indptr: Ints, indices: Indices, rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Some rows and some columns: memory for these alone, and for the pairs of the rows.

    Parameters
    ----------
    indptr, indices : ndarray
    rows : ndarray of int64, shape (n,)
    columns : ndarray of int64, shape (m,)
        Any of both may come twice.

    Returns
    -------
    ndarray of bool, shape (n, m)
    """
    wanted, inverse = np.unique(columns, return_inverse=True)
    found = indices[positions_of_rows(indptr, rows)]
    place = np.searchsorted(wanted, found)
    is_wanted = wanted.take(place, mode="clip") == found if len(wanted) else place < 0
    row = np.repeat(np.arange(len(rows)), indptr[rows + 1] - indptr[rows])
    mask = np.zeros((len(rows), len(wanted)), dtype=np.bool_)
    mask[row[is_wanted], place[is_wanted]] = True
    grid: NDArray[np.bool_] = mask[:, inverse]
    return grid


def positions_of_rows(indptr: Ints, rows: Ints) -> Ints:
    """Positions in ``indices`` of all pairs of some rows, row after row.

    Parameters
    ----------
    indptr : ndarray
    rows : ndarray of int64, shape (n,)
        A row may come twice.

    Returns
    -------
    ndarray of int64, shape (n_pairs_of_rows,)
    """
    counts = indptr[rows + 1] - indptr[rows]
    ends = np.cumsum(counts)
    positions: Ints = np.arange(counts.sum()) + np.repeat(indptr[rows] - ends + counts, counts)
    return positions


def has_pairs(indptr: Ints, indices: Indices, rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Whether each pair is in the matrix.

    Parameters
    ----------
    indptr, indices : ndarray
    rows, columns : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if not len(indices):
        return np.zeros(len(rows), dtype=np.bool_)
    place = _bisect(indptr, rows, lambda middle: indices.take(middle, mode="clip") < columns)
    found: NDArray[np.bool_] = indices.take(place, mode="clip") == columns
    return found & (place < indptr[rows + 1])


def nth_absent(indptr: Ints, indices: Indices, rows: Ints, nth: Ints) -> Ints:
    """The n-th column, from 0, that a row does not hold.

    Before the j-th column c that a row holds, it misses c - j columns. The answer is ``nth`` plus
    the number of held columns that miss ``nth`` or fewer before them, found by bisection.

    Parameters
    ----------
    indptr, indices : ndarray
    rows, nth : ndarray of int64, shape (n,)
        ``nth`` is below the number of columns that the row misses.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    starts = indptr[rows]
    offset = nth - starts
    place = _bisect(
        indptr, rows, lambda middle: indices.take(middle, mode="clip") - middle <= offset
    )
    return nth + place - starts


def summary(user_counts: Ints, item_counts: Ints) -> str:
    """What a users x items matrix holds, in six lines.

    Parameters
    ----------
    user_counts : ndarray of int64, shape (n_users,)
    item_counts : ndarray of int64, shape (n_items,)

    Returns
    -------
    str
    """
    n_users, n_items, n_positives = len(user_counts), len(item_counts), int(user_counts.sum())
    density = n_positives / (n_users * n_items)
    rows = [
        ("users", f"{n_users:,}"),
        ("items", f"{n_items:,}"),
        ("positives", f"{n_positives:,}"),
        ("density", f"{density:.2%}"),
        ("positives a user", _spread(user_counts)),
        ("positives an item", _spread(item_counts)),
    ]
    return "\n".join(f"{name:<18} {value}" for name, value in rows)


def _spread(counts: Ints) -> str:
    """The range of counts, and how many are zero."""
    low, middle, high = counts.min(), np.median(counts), counts.max()
    n_none = int((counts == 0).sum())
    return f"{low:,} to {high:,}, median {middle:,.0f}; {n_none:,} without any"


def _bisect(indptr: Ints, rows: Ints, is_before: Callable[[Ints], NDArray[np.bool_]]) -> Ints:
    """First place in each row for which ``is_before`` is false, all rows searched in step."""
    low, high = indptr[rows], indptr[rows + 1]
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        right = (low < high) & is_before(middle)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, middle)
    return low


class PairFilter:
    """A small table of bits that tells most absent pairs from the few that may be present.

    Each pair of the matrix sets one bit, its number modulo the size of the table. A clear bit
    proves a pair absent; a set one may be another pair's. With 16 to 32 bits a pair at most one
    draw in 16 is suspected for nothing, and 25 million pairs take 64 MB.

    Parameters
    ----------
    indptr, indices : ndarray
    n_columns : int
    """

    def __init__(self, indptr: Ints, indices: Indices, *, n_columns: int) -> None:
        n_bits = 1 << (16 * max(len(indices), 1) - 1).bit_length()
        self._last, self._n_columns = n_bits - 1, n_columns
        self._bits = np.zeros(n_bits // 8, dtype=np.uint8)
        for start in range(0, len(indices), 1 << 20):  # in blocks: the numbers are 8 bytes each
            positions = np.arange(start, min(start + (1 << 20), len(indices)))
            slots = self._slots(row_of(indptr, positions), indices[positions])
            np.bitwise_or.at(self._bits, slots >> 3, _bit(slots))

    def suspects(self, rows: Ints, columns: Ints) -> Ints:
        """Places of the pairs that may be in the matrix.

        Parameters
        ----------
        rows, columns : ndarray of int64, shape (n,)

        Returns
        -------
        ndarray of int64, shape (n_suspects,)
        """
        slots = self._slots(rows, columns)
        return np.flatnonzero(self._bits[slots >> 3] & _bit(slots))

    def _slots(self, rows: Ints, columns: Indices) -> Ints:
        slots: Ints = (rows * self._n_columns + columns) & self._last
        return slots


def _bit(slots: Ints) -> NDArray[np.uint8]:
    """The bit of each slot within its byte."""
    bit: NDArray[np.uint8] = np.left_shift(1, slots & 7).astype(np.uint8)
    return bit
