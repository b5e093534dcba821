"""The plain loop for rankings; ``lightning.py`` does the same in Lightning for pairs.

Batches of pairs are ``(user_idx (batch,), item_idx (batch,), negatives (batch, n_negatives))``,
batches of users ``(user_idx (batch,), positives (batch, n_items))``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nbhelpers.training.device import choose_device, home_of
from nbhelpers.training.epochs import BestWeights, epochs
from nbhelpers.training.fit import Schedule
from nbhelpers.training.losses import logistic_loss
from nbhelpers.training.optimizers import adam, descend
from nbhelpers.training.partial_credit import PairLoss, PartialCredit
from nbhelpers.training.resume import Batch, Batches

Validate = Callable[[nn.Module], Mapping[str, float]]


def pair_loss(model: nn.Module, batch: Batch, loss: PairLoss | PartialCredit) -> Tensor:
    """Loss of a batch of positives, each with negatives of its own.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)`` with all pairs of the batch in one row.
    batch : tuple of Tensor
        ``user_idx`` and ``item_idx``, shape (batch,), and ``negatives``, (batch, n_negatives).
    loss : callable
        One of ``nbhelpers.training.losses`` that takes scores of positives and negatives, with
        or without ``partial_credit``.

    Returns
    -------
    Tensor of float, shape ()
    """
    user_idx, item_idx, negatives = batch
    items = torch.cat([item_idx.unsqueeze(1), negatives], dim=1)  # (batch, 1 + n_negatives)
    users = user_idx.unsqueeze(1).expand_as(items)
    scores = model(users.flatten(), items.flatten()).view(items.shape)
    positive, negative = scores[:, 0], scores[:, 1:]
    if isinstance(loss, PartialCredit):
        return loss(positive, negative, item_idx, negatives)
    return loss(positive, negative)


def row_loss(model: Any, batch: Batch, loss: PairLoss | PartialCredit) -> Tensor:
    """Loss of a batch of users, each with all items: nothing is sampled.

    Parameters
    ----------
    model : nn.Module
        Its ``score_users(user_idx)`` gives every item a score.
    batch : tuple of Tensor
        ``user_idx``, shape (batch,), and ``positives``, (batch, n_items).
    loss : callable
        Takes scores and positives, two tables, such as ``losses.full_softmax_loss``.

    Returns
    -------
    Tensor of float, shape ()

    Raises
    ------
    ValueError
        If the loss has partial credit, which compares a positive with sampled negatives.
    """
    if isinstance(loss, PartialCredit):
        raise ValueError("partial credit needs batches of pairs with negatives, got users")
    user_idx, positives = batch
    return loss(model.score_users(user_idx), positives)


@dataclass
class RankingHistory:
    """What a run brought, one entry for each epoch.

    Attributes
    ----------
    train_loss : list of float
        Mean over the batches' rows, while the weights move.
    metrics : dict of str to list of float
        What ``validate`` returned; the first decides which epoch is best.
    seconds : list of float
        Of training, validation left out.
    """

    train_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Epoch of the highest first metric (of the last one without metrics), from 1."""
        for values in self.metrics.values():
            return int(np.argmax(values)) + 1
        return len(self.train_loss)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Metrics of the epoch that has ended."""
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append(value)

    def frame(self) -> pd.DataFrame:
        """Loss and metrics as a table, indexed by epoch."""
        table = pd.DataFrame({"train_loss": self.train_loss, **self.metrics})
        return table.set_index(pd.RangeIndex(1, len(table) + 1, name="epoch"))


def fit_ranking(
    model: nn.Module,
    batches: Batches,
    *,
    loss: PairLoss | PartialCredit = logistic_loss,
    n_epochs: int = 5,
    lr: float = 5e-3,
    wd: float = 0.0,
    make_optimizer: Callable[[nn.Module], Optimizer] | None = None,
    schedule: Schedule | None = None,
    validate: Validate | None = None,
    patience: int | None = None,
    device: torch.device | str | None = None,
) -> RankingHistory:
    """Train a model in place on positives, against sampled negatives or the whole catalog.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)``, or as ``model.score_users(user_idx)`` where
        batches hold users. It trains on ``device``, comes back to where it
        was, and is left in evaluation mode.
    batches : iterable with a length
        ``PairBatches``, or ``StreamedPairs`` for rows larger than memory; or ``UserBatches``.
        Drawn anew each epoch.
    loss : callable
        See ``pair_loss``; for ``UserBatches`` see ``row_loss``.
    n_epochs : int
    lr, wd : float
        Of ``optimizers.adam``, Adam with decoupled weight decay.
    make_optimizer : callable, optional
        Makes another optimizer from the model, such as ``lambda model: factors_and_biases(model,
        lr=0.01, bias_lr=0.1)``; ``lr`` and ``wd`` are then unused.
    schedule : callable, optional
        Makes a scheduler, stepped after each batch, such as ``one_cycle``.
    validate : callable, optional
        Gives metrics of the model by name after each epoch, in evaluation mode and without
        gradients. The first decides which epoch is best: higher is better.
    patience : int, optional
        Stop after this many epochs without a better first metric, and restore the best weights.
        Without it all epochs are run and the last weights kept.
    device : optional
        Without it ``choose_device()``.

    Returns
    -------
    RankingHistory

    Raises
    ------
    ValueError
        If ``n_epochs`` or ``patience`` is below 1, ``patience`` is given without ``validate``,
        or the model has no parameter.
    FloatingPointError
        At the first loss that is not finite. The weights stay as they were then, or, with
        ``patience``, go back to the best.
    """
    _check(n_epochs, patience, validate)
    home = home_of(model)
    device = choose_device() if device is None else torch.device(device)
    model.to(device)
    optimizer = adam(model, lr=lr, wd=wd) if make_optimizer is None else make_optimizer(model)
    scheduler = schedule(optimizer, n_epochs * len(batches)) if schedule else None
    run = _Run(model, loss, optimizer, scheduler)
    history, best = RankingHistory(), BestWeights(model, patience)
    try:
        for epoch in epochs(n_epochs):
            started = time.perf_counter()
            history.train_loss.append(run.epoch(batches, device))
            history.seconds.append(time.perf_counter() - started)
            history.add(_metrics(model, validate))
            if best.is_over(epoch=epoch, best_epoch=history.best_epoch):
                break
    finally:
        best.restore()
        model.to(home).eval()
    return history


class _Run:
    """The moving parts of one training run."""

    def __init__(
        self,
        model: nn.Module,
        loss: PairLoss | PartialCredit,
        optimizer: Optimizer,
        scheduler: LRScheduler | None,
    ) -> None:
        self.model, self.loss = model, loss
        self.optimizer, self.scheduler = optimizer, scheduler

    def epoch(self, batches: Batches, device: torch.device) -> float:
        """Mean training loss of one pass."""
        self.model.train()
        total, n_rows = 0.0, 0
        for batch in batches:
            batch = tuple(tensor.to(device) for tensor in batch)
            total += self.step(batch) * len(batch[0])
            n_rows += len(batch[0])
        return total / n_rows

    def step(self, batch: Batch) -> float:
        """Loss of one batch, before the weights move."""
        batch_loss = row_loss if len(batch) == 2 else pair_loss
        loss = batch_loss(self.model, batch, self.loss)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value}: lower the learning rate")
        descend(loss, self.optimizer, self.scheduler)
        return value


@torch.no_grad()
def _metrics(model: nn.Module, validate: Validate | None) -> dict[str, float]:
    if validate is None:
        return {}
    model.eval()
    return {name: float(value) for name, value in validate(model).items()}


def _check(n_epochs: int, patience: int | None, validate: Validate | None) -> None:
    if n_epochs < 1:
        raise ValueError(f"n_epochs must be at least 1, got {n_epochs}")
    if patience is not None and (validate is None or patience < 1):
        raise ValueError(f"patience needs validate and must be at least 1, got {patience}")
