"""Beyond accuracy: coverage, concentration, overlap, novelty and popularity of lists.

``lists`` have shape (n_users, k) and hold item indices, best first; -1 marks an empty position
and counts nowhere (see ``RankingScores.lists``).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbhelpers.evaluation.lists import checked_lists, exposure, list_means


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

    Examples
    --------
    >>> lists = torch.tensor([[0, 1], [0, 2], [0, 1]])
    >>> coverage(lists, n_items=4)  # three of four items
    0.75
    """
    return float((exposure(lists, n_items) > 0).double().mean())


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

    Examples
    --------
    >>> gini(torch.tensor([[0, 1], [2, 3]]), n_items=4)
    0.0
    >>> gini(torch.tensor([[0], [0], [0]]), n_items=4)
    0.75
    """
    shown = exposure(lists, n_items).double().sort().values
    nth = torch.arange(1, n_items + 1)
    return float(((2 * nth - n_items - 1) * shown).sum() / (n_items * shown.sum()))


def lorenz(lists: Tensor, *, n_items: int) -> Tensor:
    """Lorenz curve of exposure: the share of all listings that the least listed items have.

    On the diagonal all items are listed equally often; ``gini`` is twice the area between the
    diagonal and the curve.

    Parameters
    ----------
    lists : Tensor of int, shape (n_users, k)
    n_items : int
        Size of the catalog.

    Returns
    -------
    Tensor of float64, shape (n_items + 1,)
        Entry j is the share of the j items listed least, from 0 to 1. NaN if all lists are empty.

    Raises
    ------
    ValueError
        If an index lies outside the catalog.

    Examples
    --------
    >>> lorenz(torch.tensor([[0, 1], [0, 2], [0, -1], [0, -1], [0, -1], [0, -1]]), n_items=4)
    tensor([0.0000, 0.0000, 0.1250, 0.2500, 1.0000], dtype=torch.float64)
    """
    shown = exposure(lists, n_items).sort().values.cumsum(dim=0)
    return torch.cat([shown.new_zeros(1), shown]) / shown[-1].double()


def list_overlap(lists: Tensor) -> float:
    """Mean share of a list's items that another user's list holds too, over all pairs of users.

    Exact without a look at any pair: an item in n lists meets n - 1 others from each of them.

    Parameters
    ----------
    lists : Tensor of int, shape (n_users, k)
        No item twice in a list. Empty lists are left out.

    Returns
    -------
    float
        From 0 (no two lists share an item) to 1 (all are the same); NaN with fewer than two
        lists. Where two lists differ in length, each is once the one whose share is taken.

    Raises
    ------
    ValueError
        If an index is below -1, or an item comes twice in a list.

    Examples
    --------
    >>> list_overlap(torch.tensor([[0, 1], [0, 2]]))  # each shares one of two items
    0.5
    """
    lists = checked_lists(lists, int(lists.max()) + 1 if lists.numel() else 1)
    ordered = lists.sort(dim=1).values
    repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(dim=1)
    if repeated.any():
        raise ValueError(f"{int(repeated.sum())} lists hold an item twice: list each once")
    filled = lists >= 0
    length = filled.sum(dim=1)
    n_lists = int((length > 0).sum())
    if n_lists < 2:
        return math.nan
    others = torch.bincount(lists[filled]) - 1  # lists besides one's own, for each item
    shared = (others[lists.clamp(min=0)] * filled).sum(dim=1)  # (n_users,)
    return float((shared / length.clamp(min=1).double()).sum()) / (n_lists * (n_lists - 1))


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

    Examples
    --------
    >>> novelty(torch.tensor([[0, 1], [2, 3]]), [8, 4, 1, 0], n_users=8).tolist()
    [0.5, 3.0]
    """
    counts = torch.tensor(np.asarray(item_counts), dtype=torch.float64)
    wrong = counts[(counts < 0) | (counts > n_users)]
    if wrong.numel():
        raise ValueError(f"counts must lie in 0 to {n_users} users, got {wrong[0]:g}")
    return list_means(lists, torch.log2(n_users / counts.clamp(min=1)))


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

    Examples
    --------
    >>> popularity_share(torch.tensor([[0, 1], [1, 3]]), [9, 5, 5, 1, 0], head=0.2).tolist()
    [0.5, 0.0]
    """
    if not 0 < head <= 1:
        raise ValueError(f"head must lie above 0 and up to 1, got {head}")
    counts = torch.tensor(np.asarray(item_counts), dtype=torch.float64)
    n_head = math.ceil(round(head * len(counts), 9))
    popular = torch.zeros(len(counts), dtype=torch.float64)
    popular[counts.sort(descending=True, stable=True).indices[:n_head]] = 1.0
    return list_means(lists, popular)
