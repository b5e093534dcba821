"""The loop that ``fit``, ``fit_ranking`` and ``fit_stages`` share: epochs, checks and stops."""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm

from nbhelpers.core.checks import require_one
from nbhelpers.core.recommender import evaluation_mode
from nbhelpers.training.device import (
    Precision,
    choose_device,
    parameter_device,
    precise,
    require_precision,
)
from nbhelpers.training.epoch_loss import MeanLoss, require_finite
from nbhelpers.training.history import BestWeights, History, Mode
from nbhelpers.training.optimizers import MakeOptimizer, Schedule, descend
from nbhelpers.training.resume import (
    Batch,
    Batches,
    random_states,
    restore_random_states,
)

Validate = Callable[[nn.Module], Mapping[str, float]]
BatchLoss = Callable[[nn.Module, Batch], tuple[Tensor, int | Tensor]]

logger = logging.getLogger("nbhelpers.training")
_IS_HIDDEN = ContextVar("without_bars", default=False)


class Callback(Protocol):
    """Something that looks on while a model trains, and may end the run."""

    def on_epoch_end(self, model: nn.Module, history: History) -> bool | None:
        """Called after each epoch, with the model in training mode; ``True`` ends the run.

        An exception ends it, too; with a checkpoint, the run can go on before this epoch.
        """


@dataclass(frozen=True)
class Recipe:
    """How to train, whatever the model and the loss: what all entrances have in common.

    Attributes
    ----------
    n_epochs : int
        In all, also when a run is resumed.
    make_optimizer : callable
        Makes the optimizer from the model.
    schedule : callable, optional
        Makes a scheduler from the optimizer and the number of steps, stepped after each batch; or
        ``optimizers.on_plateau``, which is stepped after each epoch by the first metric.
    validate : callable, optional
        Metrics of the model by name, in evaluation mode and without gradients.
    mode : {"min", "max"}
        Whether a low or a high value of the first metric is good.
    patience : int, optional
        Epochs without a better first metric before the run stops and the best weights come back.
    callbacks : sequence of Callback
    device : optional
        Without it ``choose_device()``.
    precision : {"float32", "bfloat16"}
        In which the matrix products of a step are computed: see ``device.precise``.
    checkpoint : optional
        Where the run is kept after each epoch, and where it goes on.
    settings : mapping of str to str
        What else must be the same when a run goes on, such as the name of the loss.

    Raises
    ------
    ValueError
        If ``n_epochs`` or ``patience`` is below 1, ``patience`` has nothing to go by, or there is
        no such precision.
    """

    n_epochs: int
    make_optimizer: MakeOptimizer
    schedule: Schedule | None = None
    validate: Validate | None = None
    mode: Mode = "max"
    patience: int | None = None
    callbacks: Sequence[Callback] = ()
    device: torch.device | str | None = None
    precision: Precision = "float32"
    checkpoint: Store | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_one(n_epochs=self.n_epochs)
        require_precision(self.precision)
        if self.patience is not None:
            require_one(patience=self.patience)
            if self.validate is None:
                raise ValueError("patience needs validation: pass validate, or validation rows")


class Store(Protocol):
    """Where a run is kept, such as ``resume.Checkpoint``."""

    def save(self, content: Mapping[str, Any], settings: Mapping[str, str]) -> None:
        """Keep a run."""

    def load(self, settings: Mapping[str, str]) -> dict[str, Any] | None:
        """What was kept last, if anything was."""


def train_epochs(
    model: nn.Module,
    batches: Batches,
    batch_loss: BatchLoss,
    *,
    recipe: Recipe,
    data: Mapping[str, Tensor] | None = None,
) -> History:
    """Train a model in place, and leave it in evaluation mode where it was.

    Parameters
    ----------
    model : nn.Module
    batches : iterable with a length
        Tuples of tensors, drawn anew in each epoch.
    batch_loss : callable
        From the model and a batch on its device: the mean loss, and how much the batch counts in
        the mean of the epoch (rows, or the sum of their weights).
    recipe : Recipe
    data : mapping of str to Tensor, optional
        What is examined for values that are not finite when the loss is not.

    Returns
    -------
    History

    Raises
    ------
    FloatingPointError
        After the first step whose loss, or the first epoch whose mean loss or whose weights are
        not finite, with the cause. With ``patience`` the best weights come back.
    CheckpointError
        If the checkpoint is damaged or of another run.
    """
    home = parameter_device(model)
    device = choose_device() if recipe.device is None else torch.device(recipe.device)
    model.to(device).train()
    try:
        run = _Run(model, batches, batch_loss, recipe=recipe, data=data or {})
        try:
            run.to_the_end()
        finally:
            run.best.restore()
    finally:
        model.to(home).eval()
    return run.history


class _Run:
    """The moving parts of a training run."""

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        batch_loss: BatchLoss,
        *,
        recipe: Recipe,
        data: Mapping[str, Tensor],
    ) -> None:
        self.model, self.batches, self.batch_loss = model, batches, batch_loss
        self.recipe, self.data, self.device = recipe, data, parameter_device(model)
        self.optimizer = recipe.make_optimizer(model)
        self.settings: dict[str, str] = {}
        if recipe.checkpoint is not None:
            self.settings = _settings(model, batches, self.optimizer, recipe)
        self.scheduler: LRScheduler | None = None
        if recipe.schedule is not None:
            self.scheduler = recipe.schedule(self.optimizer, recipe.n_epochs * len(batches))
        self.plateau = _plateau_of(self.scheduler, recipe)
        self.history = History(mode=recipe.mode, device=self.device)
        self.best = BestWeights(model, recipe.patience)
        self.is_first_step, self.has_ended = True, False
        self._restore()

    def to_the_end(self) -> None:
        """All epochs that are left, or fewer if patience or a callback ends the run."""
        first = len(self.history.train_loss) + 1
        for _ in progress(range(first, self.recipe.n_epochs + 1)):
            if self.has_ended:
                return
            self.epoch()
            stops = [each.on_epoch_end(self.model, self.history) for each in self.recipe.callbacks]
            self.has_ended = any(stops) or self.best.is_over(self.history)
            self._save()

    def epoch(self) -> None:
        """One pass over the batches, then validation; the history gets a line."""
        started = time.perf_counter()
        loss = self._pass()
        seconds = time.perf_counter() - started
        require_finite(self.model, loss, data=self.data)
        self.history.add(
            loss,
            metrics=measured(self.model, self.recipe.validate),
            seconds=seconds,
            learning_rates=rates_of(self.optimizer),
        )
        self.best.update(self.history)
        if self.plateau is not None:
            self.plateau.step(next(iter(self.history.metrics.values()))[-1])
        log_epoch(self.history, self.recipe.n_epochs)

    def _pass(self) -> float:
        losses = MeanLoss()
        for batch in self.batches:
            losses.add(*self._step(tuple(tensor.to(self.device) for tensor in batch)))
        return losses.mean()

    def _step(self, batch: Batch) -> tuple[Tensor, int | Tensor]:
        """Loss of a batch, before the weights move; the graph behind it is let go of."""
        with precise(self.recipe.precision, self.device):
            loss, size = self.batch_loss(self.model, batch)
        if self.is_first_step:  # bad data or a bad loss should not cost an epoch
            require_finite(self.model, loss.item(), data=self.data)
            self.is_first_step = False
        descend(loss, self.optimizer, self.scheduler if self.plateau is None else None)
        return loss.detach(), size

    def _save(self) -> None:
        if self.recipe.checkpoint is not None:
            content = {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
                "best": self.best.weights,
                "history": self.history.state_dict(),
                "has_ended": self.has_ended,
                "random": random_states(self.batches),
            }
            self.recipe.checkpoint.save(content, self.settings)

    def _restore(self) -> None:
        kept = None
        if self.recipe.checkpoint is not None:
            kept = self.recipe.checkpoint.load(self.settings)
        if kept is None:
            return
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(kept["scheduler"])
        self.best.weights = kept["best"]
        self.history.load_state_dict(kept["history"])
        self.history.device = self.device
        self.has_ended = kept["has_ended"]
        restore_random_states(kept["random"], self.batches)


def _plateau_of(scheduler: LRScheduler | None, recipe: Recipe) -> ReduceLROnPlateau | None:
    """The scheduler if it waits for a plateau, and then the metric that it needs is there."""
    if not isinstance(scheduler, ReduceLROnPlateau):
        return None
    if recipe.validate is None:
        raise ValueError("on_plateau needs validation: pass validate, or validation rows")
    if scheduler.mode != recipe.mode:
        raise ValueError(
            f"on_plateau has mode {scheduler.mode!r}, and of the first metric a "
            f"{'low' if recipe.mode == 'min' else 'high'} value is good: set mode={recipe.mode!r}"
        )
    return scheduler


@torch.no_grad()
def measured(model: nn.Module, validate: Validate | None) -> dict[str, float]:
    """Metrics of a model in evaluation mode; each part then gets its own mode back."""
    if validate is None:
        return {}
    with evaluation_mode(model):
        return {name: float(value) for name, value in validate(model).items()}


def rates_of(optimizer: Optimizer) -> list[float]:
    """Learning rate of each group of parameters."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def log_epoch(history: History, n_epochs: int | None) -> None:
    """One line at level INFO: what the last epoch brought."""
    if not logger.isEnabledFor(logging.INFO):
        return
    logger.info(
        "epoch %d of %s: %s, %.1f s",
        len(history.train_loss),
        n_epochs,
        ", ".join(f"{name} {value:.5g}" for name, value in history.frame().iloc[-1].items()),
        history.seconds[-1],
    )


def progress(epochs: Iterable[int]) -> Iterable[int]:
    """Epochs under a bar that shows up after a second, where somebody watches."""
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules  # a terminal or a notebook
    return tqdm(
        epochs,
        desc="training",
        unit="epoch",
        delay=1,
        leave=False,
        disable=not (watched and shows_progress()),
    )


def shows_progress() -> bool:
    """Whether a bar may be drawn: not in CI, nor where output is stored (both set ``CI``)."""
    return not (os.environ.get("CI") or _IS_HIDDEN.get())


@contextmanager
def without_bars() -> Iterator[None]:
    """No loop inside draws a bar, for a caller that draws one of its own or was asked for quiet."""
    token = _IS_HIDDEN.set(True)
    try:
        yield
    finally:
        _IS_HIDDEN.reset(token)


def name_of(function: object) -> str:
    """Name of a loss or a schedule, as far as it has one."""
    if isinstance(function, functools.partial):
        return f"{name_of(function.func)}{function.args}{function.keywords}"
    return getattr(function, "__qualname__", type(function).__name__)


def _settings(
    model: nn.Module, batches: Batches, optimizer: Optimizer, recipe: Recipe
) -> dict[str, str]:
    """What must be the same when a run goes on."""
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    groups = [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    settings = {
        "model": type(model).__name__,
        "shapes": str(shapes),
        "trained": str(trained),
        "n_batches": str(len(batches)),
        "optimizer": f"{type(optimizer).__name__} {groups}",
        "schedule": name_of(recipe.schedule),
        "patience": str(recipe.patience),
        "precision": recipe.precision,
        **recipe.settings,
    }
    if recipe.schedule is not None:  # else a run may be made longer
        settings["n_epochs"] = str(recipe.n_epochs)
    return settings
