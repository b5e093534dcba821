"""One training loop for every model and every loss."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nbhelpers.training.device import choose_device, home_of
from nbhelpers.training.epochs import BestWeights, epochs
from nbhelpers.training.optimizers import adamw, descend

Loss = Callable[[Tensor, Tensor], Tensor]
Schedule = Callable[[Optimizer, int], LRScheduler]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, on every device.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries still draw from the global generator
    torch.manual_seed(seed)


@dataclass
class History:
    """Losses of a training run, one entry for each epoch.

    Attributes
    ----------
    train_loss, valid_loss : list of float
        Mean over the rows; training loss while the weights move, validation loss after the
        epoch. ``valid_loss`` is empty without validation rows.
    seconds : list of float
        Of training, validation left out.
    best_epoch : int
        Epoch of the lowest validation loss (of the last one without validation), from 1.
    """

    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Epoch of the lowest validation loss, from 1."""
        if not self.valid_loss:
            return len(self.train_loss)
        return int(np.argmin(self.valid_loss)) + 1

    def frame(self) -> pd.DataFrame:
        """Losses as a table, indexed by epoch."""
        losses = {"train_loss": self.train_loss, "valid_loss": self.valid_loss}
        table = pd.DataFrame({name: values for name, values in losses.items() if values})
        return table.set_index(pd.RangeIndex(1, len(table) + 1, name="epoch"))


def fit(
    model: nn.Module,
    train: Sequence[Tensor],
    valid: Sequence[Tensor] | None = None,
    *,
    loss: Loss = nn.functional.mse_loss,
    n_epochs: int = 5,
    batch_size: int = 64,
    lr: float = 5e-3,
    wd: float = 0.0,
    make_optimizer: MakeOptimizer | None = None,
    schedule: Schedule | None = None,
    patience: int | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> History:
    """Train a model in place and return its losses.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(*inputs)``. It trains on ``device``, comes back to where it was, and is
        left in evaluation mode.
    train, valid : sequence of Tensor, each of shape (n, ...)
        Inputs of the model, and last the target: ``(user_idx, item_idx, rating)``.
    loss : callable
        Mean loss of ``(prediction, target)``.
    n_epochs, batch_size : int
    lr, wd : float
        Learning rate and decoupled weight decay of AdamW. Its second moment remembers about 100
        batches, not torch's 1,000 (betas 0.9 and 0.99): while the gradients of small embeddings
        grow, a long memory makes longer steps than ``lr`` says.
    make_optimizer : callable, optional
        Makes another optimizer from the parameters; ``lr`` and ``wd`` are then unused.
    schedule : callable, optional
        Makes a scheduler, stepped after each batch, such as ``one_cycle``.
    patience : int, optional
        Stop after this many epochs without a better validation loss, and restore the best
        weights. Without it all epochs are run and the last weights kept.
    generator : torch.Generator, optional
        Shuffles the rows; without it torch's global generator does.
    device : optional
        Without it ``choose_device()``.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If there are no rows, the tensors differ in length, ``patience`` is given without
        ``valid``, or the model has no parameter.
    FloatingPointError
        At the first loss that is not finite, with the cause. The weights stay as they were then,
        or, with ``patience``, go back to the best.
    """
    _check(train, valid, n_epochs=n_epochs, batch_size=batch_size, patience=patience)
    home = home_of(model)
    device = choose_device() if device is None else torch.device(device)
    model.to(device)
    train = [tensor.to(device) for tensor in train]
    valid = None if valid is None else [tensor.to(device) for tensor in valid]
    optimizer = make_optimizer or (lambda parameters: _adamw(parameters, lr, wd))
    n_steps = n_epochs * math.ceil(len(train[0]) / batch_size)
    run = _Run(model, loss, optimizer, schedule, n_steps=n_steps)
    history, best = History(), BestWeights(model, patience)
    try:
        for epoch in epochs(n_epochs):
            started = time.perf_counter()
            history.train_loss.append(run.epoch(train, batch_size, generator))
            history.seconds.append(time.perf_counter() - started)
            if valid is not None:
                history.valid_loss.append(mean_loss(model, valid, loss=loss))
            if best.is_over(epoch=epoch, best_epoch=history.best_epoch):
                break
    finally:
        best.restore()
        model.to(home).eval()
    return history


@torch.no_grad()
def mean_loss(
    model: nn.Module, data: Sequence[Tensor], *, loss: Loss = nn.functional.mse_loss
) -> float:
    """Mean loss over all rows, in evaluation mode and without gradients.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(*inputs)``; left in the mode in which it came.
    data : sequence of Tensor, each of shape (n, ...)
        Inputs of the model, and last the target.
    loss : callable
        Mean loss of ``(prediction, target)``.

    Returns
    -------
    float
    """
    was_training = model.training
    model.eval()
    total = 0.0
    for *inputs, target in zip(*(tensor.split(65_536) for tensor in data), strict=True):
        total += loss(model(*inputs), target).item() * len(target)
    model.train(was_training)
    return total / len(data[-1])


class _Run:
    """The moving parts of one training run."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        make_optimizer: MakeOptimizer,
        schedule: Schedule | None,
        *,
        n_steps: int,
    ) -> None:
        self.model, self.loss = model, loss
        self.optimizer = make_optimizer(model.parameters())
        self.scheduler = schedule(self.optimizer, n_steps) if schedule else None

    def epoch(
        self, train: Sequence[Tensor], batch_size: int, generator: torch.Generator | None
    ) -> float:
        """Mean training loss of one pass over the shuffled rows."""
        self.model.train()
        order = torch.randperm(len(train[0]), generator=generator).to(train[0].device)
        batches = zip(*(tensor[order].split(batch_size) for tensor in train), strict=True)
        total = 0.0
        for *inputs, target in batches:
            total += self.step(inputs, target) * len(target)
        return total / len(order)

    def step(self, inputs: Sequence[Tensor], target: Tensor) -> float:
        """Loss of one batch, before the weights move."""
        loss = self.loss(self.model(*inputs), target)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value}: {_cause(self.model, inputs, target)}")
        descend(loss, self.optimizer, self.scheduler)
        return value


def _adamw(parameters: Iterable[nn.Parameter], lr: float, wd: float) -> Optimizer:
    return adamw(parameters, lr=lr, wd=wd, betas=(0.9, 0.99), eps=1e-5)


def _cause(model: nn.Module, inputs: Sequence[Tensor], target: Tensor) -> str:
    """Why a loss is not finite, and what to do about it."""
    for name, tensor in [("target", target), *((f"input {k}", x) for k, x in enumerate(inputs))]:
        if not tensor.isfinite().all():
            return f"the {name} holds values that are not finite; repair the data"
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            return f"the weights {name} are no longer finite; lower lr"
    return "data and weights are finite, the prediction is too large; lower lr or scale the data"


def _check(
    train: Sequence[Tensor],
    valid: Sequence[Tensor] | None,
    *,
    n_epochs: int,
    batch_size: int,
    patience: int | None,
) -> None:
    if n_epochs < 1 or batch_size < 1:
        raise ValueError(f"n_epochs and batch_size must be 1 or more: {n_epochs}, {batch_size}")
    if patience is not None and (valid is None or patience < 1):
        raise ValueError(f"patience needs valid rows and must be 1 or more, got {patience}")
    for name, tensors in (("train", train), ("valid", valid)):
        if tensors is None:
            continue
        lengths = [len(tensor) for tensor in tensors]
        if len(lengths) < 2 or min(lengths) == 0 or len(set(lengths)) > 1:
            raise ValueError(
                f"{name} must hold inputs and a target of one length, got lengths {lengths}"
            )
