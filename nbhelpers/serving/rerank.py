"""Lists put in another order on purpose: more diverse, or closer to what a person usually takes.

Both rules fill a list greedily. They scale the scores of a user's best candidates to 0 (the last)
to 1 (the first), so that a strength means the same for every model, and choose place after place
the item with the largest ``(1 - strength) * score - strength * cost``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbhelpers.core.topk import checked_k, top_k


class _Rule(Protocol):
    """What each candidate would cost, shape (batch, n_candidates), given what was listed."""

    def cost(self) -> Tensor: ...

    def add(self, row: Tensor, column: Tensor) -> None: ...


def diversified(
    scores: Tensor,
    table: ArrayLike | Tensor,
    *,
    strength: float,
    k: int = 10,
    n_candidates: int = 100,
) -> Tensor:
    """Lists by maximal marginal relevance: an item costs its likeness to what is listed before.

    Likeness is the share of attributes that two items have in common (Jaccard), and the cost of a
    candidate is its likeness to the most similar item that the list already holds.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_items)
        Higher is better; ``-inf`` for what must not be listed, such as what was seen.
    table : array or Tensor, shape (n_items, n_attributes)
        Not zero where an item has an attribute.
    strength : float
        0 keeps the order of the scores; 1 looks at the attributes only, among the candidates.
    k : int
        Length of the lists.
    n_candidates : int
        How many of the best items may be listed, at least ``k``.

    Returns
    -------
    Tensor of int64, shape (batch, k)
        Item indices, best first; -1 where nothing is left to list.

    Raises
    ------
    ValueError
        If ``strength`` lies outside 0 to 1, there are fewer candidates than places, or the table
        does not fit the scores.

    References
    ----------
    Carbonell and Goldstein (1998), The Use of MMR, https://doi.org/10.1145/290941.291025

    Examples
    --------
    >>> scores = torch.tensor([[0.9, 0.8, 0.7, 0.0]])
    >>> genres = [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> diversified(scores, genres, strength=0.0, k=2, n_candidates=4).tolist()
    [[0, 1]]
    >>> diversified(scores, genres, strength=0.5, k=2, n_candidates=4).tolist()
    [[0, 2]]
    """
    items, scaled = _candidates(scores, k=k, n_candidates=n_candidates)
    rule = _Likeness(_flags(table, scores.shape[1])[items])
    return _greedy(items, scaled, rule, strength=strength, k=k)


def calibrated(
    scores: Tensor,
    table: ArrayLike | Tensor,
    wanted: Tensor,
    *,
    strength: float,
    k: int = 10,
    n_candidates: int = 100,
    smoothing: float = 0.01,
) -> Tensor:
    """Lists whose mix of attributes comes close to the one that each user wants.

    The cost of a candidate is the Kullback-Leibler divergence of the list's mix, with the
    candidate in it, from the wanted one.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_items)
        Higher is better; ``-inf`` for what must not be listed, such as what was seen.
    table : array or Tensor, shape (n_items, n_attributes)
        Not zero where an item has an attribute.
    wanted : Tensor of float, shape (batch, n_attributes)
        Shares that sum to 1. A row with NaN, of a user about whom nothing is known, keeps the
        order of the scores.
    strength : float
        0 keeps the order of the scores; 1 looks at the mix only, among the candidates.
    k : int
        Length of the lists.
    n_candidates : int
        How many of the best items may be listed, at least ``k``.
    smoothing : float
        Share of ``wanted`` mixed into the list's mix, so that the cost stays finite.

    Returns
    -------
    Tensor of int64, shape (batch, k)
        Item indices, best first; -1 where nothing is left to list.

    Raises
    ------
    ValueError
        As ``diversified``, or if ``wanted`` has another shape.

    References
    ----------
    Steck (2018), Calibrated Recommendations, sec. 4, https://doi.org/10.1145/3240323.3240372

    Examples
    --------
    >>> scores = torch.tensor([[0.9, 0.8, 0.7, 0.0]])
    >>> genres, half_half = [[1, 0], [1, 0], [0, 1], [0, 1]], torch.tensor([[0.5, 0.5]])
    >>> calibrated(scores, genres, half_half, strength=0.5, k=2, n_candidates=4).tolist()
    [[0, 2]]
    """
    flags = _flags(table, scores.shape[1])
    if wanted.shape != (len(scores), flags.shape[1]):
        raise ValueError(
            f"wanted must have shape {(len(scores), flags.shape[1])}, got {tuple(wanted.shape)}"
        )
    items, scaled = _candidates(scores, k=k, n_candidates=n_candidates)
    rule = _Mix(flags[items], wanted.double(), smoothing=smoothing)
    return _greedy(items, scaled, rule, strength=strength, k=k)


def lists_first(scores: Tensor, lists: Tensor) -> Tensor:
    """Scores by which the items of a list come first, in its order, and all others after them.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, n_items)
    lists : Tensor of int, shape (batch, k)
        Item indices, best first; -1 marks an empty position.

    Returns
    -------
    Tensor of float64, shape (batch, n_items)
        ``-inf`` stays where it was.

    Examples
    --------
    >>> lists_first(torch.tensor([[0.5, 0.0, 0.25]]), torch.tensor([[1, 0]])).tolist()
    [[1.5, 2.5, 0.25]]
    """
    shown = scores.double()
    top = shown.amax(dim=1, keepdim=True)
    first = top + torch.arange(lists.shape[1], 0, -1)  # (batch, k)
    placed = lists >= 0
    row = torch.arange(len(lists)).unsqueeze(1).expand_as(lists)[placed]
    shown = shown.clone()
    shown[row, lists[placed]] = first[placed]
    return shown


def _candidates(scores: Tensor, *, k: int, n_candidates: int) -> tuple[Tensor, Tensor]:
    """The best items of each user, and their scores from 1 down to 0."""
    n_candidates = min(n_candidates, scores.shape[1])
    if checked_k(k) > n_candidates:
        raise ValueError(f"{k} places need as many candidates or more, got {n_candidates}")
    best, items = top_k(scores, n_candidates)  # (batch, n_candidates), descending
    best = best.double()
    lowest = best.masked_fill(best == -torch.inf, torch.inf).amin(dim=1, keepdim=True)
    span = (best[:, :1] - lowest).clamp(min=1e-12)
    return items, (best - lowest) / span


class _Likeness:
    """Likeness of each candidate to the most similar item on the list, of some users."""

    def __init__(self, flags: Tensor) -> None:
        self.flags, self.sizes = flags, flags.sum(dim=2)  # (batch, n_candidates, n_attributes)
        self.nearest = torch.zeros_like(self.sizes)

    def cost(self) -> Tensor:
        return self.nearest

    def add(self, row: Tensor, column: Tensor) -> None:
        both = (self.flags @ self.flags[row, column].unsqueeze(2)).squeeze(2)
        either = self.sizes + self.sizes[row, column].unsqueeze(1) - both
        self.nearest = torch.maximum(self.nearest, both / either.clamp(min=1))


class _Mix:
    """Divergence of the list with each candidate from the wanted mix, of some users."""

    def __init__(self, flags: Tensor, wanted: Tensor, *, smoothing: float) -> None:
        sizes = flags.sum(dim=2)
        self.shares = flags / sizes.clamp(min=1).unsqueeze(2)
        self.described = (sizes > 0).double()  # (batch, n_candidates)
        self.wanted = wanted.unsqueeze(1)  # (batch, 1, n_attributes)
        self.own = torch.special.xlogy(self.wanted, self.wanted).sum(dim=2)
        self.smoothing = smoothing
        self.held = torch.zeros_like(self.wanted)
        self.n_held = torch.zeros_like(self.own)  # (batch, 1)

    def cost(self) -> Tensor:
        n_items = (self.n_held + self.described).clamp(min=1).unsqueeze(2)
        mix = (self.held + self.shares) / n_items
        smooth = (1 - self.smoothing) * mix + self.smoothing * self.wanted
        logs = smooth.clamp(min=1e-300).log()  # a share that nobody wants counts nothing
        divergence: Tensor = self.own - (logs @ self.wanted.transpose(1, 2)).squeeze(2)
        return divergence.nan_to_num(nan=0.0)

    def add(self, row: Tensor, column: Tensor) -> None:
        self.held = self.held + self.shares[row, column].unsqueeze(1)
        self.n_held = self.n_held + self.described[row, column].unsqueeze(1)


def _greedy(items: Tensor, scaled: Tensor, rule: _Rule, *, strength: float, k: int) -> Tensor:
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in 0 to 1, got {strength}")
    row = torch.arange(len(items))
    worth = (1 - strength) * scaled.clamp(min=0.0)
    taken = scaled == -torch.inf
    places = []
    for _ in range(k):
        value = (worth - strength * rule.cost()).masked_fill(taken, -torch.inf)
        best, column = value.max(dim=1)
        places.append(items[row, column].where(best > -torch.inf, -1))
        taken[row, column] = True
        rule.add(row, column)
    return torch.stack(places, dim=1)  # (batch, k)


def _flags(table: ArrayLike | Tensor, n_items: int) -> Tensor:
    flags: Tensor = torch.as_tensor(np.asarray(table)) != 0
    if flags.dim() != 2 or len(flags) != n_items:
        raise ValueError(
            f"a table of shape ({n_items}, n_attributes) is needed, got {tuple(flags.shape)}"
        )
    return flags.double()
