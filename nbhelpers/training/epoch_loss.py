"""The mean loss of an epoch, and why a loss or the weights are not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class MeanLoss:
    """Mean loss of an epoch, gathered on the device: one transfer at the end, none in a step."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []  # each of shape (n_steps,)
        self.sizes: list[Tensor] = []
        self.latest: list[tuple[Tensor, int | Tensor]] = []

    def add(self, loss: Tensor, size: int | Tensor) -> None:
        """The mean loss of a batch, shape (), and how much the batch counts."""
        self.latest.append((loss.detach(), size))
        if len(self.latest) == 1_000:  # a tensor for each step would fill the memory
            self._gather()

    def mean(self) -> float:
        """Mean over all that was added.

        Raises
        ------
        ValueError
            If nothing was.
        """
        self._gather()
        if not self.losses:
            raise ValueError("there was no batch to train on")
        losses, sizes = torch.cat(self.losses).tolist(), torch.cat(self.sizes).tolist()
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        return float(total / sum(sizes))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint within an epoch keeps."""
        self._gather()
        return {"losses": self.losses, "sizes": self.sizes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on within an epoch."""
        self.losses, self.sizes = list(state["losses"]), list(state["sizes"])

    def _gather(self) -> None:
        if not self.latest:
            return
        losses, sizes = zip(*self.latest, strict=True)
        self.losses.append(torch.stack(losses))
        is_weighted = isinstance(sizes[0], Tensor)
        self.sizes.append(torch.stack(sizes) if is_weighted else torch.tensor(sizes))
        self.latest = []


def require_finite(
    model: nn.Module, loss: float, *, data: Mapping[str, Tensor] | None = None
) -> None:
    """Refuse to go on from a loss or from weights that are not finite.

    Parameters
    ----------
    model : nn.Module
    loss : float
    data : mapping of str to Tensor, optional
        What the loss came from, by name.

    Raises
    ------
    FloatingPointError
        With the cause, and what to do about it.
    """
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    if math.isfinite(loss) and not _not_finite(weights):
        return
    for name in _not_finite(data or {}):
        cause = f"the {name} holds values that are not finite; repair the data"
        raise FloatingPointError(f"the loss is {loss}: {cause}")
    for name in _not_finite(weights):
        raise FloatingPointError(
            f"the loss is {loss}, and the weights {name} are no longer finite; lower lr"
        )
    raise FloatingPointError(
        f"the loss is {loss}: data and weights are finite, the prediction is too large; lower lr "
        "or scale the data"
    )


def _not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that hold NaN or infinity, by one transfer."""
    if not tensors:
        return []
    finite = torch.stack([tensor.isfinite().all() for tensor in tensors.values()]).tolist()
    return [name for name, is_finite in zip(tensors, finite, strict=True) if not is_finite]
