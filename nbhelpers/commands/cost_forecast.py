"""What a comparison will cost, said before it starts: timed on a sample and carried on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbhelpers.commands.contenders import Contender, Sizes
from nbhelpers.core.memory import free_memory
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.evaluate import evaluate_unmasked

SAMPLE = 20_000  # positives of the users on whom each model is timed
SAMPLE_ITEMS = 2_000  # the most frequent ones, so that no model is timed for long
WARM_UP = 500
USABLE = 0.8  # of the memory that is free


def forecast_costs(
    contenders: Sequence[Contender],
    positives: Interactions,
    *,
    n_trials: int,
    n_valid: int,
    n_test: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Seconds and memory of each contender, from one fit of each on a sample of users.

    The time of the sample is carried on by what the model does: with the cube of the items for
    EASE, with users times items for a softmax over the catalog. Memory is a formula, such as 24
    bytes times the square of the items for EASE.

    Parameters
    ----------
    contenders : sequence of Contender
    positives : Interactions
        What is going to be trained on.
    n_trials : int
        Settings tried, at most; the chosen ones are fitted once more.
    n_valid, n_test : int
        Users whose lists are made for each trial, and for the test.
    seed : int
        Draws the users of the sample.

    Returns
    -------
    DataFrame
        Indexed by model: ``seconds`` (NaN where the sample could not be fitted), ``megabytes``.

    Examples
    --------
    >>> from nbhelpers.commands.contenders import contenders_of
    >>> likes = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], n_users=3, n_items=3)
    >>> chosen = contenders_of(["popularity", "EASE"], is_timed=False)
    >>> costs = forecast_costs(chosen, likes, n_trials=2, n_valid=3, n_test=3)
    >>> costs.index.tolist(), bool((costs["seconds"] > 0).all())
    (['popularity', 'EASE'], True)
    """
    sample = _sample(positives, seed, size=SAMPLE)
    small, full = Sizes.of(sample), Sizes.of(positives)
    cells = max(small.n_users * small.n_items, 1)
    few = _sample(sample, seed, size=WARM_UP)
    rows = {}
    for contender in contenders:
        try:
            fit_seconds, judge_seconds = _timed(contender, few, sample, seed=seed)
        except (ValueError, FloatingPointError, RuntimeError):  # the race will say why
            fit_seconds = judge_seconds = float("nan")
        growth = max(contender.work(full) / max(contender.work(small), 1.0), 1.0)
        n_tried = min(n_trials, len(contender.trials))
        judged = judge_seconds * max((n_tried * n_valid + n_test) * full.n_items / cells, 1.0)
        rows[contender.name] = {
            "seconds": (n_tried + 1) * fit_seconds * growth + judged,
            "megabytes": contender.n_bytes(full) / 1e6,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _timed(
    contender: Contender, few: Interactions, sample: Interactions, *, seed: int
) -> tuple[float, float]:
    """Seconds of a fit and of making the lists of everybody, on a sample."""
    settings = contender.trials[0]
    contender.fitted(few, settings, seed=seed)  # what is done once alone, such as imports
    started = time.perf_counter()
    model = contender.fitted(sample, settings, seed=seed)
    fitted = time.perf_counter()
    evaluate_unmasked(model, sample)
    return fitted - started, time.perf_counter() - fitted


def what_does_not_fit(
    costs: pd.DataFrame, *, memory_gb: float | None, minutes: float
) -> dict[str, str]:
    """Models that would take more memory or time than there is, and why, by name.

    Parameters
    ----------
    costs : DataFrame
        From ``forecast_costs``.
    memory_gb : float, optional
        Left out, four fifths of what is free now.
    minutes : float
        For each model.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ValueError
        If a limit is not above 0.

    Examples
    --------
    >>> costs = pd.DataFrame({"seconds": [5.0, 900.0], "megabytes": [70_000.0, 10.0]})
    >>> for name, reason in what_does_not_fit(
    ...     costs.set_axis(["EASE", "dot product"]), memory_gb=16, minutes=10
    ... ).items():
    ...     print(name, "-", reason)
    EASE - needs about 70 GB of memory, and 16 GB may be used
    dot product - needs about 15 minutes, and 10 are allowed
    """
    if minutes <= 0 or (memory_gb is not None and memory_gb <= 0):
        raise ValueError(f"limits must be above 0, got {memory_gb} GB and {minutes} minutes")
    usable = USABLE * free_memory() / 1e9 if memory_gb is None else memory_gb
    reasons = {}
    for name, cost in costs.iterrows():
        gigabytes, needed = cost["megabytes"] / 1000, cost["seconds"] / 60
        if gigabytes > usable:
            reasons[str(name)] = (
                f"needs about {gigabytes:,.3g} GB of memory, and {usable:,.3g} GB may be used"
            )
        elif needed > minutes:
            reasons[str(name)] = f"needs about {needed:,.0f} minutes, and {minutes:g} are allowed"
    return reasons


def _sample(positives: Interactions, seed: int, *, size: int) -> Interactions:
    """Some users with about ``size`` positives in all, and the items that most of them have."""
    active = np.flatnonzero(positives.user_counts)
    drawn = np.random.default_rng(seed).permutation(active)
    total = positives.user_counts[drawn].cumsum()
    n_kept = max(int(np.searchsorted(total, size, side="right")), 1)
    rows = positives.for_users(np.sort(drawn[:n_kept]))
    user_idx, item_idx = (part.numpy() for part in rows.pairs())
    most = np.argsort(-rows.item_counts, kind="stable")[:SAMPLE_ITEMS]
    kept = np.isin(item_idx, most[rows.item_counts[most] > 0])
    items, item_idx = np.unique(item_idx[kept], return_inverse=True)
    return Interactions(
        user_idx[kept],
        item_idx,
        n_users=rows.n_users,
        n_items=len(items),
        timestamps=None if rows.timestamps is None else rows.timestamps[kept],
    )
