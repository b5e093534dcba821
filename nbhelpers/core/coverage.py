"""Which users and items a model was trained on, and whether it fits the data at hand."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from nbhelpers.core.recommender import (
    HasSizes,
    Ids,
    KnowsIds,
    KnowsTraining,
    Positives,
    Recommender,
)


class FittedOn:
    """What a model in closed form remembers of the interactions that it was fitted on.

    A mixin that makes a model ``HasSizes``, ``KnowsTraining`` and ``KnowsIds``: its ``fit`` calls
    ``remember``, its ``fold_in`` and ``explain`` call ``check_items``.

    Attributes
    ----------
    n_users, n_items : int
    trained_users : Tensor of bool, shape (n_users,)
        True for users with a positive.
    trained_items : Tensor of bool, shape (n_items,)
        True for items with a positive.
    user_fingerprint, item_fingerprint : str or None
        Of the vocabularies, if there were any.
    """

    n_users: int
    n_items: int
    trained_users: Tensor
    trained_items: Tensor
    user_fingerprint: str | None
    item_fingerprint: str | None

    def remember(self, interactions: Positives) -> Self:
        """Keep sizes, who and what has a positive, and fingerprints.

        Parameters
        ----------
        interactions : Interactions

        Returns
        -------
        FittedOn
            Itself.
        """
        self.n_users, self.n_items = interactions.n_users, interactions.n_items
        self.trained_users = torch.from_numpy(interactions.user_counts > 0)
        self.trained_items = torch.from_numpy(interactions.item_counts > 0)
        self.user_fingerprint, self.item_fingerprint = fingerprints(interactions)
        return self

    def check_items(self, interactions: Positives) -> None:
        """Refuse to go on before ``fit``, or with interactions of another catalog.

        Parameters
        ----------
        interactions : Interactions

        Raises
        ------
        ValueError
        """
        if "n_items" not in vars(self):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit first")
        require_same_items(self, interactions.n_items, interactions.items)


def fingerprints(interactions: Positives) -> tuple[str | None, str | None]:
    """Fingerprints of the ids of users and of items, None where no ids are known.

    A model keeps them as ``user_fingerprint`` and ``item_fingerprint``: see ``KnowsIds``.
    """
    users, items = interactions.users, interactions.items
    return (
        None if users is None else users.fingerprint,
        None if items is None else items.fingerprint,
    )


def trained_rows(model: Recommender, *, n_users: int, n_items: int) -> tuple[Tensor, Tensor]:
    """Users and items that a model can score: what it was trained on if it says so, else all.

    Parameters
    ----------
    model : Recommender
        See ``KnowsTraining``.
    n_users, n_items : int
        Of the data. A row more, as models with an unknown row have it, is cut.

    Returns
    -------
    users : Tensor of bool, shape (n_users,)
    items : Tensor of bool, shape (n_items,)
        On the CPU.

    Examples
    --------
    A model that says nothing is taken at its word:

    >>> trained_rows(object(), n_users=2, n_items=1)
    (tensor([True, True]), tensor([True]))
    """
    if not isinstance(model, KnowsTraining):
        return torch.ones(n_users, dtype=torch.bool), torch.ones(n_items, dtype=torch.bool)
    return model.trained_users[:n_users].cpu(), model.trained_items[:n_items].cpu()


def require_same_catalog(model: Recommender, data: Positives) -> None:
    """Refuse data of other users or items than a model was trained with, as far as it says.

    Parameters
    ----------
    model : Recommender
        See ``HasSizes`` and ``KnowsIds``.
    data : Interactions

    Raises
    ------
    ValueError
        If sizes or vocabularies differ.
    """
    require_same_users(model, data.n_users, data.users)
    require_same_items(model, data.n_items, data.items)


def require_same_users(model: object, n_users: int, users: Ids | None) -> None:
    """Refuse other users than a model was trained with, as far as it says.

    Parameters
    ----------
    model : Recommender
        See ``HasSizes`` and ``KnowsIds``.
    n_users : int
    users : Vocabulary, optional

    Raises
    ------
    ValueError
        If sizes or vocabularies differ.
    """
    if isinstance(model, HasSizes):
        _require_size(model.n_users, n_users, name="user")
    if isinstance(model, KnowsIds):
        _require_ids(model, model.user_fingerprint, users, name="user")


def require_same_items(model: object, n_items: int, items: Ids | None) -> None:
    """Refuse other items than a model was trained with: see ``require_same_users``."""
    if isinstance(model, HasSizes):
        _require_size(model.n_items, n_items, name="item")
    if isinstance(model, KnowsIds):
        _require_ids(model, model.item_fingerprint, items, name="item")


def _require_size(trained: int, given: int, *, name: str) -> None:
    if trained not in (given, given + 1):  # one more: the unknown row
        raise ValueError(
            f"{trained:,} {name}s were trained on, got {given:,}: build the interactions from the "
            f"same {name} vocabulary"
        )


def _require_ids(model: object, trained: str | None, given: Ids | None, *, name: str) -> None:
    if trained is not None and given is not None and given.fingerprint != trained:
        raise ValueError(
            f"{type(model).__name__} was trained on other {name} ids than these: build the "
            f"interactions from the same {name} vocabulary"
        )
