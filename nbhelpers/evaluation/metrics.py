"""Errors of predicted ratings."""

from __future__ import annotations

from torch import Tensor


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
