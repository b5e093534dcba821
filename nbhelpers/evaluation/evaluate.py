"""From a model and held-out rows to scores with an interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nbhelpers.evaluation.metrics import mae, rmse
from nbhelpers.evaluation.statistics import bootstrap_interval


@dataclass(frozen=True)
class RatingScores:
    """Errors of predicted ratings.

    Attributes
    ----------
    mse : float
        Mean squared error, in squared stars.
    rmse, mae : float
        In stars.
    interval : (float, float)
        95 % interval of ``mse`` over users.
    seconds : float
        Of predicting and scoring.
    """

    mse: float
    rmse: float
    mae: float
    interval: tuple[float, float]
    seconds: float


@torch.no_grad()
def evaluate_ratings(
    model: Callable[[Tensor, Tensor], Tensor], data: Sequence[Tensor]
) -> RatingScores:
    """Score predicted against held-out ratings.

    Parameters
    ----------
    model : callable
        ``model(user_idx, item_idx)`` gives stars; a module is put into evaluation mode first.
    data : (user_idx, item_idx, rating)
        Tensors of shape (n,).

    Returns
    -------
    RatingScores

    Raises
    ------
    ValueError
        If there is no row, or a prediction is not finite.
    """
    started = time.perf_counter()
    user_idx, item_idx, rating = data
    if isinstance(model, torch.nn.Module):
        model.eval()
    batches = zip(user_idx.split(65_536), item_idx.split(65_536), strict=True)
    pred = torch.cat([model(*batch) for batch in batches])
    error = rmse(pred, rating)
    _, user = user_idx.unique(return_inverse=True)
    squares = (pred.double() - rating.double()).square()
    totals = torch.zeros(int(user.max()) + 1, dtype=torch.float64).index_add_(0, user, squares)
    interval = bootstrap_interval(totals.numpy(), torch.bincount(user).numpy())
    seconds = time.perf_counter() - started
    return RatingScores(error**2, error, mae(pred, rating), interval, seconds)
