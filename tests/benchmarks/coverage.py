"""`python -m tests.benchmarks.coverage`: how often a 95 % interval of a mean holds the truth.

Worlds are planted: each user has one hidden item, a metric of 0 where the list misses it and the
NDCG of a random rank from 1 to 10 where it does not, so the true mean is known. A user can have one
of eleven values, and drawing users again means drawing how many have each value. That is why two
thousand worlds with two thousand resamples each take seconds and not hours.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from nbhelpers.evaluation.statistics import bootstrap_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ends = tuple[Floats, Floats]

VALUES = np.append(1 / np.log2(1 + np.arange(1, 11)), 0.0)  # NDCG of the ranks 1 to 10, and a miss
ZEROS = (0.5, 0.85, 0.95)
USERS = (100, 500, 943, 2_000)
TAILS = np.array([0.025, 0.975])
COLUMNS = ("zeros", "n_users", "interval", "covered", "error", "truth_above", "truth_below")


class Samples:
    """Data sets of one world as counts of each value, with the resamples of each.

    Attributes
    ----------
    mean, error, skewness : array of float, shape (n_worlds,)
        Of each data set; ``error`` is the standard error of its mean.
    means, studentized : array of float, shape (n_worlds, n_resamples)
        Sorted: the means of resamples, and their distance from ``mean`` in standard errors of
        their own.
    """

    def __init__(self, counts: Ints, *, n_resamples: int, rng: np.random.Generator) -> None:
        self.n_users = int(counts[0].sum())
        self.mean, self.error = _mean_and_error(counts, self.n_users)
        away = VALUES - self.mean[:, None]  # (n_worlds, n_values)
        variance = np.maximum(self.error**2 * (self.n_users - 1), 1e-12)
        self.skewness = (counts * away**3).sum(axis=1) / self.n_users / variance**1.5
        self.means = np.empty((len(counts), n_resamples))
        self.studentized = np.empty_like(self.means)
        for row, count in enumerate(counts):
            drawn = rng.multinomial(self.n_users, count / self.n_users, n_resamples)
            means, errors = _mean_and_error(drawn, self.n_users)
            self.means[row] = means
            # a resample without any hit has no error: it is infinitely far below
            with np.errstate(divide="ignore", invalid="ignore"):
                self.studentized[row] = np.nan_to_num((means - self.mean[row]) / errors, nan=0.0)
        self.means.sort(axis=1)
        self.studentized.sort(axis=1)


def _mean_and_error(counts: Ints, n_users: int) -> tuple[Floats, Floats]:
    mean = counts @ VALUES / n_users
    variance = np.maximum(counts @ VALUES**2 / n_users - mean**2, 0)
    return mean, np.sqrt(variance / (n_users - 1))


def percentile(samples: Samples) -> Ends:
    """Quantiles of the resampled means, as ``bootstrap_interval`` takes them."""
    low, high = np.quantile(samples.means, TAILS, axis=1)
    return low, high


def student(samples: Samples) -> Ends:
    """Mean and standard errors, by Student's t."""
    half = stats.t.ppf(TAILS[1], samples.n_users - 1) * samples.error
    return samples.mean - half, samples.mean + half


def skewed_student(samples: Samples) -> Ends:
    """Student's t with the skewness put right to first order (Hall 1992, sec. 3.10)."""
    t = stats.t.ppf(TAILS, samples.n_users - 1)[:, None]
    shift = samples.skewness * (2 * t**2 + 1) / (6 * samples.n_users**0.5)
    low, high = samples.mean + (t + shift) * samples.error
    return low, high


def bca(samples: Samples) -> Ends:
    """Bias-corrected and accelerated percentiles (Efron 1987), as ``scipy.stats.bootstrap``."""
    n_resamples = samples.means.shape[1]
    ours = samples.mean[:, None]
    below = (samples.means < ours).sum(axis=1) + (samples.means <= ours).sum(axis=1)
    bias = stats.norm.ppf(np.clip(below / 2, 1, n_resamples - 1) / n_resamples)
    acceleration = samples.skewness / (6 * samples.n_users**0.5)
    z = bias + stats.norm.ppf(TAILS)[:, None]
    shares = stats.norm.cdf(bias + z / (1 - acceleration * z))  # (2, n_worlds)
    low, high = (_quantiles(samples.means, share) for share in shares)
    return low, high


def bootstrap_t(samples: Samples) -> Ends:
    """Student's t with quantiles from the resamples in the place of those of the table."""
    low, high = np.quantile(samples.studentized, TAILS, axis=1, method="nearest")
    return samples.mean - high * samples.error, samples.mean - low * samples.error


def _quantiles(rows: Floats, share: Floats) -> Floats:
    """Another quantile of each sorted row, linear between two neighbors."""
    position = share * (rows.shape[1] - 1)
    left = np.minimum(position.astype(int), rows.shape[1] - 2)
    row = np.arange(len(rows))
    return rows[row, left] + (position - left) * (rows[row, left + 1] - rows[row, left])


INTERVALS: dict[str, Callable[[Samples], Ends]] = {
    "percentile": percentile,
    "Student's t": student,
    "t, skewness corrected": skewed_student,
    "BCa": bca,
    "bootstrap-t": bootstrap_t,
}


def coverage(
    zeros: float,
    n_users: int,
    *,
    n_worlds: int = 2_000,
    n_resamples: int = 2_000,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Share of the worlds whose interval holds the truth, in percent, a row for each interval.

    ``error`` is the standard error of ``covered``; ``truth_above`` and ``truth_below`` are the
    shares in which the truth lies on one side of the interval, 2.5 each where all is well.
    """
    share = np.append(np.full(10, (1 - zeros) / 10), zeros)
    truth = share @ VALUES
    counts = rng.multinomial(n_users, share, n_worlds)
    samples = Samples(counts, n_resamples=n_resamples, rng=rng)
    rows = []
    for name, interval in INTERVALS.items():
        low, high = interval(samples)
        above, below = 100 * (high < truth).mean(), 100 * (low > truth).mean()
        covered = 100 - above - below
        error = (covered * (100 - covered) / n_worlds) ** 0.5
        rows.append((zeros, n_users, name, covered, error, above, below))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def milliseconds(n_users: int = 943, *, n_resamples: int = 2_000) -> dict[str, float]:
    """Processor time of one interval for users in a plain array, as a caller would have them."""
    values = np.random.default_rng(0).choice(VALUES, n_users, p=[0.015] * 10 + [0.85])
    calls: dict[str, Callable[[], object]] = {
        "percentile, bootstrap_interval": lambda: bootstrap_interval(
            values, n_resamples=n_resamples
        ),
        "Student's t": lambda: stats.ttest_1samp(values, 0).confidence_interval(),
        "BCa, scipy": lambda: stats.bootstrap(
            (values,), np.mean, n_resamples=n_resamples, method="BCa", rng=0
        ),
    }
    taken = {}
    for name, call in calls.items():
        call()
        started = time.process_time()
        for _ in range(5):
            call()
        taken[name] = 1_000 * (time.process_time() - started) / 5
    return taken


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each share of zeros, then the times; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.coverage")
    parser.add_argument("--worlds", type=int, default=2_000, metavar="N", help="default: 2000")
    parser.add_argument("--resamples", type=int, default=2_000, metavar="N", help="default: 2000")
    options = parser.parse_args(arguments)
    size = {"n_worlds": options.worlds, "n_resamples": options.resamples}
    for zeros in ZEROS:
        for n_users in USERS:
            rng = np.random.default_rng([round(100 * zeros), n_users])
            table = coverage(zeros, n_users, **size, rng=rng).set_index("interval")
            print(f"\n{zeros:.0%} zeros, {n_users:,} users")
            print(table.drop(columns=["zeros", "n_users"]).round(2).to_string(), flush=True)
    print("\nmilliseconds for 943 users")
    for name, taken in milliseconds(n_resamples=options.resamples).items():
        print(f"{name:32}{taken:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
