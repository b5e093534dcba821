"""Pairs of rows that were left out are still had, whatever left them out."""

import pandas as pd
import pytest

from nbhelpers.data.ratings_file.read import read_ratings

HEAD = "user_id,item_id,rating,timestamp\n"
EVENTS = "user,item,event,time\n1,5,view,1700000300\n1,5,view,1700000100\n1,6,view,1700000200\n"


def had(log):
    return sorted(map(tuple, log.also_had[["user_id", "item_id"]].to_numpy().tolist()))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("0", {"zeros": "drop"}),
        ("-1", {"missing_values": (-1,)}),
        ("", {"unrated": "drop"}),
        ("n/a", {"on_bad": "skip"}),
        ("no idea", {"on_bad": "skip"}),
        ("77", {"on_bad": "skip", "rating_range": (1, 5)}),
    ],
)
def test_a_row_without_a_rating_is_left_out_and_still_had(tmp_path, cell, said):
    path = tmp_path / "log.csv"
    path.write_text(f"{HEAD}1,5,4,1700000100\n1,6,{cell},1700000200\n2,5,3,1700000300\n")
    log = read_ratings(path, **said)
    assert log.frame["item_id"].tolist() == [5, 5]
    assert had(log) == [(1, 6)]
    assert log.also_had["timestamp"].tolist() == [1700000200]
    assert log.report.to_dict()["n_also_had"] == 1
    assert "1 pair of a user and an item stands only in rows left out" in str(log.report)


def test_events_without_a_weight_are_still_had_from_their_first_row_on(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(f"{EVENTS}1,6,buy,1700000400\n2,7,buy,1700000500\n")
    log = read_ratings(path, event_weights={"buy": 1})
    assert log.frame["item_id"].tolist() == [6, 7]
    assert had(log) == [(1, 5)], "the pair that was bought is among the rows"
    assert log.also_had["timestamp"].tolist() == [1700000100]


def test_a_row_whose_time_cannot_be_read_counts_as_the_oldest(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(f"{HEAD}1,5,4,1700000300\n1,6,4,?\n2,5,3,1700000200\n")
    log = read_ratings(path, on_bad="skip", time_format="s")
    assert log.also_had.to_dict("list") == {
        "user_id": [1],
        "item_id": [6],
        "timestamp": [1700000200],
    }


def test_a_row_without_a_readable_id_is_nobodys(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(f"{HEAD}1,5,4,1700000100\n,6,4,1700000100\n2,,3,1700000200\n2,5,3,1700000200\n")
    log = read_ratings(path, on_bad="skip")
    assert log.also_had.empty
    assert log.report.n_also_had == 0


def test_an_unrated_cell_of_a_matrix_is_no_row():
    matrix = pd.DataFrame(
        {"user": [1, 2], "10": [4.0, 99.0], "11": [99.0, 3.0], "12": [5.0, 2.0], "13": [1.0, 1.0]}
    )
    log = read_ratings(matrix, layout="wide", missing_values=(99,))
    assert len(log.frame) == 6
    assert log.also_had.empty


def test_nothing_is_had_beside_rows_of_which_none_was_left_out():
    log = read_ratings(pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]}))
    assert log.also_had.empty
    assert log.report.n_also_had == 0


def test_rejected_rows_of_another_reading_are_not_overwritten(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(f"{HEAD}1,5,4,1700000100\n1,6,n/a,1700000200\n2,5,3,1700000300\n")
    first = read_ratings(path, on_bad="skip").report.rejected_file
    kept = (tmp_path / "log.rejected.csv").read_text()
    assert read_ratings(path, on_bad="skip").report.rejected_file == first, "the same rows"
    path.write_text(f"{HEAD}1,5,4,1700000100\n1,7,n/a,1700000200\n2,5,3,1700000300\n")
    second = read_ratings(path, on_bad="skip").report.rejected_file
    assert second == str(tmp_path / "log.rejected.2.csv")
    assert (tmp_path / "log.rejected.csv").read_text() == kept
