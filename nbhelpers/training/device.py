"""Where models train."""

from __future__ import annotations

import os

import torch
from torch import nn


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
