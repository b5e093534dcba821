"""Steps on lists of item indices that several measures share; -1 marks an empty position."""

from __future__ import annotations

import torch
from torch import Tensor


def checked_lists(lists: Tensor, n_items: int) -> Tensor:
    """Lists on the CPU, if they hold item indices or -1.

    Parameters
    ----------
    lists : Tensor of int, shape (n_lists, k)
    n_items : int

    Returns
    -------
    Tensor of int64, shape (n_lists, k)

    Raises
    ------
    ValueError
        If the shape is another, or an index lies outside the catalog.
    """
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


def list_means(lists: Tensor, values: Tensor) -> Tensor:
    """Mean over each list of a value that each item has.

    Parameters
    ----------
    lists : Tensor of int, shape (n_lists, k)
    values : Tensor of float64, shape (n_items,)

    Returns
    -------
    Tensor of float64, shape (n_lists,)
        NaN for an empty list.
    """
    lists = checked_lists(lists, len(values))
    filled = lists >= 0
    listed = values[lists.clamp(min=0)].where(filled, 0.0)  # (n_lists, k)
    return listed.sum(dim=1) / filled.sum(dim=1)


def exposure(lists: Tensor, n_items: int) -> Tensor:
    """How often each item is listed.

    Parameters
    ----------
    lists : Tensor of int, shape (n_lists, k)
    n_items : int

    Returns
    -------
    Tensor of int64, shape (n_items,)
    """
    lists = checked_lists(lists, n_items)
    return torch.bincount(lists[lists >= 0], minlength=n_items)
