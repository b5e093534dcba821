"""Data sets by name, as frames: MovieLens, fetched and verified, or synthetic ratings."""

import os
from functools import partial

import pandas as pd

from nbhelpers.data.datasets.fetching.fetch import fetch, source_of
from nbhelpers.data.datasets.movielens import (
    USER_READERS,
    parse_items,
    parse_ratings,
    parse_users,
)
from nbhelpers.data.datasets.registry import DATASETS
from nbhelpers.data.datasets.synthetic import SyntheticRatings, make_ratings
from nbhelpers.data.ratings_file.read import describe_counts

SYNTHETIC = "synthetic"
SYNTHETIC_SEED = 0
_make_default: partial[SyntheticRatings] = partial(make_ratings, rng=SYNTHETIC_SEED)


def default_dataset() -> str:
    """Name of the data set the course runs on: the variable ``CF_DATASET``, else ``ml-100k``.

    Raises
    ------
    ValueError
        If ``CF_DATASET`` names no known data set.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, CF_DATASET="ml-1m"):
    ...     default_dataset()
    'ml-1m'
    """
    name = os.environ.get("CF_DATASET", "").strip() or "ml-100k"
    if name not in (*DATASETS, SYNTHETIC):
        raise ValueError(f"CF_DATASET is {name!r}: set it to one of {_known_names()}")
    return name


def load_ratings(name: str | None = None) -> pd.DataFrame:
    """Ratings of a data set, fetched once, verified, and announced in one printed line.

    Parameters
    ----------
    name : str, optional
        ``"ml-100k"``, ``"ml-latest-small"``, ``"ml-1m"``, ``"ml-25m"``, ``"ml-32m"`` or
        ``"synthetic"``; left out, the one of :func:`default_dataset`.

    Returns
    -------
    DataFrame
        Columns ``user_id`` and ``item_id`` (int64), ``rating`` (float64, stars), ``timestamp``
        (int64, Unix seconds, UTC); rows in the published order.

    Raises
    ------
    ValueError
        If ``name`` is unknown, or the ratings do not have the published counts.
    DataUnavailableError
        If no source could give the data set; the message says how to place it by hand.

    Examples
    --------
    >>> ratings = load_ratings("synthetic")
    synthetic (seed 0): 100,000 ratings by 943 users of 1,682 items
    >>> list(ratings.columns)
    ['user_id', 'item_id', 'rating', 'timestamp']
    """
    name = _checked_name(name)
    if name == SYNTHETIC:
        ratings = _make_default().ratings
        print(f"{name} (seed {SYNTHETIC_SEED}): {describe_counts(ratings)}")
        return ratings
    folder = fetch(name)
    ratings = parse_ratings(folder, name)
    _check_counts(ratings, name)
    print(f"{name} ({source_of(folder)}, checked): {describe_counts(ratings)}")
    return ratings


def load_items(name: str | None = None) -> pd.DataFrame:
    """Films of a data set with title, year and genres; prints nothing.

    Parameters
    ----------
    name : str, optional
        As for :func:`load_ratings`.

    Returns
    -------
    DataFrame
        Columns ``item_id`` (int64), ``title`` (such as "Toy Story (1995)"), ``year`` (Int64,
        missing where unknown), then one int8 column per genre, sorted by name:
        ``genre_Action``, ... A film without a known genre has an all-zero row.

    Raises
    ------
    ValueError
        If ``name`` is unknown.
    DataUnavailableError
        If no source could give the data set.

    Examples
    --------
    >>> items = load_items("synthetic")
    >>> list(items.columns[:4])
    ['item_id', 'title', 'year', 'genre_Action']
    >>> len(items)
    1682
    """
    name = _checked_name(name)
    return _make_default().items if name == SYNTHETIC else parse_items(fetch(name), name)


def load_users(name: str | None = None) -> pd.DataFrame:
    """Users of a data set with age, gender and occupation; prints nothing.

    Parameters
    ----------
    name : str, optional
        ``"ml-100k"`` or ``"ml-1m"``; left out, the one of :func:`default_dataset`.

    Returns
    -------
    DataFrame
        Columns ``user_id`` (int64), ``age`` (int64, years; in ml-1m the lowest age of a bracket,
        and 1 for "under 18"), ``gender`` ("F" or "M"), ``occupation`` and ``zip_code`` (text).

    Raises
    ------
    ValueError
        If ``name`` is unknown, or the data set does not describe its users.
    DataUnavailableError
        If no source could give the data set.

    Examples
    --------
    >>> users = load_users("ml-100k")  # doctest: +SKIP
    >>> users["occupation"].value_counts().head(2)  # doctest: +SKIP
    occupation
    student    196
    other      105
    Name: count, dtype: int64
    >>> load_users("synthetic")
    Traceback (most recent call last):
    ...
    ValueError: synthetic does not describe its users: choose one that does, ml-100k, ml-1m
    """
    name = _checked_name(name)
    if name not in USER_READERS:
        raise ValueError(
            f"{name} does not describe its users: choose one that does, {', '.join(USER_READERS)}"
        )
    return parse_users(fetch(name), name)


def _checked_name(name: str | None) -> str:
    if name is None:
        return default_dataset()
    if name not in (*DATASETS, SYNTHETIC):
        raise ValueError(f"unknown data set {name!r}: choose one of {_known_names()}")
    return name


def _known_names() -> str:
    return ", ".join((*DATASETS, SYNTHETIC))


def _check_counts(ratings: pd.DataFrame, name: str) -> None:
    known = DATASETS[name]
    expected = (known.n_ratings, known.n_users, known.n_items)
    found = (len(ratings), ratings["user_id"].nunique(), ratings["item_id"].nunique())
    if found != expected:
        raise ValueError(
            f"{name} must have {expected[0]:,} ratings by {expected[1]:,} users of "
            f"{expected[2]:,} items, its files hold {found[0]:,} by {found[1]:,} of {found[2]:,}: "
            "they are of another edition or damaged, remove them and fetch again"
        )
