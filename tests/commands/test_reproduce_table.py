from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.commands.comparison import against_the_best
from nbhelpers.commands.model_race import best_trial
from nbhelpers.commands.one_protocol import protocols, reproduce
from nbhelpers.commands.one_protocol.protocols import (
    PROTOCOLS,
    RatingCase,
    by_date,
    course_data,
    load_course_data,
)
from nbhelpers.commands.one_protocol.ranking_recipes import RANKING
from nbhelpers.commands.one_protocol.rating_recipes import RATINGS
from nbhelpers.commands.one_protocol.recipe import Recipe, Stars
from nbhelpers.commands.one_protocol.reproduce import n_numbers, reproduce_table
from nbhelpers.commands.one_protocol.table_text import (
    ABOUT,
    COLUMNS,
    KEY,
    LEFT_OUT,
    NAME,
    protocol_markdown,
    read_protocol_table,
)
from nbhelpers.commands.reading_options import as_one_line
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.models.baselines import BiasOnly, GlobalMean, Popularity
from nbhelpers.models.item_item import EASE

STORED = Path(__file__).parents[2] / "notebooks" / NAME
BY_NAME = {protocol.name: protocol for protocol in PROTOCOLS}
FEW = {"models": ["popularity", "IALS"], "n_trials": 2, "quiet": True}


@pytest.fixture(scope="module")
def data():
    small = make_ratings(80, 40, 1500, rng=0)
    return course_data(small.ratings, small.items)


def without_clock(found):
    return found.table.drop(columns="fit_seconds")


# What is split, and how


@pytest.mark.parametrize("name", list(BY_NAME))
def test_rows_that_choose_come_before_or_beside_rows_that_judge(data, name):
    choosing, judging = BY_NAME[name].split(data.ratings)
    chosen_by = pd.concat([after for _, (_, after) in choosing])
    for _, (before, after) in judging:
        assert not set(chosen_by.index) & set(after.index)
        assert not set(before.index) & set(after.index)


def test_at_a_date_everything_before_is_known_and_nothing_after(data):
    _, judging = by_date(data.ratings)
    assert len(judging) == 5
    for share, (_, (before, after)) in zip((0.5, 0.6, 0.7, 0.8, 0.9), judging, strict=True):
        assert before["timestamp"].max() < after["timestamp"].min()
        assert abs(len(before) / len(data.ratings) - share) < 0.01
        assert abs(len(after) / len(data.ratings) - 0.1) < 0.01


def test_lists_mask_what_was_rated_and_look_for_likes_of_people_with_a_like():
    log = pd.DataFrame(
        [
            *[(1, 1, 5.0), (1, 2, 2.0), (2, 3, 1.0)],  # before
            *[(1, 3, 4.0), (1, 4, 3.0), (2, 1, 5.0), (3, 1, 5.0)],  # after
        ],
        columns=["user_id", "item_id", "rating"],
    ).assign(timestamp=range(7))
    items = pd.DataFrame({"item_id": [1, 2, 3, 4], "year": 1990, "genre_Drama": 1})
    data = course_data(log, items)
    case = protocols._ranking_case(data, "x", data.ratings[:3], data.ratings[3:])
    assert [part.tolist() for part in case.known.positives.pairs()] == [[0], [0]]
    assert [part.tolist() for part in case.seen.pairs()] == [[0, 0, 1], [0, 1, 2]]
    # Person 2 liked nothing before, person 3 was not there.
    assert [part.tolist() for part in case.held_out.pairs()] == [[0], [2]]


def test_squared_errors_of_a_case_by_a_plain_loop():
    rows = (torch.tensor([0]), torch.tensor([0]), torch.tensor([3.0]))
    held_out = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]), torch.tensor([4.0, 1.0, 5.0])
    case = RatingCase("x", Stars(rows, 2, 2), held_out)
    found = case.judge(GlobalMean(2, 2).fit(*rows))
    assert found["users"] == [0, 1]
    assert found["weights"] == [2, 1]
    assert found["values"]["squared_error"] == [1.0 + 4.0, 4.0]
    assert found["values"]["squared_error_known"] == [5.0, 0.0]  # person 1 has no training row
    assert found["values"]["n_known"] == [2, 0]


# What is counted


def fit_of(users, ndcg, coverage=0.5):
    metrics = dict.fromkeys(("ndcg", "hit_rate", "map"), ndcg)
    judged = {"users": users, "weights": [1] * len(users), "values": metrics}
    return {**judged, "coverage": coverage, "fit_seconds": 1.0, "n_parameters": 3}


def test_a_person_of_two_dates_counts_once():
    results = [("50 %", fit_of([0, 1], [1.0, 0.0])), ("60 %", fit_of([1], [0.5]))]
    per_user, shown = reproduce._merged(results, BY_NAME["time"])
    assert per_user.to_dict() == {0: 1.0, 1: 0.25}
    assert np.isnan(shown["seed_low"])  # dates are no seeds


def test_seeds_are_averaged_and_their_extremes_shown():
    results = [("last", fit_of([0, 1], [1.0, 0.0])), ("last", fit_of([0, 1], [0.5, 1.0]))]
    per_user, shown = reproduce._merged(results, BY_NAME["last"])
    assert per_user.to_dict() == {0: 0.75, 1: 0.5}
    assert (shown["seed_low"], shown["seed_high"]) == (0.5, 0.75)


def test_an_error_is_the_mean_over_rows_whoever_gave_them():
    values = {"squared_error": [9.0, 1.0], "squared_error_known": [9.0, 0.0], "n_known": [3, 0]}
    found = {"users": [0, 1], "weights": [3, 1], "values": values, "coverage": None}
    found |= {"fit_seconds": 1.0, "n_parameters": 3}
    per_user, shown = reproduce._merged([("test", found)], BY_NAME["ratings-random"])
    assert per_user.mean() == pytest.approx(10 / 4)
    assert shown["mse_known"] == 3.0
    assert shown["share_known"] == 0.75


def test_the_smallest_error_is_the_best():
    table = against_the_best(
        pd.DataFrame({"A": [1.0, 3.0] * 10, "B": [1.0, 2.0] * 10}), smaller_is_better=True
    )
    assert table.index.tolist() == ["B", "A"]
    assert table["behind"].tolist() == [0.0, 0.5]
    assert table["p_corrected"].tolist()[0] == 1.0


def test_of_equal_trials_the_first_is_taken():
    trials = [{"wd": 1}, {"wd": 2}, {"wd": 3}]
    assert best_trial(trials, lambda each: min(each["wd"], 2)) == (2, {"wd": 2}, 3)
    found = best_trial(trials, lambda each: each["wd"], smaller_is_better=True)
    assert found == (1, {"wd": 1}, 3)
    with pytest.raises(ValueError, match="at least one trial"):
        best_trial([], len)


def test_parameters_are_what_was_learned_without_the_data(data):
    known = BY_NAME["last"].cases(data)[0][0].known.positives
    stars = BY_NAME["ratings-random"].cases(data)[0][0].known
    assert n_numbers(Popularity().fit(known)) == 40
    assert n_numbers(EASE(10.0).fit(known)) == 40**2
    assert n_numbers(BiasOnly(80, 40).fit(*stars.rows)) == 1 + 80 + 40


# What is run


def test_settings_are_chosen_on_validation_rows_and_the_test_is_opened_once(data, monkeypatch):
    fitted = []

    class Marked(Popularity):
        pass

    def fit(known, settings):
        fitted.append((len(known.positives), settings["share"], torch.initial_seed()))
        popularity = Marked().fit(known.positives)
        if settings["share"] == 1:  # a poor setting: the least popular first
            popularity.item_counts = -popularity.item_counts
        return popularity

    trials = ({"share": 1}, {"share": 2}, {"share": 3})
    protocol = replace(BY_NAME["last"], recipes=(Recipe("marked", "00", fit, trials, 0.1),))
    monkeypatch.setattr(reproduce, "PROTOCOLS", (protocol,))
    found = reproduce_table(data=data, n_trials=2, quiet=True)
    choosing, judging = (cases[0] for cases in protocol.cases(data))
    n_train, n_known = len(choosing.known.positives), len(judging.known.positives)
    assert fitted[:2] == [(n_train, 1, 0), (n_train, 2, 0)]
    assert fitted[2:] == [(n_known, 2, seed) for seed in range(5)]
    row = found.table.iloc[0]
    assert (row["trials"], row["fits"], row["settings"]) == (2, 5, '{"share": 2}')


def test_a_killed_run_goes_on_to_the_same_table(data, tmp_path, monkeypatch):
    whole = reproduce_table(tmp_path / "whole", data=data, protocols=["last", "time"], **FEW)
    run, left = reproduce.Fit.run, iter(range(7))

    def run_until_killed(fit):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return run(fit)

    monkeypatch.setattr(reproduce.Fit, "run", run_until_killed)
    with pytest.raises(KeyboardInterrupt):
        reproduce_table(tmp_path / "cut", data=data, protocols=["last", "time"], **FEW)
    assert not (tmp_path / "cut" / NAME).exists()
    monkeypatch.setattr(reproduce.Fit, "run", run)
    again = reproduce_table(tmp_path / "cut", data=data, protocols=["last", "time"], **FEW)
    assert again.n_stored == 7
    assert again.n_stored + again.n_fitted == whole.n_fitted
    pd.testing.assert_frame_equal(without_clock(again), without_clock(whole))

    third = reproduce_table(tmp_path / "cut", data=data, protocols=["last", "time"], **FEW)
    assert third.n_fitted == 0
    pd.testing.assert_frame_equal(third.table, again.table)


def test_a_spoiled_result_and_another_data_set_are_not_believed(data, tmp_path):
    first = reproduce_table(tmp_path, data=data, protocols=["last"], **FEW)
    path = sorted((tmp_path / "fits").iterdir())[0]
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 9'))
    again = reproduce_table(tmp_path, data=data, protocols=["last"], **FEW)
    assert again.n_fitted == 1
    assert again.refused == [path.name]
    pd.testing.assert_frame_equal(without_clock(again), without_clock(first))

    other = make_ratings(80, 40, 1500, rng=1)
    other_data = course_data(other.ratings, other.items)
    assert reproduce_table(tmp_path, data=other_data, protocols=["last"], **FEW).n_stored == 0


def test_files_and_text_hold_the_same_rows(data, tmp_path):
    found = reproduce_table(
        tmp_path,
        data=data,
        protocols=["last", "ratings-random"],
        models=["popularity", "EASE", "bias baseline"],
        quiet=True,
    )
    stored = read_protocol_table(tmp_path / NAME)
    assert set(stored.columns) == set(COLUMNS)
    pd.testing.assert_frame_equal(stored, found.table, check_dtype=False)
    text = (tmp_path / NAME).with_suffix(".md").read_text()
    assert text == f"{found}\n"
    for row in found.table.itertuples():
        assert f"| {row.model} | {row.taught_in} | {row.value:.3f} |" in text
    assert '"mse_known": null' in as_one_line(found.to_dict())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fits", NAME, "protocol_table.md"]


def test_a_model_that_fails_is_named(data, monkeypatch):
    def fit(known, settings):
        raise ValueError("no such thing")

    recipes = (RANKING[0], Recipe("broken", "00", fit, ({},), 0.1))
    monkeypatch.setattr(reproduce, "PROTOCOLS", (replace(BY_NAME["last"], recipes=recipes),))
    found = reproduce_table(data=data, quiet=True)
    assert found.table["model"].tolist() == ["popularity"]
    assert found.left_out["broken (last)"] == "could not be fitted: no such thing"
    assert "- broken (last): could not be fitted" in str(found)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"protocols": ["tomorrow"]}, "no protocol is called 'tomorrow': choose among time, last"),
        ({"models": ["Magic"]}, "no model is called 'Magic': choose among"),
        ({"models": ["LightGCN"]}, "LightGCN is left out: the course has no model on a graph"),
        ({"n_trials": 0}, "n_trials must be at least 1"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_fitted(data, asked, message):
    with pytest.raises(ValueError, match=message):
        reproduce_table(data=data, quiet=True, **asked)


def test_a_data_set_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-99")
    with pytest.raises(ValueError, match="CF_DATASET is 'ml-99'"):
        reproduce_table(quiet=True)


# On so small a log, these make the same lists from any start.
LEVEL_HERE = ("last items", "ALS, as published")


@pytest.mark.parametrize("recipe", [*RANKING, *RATINGS], ids=lambda each: each.name)
def test_the_seed_decides_a_recipe_and_what_is_random_says_so(data, recipe):
    protocol = BY_NAME["last" if recipe in RANKING else "ratings-random"]
    case = protocol.cases(data)[0][0]
    settings = recipe.trials[0]
    first, again, other = (
        case.judge(recipe.fitted(case.known, settings, seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again
    if recipe.is_random and recipe.name not in LEVEL_HERE:
        assert first["values"] != other["values"]
    elif not recipe.is_random:
        assert first["values"] == other["values"]


# What is stored


def test_every_model_of_the_course_is_in_the_stored_table():
    table = read_protocol_table(STORED)
    for protocol in PROTOCOLS:
        rows = table[table["protocol"] == protocol.name]
        names = {recipe.name for recipe in protocol.recipes}
        assert set(rows["model"]) == names
        assert set(rows["metric"]) == {protocol.metric}
    assert not table.duplicated(list(KEY)).any()
    assert set(table["protocol"]) == set(ABOUT)
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    assert not set(LEFT_OUT) & set(table["model"])
    assert protocol_markdown(table).count("\n| ") == len(table) + 8  # heads and a rule each


@pytest.mark.parametrize("protocol", ["last", "time"])
def test_baselines_made_anew_are_those_of_the_stored_table(protocol):
    stored = read_protocol_table(STORED)
    stored = stored[stored["protocol"] == protocol].set_index("model")
    found = reproduce_table(
        data=load_course_data("ml-100k"),
        protocols=[protocol],
        models=["popularity", "EASE"],
        quiet=True,
    )
    for row in found.table.to_dict("records"):
        same = stored.loc[row["model"]]
        assert row["settings"] == same["settings"]
        for column in ("value", "low", "high", "hit_rate", "map", "coverage"):
            assert row[column] == pytest.approx(same[column], abs=1e-6)
