"""What several random splits of the same data say together, though they overlap."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def split_interval(
    values: ArrayLike, *, n_train: int, n_test: int, level: float = 0.95
) -> tuple[float, float]:
    """Interval of a mean over random splits of the same data (corrected resampled t).

    Splits of one data set share most of their rows, so their scores resemble each other more than
    those of new data would, and ``seed_interval`` comes out too narrow. More splits do not cure
    that: here the interval stays at least ``sqrt(n_test / n_train)`` deviations of a split wide to
    either side, times Student's quantile, however many splits there are.

    Parameters
    ----------
    values : array of float, shape (n_splits,)
        One score for each split or, for two models, one difference on the same split; at least
        two. Every split is drawn anew, with the same sizes.
    n_train, n_test : int
        Rows that a split learns from, and rows that it is scored on. What is held out as users is
        counted in users.
    level : float
        Confidence, between 0 and 1.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        If there are fewer than two splits, a value is not finite, a size is below 1, or ``level``
        is not between 0 and 1.

    References
    ----------
    Nadeau and Bengio (2003), Inference for the Generalization Error, sec. 3,
    https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> low, high = split_interval([0.41, 0.42, 0.43], n_train=80_000, n_test=20_000)
    >>> round(low, 3), round(high, 3)  # seed_interval says 0.395 to 0.445
    (0.387, 0.453)
    """
    scores = np.asarray(values, dtype=float)
    if scores.ndim != 1 or scores.size < 2:
        raise ValueError(f"at least two splits are needed, got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} splits have no finite score")
    if n_train < 1 or n_test < 1:
        raise ValueError(f"both parts need a row, got n_train={n_train} and n_test={n_test}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    error = scores.std(ddof=1) * math.sqrt(1 / scores.size + n_test / n_train)
    half = stats.t.ppf((1 + level) / 2, scores.size - 1) * error
    return float(scores.mean() - half), float(scores.mean() + half)
