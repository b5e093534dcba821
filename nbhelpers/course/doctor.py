"""Whether this environment can run the course."""

from __future__ import annotations

import importlib
import os
import platform
from importlib import metadata, util

import torch

PACKAGES = ("torch", "numpy", "pandas", "fastai", "pytorch-lightning", "jupytext", "nbval")


def report() -> str:
    """Versions and device, in one line each.

    Returns
    -------
    str

    Raises
    ------
    RuntimeError
        If the environment is known not to work; the message holds the cure.
    """
    check_torchvision()
    device = os.environ.get("CF_DEVICE", "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise RuntimeError(
            f"DEVICE={device} needs an NVIDIA GPU and a CUDA build of torch, and torch "
            f"{torch.__version__} sees none: leave DEVICE out to use the CPU"
        )
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    return f"{environment()}\ndevice: {name}"


def environment() -> str:
    """Versions of Python and of the packages that matter, in one line.

    Returns
    -------
    str

    Examples
    --------
    >>> environment()  # doctest: +ELLIPSIS
    'Python 3..., torch ..., numpy ..., pandas ...'
    """
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{package} missing")
    return ", ".join(versions)


def check_torchvision() -> None:
    """Refuse a torchvision that was built for another torch.

    Raises
    ------
    RuntimeError
        If it cannot be imported: pytorch-lightning and torchmetrics would fail with it.
    """
    if util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except (RuntimeError, OSError, ImportError) as error:
        raise RuntimeError(
            f"torchvision does not fit torch {torch.__version__} ({error}); the course does not "
            "need it: python -m pip uninstall -y torchvision"
        ) from None
