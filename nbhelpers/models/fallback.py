"""A model with another one behind it, for the users and items that the first cannot score."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nbhelpers.core.coverage import trained_rows
from nbhelpers.core.recommender import (
    FoldsIn,
    HasSizes,
    KnowsIds,
    Positives,
    Recommender,
    device_of,
    scores_of,
)


class WithFallback:
    """Scores of a main model, and of a fallback for users and items that it was not trained on.

    A user whom the main model was not trained on gets the fallback's scores. Everybody else gets
    those of the main model; the items that it was not trained on come below all others, in the
    order in which the fallback ranks them. So the scores of two users are comparable only if the
    same model serves both.

    Parameters
    ----------
    main, fallback : Recommender
        With ``n_users`` and ``n_items``, trained on the same users and items; not copied. The
        main model says what it was trained on (see ``KnowsTraining``), or is taken at its word
        and never replaced. The fallback is asked about everybody, whatever it says:
        ``Popularity``, or a model of features.

    Attributes
    ----------
    n_users, n_items : int
    trained_users : Tensor of bool, shape (n_users,)
        All True: whoever the main model cannot serve gets the fallback's list.
    trained_items : Tensor of bool, shape (n_items,)
        Items that either was trained on.
    user_fingerprint, item_fingerprint : str or None
        Of the vocabularies, if the main model knows them.

    Raises
    ------
    ValueError
        If a model does not say its sizes (is it fitted?), or the two differ.

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.baselines import Popularity
    >>> from nbhelpers.models.item_item import ItemKNN
    >>> train = Interactions([0, 0, 1], [0, 1, 0], n_users=3, n_items=2)
    >>> model = WithFallback(ItemKNN().fit(train), Popularity().fit(train))
    >>> model.score_users(torch.tensor([2]))  # who has no positive
    tensor([[2., 1.]])
    """

    def __init__(self, main: Recommender, fallback: Recommender) -> None:
        self.main, self.fallback = main, fallback
        self.n_users, self.n_items = _common_size(main, fallback)
        size = {"n_users": self.n_users, "n_items": self.n_items}
        self._hot_users, self._hot_items = trained_rows(main, **size)
        self.trained_users = torch.ones(self.n_users, dtype=torch.bool)
        self.trained_items = self._hot_items | trained_rows(fallback, **size)[1]
        known = main if isinstance(main, KnowsIds) else None
        self.user_fingerprint = None if known is None else known.user_fingerprint
        self.item_fingerprint = None if known is None else known.item_fingerprint
        self.device = device_of(main)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return _filled(
            self.main,
            self.fallback,
            user_idx,
            hot_users=self._hot_users[user_idx.cpu()],
            hot_items=self._hot_items,
        )

    def fold_in(self, interactions: Positives) -> FoldedWithFallback:
        """Recommender for users from their positives, by the main model; the fallback for others.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training. Users without positives, and items that the
            main model was not trained on, are left to the fallback.

        Returns
        -------
        FoldedWithFallback
            Whose user k is user k of ``interactions``.

        Raises
        ------
        ValueError
            If one of the two models cannot fold in, or refuses these interactions.
        """
        main, fallback = (_folded(model, interactions) for model in (self.main, self.fallback))
        return FoldedWithFallback(
            main,
            fallback,
            has_positives=torch.from_numpy(interactions.user_counts > 0),
            hot_items=self._hot_items,
            trained_items=self.trained_items,
        )

    def settings(self) -> dict[str, Any]:
        """Arguments that build this model anew."""
        return {"main": self.main, "fallback": self.fallback}

    def __repr__(self) -> str:
        return (
            f"WithFallback(main={self.main!r}, fallback={self.fallback!r}): "
            f"{self.n_users:,} users, {self.n_items:,} items"
        )


class FoldedWithFallback:
    """Recommender for users whom a model with a fallback has taken in.

    Parameters
    ----------
    main, fallback : Recommender
        What each model made of the users.
    has_positives : Tensor of bool, shape (n_users,)
        Whom the main model serves.
    hot_items, trained_items : Tensor of bool, shape (n_items,)
        Items that the main model, and that either model, was trained on.
    """

    def __init__(
        self,
        main: Recommender,
        fallback: Recommender,
        *,
        has_positives: Tensor,
        hot_items: Tensor,
        trained_items: Tensor,
    ) -> None:
        self.main, self.fallback = main, fallback
        self.n_users, self.n_items = len(has_positives), len(hot_items)
        self.trained_users, self.trained_items = torch.ones_like(has_positives), trained_items
        self._has_positives, self._hot_items = has_positives, hot_items
        self.device = device_of(main)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return _filled(
            self.main,
            self.fallback,
            user_idx,
            hot_users=self._has_positives[user_idx.cpu()],
            hot_items=self._hot_items,
        )


def _filled(
    main: Recommender,
    fallback: Recommender,
    user_idx: Tensor,
    *,
    hot_users: Tensor,
    hot_items: Tensor,
) -> Tensor:
    """Scores of the main model, filled up with those of the fallback: see ``WithFallback``."""
    n_items = len(hot_items)
    others = scores_of(fallback, user_idx, n_items=n_items).to(device_of(main))
    if not hot_users.any():
        return others
    own = scores_of(main, user_idx[hot_users.to(user_idx.device)], n_items=n_items)
    scores = others.to(torch.promote_types(others.dtype, own.dtype), copy=True)
    rows = hot_users.to(scores.device)
    scores[rows] = _below(own.to(scores), scores[rows], hot_items.to(scores.device))
    return scores


def _below(scores: Tensor, others: Tensor, hot_items: Tensor) -> Tensor:
    """Scores, and for items that are not hot lower ones than any, in the order of the others.

    Of n such items one of rank r from 1, the worst, lies (1 + (n - r) / n) steps below the lowest
    score; a step is 1, or the size of that score if this is larger.
    """
    cold = ~hot_items
    n_cold = int(cold.sum())
    if not n_cold:
        return scores
    lowest = scores[:, hot_items].amin(dim=1, keepdim=True)  # (batch, 1)
    ranks = _dense_ranks(others[:, cold])  # (batch, n_cold)
    depth = 1 + (n_cold - ranks) / n_cold
    filled = scores.clone()
    filled[:, cold] = lowest - depth * lowest.abs().clamp(min=1)
    return filled


def _dense_ranks(scores: Tensor) -> Tensor:
    """Ranks of each row's scores from 1, the lowest; equal ones have the same."""
    ordered, order = scores.sort(dim=1)
    is_new = torch.ones_like(ordered, dtype=torch.int64)
    is_new[:, 1:] = ordered[:, 1:] > ordered[:, :-1]
    return torch.empty_like(order).scatter_(1, order, is_new.cumsum(dim=1))


def _common_size(main: Recommender, fallback: Recommender) -> tuple[int, int]:
    """Users and items of both models."""
    sizes = []
    for model in (main, fallback):
        if not isinstance(model, HasSizes):
            raise ValueError(
                f"{type(model).__name__} does not say n_users and n_items: is it fitted?"
            )
        sizes.append((model.n_users, model.n_items))
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"main and fallback must have the same users and items, got {sizes[0]} and {sizes[1]}"
        )
    return sizes[0]


def _folded(model: Recommender, interactions: Positives) -> Recommender:
    if not isinstance(model, FoldsIn):
        raise ValueError(
            f"{type(model).__name__} has no fold_in: only a main model and a fallback that both "
            "have one can take in new users"
        )
    return model.fold_in(interactions)
