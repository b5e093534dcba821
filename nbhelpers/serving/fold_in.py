"""Lists and scores for users who came after training, from a few positives and no training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.core.recommender import FoldsIn, Recommender
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.ids import item_ids_of
from nbhelpers.serving.recommend import recommend
from nbhelpers.serving.ridge import Ridge, ridge_start

NEW_USER = "new user"


def fold_in_users(
    model: Recommender, interactions: Interactions, *, ridge: Ridge | None = None
) -> Recommender:
    """Recommender for users who were not trained on, from their positives; no training.

    A model with a ``fold_in`` of its own uses it: EASE and ItemKNN give exactly what they would
    have given in training, ALS and IALS solve for the user's factors. Any other model whose score
    is a product of vectors (MatrixFactorization, TwoTower, MetricLearning) goes by ``ridge``. A
    model of ratings is none of these: here an item is positive or unknown.

    Parameters
    ----------
    model : Recommender
        Trained; it is not changed.
    interactions : Interactions
        Of new users, with the items of training. Without positives a user gets what the model
        had for such a user in training: the mean user's scores, or of EASE and ItemKNN those of
        popularity.
    ridge : Ridge, optional
        Only for models that go by it; left out, ``Ridge()``.

    Returns
    -------
    Recommender
        Whose user k is user k of ``interactions``: ready for ``recommend`` or for evaluation.

    Raises
    ------
    ValueError
        If the model can do neither, was trained on other items, has a ``fold_in`` and ``ridge``
        is passed, or a number of ``ridge`` is out of its range.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.item_item import EASE
    >>> train = Interactions([0, 0, 1, 1], [0, 1, 0, 2])
    >>> new = Interactions([0], [1], n_users=1, n_items=3)
    >>> fold_in_users(EASE(reg=1.0).fit(train), new).score_users(torch.tensor([0]))
    tensor([[ 0.5000,  0.0000, -0.2000]])
    """
    if isinstance(model, FoldsIn):
        if ridge is not None:
            raise ValueError(
                f"{type(model).__name__} folds in new users itself: leave ridge out, it is for "
                "models that have nothing but vectors"
            )
        return model.fold_in(interactions)
    return ridge_start(model, ridge or Ridge(), interactions).folded(interactions)


def fold_in_user(
    model: Recommender,
    item_ids: Any,
    *,
    items: Vocabulary | Interactions,
    k: int = 10,
    ridge: Ridge | None = None,
) -> pd.DataFrame:
    """Best items for a new user, from the items that they like; no training.

    Parameters
    ----------
    model : Recommender
        Trained: see ``fold_in_users``.
    item_ids : list-like of raw ids
        What the user likes, each once; never recommended.
    items : Vocabulary or Interactions
        Of training. Interactions with ``item_metadata`` add the titles.
    k : int
        Length of the list, at least 1.
    ridge : Ridge, optional
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

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8], "item_id": [1, 2, 1, 3]})
    >>> users, items = Vocabulary([7, 8]), Vocabulary([1, 2, 3])
    >>> train = Interactions.from_frame(rated, users=users, items=items)
    >>> fold_in_user(EASE(reg=1.0).fit(train), [2], items=items).round(2)
       rank  item_id  score
    0     1        1    0.5
    1     2        3   -0.2
    """
    interactions = interactions_of_new_user(item_ids, items)
    folded = fold_in_users(model, interactions, ridge=ridge)
    return recommend(folded, NEW_USER, seen=interactions, k=k)


def interactions_of_new_user(item_ids: Any, items: Vocabulary | Interactions) -> Interactions:
    """Interactions of one user, with the id "new user", who has some items.

    Parameters
    ----------
    item_ids : list-like of raw ids
        Each once.
    items : Vocabulary or Interactions
        Of training.

    Returns
    -------
    Interactions
        With the metadata of ``items``, if there are any.

    Raises
    ------
    KeyError
        If an item is unknown.
    ValueError
        If ``item_ids`` is no list, or an item comes twice.

    Examples
    --------
    >>> interactions_of_new_user([30, 10], Vocabulary([10, 20, 30])).indices.tolist()
    [0, 2]
    """
    vocabulary = item_ids_of(items)
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
        users=Vocabulary([NEW_USER]),
        items=vocabulary,
        item_metadata=None if isinstance(items, Vocabulary) else items.item_metadata,
    )
