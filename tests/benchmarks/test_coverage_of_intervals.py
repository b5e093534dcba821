"""The intervals that are compared agree with those of the package and of SciPy."""

import numpy as np
import pytest
from scipy import stats

from nbhelpers.evaluation.statistics import bootstrap_interval
from tests.benchmarks.coverage import INTERVALS, VALUES, Samples, coverage


@pytest.fixture
def counts(rng):
    """Two data sets of 300 users: how many have each of the eleven values."""
    return rng.multinomial(300, [0.02] * 10 + [0.8], 2)


@pytest.fixture
def samples(counts, rng):
    return Samples(counts, n_resamples=20_000, rng=rng)


def test_percentiles_are_those_of_the_package(counts, samples):
    low, high = INTERVALS["percentile"](samples)
    for row in range(2):
        users = np.repeat(VALUES, counts[row])
        ours = bootstrap_interval(users, n_resamples=20_000, rng=row)
        np.testing.assert_allclose((low[row], high[row]), ours, atol=0.001)


def test_student_and_bca_are_those_of_scipy(counts, samples):
    for row in range(2):
        users = np.repeat(VALUES, counts[row])
        plain = stats.ttest_1samp(users, 0).confidence_interval()
        low, high = INTERVALS["Student's t"](samples)
        np.testing.assert_allclose((low[row], high[row]), plain, rtol=1e-9)
        peer = stats.bootstrap(
            (users,), np.mean, n_resamples=20_000, method="BCa", rng=row
        ).confidence_interval
        low, high = INTERVALS["BCa"](samples)
        np.testing.assert_allclose((low[row], high[row]), peer, atol=0.001)


def test_intervals_that_know_of_skewness_lie_farther_to_the_right(samples):
    low, high = INTERVALS["Student's t"](samples)
    for name in ("percentile", "t, skewness corrected", "BCa", "bootstrap-t"):
        other_low, other_high = INTERVALS[name](samples)
        assert (other_low + other_high > low + high).all(), name


def test_data_without_any_hit_give_numbers(rng):
    samples = Samples(np.array([[0] * 10 + [50]]), n_resamples=20, rng=rng)
    for interval in INTERVALS.values():
        assert [float(end[0]) for end in interval(samples)] == [0, 0]


def test_a_share_is_counted_on_both_sides(rng):
    table = coverage(0.5, 200, n_worlds=60, n_resamples=200, rng=rng).set_index("interval")
    total = table["covered"] + table["truth_above"] + table["truth_below"]
    np.testing.assert_allclose(total, 100)
    assert (table["covered"] > 80).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zeros", "n_users", "least", "most"),
    [(0.95, 943, 93.4, 96.1), (0.85, 500, 93.4, 96.1), (0.95, 100, 87, 92)],
)
def test_percentiles_hold_the_truth_where_fifty_users_have_a_hit(zeros, n_users, least, most, rng):
    # what bootstrap_interval says of itself; the bounds leave three errors of 3,000 worlds
    table = coverage(zeros, n_users, n_worlds=3_000, n_resamples=1_000, rng=rng)
    covered = table.set_index("interval").loc["percentile", "covered"]
    print(f"{zeros:.0%} zeros, {n_users} users: {covered:.2f}")
    assert least <= covered <= most
