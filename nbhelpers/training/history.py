"""The record of a training run: losses, metrics, seconds and learning rates of each epoch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

Mode = Literal["min", "max"]


@dataclass(repr=False)
class History:
    """What a training run measured, one entry for each epoch.

    Attributes
    ----------
    train_loss : list of float
        Mean over the rows of the epoch, each by its weight if there are weights, while the
        parameters move.
    metrics : dict of str to list of float
        What was measured after each epoch on held-out rows, by name. The first one decides which
        epoch is best.
    seconds : list of float
        Of training, validation left out.
    learning_rates : list of tuple of float
        At the end of the epoch, one for each group of parameters of the optimizer.
    mode : {"min", "max"}
        Whether a low or a high value of the first metric is good.
    device : torch.device
        Where the model trained.

    Examples
    --------
    >>> history = History([1.5, 1.0, 0.5], {"map": [0.25, 0.5, 0.125]})
    >>> history
    History(3 epochs on cpu: train_loss 1.5 to 0.5, map 0.125, best 0.5 in epoch 2)
    >>> print(history.frame().reset_index().to_string(index=False))
     epoch  train_loss   map
         1         1.5 0.250
         2         1.0 0.500
         3         0.5 0.125
    """

    train_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    learning_rates: list[tuple[float, ...]] = field(default_factory=list)
    mode: Mode = "max"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __repr__(self) -> str:
        n_epochs = len(self.train_loss)
        text = f"History({n_epochs} epoch{'s' * (n_epochs != 1)} on {self.device}"
        if n_epochs:
            text += f": train_loss {self.train_loss[0]:.4g} to {self.train_loss[-1]:.4g}"
        for name, values in list(self.metrics.items())[:1]:
            best = values[self.best_epoch - 1]
            text += f", {name} {values[-1]:.4g}, best {best:.4g} in epoch {self.best_epoch}"
        return text + ")"

    @property
    def valid_loss(self) -> list[float]:
        """Loss of the validation rows; empty where there were none."""
        return self.metrics.get("valid_loss", [])

    @property
    def best_epoch(self) -> int:
        """Epoch of the best first metric (of the last one without metrics), counted from 1."""
        for values in self.metrics.values():
            signed = np.array(values) if self.mode == "max" else -np.array(values)
            return int(np.argmax(np.nan_to_num(signed, nan=-np.inf, neginf=-np.inf))) + 1
        return len(self.train_loss)

    def add(
        self,
        train_loss: float,
        *,
        metrics: Mapping[str, float],
        seconds: float,
        learning_rates: Sequence[float],
    ) -> None:
        """Keep what an epoch brought.

        Raises
        ------
        ValueError
            If the metrics have other names than in the epochs before.
        """
        if self.train_loss and metrics.keys() != self.metrics.keys():
            raise ValueError(
                "validate must return the same metrics after each epoch, got "
                f"{list(metrics)[:3]} after {list(self.metrics)[:3]}"
            )
        self.train_loss.append(train_loss)
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append(value)
        self.seconds.append(seconds)
        self.learning_rates.append(tuple(learning_rates))

    def frame(self) -> pd.DataFrame:
        """Losses and metrics as a table, indexed by epoch from 1."""
        table = pd.DataFrame({"train_loss": self.train_loss, **self.metrics})
        return table.set_index(pd.RangeIndex(1, len(table) + 1, name="epoch"))

    def full_frame(self) -> pd.DataFrame:
        """``frame`` with ``seconds`` and learning rates: ``lr``, or ``lr_0``, ``lr_1``, ..."""
        table = self.frame().assign(seconds=self.seconds)
        columns = list(zip(*self.learning_rates, strict=True))
        for k, rates in enumerate(columns):
            table["lr" if len(columns) == 1 else f"lr_{k}"] = rates
        return table

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, as plain values."""
        return {**copy.deepcopy(vars(self)), "device": str(self.device)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what a checkpoint has kept."""
        vars(self).update(copy.deepcopy(dict(state)), device=torch.device(state["device"]))


class BestWeights:
    """Keeps the weights of the best epoch, and says when patience is over.

    Parameters
    ----------
    model : nn.Module
    patience : int, optional
        Epochs without a better one before it is over. Without it nothing is kept.
    """

    def __init__(self, model: nn.Module, patience: int | None) -> None:
        self.model, self.patience = model, patience
        self.weights: dict[str, Tensor] | None = None

    def update(self, history: History) -> None:
        """Keep the weights, if the epoch that has ended is the best so far."""
        if self.patience is not None and history.best_epoch == len(history.train_loss):
            self.weights = copy.deepcopy(self.model.state_dict())

    def is_over(self, history: History) -> bool:
        """Whether to stop after the last epoch."""
        if self.patience is None:
            return False
        return len(history.train_loss) - history.best_epoch >= self.patience

    def restore(self) -> None:
        """Put back what was kept, if anything was."""
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
