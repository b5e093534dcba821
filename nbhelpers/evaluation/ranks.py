"""From scores to ranks: where the held-out items stand among their candidates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


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
    """
    scores = _comparable(scores)
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
    """
    scores = _comparable(scores)
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
    place = torch.arange(width, device=scores.device)
    return ranks.masked_fill(place >= counts, 0)


def top_k_lists(scores: Tensor, k: int) -> Tensor:
    """The ``k`` best columns of each row, best first; of equal scores the lowest column first.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_candidates)
        ``-inf`` marks a candidate that is not to be listed.
    k : int
        At least 1; above ``n_candidates`` the lists are as long as the row.

    Returns
    -------
    Tensor of int64, shape (batch, min(k, n_candidates))
        -1 fills the lists of rows with fewer candidates.

    Raises
    ------
    ValueError
        If a score is NaN, or ``k`` is below 1.
    """
    scores, k = _comparable(scores), checked_k(k)
    width = min(k, scores.shape[1])
    if not len(scores) or not width:
        return torch.empty(len(scores), width, dtype=torch.int64, device=scores.device)
    best = scores.topk(min(width + 1, scores.shape[1]), dim=1)
    columns = best.indices[:, :width]
    tied = (best.values[:, 1:] == best.values[:, :-1]).any(dim=1)  # topk takes any of equals
    if tied.any():
        columns[tied] = _lowest_first(scores[tied], width)
    return columns.masked_fill(scores.gather(1, columns) == -torch.inf, -1)


def checked_k(k: int) -> int:
    """``k`` if it is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")
    return int(k)


def _lowest_first(scores: Tensor, width: int) -> Tensor:
    """Columns of the ``width`` best of each row, of equal scores the lowest column first."""
    last = scores.topk(width, dim=1).values[:, -1:]  # (batch, 1)
    above, level = scores > last, scores == last
    room = width - above.sum(dim=1, keepdim=True)
    listed = above | (level & (level.cumsum(dim=1, dtype=torch.int32) <= room))
    columns = listed.nonzero()[:, 1].view(-1, width)  # ascending in each row
    order = scores.gather(1, columns).sort(dim=1, descending=True, stable=True).indices
    return columns.gather(1, order)


def _comparable(scores: Tensor) -> Tensor:
    """Scores that can be masked, sorted and compared: float32 or float64, without NaN."""
    if scores.dim() != 2:
        raise ValueError(f"scores must be (batch, n_candidates), got shape {tuple(scores.shape)}")
    scores = scores.detach()
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.float() if scores.is_floating_point() else scores.double()
    if scores.sum().isnan() and (gaps := scores.isnan()).any():  # the sum is cheap and misses none
        raise ValueError(
            f"{int(gaps.sum())} scores are NaN, in {int(gaps.any(dim=1).sum())} rows: "
            f"a rank among them has no meaning"
        )
    return scores


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
    """Ranks of each row's positives, best first, from a sort of the others; then filling."""
    _refuse_masked(scores[positives])
    best = scores.masked_fill(~positives, -torch.inf).topk(width, dim=1).values
    others = _ascending(scores.masked_fill(positives, -torch.inf))
    # A row that has fewer positives than the widest is filled with -inf: the caller clears it.
    below = torch.searchsorted(others, best.contiguous())  # others that score less
    place = torch.arange(1, width + 1, device=scores.device)
    return place + others.shape[1] - below


def _ascending(scores: Tensor) -> Tensor:
    if scores.device.type != "cpu":
        return scores.sort(dim=1).values
    return torch.from_numpy(np.sort(scores.numpy(), axis=1))  # without places, far faster
