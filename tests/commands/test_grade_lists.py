import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from nbhelpers.commands.foreign_lists import read_lists
from nbhelpers.commands.grade_lists import THEIRS, evaluate, write_training
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.item_item import EASE
from nbhelpers.serving.recommend import recommend

POPULARITY = {"baselines": ["popularity"], "quiet": True}


@pytest.fixture(scope="module")
def known(ratings, tmp_path_factory):
    path = write_training(ratings, tmp_path_factory.mktemp("known") / "known.csv")
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def ease_lists(known):
    """What another library would make of the rows given out: lists of EASE."""
    users, items = Vocabulary(known["user_id"]), Vocabulary(known["item_id"])
    seen, likes = (
        Interactions.from_frame(rows, users=users, items=items)
        for rows in (known, known[known["is_positive"]])
    )
    return recommend(EASE(reg=250.0).fit(likes), users.ids, seen=seen, unserved="popular")


def test_training_rows_are_those_before_the_test(ratings, known):
    merged = known.drop(columns=["timestamp", "rating"]).merge(ratings, on=["user_id", "item_id"])
    assert len(merged) == len(known)
    assert (merged["is_positive"] == (merged["rating"] >= 4)).all()
    held_out = ratings.merge(known[["user_id", "item_id"]], how="left", indicator=True)
    held_out = held_out[held_out["_merge"] == "left_only"]
    before = merged.groupby("user_id")["timestamp"].max()
    after = held_out.groupby("user_id")["timestamp"].min()
    assert len(after) > 70
    assert (before[after.index] <= after).all(), "what is held out came last"


def test_our_own_model_made_elsewhere_scores_the_same(ratings, ease_lists):
    lists = ease_lists[["user_id", "item_id", "score"]]
    graded = evaluate(ratings, lists, baselines=["EASE"], n_trials=1, quiet=True)
    table = graded.table
    for metric in ("ndcg", "map", "hit_rate"):
        assert table.loc[THEIRS, metric] == pytest.approx(table.loc["EASE", metric])
    assert graded.notes == []
    assert graded.health.is_sound


def test_rank_and_score_say_the_same(ratings, ease_lists):
    by_rank = evaluate(ratings, ease_lists[["user_id", "item_id", "rank"]], **POPULARITY)
    shuffled = ease_lists.sample(frac=1, random_state=0)
    by_score = evaluate(ratings, shuffled[["user_id", "item_id", "rank"]], **POPULARITY)
    assert by_rank.table.loc[THEIRS, "ndcg"] == by_score.table.loc[THEIRS, "ndcg"]


def test_the_best_list_there_is_reaches_one(ratings, known):
    test = ratings.merge(known[["user_id", "item_id"]], how="left", indicator=True)
    test = test[(test["_merge"] == "left_only") & (test["rating"] >= 4)]
    graded = evaluate(ratings, test[["user_id", "item_id"]], **POPULARITY)
    assert graded.table.loc[THEIRS, "ndcg"] == 1
    assert "no score and no rank: the order of the rows was taken" in graded.notes


def test_users_without_a_list_find_nothing_and_are_counted(ratings, ease_lists):
    few = ease_lists[ease_lists["user_id"] <= 10]
    graded = evaluate(ratings, few, **POPULARITY)
    n_test = graded.split["n_test_users"]
    assert graded.notes == [
        f"{n_test - 10} of {n_test} users of the test have no list: they find nothing"
    ]
    assert graded.table.loc[THEIRS, "hit_rate"] <= 10 / n_test


def lists_of(rows, header=("user", "item", "score"), **arguments):
    users, items = Vocabulary(["a", "b"]), Vocabulary([1, 2, 3, 4])
    seen = Interactions([0], [0], users=users, items=items)
    return read_lists(pd.DataFrame(rows, columns=list(header)), seen=seen, k=2, **arguments)


def test_what_is_wrong_with_lists_is_taken_out_and_counted():
    rows = [("a", 1, 9), ("a", 2, 8), ("a", 2, 7), ("a", 3, 6), ("a", 4, 5), ("z", 1, 1)]
    lists = lists_of(rows)
    assert lists.lists.tolist() == [[1, 2], [-1, -1]]
    assert lists.notes == [
        "1 of 6 rows have a user or an item that is not in the log: taken out",
        "1 of 6 rows list an item again for the same user: taken out",
        "1 of 6 rows listed an item that the user already has: taken out",
    ]


def test_columns_can_be_named():
    named = {"user": "who", "item": "what"}
    lists = lists_of([("b", 3, 1)], ["who", "what", "place"], columns=named)
    assert lists.lists.tolist() == [[-1, -1], [2, -1]]
    with pytest.raises(ValueError, match="a column of the user is required"):
        lists_of([("b", 3, 1)], ["who", "what", "place"])
    with pytest.raises(ValueError, match="columns are named by user"):
        lists_of([("b", 3, 1)], columns={"film": "item"})


@pytest.mark.parametrize("score", ["high", np.nan, np.inf])
def test_scores_must_be_finite_numbers(score):
    with pytest.raises(ValueError, match="the score must be a finite number"):
        lists_of([("a", 2, score)])


def test_ids_of_another_type_are_refused_by_name():
    with pytest.raises(ValueError, match="whole numbers as item ids"):
        lists_of([("a", "two", 1)])
    with pytest.raises(ValueError, match="no listed item is left"):
        lists_of([("zoe", 2, 1)])


def test_csv_keeps_text_ids_as_they_are(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text("user,item,rank\n007,NA,1\n7,x,1\n")
    users, items = Vocabulary(["007", "7"]), Vocabulary(["NA", "x"])
    seen = Interactions(np.zeros(0, int), np.zeros(0, int), users=users, items=items)
    assert read_lists(path, seen=seen, k=1).lists.tolist() == [[0], [1]]


def test_training_rows_are_csv_or_parquet(ratings, tmp_path):
    path = write_training(ratings, tmp_path / "known.parquet")
    assert list(pd.read_parquet(path)) == [
        *("user_id", "item_id", "timestamp", "is_positive", "rating")
    ]
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        write_training(ratings, tmp_path / "known.xlsx")


def test_rows_given_out_have_ratings_weights_and_events(tmp_path):
    rows = [(user, item) for user in range(30) for item in range(8)]
    log = pd.DataFrame(rows, columns=["user_id", "item_id"])
    log = log.assign(
        timestamp=range(1, 241), rating=(log["item_id"] % 5 + 1).astype(float), event="seen"
    )
    log["plays"] = range(10, 250)
    read = read_ratings(log, weight="plays", event="event", time="timestamp")
    known = pd.read_csv(write_training(read, tmp_path / "known.csv"))
    both = known.merge(log, on=["user_id", "item_id"], suffixes=("", "_given"))
    assert len(both) == len(known) > 0
    assert (both["rating"] == both["rating_given"]).all()
    assert (both["weight"] == both["plays"]).all()
    assert (both["event"] == "seen").all()


def test_lists_that_are_not_there_are_named(ratings, tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        evaluate(ratings, tmp_path / "none.csv", quiet=True)


def test_lists_are_graded_without_a_warning_of_a_library(own_file, tmp_path):
    lists = pd.DataFrame({"user": [7] * 40, "item": range(1, 41)})
    lists.to_csv(tmp_path / "lists.csv", index=False)
    command = [sys.executable, "-m", "nbhelpers", "evaluate", own_file, "--lists"]
    options = ["--trials", "1", "-q"]
    done = subprocess.run(
        [*command, tmp_path / "lists.csv", *options], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
