"""A planted taste in real ratings: a feature that matters, because we made it so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from nbhelpers.data.features import Features
from nbhelpers.data.vocabulary import Vocabulary

COLORS = ("color: red", "color: blue")


class ColoredRatings(NamedTuple):
    """Ratings that a planted taste has left, and the color of everybody and everything."""

    ratings: pd.DataFrame
    user_colors: Features
    item_colors: Features


def plant_colors(
    ratings: pd.DataFrame,
    *,
    strength: float,
    users: Vocabulary,
    items: Vocabulary,
    rng: int | Generator,
) -> ColoredRatings:
    """Ratings of people who avoid items of the other color, as a positive control for features.

    Each user and each item is red or blue, by the toss of a coin. Of the ratings of users for
    items of the other color a share is deleted, and all others stay. So a test of features is
    known to be blind if it does not find these colors.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``. It is not changed.
    strength : float
        Share of the ratings for the other color that is deleted, at least 0 and below 1.
    users, items : Vocabulary
        Everybody and everything that gets a color; they hold all ids of the ratings.
    rng : int or numpy Generator
        Decides every random choice.

    Returns
    -------
    ColoredRatings
        The ratings that are left, in their order, and the colors as two columns of a 0 and a 1.

    Raises
    ------
    KeyError
        If a rating has an id that the vocabularies lack.
    ValueError
        If the strength is out of its range.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 8]})
    >>> users, items = Vocabulary([1, 2]), Vocabulary([7, 8])
    >>> world = plant_colors(log, strength=0.0, users=users, items=items, rng=0)
    >>> len(world.ratings), world.user_colors
    (4, Features(2 rows, 2 columns: 2 of color))
    """
    if not 0 <= strength < 1:
        raise ValueError(f"strength must be at least 0 and below 1, got {strength}")
    rng = np.random.default_rng(rng)
    user_color, item_color = rng.integers(2, size=len(users)), rng.integers(2, size=len(items))
    own = user_color[users.encode_known(ratings["user_id"])]
    same = own == item_color[items.encode_known(ratings["item_id"])]
    kept = ratings[same | (rng.random(len(ratings)) >= strength)]
    return ColoredRatings(kept, _columns(user_color, users), _columns(item_color, items))


def _columns(color: NDArray[np.int64], ids: Vocabulary) -> Features:
    return Features(COLORS, torch.eye(2)[torch.from_numpy(color)], ids)
