"""From a model to lists and scores with ids: of items for a user, of users for an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbhelpers.core.recommender import Recommender, score_blocks, scores_of
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.ids import described_items, known_users, required_ids
from nbhelpers.serving.index import CHUNK_SIZE


def recommend(
    model: Recommender,
    user_id: Any,
    *,
    seen: Interactions,
    k: int = 10,
    chunk_size: int = CHUNK_SIZE,
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
        If a user is unknown.
    ValueError
        If ``seen`` lacks a vocabulary, ``k`` or ``chunk_size`` is below 1, or the scores are
        not finite or not one for each item.
    """
    users, k = required_ids(seen.users, "user"), checked_k(k)
    several = pd.api.types.is_list_like(user_id)
    asked = known_users(users, user_id if several else [user_id])
    best, best_idx = [], []
    for block, scores in score_blocks(model, asked, n_items=seen.n_items, chunk_size=chunk_size):
        unseen = scores.masked_fill(seen.dense(block).to(scores.device), -torch.inf)
        found, item_idx = top_k(unseen, k)
        best.append(found.cpu())
        best_idx.append(item_idx.cpu())
    frame = titled(torch.cat(best), torch.cat(best_idx), user_idx=asked, seen=seen)
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
    score = scores.cpu().double().numpy()
    row, column = np.nonzero(score > -np.inf)
    described = described_items(item_idx.cpu().numpy()[row, column], seen)
    described.insert(0, "user_id", users.ids.take(user_idx.cpu().numpy()[row]))
    described.insert(1, "rank", column + 1)
    return described.assign(score=score[row, column])


def recommend_users(
    model: Recommender,
    item_id: Any,
    *,
    seen: Interactions,
    k: int = 10,
    chunk_size: int = CHUNK_SIZE,
) -> pd.DataFrame:
    """Users with the highest score of an item, or of each of many, who have not seen it.

    Scores of different users mean the same only if training made them so, as a logistic loss or
    one on ratings does; BPR, hinge and WARP compare items of one user, and leave the level of
    each user's scores to chance.

    Parameters
    ----------
    model : Recommender
        It is asked for every score of every user, once for all items asked for.
    item_id : raw id, or list-like of raw ids
    seen : Interactions
        With the vocabularies ``users`` and ``items``.
    k : int
        Length of the list, at least 1. Where fewer users remain there are fewer rows.
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
        If an item is unknown.
    ValueError
        As for ``recommend``.
    """
    users, items = required_ids(seen.users, "user"), required_ids(seen.items, "item")
    several = pd.api.types.is_list_like(item_id)
    wanted = list(item_id) if several else [item_id]
    if not wanted:
        raise ValueError("item_id is empty: pass at least one item")
    asked = torch.from_numpy(items.encode_known(wanted))
    scores, user_idx = _best_users(model, asked, seen=seen, k=k, chunk_size=chunk_size)
    score = scores.double().numpy()
    row, column = np.nonzero(score > -np.inf)
    frame = pd.DataFrame(
        {
            "item_id": items.ids.take(asked.numpy()[row]),
            "rank": column + 1,
            "user_id": users.ids.take(user_idx.numpy()[row, column]),
            "score": score[row, column],
        }
    )
    return frame if several else frame.drop(columns="item_id")


def scores_by_item(
    model: Recommender, user_id: Any, *, users: Vocabulary, items: Vocabulary
) -> pd.Series[float]:
    """Scores of all items for a user, seen or not.

    Parameters
    ----------
    model : Recommender
    user_id : raw id
    users, items : Vocabulary

    Returns
    -------
    Series of float, named ``score``
        In the order of the vocabulary, its index the ``item_id``.

    Raises
    ------
    KeyError
        If the user is unknown.
    ValueError
        If the scores are not finite, or not one for each item.
    """
    scores = scores_of(model, known_users(users, [user_id]), n_items=len(items))[0]
    return _series(scores, items, "item_id")


def scores_by_user(
    model: Recommender,
    item_id: Any,
    *,
    users: Vocabulary,
    items: Vocabulary,
    chunk_size: int = CHUNK_SIZE,
) -> pd.Series[float]:
    """Scores of an item for all users, who can be compared only as in ``recommend_users``.

    Parameters
    ----------
    model : Recommender
    item_id : raw id
    users, items : Vocabulary
    chunk_size : int
        Scores held at a time; at least those of one user are.

    Returns
    -------
    Series of float, named ``score``
        In the order of the vocabulary, its index the ``user_id``.

    Raises
    ------
    KeyError
        If the item is unknown.
    ValueError
        If ``chunk_size`` is below 1, or the scores are not finite or not one for each item.
    """
    column, n_items = int(items.encode_known([item_id])[0]), len(items)
    everyone = torch.arange(len(users))
    blocks = score_blocks(model, everyone, n_items=n_items, chunk_size=chunk_size)
    return _series(torch.cat([scores[:, column].clone() for _, scores in blocks]), users, "user_id")


def _best_users(
    model: Recommender, asked: Tensor, *, seen: Interactions, k: int, chunk_size: int
) -> tuple[Tensor, Tensor]:
    """Best scores and users of each item; each block is merged into the best so far."""
    best = torch.empty(len(asked), 0)
    best_idx = torch.empty(len(asked), 0, dtype=torch.int64)
    for block, scores in score_blocks(
        model, torch.arange(seen.n_users), n_items=seen.n_items, chunk_size=chunk_size
    ):
        had = seen.contains(block.unsqueeze(1), asked)  # (batch, n_asked)
        fresh = scores[:, asked.to(scores.device)].cpu().masked_fill(had, -torch.inf)
        user_idx = torch.cat([best_idx, block.expand(len(asked), -1)], dim=1)
        best, column = top_k(torch.cat([best.to(fresh), fresh.T], dim=1), k)
        best_idx = user_idx.gather(1, column.clamp(min=0))  # at -inf it is nobody's
    return best, best_idx


def _series(scores: Tensor, vocabulary: Vocabulary, name: str) -> pd.Series[float]:
    values = scores.cpu().double().numpy()
    return pd.Series(values, index=vocabulary.ids.rename(name), name="score")
