"""Why this item: which of a user's positives speak for it, and how much each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.recommender import Explains, FoldsIn, Recommender, scores_of
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.fold_in import interactions_of_new_user
from nbhelpers.serving.ids import described_items, item_ids_of
from nbhelpers.serving.ridge import Ridge, ridge_start


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


class ScoreParts(NamedTuple):
    """Scores of several items taken apart, for one user.

    Attributes
    ----------
    rest : Tensor of float64, shape (n_asked,)
        What no positive accounts for.
    parts : Tensor of float64, shape (n_asked, n_positives)
        Part of each positive, in the order of the user's row.
    """

    rest: Tensor
    parts: Tensor


def explain(
    model: Recommender,
    item_id: Any,
    *,
    positives: Any,
    items: Vocabulary | Interactions,
    ridge: Ridge | None = None,
) -> Explanation:
    """Exact contribution of each of a user's positives to the score of an item.

    Of the score that ``fold_in_users`` gives for these positives. For EASE and ItemKNN that is
    the score of training, and ``rest`` is 0. For ALS and IALS it is nearly that (the last sweep
    moved the items after the users), and ``rest`` is 0. With ``ridge`` the user has another
    vector than training gave, and ``rest`` is the score of the mean user.

    Parameters
    ----------
    model : Recommender
        One with ``explain``, or one that can fold in by ``ridge``; for others see
        ``explain_by_removal``.
    item_id : raw id
    positives : list-like of raw ids
        At least one, each once.
    items : Vocabulary or Interactions
        Of training. Interactions with ``item_metadata`` add the titles.
    ridge : Ridge, optional
        As for ``fold_in_users``.

    Returns
    -------
    Explanation

    Raises
    ------
    KeyError
        If an item is unknown.
    ValueError
        If there is no positive, one comes twice, the model can neither explain itself nor go by
        ``ridge``, or explains itself and ``ridge`` is passed.

    References
    ----------
    Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets,
    sec. 5 (for ALS), https://doi.org/10.1109/ICDM.2008.22

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8], "item_id": [1, 2, 1, 3]})
    >>> users, items = Vocabulary([7, 8]), Vocabulary([1, 2, 3])
    >>> train = Interactions.from_frame(rated, users=users, items=items)
    >>> why = explain(EASE(reg=1.0).fit(train), 3, positives=[1, 2], items=items)
    >>> round(why.score, 2)
    0.2
    >>> why.contributions.round(2)
       item_id  contribution
    0        1           0.4
    1        2          -0.2
    """
    item_idx, own = _asked(item_id, positives, items)
    (rest,), (parts,) = parts_of_scores(model, [item_idx], own, ridge=ridge)
    return _explanation(parts, rest=float(rest), own=own, items=items)


@torch.no_grad()
def parts_of_scores(
    model: Recommender,
    item_idx: Sequence[int],
    interactions: Interactions,
    *,
    ridge: Ridge | None = None,
) -> ScoreParts:
    """What ``explain`` finds, for several items at once and by index: a whole list's reasons.

    Parameters
    ----------
    model : Recommender
        As for ``explain``.
    item_idx : sequence of int
        Rows of the vocabulary of items, at least one.
    interactions : Interactions
        Row 0 is the user, with the items of training.
    ridge : Ridge, optional
        As for ``fold_in_users``.

    Returns
    -------
    ScoreParts

    Raises
    ------
    ValueError
        If no item is asked for, or the model can neither explain itself nor go by ``ridge``, or
        explains itself and ``ridge`` is passed.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> train = Interactions([0, 0, 1, 1], [0, 1, 0, 2])
    >>> own = Interactions([0, 0], [0, 1], n_users=1, n_items=3)
    >>> parts_of_scores(EASE(reg=1.0).fit(train), [2], own).parts.numpy().round(2)
    array([[ 0.4, -0.2]])
    """
    if not len(item_idx):
        raise ValueError("at least one item is required, got none")
    if isinstance(model, Explains):
        if ridge is not None:
            raise ValueError(f"{type(model).__name__} explains itself: leave ridge out")
        parts = torch.stack([model.explain(item, interactions).detach() for item in item_idx])
        return ScoreParts(torch.zeros(len(item_idx)).double(), parts.double().cpu())
    if isinstance(model, FoldsIn):
        raise ValueError(
            f"{type(model).__name__} folds in new users and has no explain: take "
            "explain_by_removal(partial(fold_in_users, model), ...)"
        )
    start = ridge_start(model, ridge or Ridge(), interactions)
    rest = torch.stack([start.mean @ start.vectors[item] for item in item_idx])
    parts = torch.stack([start.parts(item, interactions) for item in item_idx])
    return ScoreParts(rest.double().cpu(), parts.double().cpu())


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

    Examples
    --------
    >>> from functools import partial
    >>> from nbhelpers.models.item_item import EASE
    >>> from nbhelpers.serving.fold_in import fold_in_users
    >>> rated = pd.DataFrame({"user_id": [7, 7, 8, 8], "item_id": [1, 2, 1, 3]})
    >>> users, items = Vocabulary([7, 8]), Vocabulary([1, 2, 3])
    >>> train = Interactions.from_frame(rated, users=users, items=items)
    >>> fold = partial(fold_in_users, EASE(reg=1.0).fit(train))
    >>> explain_by_removal(fold, 3, positives=[1, 2], items=items).contributions.round(2)
       item_id  contribution
    0        1           0.4
    1        2          -0.2
    """
    item_idx, own = _asked(item_id, positives, items)
    n = len(own)
    if n < 2:
        raise ValueError(f"at least two positives are required, got {n}: one cannot go")
    kept = np.concatenate([np.ones((1, n), dtype=bool), ~np.eye(n, dtype=bool)])  # (n + 1, n)
    user_idx, position = np.nonzero(kept)  # user 0 has all, user k + 1 all but the k-th
    variants = Interactions(user_idx, own.indices[position], n_users=n + 1, items=own.items)
    scores = scores_of(fold(variants), torch.arange(n + 1), n_items=own.n_items)
    score = scores[:, item_idx].double().cpu()
    parts = score[0] - score[1:]
    return _explanation(parts, rest=float(score[0] - parts.sum()), own=own, items=items)


def _asked(
    item_id: Any, positives: Any, items: Vocabulary | Interactions
) -> tuple[int, Interactions]:
    """Index of the item, and the positives as the interactions of one user."""
    own = interactions_of_new_user(positives, items)
    if not len(own):
        raise ValueError("positives is empty: without one there is nothing to explain")
    return int(item_ids_of(items).encode_known([item_id])[0]), own


def _explanation(
    parts: Tensor, *, rest: float, own: Interactions, items: Vocabulary | Interactions
) -> Explanation:
    """Parts of the score with the ids of their positives, the largest first."""
    contributions: NDArray[np.float64] = parts.detach().cpu().double().numpy()
    frame = described_items(own.indices, items).assign(contribution=contributions)
    ordered = frame.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)
    return Explanation(rest + float(contributions.sum()), rest, ordered)
