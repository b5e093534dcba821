"""What a search of settings is worth: the best score to expect of so many trials, and who wins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


def expected_best(scores: ArrayLike, n_trials: ArrayLike) -> NDArray[np.float64]:
    """Mean best score of so many trials, over all ways to choose them among those that were run.

    Of ``N`` trials the one with rank ``i`` from below is the best of ``n`` in
    ``comb(i - 1, n - 1)`` of the ``comb(N, n)`` choices. Where the trials were drawn at random and
    independently (random search), the mean is an unbiased estimate of what a new search of ``n``
    trials would reach.

    Parameters
    ----------
    scores : array of float, shape (n_run,)
        One score for each trial, higher is better; of an error pass the negative.
    n_trials : int or array of int
        Each from 1 to ``n_run``.

    Returns
    -------
    ndarray of float
        Of the shape of ``n_trials``: the mean score for 1, the best score for ``n_run``.

    Raises
    ------
    ValueError
        If there is no score, one is not finite, or a number of trials lies outside its range.

    References
    ----------
    Dodge et al. (2019), Show Your Work, sec. 3.2, https://arxiv.org/abs/1909.03004, with the
    correction of Tang et al. (2020), Showing Your Work Doesn't Always Work, sec. 3.1,
    https://arxiv.org/abs/2004.13705: trials are drawn without replacement, which removes a bias.

    Examples
    --------
    >>> scores = [1.0, 6.0, 2.0]
    >>> expected_best(scores, [1, 2, 3]).round(3).tolist()  # of 2: the pairs have 6, 2 and 6
    [3.0, 4.667, 6.0]
    """
    values, counts = _checked(scores, n_trials)
    weights = np.array([_chances(values.size, int(n)) for n in counts.ravel()])
    return np.asarray((weights @ np.sort(values)).reshape(counts.shape))


def expected_best_curve(
    scores: ArrayLike,
    n_trials: Sequence[int],
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """``expected_best`` for several numbers of trials, with a bootstrap band over the trials.

    The band says how far the curve could have come out otherwise if other settings had been drawn.
    No resample holds a better trial than the best one, so near ``n_run`` the band ends at the
    curve itself: read it up to about half of the trials that were run.

    Parameters
    ----------
    scores : array of float, shape (n_run,)
        As in ``expected_best``.
    n_trials : sequence of int
        Each from 1 to ``n_run``.
    level : float
        Share of resamples inside the band, between 0 and 1.
    n_resamples : int
    rng : int or Generator

    Returns
    -------
    DataFrame
        ``mean``, ``low`` and ``high``, indexed by the number of trials.

    Raises
    ------
    ValueError
        As ``expected_best``, or if ``level`` is not between 0 and 1.

    Examples
    --------
    >>> curve = expected_best_curve([1.0, 6.0, 2.0, 3.0], [1, 2, 4])
    >>> curve["mean"].round(2).tolist(), float(curve.loc[4, "high"])
    ([3.0, 4.33, 6.0], 6.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    values, counts = _checked(scores, np.asarray(n_trials))
    weights = np.array([_chances(values.size, int(n)) for n in counts])  # (n_budgets, n_run)
    generator = np.random.default_rng(rng)
    drawn = np.sort(generator.choice(values, (n_resamples, values.size)), axis=1)
    low, high = np.quantile(drawn @ weights.T, [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = {"mean": weights @ np.sort(values), "low": low, "high": high}
    return pd.DataFrame(columns, index=pd.Index(counts, name="n_trials"))


def chance_of_winning(
    scores: Mapping[str, ArrayLike], n_trials: int | Mapping[str, int]
) -> dict[str, float]:
    """How often each model has the best of its trials, over all choices of trials of each.

    Parameters
    ----------
    scores : mapping from model to array of float, shape (n_run,)
        Scores of its trials, higher is better; models may have run different numbers of trials.
    n_trials : int, or mapping from model to int
        How many trials each may take, such as what fits into an hour; from 1 to its ``n_run``.

    Returns
    -------
    dict of str to float
        A share for each model. Two equal best scores are a win for nobody.

    Raises
    ------
    ValueError
        As ``expected_best``, or if there is no model.
    KeyError
        If a model has no number of trials.

    Examples
    --------
    >>> chance_of_winning({"A": [1.0, 6.0], "B": [3.0, 5.0]}, 1)  # 6 beats all, 1 beats none
    {'A': 0.5, 'B': 0.5}
    >>> chance_of_winning({"A": [1.0, 6.0], "B": [3.0, 5.0]}, 2)
    {'A': 1.0, 'B': 0.0}
    """
    if not scores:
        raise ValueError("at least one model is needed")
    ordered, chances = {}, {}
    for name, of_model in scores.items():
        n = n_trials[name] if isinstance(n_trials, Mapping) else n_trials
        values, counts = _checked(of_model, n)
        ordered[name] = np.sort(values)
        chances[name] = _chances(values.size, int(counts))
    shares = {}
    for name, values in ordered.items():
        below = np.ones(values.size)  # chance that the best of every other model is lower
        for other, theirs in ordered.items():
            if other != name:
                cumulative = np.concatenate([[0.0], np.cumsum(chances[other])])
                below *= cumulative[np.searchsorted(theirs, values, side="left")]
        shares[name] = float(chances[name] @ below)
    return shares


def _chances(n_run: int, n: int) -> NDArray[np.float64]:
    """Chance of each trial, from the worst to the best, to be the best of ``n``."""
    choices = math.comb(n_run, n)
    return np.array([math.comb(rank - 1, n - 1) / choices for rank in range(1, n_run + 1)])


def _checked(
    scores: ArrayLike, n_trials: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, counts = np.asarray(scores, dtype=float), np.asarray(n_trials)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"one score for each trial is needed, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{int((~np.isfinite(values)).sum())} trials have no finite score: give a failed trial "
            "the worst score that counts, or leave it out and say so"
        )
    inside = np.issubdtype(counts.dtype, np.integer) and (counts >= 1) & (counts <= values.size)
    if counts.size == 0 or not np.all(inside):
        raise ValueError(
            f"n_trials must be whole numbers from 1 to the {values.size} trials that were run, "
            f"got {counts.ravel().tolist()[:3]}"
        )
    return values, counts.astype(np.int64)
