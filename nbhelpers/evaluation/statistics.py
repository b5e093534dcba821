"""How far a score can be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def bootstrap_interval(
    totals: ArrayLike,
    counts: ArrayLike | None = None,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> tuple[float, float]:
    """Percentile interval of a mean when whole users are drawn again, with replacement.

    Rows of one user resemble each other, so users are resampled, not rows.

    Parameters
    ----------
    totals : array of float, shape (n_users,)
        Each user's sum of row values, such as squared errors, or one value for each user.
    counts : array of float, shape (n_users,), optional
        Each user's number of rows; left out, every user counts once.
    level : float
        Share of resamples inside the interval.
    n_resamples : int
    rng : int or Generator

    Returns
    -------
    (float, float)
        Lower and upper end of the interval of ``sum(totals) / sum(counts)``.

    Raises
    ------
    ValueError
        If there is no user, the shapes differ, or ``level`` is not between 0 and 1.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13.
    """
    total = np.asarray(totals, dtype=float)
    count = np.ones_like(total) if counts is None else np.asarray(counts, dtype=float)
    if total.ndim != 1 or total.size == 0 or total.shape != count.shape:
        raise ValueError(
            f"one value for each user is needed, got shapes {total.shape} and {count.shape}"
        )
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    generator = np.random.default_rng(rng)
    drawn = generator.multinomial(len(total), np.full(len(total), 1 / len(total)), n_resamples)
    means = (drawn @ total) / (drawn @ count)  # (n_resamples,)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def seed_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a mean over repeated runs, each with its own seed (Student's t).

    Parameters
    ----------
    values : array of float, shape (n_runs,)
        One score for each run, at least two.
    level : float
        Confidence, between 0 and 1.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        If there are fewer than two runs, or ``level`` is not between 0 and 1.
    """
    runs = np.asarray(values, dtype=float)
    if runs.ndim != 1 or runs.size < 2:
        raise ValueError(f"at least two runs are needed, got shape {runs.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    half = stats.t.ppf((1 + level) / 2, runs.size - 1) * stats.sem(runs)
    return float(runs.mean() - half), float(runs.mean() + half)
