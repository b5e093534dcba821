"""Batches of positives for training, shuffled anew in each pass: pairs, or users' whole rows.

All batches are drawn on the device of their generator and stay there. Within the workers of a
``DataLoader`` the batches of a pass are shared out, see ``nbhelpers.sampling.workers``; a small
``IterableDataset`` passes them on::

    class Batches(IterableDataset):
        def __iter__(self):
            yield from batches

    loader = DataLoader(Batches(), batch_size=None, num_workers=2)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.data.device_rows import DeviceRows
from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.negatives import NegativeSampler, PopularityNegatives
from nbhelpers.sampling.workers import share_of


class InBatch:
    """Batches of pairs alone: within a batch each user's negatives are the others' positives.

    Parameters
    ----------
    interactions : Interactions
    batch_size : int
        Pairs in a batch; the last one of a pass may be smaller.
    generator : torch.Generator
        Decides the order; each pass goes on where the last one left it.

    Attributes
    ----------
    log_q : Tensor of float64, shape (n_items,)
        Natural logarithm of the share of the positives that an item has, for the correction in
        ``sampled_softmax_loss``: popular items come up as negatives far too often.

    Yields
    ------
    user_idx, item_idx : Tensor of int64, shape (batch,)
    weights : Tensor of float32, shape (batch,)
        Only if the interactions have weights.

    Raises
    ------
    ValueError
        If there is no positive, or ``batch_size`` is below 1.

    Examples
    --------
    >>> train = Interactions([0, 1, 2], [2, 0, 1], n_users=3, n_items=3)
    >>> batches = InBatch(train, batch_size=2, generator=torch.Generator().manual_seed(0))
    >>> [(user_idx.shape, item_idx.shape) for user_idx, item_idx in batches]
    [(torch.Size([2]), torch.Size([2])), (torch.Size([1]), torch.Size([1]))]
    """

    def __init__(
        self, interactions: Interactions, *, batch_size: int, generator: torch.Generator
    ) -> None:
        _require_batches(interactions, batch_size)
        self.interactions, self.batch_size, self.generator = interactions, batch_size, generator
        self.log_q = PopularityNegatives(interactions, power=1.0).log_q
        self._rows = DeviceRows(interactions, generator.device)

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        share = share_of(self.generator)
        order = _shuffled(len(self.interactions), share.order)
        for positions in order.split(self.batch_size)[share.parts]:
            yield *self._rows.pairs_at(positions), *_weights(self._rows, positions)


class PairBatches:
    """Batches of pairs, each with negatives of its user; both redrawn in each pass.

    Parameters
    ----------
    interactions : Interactions
    sampler : callable
        One of ``nbhelpers.sampling.negatives``.
    batch_size : int
        Pairs in a batch; the last one of a pass may be smaller.
    n_negatives : int
        Negatives of each pair.
    generator : torch.Generator
        Decides order and negatives; each pass goes on where the last one left it.

    Yields
    ------
    user_idx, item_idx : Tensor of int64, shape (batch,)
    negatives : Tensor of int64, shape (batch, n_negatives)
    weights : Tensor of float32, shape (batch,)
        Only if the interactions have weights.

    Raises
    ------
    ValueError
        If there is no positive, or ``batch_size`` or ``n_negatives`` is below 1.

    Examples
    --------
    >>> from nbhelpers.sampling.negatives import ExactNegatives
    >>> train = Interactions([0, 0, 1], [0, 1, 2], n_users=2, n_items=3)
    >>> settings = {"batch_size": 3, "n_negatives": 4, "generator": torch.Generator()}
    >>> batches = PairBatches(train, ExactNegatives(train), **settings)
    >>> user_idx, item_idx, negatives = next(iter(batches))
    >>> negatives.shape, negatives[user_idx == 0].unique()
    (torch.Size([3, 4]), tensor([2]))
    """

    def __init__(
        self,
        interactions: Interactions,
        sampler: NegativeSampler,
        *,
        batch_size: int,
        n_negatives: int,
        generator: torch.Generator,
    ) -> None:
        _require_batches(interactions, batch_size)
        require_one(n_negatives=n_negatives)
        self.interactions, self.sampler = interactions, sampler
        self.batch_size, self.n_negatives = batch_size, n_negatives
        self.generator = generator
        self._rows = DeviceRows(interactions, generator.device)

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        share = share_of(self.generator)
        order = _shuffled(len(self.interactions), share.order)
        for positions in order.split(self.batch_size)[share.parts]:
            user_idx, item_idx = self._rows.pairs_at(positions)
            negatives = self.sampler(user_idx, n_negatives=self.n_negatives, generator=share.own)
            yield user_idx, item_idx, negatives, *_weights(self._rows, positions)


class UserBatches:
    """Batches of users, each with all positives as a row, for losses over the whole catalog.

    Parameters
    ----------
    interactions : Interactions
        Users without a positive are left out.
    batch_size : int
        Users in a batch; the last one of a pass may be smaller.
    generator : torch.Generator
        Decides the order; each pass goes on where the last one left it.

    Yields
    ------
    user_idx : Tensor of int64, shape (batch,)
    positives : Tensor of float32, shape (batch, n_items)
        1 for a positive, or its weight if the interactions have weights; 0 elsewhere.

    Raises
    ------
    ValueError
        If there is no positive, or ``batch_size`` is below 1.

    Examples
    --------
    >>> train = Interactions([0, 0, 1], [0, 2, 1], n_users=2, n_items=3, weights=[5, 1, 3])
    >>> batches = UserBatches(train, batch_size=2, generator=torch.Generator())
    >>> user_idx, positives = next(iter(batches))
    >>> positives[user_idx.argsort()]
    tensor([[5., 0., 1.],
            [0., 3., 0.]])
    """

    def __init__(
        self, interactions: Interactions, *, batch_size: int, generator: torch.Generator
    ) -> None:
        _require_batches(interactions, batch_size)
        self.interactions, self.batch_size, self.generator = interactions, batch_size, generator
        users = torch.from_numpy(np.flatnonzero(interactions.user_counts))
        self._users = users.to(generator.device)
        self._rows = DeviceRows(interactions, generator.device)

    def __len__(self) -> int:
        return -(-len(self._users) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        share = share_of(self.generator)
        order = _shuffled(len(self._users), share.order)
        for positions in order.split(self.batch_size)[share.parts]:
            user_idx = self._users[positions]
            yield user_idx, self._rows.dense_weights(user_idx)


def _shuffled(n: int, generator: torch.Generator) -> Tensor:
    narrow = torch.int32 if n < 2**31 else torch.int64
    return torch.randperm(n, generator=generator, dtype=narrow, device=generator.device)


def _weights(rows: DeviceRows, positions: Tensor) -> tuple[Tensor, ...]:
    """Weights of the pairs as the last part of a batch; nothing where there are none."""
    return () if rows.weights is None else (rows.weights.index_select(0, positions),)


def _require_batches(interactions: Interactions, batch_size: int) -> None:
    if not len(interactions):
        raise ValueError("there is no positive to train on")
    require_one(batch_size=batch_size)
