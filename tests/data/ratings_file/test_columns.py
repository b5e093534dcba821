"""Columns are found by name and content; what two of them could be is asked, never guessed."""

import string

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError

FUZZ = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
USERS = [
    "user_id",
    "userId",
    "UserID",
    "User-ID",
    "uid",
    "user",
    "reviewerID",
    "customer_id",
    "CustomerID",
    "visitorid",
    "msno",
    "member_id",
    "account_id",
    "profile_id",
    "listener",
    "patron",
    "household_key",
    "username",
    "review_profilename",
    "user_id:token",
    "session_id",
]
ITEMS = [
    "item_id",
    "itemId",
    "movieId",
    "movie_id",
    "ISBN",
    "asin",
    "book_id",
    "product_id",
    "sku",
    "StockCode",
    "article_id",
    "artistID",
    "song_id",
    "track_id",
    "anime_id",
    "business_id",
    "beer_beerid",
    "recipe_id",
    "video_id",
    "game",
    "item",
    "parent_asin",
    "item_id:token",
]
RATINGS = [
    "rating",
    "Rating",
    "score",
    "stars",
    "overall",
    "Book-Rating",
    "review_overall",
    "my_score",
]
WEIGHTS = [
    "weight",
    "playcount",
    "play_count",
    "listen_count",
    "count",
    "quantity",
    "hours",
    "plays",
    "watch_ratio",
]
TIMES = [
    "timestamp",
    "ts",
    "date",
    "time",
    "datetime",
    "unixReviewTime",
    "event_time",
    "t_dat",
    "InvoiceDate",
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("item", ITEMS[:3])
def test_user_is_found_by_name(user, item):
    frame = pd.DataFrame({item: ["a", "b"], "note": ["x", "y"], user: [7, 8]})
    log = read_ratings(frame)
    assert log.frame.to_dict("list") == {"user_id": [7, 8], "item_id": ["a", "b"]}
    assert log.report.columns == {"user": user, "item": item}
    assert "left out: note" in log.report.notes


@pytest.mark.parametrize("item", ITEMS)
def test_item_is_found_by_name(item):
    frame = pd.DataFrame({item: ["a", "b"], "user": [7, 8]})
    assert read_ratings(frame).frame["item_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("names", "role", "values"),
    [(RATINGS, "rating", [4.5, 3]), (WEIGHTS, "weight", [7, 3]), (TIMES, "time", [10**9, 10**9])],
)
def test_other_roles_are_found_by_name(names, role, values):
    for name in names:
        frame = pd.DataFrame({"user": [7, 8], "item": [1, 2], name: values})
        assert read_ratings(frame).report.columns[role] == name


def test_id_is_taken_before_a_name():
    frame = pd.DataFrame({"user": ["Ann"], "user_id": [7], "item_id": [2], "item": ["Heat"]})
    log = read_ratings(frame)
    assert log.frame.to_numpy().tolist() == [[7, 2]]
    assert "left out: user, item" in log.report.notes


@pytest.mark.parametrize("role", ["user", "item", "rating", "time"])
def test_two_columns_of_one_kind_are_asked_about(role):
    twins = {
        "user": ("customer_id", "user_id"),
        "item": ("asin", "isbn"),
        "rating": ("score", "rating"),
        "time": ("ts", "timestamp"),
    }[role]
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2]})
    frame = frame.assign(**{name: [10**9, 10**9 + 1] for name in twins})
    with pytest.raises(AmbiguousRatingsError) as caught:
        read_ratings(frame)
    for name in twins:
        assert f"{role}={name!r}" in str(caught.value)
        assert f"--{role} {name}" in str(caught.value)


def test_rating_and_count_together_keep_the_rating_and_say_so():
    frame = pd.DataFrame({"user": [1], "item": [1], "rating": [4], "count": [7]})
    log = read_ratings(frame)
    assert list(log.frame) == ["user_id", "item_id", "rating"]
    note = "beside a rating, count is left out: weight='count' (--weight count) keeps it"
    assert note in log.report.notes
    both = read_ratings(frame, weight="count")
    assert list(both.frame) == ["user_id", "item_id", "rating", "weight"]


NO_HEADER = "0000013714,ACNGUPJ3A3TM9,4.0,1386028800\n0000013714,A2SUAM1J3GNN3B,5.0,1252800000\n"


def test_file_without_a_header_is_asked_about_with_rows_and_counts(tmp_path):
    (tmp_path / "Books.csv").write_text(NO_HEADER)
    with pytest.raises(AmbiguousRatingsError) as caught:
        read_ratings(tmp_path / "Books.csv")
    assert str(caught.value).splitlines() == [
        "Books.csv: there is no header, and more than one column could be the user. "
        "The first rows:",
        "  0000013714 | ACNGUPJ3A3TM9 | 4.0 | 1386028800",
        "  0000013714 | A2SUAM1J3GNN3B | 5.0 | 1252800000",
        "  user=1, item=2: 1 user, 2 items (on the command line: --user 1 --item 2)",
        "  user=2, item=1: 2 users, 1 item (on the command line: --user 2 --item 1)",
    ]


@pytest.mark.parametrize("said", [{"user": 2}, {"user": "2"}, {"item": 1}, {"user": 2, "item": 1}])
def test_one_answer_is_enough(tmp_path, said):
    (tmp_path / "Books.csv").write_text(NO_HEADER)
    log = read_ratings(tmp_path / "Books.csv", **said)
    assert log.report.columns == {"user": 2, "item": 1, "rating": 3, "time": 4}
    assert log.frame["item_id"].tolist() == ["0000013714"] * 2


def test_numbers_that_may_be_counts_or_ratings_are_asked_about(tmp_path):
    (tmp_path / "log.csv").write_text("1,7,55\n2,8,60\n")
    with pytest.raises(AmbiguousRatingsError, match="column 3 holds 55 to 60"):
        read_ratings(tmp_path / "log.csv", user=1, item=2)
    log = read_ratings(tmp_path / "log.csv", user=1, item=2, weight=3)
    assert log.frame["weight"].tolist() == [55, 60]
    assert "rating" not in read_ratings(tmp_path / "log.csv", user=1, item=2, rating=False).frame


def test_first_line_of_words_is_asked_about(tmp_path):
    (tmp_path / "log.csv").write_text("ann,heat\nbob,up\n")
    with pytest.raises(AmbiguousRatingsError, match="say header=True or header=False"):
        read_ratings(tmp_path / "log.csv")
    log = read_ratings(tmp_path / "log.csv", header=False, user=1, item=2)
    assert log.frame["user_id"].tolist() == ["ann", "bob"]
    log = read_ratings(tmp_path / "log.csv", header=True, user="ann", item="heat")
    assert log.frame["user_id"].tolist() == ["bob"]


def test_table_of_features_is_no_matrix_of_ratings(tmp_path):
    (tmp_path / "users.csv").write_text("user_id,age,income,children\n1,30,20000,2\n2,41,31000,3\n")
    with pytest.raises(AmbiguousRatingsError, match="no column item_id among user_id, age"):
        read_ratings(tmp_path / "users.csv")


@pytest.mark.parametrize(
    ("said", "first"), [({"user": 1}, ["a", "Heat"]), ({"item": 1}, ["Heat", "a"])]
)
def test_matrix_without_a_name_for_its_rows_is_asked_about(tmp_path, said, first):
    (tmp_path / "matrix.csv").write_text(",Heat,Up,Big\na,5,,3\nb,,4,\n")
    with pytest.raises(AmbiguousRatingsError, match=r"say user=1 \(2 users, 3 items\) or item=1"):
        read_ratings(tmp_path / "matrix.csv")
    frame = read_ratings(tmp_path / "matrix.csv", **said).frame
    assert frame.iloc[0].tolist() == [*first, 5]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"user": "who"}, "user='who' names no column: there are user_id, item_id"),
        ({"user": 3}, "user=3 names no column"),
        ({"user": 0}, "user=0 names no column"),
        ({"user": 1, "item": "user_id"}, "user and item must be different columns"),
    ],
)
def test_column_that_is_not_there_is_refused(said, message):
    frame = pd.DataFrame({"user_id": [1], "item_id": [2]})
    with pytest.raises(InvalidRatingsError, match=message):
        read_ratings(frame, **said)


PLAIN = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
IDS = st.one_of(
    st.lists(st.integers(0, 10**15).map(str), min_size=3, max_size=3),
    st.lists(st.integers(0, 999).map("{:06d}".format), min_size=3, max_size=3),
    st.lists(st.binary(min_size=8, max_size=8).map(bytes.hex), min_size=3, max_size=3),
    st.lists(st.uuids().map(str), min_size=3, max_size=3),
    st.lists(PLAIN.map("x{}".format), min_size=3, max_size=3),
    st.lists(
        st.sampled_from(["7", "007", "7.0", "seven", "\u0667", "18446744073709551616"]),
        min_size=3,
        max_size=3,
    ),
)


@FUZZ
@given(IDS, IDS)
def test_ids_stay_what_they_are(tmp_path_factory, users, items):
    path = tmp_path_factory.mktemp("ids") / "log.csv"
    lines = [f"{user},{item}" for user, item in zip(users, items, strict=True)]
    path.write_text("\n".join(["user_id,item_id", *lines]), encoding="utf-8")
    frame = read_ratings(path).frame
    assert [str(value) for value in frame["user_id"]] == users
    assert [str(value) for value in frame["item_id"]] == items


def test_text_beside_numbers_makes_all_of_them_text():
    frame = pd.DataFrame({"user_id": [7, "ann"], "item_id": [1, 2]})
    assert read_ratings(frame).frame["user_id"].tolist() == ["7", "ann"]
