import pandas as pd

from nbhelpers.commands.inspect_file import inspect


def test_report_split_rule_and_counts_are_there(own_file):
    found = inspect(own_file)
    content = found.to_dict()
    assert {"kind", "n_rows", "n_users", "n_items", "columns", "dropped", "notes"} <= set(content)
    assert (content["n_rows"], content["n_users"], content["n_items"]) == (1500, 80, 40)
    assert content["columns"]["user"] == "user_id"
    assert content["split"]["name"] == "last"
    assert "a rating of 4 or more" in str(found)
    assert "it cannot see" in str(found)


def test_oddities_are_told():
    user = [1] * 2000 + list(range(2, 202)) * 2
    item = list(range(2000)) + [0] * 200 + [1] * 200
    frame = pd.DataFrame({"user_id": user, "item_id": item})
    found = inspect(frame)
    assert any("user 1 alone has 83% of the rows" in each for each in found.oddities)
    assert any("1,998 of 2,000 items (100%) have a single row" in each for each in found.oddities)
    assert any(each.startswith("no times") for each in found.oddities)


def test_a_time_that_was_filled_in_is_told(ratings):
    found = inspect(ratings.assign(timestamp=ratings["timestamp"].where(ratings.index % 2 == 0, 0)))
    assert any("50% of the rows have one and the same time" in each for each in found.oddities)


def test_a_file_too_small_to_split_is_still_looked_at():
    found = inspect(pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}))
    assert found.split is None
    assert any("no rows can be held out" in each for each in found.to_dict()["notes"])


def test_a_split_too_small_to_rank_models_is_told():
    rows = {"user_id": [1] * 5, "item_id": range(5), "timestamp": range(1, 6)}
    found = inspect(pd.DataFrame(rows))
    assert found.split["name"] == "last"
    assert any("too small to rank models: 1 user" in each for each in found.oddities)
