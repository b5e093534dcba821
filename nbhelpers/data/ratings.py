"""From raw ids to indices, and from frames to tensors, the form that models take."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from nbhelpers.data.vocabulary import Vocabulary


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
