"""Negatives for WARP: draw until one scores within a margin of the positive, and count the tries.

Unlike the samplers of ``negatives.py`` this one looks at the positive, so it comes with batches of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import NegativeSampler

_FIRST_TRIES = 8  # drawn at once, then four times as many for the rows that have found nothing
_MOST_AT_ONCE = 1024


class FirstViolators:
    """Draws negatives of each positive until one scores above the positive minus a margin.

    The tries are made for many positives at once: a few for all of them, then more for those that
    have found no violator yet. What is found is what a loop over positives would find.

    Parameters
    ----------
    sampler : callable
        Draws the tries, ``ExactNegatives`` for instance.
    score : callable
        ``score(user_idx, items)``: int64 (batch,) and (batch, m) in, float (batch, m) out, such as
        ``PairScores`` of a model. It is called without gradients.
    n_tries : int
        The most tries for a positive, at least 1; ``n_items - 1`` in the paper.
    margin : float
        In units of the scores.

    References
    ----------
    Weston et al. (2011), WSABIE: Scaling Up To Large Vocabulary Image Annotation, algorithm 1,
    https://www.ijcai.org/Abstract/11/460

    Examples
    --------
    >>> from nbhelpers.sampling.negatives import UniformNegatives
    >>> def score(user_idx, items):
    ...     return items.float()  # item 9 scores 9
    >>> search = FirstViolators(UniformNegatives(10), score, n_tries=500)
    >>> generator = torch.Generator().manual_seed(0)
    >>> user_idx, positives = torch.tensor([0, 0]), torch.tensor([9, 0])
    >>> negatives, tries = search(user_idx, positives, generator=generator)
    >>> bool(negatives[0] == 9), bool(tries[0] > 1), int(tries[1])  # anything violates 0 - 1
    (True, True, 1)
    """

    def __init__(
        self,
        sampler: NegativeSampler,
        score: Callable[[Tensor, Tensor], Tensor],
        *,
        n_tries: int,
        margin: float = 1.0,
    ) -> None:
        require_one(n_tries=n_tries)
        self.sampler, self.score = sampler, score
        self.n_tries, self.margin = n_tries, margin

    @torch.no_grad()
    def __call__(
        self, user_idx: Tensor, item_idx: Tensor, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """First violator of each positive, and the number of the try that brought it.

        Parameters
        ----------
        user_idx, item_idx : Tensor of int64, shape (batch,)
        generator : torch.Generator

        Returns
        -------
        negatives : Tensor of int64, shape (batch,)
            The last one drawn where no try brought a violator.
        tries : Tensor of int64, shape (batch,)
            From 1; 0 where no try brought a violator.
        """
        users, positives = user_idx.to(generator.device), item_idx.to(generator.device)
        least = self.score(users, positives.unsqueeze(1)).to(users.device) - self.margin
        negatives, tries = torch.zeros_like(positives), torch.zeros_like(positives)
        open_rows = torch.arange(len(users), device=users.device)
        for start, stop in pairwise(_edges(self.n_tries)):
            if not len(open_rows):
                break
            rows = users[open_rows]
            drawn = self.sampler(rows, n_negatives=stop - start, generator=generator)
            violates = self.score(rows, drawn).to(users.device) > least[open_rows]  # (open, m)
            found, first = violates.max(dim=1)  # the first of equals; the last try if there is none
            first = torch.where(found, first, stop - start - 1)
            negatives[open_rows] = drawn.gather(1, first.unsqueeze(1)).squeeze(1)
            tries[open_rows[found]] = start + 1 + first[found]
            open_rows = open_rows[~found]
        return negatives, tries


def _edges(n_tries: int) -> list[int]:
    """Where each block of tries begins, and last where the last one ends."""
    edges, size = [0], _FIRST_TRIES
    while edges[-1] < n_tries:
        edges.append(min(edges[-1] + size, n_tries))
        size = min(4 * size, _MOST_AT_ONCE)
    return edges


def rank_weights(tries: Tensor, *, n_items: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """WARP's weight of a positive whose first violator came at a try: 1 + 1/2 + ... + 1/rank.

    Parameters
    ----------
    tries : Tensor of int64, shape (batch,)
        0 for a positive without a violator: its weight is 1, and its hinge 0.
    n_items : int
        Size of the catalog, at least 2. N tries suggest the rank ``(n_items - 1) // N``.
    dtype : torch.dtype
        Of the weights. They are computed in float64.

    Returns
    -------
    Tensor of ``dtype``, shape (batch,)

    Raises
    ------
    ValueError
        If ``n_items`` is below 2.

    Examples
    --------
    >>> rank_weights(torch.tensor([1, 5, 10, 0]), n_items=11)  # ranks 10, 2 and 1
    tensor([2.9290, 1.5000, 1.0000, 1.0000])
    """
    if n_items < 2:
        raise ValueError(f"n_items must be at least 2, got {n_items}")
    ranks = torch.where(tries > 0, (n_items - 1) // tries.clamp(min=1), 1)
    # digamma(rank + 1) plus Euler's constant is 1 + 1/2 + ... + 1/rank: no sum over the catalog
    return (torch.digamma(ranks.double() + 1) + np.euler_gamma).to(dtype)


class ViolatorBatches:
    """Batches of positives, each with its first violator and with WARP's weight.

    Parameters
    ----------
    interactions : Interactions
        Positives; each comes once in a pass.
    search : FirstViolators
    batch_size : int
    generator : torch.Generator
        Decides order and tries.

    Yields
    ------
    user_idx, item_idx : Tensor of int64, shape (batch,)
    negatives : Tensor of int64, shape (batch, 1)
    weights : Tensor of float32, shape (batch,)
        ``rank_weights``, times the weight of the pair if the interactions have weights. The paper's
        loss is the mean of weight times hinge, not the weighted mean of hinges.

    Examples
    --------
    >>> from nbhelpers.sampling.negatives import ExactNegatives
    >>> train = Interactions([0, 0, 1], [0, 1, 2], n_users=2, n_items=3)
    >>> def score(user_idx, items):
    ...     return torch.zeros(items.shape)  # whatever is drawn violates
    >>> search = FirstViolators(ExactNegatives(train), score, n_tries=2)
    >>> batches = ViolatorBatches(train, search, batch_size=3, generator=torch.Generator())
    >>> user_idx, item_idx, negatives, weights = next(iter(batches))
    >>> negatives.shape, weights.tolist()  # rank 2 of 3: 1 + 1/2
    (torch.Size([3, 1]), [1.5, 1.5, 1.5])
    """

    def __init__(
        self,
        interactions: Interactions,
        search: FirstViolators,
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> None:
        self.n_items, self.search, self.generator = interactions.n_items, search, generator
        self._pairs = PairBatches(
            interactions,
            _first_item,
            batch_size=batch_size,
            n_negatives=1,
            generator=generator,
        )

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for user_idx, item_idx, _, *weights in self._pairs:
            negatives, tries = self.search(user_idx, item_idx, generator=self.generator)
            costs = rank_weights(tries, n_items=self.n_items)
            if weights:
                costs = costs * weights[0]
            yield user_idx, item_idx, negatives.unsqueeze(1), costs


def _first_item(user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
    """A stand-in for negatives that are found later; nothing is drawn."""
    shape = (len(user_idx), n_negatives)
    return torch.zeros(shape, dtype=torch.int64, device=generator.device)
