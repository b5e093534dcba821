import numpy as np
import pandas as pd
import pytest

from nbhelpers.commands.own_log import open_log
from nbhelpers.data.ratings_file.read import read_ratings


def log_of(**columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"user_id": range(1, n + 1), "item_id": [7] * n} | columns)
    return open_log(read_ratings(frame, zeros="keep", missing_values=()))


@pytest.mark.parametrize(
    ("scale", "threshold"),
    [
        ([1, 2, 3, 4, 5], 4),
        ([0.5, 1, 2, 3, 3.5, 4, 4.5, 5], 4),
        (list(range(1, 11)), 8),
        ([0, 1, 0, 1], 1),
        ([5, 5, 5], 5),
    ],
)
def test_threshold_lies_three_quarters_up_the_scale_of_the_file(scale, threshold):
    log = log_of(rating=[float(star) for star in scale])
    assert log.min_rating == threshold
    assert log.rows["is_positive"].tolist() == [star >= threshold for star in scale]


def test_a_threshold_that_is_said_counts():
    frame = pd.DataFrame({"user_id": [1, 2, 3], "item_id": [5, 5, 6], "rating": [2.0, 3.0, 5.0]})
    log = open_log(frame, min_rating=3)
    assert log.rows["is_positive"].tolist() == [False, True, True]
    assert "a rating of 3 or more is a positive (2 of 3 rows)" in log.rule


def test_rows_without_ratings_are_all_positives():
    log = open_log(pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}))
    assert log.rows["is_positive"].all()
    with pytest.raises(ValueError, match="needs ratings"):
        open_log(pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}), min_rating=4)


def test_a_pair_is_new_with_its_first_row_and_rated_by_its_latest():
    frame = pd.DataFrame(
        {
            "user_id": [1, 1, 2],
            "item_id": [5, 5, 5],
            "rating": [5.0, 1.0, 5.0],
            "timestamp": [2_000_000_000, 1_900_000_000, 1_950_000_000],
        }
    )
    log = open_log(frame)
    rows = log.rows.sort_values("user_id")
    assert rows["user_id"].tolist() == [1, 2]
    assert rows["timestamp"].tolist() == [1_900_000_000, 1_950_000_000]
    assert rows["is_positive"].all(), "the later row of user 1 has five stars"
    assert any("1 of 3 rows repeats a pair" in note for note in log.report["notes"])
    assert "note            1 of 3 rows repeats a pair" in log.report_text


def test_weights_of_repeated_rows_are_summed_and_grow_by_their_logarithm():
    e = float(np.e)
    frame = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 5, 5], "plays": [e, e, 2.0]})
    log = open_log(read_ratings(frame, weight="plays"))
    assert log.rows.sort_values("user_id")["weight"].tolist() == [2.0, 1.0]
    assert "1 + log(weight / smallest weight)" in log.rule


def test_nothing_liked_is_refused():
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "rating": [1.0, 2.0]})
    with pytest.raises(ValueError, match="no row is a positive"):
        open_log(frame, min_rating=4)


def test_titles_come_with_the_catalog():
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "title": ["Heat", "<img onerror>"]})
    log = open_log(read_ratings(frame, title="title"))
    assert log.catalog.to_dict("list") == {"item_id": [3, 4], "title": ["Heat", "<img onerror>"]}


def test_a_log_that_is_open_stays_as_it_is():
    log = open_log(pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}))
    assert open_log(log) is log
    assert not log.is_timed
    assert (log.n_users, log.n_positives) == (2, 2)
    assert np.array_equal(log.catalog["item_id"], [3, 4])


def test_a_notebook_shows_counts_and_no_frames():
    frame = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 5, 5]})
    assert repr(read_ratings(frame)) == "RatingsLog(3 interactions by 2 users of 1 item)"
    log = open_log(frame)
    assert repr(log).startswith("OwnLog(2 interactions by 2 users of 1 item; every row")


def test_ratings_that_are_all_equal_are_told():
    log = open_log(pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "rating": [5.0, 5.0]}))
    assert any(note.startswith("all ratings are 5") for note in log.report["notes"])
    assert "note            all ratings are 5" in log.report_text


def test_the_report_of_a_file_says_how_repeats_count():
    frame = pd.DataFrame({"user_id": [1, 1], "item_id": [5, 5], "rating": [5.0, 1.0]})
    assert "models count each pair once" in str(read_ratings(frame).report)
