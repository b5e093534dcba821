"""MovieLens in its own file formats, as frames with the course's fixed columns."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from nbhelpers.data.raw_ids import refuse_same_words

GENRE_PREFIX = "genre_"
# Both stand for "nobody said", so such a film gets an all-zero row.
NOT_A_GENRE = ("unknown", "(no genres listed)", "")

# The 19 flags of u.item in the order of ml-100k's u.genre.
ML_100K_FLAGS = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
# Position is the code in ml-1m's users.dat, wording that of its README.
ML_1M_OCCUPATIONS = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student"),
    *("customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker"),
    *("K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist"),
    *("self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer"),
)
# "(1995)" at the end; a series carries a range, "(2006-2007)" or "(2007-)", a namesake a number,
# "(1995/II)". Notes may follow: "(1995) (V)" is a video, "(1995) (TV)" a film for television.
YEAR_IN_TITLE = r"\(\s*(\d{4})(?:/[IVX]+|[-\u2013]\s*(?:\d{4})?)?\s*\)(?:\s*\([^\W\d][^()]*\))*\s*$"
_LIST_MARKS = r"[\[\]{}\"]"

RATING_COLUMNS = ("user_id", "item_id", "rating", "timestamp")
_RATING_TYPES = {"user_id": np.int64, "item_id": np.int64, "rating": float, "timestamp": np.int64}
_USER_TYPES = {
    "user_id": np.int64,
    "age": np.int64,
    "gender": str,
    "occupation": str,
    "zip_code": str,
}


def parse_ratings(folder: Path, name: str) -> pd.DataFrame:
    """Ratings of data set ``name``, read from its published files, in their order.

    Parameters
    ----------
    folder : Path
        Holds the files of the data set.
    name : str
        A MovieLens data set, such as ``"ml-100k"``.

    Returns
    -------
    DataFrame
        Columns ``user_id`` and ``item_id`` (int64), ``rating`` (float64, stars), ``timestamp``
        (int64, Unix seconds, UTC).

    Raises
    ------
    ValueError
        If no reader is known for ``name``.
    """
    return _reader(RATING_READERS, name, "ratings")(folder)


def parse_items(folder: Path, name: str) -> pd.DataFrame:
    """Films of data set ``name``, read from its published files, in their order.

    Parameters
    ----------
    folder : Path
        Holds the files of the data set.
    name : str
        A MovieLens data set, such as ``"ml-100k"``.

    Returns
    -------
    DataFrame
        Columns ``item_id`` (int64), ``title`` (as published), ``year`` (Int64, the first one of
        a range, missing where none is known), then one int8 column per genre, sorted by name:
        ``genre_Action``, ...

    Raises
    ------
    ValueError
        If no reader is known for ``name``.
    """
    return _reader(ITEM_READERS, name, "items")(folder)


def parse_users(folder: Path, name: str) -> pd.DataFrame:
    """Users of data set ``name``, read from its published files, in their order.

    Parameters
    ----------
    folder : Path
        Holds the files of the data set.
    name : str
        ``"ml-100k"`` or ``"ml-1m"``: no other MovieLens data set describes its users.

    Returns
    -------
    DataFrame
        Columns ``user_id`` (int64), ``age`` (int64, years; in ml-1m the lowest age of a bracket,
        and 1 for "under 18"), ``gender`` ("F" or "M"), ``occupation`` and ``zip_code`` (text).

    Raises
    ------
    ValueError
        If data set ``name`` has no users file.
    """
    return _reader(USER_READERS, name, "users")(folder)


def year_from_title(title: "pd.Series[str]") -> "pd.Series[int]":
    """Year in parentheses at the end of each title, as Int64; missing where there is none.

    Notes in parentheses may follow the year; of a range the first year counts.

    Examples
    --------
    >>> year_from_title(pd.Series(["Heat (1995)", "Pooh (1997) (V)", "2001"])).tolist()
    [1995, 1997, <NA>]
    """
    found = title.str.extract(YEAR_IN_TITLE, expand=False)
    return pd.to_numeric(found).astype("Int64")


def genre_columns(genres: "pd.Series[str]") -> pd.DataFrame:
    """One int8 column per genre, sorted by name, from texts such as ``"Action|Comedy"``.

    Parameters
    ----------
    genres : Series of str
        Separated by "|", by "," or by ";", the same in all rows; blanks around a genre do not
        count. A film may have none, or be missing.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If they are no text, it is not certain what separates two genres, or two genres differ in
        upper and lower case only.

    Examples
    --------
    >>> genre_columns(pd.Series(["Drama, War", "War", ""]))
       genre_Drama  genre_War
    0            1          1
    1            0          1
    2            0          0
    """
    text = _genre_text(genres)
    separator = _separator(text)
    trimmed = text.str.replace(rf"\s*{re.escape(separator)}\s*", "|", regex=True).str.strip()
    return _named_genres(trimmed.str.get_dummies("|").astype("int8"))


def _genre_text(genres: "pd.Series[str]") -> "pd.Series[str]":
    """The texts, missing ones empty; refused where they spell a list of another language."""
    text = genres.fillna("")
    odd = text[[not isinstance(value, str) for value in text]]
    lists = odd if len(odd) else text[text.str.contains(_LIST_MARKS)]
    if len(lists):
        raise ValueError(
            f"genres must be text such as 'Action|Comedy', got {lists.iloc[0]!r:.60}: join them "
            "by | first"
        )
    return text


def _separator(text: "pd.Series[str]") -> str:
    """What separates genres in all rows."""
    used = {mark: text[text.str.contains(mark, regex=False)] for mark in "|,;/"}
    used = {mark: rows for mark, rows in used.items() if len(rows)}
    names_hold_slashes = "|" in used  # "Sci-Fi/Fantasy|Drama" leaves no doubt
    doubtful = set(used) - ({"/"} if names_hold_slashes else set())
    if len(doubtful) > 1 or doubtful == {"/"}:
        shown = ", ".join(repr(rows.iloc[0])[:60] for rows in used.values())
        raise ValueError(
            f"genres must be separated by one mark in all rows, got {' and '.join(used)}, e.g. "
            f"{shown}: separate them by | and by nothing else"
        )
    return doubtful.pop() if doubtful else "|"


def _named_genres(flags: pd.DataFrame) -> pd.DataFrame:
    known = sorted(name for name in flags.columns if name.casefold() not in NOT_A_GENRE)
    refuse_same_words(known, what="genres")
    return flags[known].add_prefix(GENRE_PREFIX)


def _reader(
    readers: Mapping[str, Callable[[Path], pd.DataFrame]], name: str, what: str
) -> Callable[[Path], pd.DataFrame]:
    if name not in readers:
        raise ValueError(f"{name!r} has no {what}: choose one that does, {', '.join(readers)}")
    return readers[name]


def _read_unquoted(
    source: Path | io.BytesIO, types: Mapping[str, type], *, sep: str = "|"
) -> pd.DataFrame:
    """Columns of a Latin-1 file without header or quotes; a film called "NA" keeps its name."""
    return pd.read_csv(
        source,
        sep=sep,
        header=None,
        names=list(types),
        dtype=dict(types),
        encoding="latin-1",
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        index_col=False,
    )


def _read_double_colon(path: Path, types: Mapping[str, type]) -> pd.DataFrame:
    # pandas splits at one character fast, at two slowly; \x1f ("unit separator") is in no title.
    source = io.BytesIO(path.read_bytes().replace(b"::", b"\x1f"))
    return _read_unquoted(source, types, sep="\x1f")


def _ratings_tab(folder: Path) -> pd.DataFrame:
    return _read_unquoted(folder / "u.data", _RATING_TYPES, sep="\t")


def _ratings_double_colon(folder: Path) -> pd.DataFrame:
    return _read_double_colon(folder / "ratings.dat", _RATING_TYPES)


def _ratings_csv(folder: Path) -> pd.DataFrame:
    published = ("userId", "movieId", "rating", "timestamp")
    types = dict(zip(published, _RATING_TYPES.values(), strict=True))
    frame = pd.read_csv(folder / "ratings.csv", dtype=types)
    return frame.rename(columns=dict(zip(published, RATING_COLUMNS, strict=True)))


def _items_pipe(folder: Path) -> pd.DataFrame:
    texts = ("title", "release_date", "video_release_date", "imdb_url")
    types = {"item_id": np.int64, **dict.fromkeys(texts, str)}
    films = _read_unquoted(folder / "u.item", types | dict.fromkeys(ML_100K_FLAGS, np.int8))
    released = films["release_date"].str.extract(r"-(\d{4})$", expand=False)
    year = year_from_title(films["title"]).fillna(pd.to_numeric(released).astype("Int64"))
    return _item_frame(films, year, _named_genres(films[list(ML_100K_FLAGS)]))


def _items_double_colon(folder: Path) -> pd.DataFrame:
    types = {"item_id": np.int64, "title": str, "genres": str}
    films = _read_double_colon(folder / "movies.dat", types)
    return _item_frame(films, year_from_title(films["title"]), genre_columns(films["genres"]))


def _items_csv(folder: Path) -> pd.DataFrame:
    types = {"movieId": np.int64, "title": str, "genres": str}
    films = pd.read_csv(folder / "movies.csv", dtype=types, keep_default_na=False)
    films = films.rename(columns={"movieId": "item_id"})
    return _item_frame(films, year_from_title(films["title"]), genre_columns(films["genres"]))


def _item_frame(films: pd.DataFrame, year: "pd.Series[int]", genres: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([films[["item_id", "title"]], year.rename("year"), genres], axis=1)


def _users_pipe(folder: Path) -> pd.DataFrame:
    return _read_unquoted(folder / "u.user", _USER_TYPES)


def _users_double_colon(folder: Path) -> pd.DataFrame:
    order = ("user_id", "gender", "age", "occupation", "zip_code")
    types = {name: _USER_TYPES[name] for name in order} | {"occupation": np.int64}
    users = _read_double_colon(folder / "users.dat", types)
    wording = users["occupation"].map(dict(enumerate(ML_1M_OCCUPATIONS)))
    return users.assign(occupation=wording)[list(_USER_TYPES)]


_CSV_SETS = ("ml-latest-small", "ml-25m", "ml-32m")
RATING_READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = MappingProxyType(
    {"ml-100k": _ratings_tab, "ml-1m": _ratings_double_colon}
    | dict.fromkeys(_CSV_SETS, _ratings_csv)
)
ITEM_READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = MappingProxyType(
    {"ml-100k": _items_pipe, "ml-1m": _items_double_colon} | dict.fromkeys(_CSV_SETS, _items_csv)
)
USER_READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = MappingProxyType(
    {"ml-100k": _users_pipe, "ml-1m": _users_double_colon}
)
