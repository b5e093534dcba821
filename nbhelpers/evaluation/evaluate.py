"""From a model and held-out rows to scores with an interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nbhelpers.core.recommender import Recommender, score_blocks
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.interaction_checks import require_same_ids
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.metrics import mae, rmse
from nbhelpers.evaluation.ranks import rank_of_positive, ranks_of_positives
from nbhelpers.evaluation.report import RankingScores, Report
from nbhelpers.evaluation.statistics import bootstrap_interval


@dataclass(frozen=True)
class RatingScores:
    """Errors of predicted ratings.

    Attributes
    ----------
    mse : float
        Mean squared error, in squared stars.
    rmse, mae : float
        In stars.
    interval : (float, float)
        95 % interval of ``mse`` over users.
    seconds : float
        Of predicting and scoring.
    """

    mse: float
    rmse: float
    mae: float
    interval: tuple[float, float]
    seconds: float


@torch.no_grad()
def evaluate_ratings(
    model: Callable[[Tensor, Tensor], Tensor], data: Sequence[Tensor]
) -> RatingScores:
    """Score predicted against held-out ratings.

    Parameters
    ----------
    model : callable
        ``model(user_idx, item_idx)`` gives stars; a module is put into evaluation mode first.
    data : (user_idx, item_idx, rating)
        Tensors of shape (n,).

    Returns
    -------
    RatingScores

    Raises
    ------
    ValueError
        If there is no row, or a prediction is not finite.
    """
    started = time.perf_counter()
    user_idx, item_idx, rating = data
    if isinstance(model, torch.nn.Module):
        model.eval()
    batches = zip(user_idx.split(65_536), item_idx.split(65_536), strict=True)
    pred = torch.cat([model(*batch) for batch in batches])
    error = rmse(pred, rating)
    _, user = user_idx.unique(return_inverse=True)
    squares = (pred.double() - rating.double()).square()
    totals = torch.zeros(int(user.max()) + 1, dtype=torch.float64).index_add_(0, user, squares)
    interval = bootstrap_interval(totals.numpy(), torch.bincount(user).numpy())
    seconds = time.perf_counter() - started
    return RatingScores(error**2, error, mae(pred, rating), interval, seconds)


def evaluate_ranking(
    model: Recommender,
    held_out: Interactions,
    *,
    seen: Interactions,
    k: int = 10,
    chunk_size: int = 1_000_000,
) -> RankingScores:
    """Rank the whole catalog for each user, without what the user has seen: the default.

    Parameters
    ----------
    model : object with ``score_users``
        Columns beyond the catalog (a row for the unknown) are cut off.
    held_out : Interactions
        Positives to find; users without any are left out and counted.
    seen : Interactions
        What each user may not be shown again: training, and validation when testing.
    k : int
        Length of the lists, at least 1.
    chunk_size : int
        Bounds memory: as many users are scored together as fit, and at least one.

    Returns
    -------
    RankingScores

    Raises
    ------
    ValueError
        If users or items differ, a held-out pair is also in ``seen``, nobody has a held-out
        positive, or a score is not finite.
    """
    sizes = (held_out.n_users, seen.n_users), (held_out.n_items, seen.n_items)
    require_same_ids(held_out.users, seen.users, sizes=sizes[0], name="user")
    require_same_ids(held_out.items, seen.items, sizes=sizes[1], name="item")
    both = int(seen.contains(*held_out.pairs()).sum())
    if both:
        raise ValueError(
            f"{both:,} of {len(held_out):,} held-out pairs are also in seen, where they would "
            f"be masked: split before, and drop what repeats"
        )
    return _evaluate_catalog(
        model, held_out, seen=seen, k=k, chunk_size=chunk_size, protocol=_MASKED
    )


def evaluate_unmasked(
    model: Recommender, held_out: Interactions, *, k: int = 10, chunk_size: int = 1_000_000
) -> RankingScores:
    """Rank the whole catalog for each user, with what the user has seen before.

    Films already watched then crowd the lists: a contrast to ``evaluate_ranking``, and the right
    protocol only where things are consumed again.

    Parameters
    ----------
    model : object with ``score_users``
    held_out : Interactions
    k : int
    chunk_size : int
        As in ``evaluate_ranking``.

    Returns
    -------
    RankingScores
    """
    return _evaluate_catalog(
        model, held_out, seen=None, k=k, chunk_size=chunk_size, protocol=_UNMASKED
    )


@torch.no_grad()
def evaluate_sampled(
    model: Recommender,
    held_out: Interactions,
    candidates: Tensor,
    *,
    k: int = 10,
    chunk_size: int = 1_000_000,
) -> RankingScores:
    """Rank one positive of each user among sampled candidates: easier than the catalog.

    Parameters
    ----------
    model : object with ``score_users``
    held_out : Interactions
        At most one positive for each user.
    candidates : Tensor of int, shape (n_users with a positive, 1 + n_negatives)
        Items, the positive first, rows by ascending user: see ``evaluation_candidates``.
    k : int
    chunk_size : int
        As in ``evaluate_ranking``.

    Returns
    -------
    RankingScores

    Raises
    ------
    ValueError
        If the candidates do not fit ``held_out``, an item comes twice in a row, or a score is
        not finite.
    """
    started = time.perf_counter()
    k = checked_k(k)
    everyone = _with_positives(held_out)
    _refuse_other_candidates(held_out, candidates)
    report = Report(len(candidates), k=k, width=min(k, candidates.shape[1]))
    blocks = score_blocks(model, everyone, n_items=held_out.n_items, chunk_size=chunk_size)
    for users, scores in blocks:
        rows = slice(report.filled, report.filled + len(users))
        items = candidates[rows].to(scores.device, torch.int64)
        chosen = scores.gather(1, items)  # (batch, 1 + n_negatives)
        ranks = rank_of_positive(chosen, torch.zeros_like(items[:, 0])).unsqueeze(1)
        lists = items.gather(1, top_k(chosen, k)[1])
        report.add(users, ranks, lists, n_candidates=items.shape[1])
    protocol = f"positive among {candidates.shape[1] - 1} sampled items"
    return report.scores(protocol, n_left_out=held_out.n_users - report.filled, started=started)


_MASKED = "whole catalog, seen items masked"
_UNMASKED = "whole catalog, nothing masked"


@torch.no_grad()
def _evaluate_catalog(
    model: Recommender,
    held_out: Interactions,
    *,
    seen: Interactions | None,
    k: int,
    chunk_size: int,
    protocol: str,
) -> RankingScores:
    started = time.perf_counter()
    k = checked_k(k)
    everyone = _with_positives(held_out)
    report = Report(len(everyone), k=k, width=min(k, held_out.n_items))
    blocks = score_blocks(model, everyone, n_items=held_out.n_items, chunk_size=chunk_size)
    for users, scores in blocks:
        n_candidates = torch.full((len(users),), held_out.n_items)
        if seen is not None:
            scores = scores.masked_fill(seen.dense(users).to(scores.device), -torch.inf)
            n_candidates -= torch.from_numpy(seen.user_counts[users.numpy()])
        ranks = ranks_of_positives(scores, held_out.dense(users).to(scores.device))
        report.add(users, ranks, top_k(scores, k)[1], n_candidates=n_candidates)
    return report.scores(protocol, n_left_out=held_out.n_users - len(everyone), started=started)


def _with_positives(held_out: Interactions) -> Tensor:
    """Users with a held-out positive, in ascending order."""
    if not len(held_out):
        raise ValueError("nobody has a held-out positive: there is nothing to rank")
    return torch.from_numpy(held_out.user_counts.nonzero()[0])


def _refuse_other_candidates(held_out: Interactions, candidates: Tensor) -> None:
    _, positive = held_out.pairs()
    if held_out.user_counts.max(initial=0) > 1:
        many = int((held_out.user_counts > 1).sum())
        raise ValueError(f"{many:,} users have several held-out positives: hold out one each")
    if candidates.dim() != 2 or len(candidates) != len(positive) or candidates.shape[1] < 2:
        raise ValueError(
            f"candidates must be ({len(positive)}, 1 + n_negatives), a row for each user with a "
            f"positive, got shape {tuple(candidates.shape)}"
        )
    items = np.sort(candidates.cpu().numpy(), axis=1)
    if items[:, 0].min() < 0 or items[:, -1].max() >= held_out.n_items:
        raise ValueError(f"candidates must lie in 0 to {held_out.n_items - 1}")
    strangers = int((candidates[:, 0].cpu() != positive).sum())
    if strangers:
        raise ValueError(f"{strangers:,} rows do not start with the user's held-out positive")
    repeated = int((items[:, 1:] == items[:, :-1]).any(axis=1).sum())
    if repeated:
        raise ValueError(f"{repeated:,} rows hold an item twice: draw without replacement")
