import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.commands.compare_models import compare, write_comparison
from nbhelpers.commands.comparison import honest_choice
from nbhelpers.commands.list_health import list_health
from nbhelpers.commands.model_race import some_users
from nbhelpers.commands.split_choice import TooSmallError
from nbhelpers.data.interactions import Interactions

FEW = {"models": ["popularity", "ItemKNN", "EASE"], "n_trials": 2, "quiet": True}


@pytest.fixture(scope="module")
def found(ratings):
    return compare(ratings, **FEW)


def test_table_holds_every_model_with_equal_budgets(found):
    assert set(found.table.index) == {"popularity", "ItemKNN", "EASE"}
    assert found.table["n_trials"].to_dict() == {"popularity": 1, "ItemKNN": 2, "EASE": 2}
    assert found.table["ndcg"].is_monotonic_decreasing
    assert (found.table["low"] <= found.table["ndcg"]).all()
    assert (found.table["ndcg"] <= found.table["high"]).all()
    assert (found.table["seconds"] > 0).all()
    best = found.table.iloc[0]
    assert (best["behind"], best["p_corrected"]) == (0, 1)
    gaps = best["ndcg"] - found.table["ndcg"]
    assert np.allclose(found.table["behind"], gaps)


def test_same_seed_same_table_and_another_seed_another(ratings, found):
    again = compare(ratings, **FEW).table.drop(columns="seconds")
    assert again.equals(found.table.drop(columns="seconds"))
    other = compare(ratings, **FEW, split="random", seed=1).table
    assert not other["ndcg"].equals(found.table["ndcg"])


def test_text_says_split_rule_table_health_and_choice(found):
    text = str(found)
    for part in ("split: ", "it cannot see: ", "positives: ", "NDCG@10", "0 items already had"):
        assert part in text
    assert f"the honest choice: {found.choice}, since" in text
    n_users = found.split["n_test_users"]
    assert f"only {n_users} users could be tested: most differences stay undecided" in text


def test_comparison_is_written_as_json_and_csv(found, tmp_path):
    write_comparison(found, tmp_path / "out")
    stored = json.loads((tmp_path / "out/comparison.json").read_text())
    assert stored["choice"] == found.choice
    assert stored["settings"]["EASE"] == found.settings["EASE"]
    table = pd.read_csv(tmp_path / "out/comparison.csv", index_col="model")
    assert np.allclose(table["ndcg"], found.table["ndcg"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.json",
        "comparison.csv",
    }


def test_what_would_not_fit_is_left_out_by_name(ratings):
    found = compare(ratings, models=["popularity", "EASE"], memory_gb=4e-5, quiet=True)
    assert list(found.table.index) == ["popularity"]
    assert "of memory" in found.left_out["EASE"]
    assert "left out: EASE, which needs about" in str(found)
    with pytest.raises(ValueError, match="no model fits into the limits: EASE needs about"):
        compare(ratings, models=["EASE"], memory_gb=1e-6, quiet=True)


def test_models_that_are_named_take_the_time_they_need(ratings, monkeypatch):
    def an_hour_each(contenders, *_, **__):
        cost = {"seconds": 3600.0, "megabytes": 1.0}
        return pd.DataFrame({each.name: cost for each in contenders}).T

    monkeypatch.setattr("nbhelpers.commands.compare_models.forecast_costs", an_hour_each)
    assert len(compare(ratings, **FEW).table) == 3
    with pytest.raises(ValueError, match="needs about 60 minutes, and 10 are allowed"):
        compare(ratings, quiet=True)
    with pytest.raises(ValueError, match="and 59 are allowed"):
        compare(ratings, **FEW, minutes=59)


def test_a_model_that_cannot_be_fitted_does_not_stop_the_others(ratings, monkeypatch):
    def diverge(self, interactions):
        raise FloatingPointError("the loss is not finite")

    compared = {"models": ["popularity", "IALS"], "quiet": True, "n_trials": 1}
    monkeypatch.setattr("nbhelpers.commands.compare_models.forecast_costs", costs_of)
    monkeypatch.setattr("nbhelpers.models.als.IALS.fit", diverge)
    found = compare(ratings, **compared)
    assert found.left_out == {"IALS": "could not be fitted: the loss is not finite"}


def costs_of(contenders, positives, **settings):
    names = pd.Index([each.name for each in contenders], name="model")
    return pd.DataFrame({"seconds": 0.1, "megabytes": 1.0}, index=names)


def test_costs_are_said_before_and_quiet_says_nothing(ratings, capsys):
    compare(ratings, models=["popularity"], quiet=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.index("cost, timed on a sample") < said.err.index("on validation")
    compare(ratings, models=["popularity"], quiet=True)
    assert capsys.readouterr() == ("", "")


def table_of(**rows):
    frame = pd.DataFrame(rows, index=["behind", "p_corrected"]).T
    return frame.rename(index=lambda name: name.replace("_", " "))


def test_the_simplest_that_is_not_decidedly_worse_is_chosen():
    table = table_of(sequence_tower=(0, 1), IALS=(0.01, 0.3), EASE=(0.02, 0.04), ItemKNN=(0.1, 0))
    choice, reason = honest_choice(table)
    assert choice == "IALS"
    assert "not decided (0.0100 behind, corrected p 0.3)" in reason


def test_the_best_is_chosen_if_all_others_are_worse_or_less_simple():
    assert honest_choice(table_of(EASE=(0, 1), popularity=(0.1, 0.001)))[1].endswith("worse")
    choice, reason = honest_choice(table_of(EASE=(0, 1), IALS=(0.1, 0.7)))
    assert choice == "EASE"
    assert "simpler than IALS" in reason


def test_health_counts_what_a_reader_would_complain_about():
    seen = Interactions([0, 1, 1], [0, 1, 2], n_users=3, n_items=4)
    lists = torch.tensor([[1, 1], [2, 0], [3, -1]])
    health = list_health(lists, torch.tensor([0, 1, 2]), seen=seen, k=2)
    assert (health.n_repeats, health.n_already_had) == (1, 1)
    assert health.filled == pytest.approx(2 / 3)
    assert health.users_covered == pytest.approx(2 / 3)
    assert not health.is_sound


def test_a_short_list_is_full_where_nothing_is_left():
    seen = Interactions([0, 0], [0, 1], n_users=1, n_items=3)
    assert list_health(torch.tensor([[2, -1]]), torch.tensor([0]), seen=seen, k=2).filled == 1


def test_some_users_keep_all_their_positives():
    rows = Interactions([0, 0, 1, 2, 2], [0, 1, 0, 1, 2])
    drawn = some_users(rows, most=2, seed=0)
    kept = drawn.user_counts > 0
    assert kept.sum() == 2
    assert (drawn.user_counts[kept] == rows.user_counts[kept]).all()


def five_rows():
    return pd.DataFrame({"user_id": [1] * 5, "item_id": range(5), "timestamp": range(1, 6)})


def test_one_user_is_too_few_to_rank_models():
    with pytest.raises(TooSmallError, match="too small to rank models: 1 user could be tested"):
        compare(five_rows(), quiet=True)


def test_users_with_nothing_else_left_rank_no_models():
    rows = pd.DataFrame([(user, item) for user in range(20) for item in range(5)])
    rows = rows.set_axis(["user_id", "item_id"], axis=1).assign(timestamp=range(1, 101))
    with pytest.raises(TooSmallError, match="100% of the users of the test have nothing left"):
        compare(rows, split="last", quiet=True)


def test_a_catalog_shorter_than_a_list_is_said(ratings):
    found = compare(ratings, models=["popularity", "EASE"], k=40, n_trials=1, quiet=True)
    assert "hold 40 items or, where fewer are left (100.0%), all of these" in str(found)
    assert any("100% of the users have fewer than 40 items left" in note for note in found.notes)
    assert found.to_dict()["notes"] == found.notes


@pytest.mark.parametrize(
    ("p_values", "said"),
    [([1.0, 0.001, 0.002], "the intervals are wide"), ([1.0, 0.5, 0.4], "most differences stay")],
)
def test_differences_stay_undecided_only_where_they_do(ratings, p_values, said):
    found = compare(ratings, models=["popularity"], n_trials=1, quiet=True)
    table = pd.concat([found.table] * 3).assign(p_corrected=p_values)
    assert said in replace(found, table=table).notes[0]
