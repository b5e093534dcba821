from itertools import combinations, product

import numpy as np
import pytest

from nbhelpers.evaluation.tuning_budget import (
    chance_of_winning,
    expected_best,
    expected_best_curve,
)

SCORES = [0.3, 0.1, 0.7, 0.2, 0.7, 0.4]


def by_enumeration(scores, n_trials):
    return np.mean([max(chosen) for chosen in combinations(scores, n_trials)])


@pytest.mark.parametrize("n_trials", range(1, 7))
def test_expected_best_is_the_mean_over_all_choices(n_trials):
    assert expected_best(SCORES, n_trials) == pytest.approx(by_enumeration(SCORES, n_trials))


def test_expected_best_by_hand():
    # of 1, 6, 2: three pairs with the best 6, 2 and 6
    assert expected_best([1, 6, 2], 2) == pytest.approx(14 / 3)


def test_expected_best_of_one_is_the_mean_and_of_all_the_best():
    assert expected_best(SCORES, [1, 6]).tolist() == pytest.approx([0.4, 0.7])


def test_expected_best_keeps_the_shape_of_the_budgets():
    assert expected_best(SCORES, 2).shape == ()
    assert expected_best(SCORES, [[1, 2], [3, 4]]).shape == (2, 2)


def test_a_single_trial_is_its_own_best():
    assert expected_best([0.5], 1) == 0.5


def test_expected_best_of_a_thousand_trials_is_finite_and_grows():
    curve = expected_best(np.random.default_rng(0).normal(size=1000), np.arange(1, 1001))
    assert np.isfinite(curve).all()
    assert (np.diff(curve) >= 0).all()


def test_expected_best_is_unbiased_for_new_searches():
    rng = np.random.default_rng(0)
    estimates = [expected_best(rng.uniform(size=8), 3) for _ in range(4000)]
    assert np.mean(estimates) == pytest.approx(3 / 4, abs=0.01)  # of three uniform draws


@pytest.mark.parametrize("n_trials", [0, 7, -1, 1.5, []])
def test_a_budget_outside_the_trials_is_refused(n_trials):
    with pytest.raises(ValueError, match="from 1 to the 6 trials"):
        expected_best(SCORES, n_trials)


@pytest.mark.parametrize("scores", [[], [[1.0, 2.0]], 1.0])
def test_scores_of_another_shape_are_refused(scores):
    with pytest.raises(ValueError, match="one score for each trial"):
        expected_best(scores, 1)


def test_a_failed_trial_is_refused():
    with pytest.raises(ValueError, match="1 trials have no finite score"):
        expected_best([0.1, float("nan")], 1)


def test_curve_has_the_exact_means_inside_its_band():
    curve = expected_best_curve(SCORES, [1, 2, 3])
    assert curve.index.tolist() == [1, 2, 3]
    means = [by_enumeration(SCORES, n) for n in (1, 2, 3)]
    assert curve["mean"].tolist() == pytest.approx(means)
    assert (curve["low"] < curve["mean"]).all()
    assert (curve["mean"] < curve["high"]).all()


def test_band_of_one_trial_is_the_bootstrap_interval_of_a_mean():
    scores = np.random.default_rng(1).normal(size=200)
    curve = expected_best_curve(scores, [1], n_resamples=4000)
    half = 1.96 * scores.std() / 200**0.5
    assert curve.loc[1, "high"] - curve.loc[1, "mean"] == pytest.approx(half, rel=0.1)


def test_band_of_all_trials_ends_at_the_best():
    curve = expected_best_curve(SCORES, [6])
    assert curve.loc[6, "high"] == 0.7


def test_the_seed_decides_the_band():
    scores = np.random.default_rng(0).normal(size=50)
    first, again, other = (expected_best_curve(scores, [2], rng=rng) for rng in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_an_impossible_level_is_refused():
    with pytest.raises(ValueError, match="level must lie between"):
        expected_best_curve(SCORES, [1], level=95)


def won_by_enumeration(scores, counts):
    won = dict.fromkeys(scores, 0)
    choices = [list(combinations(scores[name], counts[name])) for name in scores]
    for chosen in product(*choices):
        bests = [max(one) for one in chosen]
        if bests.count(max(bests)) == 1:
            won[list(scores)[int(np.argmax(bests))]] += 1
    n_all = np.prod([len(one) for one in choices])
    return {name: count / n_all for name, count in won.items()}


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 2, 2), (1, 3, 2), (4, 4, 3)])
def test_chance_of_winning_is_the_share_of_all_choices(counts):
    scores = {"A": [1.0, 6.0, 2.0, 2.5], "B": [3.0, 5.0, 0.0, 4.5], "C": [6.0, 1.5, 2.2]}
    n_trials = dict(zip(scores, counts, strict=True))
    wins = chance_of_winning(scores, n_trials)
    assert wins == pytest.approx(won_by_enumeration(scores, n_trials))


def test_one_budget_counts_for_all():
    scores = {"A": [1.0, 6.0, 2.0], "B": [3.0, 5.0, 0.0]}
    assert chance_of_winning(scores, 2) == chance_of_winning(scores, {"A": 2, "B": 2})


def test_equal_bests_are_a_win_for_nobody():
    assert chance_of_winning({"A": [1.0], "B": [1.0]}, 1) == {"A": 0.0, "B": 0.0}


def test_a_model_alone_wins():
    assert chance_of_winning({"A": [1.0, 2.0]}, 1) == {"A": 1.0}


def test_no_model_or_no_budget_is_refused():
    with pytest.raises(ValueError, match="at least one model"):
        chance_of_winning({}, 1)
    with pytest.raises(KeyError):
        chance_of_winning({"A": [1.0], "B": [2.0]}, {"A": 1})
