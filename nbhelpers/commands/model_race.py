"""A race of models: settings chosen on validation rows with equal budgets, one look at the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nbhelpers.commands.contenders import Contender
from nbhelpers.commands.progress import Progress
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import PositiveSplit
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.evaluation.report import RankingScores

METRIC = "ndcg"
MOST_VALID, MOST_TEST = 2_000, 10_000  # users who are judged; more would narrow no interval


@dataclass(frozen=True, eq=False)
class Entry:
    """How one model did.

    Attributes
    ----------
    settings : dict
        Best on the validation rows.
    valid : float
        Its NDCG there: the best of several trials, so too good.
    n_trials : int
    scores : RankingScores
        Of the test.
    seconds : float
        Of all trials, the last fit and the test.
    """

    settings: Mapping[str, Any]
    valid: float
    n_trials: int
    scores: RankingScores
    seconds: float


def race(
    contenders: Sequence[Contender],
    parts: PositiveSplit,
    *,
    k: int,
    n_trials: int,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Let each contender try its settings on validation rows, and test its best once.

    Parameters
    ----------
    contenders : sequence of Contender
    parts : PositiveSplit
    k : int
        Length of the lists.
    n_trials : int
        Settings that each may try, at most.
    seed : int
        Of every model, and of the users who are judged where there are too many.
    progress : Progress

    Returns
    -------
    entries : dict of str to Entry
    failed : dict of str to str
        Models that could not be fitted, and why.
    """
    valid = some_users(parts.valid, most=MOST_VALID, seed=seed)
    test = some_users(parts.test, most=MOST_TEST, seed=seed)
    known = parts.known
    entries: dict[str, Entry] = {}
    failed: dict[str, str] = {}
    total = sum(min(n_trials, len(each.trials)) + 1 for each in contenders)

    def on_validation(contender: Contender, bar: Any, settings: Mapping[str, Any]) -> float:
        model = contender.fitted(parts.train, settings, seed=seed)
        found = evaluate_ranking(model, valid, seen=parts.seen_by_valid, k=k)
        bar.update()
        return found.mean(METRIC)

    with progress.bar(total, unit="fit") as bar:
        for contender in contenders:
            bar.set_description(contender.name)
            started = time.perf_counter()
            try:
                best, settings, n_tried = best_trial(
                    contender.trials[:n_trials], partial(on_validation, contender, bar)
                )
                model = contender.fitted(known, settings, seed=seed)
                scores = evaluate_ranking(model, test, seen=parts.seen, k=k)
                bar.update()
            except (ValueError, FloatingPointError, RuntimeError, MemoryError) as error:
                failed[contender.name] = f"could not be fitted: {error}".splitlines()[0]
                continue
            seconds = time.perf_counter() - started
            entries[contender.name] = Entry(dict(settings), best, n_tried, scores, seconds)
            progress.say(f"  {contender.name}: NDCG@{k} {best:.4f} on validation, {seconds:,.1f} s")
    return entries, failed


def best_trial(
    trials: Sequence[Mapping[str, Any]],
    value: Callable[[Mapping[str, Any]], float],
    *,
    smaller_is_better: bool = False,
) -> tuple[float, Mapping[str, Any], int]:
    """The settings with the best value on validation rows; of equal ones, the first.

    Parameters
    ----------
    trials : sequence of dict
    value : callable
        Of settings.
    smaller_is_better : bool
        For an error.

    Returns
    -------
    value : float
    settings : dict
    n_trials : int

    Raises
    ------
    ValueError
        If there is no trial.

    Examples
    --------
    >>> best_trial([{"reg": 1}, {"reg": 2}], lambda settings: -settings["reg"])
    (-1, {'reg': 1}, 2)
    """
    if not trials:
        raise ValueError("at least one trial is needed")
    tried = [(value(settings), settings) for settings in trials]
    pick = min if smaller_is_better else max
    best, settings = pick(tried, key=lambda trial: trial[0])
    return best, settings, len(tried)


def some_users(held_out: Interactions, *, most: int, seed: int) -> Interactions:
    """Held-out positives of at most so many users, drawn by the seed.

    Parameters
    ----------
    held_out : Interactions
    most : int
    seed : int

    Returns
    -------
    Interactions
        Of the same users and items; those who were not drawn have nothing to find.

    Examples
    --------
    >>> some_users(Interactions([0, 1, 2], [0, 0, 1]), most=2, seed=0)
    Interactions(3 users, 2 items, 2 positives)
    """
    active = np.flatnonzero(held_out.user_counts)
    if len(active) <= most:
        return held_out
    drawn = np.zeros(held_out.n_users, dtype=bool)
    drawn[np.random.default_rng(seed).choice(active, most, replace=False)] = True
    return held_out[np.repeat(drawn, held_out.user_counts)]
