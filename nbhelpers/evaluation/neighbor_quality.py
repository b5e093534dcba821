"""How good lists of neighbors are, by what the vectors were not trained on.

``lists`` have shape (n_asked, k) and hold the neighbors of the items ``asked``, shape (n_asked,),
as item indices; -1 marks an empty position and counts nowhere. A value says little alone: hold it
against that of random lists, best of items as popular as the neighbors.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.lists import checked_lists, list_means


def attribute_agreement(lists: Tensor, asked: Tensor, table: ArrayLike | Tensor) -> Tensor:
    """Share of the neighbors that have an attribute, such as a genre, in common with the item.

    Parameters
    ----------
    lists : Tensor of int, shape (n_asked, k)
    asked : Tensor of int, shape (n_asked,)
    table : array or Tensor, shape (n_items, n_attributes)
        Not zero where an item has an attribute.

    Returns
    -------
    Tensor of float64, shape (n_asked,)
        Between 0 and 1; NaN for an empty list, or an item without attributes.

    Raises
    ------
    ValueError
        If shapes do not fit, or an index lies outside the catalog.

    Examples
    --------
    >>> genres = [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> attribute_agreement(torch.tensor([[1, 2]]), torch.tensor([0]), genres).tolist()
    [0.5]
    """
    values = table.cpu() if isinstance(table, Tensor) else table
    has = torch.from_numpy(np.asarray(values) != 0)  # (n_items, n_attributes)
    if has.dim() != 2:
        raise ValueError(f"table must be (n_items, n_attributes), got shape {tuple(has.shape)}")
    lists, asked = _checked(lists, asked, len(has))
    own = has[asked]  # (n_asked, n_attributes)
    agree = [(own & has[column]).any(dim=1) for column in lists.clamp(min=0).unbind(dim=1)]
    counted = (lists >= 0) & own.any(dim=1, keepdim=True)
    return (torch.stack(agree, dim=1) & counted).sum(dim=1).double() / counted.sum(dim=1)


def cooccurrence_lift(lists: Tensor, asked: Tensor, interactions: Interactions) -> Tensor:
    """How many users have both an item and its neighbor, as a multiple of what chance gives.

    By chance, count_a * count_b / n_users of the users have both a and b. Users are summed over
    the list before they are divided, so that one rare neighbor cannot carry the list; of a list
    of one it is count_ab * n_users / (count_a * count_b).

    Parameters
    ----------
    lists : Tensor of int, shape (n_asked, k)
    asked : Tensor of int, shape (n_asked,)
    interactions : Interactions
        Those that the vectors were not trained on judge them more severely.

    Returns
    -------
    Tensor of float64, shape (n_asked,)
        1 is chance; NaN where chance gives nobody, as for an empty list. Active users have more
        of everything, so even random lists exceed 1.

    Raises
    ------
    ValueError
        If shapes do not fit, or an index lies outside the catalog.

    Examples
    --------
    >>> plays = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_users=4, n_items=3)
    >>> cooccurrence_lift(torch.tensor([[1], [2]]), torch.tensor([0, 0]), plays).tolist()
    [2.0, 0.0]
    """
    lists, asked = _checked(lists, asked, interactions.n_items)
    counts = torch.from_numpy(interactions.item_counts.astype(np.float64))
    by_item = interactions.to_scipy().astype(np.int32).T.tocsr()
    own = by_item[asked.numpy()]  # (n_asked, n_users)
    both = [
        torch.from_numpy(np.asarray(own.multiply(by_item[column.numpy()]).sum(axis=1)).ravel())
        for column in lists.clamp(min=0).unbind(dim=1)
    ]
    filled = lists >= 0
    found = (torch.stack(both, dim=1) * filled).sum(dim=1).double()
    product = (counts[lists.clamp(min=0)] * filled).sum(dim=1) * counts[asked]
    return found * interactions.n_users / product


def popularity_percentile(lists: Tensor, item_counts: ArrayLike) -> Tensor:
    """Mean popularity of each list: the share of the catalog that is less popular than its items.

    Of equally popular items half count as less popular, so the mean over the catalog is 0.5. The
    popularity bias of neighbors is what they have more than that, and more than the items asked
    for: ``popularity_percentile(asked.unsqueeze(1), item_counts)``.

    Parameters
    ----------
    lists : Tensor of int, shape (n_asked, k)
    item_counts : array of int, shape (n_items,)
        Users of each item in training, ``Interactions.item_counts``.

    Returns
    -------
    Tensor of float64, shape (n_asked,)
        Between 0 and 1; NaN for an empty list.

    Raises
    ------
    ValueError
        If an index lies outside the catalog.

    Examples
    --------
    >>> popularity_percentile(torch.tensor([[0], [3], [1]]), [1, 5, 5, 9]).tolist()
    [0.125, 0.875, 0.5]
    """
    counts = np.asarray(item_counts)
    ordered = np.sort(counts)
    below = np.searchsorted(ordered, counts, side="left")
    up_to = np.searchsorted(ordered, counts, side="right")
    return list_means(lists, torch.from_numpy((below + up_to) / (2 * len(counts))))


def _checked(lists: Tensor, asked: Tensor, n_items: int) -> tuple[Tensor, Tensor]:
    lists = checked_lists(lists, n_items)
    if asked.shape != lists.shape[:1]:
        raise ValueError(
            f"one list for each item asked for is required, got {len(lists)} lists and asked of "
            f"shape {tuple(asked.shape)}"
        )
    asked = checked_lists(asked.unsqueeze(1), n_items).squeeze(1)
    if (asked < 0).any():
        raise ValueError(f"{int((asked < 0).sum())} items asked for are -1, which is no item")
    return lists, asked
