"""Rows one after another, in blocks that stay within a size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def blocks_of(sizes: NDArray[Any], *, limit: int) -> Iterator[slice]:
    """Rows one after another whose sizes add up to ``limit`` at most, or one row alone.

    Parameters
    ----------
    sizes : ndarray of int, shape (n_rows,)
    limit : int

    Yields
    ------
    slice
        Of rows; each row is in one block, and the blocks are in order.

    Examples
    --------
    >>> list(blocks_of(np.array([2, 1, 1, 9]), limit=3))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    ends = np.append(0, np.cumsum(sizes, dtype=np.int64))
    start = 0
    while start < len(sizes):
        stop = int(np.searchsorted(ends, ends[start] + limit, side="right")) - 1
        stop = max(stop, start + 1)
        yield slice(start, stop)
        start = stop
