"""Whether intervals cover the truth, and tests find it, as often as they say, in planted worlds."""

import numpy as np
import pytest

from nbhelpers.evaluation.power import minimum_detectable_difference, users_needed
from nbhelpers.evaluation.repeated_splits import split_interval
from nbhelpers.evaluation.statistics import bootstrap_interval, paired_test, seed_interval
from tests.evaluation.planted_worlds import NDCG_AT_10, WORLDS, lists_world, normal_world

each_world = pytest.mark.parametrize("name", WORLDS)


def share_covered(draw, truth, n_worlds, **settings):
    """How often the interval of the mean of what ``draw`` gives holds the truth."""
    covered = 0
    for _ in range(n_worlds):
        low, high = bootstrap_interval(draw(), **settings)
        covered += low <= truth <= high
    return covered / n_worlds


def covered_and_found(world, n_users, n_worlds, rng):
    """Coverage of the paired test's interval, and how often its p-value is below 0.05."""
    covered = found = 0
    for _ in range(n_worlds):
        test = paired_test(*world.draw(n_users, rng), n_resamples=999, rng=rng)
        covered += test.interval[0] <= world.difference <= test.interval[1]
        found += test.p_value <= 0.05
    return covered / n_worlds, found / n_worlds


def test_interval_covers_a_metric_of_many_zeros(rng):
    world = WORLDS["ndcg with zeros"]
    share = share_covered(
        lambda: world.draw(400, rng)[1], world.means[1], 150, n_resamples=200, rng=rng
    )
    assert 0.9 <= share <= 0.985


def test_as_many_users_as_needed_find_the_difference(rng):
    world = normal_world(0.5)
    n_users = users_needed(0.5, 1)
    assert n_users == 34
    _, found = covered_and_found(world, n_users, 120, rng)
    assert 0.7 <= found <= 0.9


@pytest.mark.slow
@each_world
def test_paired_interval_covers_and_finds_as_often_as_it_says(name, rng):
    world = WORLDS[name]
    n_users = users_needed(world.difference, world.spread)
    covered, found = covered_and_found(world, n_users, 2_000, rng)
    print(f"{name}: {n_users} users, coverage {covered:.4f}, power {found:.4f}")
    assert 0.94 <= covered <= 0.96
    assert 0.78 <= found <= 0.82


@pytest.mark.slow
@each_world
def test_interval_of_one_model_covers_as_often_as_it_says(name, rng):
    world = WORLDS[name]
    values, truth = (0, world.means[0]) if name == "normal" else (1, world.means[1])
    covered = share_covered(lambda: world.draw(1_000, rng)[values], truth, 2_000, rng=rng)
    print(f"{name}: coverage {covered:.4f}")
    assert 0.94 <= covered <= 0.96


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "ndcg with zeros"])
def test_equal_models_are_told_apart_in_one_world_of_twenty(name, rng):
    equal = {
        "normal": normal_world(0.0),
        "ndcg with zeros": lists_world(NDCG_AT_10, found=(0.2, 0.2), agree=0.3),
    }[name]
    covered, found = covered_and_found(equal, 300, 2_000, rng)
    print(f"{name}: coverage {covered:.4f}, false alarms {found:.4f}")
    assert 0.04 <= found <= 0.06


@pytest.mark.slow
def test_few_hits_make_the_interval_too_narrow(rng):
    # of 100 users about 10 have a value other than 0: what bootstrap_interval warns of
    world = lists_world(NDCG_AT_10, found=(0.1, 0.1), agree=0.5)
    covered = share_covered(lambda: world.draw(100, rng)[0], world.means[0], 2_000, rng=rng)
    print(f"10 hits: coverage {covered:.4f}")
    assert 0.89 <= covered <= 0.935


@pytest.mark.slow
def test_two_groups_of_different_users_are_sized_by_both_variances(rng):
    # an A/B test: the plan counts one group
    world = WORLDS["hits"]
    variances = [share * (1 - share) for share in world.means]
    n_users = users_needed(world.difference, sum(variances) ** 0.5)
    ones = rng.binomial(n_users, world.means, (20_000, 2)) / n_users  # (n_worlds, 2)
    error = np.sqrt((ones * (1 - ones)).sum(axis=1) / (n_users - 1))
    found = (np.abs(ones[:, 0] - ones[:, 1]) > 1.96 * error).mean()
    assert found == pytest.approx(0.8, abs=0.02)


def splits_of_new_data(n_worlds, rng, *, n_rows=200, n_splits=10):
    """Scores on random 80/20 splits, each world with data of its own; the truth is known.

    The model predicts the training mean of Gaussian ratings with variance 1, so its expected
    squared error on new rows is 1 + 1 / n_train.
    """
    n_train = int(0.8 * n_rows)
    for _ in range(n_worlds):
        ratings = rng.normal(size=n_rows)
        mixed = rng.permuted(np.tile(ratings, (n_splits, 1)), axis=1)  # (n_splits, n_rows)
        train, test = mixed[:, :n_train], mixed[:, n_train:]
        yield ((test - train.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)


@pytest.mark.parametrize("n_worlds", [200, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("n_splits", "plain_at_most"), [(10, 0.85), (40, 0.6)])
def test_overlapping_splits_need_the_wider_interval(n_splits, plain_at_most, n_worlds, rng):
    truth = 1 + 1 / 160
    covered = {"plain": 0, "corrected": 0}
    for scores in splits_of_new_data(n_worlds, rng, n_splits=n_splits):
        intervals = {
            "plain": seed_interval(scores),
            "corrected": split_interval(scores, n_train=160, n_test=40),
        }
        for name, (low, high) in intervals.items():
            covered[name] += low <= truth <= high
    share = {name: count / n_worlds for name, count in covered.items()}
    print(f"{n_splits} splits: {share}")
    assert share["plain"] < plain_at_most
    assert 0.92 <= share["corrected"] <= 0.985


def test_detectable_difference_and_users_are_two_sides_of_one_plan():
    world = WORLDS["ndcg with zeros"]
    n_users = users_needed(world.difference, world.spread)
    just = minimum_detectable_difference(world.spread, n_users)
    one_less = minimum_detectable_difference(world.spread, n_users - 1)
    assert just <= world.difference < one_less
