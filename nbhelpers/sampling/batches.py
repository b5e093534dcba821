"""Batches of positives for training, shuffled anew in each pass: pairs, or users' whole rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.negatives import NegativeSampler, PopularityNegatives


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
        Natural logarithm of how often an item turns up as somebody's positive, for the correction
        in ``sampled_softmax_loss``: popular items are met as negatives far too often.

    Yields
    ------
    user_idx, item_idx : Tensor of int64, shape (batch,)

    Raises
    ------
    ValueError
        If there is no positive, or ``batch_size`` is below 1.
    """

    def __init__(
        self, interactions: Interactions, *, batch_size: int, generator: torch.Generator
    ) -> None:
        _require_batches(interactions, batch_size)
        self.interactions, self.batch_size, self.generator = interactions, batch_size, generator
        self.log_q = PopularityNegatives(interactions, power=1.0).log_q

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for places in _shuffled(len(self.interactions), self.generator).split(self.batch_size):
            yield self.interactions.pairs_at(places)


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

    Raises
    ------
    ValueError
        If there is no positive, or ``batch_size`` or ``n_negatives`` is below 1.
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

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for places in _shuffled(len(self.interactions), self.generator).split(self.batch_size):
            user_idx, item_idx = self.interactions.pairs_at(places)
            negatives = self.sampler(
                user_idx, n_negatives=self.n_negatives, generator=self.generator
            )
            yield user_idx, item_idx, negatives


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
        1 for a positive, 0 elsewhere.

    Raises
    ------
    ValueError
        If there is no positive, or ``batch_size`` is below 1.
    """

    def __init__(
        self, interactions: Interactions, *, batch_size: int, generator: torch.Generator
    ) -> None:
        _require_batches(interactions, batch_size)
        self.interactions, self.batch_size, self.generator = interactions, batch_size, generator
        self._users = torch.from_numpy(np.flatnonzero(interactions.user_counts))

    def __len__(self) -> int:
        return -(-len(self._users) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for places in _shuffled(len(self._users), self.generator).split(self.batch_size):
            user_idx = self._users[places]
            yield user_idx, self.interactions.dense(user_idx).float()


def _shuffled(n: int, generator: torch.Generator) -> Tensor:
    narrow = torch.int32 if n < 2**31 else torch.int64
    return torch.randperm(n, generator=generator, dtype=narrow)


def _require_batches(interactions: Interactions, batch_size: int) -> None:
    if not len(interactions):
        raise ValueError("there is no positive to train on")
    require_one(batch_size=batch_size)
