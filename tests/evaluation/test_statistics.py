import numpy as np
import pytest
from scipy import stats

from nbhelpers.evaluation.statistics import bootstrap_interval, seed_interval


def test_equal_users_leave_no_doubt():
    assert bootstrap_interval(np.full(30, 2.0)) == (2.0, 2.0)


def test_interval_agrees_with_scipy(rng):
    values = rng.exponential(size=200)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=1)
    ours = bootstrap_interval(values, n_resamples=5000, rng=2)
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.02)


def test_counts_weigh_the_users():
    # one user with 90 rows of error 1 each, one with 10 rows of error 0: the mean is 0.9
    low, high = bootstrap_interval([90.0, 0.0], [90, 10], rng=0)
    assert (low, high) == (0.0, 1.0)


def test_interval_covers_the_mean_as_often_as_it_says(rng):
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(5, 1, 60), n_resamples=400, rng=rng)
        hits += low <= 5 <= high
    assert 0.89 <= hits / 200 <= 0.985


def test_seed_decides_the_interval(rng):
    values = rng.normal(size=40)
    assert bootstrap_interval(values, rng=1) == bootstrap_interval(values, rng=1)
    assert bootstrap_interval(values, rng=1) != bootstrap_interval(values, rng=2)


def test_seed_interval_by_hand():
    # mean 2, deviation 1, standard error 1/sqrt(3), t with 2 degrees of freedom 4.3027
    low, high = seed_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), abs=1e-4)


def test_narrower_level_narrower_interval():
    wide, narrow = seed_interval([1, 2, 4], level=0.95), seed_interval([1, 2, 4], level=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([]), "one value for each user"),
        (lambda: bootstrap_interval([1, 2], [1]), r"got shapes \(2,\) and \(1,\)"),
        (lambda: bootstrap_interval([1, 2], level=1), "level must lie between 0 and 1"),
        (lambda: seed_interval([1.0]), "at least two runs"),
        (lambda: seed_interval([1, 2], level=0), "level must lie between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
