"""A dial from accurate to surprising: popularity taken out of the scores, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbhelpers.core.recommender import Recommender, scores_of
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.beyond_accuracy import popularity_share
from nbhelpers.evaluation.evaluate import evaluate_ranking

STOPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
K = 10


def turned(scores: Tensor, counts: Tensor, strength: float) -> Tensor:
    """Standardized scores minus ``strength`` times the standardized logarithm of popularity.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, n_items)
    counts : Tensor of int, shape (n_items,)
        Positives of each item.
    strength : float
        0 keeps the order.

    Returns
    -------
    Tensor of float, shape (batch, n_items)

    Raises
    ------
    ValueError
        If ``strength`` is below 0 or not finite.

    Examples
    --------
    The two items have equal scores; the one that fewer people know comes first:

    >>> turned(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([99, 9, 0]), 0.5).argmax().item()
    1
    """
    if not 0 <= strength < np.inf:
        raise ValueError(f"strength must be at least 0 and finite, got {strength}")
    known = torch.log1p(counts.to(scores.dtype)).unsqueeze(0)
    return _standard(scores) - strength * _standard(known)


def _standard(values: Tensor) -> Tensor:
    """Values with mean 0 and standard deviation 1 in each row."""
    apart = values - values.mean(dim=1, keepdim=True)
    spread = apart.square().mean(dim=1, keepdim=True).sqrt()
    return apart / spread.clamp(min=1e-12)


class Turned:
    """A recommender with its dial turned.

    Parameters
    ----------
    model : Recommender
    counts : array of int, shape (n_items,)
    strength : float
    """

    def __init__(self, model: Recommender, counts: ArrayLike, strength: float) -> None:
        self.model, self.strength = model, strength
        self.counts = torch.tensor(np.asarray(counts))

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        scores = scores_of(self.model, user_idx, n_items=len(self.counts))
        return turned(scores, self.counts, self.strength)


def price_of_dial(
    model: Recommender,
    held_out: Interactions,
    *,
    seen: Interactions,
    stops: Sequence[float] = STOPS,
) -> pd.DataFrame:
    """What each stop of the dial costs, on held-out positives.

    Parameters
    ----------
    model : Recommender
        Trained without the held-out positives.
    held_out : Interactions
    seen : Interactions
        What users had before, masked; its counts are the popularity.
    stops : sequence of float
        Strengths of :func:`turned`; the first is what the others are compared with.

    Returns
    -------
    DataFrame
        One row for each stop: ``strength``, ``ndcg`` at 10, ``kept`` (its share of the first
        stop's) and ``head`` (share of the places that go to the most popular fifth of the items).
    """
    counts = seen.item_counts
    rows = []
    for strength in stops:
        dialed = Turned(model, counts, strength)
        report = evaluate_ranking(dialed, held_out, seen=seen, k=K)
        rows.append(
            {
                "strength": strength,
                "ndcg": report.mean("ndcg"),
                "head": popularity_share(report.lists, counts).nanmean().item(),
            }
        )
    table = pd.DataFrame(rows)
    table.insert(2, "kept", table["ndcg"] / max(table["ndcg"].iloc[0], 1e-12))
    return table
