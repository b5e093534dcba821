"""What lists are made of: the mix of attributes such as genres, diversity, calibration.

``lists`` have shape (n_lists, k) and hold item indices, best first; -1 marks an empty position
and counts nowhere. ``table`` has shape (n_items, n_attributes) and is not zero where an item has
an attribute; an item without any says nothing about a mix and counts nowhere either.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.lists import checked_lists


def intra_list_diversity(lists: Tensor, table: ArrayLike | Tensor) -> Tensor:
    """Mean distance of two items of a list: 1 minus the share of attributes that both have.

    The distance is Jaccard's: of the attributes that either item has, the share that only one
    of them has.

    Parameters
    ----------
    lists : Tensor of int, shape (n_lists, k)
    table : array or Tensor, shape (n_items, n_attributes)
        Not zero where an item has an attribute.

    Returns
    -------
    Tensor of float64, shape (n_lists,)
        From 0 (all items have the same attributes) to 1 (no two share one); NaN for a list with
        fewer than two items that have attributes.

    Raises
    ------
    ValueError
        If the table has another shape, or an index lies outside the catalog.

    References
    ----------
    Smyth and McClave (2001), Similarity vs. Diversity, https://doi.org/10.1007/3-540-44593-5_25;
    Vargas and Castells (2011), https://doi.org/10.1145/2043932.2043955, sec. 3.

    Examples
    --------
    >>> genres = [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> intra_list_diversity(torch.tensor([[0, 1], [0, 2]]), genres).tolist()  # 2 of 3 differ
    [0.6666666666666667, 1.0]
    """
    flags, described = _described(lists, table)
    both = flags @ flags.transpose(1, 2)  # (n_lists, k, k), attributes in common
    sizes = flags.sum(dim=2)
    either = sizes.unsqueeze(2) + sizes.unsqueeze(1) - both
    is_pair = described.unsqueeze(2) & described.unsqueeze(1)
    is_pair &= ~torch.eye(is_pair.shape[1], dtype=torch.bool)
    apart = (1 - both / either.clamp(min=1)).where(is_pair, 0.0)
    return apart.sum(dim=(1, 2)) / is_pair.sum(dim=(1, 2))


def attribute_mix(lists: Tensor, table: ArrayLike | Tensor) -> Tensor:
    """Share of each attribute in each list; an item divides itself equally among its attributes.

    Parameters
    ----------
    lists : Tensor of int, shape (n_lists, k)
    table : array or Tensor, shape (n_items, n_attributes)
        Not zero where an item has an attribute.

    Returns
    -------
    Tensor of float64, shape (n_lists, n_attributes)
        Each row sums to 1; NaN where no item of the list has an attribute.

    Raises
    ------
    ValueError
        If the table has another shape, or an index lies outside the catalog.

    References
    ----------
    Steck (2018), Calibrated Recommendations, sec. 3, https://doi.org/10.1145/3240323.3240372

    Examples
    --------
    >>> genres = [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    >>> attribute_mix(torch.tensor([[0, 1]]), genres).tolist()  # the first item is half and half
    [[0.25, 0.75, 0.0]]
    """
    flags, described = _described(lists, table)
    shares = flags / flags.sum(dim=2, keepdim=True).clamp(min=1)
    return shares.sum(dim=1) / described.sum(dim=1, keepdim=True)


def history_mix(history: Interactions, table: ArrayLike | Tensor) -> Tensor:
    """Share of each attribute in what each user has; every item counts the same.

    Parameters
    ----------
    history : Interactions
    table : array or Tensor, shape (n_items, n_attributes)
        Not zero where an item has an attribute.

    Returns
    -------
    Tensor of float64, shape (n_users, n_attributes)
        Each row sums to 1; NaN for a user without an item that has an attribute.

    Raises
    ------
    ValueError
        If the table does not fit the items.

    Examples
    --------
    >>> history = Interactions([0, 0, 1], [0, 1, 2], n_users=2, n_items=3)
    >>> history_mix(history, [[1, 1], [0, 1], [1, 0]]).tolist()
    [[0.25, 0.75], [1.0, 0.0]]
    """
    flags = _flags(table, history.n_items)
    sizes = flags.sum(dim=1)
    shares = flags / sizes.clamp(min=1).unsqueeze(1)  # (n_items, n_attributes)
    user_idx, item_idx = history.pairs()
    mix = torch.zeros(history.n_users, flags.shape[1], dtype=torch.float64)
    mix.index_add_(0, user_idx, shares[item_idx])
    n_described = torch.zeros(history.n_users, dtype=torch.float64)
    n_described.index_add_(0, user_idx, (sizes > 0).double()[item_idx])
    return mix / n_described.unsqueeze(1)


def miscalibration(listed: Tensor, wanted: Tensor, *, smoothing: float = 0.01) -> Tensor:
    """How far the mix of a list is from the mix of its user: Kullback-Leibler divergence.

    The sum over attributes of ``wanted * log(wanted / listed)``, with the natural logarithm. An
    attribute that the user wants and the list lacks would make it infinite, so ``listed`` is
    mixed with a little of ``wanted`` before.

    Parameters
    ----------
    listed, wanted : Tensor of float, shape (n_lists, n_attributes)
        Mixes as of ``attribute_mix`` and ``history_mix``, row by row of the same user.
    smoothing : float
        Share of ``wanted`` that is mixed in, above 0 and below 1.

    Returns
    -------
    Tensor of float64, shape (n_lists,)
        0 where both mixes are the same, at most ``-log(smoothing)``; NaN where a mix is.

    Raises
    ------
    ValueError
        If the shapes differ, or ``smoothing`` lies outside its range.

    References
    ----------
    Steck (2018), Calibrated Recommendations, eq. 2 and 3, https://doi.org/10.1145/3240323.3240372

    Examples
    --------
    >>> wanted = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    >>> listed = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> miscalibration(listed, wanted).round(decimals=3).tolist()
    [0.0, 1.959]
    """
    if listed.shape != wanted.shape or listed.dim() != 2:
        raise ValueError(
            f"both mixes must have one shape (n_lists, n_attributes), got {tuple(listed.shape)} "
            f"and {tuple(wanted.shape)}"
        )
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must lie between 0 and 1, got {smoothing}")
    wanted = wanted.double()
    smooth = (1 - smoothing) * listed.double() + smoothing * wanted
    own: Tensor = torch.special.xlogy(wanted, wanted)
    terms: Tensor = own - torch.special.xlogy(wanted, smooth)
    return terms.sum(dim=1)


def _flags(table: ArrayLike | Tensor, n_items: int | None = None) -> Tensor:
    """The table as float64 of zeros and ones, shape (n_items, n_attributes)."""
    flags: Tensor = torch.as_tensor(np.asarray(table)) != 0
    if flags.dim() != 2 or (n_items is not None and len(flags) != n_items):
        wanted = "(n_items, n_attributes)" if n_items is None else f"({n_items}, n_attributes)"
        raise ValueError(f"a table of shape {wanted} is needed, got {tuple(flags.shape)}")
    return flags.double()


def _described(lists: Tensor, table: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """Attributes at each position, (n_lists, k, n_attributes), and which positions have any."""
    flags = _flags(table)
    lists = checked_lists(lists, len(flags))
    listed = flags[lists.clamp(min=0)] * (lists >= 0).unsqueeze(2)
    return listed, listed.sum(dim=2) > 0
