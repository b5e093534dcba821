"""Whether lists are fit to be shown: filled, without repeats, and nothing already had."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.beyond_accuracy import coverage, popularity_share


class Health(NamedTuple):
    """What a look at all lists of a test found.

    Attributes
    ----------
    filled : float
        Share of the lists that hold as many items as were asked for, or all there are.
    n_repeats : int
        Places at which an item stands again in the same list.
    n_already_had : int
        Places at which a user is shown what they already have.
    users_covered : float
        Share of the users of the file who have a positive, so that the model knows them.
    catalog_covered : float
        Share of the items that are on a list.
    popular_share : float
        Share of a list that comes from the fifth of the items with the most users.
    few_left : float
        Share of the lists for whose users fewer items were left than were asked for.
    """

    filled: float
    n_repeats: int
    n_already_had: int
    users_covered: float
    catalog_covered: float
    popular_share: float
    few_left: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether no list has a repeat, or something that its user has."""
        return not self.n_repeats and not self.n_already_had


def list_health(lists: Tensor, user_idx: Tensor, *, seen: Interactions, k: int) -> Health:
    """Look at lists as the person who shows them would.

    Parameters
    ----------
    lists : Tensor of int, shape (n_lists, at most k)
        Items, best first; -1 where a list ends early.
    user_idx : Tensor of int, shape (n_lists,)
    seen : Interactions
        What each user already has.
    k : int
        How many items were asked for.

    Returns
    -------
    Health

    Examples
    --------
    >>> seen = Interactions([0, 1], [0, 1], n_users=2, n_items=4)
    >>> health = list_health(torch.tensor([[1, 2], [1, 1]]), torch.tensor([0, 1]), seen=seen, k=2)
    >>> health.filled, health.n_repeats, health.n_already_had
    (1.0, 1, 2)
    """
    placed = lists >= 0
    available = seen.n_items - torch.tensor(seen.user_counts)[user_idx]
    wanted = available.clamp(max=k)
    ordered = lists.sort(dim=1).values
    again = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    users = user_idx.unsqueeze(1).expand_as(lists)[placed]
    return Health(
        filled=float((placed.sum(dim=1) >= wanted).double().mean()),
        n_repeats=int(again.sum()),
        n_already_had=int(seen.contains(users, lists[placed]).sum()),
        few_left=float((available < k).double().mean()),
        users_covered=float(np.mean(seen.user_counts > 0)),
        catalog_covered=coverage(lists, n_items=seen.n_items),
        popular_share=float(popularity_share(lists, seen.item_counts).nanmean()),
    )
