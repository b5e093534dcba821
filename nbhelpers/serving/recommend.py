"""From a model to a list of titles: for a user, and around an item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.index import NUMBERS_AT_ONCE, ExactIndex, Index
from nbhelpers.serving.vectors import checked_k, top_k, unit_vectors


class Recommender(Protocol):
    """Whatever scores all items for users."""

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), higher is better."""
        ...


@torch.no_grad()
def recommend(
    model: Recommender,
    user_id: Any,
    *,
    seen: Interactions,
    k: int = 10,
    scores_at_once: int = NUMBERS_AT_ONCE,
) -> pd.DataFrame:
    """Best items that a user, or each of many, has not seen.

    Parameters
    ----------
    model : Recommender
        A column more than there are items, as models with an unknown row have it, is left out.
    user_id : raw id, or list-like of raw ids
    seen : Interactions
        With the vocabularies ``users`` and ``items``; titles come from its ``item_metadata``.
    k : int
        Length of the list, at least 1. Where fewer unseen items remain there are fewer rows.
    scores_at_once : int
        Scores held at a time; at least those of one user are.

    Returns
    -------
    DataFrame
        One row an item, best first, of equal scores the smaller index first: ``rank`` from 1,
        ``item_id``, ``title`` if known, and ``score``. For many users ``user_id`` comes first,
        and the lists follow each other in the order asked for.

    Raises
    ------
    KeyError
        If a user is unknown.
    ValueError
        If ``seen`` lacks a vocabulary, ``k`` or ``scores_at_once`` is below 1, or the scores are
        not finite or not one for each item.
    """
    if seen.users is None:
        raise ValueError("seen knows no user ids: build it with Interactions.from_frame")
    if scores_at_once < 1:
        raise ValueError(f"scores_at_once must be at least 1, got {scores_at_once}")
    several = pd.api.types.is_list_like(user_id)
    asked = _known_users(seen.users, user_id if several else [user_id])
    with _evaluating(model):
        blocks = asked.split(max(1, scores_at_once // seen.n_items))
        found = [_top_unseen(model, block, seen=seen, k=checked_k(k)) for block in blocks]
    scores, item_idx = (torch.cat(part) for part in zip(*found, strict=True))
    frame = titled(scores, item_idx, user_idx=asked, seen=seen)
    return frame if several else frame.drop(columns="user_id")


def titled(
    scores: Tensor, item_idx: Tensor, *, user_idx: Tensor, seen: Interactions
) -> pd.DataFrame:
    """Lists of item indices as one long frame of ids and titles.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, k)
        Best first; where it is -inf the list has ended.
    item_idx : Tensor of int, shape (batch, k)
    user_idx : Tensor of int, shape (batch,)
        The user of each list.
    seen : Interactions
        With the vocabularies ``users`` and ``items``.

    Returns
    -------
    DataFrame
        ``user_id``, ``rank`` from 1, ``item_id``, ``title`` if known, ``score``.

    Raises
    ------
    ValueError
        If ``seen`` lacks a vocabulary.
    """
    if seen.users is None:
        raise ValueError("seen knows no user ids: build it with Interactions.from_frame")
    score = scores.double().cpu().numpy()
    row, column = np.nonzero(score > -np.inf)
    described = _described(item_idx.cpu().numpy()[row, column], seen)
    described.insert(0, "user_id", seen.users.ids.take(user_idx.cpu().numpy()[row]))
    described.insert(1, "rank", column + 1)
    return described.assign(score=score[row, column])


def similar_items(
    vectors: Tensor | Index, item_id: Any, *, items: Vocabulary | Interactions, k: int = 10
) -> pd.DataFrame:
    """Items whose vectors point most nearly the same way, without the item itself.

    Parameters
    ----------
    vectors : Tensor of float, shape (n_items, d), or Index
        Of a table with an unknown row that last row is left out. An index must be built on
        ``unit_vectors(vectors)``, since the score is the cosine.
    item_id : raw id
    items : Vocabulary or Interactions
        Interactions with ``item_metadata`` add the titles.
    k : int
        Length of the list, at least 1. Above the catalog there are fewer rows.

    Returns
    -------
    DataFrame
        One row an item, best first, of equal scores the smaller index first: ``rank`` from 1,
        ``item_id``, ``title`` if known, and ``score``, the cosine.

    Raises
    ------
    KeyError
        If the item is unknown.
    ValueError
        If there is not one vector for each item, the item's vector is zero, an index holds
        vectors of other lengths than 1, or ``k`` is below 1.
    """
    vocabulary = _item_ids(items)
    place = int(vocabulary.encode_known([item_id])[0])
    index = _cosine_index(vectors, len(vocabulary))
    query = index.vectors[place].unsqueeze(0)  # (1, d)
    _check_length(float(query.double().norm()), item_id)
    scores, item_idx = index.search(query, checked_k(k) + 1)
    keep = (item_idx != place) & (item_idx >= 0)  # (1, k + 1)
    described = _described(item_idx[keep][:k].cpu().numpy(), items)
    described.insert(0, "rank", np.arange(1, len(described) + 1))
    return described.assign(score=scores[keep][:k].double().cpu().numpy())


def _known_users(users: Vocabulary, user_ids: Any) -> Tensor:
    """Indices of users, all of them known."""
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
            f"{len(users):,} users, {first!r} to {last!r}; offer a newcomer the "
            "most popular items, or train again with ratings of theirs"
        )
    return torch.from_numpy(user_idx)


def _top_unseen(
    model: Recommender, user_idx: Tensor, *, seen: Interactions, k: int
) -> tuple[Tensor, Tensor]:
    """Best scores and items of a block of users; a list that ends early goes on with -inf."""
    scores = model.score_users(user_idx.to(_device(model)))
    if scores.shape not in {(len(user_idx), seen.n_items + extra) for extra in (0, 1)}:
        raise ValueError(
            f"one score for each of {len(user_idx)} users and {seen.n_items} items is required, "
            f"got the shape {tuple(scores.shape)}"
        )
    scores = scores[:, : seen.n_items]
    bad = int((~scores.isfinite()).sum())
    if bad:
        raise ValueError(f"{bad:,} scores are NaN or infinite: nothing can be ranked by them")
    masked = scores.masked_fill(seen.dense(user_idx).to(scores.device), -torch.inf)
    best, item_idx = top_k(masked, k)
    return best.cpu(), item_idx.cpu()


@contextmanager
def _evaluating(model: object) -> Iterator[None]:
    """Dropout and the like switched off, and each part put back as it was."""
    parts = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode


def _device(model: object) -> torch.device:
    if not isinstance(model, nn.Module):
        return torch.device("cpu")
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _item_ids(items: Vocabulary | Interactions) -> Vocabulary:
    vocabulary = items if isinstance(items, Vocabulary) else items.items
    if vocabulary is None:
        raise ValueError("no item ids are known: build Interactions with Interactions.from_frame")
    return vocabulary


def _described(item_idx: NDArray[np.int64], items: Vocabulary | Interactions) -> pd.DataFrame:
    """``item_id``, and ``title`` where there is metadata with one."""
    frame = pd.DataFrame({"item_id": _item_ids(items).ids.take(item_idx)})
    metadata = None if isinstance(items, Vocabulary) else items.item_metadata
    if metadata is None or "title" not in metadata.columns:
        return frame
    return frame.assign(title=metadata["title"].take(item_idx).reset_index(drop=True))


def _cosine_index(vectors: Tensor | Index, n_items: int) -> Index:
    rows = len(vectors) if isinstance(vectors, Tensor) else len(vectors.vectors)
    if rows != n_items and not (isinstance(vectors, Tensor) and rows == n_items + 1):
        raise ValueError(f"one vector for each of {n_items} items is required, got {rows}")
    return ExactIndex(unit_vectors(vectors[:n_items])) if isinstance(vectors, Tensor) else vectors


def _check_length(length: float, item_id: Any) -> None:
    if length == 0:
        raise ValueError(
            f"the vector of item {item_id} is zero and points nowhere: none is similar"
        )
    if abs(length - 1) > 1e-3:
        raise ValueError(
            f"the index holds a vector of length {length:.3g}: build it on unit_vectors(vectors)"
        )
