from dataclasses import replace

import pandas as pd
import pytest

from nbhelpers.data.datasets import load
from nbhelpers.data.datasets.registry import DATASETS
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.teaching.other_data import lesson_sized, picked

# Item 7 is rated three times, item 5 twice, items 6 and 8 once, item 9 never.
RATINGS = pd.DataFrame(
    {"user_id": [1, 1, 2, 2, 3, 3, 3], "item_id": [7, 5, 7, 6, 8, 5, 7], "rating": 4.0}
)
FILMS = pd.DataFrame({"item_id": [5, 6, 7, 8, 9], "title": list("ABCDE")}, index=[4, 3, 2, 1, 0])
ROOM = {"most_people": 3, "most_bytes": 24 * 5**2}


@pytest.fixture
def on_ml_25m(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-25m")


def test_data_of_the_course_pass_whole_and_in_silence(monkeypatch, capsys):
    monkeypatch.delenv("CF_DATASET", raising=False)
    ratings, films = lesson_sized(RATINGS, FILMS, seconds=40, **ROOM)
    pd.testing.assert_frame_equal(ratings, RATINGS)
    pd.testing.assert_frame_equal(films, FILMS)
    assert capsys.readouterr().out == ""


def test_other_data_that_fit_pass_whole_and_say_how_long(on_ml_25m, capsys):
    many = pd.concat([RATINGS] * 100_000, ignore_index=True)  # seven times the rows of ml-100k
    ratings, _ = lesson_sized(many, FILMS, seconds=60, **ROOM)
    assert len(ratings) == 700_000
    said = "ml-25m: about 5 minutes on two cores\n"  # (0.4 + 0.6 * 7) * 60 s
    assert capsys.readouterr().out == said


def test_ease_on_many_films_is_counted_in_the_time(on_ml_25m, capsys):
    films = pd.DataFrame({"item_id": range(10_000)})
    lesson_sized(RATINGS, films, seconds=1, most_bytes=24 * 10_000**2)
    assert capsys.readouterr().out == "ml-25m: about 5 minutes on two cores\n"  # 1e12 * 3e-10 s


def test_people_are_drawn_whole_and_aloud(on_ml_25m, capsys):
    ratings, films = lesson_sized(RATINGS, FILMS, seconds=40, **ROOM | {"most_people": 2})
    drawn = ratings["user_id"].unique()
    assert len(drawn) == 2
    pd.testing.assert_frame_equal(ratings, RATINGS[RATINGS["user_id"].isin(drawn)])
    assert len(films) == 5
    assert "ml-25m: takes 2 of 3 people, drawn at random\n" in capsys.readouterr().out


def test_another_seed_draws_other_people(on_ml_25m):
    many = pd.DataFrame({"user_id": range(1000), "item_id": 7})
    draws = [
        set(lesson_sized(many, FILMS, seconds=1, most_people=500, rng=seed)[0]["user_id"])
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_films_too_many_for_ease_are_cut_to_the_most_rated_with_the_bytes(on_ml_25m, capsys):
    ratings, films = lesson_sized(RATINGS, FILMS, seconds=40, most_bytes=24 * 3**2 - 1)
    assert films["item_id"].tolist() == [5, 7]  # the frame's order, not that of the counts
    assert ratings["item_id"].tolist() == [7, 5, 7, 5, 7]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "ml-25m: EASE on all films would need 5 x 5 x 24 bytes = 6e-07 GB"
    assert said[1] == "ml-25m: takes the 2 films that were rated most often"


def test_bytes_of_the_catalog_of_ml_25m(on_ml_25m, capsys):
    films = pd.DataFrame({"item_id": range(62_423)})
    _, kept = lesson_sized(RATINGS, films, seconds=40)
    assert len(kept) == 6_454  # 24 * 6,454 ** 2 = 999,698,784
    assert "62,423 x 62,423 x 24 bytes = 93.5 GB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"most_people": 0}, "most_people must be at least 1, got 0"),
        ({"most_bytes": 23}, "most_films must be at least 1, got 0"),
    ],
)
def test_no_room_at_all_is_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        lesson_sized(RATINGS, FILMS, seconds=40, **setting)


def test_example_is_the_one_that_was_picked(monkeypatch, capsys):
    monkeypatch.delenv("CF_DATASET", raising=False)
    assert picked(154, [9, 8]) == 154
    assert capsys.readouterr().out == ""


def test_example_on_other_data_is_the_first_by_the_rule_aloud(on_ml_25m, capsys):
    assert picked(154, [9, 8]) == 9
    assert capsys.readouterr().out == "154 was picked on ml-100k: on ml-25m it is 9\n"


def test_data_set_on_which_it_was_picked_may_be_another(on_ml_25m):
    assert picked(154, [9, 8], only_for="ml-25m") == 154


@pytest.fixture
def small_ml_25m(tmp_path, monkeypatch, on_ml_25m):
    """Files as ml-25m has them, half stars and gaps in the ids, of 7,000 people and 8,000 films."""
    made = make_ratings(7_000, 8_000, 150_000, star_step=0.5, rng=0)
    rows = made.ratings.assign(item_id=20 * made.ratings["item_id"])
    columns = ["userId", "movieId", "rating", "timestamp"]
    rows.to_csv(tmp_path / "ratings.csv", index=False, header=columns)
    films = pd.DataFrame({"movieId": 20 * made.items["item_id"], "title": made.items["title"]})
    films.assign(genres="Drama").to_csv(tmp_path / "movies.csv", index=False)
    known = replace(DATASETS["ml-25m"], n_ratings=150_000, n_users=7_000, n_items=8_000)
    monkeypatch.setattr(load, "DATASETS", {**DATASETS, "ml-25m": known})
    monkeypatch.setattr(load, "fetch", lambda name: tmp_path)
    monkeypatch.setattr(load, "source_of", lambda folder: "a replica")


@pytest.mark.usefixtures("small_ml_25m")
def test_files_of_ml_25m_are_cut_to_the_size_of_a_lesson(capsys):
    ratings, films = lesson_sized(load.load_ratings(), load.load_items(), seconds=45)
    assert 6_000 < ratings["user_id"].nunique() <= 6_040  # a few rated none of the films
    assert len(films) == 6_454
    assert set(ratings["item_id"]) <= set(films["item_id"])
    assert capsys.readouterr().out.splitlines()[1:] == [
        "ml-25m: takes 6,040 of 7,000 people, drawn at random",
        "ml-25m: EASE on all films would need 8,000 x 8,000 x 24 bytes = 1.54 GB",
        "ml-25m: takes the 6,454 films that were rated most often",
        "ml-25m: about 2 minutes on two cores",
    ]
