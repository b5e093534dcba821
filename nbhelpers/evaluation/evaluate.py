"""From a model and held-out rows to scores with an interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nbhelpers.core.coverage import require_same_catalog
from nbhelpers.core.recommender import Recommender, device_of, evaluation_mode, score_blocks
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.device_rows import DeviceRows
from nbhelpers.data.interaction_checks import require_same_ids
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.candidate_checks import repeated_candidates
from nbhelpers.evaluation.gains import GAINS, Gains, require_gains
from nbhelpers.evaluation.metrics import mae, rmse
from nbhelpers.evaluation.ranks import gains_of_ranks, rank_of_positive, ranks_of_positives
from nbhelpers.evaluation.report import RankingScores, Report, with_float64
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
        ``model(user_idx, item_idx)`` gives stars. A module predicts in evaluation mode on its own
        device; each part of it then gets its own mode back.
    data : (user_idx, item_idx, rating)
        Tensors of shape (n,), on any device.

    Returns
    -------
    RatingScores

    Raises
    ------
    ValueError
        If there is no row, or a prediction is not finite.

    Examples
    --------
    >>> user_idx, item_idx = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    >>> rating = torch.tensor([4.0, 2.0, 5.0])
    >>> def three_stars(user_idx, item_idx):
    ...     return torch.full(user_idx.shape, 3.0)
    >>> scores = evaluate_ratings(three_stars, (user_idx, item_idx, rating))
    >>> scores.interval  # mean squared error: user 0 has 1, user 1 has 4
    (1.0, 4.0)
    """
    started = time.perf_counter()
    user_idx, item_idx, rating = data
    pred = _predicted(model, user_idx, item_idx)
    rating = rating.to(pred.device)
    error = rmse(pred, rating)
    _, user = user_idx.to(pred.device).unique(return_inverse=True)
    counts = torch.bincount(user)
    squares = (pred.double() - rating.double()).square()
    totals = squares.new_zeros(len(counts)).index_add_(0, user, squares)
    interval = bootstrap_interval(totals.cpu().numpy(), counts.cpu().numpy())
    seconds = time.perf_counter() - started
    return RatingScores(error**2, error, mae(pred, rating), interval, seconds)


def _predicted(
    model: Callable[[Tensor, Tensor], Tensor], user_idx: Tensor, item_idx: Tensor
) -> Tensor:
    """Predictions in float or double, where such numbers can be measured exactly."""
    device = device_of(model)
    batches = zip(user_idx.split(65_536), item_idx.split(65_536), strict=True)
    with evaluation_mode(model):
        pred = torch.cat([model(user.to(device), item.to(device)) for user, item in batches])
    return pred.to(with_float64(pred.device))


def evaluate_ranking(
    model: Recommender,
    held_out: Interactions,
    *,
    seen: Interactions,
    k: int = 10,
    gains: Gains = "binary",
    chunk_size: int = 1_000_000,
) -> RankingScores:
    """Rank the whole catalog for each user, without what the user has seen: the default.

    Parameters
    ----------
    model : object with ``score_users``
        A column beyond the catalog (the unknown item's) is cut off.
    held_out : Interactions
        Positives to find; users without any are left out and counted.
    seen : Interactions
        What each user may not be shown again: training, and validation when testing.
    k : int
        Length of the lists, at least 1.
    gains : {"binary", "weights", "2**weights - 1"}
        What a held-out positive is worth in ``ndcg``: the same each, whatever its weight; its
        weight (linear gain), so that five stars count five times as much as one; or exponential
        gain. No other metric looks at weights.
    chunk_size : int
        Bounds memory: as many users are scored together as fit, and at least one.

    Returns
    -------
    RankingScores

    Raises
    ------
    ValueError
        If users or items differ, also from those that the model was trained on, a held-out pair
        is also in ``seen``, nobody has a held-out positive, there are no weights to grade by, or
        a score is not finite.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.8, 0.2]])
    >>> model = SimpleNamespace(score_users=lambda user_idx: table[user_idx])
    >>> seen = Interactions([0, 1], [0, 0], n_users=2, n_items=4)
    >>> held_out = Interactions([0, 1, 1], [1, 2, 3], n_users=2, n_items=4, weights=[5, 1, 3])
    >>> scores = evaluate_ranking(model, held_out, seen=seen, k=2)
    >>> scores.per_user[["user_idx", "rank", "ndcg", "recall"]]
       user_idx  rank  ndcg  recall
    0         0     1   1.0     1.0
    1         1     1   1.0     1.0
    >>> graded = evaluate_ranking(model, held_out, seen=seen, k=2, gains="weights")
    >>> graded.per_user["ndcg"].round(3).tolist()  # user 1 gets the item of weight 1 first
    [1.0, 0.797]
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
    return _evaluate_catalog(model, held_out, seen=seen, k=k, gains=gains, chunk_size=chunk_size)


def evaluate_unmasked(
    model: Recommender,
    held_out: Interactions,
    *,
    k: int = 10,
    gains: Gains = "binary",
    chunk_size: int = 1_000_000,
) -> RankingScores:
    """Rank the whole catalog for each user, with what the user has seen before.

    Films already watched then crowd the lists: a contrast to ``evaluate_ranking``, and the right
    protocol only where things are consumed again.

    Parameters
    ----------
    model : object with ``score_users``
    held_out : Interactions
    k : int
    gains : {"binary", "weights", "2**weights - 1"}
    chunk_size : int
        As in ``evaluate_ranking``.

    Returns
    -------
    RankingScores

    Raises
    ------
    ValueError
        If nobody has a held-out positive, there are no weights to grade by, or a score is not
        finite.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = torch.tensor([[0.9, 0.8, 0.1], [0.9, 0.1, 0.8]])
    >>> model = SimpleNamespace(score_users=lambda user_idx: table[user_idx])
    >>> held_out = Interactions([0, 1], [0, 1], n_users=2, n_items=3)
    >>> evaluate_unmasked(model, held_out).per_user["rank"].tolist()
    [1, 3]
    """
    return _evaluate_catalog(model, held_out, seen=None, k=k, gains=gains, chunk_size=chunk_size)


@torch.no_grad()
def evaluate_sampled(
    model: Recommender,
    held_out: Interactions,
    candidates: Tensor,
    *,
    k: int = 10,
    repeats: Literal["refuse", "ignore"] = "refuse",
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
    repeats : {"refuse", "ignore"}
        What to do where an item comes again in a row: refuse the candidates, or rank it once.
        The negatives that He et al. (2017) published hold the positive of some users, and their
        own evaluation ranks it once.
    chunk_size : int
        As in ``evaluate_ranking``.

    Returns
    -------
    RankingScores

    Raises
    ------
    ValueError
        If the candidates do not fit ``held_out``, an item comes twice in a row and is not
        ignored, or a score is not finite.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.8, 0.2]])
    >>> model = SimpleNamespace(score_users=lambda user_idx: table[user_idx])
    >>> held_out = Interactions([0, 1], [1, 3], n_users=2, n_items=4)
    >>> candidates = torch.tensor([[1, 2, 3], [3, 1, 2]])
    >>> evaluate_sampled(model, held_out, candidates).per_user["rank"].tolist()
    [1, 2]
    """
    started = time.perf_counter()
    k = checked_k(k)
    everyone = _with_positives(held_out)
    require_same_catalog(model, held_out)
    repeated = repeated_candidates(held_out, candidates, repeats=repeats)
    report = Report(len(candidates), k=k, width=min(k, candidates.shape[1]))
    blocks = score_blocks(model, everyone, n_items=held_out.n_items, chunk_size=chunk_size)
    for users, scores in blocks:
        rows = slice(report.filled, report.filled + len(users))
        items = candidates[rows].to(scores.device, torch.int64)
        chosen = scores.gather(1, items)  # (batch, 1 + n_negatives)
        n_candidates: int | Tensor = items.shape[1]
        if repeated is not None:
            again = repeated[rows].to(scores.device)
            chosen = chosen.masked_fill(again, -torch.inf)
            n_candidates = n_candidates - again.sum(dim=1)
        ranks = rank_of_positive(chosen, torch.zeros_like(items[:, 0])).unsqueeze(1)
        columns = top_k(chosen, k)[1]
        lists = items.gather(1, columns.clamp(min=0)).masked_fill(columns < 0, -1)
        report.add(users, ranks, lists, n_candidates=n_candidates)
    protocol = f"positive among {candidates.shape[1] - 1} sampled items"
    if repeats == "ignore":
        protocol += ", repeated ones ignored"
    return report.scores(protocol, n_left_out=held_out.n_users - report.filled, started=started)


@torch.no_grad()
def _evaluate_catalog(
    model: Recommender,
    held_out: Interactions,
    *,
    seen: Interactions | None,
    k: int,
    gains: Gains,
    chunk_size: int,
) -> RankingScores:
    started = time.perf_counter()
    k = checked_k(k)
    everyone = _with_positives(held_out)
    require_same_catalog(model, held_out)
    require_gains(held_out, gains)
    report = Report(len(everyone), k=k, width=min(k, held_out.n_items))
    blocks = score_blocks(model, everyone, n_items=held_out.n_items, chunk_size=chunk_size)
    rows: _Rows | None = None
    for users, scores in blocks:
        rows = rows or _Rows(held_out, seen, gains=gains, device=scores.device)
        rows.measure(report, users.to(scores.device), scores)
    return report.scores(
        _protocol(masked=seen is not None, gains=gains),
        n_left_out=held_out.n_users - len(everyone),
        started=started,
        n_cold=None if seen is None else int((seen.user_counts[everyone.numpy()] == 0).sum()),
    )


class _Rows:
    """Held-out and seen pairs on the device of the scores."""

    def __init__(
        self,
        held_out: Interactions,
        seen: Interactions | None,
        *,
        gains: Gains,
        device: torch.device,
    ) -> None:
        self.held_out = DeviceRows(held_out, device)
        self.seen = None if seen is None else DeviceRows(seen, device)
        self.gains = gains

    def measure(self, report: Report, user_idx: Tensor, scores: Tensor) -> None:
        """Rank what is held out of some users by their scores."""
        n_candidates: int | Tensor = scores.shape[1]
        if self.seen is not None:
            scores = scores.masked_fill(self.seen.dense(user_idx), -torch.inf)
            n_candidates = self.seen.n_absent(user_idx)
        ranks = ranks_of_positives(scores, self.held_out.dense(user_idx))
        lists = top_k(scores, report.k)[1]
        graded = None if self.gains == "binary" else self._graded(user_idx, scores)
        report.add(user_idx, ranks, lists, n_candidates=n_candidates, gains=graded)

    def _graded(self, user_idx: Tensor, scores: Tensor) -> Tensor:
        weights = self.held_out.dense_weights(user_idx)
        return gains_of_ranks(scores, GAINS[self.gains](weights.double()))


def _protocol(*, masked: bool, gains: Gains) -> str:
    mask = "seen items masked" if masked else "nothing masked"
    graded = "" if gains == "binary" else f", gains {gains}"
    return f"whole catalog, {mask}{graded}"


def _with_positives(held_out: Interactions) -> Tensor:
    """Users with a held-out positive, in ascending order."""
    if not len(held_out):
        raise ValueError("nobody has a held-out positive: there is nothing to rank")
    return torch.from_numpy(held_out.user_counts.nonzero()[0])
