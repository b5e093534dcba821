"""Where models train, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16"]


def choose_device() -> torch.device:
    """Device named by the variable ``CF_DEVICE``; without it the CPU.

    The models of this course are small: a GPU pays only for large batches, so it has to be asked
    for. What a run was really trained on is in its ``History.device``.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the named device is not there.

    Examples
    --------
    >>> choose_device()  # without CF_DEVICE
    device(type='cpu')
    """
    name = os.environ.get("CF_DEVICE", "cpu")
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(name.split(":")[0], False):
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise ValueError(f"CF_DEVICE={name} is not usable here: choose among {usable}")
    return torch.device(name)


def parameter_device(model: nn.Module) -> torch.device:
    """Device of a model's parameters.

    Parameters
    ----------
    model : nn.Module

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If it has no parameter.
    """
    for parameter in model.parameters():
        return parameter.device
    raise ValueError(
        "the model has no parameter to train: make its tensors nn.Parameter, and keep its layers "
        "in attributes, an nn.ModuleList or an nn.ParameterList"
    )


def precise(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Where a step computes its loss: as it stands, or in mixed precision.

    ``"bfloat16"`` is *mixed* precision: weights, gradients, look-ups and sums stay float32, and
    only matrix products, such as those of a network's layers or of a user with the whole catalog,
    are computed with numbers of 16 bits. These have the range of float32, and about three decimal
    digits instead of seven; so no loss has to be scaled, as it has for float16. A GPU with tensor
    cores computes such products several times faster; a CPU mostly does not.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
    device : torch.device

    Returns
    -------
    context manager

    References
    ----------
    Kalamkar et al. (2019), A Study of BFLOAT16 for Deep Learning Training,
    https://arxiv.org/abs/1905.12322

    Examples
    --------
    >>> row = torch.ones(1, 3)
    >>> with precise("bfloat16", row.device):
    ...     (row @ row.T).dtype, (row * row).dtype
    (torch.bfloat16, torch.float32)
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def full_precision(scores: Tensor) -> Tensor:
    """Scores as float32 where a model gave 16 bits: the loss of a batch is a sum of many."""
    return scores.float() if scores.dtype == torch.bfloat16 else scores


def require_precision(precision: str) -> None:
    """Refuse a precision that no loop knows.

    Raises
    ------
    ValueError
        With the ones that there are.
    """
    if precision not in get_args(Precision):
        known = " or ".join(map(repr, get_args(Precision)))
        raise ValueError(f"precision must be {known}, got {precision!r}")
