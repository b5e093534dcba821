import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nbhelpers.evaluation.statistics import (
    benjamini_hochberg,
    bootstrap_interval,
    compare,
    holm,
    paired_test,
    seed_interval,
)


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


def test_many_users_are_resampled_in_parts(rng):
    # 1,500 users and 2,000 resamples do not fit one part; the draws are those of one call
    values = rng.normal(size=1500)
    drawn = np.random.default_rng(4).multinomial(1500, np.full(1500, 1 / 1500), 2000)
    whole = np.quantile(drawn @ values / 1500, [0.025, 0.975])
    np.testing.assert_allclose(bootstrap_interval(values, rng=4), whole, rtol=1e-9)


def test_three_equal_gains_by_hand():
    # of the 8 ways to flip three signs, all up and all down are as far from zero: 2 of 8
    test = paired_test([1.5, 2.5, 3.5], [1.0, 2.0, 3.0])
    assert (test.difference, test.interval, test.n_users) == (0.5, (0.5, 0.5), 3)
    assert test.p_value == pytest.approx(0.25, abs=0.02)


def test_p_value_agrees_with_all_sign_flips_of_scipy(rng):
    first, second = rng.normal(0.4, 1, 12), rng.normal(0, 1, 12)
    exact = stats.permutation_test(
        (first, second),
        lambda one, two, axis: (one - two).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    test = paired_test(first, second, n_resamples=20_000)
    assert test.difference == pytest.approx(exact.statistic)
    assert test.p_value == pytest.approx(exact.pvalue, abs=0.015)


def test_pairing_finds_what_users_share_would_hide(rng):
    users = rng.normal(0, 5, 200)
    better = users + 0.3 + rng.normal(0, 0.5, 200)
    test = paired_test(better, users)
    assert stats.ttest_ind(better, users).pvalue > 0.3
    assert test.p_value < 0.001
    assert 0 < test.interval[0] < test.difference < test.interval[1]
    assert test.interval == bootstrap_interval(better - users)


def test_equal_models_do_not_differ():
    test = paired_test([0.1, 0.7, 0.2], [0.1, 0.7, 0.2])
    assert (test.difference, test.interval, test.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_swapping_the_models_turns_the_sign(rng):
    first, second = rng.random(50), rng.random(50)
    one, two = paired_test(first, second), paired_test(second, first)
    assert two.difference == -one.difference
    assert two.p_value == one.p_value


def test_p_value_is_small_as_often_as_it_says_when_nothing_differs(rng):
    p_values = [
        paired_test(*rng.random((2, 40)), n_resamples=200, rng=rng).p_value for _ in range(100)
    ]
    assert 0 < np.mean(np.array(p_values) <= 0.05) <= 0.12


@pytest.mark.parametrize("n_resamples", [9, 99])
def test_p_value_is_never_zero(n_resamples):
    # of 2**40 ways to flip the signs two are as far from zero: none of them is drawn
    test = paired_test([1.0] * 40, [0.0] * 40, n_resamples=n_resamples)
    assert test.p_value == 1 / (n_resamples + 1)


def test_seed_decides_the_test(rng):
    first, second = rng.random(40), rng.random(40)
    assert paired_test(first, second, rng=1) == paired_test(first, second, rng=1)
    assert paired_test(first, second, rng=1) != paired_test(first, second, rng=2)


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
        (lambda: paired_test([1, 2], [1]), r"got shapes \(2,\), \(1,\)"),
        (lambda: paired_test([], []), "one value for each user"),
        (lambda: paired_test([1, np.nan], [1, 2]), "1 users have a value that is not finite"),
        (lambda: paired_test([1, 2], [1, 2], level=0), "level must lie between 0 and 1"),
        (lambda: seed_interval([1.0]), "at least two runs"),
        (lambda: seed_interval([1, 2], level=0), "level must lie between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_holm_by_hand():
    # sorted .01 .02 .03 .5: times 4, 3, 2, 1, and never smaller than the one before
    assert holm([0.5, 0.01, 0.03, 0.02]).tolist() == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert holm([0.4, 0.6]).tolist() == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.8]).max() == 1


def test_benjamini_hochberg_by_hand():
    # sorted .01 .02 .03 .5: times 4/1, 4/2, 4/3, 4/4, and never larger than the one behind
    corrected = benjamini_hochberg([0.5, 0.01, 0.03, 0.02])
    assert corrected.tolist() == pytest.approx([0.5, 0.04, 0.04, 0.04])
    assert benjamini_hochberg([0.4, 0.6]).tolist() == pytest.approx([0.6, 0.6])
    assert benjamini_hochberg([0.2]).tolist() == [0.2]


def test_benjamini_hochberg_agrees_with_scipy_and_with_the_rule_of_the_paper(rng):
    p_values = np.round(rng.random(40) ** 3, 2)  # some come twice, some are 0
    corrected = benjamini_hochberg(p_values)
    np.testing.assert_allclose(corrected, stats.false_discovery_control(p_values), rtol=1e-12)
    for rate in (0.013, 0.05, 0.21):  # the rule: the largest i with p_(i) <= i / m * rate
        ordered = sorted(p_values)
        passed = [p for place, p in enumerate(ordered, 1) if p <= place / 40 * rate]
        called = p_values <= max(passed, default=-1)
        assert (corrected <= rate + 1e-12).tolist() == called.tolist()


def test_benjamini_hochberg_finds_what_holm_does_and_more(rng):
    p_values = rng.random(30) ** 4
    assert (p_values <= benjamini_hochberg(p_values)).all()
    assert (benjamini_hochberg(p_values) <= holm(p_values)).all()
    assert (benjamini_hochberg(p_values) <= 0.05).sum() > (holm(p_values) <= 0.05).sum() > 0


def test_of_the_differences_found_few_are_false(rng):
    # 15 of 20 tests have nothing to find; the promise is 15 / 20 of 10 %
    shares = []
    for _ in range(2000):
        p_values = stats.norm.sf(rng.normal(size=20) + np.repeat([0, 3], [15, 5]))
        called = benjamini_hochberg(p_values) <= 0.1
        shares.append(called[:15].sum() / max(called.sum(), 1))
    assert np.mean(shares) == pytest.approx(0.075, abs=0.01)


def test_compare_is_the_paired_test_of_each_pair(rng):
    per_user = pd.DataFrame(rng.random((40, 3)), columns=list("abc"))
    table = compare(per_user, [("a", "b"), ("c", "a")], rng=4)
    for pair in (("a", "b"), ("c", "a")):
        test = paired_test(per_user[pair[0]], per_user[pair[1]], rng=4)
        row = table.loc[f"{pair[0]} - {pair[1]}"]
        assert tuple(row[["difference", "low", "high", "p"]]) == (
            test.difference,
            *test.interval,
            test.p_value,
        )
    assert table["p_corrected"].tolist() == holm(table["p"]).tolist()


@pytest.mark.parametrize("p_values", [[], [0.5, 1.5], [-0.1], [float("nan")]])
@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_no_p_values_are_refused(correct, p_values):
    with pytest.raises(ValueError, match="p-values from 0 to 1 are needed"):
        correct(p_values)


def test_compare_names_an_unknown_model():
    with pytest.raises(KeyError, match="no model is called 'b'"):
        compare(pd.DataFrame({"a": [1.0, 2.0]}), [("a", "b")])
    with pytest.raises(ValueError, match="at least one pair"):
        compare(pd.DataFrame({"a": [1.0, 2.0]}), [])
