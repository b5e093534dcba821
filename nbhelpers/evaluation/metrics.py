"""Errors of predicted ratings, and metrics of ranked lists: one value for each user.

``ranks`` come from ``rank_of_positive`` or ``ranks_of_positives``: shape (batch,) or (batch,
n_positives), 1 is best, 0 fills the rows of users with fewer positives. A user without positives
gets NaN: there was nothing to find, which is neither a hit nor a miss. ``k`` may exceed the number
of candidates; precision still divides by ``k``, since that many items were asked for.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from nbhelpers.core.topk import checked_k


def rmse(pred: Tensor, rating: Tensor) -> float:
    """Root of the mean squared error, in stars; large misses weigh more.

    Parameters
    ----------
    pred, rating : Tensor of float, shape (n,)
        Predicted and true ratings in stars.

    Returns
    -------
    float
        0 is perfect.

    Raises
    ------
    ValueError
        If the shapes differ, there is no rating, or a value is not finite.

    Examples
    --------
    >>> rmse(torch.tensor([3.0, 5.0]), torch.tensor([5.0, 3.0]))  # errors of 2 and 2
    2.0
    """
    return float(_errors(pred, rating).square().mean().sqrt())


def mae(pred: Tensor, rating: Tensor) -> float:
    """Mean absolute error, in stars; every miss weighs its size.

    Parameters
    ----------
    pred, rating : Tensor of float, shape (n,)
        Predicted and true ratings in stars.

    Returns
    -------
    float
        0 is perfect.

    Raises
    ------
    ValueError
        If the shapes differ, there is no rating, or a value is not finite.

    Examples
    --------
    >>> mae(torch.tensor([3.0, 5.0]), torch.tensor([4.0, 2.0]))  # errors of 1 and 3
    2.0
    """
    return float(_errors(pred, rating).abs().mean())


def _errors(pred: Tensor, rating: Tensor) -> Tensor:
    if pred.shape != rating.shape or pred.dim() != 1:
        raise ValueError(
            f"pred and rating must have one shape (n,), got {tuple(pred.shape)} "
            f"and {tuple(rating.shape)}"
        )
    if rating.numel() == 0:
        raise ValueError("no rating to compare with: pass at least one")
    errors = pred.detach().double() - rating.double()
    if not errors.isfinite().all():
        raise ValueError(f"{int((~errors.isfinite()).sum())} predictions or ratings are not finite")
    return errors


def hit_rate_at_k(ranks: Tensor, k: int) -> Tensor:
    """1 where at least one positive is in the top ``k``, else 0 (HR@k once averaged).

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)
    k : int
        Length of the list, at least 1.

    Returns
    -------
    Tensor of float64, shape (batch,)

    Raises
    ------
    ValueError
        If ``ranks`` are not ranks, or ``k`` is below 1.

    Examples
    --------
    >>> hit_rate_at_k(torch.tensor([1, 10, 11]), 10).tolist()
    [1.0, 1.0, 0.0]
    """
    table, counts = _table(ranks)
    return _per_user((table <= checked_k(k)).any(dim=1).double(), counts)


def recall_at_k(ranks: Tensor, k: int) -> Tensor:
    """Share of a user's positives that are in the top ``k``.

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)
    k : int
        Length of the list, at least 1.

    Returns
    -------
    Tensor of float64, shape (batch,)

    Examples
    --------
    >>> recall_at_k(torch.tensor([[2, 5, 40, 90], [1, 0, 0, 0]]), 10).tolist()
    [0.5, 1.0]
    """
    table, counts = _table(ranks)
    return _per_user((table <= checked_k(k)).sum(dim=1).double() / counts, counts)


def precision_at_k(ranks: Tensor, k: int) -> Tensor:
    """Share of the ``k`` listed items that are positives.

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)
    k : int
        Length of the list, at least 1.

    Returns
    -------
    Tensor of float64, shape (batch,)
        At most ``min(k, n_positives) / k``.

    Examples
    --------
    >>> precision_at_k(torch.tensor([[2, 5, 40, 90], [1, 0, 0, 0]]), 10).tolist()
    [0.2, 0.1]
    """
    table, counts = _table(ranks)
    return _per_user((table <= checked_k(k)).sum(dim=1).double() / k, counts)


def ndcg_at_k(ranks: Tensor, k: int, *, gains: Tensor | None = None) -> Tensor:
    """Normalized discounted cumulative gain: hits count gain / log2(1 + rank).

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)
    k : int
        Length of the list, at least 1.
    gains : Tensor of float, of the same shape, optional
        Gain of the positive at each rank, above 0, such as stars; where a rank is 0 it is left
        alone. Without gains every positive has the gain 1. Gains are taken as they are (linear);
        for the exponential form of web search pass ``2**stars - 1``.

    Returns
    -------
    Tensor of float64, shape (batch,)
        1 where the best ``min(k, n_positives)`` positives are the first ones, by descending gain.

    Raises
    ------
    ValueError
        If ``ranks`` are not ranks, ``k`` is below 1, or gains are of another shape, not finite
        or not above 0.

    References
    ----------
    Jarvelin and Kekalainen (2002), Cumulated Gain-Based Evaluation of IR Techniques, sec. 2, with
    the discount log2(1 + rank), https://doi.org/10.1145/582415.582418

    Examples
    --------
    >>> ndcg_at_k(torch.tensor([1, 3, 11]), 10).tolist()  # log2(1 + 3) = 2
    [1.0, 0.5, 0.0]
    >>> stars = torch.tensor([[1.0, 5.0]])  # the film of one star comes first
    >>> ndcg_at_k(torch.tensor([[1, 3]]), 10, gains=stars).round(decimals=3).tolist()
    [0.622]
    """
    table, counts = _table(ranks)
    worth = table.isfinite().double() if gains is None else _by_rank(gains, ranks)
    found = (worth / torch.log2(1 + table)).where(table <= checked_k(k), 0.0)
    position = torch.arange(1, table.shape[1] + 1, dtype=torch.float64, device=table.device)
    best = worth.sort(dim=1, descending=True).values
    ideal = (best / torch.log2(1 + position)).where(position <= k, 0.0)
    return _per_user(found.sum(dim=1) / ideal.sum(dim=1), counts)


def map_at_k(
    ranks: Tensor,
    k: int,
    *,
    denominator: Literal["positives", "min(k, positives)"] = "positives",
) -> Tensor:
    """Average precision: the sum of precision at each hit in the top ``k``, by a denominator.

    Libraries differ in the denominator, so it has a name here.

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)
    k : int
        Length of the list, at least 1.
    denominator : str
        ``"positives"``, as in TREC: a user with more than ``k`` positives cannot reach 1; or
        ``"min(k, positives)"``: a list full of hits is worth 1.

    Returns
    -------
    Tensor of float64, shape (batch,)

    Raises
    ------
    ValueError
        If ``ranks`` are not ranks, ``k`` is below 1, or the denominator is another.

    Examples
    --------
    >>> ranks = torch.tensor([[1, 4, 90, 91]])  # of four positives two in the top ten
    >>> map_at_k(ranks, 10).item()  # (1/1 + 2/4) / 4
    0.375
    >>> map_at_k(ranks, 2, denominator="min(k, positives)").item()  # (1/1) / 2
    0.5
    """
    table, counts = _table(ranks)
    hits = torch.arange(1, table.shape[1] + 1, device=table.device)  # up to and with this one
    total = (hits / table).where(table <= checked_k(k), 0.0).sum(dim=1)
    denominators = {"positives": counts, "min(k, positives)": counts.clamp(max=k)}
    if denominator not in denominators:
        raise ValueError(f"denominator must be one of {list(denominators)}, got {denominator!r}")
    return _per_user(total / denominators[denominator], counts)


def mean_reciprocal_rank(ranks: Tensor) -> Tensor:
    """1 / rank of the best positive (MRR once averaged over users).

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)

    Returns
    -------
    Tensor of float64, shape (batch,)

    Examples
    --------
    >>> mean_reciprocal_rank(torch.tensor([[2, 5], [4, 0]])).tolist()
    [0.5, 0.25]
    """
    table, counts = _table(ranks)
    return _per_user((1 / table[:, :1]).sum(dim=1), counts)  # the best stands first


def auc(ranks: Tensor, n_candidates: int | Tensor) -> Tensor:
    """Share of pairs of a positive and another candidate in which the positive scores higher.

    A tie counts as lost, as the ranks have it.

    Parameters
    ----------
    ranks : Tensor of int, shape (batch,) or (batch, n_positives)
    n_candidates : int, or Tensor of int of shape (batch,)
        All that were ranked, positives included.

    Returns
    -------
    Tensor of float64, shape (batch,)
        NaN also where every candidate is a positive.

    Raises
    ------
    ValueError
        If ``ranks`` are not ranks, or one exceeds ``n_candidates``.

    Examples
    --------
    >>> auc(torch.tensor([1, 3, 5]), 5).tolist()  # beside four other candidates
    [1.0, 0.5, 0.0]
    """
    table, counts = _table(ranks)
    total = torch.as_tensor(n_candidates, device=table.device).expand(len(table))
    real = table.isfinite()
    beyond = (real & (table > total.unsqueeze(1))).sum()
    if beyond:
        raise ValueError(f"{int(beyond)} ranks exceed the number of candidates")
    position = torch.arange(1, table.shape[1] + 1, device=table.device)
    lost = (table - position).where(real, 0.0).sum(dim=1)  # pairs that another candidate wins
    return _per_user(1 - lost / (counts * (total - counts)), counts)


def _table(ranks: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks as (batch, n_positives) float64, ascending, filled with inf; positives of each user."""
    if ranks.dim() not in (1, 2) or ranks.is_floating_point() or ranks.dtype == torch.bool:
        raise ValueError(
            f"ranks must be whole numbers of shape (batch,) or (batch, n_positives), got "
            f"{ranks.dtype} of shape {tuple(ranks.shape)}"
        )
    wide = ranks.unsqueeze(1) if ranks.dim() == 1 else ranks
    if (wide < 0).any():
        raise ValueError(f"ranks start at 1, with 0 for no positive, got {int(wide.min())}")
    table = wide.double().masked_fill(wide == 0, torch.inf).sort(dim=1).values
    repeated = (table[:, 1:] == table[:, :-1]) & table[:, 1:].isfinite()
    if repeated.any():
        raise ValueError(f"{int(repeated.sum())} ranks repeat another of the same user")
    return table, (wide > 0).sum(dim=1)


def _by_rank(gains: Tensor, ranks: Tensor) -> Tensor:
    """Gains in the order of ascending ranks, as (batch, n_positives) float64; 0 for no positive."""
    if gains.shape != ranks.shape:
        raise ValueError(
            f"gains must have the shape of ranks, {tuple(ranks.shape)}, got {tuple(gains.shape)}"
        )
    wide = ranks.unsqueeze(1) if ranks.dim() == 1 else ranks
    worth = gains.view(wide.shape).to(wide.device, torch.float64).where(wide > 0, 0.0)
    wrong = ((wide > 0) & ~((worth > 0) & worth.isfinite())).sum()
    if wrong:
        raise ValueError(f"gains must be finite and above 0, got {int(wrong)} that are not")
    order = wide.double().masked_fill(wide == 0, torch.inf).argsort(dim=1)
    return worth.gather(1, order)


def _per_user(values: Tensor, counts: Tensor) -> Tensor:
    return values.masked_fill(counts == 0, torch.nan)
