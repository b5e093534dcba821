"""Seconds and bytes of a model before it is run on all of the data: counted, or timed on a sample.

Many costs are sums over users: then a sample of users, of tables as large as the real ones, has the
fixed part in full and a share of the rest, and two samples tell both. What grows with pairs of
items would take as long on the sample as on the whole, so such models are timed on few items and
carried on by counts of their work.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from nbhelpers.commands.cost_formulas import Growth, Probe, Sizes, Terms, growth_of, scoring_bytes
from nbhelpers.core.checks import require_one
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.serving.recommend import recommend
from nbhelpers.training.loop import without_bars

SAMPLE_ROWS = 100_000
WARM_UP = 100  # how many times smaller the first fit is, which meets imports and first calls
SMALLER = 5  # how many times smaller the second sample is
MOST_EXPONENT = 1.2  # more than that between two samples is noise
MOST_SCORES, MOST_JUDGED = 20_000_000, 1_000  # scores and users that are timed
SHORT, MOST_REPEATS = 0.1, 5  # a call of fewer seconds is repeated, and the fastest counts

Fit = Callable[..., Any]


@dataclass(frozen=True)
class Cost:
    """What a model will cost.

    Attributes
    ----------
    fit_seconds, evaluate_seconds, lists_seconds : float
        Seconds of the clock that ``clock`` names.
    fit_bytes : float
        Held at the peak of the fit, beside the data and the interpreter: by formula.
    evaluate_bytes, lists_bytes : float
        Likewise, beside data and model.
    clock : {"CPU", "wall"}
        CPU seconds where torch uses one thread: on a quiet machine they pass as fast as those of
        the wall, and other programs do not change them. With more threads, seconds of the wall.
    n_sampled : int
        Positives of the largest sample that was timed.
    """

    fit_seconds: float
    evaluate_seconds: float
    lists_seconds: float
    fit_bytes: float
    evaluate_bytes: float
    lists_bytes: float
    clock: str
    n_sampled: int

    def to_frame(self) -> pd.DataFrame:
        """One row each for the fit, the evaluation and the lists.

        Returns
        -------
        DataFrame
            Indexed by stage: ``seconds``, timed on samples and carried on, and ``megabytes``, by
            formula.
        """
        seconds = [self.fit_seconds, self.evaluate_seconds, self.lists_seconds]
        n_bytes = np.array([self.fit_bytes, self.evaluate_bytes, self.lists_bytes])
        stages = pd.Index(["fit", "evaluate", "lists"], name="stage")
        return pd.DataFrame({"seconds": seconds, "megabytes": n_bytes / 1e6}, index=stages)

    def __str__(self) -> str:
        parts = [
            f"{stage}: about {in_words(row['seconds'])} and {row['megabytes']:,.0f} MB"
            for stage, row in self.to_frame().iterrows()
        ]
        return f"{'; '.join(parts)} ({self.clock} seconds, from {self.n_sampled:,} positives)"


def in_words(seconds: float) -> str:
    """A duration for a person.

    Examples
    --------
    >>> in_words(0.034), in_words(42), in_words(900), in_words(7_200)
    ('0.034 s', '42 s', '15 minutes', '2.0 hours')
    """
    if seconds != seconds:  # NaN
        return "an unknown time"
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5_400 else f"{seconds / 3600:.1f} hours"


def estimate_cost(
    model: Any,
    interactions: Interactions,
    *,
    n_epochs: int | None = None,
    n_evaluated: int | None = None,
    n_listed: int | None = None,
    sample_rows: int = SAMPLE_ROWS,
    growth: Growth | None = None,
    seed: int = 0,
) -> Cost:
    """Seconds and bytes of the fit, the evaluation and the lists of a model, without running them.

    The model is fitted on samples of users of two sizes, after a warm-up, and the times are
    carried on; alternating least squares with one sweep and with two, which tells what each sweep
    takes. Bytes are formulas. ``python -m tests.benchmarks estimates`` compares all of it with
    what models really take, at ten times the size of the sample.

    Parameters
    ----------
    model : object with ``fit``, or callable
        An unfitted model such as ``EASE()``, of which copies are fitted; or a function that takes
        interactions and returns a fitted model, such as one that calls ``fit_ranking``. It must
        make tables of ``n_users`` and ``n_items``, whoever has no positive in the sample.
    interactions : Interactions
        What is to be trained on.
    n_epochs : int, optional
        For a function: it is called with ``n_epochs=1`` and ``n_epochs=2``, and the difference is
        taken as often as this. Left out, it is called without, and does all its epochs.
    n_evaluated, n_listed : int, optional
        Users who are evaluated, and who get a list of 10; left out, all who have a positive. Of
        0 nothing is timed.
    sample_rows : int
        Positives of the larger sample.
    growth : Growth, optional
        How the cost grows; left out, by the class of the model.
    seed : int
        Draws the users of the samples.

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        If there is no positive, ``sample_rows`` or ``n_epochs`` is below 1, ``n_epochs`` is given
        for a model, or the model cannot be fitted.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> likes = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], n_users=3, n_items=3)
    >>> cost = estimate_cost(EASE(), likes)
    >>> cost.fit_bytes, cost.to_frame().index.tolist()
    (296.0, ['fit', 'evaluate', 'lists'])
    """
    require_one(sample_rows=sample_rows, **({} if n_epochs is None else {"n_epochs": n_epochs}))
    if len(interactions) == 0:
        raise ValueError("at least one positive is needed, got none")
    runs = _runs_of(model, n_epochs)
    growth = growth or (growth_of(model) if hasattr(model, "fit") else None)
    with without_bars():
        trial = _Trial(interactions, seed=seed, sample_rows=sample_rows)
        runs.fit(_renumbered(trial.rows(trial.sample_rows // WARM_UP)), runs.few[0])
        timed = growth is not None and growth.terms is not None
        fit_seconds, fitted, rows = (_by_terms if timed else _by_rows)(runs, trial, growth)
        growth = growth or growth_of(fitted)
        full = Sizes.of(interactions)
        n_judged, n_served = (
            full.n_users if count is None else count for count in (n_evaluated, n_listed)
        )
        judging, listing = (
            _seconds_of_users(action, fitted, rows, n_users=n_users, full=full, growth=growth)
            for action, n_users in ((_evaluate, n_judged), (_list, n_served))
        )
    return Cost(
        fit_seconds=fit_seconds,
        evaluate_seconds=judging,
        lists_seconds=listing,
        fit_bytes=growth.n_bytes(full, fitted),
        evaluate_bytes=scoring_bytes(full.n_items) + 16.0 * full.n_positives,
        lists_bytes=scoring_bytes(full.n_items) + 160.0 * n_served,
        clock=_clock()[0],
        n_sampled=len(rows),
    )


@dataclass(frozen=True)
class _Runs:
    """A fit that can be done in few rounds, and how many rounds the whole has."""

    fit: Callable[[Interactions, int | None], Any]
    n_rounds: int | None = None

    @property
    def few(self) -> Sequence[int | None]:
        """Rounds that are timed: one and two tell what a round takes, and what comes before."""
        return (None,) if self.n_rounds is None else (1, 2)


def _runs_of(model: Any, n_epochs: int | None) -> _Runs:
    if not hasattr(model, "fit"):
        if not callable(model):
            raise ValueError(f"a model with fit, or a function, is needed, got {model!r}")
        if n_epochs is None:
            return _Runs(lambda rows, n_rounds: model(rows))
        return _Runs(lambda rows, n_rounds: model(rows, n_epochs=n_rounds), n_epochs)
    if n_epochs is not None:
        raise ValueError("n_epochs is for a function that trains: a model with fit knows its own")

    def fit(rows: Interactions, n_rounds: int | None) -> Any:
        fresh = copy.deepcopy(model)
        if n_rounds is not None:
            fresh.n_iterations = n_rounds
        return fresh.fit(rows)

    return _Runs(fit, getattr(model, "n_iterations", None))


class _Trial:
    """Samples of users: the smaller one is part of the larger."""

    def __init__(self, interactions: Interactions, *, seed: int, sample_rows: int) -> None:
        self.interactions = _with_ids(interactions)
        self.sample_rows = min(sample_rows, len(interactions))
        rng = np.random.default_rng(seed)
        self.users = rng.permutation(np.flatnonzero(interactions.user_counts))
        items = rng.permutation(interactions.n_items)
        self.items = items[np.argsort(interactions.item_counts[items] == 0, kind="stable")]

    def rows(self, n_rows: int) -> Interactions:
        """All positives of so many users that they have about ``n_rows``.

        Tables keep their size: users who were not drawn are there, without positives.
        """
        all_rows = self.interactions
        drawn = _first_users(self.users, all_rows.user_counts, n_rows)
        return all_rows[np.repeat(drawn, all_rows.user_counts)]

    def probe(self, probe: Probe, most_items: int | None) -> Interactions:
        """Positives that have to do with some users and items, numbered anew."""
        all_rows = self.interactions
        user_idx, item_idx = (part.numpy() for part in all_rows.pairs())
        most = min(most_items or all_rows.n_items, all_rows.n_items)
        by_count = np.argsort(-all_rows.item_counts, kind="stable")
        order = by_count if probe.is_dense else self.items
        items = order[: max(most // probe.items_part, 1)]
        inside = np.isin(item_idx, items)
        counts = np.bincount(user_idx[inside], minlength=all_rows.n_users)
        users = np.argsort(-counts, kind="stable") if probe.is_dense else self.users
        drawn = _first_users(users, counts, max(self.sample_rows // probe.rows_part, 1))
        return _renumbered(all_rows[inside & drawn[user_idx]], items)


def _first_users(
    order: NDArray[np.int64], counts: NDArray[np.int64], n_rows: int
) -> NDArray[np.bool_]:
    """Users from the first on who have no more than ``n_rows`` together, and one at least."""
    active = order[counts[order] > 0]
    n_users = int(np.searchsorted(counts[active].cumsum(), n_rows, side="right"))
    drawn = np.zeros(len(counts), dtype=bool)
    drawn[active[: max(n_users, 1)]] = True
    return drawn


def _renumbered(rows: Interactions, items: NDArray[np.int64] | None = None) -> Interactions:
    """The same positives of the users and items that have one, or of some items."""
    user_idx, item_idx = (part.numpy() for part in rows.pairs())
    users, user_idx = np.unique(user_idx, return_inverse=True)
    kept = np.unique(item_idx if items is None else items)
    return Interactions(
        user_idx,
        np.searchsorted(kept, item_idx),
        users=Vocabulary(range(len(users))),
        items=Vocabulary(range(len(kept))),
        weights=rows.weights,
        timestamps=rows.timestamps,
    )


def _with_ids(rows: Interactions) -> Interactions:
    """The same, with row numbers for ids where there are none: lists are made of ids."""
    if rows.users is not None and rows.items is not None:
        return rows
    return Interactions(
        *rows.pairs(),
        users=rows.users or Vocabulary(range(rows.n_users)),
        items=rows.items or Vocabulary(range(rows.n_items)),
        weights=rows.weights,
        timestamps=rows.timestamps,
    )


def _by_rows(runs: _Runs, trial: _Trial, growth: Growth | None) -> tuple[float, Any, Interactions]:
    """Seconds of the fit from two samples of users; the model and rows of the larger one."""
    samples = [trial.rows(trial.sample_rows // SMALLER), trial.rows(trial.sample_rows)]
    timed = [[_timed(runs.fit, rows, few) for few in runs.few] for rows in samples]
    seconds = np.array([[each for each, _ in of_sample] for of_sample in timed])  # (2, rounds)
    fitted, work = timed[1][-1][1], [float(len(rows)) for rows in samples]
    full = float(len(trial.interactions))
    if runs.n_rounds is None:
        return carried(work, seconds[:, 0], full), fitted, samples[1]
    rounds = np.maximum(seconds[:, 1] - seconds[:, 0], 0.0)
    before = np.maximum(seconds[:, 0] - rounds, 0.0)
    total = carried(work, before, full) + runs.n_rounds * carried(work, rounds, full)
    return total, fitted, samples[1]


def carried(work: Sequence[float], seconds: ArrayLike, full: float) -> float:
    """Seconds of the whole from those of a smaller and a larger part of it.

    Where time grows less than work, there is a fixed part, and the rest goes with the work. Where
    it grows more, there is none, and time goes with a power of the work, at most 1.2.

    Parameters
    ----------
    work : (float, float)
        Of the two parts, in any unit.
    seconds : (float, float)
    full : float
        Work of the whole.

    Returns
    -------
    float

    Examples
    --------
    A fixed second and one for each unit; then a time that grows with the power 1.1:

    >>> carried((1.0, 5.0), (2.0, 6.0), 50.0)
    51.0
    >>> round(carried((1.0, 10.0), (1.0, 10**1.1), 100.0), 6) == round(10**2.2, 6)
    True
    """
    (small, large), (first, second) = work, (float(each) for each in np.asarray(seconds))
    if large <= small or first <= 0:
        return second * full / max(large, 1.0)
    if second / first > large / small:
        exponent = np.log(second / first) / np.log(large / small)
        return float(second * (full / large) ** min(exponent, MOST_EXPONENT))
    slope = max(second - first, 0.0) / (large - small)
    return second + slope * (full - large)


def _by_terms(runs: _Runs, trial: _Trial, growth: Growth | None) -> tuple[float, Any, Interactions]:
    """Seconds of the fit from samples of users and of items; the largest one's model and rows.

    Where there are rounds, what comes before them goes with the positives.
    """
    if growth is None or growth.terms is None:
        raise ValueError("terms are needed")
    samples = [trial.probe(probe, growth.most_items) for probe in growth.probes]
    runs_of = [(rows, n_rounds) for rows in samples for n_rounds in runs.few]
    timed = [_timed(runs.fit, rows, n_rounds) for rows, n_rounds in runs_of]
    work = [_work(growth.terms, rows, n_rounds) for rows, n_rounds in runs_of]
    full = _work(growth.terms, trial.interactions, runs.n_rounds)
    seconds = np.array([max(each, 1e-9) for each, _ in timed])
    return summed(np.array(work), seconds, np.array(full)), timed[-1][1], samples[-1]


def _work(terms: Terms, rows: Interactions, n_rounds: int | None) -> list[float]:
    sizes = Sizes.of(rows)
    if n_rounds is None:
        return list(terms(sizes))
    return [float(sizes.n_positives), *(n_rounds * each for each in terms(sizes))]


def summed(work: NDArray[Any], seconds: NDArray[Any], full: NDArray[Any]) -> float:
    """Seconds of the whole as a sum over kinds of work, each with a rate that samples tell.

    Parameters
    ----------
    work : ndarray of float, shape (n_samples, n_terms)
        Counts of each kind of work.
    seconds : ndarray of float, shape (n_samples,)
    full : ndarray of float, shape (n_terms,)

    Returns
    -------
    float
        With the rates, none of them negative, that have the smallest squared relative error.

    Examples
    --------
    >>> work = np.array([[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]])
    >>> round(summed(work, np.array([3.0, 8.0, 15.0]), np.array([10.0, 100.0])), 6)  # 2 n + n * n
    120.0
    """
    kinds = np.column_stack([np.ones(len(work)), work])
    scale = kinds.max(axis=0).clip(min=1e-300)
    rates, _ = nnls(kinds / scale / seconds[:, None], np.ones(len(work)))
    return float((np.append(1.0, full) / scale) @ rates)


def _seconds_of_users(
    action: Callable[[Any, Interactions, NDArray[np.int64]], Any],
    model: Any,
    rows: Interactions,
    *,
    n_users: int,
    full: Sizes,
    growth: Growth,
) -> float:
    """How long something takes for so many users, from two groups of them."""
    if not n_users:
        return 0.0
    active = np.flatnonzero(rows.user_counts)
    most = min(max(MOST_SCORES // rows.n_items, 2), MOST_JUDGED, len(active))
    groups = [active[: max(most // SMALLER, 1)], active[:most]]
    seconds = [_timed(action, model, rows, group)[0] for group in groups]
    one, whole = growth.score_work(Sizes.of(rows)), growth.score_work(full)
    work = [len(group) * one for group in groups]
    return carried(work, seconds, n_users * whole)


def _evaluate(model: Any, rows: Interactions, users: NDArray[np.int64]) -> None:
    """Look for one positive of each of some users among all that they have not seen."""
    held_out = np.zeros(len(rows), dtype=bool)
    held_out[rows.indptr[users]] = True
    evaluate_ranking(model, rows[held_out], seen=rows[~held_out])


def _list(model: Any, rows: Interactions, users: NDArray[np.int64]) -> None:
    """Lists of ten for some users."""
    assert rows.users is not None
    recommend(model, rows.users.ids[users], seen=rows)


def _clock() -> tuple[str, Callable[[], float]]:
    """CPU seconds where one thread works, else those of the wall."""
    if torch.get_num_threads() == 1:
        return "CPU", time.process_time
    return "wall", time.perf_counter


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Least seconds of a call, and what it returned; a short call is repeated."""
    _, clock = _clock()
    least, n_calls = float("inf"), 0
    with _without_collection():
        while n_calls == 0 or (least < SHORT and n_calls < MOST_REPEATS):
            started = clock()
            returned = call(*arguments)
            least, n_calls = min(least, clock() - started), n_calls + 1
    return least, returned


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage is collected meanwhile: it would be that of other work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
