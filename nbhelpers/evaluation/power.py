"""How many users a comparison needs, and how small a difference so many users can show."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats


def minimum_detectable_difference(
    spread: ArrayLike, n_users: int, *, power: float = 0.8, level: float = 0.95
) -> float:
    """Smallest true difference of two models that a paired test of so many users is sure to see.

    With 80 % power and 95 % confidence it is about ``2.8 * spread / sqrt(n_users)``. A smaller
    difference may be there and yet be missed, so "no difference found" says no more than that.

    Parameters
    ----------
    spread : float, or array of float, shape (n_pilot_users,)
        Standard deviation of the users' differences, or these differences themselves, as they
        come from models like the ones to be compared. For two groups of *different* users (an
        A/B test) it is ``sqrt(variance_a + variance_b)``, and ``n_users`` counts one group.
    n_users : int
        At least 3; at a confidence above 95 % a few more.
    power : float
        How often a true difference of this size is to be found, from 0.5 to below 1.
    level : float
        Confidence of the test, between 0 and 1: at 0.95 a p-value below 0.05 counts as found.

    Returns
    -------
    float
        In the unit of the metric.

    Raises
    ------
    ValueError
        If the spread is not above 0, or another argument lies outside its range.

    References
    ----------
    Guenther (1981), Sample Size Formulas for Normal Theory T Tests: the normal distribution's
    formula, with the term for small samples. For skewed metrics it is right from about 100 users
    on, because then their mean is close to normal.

    Examples
    --------
    >>> round(minimum_detectable_difference(0.3, 943), 4)  # the users of MovieLens 100K
    0.0274
    >>> gains = np.array([0.0, 0.5, -0.5, 0.0, 0.5])  # first model minus second, of five users
    >>> round(minimum_detectable_difference(gains, 2_000), 4)
    0.0262
    """
    one_sd, quantile = _checked_spread(spread), _quantile(level)
    root = _root_of_users(np.asarray(n_users), quantile)
    return float((quantile + _power_quantile(power)) * one_sd / root)


def users_needed(
    difference: float, spread: ArrayLike, *, power: float = 0.8, level: float = 0.95
) -> int:
    """Users that a paired test needs to find a true difference of two models.

    Half the difference needs four times the users.

    Parameters
    ----------
    difference : float
        The smallest difference that would matter, up or down; not 0.
    spread : float, or array of float, shape (n_pilot_users,)
        As in ``minimum_detectable_difference``; for an A/B test the answer counts one group.
    power, level : float
        As in ``minimum_detectable_difference``.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the difference is 0 or not finite, the spread not above 0, or another argument lies
        outside its range.

    References
    ----------
    Guenther (1981), Sample Size Formulas for Normal Theory T Tests.

    Examples
    --------
    >>> users_needed(0.02, 0.3)
    1768
    >>> users_needed(0.01, 0.3)
    7066
    """
    if not math.isfinite(difference) or difference == 0:
        raise ValueError(f"difference must be a number other than 0, got {difference}")
    one_sd, quantile = _checked_spread(spread), _quantile(level)
    in_spreads = (quantile + _power_quantile(power)) * one_sd / abs(difference)
    return math.ceil(in_spreads**2 + quantile**2 / 2)


def expected_power(
    difference: ArrayLike, spread: ArrayLike, n_users: ArrayLike, *, level: float = 0.95
) -> np.ndarray:
    """How often a paired test of so many users finds a true difference.

    Parameters
    ----------
    difference : float or array of float
        True difference; where it is 0, the test is wrong ``1 - level`` of the time.
    spread : float, or array of float, shape (n_pilot_users,)
        As in ``minimum_detectable_difference``.
    n_users : int or array of int
        Of a shape that broadcasts with that of ``difference``.
    level : float
        Confidence of the test, between 0 and 1.

    Returns
    -------
    ndarray of float
        Of the common shape, each between 0 and 1.

    Raises
    ------
    ValueError
        If the spread is not above 0, or another argument lies outside its range.

    References
    ----------
    Guenther (1981), Sample Size Formulas for Normal Theory T Tests.

    Examples
    --------
    >>> expected_power(0.02, 0.3, [500, 1_768, 5_000]).round(2).tolist()
    [0.32, 0.8, 1.0]
    """
    quantile = _quantile(level)
    shift = np.asarray(difference, dtype=float) / _checked_spread(spread)
    if not np.isfinite(shift).all():
        raise ValueError("difference must be finite")
    shift = shift * _root_of_users(np.asarray(n_users), quantile)
    return np.asarray(stats.norm.cdf(shift - quantile) + stats.norm.cdf(-shift - quantile))


def power_curves(
    differences: Sequence[float],
    spread: ArrayLike,
    n_users: Sequence[int],
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Power against users for several true differences, as ``plot_power`` draws them.

    Parameters
    ----------
    differences : sequence of float
    spread : float, or array of float, shape (n_pilot_users,)
        As in ``minimum_detectable_difference``.
    n_users : sequence of int
    level : float
        Confidence of the test, between 0 and 1.

    Returns
    -------
    DataFrame, shape (n_users, n_differences)
        Power, indexed by users, with a column for each difference.

    Raises
    ------
    ValueError
        If there is no difference or no number of users, or an argument lies outside its range.

    Examples
    --------
    >>> power_curves([0.01, 0.02], 0.3, [500, 1_000, 2_000]).round(2)
          0.01  0.02
    500   0.12  0.32
    1000  0.18  0.56
    2000  0.32  0.85
    """
    if not len(differences) or not len(n_users):
        raise ValueError("at least one difference and one number of users are needed")
    users = np.asarray(n_users)
    power = expected_power(np.asarray(differences), spread, users[:, None], level=level)
    return pd.DataFrame(power, index=users, columns=list(differences))


def _checked_spread(spread: ArrayLike) -> float:
    """The standard deviation itself, or that of differences."""
    values = np.asarray(spread, dtype=float)
    if values.ndim > 1 or (values.ndim == 1 and values.size < 2) or not np.isfinite(values).all():
        raise ValueError(
            f"spread must be a number, or finite differences of at least two users, got shape "
            f"{values.shape}"
        )
    one_sd = float(values if values.ndim == 0 else values.std(ddof=1))
    if one_sd <= 0:
        raise ValueError(f"spread must be above 0, got {one_sd}")
    return one_sd


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return float(stats.norm.ppf((1 + level) / 2))


def _power_quantile(power: float) -> float:
    if not 0.5 <= power < 1:
        raise ValueError(f"power must lie between 0.5 and 1, got {power}")
    return float(stats.norm.ppf(power))


def _root_of_users(n_users: np.ndarray, quantile: float) -> np.ndarray:
    """Root of the users, less what estimating the spread from so few of them costs."""
    left = np.asarray(n_users - quantile**2 / 2)
    if not (left > 0).all():
        least = math.floor(quantile**2 / 2) + 1
        raise ValueError(f"at least {least} users are needed, got {int(n_users.min())}")
    return np.asarray(np.sqrt(left))
