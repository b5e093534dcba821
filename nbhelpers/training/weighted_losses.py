"""Sample weights in losses: the weighted mean, and losses of ratings that take weights.

``weights``, shape (batch,), say how often each row counts: weight 2 is a row that comes twice.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional


def mse_loss(pred: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Mean squared error.

    Parameters
    ----------
    pred, target : Tensor of float, shape (batch,)
        Of one shape.
    weights : Tensor of float, shape (batch,), optional

    Returns
    -------
    Tensor of float, shape ()

    Raises
    ------
    ValueError
        If the shapes of ``weights`` and of the errors do not fit each other.

    Examples
    --------
    >>> import torch
    >>> pred, target = torch.tensor([3.0, 5.0]), torch.tensor([4.0, 3.0])  # squares 1 and 4
    >>> mse_loss(pred, target).item()
    2.5
    >>> mse_loss(pred, target, weights=torch.tensor([3.0, 1.0])).item()
    1.75
    """
    if weights is None:
        return functional.mse_loss(pred, target)
    return weighted_mean(functional.mse_loss(pred, target, reduction="none"), weights)


def with_weights(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss of torch that takes sample weights, for ``fit(..., weights=...)``.

    Parameters
    ----------
    loss : callable
        Of ``(prediction, target)``, with torch's argument ``reduction``, such as
        ``torch.nn.functional.l1_loss``.

    Returns
    -------
    callable
        Of ``(prediction, target, *, weights=None)``: the mean, weighted if there are weights.

    Examples
    --------
    >>> import torch
    >>> loss = with_weights(functional.l1_loss)
    >>> loss(torch.tensor([1.0, 2.0]), torch.zeros(2), weights=torch.tensor([3.0, 1.0])).item()
    1.25
    """

    def weighted(pred: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
        return weighted_mean(loss(pred, target, reduction="none"), weights)

    return weighted


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over all values, each row counted by its weight.

    Parameters
    ----------
    values : Tensor of float, shape (batch,) or (batch, n)
    weights : Tensor of float, shape (batch,), optional
        Above 0. Without them it is the plain mean.

    Returns
    -------
    Tensor of float, shape ()

    Raises
    ------
    ValueError
        If there is not one weight for each row.
    """
    if weights is None:
        return values.mean()
    if weights.shape != values.shape[:1]:
        raise ValueError(
            f"weights must have the shape {tuple(values.shape[:1])}, one for each row, "
            f"got {tuple(weights.shape)}"
        )
    by_row = values.flatten(start_dim=1).mean(dim=1) if values.dim() > 1 else values  # (batch,)
    return (weights * by_row).sum() / weights.sum()
