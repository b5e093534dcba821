"""Negatives for training: items that a user has not chosen, drawn anew whenever asked for.

A sampler is any callable ``sampler(user_idx, *, n_negatives, generator)`` that returns an int64
tensor of shape (batch, n_negatives). It draws with replacement, takes every random number from
the ``torch.Generator`` (on the CPU) and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import checked_indices, require_one
from nbhelpers.core.csr import PairFilter, has_pairs, nth_absent
from nbhelpers.data.interactions import Interactions


class NegativeSampler(Protocol):
    """What every sampler can do."""

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""


class Choices(Protocol):
    """What counts choices: ``Interactions``, or ``PairCounts`` of a file larger than memory."""

    @property
    def item_counts(self) -> NDArray[np.int64]:
        """Choices of each item, shape (n_items,)."""

    def __len__(self) -> int:
        """All choices."""


class ExactNegatives:
    """Draws among the items that are no positive of the user, each equally likely.

    First any item is drawn. The few that turn out to be positives are replaced by the r-th item
    that the user has not chosen, r being drawn: no second try can fail, so a user who has chosen
    nearly everything takes no longer.

    Parameters
    ----------
    interactions : Interactions
        Their positives are never drawn.
    seen : Interactions, optional
        More positives never to draw, known when the model trains. Test positives are not: what
        is never drawn stands out, and the model would learn which items were hidden.

    Raises
    ------
    ValueError
        When called, if a user has chosen every item.
    """

    def __init__(self, interactions: Interactions, *, seen: Interactions | None = None) -> None:
        self.seen = interactions if seen is None else interactions | seen
        self._filter = PairFilter(self.seen.indptr, self.seen.indices, n_columns=self.seen.n_items)

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        seen = self.seen
        users = checked_indices(user_idx, name="user_idx", size=seen.n_users)
        drawn = _uniform(seen.n_items, (len(users), n_negatives), generator)
        items = drawn.view(-1).numpy()  # the same memory
        rows = np.repeat(users, n_negatives)
        suspects = self._filter.suspects(rows, items)
        hits = suspects[has_pairs(seen.indptr, seen.indices, rows[suspects], items[suspects])]
        if len(hits):
            nth = _below(_n_free(seen, rows[hits]), generator)
            items[hits] = nth_absent(seen.indptr, seen.indices, rows[hits], nth)
        return drawn.to(user_idx.device)


class UniformNegatives:
    """Draws any item: fast, and wrong as often as the user's positives fill the catalog.

    A user with 200 positives among 1,000,000 items gets one of them in 0.02 % of the draws.

    Parameters
    ----------
    n_items : int
    """

    def __init__(self, n_items: int) -> None:
        require_one(n_items=n_items)
        self.n_items = n_items

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        return _uniform(self.n_items, (len(user_idx), n_negatives), generator).to(user_idx.device)


class PopularityNegatives:
    """Draws items in proportion to a power of how often they were chosen, by whomever.

    Like ``UniformNegatives`` it may draw a positive of the user.

    Parameters
    ----------
    choices : Interactions or PairCounts
        Count them.
    power : float
        1 for the frequency itself, 0.75 as in word2vec, 0 for any item alike; with a power above
        0 an item that nobody chose is never drawn.

    Attributes
    ----------
    log_q : Tensor of float64, shape (n_items,)
        Natural logarithm of each item's probability, minus infinity for one never drawn: what
        ``sampled_softmax_loss`` corrects for.

    Raises
    ------
    ValueError
        If ``power`` is negative, or there are no positives to count.

    References
    ----------
    Mikolov et al. (2013), Distributed Representations of Words and Phrases, sec. 2.2,
    https://arxiv.org/abs/1310.4546
    """

    def __init__(self, choices: Choices, *, power: float) -> None:
        if not 0 <= power < np.inf:
            raise ValueError(f"power must be 0 or more, got {power}")
        if not len(choices):
            raise ValueError("popularity needs at least one positive, got none")
        counts = choices.item_counts
        weights = (counts / counts.max()) ** power
        self.log_q = torch.from_numpy(weights / weights.sum()).log()
        cumulative = np.cumsum(weights)
        self._cumulative = torch.from_numpy(cumulative / cumulative[-1])

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        require_one(n_negatives=n_negatives)
        shape = (len(user_idx), n_negatives)
        place = torch.rand(shape, dtype=torch.float64, generator=generator)  # below 1, the last sum
        return torch.searchsorted(self._cumulative, place, right=True).to(user_idx.device)


class HardestNegatives:
    """Draws several candidates for each negative and keeps the one that the model scores best.

    Parameters
    ----------
    sampler : callable
        Draws the candidates, ``ExactNegatives`` for instance.
    score : callable
        ``score(user_idx, items)``: int64 (batch,) and (batch, m) in, float (batch, m) out. It is
        called without gradients.
    n_candidates : int
        Candidates for each negative, at least 1; 1 changes nothing.

    References
    ----------
    Zhang et al. (2013), Optimizing Top-N Collaborative Filtering via Dynamic Negative Item
    Sampling, sec. 4, https://doi.org/10.1145/2484028.2484126
    """

    def __init__(
        self,
        sampler: NegativeSampler,
        score: Callable[[Tensor, Tensor], Tensor],
        *,
        n_candidates: int,
    ) -> None:
        require_one(n_candidates=n_candidates)
        self.sampler, self.score, self.n_candidates = sampler, score, n_candidates

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        n_drawn = n_negatives * self.n_candidates
        items = self.sampler(user_idx, n_negatives=n_drawn, generator=generator)
        with torch.no_grad():
            scores = self.score(user_idx, items)
        if scores.shape != items.shape:
            raise ValueError(
                f"score must return shape {tuple(items.shape)}, got {tuple(scores.shape)}"
            )
        shape = (len(user_idx), n_negatives, self.n_candidates)
        best = scores.view(shape).argmax(dim=2, keepdim=True)  # (batch, n_negatives, 1)
        return items.view(shape).gather(2, best).squeeze(2)  # (batch, n_negatives)


def sample_negatives(
    interactions: Interactions, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator
) -> Tensor:
    """Items that are no positive of the user, each equally likely, with replacement.

    For more than a few calls build ``ExactNegatives`` once; it draws the same items.

    Parameters
    ----------
    interactions : Interactions
    user_idx : Tensor of int, shape (batch,)
    n_negatives : int
    generator : torch.Generator

    Returns
    -------
    Tensor of int64, shape (batch, n_negatives)

    Raises
    ------
    ValueError
        If a user has chosen every item.
    """
    return ExactNegatives(interactions)(user_idx, n_negatives=n_negatives, generator=generator)


def _uniform(n_items: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    require_one(n_negatives=shape[1])
    return torch.randint(n_items, shape, generator=generator)


def _below(bounds: NDArray[np.int64], generator: torch.Generator) -> NDArray[np.int64]:
    """A whole number from 0 to each bound - 1, uniform to within one part in 2**30."""
    shares = torch.rand(len(bounds), dtype=torch.float64, generator=generator).numpy()
    return (shares * bounds).astype(np.int64)


def _n_free(seen: Interactions, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many items each user has not chosen, at least one."""
    n_free: NDArray[np.int64] = seen.n_items - seen.user_counts[rows]
    full = np.unique(rows[n_free == 0])
    if full.size:
        shown = ", ".join(map(str, full[:3]))
        raise ValueError(
            f"{full.size:,} users have chosen every item, e.g. user_idx {shown}: "
            f"leave them out, there is no negative to draw"
        )
    return n_free
