from pathlib import Path

import pandas as pd
import pytest

from nbhelpers.data.datasets.movielens import (
    ML_1M_OCCUPATIONS,
    ML_100K_FLAGS,
    genre_columns,
    parse_items,
    parse_ratings,
    parse_users,
    year_from_title,
)

LATEST_SMALL = Path(__file__).parents[4] / "shared" / "data" / "ml-latest-small"
needs_latest_small = pytest.mark.skipif(
    not LATEST_SMALL.is_dir(), reason="ml-latest-small is not beside the repository"
)


@pytest.fixture
def ml_100k(tmp_path):
    def film(head, *genres):
        flags = ["1" if name in genres else "0" for name in ML_100K_FLAGS]
        return "|".join([head, *flags])

    films = [
        film("1|Toy Story (1995)|01-Jan-1995||http://x/?Toy%20Story", "Comedy", "Children's"),
        film("2|Misérables, Les (1995) |01-Jan-1998||", "Drama"),
        film("3|unknown|||", "unknown"),
        film("4|Part III (V)|02-Feb-1994||", "Sci-Fi"),
        film('5|"NA" (1990)|||', "Film-Noir"),
        film("6|NA|||", "Drama"),
    ]
    (tmp_path / "u.item").write_text("\n".join(films) + "\n", encoding="latin-1")
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t4\t891717742\n")
    (tmp_path / "u.user").write_text("1|24|M|technician|85711\n2|53|F|none|01002\n")
    return tmp_path


@pytest.fixture
def ml_1m(tmp_path):
    films = "1::Toy Story (1995)::Animation|Children's\n2::Star Wars: Épisode IV (1977)::Sci-Fi\n"
    (tmp_path / "movies.dat").write_text(films, encoding="latin-1")
    (tmp_path / "ratings.dat").write_text("1::1193::5::978300760\n6040::661::3::978302109\n")
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::06002-1234\n")
    return tmp_path


@pytest.fixture
def csv_set(tmp_path):
    films = (
        "movieId,title,genres\r\n"
        "1,Toy Story (1995),Adventure|Animation\r\n"
        '11,"American President, The (1995)",Comedy\r\n'
        '12,"The ""Quoted"" \u2013 Ünit (2001)",(no genres listed)\r\n'
        "13,Death Note (2006\u20132007),IMAX\r\n"
        "14,Paterson,Drama\r\n"
    )
    (tmp_path / "movies.csv").write_bytes(films.encode())
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,13,3.5,964982703\n")
    return tmp_path


def genres_of(items, item_id):
    row = items.set_index("item_id").loc[item_id].filter(like="genre_")
    return [name for name, flag in row.items() if flag == 1]


def test_ml_100k_ratings(ml_100k):
    ratings = parse_ratings(ml_100k, "ml-100k")
    assert ratings.to_dict("list") == {
        "user_id": [196, 186],
        "item_id": [242, 302],
        "rating": [3.0, 4.0],
        "timestamp": [881250949, 891717742],
    }
    assert ratings.dtypes.astype(str).tolist() == ["int64", "int64", "float64", "int64"]


def test_ml_100k_titles_keep_accents_quotes_and_spaces(ml_100k):
    items = parse_items(ml_100k, "ml-100k")
    assert items["title"].tolist() == [
        "Toy Story (1995)",
        "Misérables, Les (1995) ",
        "unknown",
        "Part III (V)",
        '"NA" (1990)',
        "NA",
    ]


def test_ml_100k_year_is_that_of_the_title_else_of_the_release(ml_100k):
    year = parse_items(ml_100k, "ml-100k")["year"]
    assert year.astype(object).where(year.notna(), None).tolist() == [
        1995,
        1995,
        None,
        1994,
        1990,
        None,
    ]
    assert year.dtype == "Int64"


def test_ml_100k_genres_leave_unknown_out(ml_100k):
    items = parse_items(ml_100k, "ml-100k")
    assert genres_of(items, 1) == ["genre_Children's", "genre_Comedy"]
    assert genres_of(items, 3) == []
    assert "genre_unknown" not in items
    assert items.filter(like="genre_").shape[1] == 18
    assert (items.filter(like="genre_").dtypes == "int8").all()


def test_ml_100k_users(ml_100k):
    users = parse_users(ml_100k, "ml-100k")
    assert users.iloc[1].to_dict() == {
        "user_id": 2,
        "age": 53,
        "gender": "F",
        "occupation": "none",
        "zip_code": "01002",
    }


def test_ml_1m_ratings(ml_1m):
    ratings = parse_ratings(ml_1m, "ml-1m")
    assert ratings.to_numpy().tolist() == [[1, 1193, 5, 978300760], [6040, 661, 3, 978302109]]
    assert ratings.dtypes.astype(str).tolist() == ["int64", "int64", "float64", "int64"]


def test_ml_1m_title_may_hold_a_colon_and_an_accent(ml_1m):
    items = parse_items(ml_1m, "ml-1m")
    assert items["title"].tolist() == ["Toy Story (1995)", "Star Wars: Épisode IV (1977)"]
    assert genres_of(items, 1) == ["genre_Animation", "genre_Children's"]


def test_ml_1m_users_have_occupations_in_words(ml_1m):
    users = parse_users(ml_1m, "ml-1m")
    assert list(users.columns) == ["user_id", "age", "gender", "occupation", "zip_code"]
    assert users.to_numpy().tolist() == [
        [1, 1, "F", "K-12 student", "48067"],
        [2, 56, "M", "self-employed", "06002-1234"],
    ]


def test_ml_1m_has_21_occupations():
    assert len(ML_1M_OCCUPATIONS) == 21
    assert ML_1M_OCCUPATIONS[20] == "writer"


@pytest.mark.parametrize("name", ["ml-latest-small", "ml-25m", "ml-32m"])
def test_csv_sets_share_one_format(csv_set, name):
    ratings, items = parse_ratings(csv_set, name), parse_items(csv_set, name)
    assert ratings.to_numpy().tolist() == [[1, 13, 3.5, 964982703]]
    assert items["title"][1] == "American President, The (1995)"
    assert items["title"][2] == 'The "Quoted" \u2013 Ünit (2001)'
    assert genres_of(items, 1) == ["genre_Adventure", "genre_Animation"]
    assert genres_of(items, 12) == []


def test_csv_sets_year(csv_set):
    year = parse_items(csv_set, "ml-25m")["year"]
    assert year[:4].tolist() == [1995, 1995, 2001, 2006]
    assert year[4:].isna().all()


@pytest.mark.parametrize(
    ("title", "year"),
    [
        ("Toy Story (1995)", 1995),
        ("Toy Story (1995)  ", 1995),
        ("No Space(1968)", 1968),
        ("1984 (1956)", 1956),
        ("Arrival of a Train, The (1896)", 1896),
        ("Series (2006\u20132007)", 2006),
        ("Series (2006-2007)", 2006),
        ("Series (2007-)", 2007),
        ("Series (2007\u2013 )", 2007),
        ("Trilogy: 1972-1990", None),
        ("(500) Days of Summer (2009)", 2009),
        ("Part III (1995) (V)", 1995),
        ("Part III (1995)(TV) ", 1995),
        ("Series (2006-2007) (TV) (mini)", 2006),
        ("Double (1995/II)", 1995),
        ("Wide ( 1995 )", 1995),
        ("Remade (1956) (1995)", 1995),
        ("Part III (V)", None),
        ("Year (1995) later", None),
        ("Number (12345)", None),
        ("2001", None),
        ("", None),
    ],
)
def test_year_is_the_one_in_parentheses_at_the_end(title, year):
    found = year_from_title(pd.Series([title])).iloc[0]
    assert found == year if year else pd.isna(found)


def test_genres_are_sorted_and_one_per_column():
    flags = genre_columns(pd.Series(["War|Action", "(no genres listed)", "", "Action"]))
    assert list(flags.columns) == ["genre_Action", "genre_War"]
    assert flags.to_numpy().tolist() == [[1, 1], [0, 0], [0, 0], [1, 0]]


@pytest.mark.parametrize(
    "genres",
    [
        ["Action|Drama", "Drama", "", None],
        [" Action | Drama ", "Drama", " ", None],
        ["Action, Drama", "Drama", "", None],
        ["Action ,Drama,", " Drama", "", None],
        ["Action;Drama", "Drama", "(No genres listed)", "Unknown"],
        ["Action||Drama", "|Drama|", "| |", "unknown"],
        ["Action\u00a0|\tDrama", "Drama\u00a0", "", None],
    ],
)
def test_blanks_and_other_separators_make_no_new_genres(genres):
    flags = genre_columns(pd.Series(genres, dtype=object))
    assert list(flags.columns) == ["genre_Action", "genre_Drama"]
    assert flags.to_numpy().tolist() == [[1, 1], [0, 1], [0, 0], [0, 0]]


def test_a_genre_may_hold_a_slash_where_genres_are_separated():
    flags = genre_columns(pd.Series(["Sci-Fi/Fantasy|Drama", "Drama"]))
    assert list(flags.columns) == ["genre_Drama", "genre_Sci-Fi/Fantasy"]


@pytest.mark.parametrize(
    ("genres", "message"),
    [
        (["Action, Drama", "War|Drama"], r"one mark in all rows, got \| and ,, e\.g\. 'War"),
        (["Action, Drama; War"], r"one mark in all rows, got , and ;"),
        (["Action/Drama"], r"one mark in all rows, got /, e\.g\. 'Action/Drama'"),
        (["War", "['Action', 'Drama']"], r"genres must be text such as 'Action\|Comedy', got \"\["),
        (['{"name": "Action"}'], r"genres must be text such as"),
        ([["Action", "Drama"]], r"genres must be text such as .* got \['Action', 'Drama'\]"),
        ([7, "War"], r"genres must be text such as .* got 7"),
        (
            ["Action|War", "action"],
            r"genres must differ in more than case or blanks, got Action, a",
        ),
        (["Sci-Fi", "Sci\u200b-Fi"], r"genres must differ in more than case or blanks"),
    ],
)
def test_genres_of_no_certain_meaning_are_refused(genres, message):
    with pytest.raises(ValueError, match=message):
        genre_columns(pd.Series(genres, dtype=object))


def test_no_films_have_no_genres():
    assert genre_columns(pd.Series([], dtype=object)).shape == (0, 0)


def test_sets_without_users_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'ml-25m' has no users: choose one .* ml-100k, ml-1m"):
        parse_users(tmp_path, "ml-25m")


@needs_latest_small
def test_real_latest_small_has_its_published_counts():
    ratings = parse_ratings(LATEST_SMALL, "ml-latest-small")
    assert len(ratings) == 100_836
    assert (ratings["user_id"].nunique(), ratings["item_id"].nunique()) == (610, 9_724)
    assert sorted(ratings["rating"].unique()) == [k / 2 for k in range(1, 11)]
    assert ratings.iloc[0].tolist() == [1, 1, 4.0, 964982703]


@needs_latest_small
def test_real_latest_small_items():
    items = parse_items(LATEST_SMALL, "ml-latest-small")
    assert len(items) == 9_742
    assert items["item_id"].is_unique
    # Counted in the file: `grep -c "(no genres listed)"`; titles without a year, by eye.
    assert items.filter(like="genre_").sum(axis=1).eq(0).sum() == 34
    assert items["year"].isna().sum() == 12
    assert items["year"].min() == 1902
    assert genres_of(items, 1) == [
        *("genre_Adventure", "genre_Animation", "genre_Children", "genre_Comedy"),
        "genre_Fantasy",
    ]
