"""How settings and shares are chosen for the figures; no figure is asserted here."""

import numpy as np
import pandas as pd
import pytest

from nbhelpers.data.interactions import Interactions
from tests.benchmarks import quality
from tests.benchmarks.quality import Kind, Task, best_shares, choose, figures, inner_splits


@pytest.fixture
def task(rng):
    """Users like items of their parity; the training rows have weights, a fifth is test."""
    same = np.add.outer(np.arange(40), np.arange(30)) % 2 == 0
    liked = np.nonzero(rng.random((40, 30)) < np.where(same, 0.8, 0.05))
    is_test = rng.random(len(liked[0])) < 0.2
    sizes = {"n_users": 40, "n_items": 30}
    weights = rng.integers(1, 6, size=int((~is_test).sum()))
    train = Interactions(*(side[~is_test] for side in liked), **sizes, weights=weights)
    test = Interactions(*(side[is_test] for side in liked), **sizes)
    return Task(train, test, valid_frac=0.25, n_inner_splits=2, metric="map")


def test_inner_splits_share_out_the_training_rows_with_their_weights(task):
    splits = list(inner_splits(task))
    assert len(splits) == 2
    for inner, valid in splits:
        together = inner | valid
        assert together.indices.tolist() == task.train.indices.tolist()
        assert together.weights.tolist() == task.train.weights.tolist()
    assert splits[0][0].indices.tolist() != splits[1][0].indices.tolist()


def test_shares_are_best_by_the_mean_over_splits():
    grid = {"IALS": [1.0, 0.5, 0.5], "EASE": [0.0, 0.5, 0.0], "softmax": [0.0, 0.0, 0.5]}
    trials = [pd.DataFrame(grid).assign(value=value) for value in ([1, 2, 9], [6, 3, 4])]
    assert best_shares(trials) == {
        "EASE + IALS": {"IALS": 1.0, "EASE": 0.0, "softmax": 0.0},
        "sum of all": {"IALS": 0.5, "EASE": 0.0, "softmax": 0.5},
    }


def test_the_best_settings_are_chosen_and_every_model_and_sum_is_tested(task, monkeypatch):
    kinds = {
        "IALS": Kind(quality.ials, [{"unobserved_weight": 1.0, "reg": reg} for reg in (1e6, 0.1)]),
        "EASE": Kind(quality.ease, [{"reg": 100.0}]),
        "softmax": Kind(quality.ease, [{"reg": 1e9}]),  # as good as popularity, but fast
    }
    monkeypatch.setattr(quality, "KINDS", kinds)
    choice = choose(task)
    assert choice.settings["IALS"] == {"unobserved_weight": 1.0, "reg": 0.1}
    assert sum(choice.shares["sum of all"].values()) == pytest.approx(1)
    found = figures(task, choice, seed=0)
    assert found.index.tolist() == ["IALS", "EASE", "softmax", "EASE + IALS", "sum of all"]
    assert found.columns.tolist() == list(quality.METRICS)
    assert found.notna().all(axis=None)
