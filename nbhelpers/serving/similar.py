"""Neighbors among vectors: items like an item, users like a user."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.core.recommender import CHUNK_SIZE, HasVectors
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.ids import described_items, item_ids_of, required_ids
from nbhelpers.serving.index import Index, checked_vectors, unit_vectors, vector_table


def similar_items(
    vectors: Tensor | HasVectors | Index,
    item_id: Any,
    *,
    items: Vocabulary | Interactions,
    k: int = 10,
    support: ArrayLike | None = None,
    min_support: float = 0,
    shrinkage: float = 0.0,
) -> pd.DataFrame:
    """Items whose vectors point most nearly the same way, without the item itself.

    Parameters
    ----------
    vectors : Tensor of float, shape (n_items, d), model with vectors, or Index
        Of a table with an unknown row that last row is left out. Of a model these are the vectors
        whose products are scores: a column for the bias counts like any other. An index must be
        built on ``unit_vectors(vectors)``, since it searches by cosine; so it can serve neither
        ``min_support`` nor ``shrinkage``.
    item_id : raw id
    items : Vocabulary or Interactions
        Interactions with ``item_metadata`` add the titles.
    k : int
        Length of the list, at least 1. Where fewer items remain there are fewer rows.
    support : array of int, shape (n_items,), optional
        Positives of each item; left out, the ``item_counts`` of Interactions.
    min_support : float
        Items with fewer positives are left out.
    shrinkage : float
        At least 0; a neighbor with n positives scores cosine * n / (n + shrinkage), so that a
        vector learned from little counts for less. It pulls the list toward popular items.

    Returns
    -------
    DataFrame
        One row an item, best first, of equal scores the smaller index first: ``rank`` from 1,
        ``item_id``, ``title`` if known, and ``score``, the cosine after shrinkage.

    Raises
    ------
    KeyError
        If the item is unknown.
    ValueError
        If there is not one vector for each item, the item's vector is zero, an index holds
        vectors of other lengths than 1 or shall serve support or shrinkage, no support is
        known where it is needed, or a number is outside its range.

    Examples
    --------
    >>> vectors = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    >>> similar_items(vectors, 102, items=Vocabulary([101, 102, 103])).round(2)
       rank  item_id  score
    0     1      103    0.8
    1     2      101    0.6
    """
    if isinstance(items, Interactions) and support is None:
        support = items.item_counts
    vocabulary = item_ids_of(items)
    weights = _support_weights(
        support, len(vocabulary), min_support=min_support, shrinkage=shrinkage
    )
    item_idx, score = _similar(vectors, item_id, vocabulary, k=k, weights=weights, name="item")
    described = described_items(item_idx, items)
    described.insert(0, "rank", np.arange(1, len(described) + 1))
    return described.assign(score=score)


def similar_users(
    vectors: Tensor | HasVectors | Index,
    user_id: Any,
    *,
    users: Vocabulary | Interactions,
    k: int = 10,
    support: ArrayLike | None = None,
    min_support: float = 0,
    shrinkage: float = 0.0,
) -> pd.DataFrame:
    """Users whose vectors point most nearly the same way, without the user.

    Parameters
    ----------
    vectors : Tensor of float, shape (n_users, d), model with vectors, or Index
    user_id : raw id
    users : Vocabulary or Interactions
    k : int
    support : array of int, shape (n_users,), optional
        Positives of each user; left out, the ``user_counts`` of Interactions.
    min_support, shrinkage : float
        All as in ``similar_items``.

    Returns
    -------
    DataFrame
        As of ``similar_items``: ``rank``, ``user_id`` and ``score``.

    Raises
    ------
    KeyError
        If the user is unknown.
    ValueError
        As for ``similar_items``.

    Examples
    --------
    >>> vectors = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    >>> similar_users(vectors, 8, users=Vocabulary([7, 8, 9]), k=1).round(2)
       rank  user_id  score
    0     1        9    0.8
    """
    if isinstance(users, Interactions) and support is None:
        support = users.user_counts
    vocabulary = users if isinstance(users, Vocabulary) else required_ids(users.users, "user")
    weights = _support_weights(
        support, len(vocabulary), min_support=min_support, shrinkage=shrinkage
    )
    user_idx, score = _similar(vectors, user_id, vocabulary, k=k, weights=weights, name="user")
    rank = np.arange(1, len(user_idx) + 1)
    found = vocabulary.ids.take(user_idx)
    return pd.DataFrame({"rank": rank, "user_id": found, "score": score})


@torch.no_grad()
def neighbor_lists(
    vectors: Tensor,
    asked: Tensor,
    *,
    k: int = 10,
    support: ArrayLike | None = None,
    min_support: float = 0,
    shrinkage: float = 0.0,
    chunk_size: int = CHUNK_SIZE,
) -> tuple[Tensor, Tensor]:
    """Neighbors of many rows at once, as indices: what ``similar_items`` finds for one.

    Parameters
    ----------
    vectors : Tensor of float, shape (n, d)
    asked : Tensor of int, shape (n_asked,)
        Rows whose neighbors are wanted.
    k : int
        At least 1.
    support : array of int, shape (n,), optional
        Positives of each row; needed for the next two.
    min_support, shrinkage : float
        As in ``similar_items``.
    chunk_size : int
        Scores held at a time; at least those of one row are.

    Returns
    -------
    scores, lists : Tensor, shape (n_asked, min(k, n))
        Best first, without the row itself; -inf and -1 where a list ends early. The list of a
        zero vector, which points nowhere, is empty.

    Raises
    ------
    ValueError
        If the vectors are no matrix of finite numbers, support is needed and missing or of
        another length, or a number is outside its range.

    Examples
    --------
    >>> vectors = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    >>> scores, lists = neighbor_lists(vectors, torch.tensor([1, 0]), k=2)
    >>> lists.tolist()
    [[2, 0], [1, 2]]
    """
    require_one(chunk_size=chunk_size)
    unit, k = unit_vectors(checked_vectors(vectors)), checked_k(k)
    weights = _support_weights(support, len(unit), min_support=min_support, shrinkage=shrinkage)
    blocks = asked.to(unit.device).split(max(1, chunk_size // len(unit)))
    found = [top_k(_scores(unit, block, weights), k) for block in blocks]
    scores, lists = (torch.cat(part) for part in zip(*found, strict=True))
    return scores, lists


def _support_weights(
    support: ArrayLike | None, n: int, *, min_support: float, shrinkage: float
) -> Tensor | None:
    """Factor of each neighbor's cosine, -1 for those to leave out; None if all count fully."""
    if not (0 <= min_support < math.inf and 0 <= shrinkage < math.inf):
        raise ValueError(
            f"min_support and shrinkage must be at least 0 and finite, got {min_support} and "
            f"{shrinkage}"
        )
    if not min_support and not shrinkage:
        return None
    if support is None:
        raise ValueError("min_support and shrinkage need counts: pass support or Interactions")
    counts = torch.tensor(np.asarray(support, dtype=np.float64))
    if counts.shape != (n,) or not bool((counts >= 0).all()):
        raise ValueError(f"support must hold {n} counts of 0 or more, got {support!r:.60}")
    factor = counts / (counts + shrinkage) if shrinkage else torch.ones_like(counts)
    return factor.masked_fill(counts < min_support, -1.0)


def _scores(unit: Tensor, rows: Tensor, weights: Tensor | None) -> Tensor:
    """Scores of all neighbors of some rows, shape (batch, n), -inf for those not to list."""
    wanted = unit[rows]  # (batch, d)
    scores = wanted @ unit.T
    if weights is not None:
        factor = weights.to(scores)
        scores = (scores * factor).masked_fill_(factor < 0, -torch.inf)
    scores[~wanted.any(dim=1)] = -torch.inf
    return scores.scatter_(1, rows.unsqueeze(1), -torch.inf)


def _similar(
    vectors: Tensor | HasVectors | Index,
    raw_id: Any,
    vocabulary: Vocabulary,
    *,
    k: int,
    weights: Tensor | None,
    name: Literal["user", "item"],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Indices and scores of the neighbors of one id."""
    row, n = int(vocabulary.encode_known([raw_id])[0]), len(vocabulary)
    if isinstance(vectors, Index):
        n_rows, sizes = vectors.n_items, [n]
    else:
        table = vector_table(vectors, name)
        n_rows, sizes = len(table), [n, n + 1]  # the last row: unknown ids
    if n_rows not in sizes:
        raise ValueError(f"one vector for each of {n} {name}s is required, got {n_rows}")
    rows = torch.tensor([row])
    own = vectors.vectors_of(rows) if isinstance(vectors, Index) else table[rows]
    if not own.any():
        raise ValueError(
            f"the vector of {name} {raw_id} is zero and points nowhere: none is similar"
        )
    if isinstance(vectors, Index):
        scores, found = _searched(vectors, row, checked_k(k), weights)
    else:
        unit = unit_vectors(checked_vectors(table[:n]))
        scores, found = top_k(_scores(unit, rows.to(unit.device), weights), checked_k(k))
    keep = found >= 0
    return found[keep].cpu().numpy(), scores[keep].cpu().double().numpy()


def _searched(index: Index, row: int, k: int, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scores and indices from an index, which is asked for one more: the row itself."""
    if weights is not None:
        raise ValueError(
            "an index searches by cosine alone: pass the vectors for min_support or shrinkage"
        )
    query = index.vectors_of(torch.tensor([row]))  # (1, d)
    length = float(query.double().norm())
    if abs(length - 1) > 1e-2:  # in one byte a number, a length of 1 is kept roughly
        raise ValueError(
            f"the index holds a vector of length {length:.3g}: build it on unit_vectors(vectors)"
        )
    scores, found = index.search(query, k + 1)
    others = found != row
    return scores[others][:k], found[others][:k]
