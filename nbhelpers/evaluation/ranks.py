"""From scores to ranks: where the held-out items stand among their candidates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nbhelpers.core.topk import comparable


def rank_of_positive(scores: Tensor, positive: Tensor) -> Tensor:
    """Rank of each user's one positive; a tie counts against it.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_candidates)
        Higher is better; ``-inf`` marks a candidate that does not take part.
    positive : Tensor of int, shape (batch,)
        Column of the positive.

    Returns
    -------
    Tensor of int64, shape (batch,)
        1 is best: one more than the number of other candidates that score at least as high.

    Raises
    ------
    ValueError
        If the shapes do not fit, a column is outside, a score is NaN, or a positive scores -inf.

    Examples
    --------
    >>> scores = torch.tensor([[0.1, 0.9, 0.5], [0.4, 0.4, 0.4]])
    >>> rank_of_positive(scores, torch.tensor([2, 0])).tolist()  # a tie counts against it
    [2, 3]
    """
    scores = comparable(scores)
    if positive.shape != scores.shape[:1] or positive.dtype.is_floating_point:
        raise ValueError(
            f"positive must hold one column for each of {len(scores)} rows, got shape "
            f"{tuple(positive.shape)} of {positive.dtype}"
        )
    outside = positive[(positive < 0) | (positive >= scores.shape[1])]
    if outside.numel():
        raise ValueError(f"positive must lie in 0 to {scores.shape[1] - 1}, got {int(outside[0])}")
    own = scores.gather(1, positive.long().unsqueeze(1))  # (batch, 1)
    _refuse_masked(own)
    return (scores >= own).sum(dim=1)  # the positive itself is the one more


def ranks_of_positives(scores: Tensor, positives: Tensor) -> Tensor:
    """Ranks of all positives of each user; a tie with another candidate counts against them.

    Two positives that tie take two ranks that follow each other.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_candidates)
        Higher is better; ``-inf`` marks a candidate that does not take part.
    positives : Tensor of bool, shape (batch, n_candidates)

    Returns
    -------
    Tensor of int64, shape (batch, most positives of a user)
        Ascending and distinct, 1 is best; 0 fills the rows of users with fewer positives.

    Raises
    ------
    ValueError
        If the shapes differ, a score is NaN, or a positive scores -inf.

    Examples
    --------
    >>> scores = torch.tensor([[0.1, 0.9, 0.5], [0.4, 0.3, 0.2]])
    >>> positives = torch.tensor([[True, False, True], [True, False, False]])
    >>> ranks_of_positives(scores, positives).tolist()
    [[2, 3], [1, 0]]
    """
    scores = comparable(scores)
    if positives.shape != scores.shape or positives.dtype != torch.bool:
        raise ValueError(
            f"positives must be bool of shape {tuple(scores.shape)}, got {positives.dtype} "
            f"of shape {tuple(positives.shape)}"
        )
    counts = positives.sum(dim=1, keepdim=True)  # (batch, 1)
    width = int(counts.max()) if len(counts) else 0
    if width == 1:
        ranks = (scores >= _single(scores, positives)).sum(dim=1, keepdim=True)  # (batch, 1)
    else:
        ranks = _many(scores, positives, width)  # (batch, width)
    nth = torch.arange(width, device=scores.device)
    return ranks.masked_fill(nth >= counts, 0)


def gains_of_ranks(scores: Tensor, gains: Tensor) -> Tensor:
    """Gain of the positive at each rank that ``ranks_of_positives`` gives.

    Of positives that tie the one with the smallest gain comes first: a tie counts against the
    model here, too.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_candidates)
    gains : Tensor of float, shape (batch, n_candidates)
        Above 0 for a positive, 0 elsewhere.

    Returns
    -------
    Tensor of float64, shape (batch, most positives of a user)
        0 fills the rows of users with fewer positives.

    Raises
    ------
    ValueError
        If the shapes differ, or a score is NaN.

    Examples
    --------
    >>> scores = torch.tensor([[0.2, 0.9, 0.5, 0.7]])
    >>> stars = torch.tensor([[4.0, 0.0, 2.0, 5.0]])
    >>> ranks_of_positives(scores, stars > 0), gains_of_ranks(scores, stars)
    (tensor([[2, 3, 4]]), tensor([[5., 2., 4.]], dtype=torch.float64))
    """
    scores = comparable(scores)
    if gains.shape != scores.shape:
        raise ValueError(
            f"gains must have the shape of scores, {tuple(scores.shape)}, got {tuple(gains.shape)}"
        )
    row, column = gains.nonzero(as_tuple=True)
    own, gain = scores[row, column], gains[row, column]
    order = gain.sort(stable=True).indices
    order = order[own[order].sort(descending=True, stable=True).indices]
    order = order[row[order].sort(stable=True).indices]  # by row, then score, then gain
    return _filled(row, gain[order].double(), n_rows=len(scores), filler=0.0)


def _refuse_masked(own: Tensor) -> None:
    masked = own == -torch.inf
    if masked.any():
        raise ValueError(
            f"{int(masked.sum())} positives score -inf, the mark of a candidate that does not "
            f"take part: mask only other items, and keep scores finite"
        )


def _single(scores: Tensor, positives: Tensor) -> Tensor:
    """Score of each row's only positive, shape (batch, 1); +inf in a row without one."""
    row, column = positives.nonzero(as_tuple=True)
    own = scores[row, column]
    _refuse_masked(own)
    table = torch.full((len(scores), 1), torch.inf, dtype=scores.dtype, device=scores.device)
    table[row, 0] = own
    return table


def _many(scores: Tensor, positives: Tensor, width: int) -> Tensor:
    """Ranks of each row's positives, best first, from one sort of all scores; then filling.

    The j-th best positive comes after j - 1 positives and all others that score at least as much.
    """
    row, column = positives.nonzero(as_tuple=True)  # ascending by row
    own = scores[row, column]
    _refuse_masked(own)
    table = _filled(row, own, n_rows=len(scores), filler=-torch.inf)
    table = table.sort(dim=1).values  # (batch, width), -inf first: the caller clears these ranks
    as_good = scores.shape[1] - torch.searchsorted(_ascending(scores), table)
    own_as_good = width - torch.searchsorted(table, table)
    nth = torch.arange(width, 0, -1, device=scores.device)
    return (as_good - own_as_good + nth).flip(1)


def _filled(row: Tensor, values: Tensor, *, n_rows: int, filler: float) -> Tensor:
    """Values by row, rows being in ascending order, as a table with a filler behind them."""
    counts = torch.bincount(row, minlength=n_rows)
    first = counts.cumsum(dim=0) - counts
    nth = torch.arange(len(row), device=row.device) - first[row]
    width = int(counts.max()) if n_rows else 0
    table = torch.full((n_rows, width), filler, dtype=values.dtype, device=values.device)
    table[row, nth] = values
    return table


def _ascending(scores: Tensor) -> Tensor:
    if scores.device.type != "cpu":
        return scores.sort(dim=1).values
    return torch.from_numpy(np.sort(scores.numpy(), axis=1))  # without positions, far faster
