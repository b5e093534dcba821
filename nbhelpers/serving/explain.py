"""Why this item: which of a user's positives speak for it, and how much each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.recommender import Recommender, scores_of
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.fold_in import history_of
from nbhelpers.serving.fold_in_solvers import (
    Ridge,
    check_items,
    item_rows,
    ridge_start,
)
from nbhelpers.serving.ids import described_items, required_ids


class Explanation(NamedTuple):
    """A score taken apart: ``rest`` + the sum of the contributions is ``score``.

    Attributes
    ----------
    score : float
        Before a ``y_range`` of the model bounds it, if the parts are exact.
    rest : float
        What no positive accounts for.
    contributions : DataFrame
        One row a positive, the largest contribution first: ``item_id``, ``title`` if known, and
        ``contribution``.
    """

    score: float
    rest: float
    contributions: pd.DataFrame


def explain(
    model: Recommender,
    item_id: Any,
    *,
    positives: Any,
    items: Vocabulary | Interactions,
    ridge: Ridge | None = None,
    n_users: int | None = None,
) -> Explanation:
    """Exact contribution of each of a user's positives to the score of an item.

    Of the score that ``fold_in_users`` gives for these positives. For EASE and ItemKNN that is
    the score of training, and ``rest`` is 0. For ALS and IALS it is nearly that (the last sweep
    moved the items after the users), and ``rest`` is 0. With ``ridge`` the user has another
    vector than training gave, and ``rest`` is the score of the mean user.

    Parameters
    ----------
    model : Recommender
        One that can fold in; for others see ``explain_by_removal``.
    item_id : raw id
    positives : list-like of raw ids
        At least one, each once.
    items : Vocabulary or Interactions
        Of training. Interactions with ``item_metadata`` add the titles.
    ridge, n_users
        As for ``fold_in_users``.

    Returns
    -------
    Explanation

    Raises
    ------
    KeyError
        If an item is unknown.
    ValueError
        If there is no positive, one comes twice, or the model cannot fold in.

    References
    ----------
    Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets,
    sec. 5 (for ALS), https://doi.org/10.1109/ICDM.2008.22
    """
    item_idx, own, history = _asked(item_id, positives, items)
    rows = item_rows(model)
    if rows is not None:
        check_items(rows.said.shape[0], history.n_items)
        return _explanation(_column(rows.said, own, item_idx), rest=0.0, own=own, items=items)
    if hasattr(model, "explain"):
        return _explanation(model.explain(item_idx, history), rest=0.0, own=own, items=items)
    start = ridge_start(model, ridge or Ridge(), n_items=history.n_items, n_users=n_users)
    check_items(len(start.vectors), history.n_items)
    item = start.vectors[item_idx]
    parts = (start.steps(torch.from_numpy(own)) @ item).cpu()
    return _explanation(parts, rest=float(start.mean @ item), own=own, items=items)


def explain_by_removal(
    fold: Callable[[Interactions], Recommender],
    item_id: Any,
    *,
    positives: Any,
    items: Vocabulary | Interactions,
) -> Explanation:
    """How far the score of an item falls when each of a user's positives is taken away alone.

    For models of any form. Positives that say the same stand in for each other, so each may
    count for little while together they are everything: ``rest`` is then large.

    Parameters
    ----------
    fold : callable
        Gives a recommender for the users of some ``Interactions``, of which it is called with
        two or more users at once: ``partial(fold_in_users, model)``, or one that trains.
    item_id : raw id
    positives : list-like of raw ids
        At least two, each once.
    items : Vocabulary or Interactions
        Of training. Interactions with ``item_metadata`` add the titles.

    Returns
    -------
    Explanation

    Raises
    ------
    KeyError
        If an item is unknown.
    ValueError
        If there are fewer than two positives, or one comes twice.
    """
    item_idx, own, history = _asked(item_id, positives, items)
    if len(own) < 2:
        raise ValueError(f"at least two positives are required, got {len(own)}: one cannot go")
    n = len(own)
    kept = np.concatenate([np.ones((1, n), dtype=bool), ~np.eye(n, dtype=bool)])  # (n + 1, n)
    user_idx, place = np.nonzero(kept)  # user 0 has all, user k + 1 all but the k-th
    variants = Interactions(user_idx, own[place], n_users=n + 1, n_items=history.n_items)
    scores = scores_of(fold(variants), torch.arange(n + 1), n_items=history.n_items)
    score = scores[:, item_idx].double().cpu()
    parts = score[0] - score[1:]
    return _explanation(parts, rest=float(score[0] - parts.sum()), own=own, items=items)


def _asked(
    item_id: Any, positives: Any, items: Vocabulary | Interactions
) -> tuple[int, NDArray[np.int64], Interactions]:
    """Index of the item, those of the positives, and the positives as a history."""
    history = history_of(positives, items)
    if not len(history):
        raise ValueError("positives is empty: without one there is nothing to explain")
    item_idx = int(_vocabulary(items).encode_known([item_id])[0])
    return item_idx, history.indices.astype(np.int64), history


def _vocabulary(items: Vocabulary | Interactions) -> Vocabulary:
    return items if isinstance(items, Vocabulary) else required_ids(items.items, "item")


def _column(rows: NDArray[Any] | csr_matrix, own: NDArray[np.int64], item_idx: int) -> Tensor:
    """What each positive says about one item, shape (n_positives,)."""
    said = rows[own][:, [item_idx]]
    dense = said.toarray() if isinstance(said, csr_matrix) else said
    return torch.from_numpy(np.asarray(dense)).squeeze(1)


def _explanation(
    parts: Tensor, *, rest: float, own: NDArray[np.int64], items: Vocabulary | Interactions
) -> Explanation:
    frame = described_items(own, items).assign(contribution=parts.double().numpy())
    ordered = frame.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)
    return Explanation(rest + float(parts.double().sum()), rest, ordered)
