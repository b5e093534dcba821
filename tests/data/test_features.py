"""Features of users and items, matched by id."""

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.features import Features, item_features, user_features
from nbhelpers.data.vocabulary import Vocabulary

ITEMS = pd.DataFrame(
    {
        "item_id": [40, 10, 30, 20],
        "title": ["Deep (1999)", "Alpha (1931)", "Nameless", "Beta (1990)"],
        "year": pd.array([1999, 1931, None, 1990], dtype="Int64"),
        "genre_Drama": [1, 0, 0, 1],
        "genre_Comedy": [1, 1, 0, 0],
    }
)
USERS = pd.DataFrame(
    {
        "user_id": [3, 1, 2],
        "age": [17, 56, 24],
        "gender": ["F", "M", "F"],
        "occupation": ["writer", "", "lawyer"],
    }
)
NAMES = ("genre: Comedy", "genre: Drama", "decade: 1930s", "decade: 1990s", "decade: unknown")
VOCABULARY = Vocabulary([10, 20, 30, 40])


def ones(features):
    """Names of the features of each row."""
    return [[features.names[k] for k in row.nonzero().flatten()] for row in features.table]


def test_row_k_describes_the_kth_id_by_hand():
    features = item_features(ITEMS, vocabulary=VOCABULARY)
    assert features.names == NAMES
    assert features.table.tolist() == [
        [1, 0, 1, 0, 0],
        [0, 1, 0, 1, 0],
        [0, 0, 0, 0, 1],
        [1, 1, 0, 1, 0],
    ]
    assert features.table.dtype == torch.float32
    assert features.kinds == {"genre": 2, "decade": 3}


def test_every_order_of_the_rows_gives_the_same_features(rng):
    expected = item_features(ITEMS, vocabulary=VOCABULARY)
    for _ in range(5):
        shuffled = item_features(ITEMS.iloc[rng.permutation(4)], vocabulary=VOCABULARY)
        assert shuffled.names == expected.names
        assert torch.equal(shuffled.table, expected.table)


def test_metadata_on_the_wrong_ids_are_told_from_those_on_the_right_ones():
    """The ids dealt out anew: same counts in each column, and rows of other films."""
    right = item_features(ITEMS, vocabulary=VOCABULARY)
    wrong = item_features(ITEMS.assign(item_id=[10, 20, 30, 40]), vocabulary=VOCABULARY)
    assert torch.equal(right.table.sum(dim=0), wrong.table.sum(dim=0))
    assert ones(right)[0] == ["genre: Comedy", "decade: 1930s"]  # Alpha (1931)
    assert ones(wrong)[0] != ones(right)[0]


def test_rows_by_id_come_in_the_order_asked_for():
    features = item_features(ITEMS, vocabulary=VOCABULARY)
    assert features.of([40, 10]).tolist() == [[1, 1, 0, 1, 0], [1, 0, 1, 0, 0]]


def test_nothing_is_known_about_an_unknown_id():
    with pytest.raises(KeyError, match=r"1 ids are unknown, e\.g\. 99"):
        item_features(ITEMS, vocabulary=VOCABULARY).of([99])


def test_an_id_without_a_row_is_refused():
    with pytest.raises(KeyError, match=r"1 ids have no row of metadata, e\.g\. 50"):
        item_features(ITEMS, vocabulary=Vocabulary([10, 50]))


def test_year_comes_from_the_title_where_there_is_no_column():
    features = item_features(ITEMS.drop(columns="year"), vocabulary=VOCABULARY)
    assert torch.equal(features.table, item_features(ITEMS, vocabulary=VOCABULARY).table)


@pytest.mark.parametrize(
    ("year", "name"),
    [(1989, "1980s"), (1990, "1990s"), (1999, "1990s"), (2000, "2000s"), (None, "unknown")],
)
def test_decade_of_a_year(year, name):
    items = ITEMS.head(1).assign(year=pd.array([year], dtype="Int64"))
    features = item_features(items, vocabulary=Vocabulary([40]), kinds=["decade"])
    assert ones(features) == [[f"decade: {name}"]]


@pytest.mark.parametrize("year", [95, 19_950, -1])
def test_a_year_that_is_none_is_refused(year):
    items = ITEMS.assign(year=[1990, year, 1990, 1990])
    with pytest.raises(ValueError, match=f"years must be 1800 to 2199, got {year}"):
        item_features(items, vocabulary=VOCABULARY)


def test_a_column_for_the_unknown_is_there_without_need():
    known = ITEMS[ITEMS["year"].notna()]
    features = item_features(known, vocabulary=Vocabulary([10, 20]))
    assert features.names[-1] == "decade: unknown"
    assert features.table[:, -1].tolist() == [0, 0]


@pytest.mark.parametrize("flag", [np.nan, 2, 0.5])
def test_a_genre_that_is_neither_there_nor_not_is_refused(flag):
    with pytest.raises(ValueError, match="hold 0 and 1 are required, genre_Drama does not"):
        item_features(ITEMS.assign(genre_Drama=[1, flag, 0, 0]), vocabulary=VOCABULARY)


@pytest.mark.parametrize("twin", ["genre_drama", "genre_ Drama", "genre_Drama\u200b"])
def test_genres_that_differ_in_case_or_blanks_are_refused(twin):
    with pytest.raises(ValueError, match="genres must differ in more than case or blanks"):
        item_features(ITEMS.assign(**{twin: 0}), vocabulary=VOCABULARY)


def test_words_that_differ_in_case_are_refused():
    users = USERS.assign(occupation=["writer", "Writer", "lawyer"])
    with pytest.raises(ValueError, match=r"values of occupation must .*, got Writer, writer"):
        user_features(users, vocabulary=Vocabulary([1, 2, 3]))


def test_the_year_before_a_note_is_that_of_the_film():
    films = pd.DataFrame({"item_id": [1], "title": ["A (1995) (V)"]})
    features = item_features(films, vocabulary=Vocabulary([1]), kinds=["decade"])
    assert ones(features) == [["decade: 1990s"]]


def test_frame_without_genres_is_refused():
    with pytest.raises(ValueError, match=r"columns genre_\.\.\. .* got"):
        item_features(ITEMS[["item_id", "title"]], vocabulary=VOCABULARY)


def test_users_by_hand():
    features = user_features(USERS, vocabulary=Vocabulary([1, 2, 3]))
    assert ones(features) == [
        ["age: 56 and over", "gender: M", "occupation: unknown"],
        ["age: 18-24", "gender: F", "occupation: lawyer"],
        ["age: under 18", "gender: F", "occupation: writer"],
    ]
    assert features.kinds == {"age": 8, "gender": 3, "occupation": 3}


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under 18"),
        (17, "under 18"),
        (18, "18-24"),
        (24.9, "18-24"),
        (25, "25-34"),
        (35, "35-44"),
        (45, "45-49"),
        (50, "50-55"),
        (55, "50-55"),
        (56, "56 and over"),
        (99, "56 and over"),
        (None, "unknown"),
    ],
)
def test_band_of_an_age(age, band):
    users = pd.DataFrame({"user_id": [1], "age": [age]})
    features = user_features(users, vocabulary=Vocabulary([1]), kinds=["age"])
    assert ones(features) == [[f"age: {band}"]]


def test_a_negative_age_is_refused():
    with pytest.raises(ValueError, match="ages must be 0 or more years, got -3"):
        user_features(USERS.assign(age=[20, -3, 20]), vocabulary=Vocabulary([1, 2, 3]))


@pytest.mark.parametrize("missing", [None, np.nan, "", "  ", "unknown"])
def test_missing_text_is_unknown(missing):
    users = USERS.assign(gender=pd.Series(["F", "M", missing], dtype=object))
    features = user_features(users, vocabulary=Vocabulary([1, 2, 3]), kinds=["gender"])
    assert features.names == ("gender: F", "gender: M", "gender: unknown")
    assert features.table.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_new_items_get_the_columns_a_model_was_trained_with():
    """The 2020s are unknown, War is left out, Comedy has no column and is zero."""
    new = pd.DataFrame(
        {"item_id": [7, 8], "year": [2021, 1995], "genre_Drama": [1, 0], "genre_War": [1, 1]}
    )
    features = item_features(new, vocabulary=Vocabulary([7, 8]), names=NAMES)
    assert features.names == NAMES
    assert features.table.tolist() == [[0, 1, 0, 0, 1], [0, 0, 0, 1, 0]]


def test_names_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match=r"names must be of the kinds .*, got \['age: 18-24'\]"):
        item_features(ITEMS, vocabulary=VOCABULARY, names=["age: 18-24"])


@pytest.mark.parametrize("kinds", [["mood"], [], "genre"])
def test_kinds_that_are_not_known_are_refused(kinds):
    with pytest.raises(ValueError, match="kinds must be a sequence from"):
        item_features(ITEMS, vocabulary=VOCABULARY, kinds=kinds)


def test_one_kind_alone():
    genres = item_features(ITEMS, vocabulary=VOCABULARY).of_kind("genre")
    assert genres.names == ("genre: Comedy", "genre: Drama")
    assert genres.table.tolist() == [[1, 0], [0, 1], [0, 0], [1, 1]]
    with pytest.raises(ValueError, match=r"kinds must be among \['genre'\], got \['decade'\]"):
        genres.of_kind("decade")


def test_placebo_holds_the_same_rows_elsewhere():
    table = torch.arange(40.0).view(20, 2)
    features = Features(["a: x", "a: y"], table, Vocabulary(range(20)))
    placebo = features.shuffled(rng=1)
    assert not torch.equal(placebo.table, table)
    assert sorted(placebo.table.tolist()) == table.tolist()
    assert torch.equal(placebo.table, features.shuffled(rng=1).table)
    assert not torch.equal(placebo.table, features.shuffled(rng=2).table)
    assert torch.equal(features.table, table)


def test_features_never_change():
    table = torch.zeros(4, 1)
    features = Features(["a: x"], table, VOCABULARY)
    table += 1
    features.table.add_(1)
    features.of([10]).add_(1)
    frame = features.frame()
    frame.iloc[:] = 1
    assert not features.table.any()
    with pytest.raises(AttributeError):
        features.names = ("b: y",)


def test_input_is_left_alone():
    items, users = ITEMS.copy(), USERS.copy()
    item_features(items, vocabulary=VOCABULARY, names=NAMES)
    user_features(users, vocabulary=Vocabulary([1, 2, 3]))
    pd.testing.assert_frame_equal(items, ITEMS)
    pd.testing.assert_frame_equal(users, USERS)


def test_frame_shows_ids_and_names():
    frame = item_features(ITEMS, vocabulary=VOCABULARY).frame()
    assert frame.loc[30, "decade: unknown"] == 1
    assert list(frame.columns) == list(NAMES)


@pytest.mark.parametrize(
    ("names", "shape", "message"),
    [
        (["a: x", "a: x"], (4, 2), "names must differ"),
        (["a: x", "b: x", "a: y"], (4, 3), "kinds stand together"),
        (["x"], (4, 1), "names must be like"),
        ([], (4, 0), "names must be like"),
        (["a: x"], (3, 1), r"shape \(4, 1\), got \(3, 1\)"),
    ],
)
def test_features_that_do_not_fit_are_refused(names, shape, message):
    with pytest.raises(ValueError, match=message):
        Features(names, torch.zeros(shape), VOCABULARY)


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite numbers"):
        Features(["a: x"], torch.full((4, 1), torch.nan), VOCABULARY)
