"""The best of many scores: used where lists are judged, and where they are made."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` best scores of each row and their columns, of equal scores the lowest column first.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_candidates)
        ``-inf`` marks a candidate that is not to be listed.
    k : int
        At least 1; above ``n_candidates`` it counts as ``n_candidates``.

    Returns
    -------
    best : Tensor of float, shape (batch, min(k, n_candidates))
        In descending order; a row with fewer candidates ends in -inf.
    columns : Tensor of int64, of the same shape
        A row with fewer candidates ends in -1.

    Raises
    ------
    ValueError
        If a score is NaN, or ``k`` is below 1.

    Examples
    --------
    Columns 0 and 3 are equally good, and only one candidate of the second row may be listed:

    >>> scores = torch.tensor([[0.5, 0.9, 0.1, 0.5], [-torch.inf, 0.2, -torch.inf, -torch.inf]])
    >>> best, columns = top_k(scores, 2)
    >>> columns
    tensor([[ 1,  0],
            [ 1, -1]])
    """
    scores, k = comparable(scores), checked_k(k)
    width = min(k, scores.shape[1])
    if not len(scores) or not width:
        return scores[:, :width], scores[:, :width].long()
    best, columns = scores.topk(min(width + 1, scores.shape[1]), dim=1)
    cut = (best[:, width:] == best[:, width - 1 : width]).any(dim=1)  # a tie across the end
    best, columns = best[:, :width], columns[:, :width]
    if cut.any():
        columns[cut] = _lowest(scores[cut], best[cut])
    tied = cut | (best[:, 1:] == best[:, :-1]).any(dim=1)  # topk takes equals in any order
    if tied.any():
        columns[tied] = _in_order(scores[tied], columns[tied])
    return best, columns.masked_fill(best == -torch.inf, -1)


def checked_k(k: int) -> int:
    """``k`` if it is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")
    return int(k)


def comparable(scores: Tensor) -> Tensor:
    """Scores that can be masked, sorted and compared: float32 or float64, without NaN.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_candidates)

    Returns
    -------
    Tensor of float, of the same shape
        Without gradient.

    Raises
    ------
    ValueError
        If the shape is another, or a score is NaN.
    """
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


def _lowest(scores: Tensor, best: Tensor) -> Tensor:
    """Columns with the best scores of each row, of those equal to the last one the lowest."""
    width, last = best.shape[1], best[:, -1:]
    above, level = scores > last, scores == last
    room = width - above.sum(dim=1, keepdim=True)  # (batch, 1)
    listed = above | (level & (level.cumsum(dim=1, dtype=torch.int32) <= room))
    return listed.nonzero()[:, 1].view(-1, width)


def _in_order(scores: Tensor, columns: Tensor) -> Tensor:
    """Columns by descending score, of equal scores the lowest first."""
    columns = columns.sort(dim=1).values
    order = scores.gather(1, columns).sort(dim=1, descending=True, stable=True).indices
    return columns.gather(1, order)
