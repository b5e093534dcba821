"""What lists are like apart from their hits: how wide, how new, how even.

``lists`` have shape (n_users, k) and hold item indices, best first; -1 marks an empty place and
counts nowhere (see ``RankingScores.lists``).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


def coverage(lists: Tensor, *, n_items: int) -> float:
    """Share of the catalog that is in the list of at least one user.

    Parameters
    ----------
    lists : Tensor of int, shape (n_users, k)
    n_items : int
        Size of the catalog.

    Returns
    -------
    float
        Between 0 (all lists are empty) and 1.

    Raises
    ------
    ValueError
        If an index lies outside the catalog.
    """
    return float((_exposure(lists, n_items) > 0).double().mean())


def gini(lists: Tensor, *, n_items: int) -> float:
    """Gini coefficient of how often each item is listed, items never listed included.

    Parameters
    ----------
    lists : Tensor of int, shape (n_users, k)
    n_items : int
        Size of the catalog.

    Returns
    -------
    float
        0 if all items are listed equally often; 1 - 1 / n_items if only one item ever is. NaN if
        all lists are empty.

    Raises
    ------
    ValueError
        If an index lies outside the catalog.

    References
    ----------
    Shani and Gunawardana (2011), Evaluating Recommendation Systems, sec. 3.3.1.
    """
    exposure = _exposure(lists, n_items).double().sort().values
    place = torch.arange(1, n_items + 1)
    return float(((2 * place - n_items - 1) * exposure).sum() / (n_items * exposure.sum()))


def novelty(lists: Tensor, item_counts: ArrayLike, *, n_users: int) -> Tensor:
    """Mean self-information of each list, in bits: log2(n_users / users of the item).

    An item that nobody has counts as if one user had it, so that the value stays finite.

    Parameters
    ----------
    lists : Tensor of int, shape (n_users, k)
    item_counts : array of int, shape (n_items,)
        Users of each item in training, ``Interactions.item_counts``.
    n_users : int
        Users in training.

    Returns
    -------
    Tensor of float64, shape (n_users,)
        0 where everybody has every item of the list, at most log2(n_users); NaN for an empty list.

    Raises
    ------
    ValueError
        If an index lies outside the catalog, or a count outside 0 to ``n_users``.

    References
    ----------
    Zhou et al. (2010), Solving the apparent diversity-accuracy dilemma of recommender systems,
    Materials and methods, https://doi.org/10.1073/pnas.1000488107
    """
    counts = torch.tensor(np.asarray(item_counts), dtype=torch.float64)
    wrong = counts[(counts < 0) | (counts > n_users)]
    if wrong.numel():
        raise ValueError(f"counts must lie in 0 to {n_users} users, got {wrong[0]:g}")
    return _list_means(lists, torch.log2(n_users / counts.clamp(min=1)))


def popularity_share(lists: Tensor, item_counts: ArrayLike, *, head: float = 0.2) -> Tensor:
    """Share of each list that comes from the most popular items.

    Parameters
    ----------
    lists : Tensor of int, shape (n_users, k)
    item_counts : array of int, shape (n_items,)
        Users of each item in training, ``Interactions.item_counts``.
    head : float
        The popular part of the catalog, above 0 and up to 1, rounded up to whole items; of
        equally popular items the lowest index first.

    Returns
    -------
    Tensor of float64, shape (n_users,)
        Between 0 and 1; NaN for an empty list.

    Raises
    ------
    ValueError
        If an index lies outside the catalog, or ``head`` outside its range.
    """
    if not 0 < head <= 1:
        raise ValueError(f"head must lie above 0 and up to 1, got {head}")
    counts = torch.tensor(np.asarray(item_counts), dtype=torch.float64)
    n_head = math.ceil(round(head * len(counts), 9))
    popular = torch.zeros(len(counts), dtype=torch.float64)
    popular[counts.sort(descending=True, stable=True).indices[:n_head]] = 1.0
    return _list_means(lists, popular)


def _exposure(lists: Tensor, n_items: int) -> Tensor:
    """How often each item is listed, shape (n_items,)."""
    lists = _checked(lists, n_items)
    return torch.bincount(lists[lists >= 0], minlength=n_items)


def _list_means(lists: Tensor, values: Tensor) -> Tensor:
    """Mean over each list of a value for each item, shape (n_users,)."""
    lists = _checked(lists, len(values))
    places = lists >= 0
    listed = values[lists.clamp(min=0)].where(places, 0.0)  # (n_users, k)
    return listed.sum(dim=1) / places.sum(dim=1)


def _checked(lists: Tensor, n_items: int) -> Tensor:
    if lists.dim() != 2 or lists.is_floating_point():
        raise ValueError(
            f"lists must be item indices of shape (n_users, k), got {lists.dtype} of shape "
            f"{tuple(lists.shape)}"
        )
    outside = lists[(lists < -1) | (lists >= n_items)]
    if outside.numel():
        raise ValueError(
            f"{outside.numel()} listed items lie outside 0 to {n_items - 1}, e.g. {int(outside[0])}"
        )
    return lists.cpu().long()
