"""Batches shared out among processes that train one model: who gets which rows of which batch.

The processes of a run are numbered by a *rank*, from 0. A step of training takes one *global
batch*, of which each rank has a part, perhaps an empty one. There are two ways to share:

- ``SharedRows``: every rank walks through all batches and keeps every ``world``-th row of each. So
  all runs see the same global batches with the same negatives, whatever the number of processes,
  but each process reads everything and draws everything.
- ``SharedRowGroups``: every rank reads row groups of its own from the Parquet files and draws for
  its own rows alone. A run then has other global batches than one process would.

In both, each row comes once in a pass, and all ranks take the same number of steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.sampling.batches import InBatch, PairBatches, UserBatches
from nbhelpers.sampling.streaming import Batch, StreamedPairs


class RankBatch(NamedTuple):
    """The part of a global batch that belongs to one rank.

    Attributes
    ----------
    rows : tuple of Tensor
        As the batches have them; never empty. A rank without rows gets a copy of another rank's
        row, so that it can take part in the step, and its ``size`` is 0.
    size : Tensor of float32, shape ()
        How much the part counts: its rows, or the sum of their weights.
    total : Tensor of float32, shape ()
        The same of the global batch. 0 where a rank cannot know it, which is so for the weighted
        rows of ``SharedRowGroups``: then the ranks have to add up their sizes.
    """

    rows: Batch
    size: Tensor
    total: Tensor


class SharedRows:
    """Every ``world``-th row of each batch: the same global batches for any number of processes.

    Parameters
    ----------
    batches : PairBatches or StreamedPairs
        The global batches. Their generator must be in the same state in all ranks.
    rank, world : int
        Which process this is, from 0, and of how many.

    Yields
    ------
    RankBatch

    Raises
    ------
    ValueError
        If the batches are no pairs with negatives, the rank is none, or a batch has fewer rows
        than there are processes.

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.sampling.negatives import UniformNegatives
    >>> train = Interactions([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], n_users=5, n_items=5)
    >>> def batches():
    ...     settings = {"n_negatives": 1, "generator": torch.Generator().manual_seed(0)}
    ...     return PairBatches(train, UniformNegatives(5), batch_size=4, **settings)
    >>> for rank in (0, 1):
    ...     [part.rows[0].tolist() for part in SharedRows(batches(), rank, 2)]
    [[4, 1], [2]]
    [[0, 3], [2]]
    >>> [part.size.item() for part in SharedRows(batches(), 1, 2)]  # the last 2 is rank 0's
    [2.0, 0.0]
    """

    def __init__(self, batches: PairBatches | StreamedPairs, rank: int, world: int) -> None:
        _check(batches, rank, world)
        self.batches, self.generator = batches, batches.generator
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[RankBatch]:
        for batch in self.batches:
            own = tuple(tensor[self.rank :: self.world] for tensor in batch)
            total = _size(batch)
            if len(own[0]):
                yield RankBatch(own, _size(own), total)
            else:
                yield _absent(batch, total)


class SharedRowGroups:
    """Batches from row groups that are this rank's own: each process reads its part of the files.

    The row groups are dealt out once, so that the ranks have as equal numbers of rows as whole row
    groups allow. All take as many steps as one process would, so a rank with more rows has larger
    parts of the batches.

    Parameters
    ----------
    batches : StreamedPairs
        What one process would read. Their generator must be in the same state in all ranks; each
        pass takes one number from it, which seeds generators for the ranks.
    rank, world : int
        Which process this is, from 0, and of how many.

    Attributes
    ----------
    n_rows : list of int
        Rows of each rank.

    Yields
    ------
    RankBatch

    Raises
    ------
    ValueError
        If the batches are not streamed from Parquet, the rank is none, or there are fewer row
        groups or rows in a batch than processes.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from nbhelpers.sampling.negatives import UniformNegatives
    >>> pairs = pd.DataFrame({"user_idx": range(7), "item_idx": range(7)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pairs.to_parquet(f"{folder}/pairs.parquet", row_group_size=2)  # groups of 2, 2, 2, 1
    ...     settings = {"batch_size": 4, "n_negatives": 1, "generator": torch.Generator()}
    ...     batches = StreamedPairs(folder, UniformNegatives(7), **settings)
    ...     for rank in (0, 1):
    ...         sorted(torch.cat([part.rows[0] for part in SharedRowGroups(batches, rank, 2)]))
    [tensor(0), tensor(1), tensor(4), tensor(5)]
    [tensor(2), tensor(3), tensor(6)]
    """

    def __init__(self, batches: StreamedPairs, rank: int, world: int) -> None:
        _check(batches, rank, world)
        if not isinstance(batches, StreamedPairs):
            raise ValueError(
                f"row groups are shared where pairs are streamed from Parquet, got "
                f"{type(batches).__name__}: use StreamedPairs, or share rows"
            )
        self.batches, self.generator = batches, batches.generator
        self.rank, self.world = rank, world
        sizes = batches.group_sizes
        if len(sizes) < world:
            raise ValueError(
                f"at least one row group for each process is required, got {len(sizes)} for "
                f"{world}: write the pairs with smaller rows_per_group, or share rows"
            )
        dealt = dealt_out(sizes, world)
        self._own = dealt[rank]
        self.n_rows = [sum(sizes[group] for group in groups) for groups in dealt]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[RankBatch]:
        own = torch.Generator(self.generator.device).manual_seed(self._seed() + self.rank)
        cuts = [_cuts(n_rows, len(self)) for n_rows in self.n_rows]
        rows = self.batches.only(self._own, batch_size=max(cuts[self.rank]), generator=own)
        for step, batch in enumerate(recut(rows, cuts[self.rank])):
            n_own = cuts[self.rank][step]
            total = torch.tensor(float(sum(each[step] for each in cuts)))
            total = total if len(batch) == 3 else torch.zeros_like(total)
            yield RankBatch(batch, _size(batch), total) if n_own else _absent(batch, total)

    def _seed(self) -> int:
        device = self.generator.device
        return int(torch.randint(2**62, (1,), generator=self.generator, device=device))


def dealt_out(sizes: Sequence[int], n_hands: int) -> list[list[int]]:
    """Numbers of things of some sizes, dealt to hands of nearly equal sums.

    The largest thing goes first, each to the hand that has least, as by Graham (1969),
    https://doi.org/10.1137/0117039: no hand is farther above the mean than one thing.

    Examples
    --------
    >>> dealt_out([2, 9, 4, 4], 2)
    [[1], [0, 2, 3]]
    """
    hands: list[list[int]] = [[] for _ in range(n_hands)]
    sums = [0] * n_hands
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        least = sums.index(min(sums))
        hands[least].append(number)
        sums[least] += sizes[number]
    return [sorted(hand) for hand in hands]


def recut(batches: Iterable[Batch], sizes: Sequence[int]) -> Iterator[Batch]:
    """The same rows in batches of other sizes; for a size of 0 a row that is at hand anyway.

    Examples
    --------
    >>> batches = [(torch.arange(3),), (torch.arange(3, 5),)]
    >>> [batch.tolist() for (batch,) in recut(batches, [2, 0, 2, 1])]
    [[0, 1], [1], [2, 3], [4]]
    """
    source = iter(batches)
    held = next(source)
    last = held
    for size in sizes:
        if not size:
            yield tuple(tensor[-1:] for tensor in last)
            continue
        while len(held[0]) < size:
            held = tuple(map(torch.cat, zip(held, next(source), strict=True)))
        last = tuple(tensor[:size] for tensor in held)
        held = tuple(tensor[size:] for tensor in held)
        yield last


def _cuts(n_rows: int, n_steps: int) -> list[int]:
    """Sizes of the parts of some rows, which differ by one at most."""
    ends = [n_rows * step // n_steps for step in range(n_steps + 1)]
    return [end - start for start, end in pairwise(ends)]


def _size(batch: Batch) -> Tensor:
    """How much a batch of pairs counts: its rows, or the sum of their weights."""
    if len(batch) == 4:
        return batch[3].sum()
    return torch.tensor(float(len(batch[0])))


def _absent(batch: Batch, total: Tensor) -> RankBatch:
    """The part of a rank that has no row."""
    return RankBatch(tuple(tensor[:1] for tensor in batch), torch.zeros_like(total), total)


def _check(batches: object, rank: int, world: int) -> None:
    require_one(world=world)
    if not 0 <= rank < world:
        raise ValueError(f"rank must lie between 0 and {world - 1}, got {rank}")
    if isinstance(batches, InBatch | UserBatches):
        raise ValueError(
            f"{type(batches).__name__} cannot be shared among processes: its loss needs all rows "
            f"of a batch at once; use PairBatches or StreamedPairs, with negatives of their own"
        )
    size = getattr(batches, "batch_size", world)
    if size < world:
        raise ValueError(
            f"batch_size must be at least the number of processes, got {size} for {world}: the "
            f"batch is shared among them"
        )
