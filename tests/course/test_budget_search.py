import json
from types import SimpleNamespace

import optuna
import pandas as pd
import pytest

from nbhelpers.course import budget_search
from nbhelpers.course.budget_search import (
    RECIPES,
    Recipe,
    chosen_at,
    n_finished,
    open_study,
    people_table,
    run_trial,
    search,
    without_stars,
)
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import stratified_split

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="module")
def split():
    made = make_ratings(n_users=40, n_items=30, n_ratings=800, rng=0)
    parts = stratified_split(made.ratings, valid_frac=0.2, test_frac=0.2, rng=0)
    return positive_split(parts, items=made.items)


def test_a_stopped_search_ends_with_the_trials_of_a_run_without_a_stop(split, tmp_path):
    whole = search(split, tmp_path / "whole.journal", n_trials=3)
    search(split, tmp_path / "stopped.journal", n_trials=1)
    search(split, tmp_path / "stopped.journal", n_trials=2)
    again = search(split, tmp_path / "stopped.journal", n_trials=3)
    assert whole.drop(columns="seconds").equals(again.drop(columns="seconds"))
    assert whole.groupby("model", sort=False)["trial"].apply(list).tolist() == [[1, 2, 3]] * 4


def test_an_interrupted_trial_is_drawn_again(split, tmp_path, monkeypatch):
    def interrupted(likes, settings, *, seed):
        raise KeyboardInterrupt

    study = open_study("EASE", tmp_path / "search.journal")
    recipe = RECIPES["EASE"]
    monkeypatch.setitem(RECIPES, "EASE", Recipe(recipe.draw, interrupted))
    with pytest.raises(KeyboardInterrupt):
        run_trial(study, split)
    monkeypatch.setitem(RECIPES, "EASE", recipe)
    assert n_finished(study) == 0
    run_trial(study, split)
    first, second = study.trials
    assert first.params == second.params
    assert second.user_attrs["number"] == 0


def test_a_diverged_trial_counts_as_the_worst(split, tmp_path, monkeypatch):
    def diverges(likes, settings, *, seed):
        raise FloatingPointError("the loss is not finite")

    monkeypatch.setitem(RECIPES, "EASE", Recipe(RECIPES["EASE"].draw, diverges))
    study = open_study("EASE", tmp_path / "search.journal")
    run_trial(study, split)
    assert study.trials[0].value == 0


def test_models_do_not_share_their_draws(split, tmp_path):
    trials = search(split, tmp_path / "search.journal", n_trials=1).set_index("model")
    settings = trials["settings"].map(json.loads)
    assert settings["dot product"]["lr"] != settings["NeuMF"]["lr"]


def test_a_budget_chooses_among_the_first_trials():
    trials = pd.DataFrame(
        {
            "model": ["A", "A", "A", "B", "B", "B"],
            "trial": [1, 2, 3, 1, 2, 3],
            "valid": [0.2, 0.3, 0.1, 0.1, 0.05, 0.4],
        }
    )
    assert chosen_at(trials, 1)["trial"].tolist() == [1, 1]
    assert chosen_at(trials, 2)["trial"].tolist() == [2, 1]
    assert chosen_at(trials, 3)["trial"].tolist() == [2, 3]


def test_people_get_the_mean_over_seeds_of_what_was_chosen(split, monkeypatch):
    seeds = []

    class Counts:
        def __init__(self, likes, seed):
            self.counts = likes.item_counts * (seed + 1)

        def score_users(self, user_idx):
            import torch

            return torch.tensor(self.counts).float().expand(len(user_idx), -1)

    def fit_counts(likes, settings, *, seed):
        seeds.append((settings["n"], seed, len(likes)))
        return Counts(likes, seed)

    monkeypatch.setattr(budget_search, "RECIPES", {"A": Recipe(dict, fit_counts)})
    monkeypatch.setattr(budget_search, "BUDGETS", (1, 2))
    monkeypatch.setattr(budget_search, "TEST_SEEDS", (0, 1))
    trials = pd.DataFrame({"model": "A", "trial": [1, 2], "valid": [0.2, 0.1]})
    trials["settings"] = [json.dumps({"n": 1}), json.dumps({"n": 2})]
    table = people_table(split, trials)
    n_known = len(split.known)
    assert seeds == [(1, 0, n_known), (1, 1, n_known)]  # once, though chosen twice
    assert table.columns.tolist() == ["user_idx", "A, 1", "A, 2"]
    assert len(table) == (split.test.user_counts > 0).sum()


def test_likes_lose_their_stars_and_nothing_else(split):
    plain = without_stars(split.train)
    assert plain.weights is None
    assert len(plain) == len(split.train)


def test_main_writes_both_tables(split, tmp_path, monkeypatch):
    monkeypatch.setattr(budget_search, "likes_split", lambda: split)
    quick = {name: RECIPES[name] for name in ("EASE", "iALS")}
    monkeypatch.setattr(budget_search, "RECIPES", quick)
    monkeypatch.setattr(
        budget_search,
        "torch",
        SimpleNamespace(
            set_num_threads=lambda n: None,
            Generator=budget_search.torch.Generator,
        ),
    )
    journal = tmp_path / "search.journal"
    assert budget_search.main([str(tmp_path), str(journal), "--trials", "2"]) == 0
    names = {path.name for path in tmp_path.glob("*.csv")}
    assert names == {"08_seeds_and_budgets_trials.csv", "08_seeds_and_budgets_people.csv"}
