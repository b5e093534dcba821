"""From a model to lists and scores with ids: of items for a user, of users for an item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.core.coverage import (
    require_same_catalog,
    require_same_items,
    require_same_users,
    trained_rows,
)
from nbhelpers.core.recommender import CHUNK_SIZE, Recommender, score_blocks, scores_of
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.ids import Unserved, described_items, requested, required_ids


def recommend(
    model: Recommender,
    user_id: Any,
    *,
    seen: Interactions,
    k: int = 10,
    unserved: Unserved = "error",
    chunk_size: int = CHUNK_SIZE,
) -> pd.DataFrame:
    """Best items that a user, or each of many, has not seen.

    Items that the model was not trained on are never listed, since their scores mean nothing.
    A model that does not say what it was trained on (see ``KnowsTraining``) is taken at its word.

    Parameters
    ----------
    model : Recommender
        A column more than there are items, as models with an unknown row have it, is left out.
    user_id : raw id, or list-like of raw ids
    seen : Interactions
        With the vocabularies ``users`` and ``items``; titles come from its ``item_metadata``.
    k : int
        Length of the list, at least 1. Where fewer unseen items remain there are fewer rows.
    unserved : {"error", "popular", "leave_out"}
        What becomes of users with an unknown id or without a positive in training: refused,
        given the items with the most positives in ``seen`` (whose ``score`` is that number), or
        left out. The last two print in one line how many users that concerns.
    chunk_size : int
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
        If a user is unknown, and ``unserved`` is "error".
    ValueError
        If a user has no positive in training, and ``unserved`` is "error"; if the model was
        trained on other users or items than those of ``seen``; if ``seen`` lacks a vocabulary,
        ``k`` or ``chunk_size`` is below 1, or the scores are not finite or not one for each item.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8, 9], "item_id": [1, 2, 1, 3, 1]})
    >>> users, items = Vocabulary([7, 8, 9, 10]), Vocabulary([1, 2, 3])
    >>> seen = Interactions.from_frame(rated, users=users, items=items)
    >>> recommend(EASE(reg=1.0).fit(seen), 7, seen=seen).round(2)
       rank  item_id  score
    0     1        3   0.14

    User 10 has no positive, and 11 is unknown:

    >>> recommend(EASE(reg=1.0).fit(seen), [7, 10, 11], seen=seen, k=1, unserved="popular").round(2)
    2 of 3 users cannot be served (1 unknown, 1 not trained on), e.g. 10: listed by popularity
       user_id  rank  item_id  score
    0        7     1        3   0.14
    1       10     1        1   3.00
    2       11     1        1   3.00
    """
    users, k = required_ids(seen.users, "user"), checked_k(k)
    require_one(chunk_size=chunk_size)
    require_same_catalog(model, seen)
    trained, listable = trained_rows(model, n_users=seen.n_users, n_items=seen.n_items)
    several = pd.api.types.is_list_like(user_id)
    asked = requested(
        user_id if several else [user_id], users, trained, unserved=unserved, name="user"
    )
    popularity = _Popularity(seen.item_counts)
    own = _best_items(
        model,
        asked.idx[asked.served],
        candidates=listable,
        seen=seen,
        k=k,
        chunk_size=chunk_size,
    )
    popular = _best_items(
        popularity,
        asked.idx[~asked.served],
        candidates=popularity.counts > 0,
        seen=seen,
        k=k,
        chunk_size=chunk_size,
    )
    scores, item_idx = _in_order(asked.served, own, popular)
    frame = _listed(scores, item_idx, user_ids=asked.ids, seen=seen)
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
    users = required_ids(seen.users, "user")
    user_ids = users.ids.take(user_idx.cpu().numpy())
    return _listed(scores.cpu(), item_idx.cpu(), user_ids=user_ids, seen=seen)


def recommend_users(
    model: Recommender,
    item_id: Any,
    *,
    seen: Interactions,
    k: int = 10,
    unserved: Unserved = "error",
    chunk_size: int = CHUNK_SIZE,
) -> pd.DataFrame:
    """Users with the highest score of an item, or of each of many, who have not seen it.

    Scores of different users mean the same only if training made them so, as a logistic loss or
    one on ratings does; BPR, hinge and WARP compare items of one user, and leave the level of
    each user's scores to chance. Users that the model was not trained on are never listed.

    Parameters
    ----------
    model : Recommender
        It is asked for every score of every user, once for all items asked for.
    item_id : raw id, or list-like of raw ids
    seen : Interactions
        With the vocabularies ``users`` and ``items``.
    k : int
        Length of the list, at least 1. Where fewer users remain there are fewer rows.
    unserved : {"error", "popular", "leave_out"}
        What becomes of items with an unknown id or without a positive in training: refused,
        given the users with the most positives in ``seen`` (whose ``score`` is that number), or
        left out. The last two print in one line how many items that concerns.
    chunk_size : int
        Scores held at a time; at least those of one user are.

    Returns
    -------
    DataFrame
        One row a user, best first, of equal scores the smaller index first: ``rank`` from 1,
        ``user_id`` and ``score``. For many items ``item_id`` comes first, and the lists follow
        each other in the order asked for.

    Raises
    ------
    KeyError
        If an item is unknown, and ``unserved`` is "error".
    ValueError
        As for ``recommend``.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8, 9], "item_id": [1, 2, 1, 3, 1]})
    >>> users, items = Vocabulary([7, 8, 9]), Vocabulary([1, 2, 3])
    >>> seen = Interactions.from_frame(rated, users=users, items=items)
    >>> recommend_users(EASE(reg=1.0).fit(seen), 2, seen=seen).round(2)
       rank  user_id  score
    0     1        9   0.29
    1     2        8   0.14
    """
    users, items = required_ids(seen.users, "user"), required_ids(seen.items, "item")
    require_same_catalog(model, seen)
    candidates, trained = trained_rows(model, n_users=seen.n_users, n_items=seen.n_items)
    several = pd.api.types.is_list_like(item_id)
    asked = requested(
        item_id if several else [item_id], items, trained, unserved=unserved, name="item"
    )
    own = _best_users(
        _columns(model, asked.idx[asked.served], candidates, seen=seen, chunk_size=chunk_size),
        asked.idx[asked.served],
        seen=seen,
        k=k,
    )
    popular = _best_users(
        _activity(seen, asked.idx[~asked.served]), asked.idx[~asked.served], seen=seen, k=k
    )
    scores, user_idx = _in_order(asked.served, own, popular)
    score = scores.numpy()
    row, column = np.nonzero(score > -np.inf)
    frame = pd.DataFrame(
        {
            "item_id": asked.ids.take(row),
            "rank": column + 1,
            "user_id": users.ids.take(user_idx.numpy()[row, column]),
            "score": score[row, column],
        }
    )
    return frame if several else frame.drop(columns="item_id")


def scores_by_item(
    model: Recommender,
    user_id: Any,
    *,
    users: Vocabulary,
    items: Vocabulary,
    unserved: Literal["error", "leave_out"] = "error",
) -> pd.Series[float]:
    """Scores of all items for a user, seen or not.

    Parameters
    ----------
    model : Recommender
    user_id : raw id
    users, items : Vocabulary
    unserved : {"error", "leave_out"}
        What becomes of a user with an unknown id or without a positive in training: refused, or
        given no scores at all (NaN), which is printed.

    Returns
    -------
    Series of float, named ``score``
        In the order of the vocabulary, its index the ``item_id``; NaN for items that the model
        was not trained on.

    Raises
    ------
    KeyError
        If the user is unknown, and ``unserved`` is "error".
    ValueError
        If the user has no positive in training, and ``unserved`` is "error"; if the model was
        trained on other users or items; if the scores are not finite, or not one for each item.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8], "item_id": [1, 2, 1, 3]})
    >>> users, items = Vocabulary([7, 8]), Vocabulary([1, 2, 3])
    >>> model = EASE(reg=1.0).fit(Interactions.from_frame(rated, users=users, items=items))
    >>> scores_by_item(model, 7, users=users, items=items).round(2)
    item_id
    1    0.5
    2    0.4
    3    0.2
    Name: score, dtype: float64
    """
    _require_vocabularies(model, users, items)
    trained, scored = trained_rows(model, n_users=len(users), n_items=len(items))
    asked = requested([user_id], users, trained, unserved=unserved, name="user")
    scores = torch.full((len(items),), torch.nan, dtype=torch.float64)
    if len(asked.ids):
        row = scores_of(model, asked.idx, n_items=len(items))[0].cpu().double()
        scores = torch.where(scored, row, scores)
    return pd.Series(scores.numpy(), index=items.ids.rename("item_id"), name="score")


def scores_by_user(
    model: Recommender,
    item_id: Any,
    *,
    users: Vocabulary,
    items: Vocabulary,
    unserved: Literal["error", "leave_out"] = "error",
    chunk_size: int = CHUNK_SIZE,
) -> pd.Series[float]:
    """Scores of an item for all users, who can be compared only as in ``recommend_users``.

    Parameters
    ----------
    model : Recommender
    item_id : raw id
    users, items : Vocabulary
    unserved : {"error", "leave_out"}
        What becomes of an item with an unknown id or without a positive in training: refused,
        or given no scores at all (NaN), which is printed.
    chunk_size : int
        Scores held at a time; at least those of one user are.

    Returns
    -------
    Series of float, named ``score``
        In the order of the vocabulary, its index the ``user_id``; NaN for users that the model
        was not trained on.

    Raises
    ------
    KeyError
        If the item is unknown, and ``unserved`` is "error".
    ValueError
        If the item has no positive in training, and ``unserved`` is "error"; if the model was
        trained on other users or items; if ``chunk_size`` is below 1, or the scores are not
        finite or not one for each item.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8], "item_id": [1, 2, 1, 3]})
    >>> users, items = Vocabulary([7, 8]), Vocabulary([1, 2, 3])
    >>> model = EASE(reg=1.0).fit(Interactions.from_frame(rated, users=users, items=items))
    >>> scores_by_user(model, 3, users=users, items=items).round(2)
    user_id
    7    0.2
    8    0.4
    Name: score, dtype: float64
    """
    _require_vocabularies(model, users, items)
    scored, trained = trained_rows(model, n_users=len(users), n_items=len(items))
    asked = requested([item_id], items, trained, unserved=unserved, name="item")
    scores = torch.full((len(users),), torch.nan, dtype=torch.float64)
    if len(asked.ids):
        everyone = scored.nonzero().squeeze(1)
        blocks = score_blocks(model, everyone, n_items=len(items), chunk_size=chunk_size)
        for block, table in blocks:
            scores[block] = table[:, int(asked.idx)].cpu().double()
    return pd.Series(scores.numpy(), index=users.ids.rename("user_id"), name="score")


def _require_vocabularies(model: Recommender, users: Vocabulary, items: Vocabulary) -> None:
    require_same_users(model, len(users), users)
    require_same_items(model, len(items), items)


class _Popularity:
    """Recommender of the same counts for everybody, those with unknown ids included."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.counts = torch.tensor(counts, dtype=torch.float64)

    def score_users(self, user_idx: Tensor) -> Tensor:
        return self.counts.expand(len(user_idx), -1)


def _best_items(
    model: Recommender,
    user_idx: Tensor,
    *,
    candidates: Tensor,
    seen: Interactions,
    k: int,
    chunk_size: int,
) -> tuple[Tensor, Tensor]:
    """Best scores and candidates for users who have not seen them: (n, min(k, n_items)) each."""
    width = min(k, seen.n_items)
    best = torch.empty(len(user_idx), width, dtype=torch.float64)
    best_idx = torch.empty(len(user_idx), width, dtype=torch.int64)
    filled = 0
    for block, scores in score_blocks(model, user_idx, n_items=seen.n_items, chunk_size=chunk_size):
        hidden = _seen_by(block, seen) | ~candidates  # (batch, n_items)
        rows = slice(filled, filled := filled + len(block))
        best[rows], best_idx[rows] = top_k(
            scores.masked_fill(hidden.to(scores.device), -torch.inf), k
        )
    return best, best_idx


def _seen_by(user_idx: Tensor, seen: Interactions) -> Tensor:
    """Which items each user has seen, shape (batch, n_items); none of an unknown user."""
    known = user_idx < seen.n_users
    mask = torch.zeros(len(user_idx), seen.n_items, dtype=torch.bool)
    mask[known] = seen.dense(user_idx[known])
    return mask


def _columns(
    model: Recommender,
    item_idx: Tensor,
    candidates: Tensor,
    *,
    seen: Interactions,
    chunk_size: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of candidate users, and their scores of some items, shape (batch, n_asked)."""
    users = candidates.nonzero().squeeze(1) if len(item_idx) else candidates.new_empty(0).long()
    for block, scores in score_blocks(model, users, n_items=seen.n_items, chunk_size=chunk_size):
        yield block, scores[:, item_idx.to(scores.device)].cpu().double()


def _activity(seen: Interactions, item_idx: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """One block of all users with positives, and how many these are, for each of some items."""
    counts = torch.tensor(seen.user_counts)
    users = counts.nonzero().squeeze(1)
    yield users, counts[users].double().unsqueeze(1).expand(-1, len(item_idx))


def _best_users(
    blocks: Iterator[tuple[Tensor, Tensor]], item_idx: Tensor, *, seen: Interactions, k: int
) -> tuple[Tensor, Tensor]:
    """Best scores and users of each item; each block is merged into the best so far."""
    best = torch.empty(len(item_idx), 0, dtype=torch.float64)
    best_idx = torch.empty(len(item_idx), 0, dtype=torch.int64)
    for block, scores in blocks:
        unseen = scores.masked_fill(_pairs_seen(block, item_idx, seen), -torch.inf)
        user_idx = torch.cat([best_idx, block.expand(len(item_idx), -1)], dim=1)
        best, column = top_k(torch.cat([best, unseen.T], dim=1), k)
        best_idx = user_idx.gather(1, column.clamp(min=0))  # at -inf it is nobody's
    return best, best_idx


def _pairs_seen(user_idx: Tensor, item_idx: Tensor, seen: Interactions) -> Tensor:
    """Whether each user has seen each item, shape (batch, n_asked); nobody an unknown item."""
    known = item_idx < seen.n_items
    had = torch.zeros(len(user_idx), len(item_idx), dtype=torch.bool)
    had[:, known] = seen.contains(user_idx.unsqueeze(1), item_idx[known])
    return had


def _in_order(
    served: Tensor, own: tuple[Tensor, Tensor], popular: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Scores and indices of the lists of those served and of the others, in the order asked."""
    width = max(own[0].shape[1], popular[0].shape[1])
    scores = torch.full((len(served), width), -torch.inf, dtype=torch.float64)
    indices = torch.full((len(served), width), -1)
    for rows, (best, best_idx) in ((served, own), (~served, popular)):
        scores[rows, : best.shape[1]] = best
        indices[rows, : best.shape[1]] = best_idx
    return scores, indices


def _listed(
    scores: Tensor, item_idx: Tensor, *, user_ids: pd.Index[Any], seen: Interactions
) -> pd.DataFrame:
    """Lists of some users as one long frame."""
    score = scores.double().numpy()
    row, column = np.nonzero(score > -np.inf)
    described = described_items(item_idx.numpy()[row, column], seen)
    described.insert(0, "user_id", user_ids.take(row))
    described.insert(1, "rank", column + 1)
    return described.assign(score=score[row, column])
