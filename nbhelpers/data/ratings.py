"""From raw ids to indices, and from frames to tensors, the form that models take."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from nbhelpers.data.splits import Rng, random_split
from nbhelpers.data.vocabulary import Vocabulary


class RatingSplit(NamedTuple):
    """What a rating model is trained and judged on; ``len(users)`` is the number of users."""

    users: Vocabulary
    items: Vocabulary
    train: tuple[Tensor, Tensor, Tensor]
    valid: tuple[Tensor, Tensor, Tensor]
    train_ratings: pd.DataFrame
    valid_ratings: pd.DataFrame


def rating_split(ratings: pd.DataFrame, *, valid_frac: float = 0.2, rng: Rng) -> RatingSplit:
    """Split ratings at random, number users and items, and make the tensors of both parts.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id``, ``item_id`` and ``rating``.
    valid_frac : float
        Share of the rows to hold out, between 0 and 1.
    rng : int or Generator
        Decides which rows are held out.

    Returns
    -------
    RatingSplit
        ``users`` and ``items`` know the ids of the training rows; an id that only validation rows
        have gets their unknown row. ``train`` and ``valid`` are ``(user_idx, item_idx, rating)``,
        ``train_ratings`` and ``valid_ratings`` the rows that they were made from.

    Raises
    ------
    ValueError
        If a column is missing, or the split is not possible (see ``random_split``).

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": [7, 8, 7, 8, 7]})
    >>> split = rating_split(log.assign(rating=[4.0, 3.0, 5.0, 2.0, 1.0]), rng=0)
    >>> len(split.users), len(split.train_ratings)
    (3, 4)
    >>> split.valid
    (tensor([0]), tensor([1]), tensor([3.]))
    """
    if "rating" not in ratings.columns:
        raise ValueError(f"column 'rating' is required, got {list(ratings.columns)}")
    train_ratings, valid_ratings = random_split(ratings, valid_frac=valid_frac, rng=rng)
    users, items = Vocabulary(train_ratings["user_id"]), Vocabulary(train_ratings["item_id"])
    train, valid = (
        rating_tensors(add_indices(rows, users, items)) for rows in (train_ratings, valid_ratings)
    )
    return RatingSplit(users, items, train, valid, train_ratings, valid_ratings)


def rating_tensors(ratings: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
    """Users, items and ratings of an indexed frame, as three tensors.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_idx``, ``item_idx`` (see ``add_indices``) and ``rating``.

    Returns
    -------
    user_idx, item_idx : Tensor of int64, shape (n,)
    rating : Tensor of float32, shape (n,)
        In stars.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> rows = pd.DataFrame({"user_idx": [0, 1], "item_idx": [2, 0], "rating": [4.0, 3.5]})
    >>> rating_tensors(rows)
    (tensor([0, 1]), tensor([2, 0]), tensor([4.0000, 3.5000]))
    """
    missing = [name for name in ("user_idx", "item_idx", "rating") if name not in ratings.columns]
    if missing:
        raise ValueError(f"columns {missing} are required: call add_indices(ratings, users, items)")
    return (
        torch.tensor(ratings["user_idx"].to_numpy(), dtype=torch.int64),
        torch.tensor(ratings["item_idx"].to_numpy(), dtype=torch.int64),
        torch.tensor(ratings["rating"].to_numpy(), dtype=torch.float32),
    )


def add_indices(ratings: pd.DataFrame, users: Vocabulary, items: Vocabulary) -> pd.DataFrame:
    """Copy of a ratings frame with the columns ``user_idx`` and ``item_idx``.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``.
    users, items : Vocabulary
        Fitted on the training rows; ids they do not know get their unknown row.

    Returns
    -------
    DataFrame
        The same rows in the same order, the two columns added.

    Raises
    ------
    ValueError
        If an id column or an id is missing, or ids are of another type than the vocabulary's,
        such as text "007" where the vocabulary holds the integer 7.

    Examples
    --------
    >>> train = pd.DataFrame({"user_id": [7, 9], "item_id": [50, 10], "rating": [4.0, 3.0]})
    >>> test = pd.DataFrame({"user_id": [9, 8], "item_id": [50, 50], "rating": [2.0, 5.0]})
    >>> add_indices(test, Vocabulary(train.user_id), Vocabulary(train.item_id))
       user_id  item_id  rating  user_idx  item_idx
    0        9       50     2.0         1         1
    1        8       50     5.0         2         1
    """
    for column in ("user_id", "item_id"):
        if column not in ratings.columns:
            raise ValueError(f"column {column!r} is required, got {list(ratings.columns)}")
    return ratings.assign(
        user_idx=users.encode(ratings["user_id"]), item_idx=items.encode(ratings["item_id"])
    )
