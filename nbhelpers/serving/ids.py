"""From indices to what a reader knows: ids and titles."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary


def required_ids(vocabulary: Vocabulary | None, name: str) -> Vocabulary:
    """The vocabulary of ``name``, "user" or "item", if there is one."""
    if vocabulary is None:
        raise ValueError(
            f"no {name} ids are known: build Interactions with Interactions.from_frame"
        )
    return vocabulary


def known_users(users: Vocabulary, user_ids: Any) -> Tensor:
    """Indices of users, all of them known.

    Parameters
    ----------
    users : Vocabulary
    user_ids : list-like of raw ids

    Returns
    -------
    Tensor of int64, shape (n,)

    Raises
    ------
    KeyError
        If a user is unknown; the message says what a newcomer can be offered.
    ValueError
        If there is no user.
    """
    wanted = list(user_ids)
    if not wanted:
        raise ValueError("user_id is empty: pass at least one user")
    asked = pd.Series(wanted)
    user_idx = users.encode(asked)
    strangers = pd.unique(asked[user_idx == users.unknown])
    if len(strangers):
        shown = ", ".join(map(repr, strangers[:3].tolist()))
        first, last = users.ids[[0, -1]].tolist()
        raise KeyError(
            f"{len(strangers)} of the users are unknown, e.g. {shown}: the model knows "
            f"{len(users):,} users, {first!r} to {last!r}; a newcomer's list "
            "comes from fold_in_user, or is the most popular items"
        )
    return torch.from_numpy(user_idx)


def described_items(item_idx: NDArray[Any], items: Vocabulary | Interactions) -> pd.DataFrame:
    """Ids of items, and their titles where there is metadata with one.

    Parameters
    ----------
    item_idx : ndarray of int, shape (n,)
    items : Vocabulary or Interactions

    Returns
    -------
    DataFrame
        ``item_id``, and ``title`` if known, in the order given.

    Raises
    ------
    ValueError
        If Interactions lack the vocabulary.
    """
    metadata = None if isinstance(items, Vocabulary) else items.item_metadata
    vocabulary = items if isinstance(items, Vocabulary) else required_ids(items.items, "item")
    frame = pd.DataFrame({"item_id": vocabulary.ids.take(item_idx)})
    if metadata is None or "title" not in metadata.columns:
        return frame
    return frame.assign(title=metadata["title"].take(item_idx).reset_index(drop=True))
