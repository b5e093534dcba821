import numpy as np
import pytest
from scipy import optimize, stats

from nbhelpers.evaluation.power import (
    expected_power,
    minimum_detectable_difference,
    power_curves,
    users_needed,
)


def power_of_t_test(difference, n_users, level=0.95):
    """Exact, for Gaussian differences with deviation 1."""
    edge = stats.t.ppf((1 + level) / 2, n_users - 1)
    shift = difference * n_users**0.5
    return stats.nct.sf(edge, n_users - 1, shift) + stats.nct.cdf(-edge, n_users - 1, shift)


def test_detectable_difference_by_hand():
    # 1.95996 + 0.84162 = 2.80158 standard errors; 100 users less 1.95996 ** 2 / 2 = 1.92073
    assert minimum_detectable_difference(1, 100) == pytest.approx(2.80158 / 98.07927**0.5, abs=1e-5)
    assert minimum_detectable_difference(0.3, 10_000) == pytest.approx(
        0.3 * 2.80158 / 100, rel=1e-3
    )


def test_users_by_hand():
    # (2.80158 * 0.3 / 0.02) ** 2 + 1.92073 = 1765.99 + 1.92 = 1767.9
    assert users_needed(0.02, 0.3) == 1768
    assert users_needed(-0.02, 0.3) == 1768


def test_half_the_difference_needs_four_times_the_users():
    assert users_needed(0.01, 0.3) / users_needed(0.02, 0.3) == pytest.approx(4, abs=0.01)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("difference", [0.05, 0.2, 0.5])
def test_plan_agrees_with_the_exact_test_of_gaussian_differences(difference, power, level):
    n_users = users_needed(difference, 1, power=power, level=level)
    assert power_of_t_test(difference, n_users, level) >= power - 0.01
    exact = optimize.brentq(
        lambda n: power_of_t_test(difference, n, level) - power, n_users / 2, 2 * n_users
    )
    assert n_users == pytest.approx(np.ceil(exact), rel=0.003, abs=1)


@pytest.mark.parametrize("n_users", [15, 50, 400])
def test_power_agrees_with_the_exact_test_of_gaussian_differences(n_users):
    differences = np.array([0.0, 1.0, 2.8, 5.0]) / n_users**0.5
    exact = power_of_t_test(differences, n_users)
    np.testing.assert_allclose(expected_power(differences, 1, n_users), exact, atol=0.01)


def test_without_a_difference_the_power_is_the_rate_of_false_alarms():
    assert expected_power(0, 1, 500) == pytest.approx(0.05)
    assert expected_power(0, 1, 500, level=0.9) == pytest.approx(0.1)


def test_sign_and_unit_of_a_difference_do_not_matter():
    power = expected_power(0.02, 0.3, 500)
    assert expected_power(-0.02, 0.3, 500) == pytest.approx(power)
    assert expected_power(20, 300, 500) == pytest.approx(power)


def test_differences_stand_for_their_deviation():
    gains = np.array([0.0, 0.5, -0.5, 0.0, 0.5])  # from the mean of 0.1 their squares sum to 0.7
    for plan in (
        lambda spread: minimum_detectable_difference(spread, 500),
        lambda spread: users_needed(0.1, spread),
        lambda spread: expected_power(0.1, spread, 500),
    ):
        assert plan(gains) == pytest.approx(plan((0.7 / 4) ** 0.5))


def test_curves_are_the_power_of_each_difference_at_each_number_of_users():
    curves = power_curves([0.05, 0.1], 0.4, [100, 300, 900])
    assert curves.index.tolist() == [100, 300, 900]
    assert curves.columns.tolist() == [0.05, 0.1]
    for n_users in curves.index:
        for difference in curves.columns:
            expected = expected_power(difference, 0.4, n_users)
            assert curves.loc[n_users, difference] == pytest.approx(float(expected))


def test_a_wide_range_of_users_has_its_power():
    assert expected_power(0.001, 0.3, 10**9) == pytest.approx(1)
    assert 0 < minimum_detectable_difference(0.3, 10**9) < 1e-4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimum_detectable_difference(0, 100), "spread must be above 0, got 0"),
        (lambda: minimum_detectable_difference([0.1, 0.1], 100), "spread must be above 0"),
        (lambda: minimum_detectable_difference([0.1], 100), "at least two users"),
        (lambda: minimum_detectable_difference([0.1, np.nan], 100), "finite differences"),
        (lambda: minimum_detectable_difference(np.ones((2, 2)), 100), r"got shape \(2, 2\)"),
        (lambda: minimum_detectable_difference(1, 1), "at least 2 users are needed, got 1"),
        (lambda: minimum_detectable_difference(1, 3, level=0.99), "at least 4 users are needed"),
        (lambda: minimum_detectable_difference(1, 9, power=1), "power must lie between 0.5 and 1"),
        (lambda: minimum_detectable_difference(1, 9, power=0.4), "got 0.4"),
        (lambda: users_needed(0.1, 1, level=1), "level must lie between 0 and 1"),
        (lambda: users_needed(0, 1), "difference must be a number other than 0"),
        (lambda: users_needed(float("nan"), 1), "got nan"),
        (lambda: expected_power([0.1, np.inf], 1, 9), "difference must be finite"),
        (lambda: power_curves([], 1, [9]), "at least one difference"),
        (lambda: power_curves([0.1], 1, []), "one number of users"),
    ],
)
def test_bad_plans_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
