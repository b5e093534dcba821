"""The mean loss of an epoch, and why a loss or the weights are not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

CHUNK_SIZE = 1_000  # steps whose losses are written into one tensor


class MeanLoss:
    """Mean loss of an epoch, gathered on the device: one transfer at the end, none in a step.

    Each loss is written into a tensor that is there already. Kept one by one, the small tensors
    would lie between the large ones of the steps, and hold the memory of every step.
    """

    def __init__(self) -> None:
        self.losses: list[Tensor] = []  # each of shape (CHUNK_SIZE,), the last one partly filled
        self.sizes: list[Tensor] = []  # the same
        self.n_steps = 0

    def add(self, loss: Tensor, size: int | Tensor) -> None:
        """The mean loss of a batch, shape (), and how much the batch counts."""
        position = self.n_steps % CHUNK_SIZE
        if position == 0:
            self.losses.append(loss.new_zeros(CHUNK_SIZE))
            table = loss if isinstance(size, Tensor) else torch.empty(0, dtype=torch.float64)
            self.sizes.append(table.new_zeros(CHUNK_SIZE))
        self.losses[-1][position] = loss.detach()
        self.sizes[-1][position] = size
        self.n_steps += 1

    def mean(self) -> float:
        """Mean over all that was added.

        Raises
        ------
        ValueError
            If nothing was.
        """
        if not self.n_steps:
            raise ValueError("there was no batch to train on")
        total, size = self.sums()
        return total / size

    def sums(self) -> tuple[float, float]:
        """Sum of the losses, each times its size, and sum of the sizes."""
        if not self.n_steps:
            return 0.0, 0.0
        losses = torch.cat(self.losses)[: self.n_steps].tolist()
        sizes = torch.cat(self.sizes)[: self.n_steps].tolist()
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        return float(total), float(sum(sizes))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint within an epoch keeps."""
        return {"losses": self.losses, "sizes": self.sizes, "n_steps": self.n_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on within an epoch."""
        self.losses, self.sizes = list(state["losses"]), list(state["sizes"])
        self.n_steps = state["n_steps"]


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
