"""Lists and scores for users who came after training, from a few positives and no training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.core.folded import FoldedRows, FoldedVectors
from nbhelpers.core.recommender import Recommender
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.fold_in_solvers import (
    Ridge,
    check_items,
    item_rows,
    ridge_start,
)
from nbhelpers.serving.ids import required_ids
from nbhelpers.serving.recommend import recommend


def fold_in_users(
    model: Recommender,
    histories: Interactions,
    *,
    ridge: Ridge | None = None,
    n_users: int | None = None,
) -> FoldedVectors | FoldedRows:
    """Recommender for users whom the model has never met, from their positives; no training.

    What the model brings decides: the weights of EASE or the neighbors of ItemKNN give exactly
    what they would have given in training; the factors of ALS and IALS are solved by their own
    ``fold_in``; any other model whose score is a product of vectors (MatrixFactorization,
    TwoTower, MetricLearning) goes by ``ridge``. A model of ratings is none of these: here an item
    is positive or unknown.

    Parameters
    ----------
    model : Recommender
        Trained; it is not changed.
    histories : Interactions
        Of newcomers, with the items of training. Without positives a user gets what the model
        had for such a user in training: the mean user's scores, or of EASE and ItemKNN those of
        popularity.
    ridge : Ridge, optional
        Only for models that go by it; left out, ``Ridge()``.
    n_users : int, optional
        Users of training, whose mean is where ``ridge`` starts; left out, the rows of
        ``model.user_factors``.

    Returns
    -------
    FoldedVectors or FoldedRows
        Whose user k is user k of ``histories``: ready for ``recommend`` or for evaluation.

    Raises
    ------
    ValueError
        If the model can do none of these, has another number of items, or a number of
        ``ridge`` is out of its range.
    """
    rows = item_rows(model)
    if rows is not None:
        check_items(rows.said.shape[0], histories.n_items)
        return FoldedRows(histories, *rows)
    if hasattr(model, "fold_in"):
        folded: FoldedVectors = model.fold_in(histories)
        return folded
    start = ridge_start(model, ridge or Ridge(), n_items=histories.n_items, n_users=n_users)
    return FoldedVectors(start.users(histories), start.vectors, y_range=start.y_range)


def fold_in_user(
    model: Recommender,
    item_ids: Any,
    *,
    items: Vocabulary | Interactions,
    k: int = 10,
    ridge: Ridge | None = None,
    n_users: int | None = None,
) -> pd.DataFrame:
    """Best items for a newcomer, from the items that they like; no training.

    Parameters
    ----------
    model : Recommender
        Trained: see ``fold_in_users``.
    item_ids : list-like of raw ids
        What the newcomer likes, each once; never recommended.
    items : Vocabulary or Interactions
        Of training. Interactions with ``item_metadata`` add the titles.
    k : int
        Length of the list, at least 1.
    ridge, n_users
        As for ``fold_in_users``.

    Returns
    -------
    DataFrame
        As of ``recommend``: ``rank`` from 1, ``item_id``, ``title`` if known, and ``score``.

    Raises
    ------
    KeyError
        If an item is unknown; the message names up to three.
    ValueError
        If an item comes twice, ``k`` is below 1, or as for ``fold_in_users``.
    """
    history = history_of(item_ids, items)
    newcomer = fold_in_users(model, history, ridge=ridge, n_users=n_users)
    return recommend(newcomer, "newcomer", seen=history, k=k)


def history_of(item_ids: Any, items: Vocabulary | Interactions) -> Interactions:
    """One user, "newcomer", who has some items, each once."""
    metadata = None if isinstance(items, Vocabulary) else items.item_metadata
    vocabulary = items if isinstance(items, Vocabulary) else required_ids(items.items, "item")
    if not pd.api.types.is_list_like(item_ids):
        raise ValueError(f"a list of item ids is required, got {item_ids!r}")
    wanted = pd.Series(list(item_ids))
    repeated = wanted[wanted.duplicated()]
    if len(repeated):
        raise ValueError(f"each item can come once, got {repeated.iloc[0]} again")
    item_idx = vocabulary.encode_known(wanted)
    return Interactions(
        np.zeros(len(item_idx), dtype=np.int64),
        item_idx,
        users=Vocabulary(["newcomer"]),
        items=vocabulary,
        item_metadata=metadata,
    )
