"""Rows of some users at a time, read from a prepared folder in the order of users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nbhelpers.core.checks import require_one
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.large_log.part_rules import NAMES, TRAIN
from nbhelpers.data.large_log.prepared import PreparedPairs

COLUMNS = ("user_idx", "item_idx", "part", "liked")
KINDS = (np.int64, np.int64, np.int8, np.bool_)
READ = 1 << 16  # rows read at a time


class UserBlock(NamedTuple):
    """Rows of users who follow each other; user k of both is ``first_user + k``.

    Attributes
    ----------
    first_user : int
    n_trained : ndarray of int64, shape (n_users of the block,)
        Training rows of each user.
    seen : Interactions
        What may not be listed.
    held_out : Interactions
        What is to be found: none without a ``part``.
    """

    first_user: int
    n_trained: NDArray[np.int64]
    seen: Interactions
    held_out: Interactions


def user_blocks(
    prepared: PreparedPairs, *, users_per_block: int, part: str | None = None
) -> Iterator[UserBlock]:
    """All users in blocks; memory holds the rows of one block, whatever the size of the log.

    Parameters
    ----------
    prepared : PreparedPairs
    users_per_block : int
    part : {"valid", "test"}, optional
        The part to be found. Seen is then what came in the parts before, liked or not. Left out,
        every row is seen, and nothing is held out.

    Yields
    ------
    UserBlock

    Raises
    ------
    ValueError
        If ``users_per_block`` is below 1, or there is no such part.
    """
    require_one(users_per_block=users_per_block)
    wanted = len(NAMES) + 1 if part is None else NAMES.index(prepared.held_out(part))
    reader = _Reader(prepared)
    for first in range(0, prepared.n_users, users_per_block):
        n_users = min(users_per_block, prepared.n_users - first)
        rows = _Rows(reader.rows_before(first + n_users), first, (n_users, prepared.n_items))
        yield UserBlock(
            first,
            np.bincount(rows.user_idx[rows.liked & (rows.part == TRAIN)], minlength=n_users),
            seen=rows.where(rows.part < wanted),
            held_out=rows.where(rows.liked & (rows.part == wanted)),
        )


class _Rows:
    """Rows of a block, its users numbered from 0."""

    def __init__(
        self, columns: list[NDArray[Any]], first_user: int, sizes: tuple[int, int]
    ) -> None:
        user_idx, self.item_idx, self.part, self.liked = columns
        self.user_idx, self.sizes = user_idx - first_user, sizes

    def where(self, chosen: NDArray[np.bool_]) -> Interactions:
        """Some of the rows."""
        n_users, n_items = self.sizes
        return Interactions(
            self.user_idx[chosen], self.item_idx[chosen], n_users=n_users, n_items=n_items
        )


class _Reader:
    """The rows of a file that is sorted by user, as far as they are asked for."""

    def __init__(self, prepared: PreparedPairs) -> None:
        self._file = pq.ParquetFile(prepared.by_user, memory_map=True)
        self._batches = self._file.iter_batches(READ, columns=list(COLUMNS), use_threads=False)
        self._held: list[NDArray[Any]] = [np.empty(0, dtype=kind) for kind in KINDS]

    def rows_before(self, user_idx: int) -> list[NDArray[Any]]:
        """Rows of users below one, from where the last call ended."""
        held = [self._held]
        while not len(held[-1][0]) or held[-1][0][-1] < user_idx:
            batch = next(self._batches, None)
            if batch is None:
                break
            held.append(
                [
                    batch.column(name).to_numpy(zero_copy_only=False).astype(kind)
                    for name, kind in zip(COLUMNS, KINDS, strict=True)
                ]
            )
        columns = [np.concatenate(parts) for parts in zip(*held, strict=True)]
        end = int(np.searchsorted(columns[0], user_idx))
        self._held = [column[end:].copy() for column in columns]
        return [column[:end] for column in columns]
