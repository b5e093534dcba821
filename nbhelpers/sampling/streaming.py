"""Training on pairs larger than memory: batches streamed from Parquet, and counts of a file.

``vocabularies`` and ``write_pairs`` in ``parquet_write.py`` make such a file from a stream of
frames.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.sampling.negatives import NegativeSampler
from nbhelpers.sampling.parquet_read import COLUMNS, PIECE, PairFiles, Piece
from nbhelpers.sampling.workers import share_of

Batch = tuple[Tensor, ...]


class StreamedPairs:
    """Batches of pairs from Parquet, each with negatives of its user: ``PairBatches`` from disk.

    A pass reads the row groups in an order drawn anew. Their rows fill a buffer, which is
    shuffled and cut into batches; what is less than a batch waits for the next rows. So every
    pair comes once in a pass, and memory holds the buffer alone, whatever the size of the file.

    A buffer that holds all pairs shuffles as well as ``PairBatches``: every order can come. With
    a smaller one, pairs that are read together come out together, within about two buffers of
    each other, and a batch mixes no more row groups than fill the buffer. Where a file is sorted,
    by user or by day, so is each batch in part; where it is one long row group, each pass goes
    from its start to its end. Short row groups bring rows from more places of the file together,
    a large buffer more users, and a file that was shuffled before it was written (as
    ``prepare_pairs`` does) needs neither: ``shuffle_quality`` measures it.

    The workers of a ``DataLoader`` share the row groups of a pass. Each ends with a batch that
    may be smaller, so there can be a few batches more than ``len`` says.

    Parameters
    ----------
    path : str or Path
        A Parquet file with integer columns ``user_idx`` and ``item_idx``, and perhaps numbers
        above 0 in ``weight``, or a folder of them.
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
        Rows to shuffle together, at least. Each takes 24 bytes (28 with a weight), on the device
        of the generator.

    Attributes
    ----------
    n_pairs : int

    Yields
    ------
    user_idx, item_idx : Tensor of int64, shape (batch,)
    negatives : Tensor of int64, shape (batch, n_negatives)
    weights : Tensor of float32, shape (batch,)
        Only if the files have weights.

    Raises
    ------
    ValueError
        If there is no such file, no pair in it, something else than pairs, an index missing or
        out of range, a weight not above 0, or a size below 1: at once, as far as the files' own
        statistics tell, else when the row is read.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import torch
    >>> from nbhelpers.sampling.negatives import UniformNegatives
    >>> settings = {"batch_size": 2, "n_negatives": 4, "generator": torch.Generator()}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pairs = pd.DataFrame({"user_idx": [0, 0, 1], "item_idx": [0, 1, 2]})
    ...     pairs.to_parquet(f"{folder}/pairs.parquet")
    ...     batches = StreamedPairs(folder, UniformNegatives(3), **settings)
    ...     [tuple(negatives.shape) for user_idx, item_idx, negatives in batches]
    [(2, 4), (1, 4)]
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

    @property
    def group_sizes(self) -> list[int]:
        """Rows of each row group."""
        return [each.footer.row_group(each.number).num_rows for each in self._files.groups]

    def only(
        self, groups: Sequence[int], *, batch_size: int, generator: torch.Generator
    ) -> StreamedPairs:
        """The same of some row groups alone, such as those that belong to one process.

        Parameters
        ----------
        groups : sequence of int
            Numbers of row groups, as in ``group_sizes``.
        batch_size, generator
            Of the batches of these row groups.

        Returns
        -------
        StreamedPairs
        """
        some = copy.copy(self)
        some._files = self._files.only(groups)
        some.n_pairs = some._files.n_pairs
        some.batch_size, some.generator = batch_size, generator
        return some

    def __iter__(self) -> Iterator[Batch]:
        share = share_of(self.generator)
        n_groups, device = len(self._files.groups), self.generator.device
        order = torch.randperm(n_groups, generator=share.order, device=device)[share.parts]
        n_wanted = max(self.buffer_rows, self.batch_size)
        n_rows = min(n_wanted + PIECE, self.n_pairs)
        buffer = _Buffer(n_rows, weighted=self._files.weighted, device=device)
        for piece in self._files.pieces(order.tolist()):
            buffer.append(piece)
            if buffer.n_held >= n_wanted:
                yield from self._full_batches(buffer, share.own)
        yield from self._full_batches(buffer, share.own)
        if buffer.n_held:
            yield self._with_negatives(buffer.take(slice(buffer.n_held)), share.own)

    def _full_batches(self, buffer: _Buffer, generator: torch.Generator) -> Iterator[Batch]:
        """Batches of shuffled rows, all of them full; those left over stay in the buffer."""
        n_held = buffer.n_held
        order = torch.randperm(n_held, generator=generator, device=generator.device)
        n_rest = n_held % self.batch_size
        for start in range(0, n_held - n_rest, self.batch_size):
            positions = order[start : start + self.batch_size]
            yield self._with_negatives(buffer.take(positions), generator)
        buffer.keep(order[n_held - n_rest :])

    def _with_negatives(self, rows: Batch, generator: torch.Generator) -> Batch:
        user_idx, item_idx, *weights = rows
        negatives = self.sampler(user_idx, n_negatives=self.n_negatives, generator=generator)
        return user_idx, item_idx, negatives, *weights


class _Buffer:
    """Rows that wait to be shuffled. Made once for a pass: blocks that come and go leave holes."""

    def __init__(self, n_rows: int, *, weighted: bool, device: torch.device) -> None:
        self.n_held = 0
        self._pairs = torch.empty((n_rows, 2), dtype=torch.int64, device=device)
        self._weights = torch.empty(n_rows, device=device) if weighted else None

    def append(self, piece: Piece) -> None:
        """Put rows behind those that are held."""
        rows = slice(self.n_held, self.n_held + len(piece.pairs))
        self._pairs[rows] = torch.from_numpy(piece.pairs)
        if self._weights is not None and piece.weights is not None:
            self._weights[rows] = torch.from_numpy(piece.weights)
        self.n_held = rows.stop

    def take(self, positions: Tensor | slice) -> Batch:
        """Users, items and, if there are any, weights: copies, which later rows do not touch."""
        columns = self._pairs[positions].T.clone(memory_format=torch.contiguous_format)
        if self._weights is None:
            return columns.unbind()
        return *columns.unbind(), self._weights[positions].clone()

    def keep(self, positions: Tensor) -> None:
        """Hold some rows only."""
        self.n_held = len(positions)
        self._pairs[: self.n_held] = self._pairs[positions]
        if self._weights is not None:
            self._weights[: self.n_held] = self._weights[positions]


@dataclass(frozen=True, eq=False)
class PairCounts:
    """How often each user and item occurs in a file.

    Where a function needs no more than these counts it takes them instead of ``Interactions``:
    ``PopularityNegatives`` does, and gives ``log_q``.

    Attributes
    ----------
    user_counts, item_counts : ndarray of int64, shapes (n_users,) and (n_items,)
        Pairs of each user and of each item.
    user_weights, item_weights : ndarray of float64, of the same shapes, or None
        Sums of their weights; None if the files have none.
    """

    user_counts: NDArray[np.int64]
    item_counts: NDArray[np.int64]
    user_weights: NDArray[np.float64] | None = None
    item_weights: NDArray[np.float64] | None = None

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
        Users and items without a pair are then allowed. Left out, it is the largest index + 1,
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
    weights = [np.zeros(size or 0) for size in sizes]
    for piece in files.pieces(range(len(files.groups))):
        for side, indices in enumerate(piece.pairs.T):
            if sizes[side] is None and indices.max() >= files.n_pairs:  # more indices than pairs
                raise _gap(side, int(indices.max()))
            counts[side] = _added(counts[side], np.bincount(indices))
            if piece.weights is not None:
                weights[side] = _added(weights[side], np.bincount(indices, piece.weights))
    for side, found in enumerate(counts):
        if sizes[side] is None and not found.all():
            raise _gap(side, len(found) - 1)
    if not files.weighted:
        return PairCounts(counts[0], counts[1])
    return PairCounts(counts[0], counts[1], weights[0], weights[1])


def _added(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Sum of two arrays that may differ in length."""
    total = np.zeros(max(len(first), len(second)), dtype=first.dtype)
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
