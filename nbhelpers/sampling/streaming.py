"""Training on pairs larger than memory: batches streamed from Parquet, and counts of a file.

``vocabularies`` and ``write_pairs`` in ``pair_files.py`` make such a file from a stream of frames.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.sampling.negatives import NegativeSampler
from nbhelpers.sampling.parquet_read import COLUMNS, PIECE, PairFiles

Batch = tuple[Tensor, Tensor, Tensor]


class StreamedPairs:
    """Batches of pairs from Parquet, each with negatives of its user: ``PairBatches`` from disk.

    A pass reads the row groups in an order drawn anew. Their rows fill a buffer, which is
    shuffled and cut into batches; what is less than a batch waits for the next rows. So every
    pair comes once in a pass, and memory holds the buffer alone, whatever the size of the file.

    A buffer that holds all pairs shuffles as well as ``PairBatches``: every order can come. With
    a smaller one, pairs that are read together come out together, within about two buffers of
    each other, and a batch mixes no more row groups than fill the buffer. Where a file is sorted,
    by user or by day, so is each batch in part; where it is one long row group, each pass goes
    from its start to its end. Short row groups help, a large buffer does, and so does a file that
    was shuffled before it was written.

    Parameters
    ----------
    path : str or Path
        A Parquet file with integer columns ``user_idx`` and ``item_idx``, or a folder of them.
    sampler : callable
        One of ``nbhelpers.sampling.negatives``, such as ``UniformNegatives``, or
        ``PopularityNegatives`` built from ``scan_pairs``. ``ExactNegatives`` needs all pairs in
        memory.
    batch_size : int
        Pairs in a batch; the last one of a pass may be smaller.
    n_negatives : int
        Negatives of each pair.
    generator : torch.Generator
        Decides order and negatives; each pass goes on where the last one left it.
    n_users, n_items : int, optional
        Rows of the model's tables: an index beyond them is refused.
    buffer_rows : int
        Rows to shuffle together, at least. Each takes 24 bytes.

    Attributes
    ----------
    n_pairs : int

    Yields
    ------
    user_idx, item_idx : Tensor of int64, shape (batch,)
    negatives : Tensor of int64, shape (batch, n_negatives)

    Raises
    ------
    ValueError
        If there is no such file, no pair in it, something else than pairs, an index missing or
        out of range, or a size below 1: at once, as far as the files' own statistics tell, else
        when the row is read.
    """

    def __init__(
        self,
        path: str | Path,
        sampler: NegativeSampler,
        *,
        batch_size: int,
        n_negatives: int,
        generator: torch.Generator,
        n_users: int | None = None,
        n_items: int | None = None,
        buffer_rows: int = 1 << 20,
    ) -> None:
        require_one(batch_size=batch_size, n_negatives=n_negatives, buffer_rows=buffer_rows)
        self._files = PairFiles(path, n_users=n_users, n_items=n_items)
        self.n_pairs, self.sampler = self._files.n_pairs, sampler
        self.batch_size, self.n_negatives = batch_size, n_negatives
        self.buffer_rows, self.generator = buffer_rows, generator

    def __len__(self) -> int:
        return -(-self.n_pairs // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(len(self._files.groups), generator=self.generator)
        n_wanted = max(self.buffer_rows, self.batch_size)
        # made once for a pass: blocks that come and go would leave holes in the memory
        buffer = torch.empty((min(n_wanted + PIECE, self.n_pairs), 2), dtype=torch.int64)
        n_held = 0
        for piece in self._files.pieces(order.tolist()):
            buffer[n_held : n_held + len(piece)] = torch.from_numpy(piece)
            n_held += len(piece)
            if n_held >= n_wanted:
                n_held = yield from self._full_batches(buffer[:n_held])
        n_held = yield from self._full_batches(buffer[:n_held])
        if n_held:
            yield self._with_negatives(buffer[:n_held])

    def _full_batches(self, rows: Tensor) -> Generator[Batch, None, int]:
        """Batches of shuffled rows, all of them full; those left over go to the front."""
        order = torch.randperm(len(rows), generator=self.generator)
        n_rest = len(rows) % self.batch_size
        for start in range(0, len(rows) - n_rest, self.batch_size):
            places = order[start : start + self.batch_size]
            yield self._with_negatives(rows.index_select(0, places))
        rows[:n_rest] = rows[order[len(rows) - n_rest :]]
        return n_rest

    def _with_negatives(self, rows: Tensor) -> Batch:
        columns = rows.T.clone(memory_format=torch.contiguous_format)  # (2, batch)
        user_idx, item_idx = columns.unbind()
        negatives = self.sampler(user_idx, n_negatives=self.n_negatives, generator=self.generator)
        return user_idx, item_idx, negatives


@dataclass(frozen=True, eq=False)
class PairCounts:
    """How often each user and item occurs in a file.

    Where a function needs no more than these counts it takes them in the place of
    ``Interactions``: ``PopularityNegatives`` does, and gives ``log_q``.

    Attributes
    ----------
    user_counts, item_counts : ndarray of int64, shapes (n_users,) and (n_items,)
        Pairs of each user and of each item.
    """

    user_counts: NDArray[np.int64]
    item_counts: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of pairs."""
        return int(self.item_counts.sum())


def scan_pairs(
    path: str | Path, *, n_users: int | None = None, n_items: int | None = None
) -> PairCounts:
    """Counts of a file or folder of pairs, which is read once from start to end.

    Parameters
    ----------
    path : str or Path
        As for ``StreamedPairs``.
    n_users, n_items : int, optional
        Users and items without a pair are then welcome. Left out, it is the largest index + 1,
        and each index below must occur: a gap hints at raw ids.

    Returns
    -------
    PairCounts

    Raises
    ------
    ValueError
        If there are no such pairs, an index is missing, out of range, or never occurs.
    """
    sizes = (n_users, n_items)
    files = PairFiles(path, n_users=n_users, n_items=n_items)
    counts = [np.zeros(size or 0, dtype=np.int64) for size in sizes]
    for rows in files.pieces(range(len(files.groups))):
        for side, indices in enumerate(rows.T):
            if sizes[side] is None and indices.max() >= files.n_pairs:  # more indices than pairs
                raise _gap(side, int(indices.max()))
            counts[side] = _added(counts[side], np.bincount(indices))
    for side, found in enumerate(counts):
        if sizes[side] is None and not found.all():
            raise _gap(side, len(found) - 1)
    return PairCounts(*counts)


def _added(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of two arrays that may differ in length."""
    total = np.zeros(max(len(first), len(second)), dtype=np.int64)
    total[: len(first)] = first
    total[: len(second)] += second
    return total


def _gap(side: int, largest: int) -> ValueError:
    name = COLUMNS[side]
    kind = f"{name.removesuffix('_idx')}s"
    return ValueError(
        f"{name} goes up to {largest:,}, but some indices below never occur: encode raw ids by "
        f"write_pairs, or pass n_{kind} if {kind} without a pair are meant"
    )
