"""A lesson on another data set than the one it was written on: its size and its examples."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.random import Generator

from nbhelpers.core.checks import require_one
from nbhelpers.data.datasets.load import default_dataset

WRITTEN_ON = "ml-100k"
WRITTEN_ROWS = 100_000
EASE_BYTES = 24  # of memory for each pair of items, while EASE is trained
# Measured on one core: two fifths of a lesson's seconds stay the same whatever the data, and its
# dozen trainings of EASE take this times the cube of the items.
FIXED_SHARE = 0.4
EASE_SECONDS = 3e-10

Example = TypeVar("Example")


def lesson_sized(
    ratings: pd.DataFrame,
    films: pd.DataFrame,
    *,
    seconds: float,
    most_people: int = 6_040,
    most_bytes: int = 1_000_000_000,
    rng: int | Generator = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As much of a data set as a lesson can take on one machine; says what it takes, and how long.

    Data of the size of ml-1m are taken whole. Of more people a part is drawn. Where EASE on the
    whole catalog would need more memory than ``most_bytes``, the films that were rated most often
    are taken. On ml-100k nothing is printed.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``, as from ``load_ratings``.
    films : DataFrame
        The catalog by ``item_id``, as from ``load_items``.
    seconds : float
        What the lesson takes on ml-100k. Others are estimated by their rows, and EASE by the cube
        of the items.
    most_people : int
        At least 1; by default as many as ml-1m has.
    most_bytes : int
        Memory for EASE, which takes 24 bytes times the square of the items.
    rng : int or numpy Generator
        Draws the people.

    Returns
    -------
    ratings, films : DataFrame
        Rows of those given, in their order.

    Raises
    ------
    ValueError
        If ``most_people`` is below 1 or ``most_bytes`` is not enough for one film.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> made = make_ratings(n_users=50, n_items=10_000, n_ratings=20_000, rng=0)
    >>> with patch.dict("os.environ", CF_DATASET="ml-25m"):
    ...     ratings, films = lesson_sized(made.ratings, made.items, seconds=40, most_people=30)
    ml-25m: takes 30 of 50 people, drawn at random
    ml-25m: EASE on all films would need 10,000 x 10,000 x 24 bytes = 2.4 GB
    ml-25m: takes the 6,454 films that were rated most often
    ml-25m: about 2 minutes on two cores
    >>> ratings["user_id"].nunique(), len(films)
    (30, 6454)
    """
    most_films = isqrt(most_bytes // EASE_BYTES)
    require_one(most_people=most_people, most_films=most_films)
    drawn = _some_people(ratings, most_people, rng)
    kept = _most_rated(drawn, films, most_films)
    drawn = drawn[drawn["item_id"].isin(kept["item_id"])]
    if default_dataset() != WRITTEN_ON:
        _say_cost(len(drawn), len(kept), seconds=seconds)
    return drawn, kept


def picked(wanted: Example, others: Sequence[Example], *, only_for: str = WRITTEN_ON) -> Example:
    """The person or film that a page shows: on another data set, the first of the others, aloud.

    Parameters
    ----------
    wanted : id
        The one that was picked by hand.
    others : sequence of ids
        In the order of a rule, such as the films with the most likes first.
    only_for : str
        The data set on which it was picked.

    Returns
    -------
    id

    Examples
    --------
    >>> from unittest.mock import patch
    >>> picked(154, [1, 2, 3])
    154
    >>> with patch.dict("os.environ", CF_DATASET="ml-1m"):
    ...     picked(154, [1, 2, 3])
    154 was picked on ml-100k: on ml-1m it is 1
    1
    """
    if default_dataset() == only_for:
        return wanted
    print(f"{wanted} was picked on {only_for}: on {default_dataset()} it is {others[0]}")
    return others[0]


def _some_people(ratings: pd.DataFrame, most: int, rng: int | Generator) -> pd.DataFrame:
    people = np.sort(ratings["user_id"].unique())
    if len(people) <= most:
        return ratings
    print(f"{default_dataset()}: takes {most:,} of {len(people):,} people, drawn at random")
    drawn = np.random.default_rng(rng).choice(people, most, replace=False)
    return ratings[ratings["user_id"].isin(drawn)]


def _most_rated(ratings: pd.DataFrame, films: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(films) <= most:
        return films
    n, name = len(films), default_dataset()
    needs = f"{n:,} x {n:,} x {EASE_BYTES} bytes = {EASE_BYTES * n**2 / 1e9:,.3g} GB"
    print(f"{name}: EASE on all films would need {needs}")
    print(f"{name}: takes the {most:,} films that were rated most often")
    counts = films["item_id"].map(ratings["item_id"].value_counts()).fillna(0)
    frequent = counts.sort_values(ascending=False, kind="stable").index[:most]
    return films.loc[films.index.isin(frequent)]


def _say_cost(n_ratings: int, n_films: int, *, seconds: float) -> None:
    growth = FIXED_SHARE + (1 - FIXED_SHARE) * n_ratings / WRITTEN_ROWS
    total = seconds * growth + EASE_SECONDS * n_films**3
    minutes = max(round(total / 60), 1)
    print(f"{default_dataset()}: about {minutes} minute{'s' * (minutes > 1)} on two cores")
