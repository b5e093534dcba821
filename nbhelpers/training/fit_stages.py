"""Training in stages: which parameters move when, at what rate, and what then did move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nbhelpers.training.fit_ranking import ranking_loss
from nbhelpers.training.history import History
from nbhelpers.training.loop import (
    BatchLoss,
    Callback,
    Recipe,
    Validate,
    name_of,
    rates_of,
    train_epochs,
)
from nbhelpers.training.losses import logistic_loss
from nbhelpers.training.optimizers import Decay, MakeOptimizer, Schedule, adam
from nbhelpers.training.partial_credit import PairLoss, PartialCredit
from nbhelpers.training.resume import Batches, Checkpoint


@dataclass(frozen=True)
class Stage:
    """A part of a training run in which some of the parameters move and the others rest.

    Attributes
    ----------
    name : str
    trains : tuple of str
        Patterns of parameter names, as in ``model.named_parameters()``: ``"*"`` stands for any
        text, so ``"*"`` alone trains everything and ``"*_tower.*"`` the towers of both sides. What
        no pattern fits is frozen.
    lr : float
        Learning rate, above 0, of Adam, which starts anew.
    wd : float, or mapping of str to float
        Weight decay, as ``optimizers.adam`` takes it; one for each pattern of names if a network
        needs another than the factors.
    n_epochs : int

    Raises
    ------
    ValueError
        If ``trains`` is no tuple of patterns, or a number is out of its range.

    Examples
    --------
    >>> Stage("biases", trains=("*_bias.*",), lr=0.1)
    Stage(name='biases', trains=('*_bias.*',), lr=0.1, n_epochs=5, wd=0.0)
    """

    name: str
    trains: tuple[str, ...]
    lr: float
    n_epochs: int = 5
    wd: Decay = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.trains, tuple) or not self.trains:
            raise ValueError(f"trains must be a tuple of patterns, got {self.trains!r}")
        decays = self.wd.values() if isinstance(self.wd, Mapping) else [self.wd]
        if not self.lr > 0 or self.n_epochs < 1 or min(decays, default=0.0) < 0:
            raise ValueError(
                f"stage {self.name!r} needs lr above 0, n_epochs of at least 1 and wd of at least "
                f"0, got {self.lr}, {self.n_epochs} and {self.wd}"
            )


@dataclass(frozen=True)
class StagesHistory:
    """What a staged run did, as measured while it ran.

    Attributes
    ----------
    stages : dict of str to History
        One for each stage, by name.
    table : DataFrame
        One row for each stage, indexed by name: ``lr``, read from the optimizer; ``n_trainable``,
        numbers that could move; ``n_moved``, numbers that differ after the stage; ``n_epochs``;
        and ``train_loss`` of the last epoch.
    """

    stages: dict[str, History]
    table: pd.DataFrame


def stage_table(model: nn.Module, stages: Sequence[Stage]) -> pd.DataFrame:
    """The schedule of a staged run, to be read before it starts.

    Parameters
    ----------
    model : nn.Module
        It is not changed.
    stages : sequence of Stage

    Returns
    -------
    DataFrame
        One row for each stage, indexed by name: ``trains``, the parts of the model that move
        (a part that moves only partly is given by its parameters); ``n_trainable`` and
        ``n_frozen``, in numbers; ``lr``; ``n_epochs``.

    Raises
    ------
    ValueError
        If there is no stage, two have one name, or a pattern fits no parameter.

    Examples
    --------
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> stages = [Stage("biases", ("*_bias.*",), lr=0.1), Stage("all", ("*",), lr=0.01)]
    >>> stage_table(MatrixFactorization(2, 2, 3), stages)[["n_trainable", "n_frozen"]].T
    stage        biases  all
    n_trainable       2   14
    n_frozen         12    0
    """
    _check(model, stages)
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    rows = []
    for stage in stages:
        trained = _trained(model, stage)
        n_trainable = sum(sizes[name] for name in trained)
        rows.append(
            {
                "stage": stage.name,
                "trains": ", ".join(_parts(trained, list(sizes))),
                "n_trainable": n_trainable,
                "n_frozen": sum(sizes.values()) - n_trainable,
                "lr": stage.lr,
                "n_epochs": stage.n_epochs,
            }
        )
    return pd.DataFrame(rows).set_index("stage")


def fit_stages(
    model: nn.Module,
    batches: Batches,
    stages: Sequence[Stage],
    *,
    loss: PairLoss | PartialCredit = logistic_loss,
    schedule: Schedule | None = None,
    validate: Validate | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | str | None = None,
    device: torch.device | str | None = None,
) -> StagesHistory:
    """Train a model in place, one stage after another, on batches of pairs or of users.

    Before a stage ``requires_grad`` is set for every parameter, whatever it was; at the end, or
    at an error, each gets back what it had before the first stage.

    Parameters
    ----------
    model, batches, loss, validate, callbacks, device
        As for ``fit_ranking``. A callback that returns ``True`` ends its stage.
    stages : sequence of Stage
        All are checked before the first one starts.
    schedule : callable, optional
        Makes a scheduler for each stage, such as ``one_cycle``, whose peak is the ``lr`` of it.
    patience : int, optional
        As for ``fit_ranking``, for each stage by itself: the next one starts from the best
        weights of the one before.
    checkpoint : path, optional
        As for ``fit_ranking``: one file for all stages, which also holds the weights from before
        the stage that is under way.

    Returns
    -------
    StagesHistory

    Raises
    ------
    ValueError
        If there is no stage, two have one name, a pattern fits no parameter, or a frozen
        parameter has moved all the same, because the model writes to it; and whatever
        ``fit_ranking`` refuses.
    FloatingPointError
        As for ``fit_ranking``.

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> from nbhelpers.sampling.batches import UserBatches
    >>> from nbhelpers.training.losses import full_softmax_loss
    >>> train = Interactions([0, 1], [0, 1], n_users=2, n_items=2)
    >>> batches = UserBatches(train, batch_size=2, generator=torch.Generator().manual_seed(0))
    >>> stages = [Stage("biases", ("*_bias.*",), lr=0.1), Stage("all", ("*",), lr=0.01)]
    >>> run = fit_stages(
    ...     MatrixFactorization(2, 2, 3), batches, stages, loss=full_softmax_loss, device="cpu"
    ... )
    >>> run.table["n_trainable"]
    stage
    biases     2
    all       14
    Name: n_trainable, dtype: int64
    """
    _check(model, stages)
    settings = {"loss": name_of(loss), "stages": str(list(stages))}
    file = None if checkpoint is None else Checkpoint(checkpoint)
    recipe = Recipe(
        n_epochs=1,  # each stage has its own number, and its own optimizer
        make_optimizer=adam,
        schedule=schedule,
        validate=validate,
        patience=patience,
        callbacks=callbacks,
        device=device,
        settings=settings,
    )
    run = _StagedRun(model, batches, partial(ranking_loss, loss=loss), recipe=recipe, file=file)
    with _restored(model):
        return run.through(stages)


class _StagedRun:
    """Stage after stage; where there is a file, it holds all that is finished and the one begun."""

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        batch_loss: BatchLoss,
        *,
        recipe: Recipe,
        file: Checkpoint | None,
    ) -> None:
        self.model, self.batches, self.batch_loss = model, batches, batch_loss
        self.recipe, self.file = recipe, file
        self.histories: dict[str, History] = {}
        self.rows: list[dict[str, Any]] = []

    def through(self, stages: Sequence[Stage]) -> StagesHistory:
        """All stages that are not finished yet."""
        kept = self._restore()
        for stage in stages:
            if stage.name in self.histories:
                continue
            _thaw(self.model, stage)
            before = {name: w.detach().clone() for name, w in self.model.named_parameters()}
            store = None
            if self.file is not None:
                if kept is not None:
                    before = kept["before"]
                finished = {"rows": list(self.rows), "histories": _states(self.histories)}
                store = _StageStore(self.file, {**finished, "before": before}, kept)
            self._train(stage, before, store)
            kept = None
        return StagesHistory(self.histories, self._table())

    def _train(self, stage: Stage, before: Mapping[str, Tensor], store: _StageStore | None) -> None:
        rates: list[float] = []
        recipe = replace(
            self.recipe,
            n_epochs=stage.n_epochs,
            make_optimizer=_maker(stage, rates),
            checkpoint=store,
        )
        history = train_epochs(self.model, self.batches, self.batch_loss, recipe=recipe)
        self.histories[stage.name] = history
        self.rows.append(_row(self.model, stage, before) | {"lr": rates[0]})

    def _restore(self) -> dict[str, Any] | None:
        """What the file holds of a stage that was begun; those before it are put in their place."""
        kept = None if self.file is None else self.file.load(self.recipe.settings)
        if kept is not None:
            self.rows = kept["rows"]
            for name, state in kept["histories"].items():
                self.histories[name] = History()
                self.histories[name].load_state_dict(state)
        return kept

    def _table(self) -> pd.DataFrame:
        table = pd.DataFrame(self.rows).set_index("stage")
        table["n_epochs"] = [len(history.train_loss) for history in self.histories.values()]
        table["train_loss"] = [history.train_loss[-1] for history in self.histories.values()]
        return table[["lr", "n_trainable", "n_moved", "n_epochs", "train_loss"]]


class _StageStore:
    """The file of a staged run, as one of its stages sees it."""

    def __init__(
        self, file: Checkpoint, around: Mapping[str, Any], kept: Mapping[str, Any] | None
    ) -> None:
        self.file, self.around, self.kept = file, around, kept

    def save(self, content: Mapping[str, Any], settings: Mapping[str, str]) -> None:
        """Keep a stage together with what was finished before it."""
        self.file.save({**self.around, "run": content}, settings)

    def load(self, settings: Mapping[str, str]) -> dict[str, Any] | None:
        """The stage, if it was begun."""
        if self.kept is None:
            return None
        self.file.require_same(self.kept["settings"], settings)
        return dict(self.kept["run"])


def _states(histories: Mapping[str, History]) -> dict[str, Any]:
    return {name: history.state_dict() for name, history in histories.items()}


def _maker(stage: Stage, rates: list[float]) -> MakeOptimizer:
    """What makes the optimizer of a stage, and notes the learning rate that it then has."""

    def make(model: nn.Module) -> Optimizer:
        optimizer = adam(model, lr=stage.lr, wd=stage.wd)
        rates.extend(rates_of(optimizer))
        return optimizer

    return make


def _row(model: nn.Module, stage: Stage, before: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a stage moved, counted in numbers."""
    weights = dict(model.named_parameters())
    moved = {
        name: int((weight != before[name].to(weight)).sum()) for name, weight in weights.items()
    }
    wrong = [name for name, weight in weights.items() if moved[name] and not weight.requires_grad]
    if wrong:
        raise ValueError(
            f"stage {stage.name!r} froze {', '.join(wrong[:3])}, which moved all the same: the "
            "model writes to its own parameters, train them in every stage"
        )
    n_trainable = sum(weight.numel() for weight in weights.values() if weight.requires_grad)
    return {"stage": stage.name, "n_trainable": n_trainable, "n_moved": sum(moved.values())}


@contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    """Give every parameter its ``requires_grad`` back, and leave no gradient behind."""
    before = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        yield
    finally:
        for weight, needed in before:
            weight.requires_grad_(needed)
            weight.grad = None


def _thaw(model: nn.Module, stage: Stage) -> None:
    """Let exactly the parameters of a stage move."""
    trained = set(_trained(model, stage))
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in trained)


def _trained(model: nn.Module, stage: Stage) -> list[str]:
    """Names of the parameters that a stage trains."""
    names = [name for name, _ in model.named_parameters()]
    return [name for name in names if any(fnmatchcase(name, fits) for fits in stage.trains)]


def _parts(trained: list[str], names: list[str]) -> list[str]:
    """Parts of a model that train as a whole, and parameters of those that do not."""
    parts: list[str] = []
    for part in dict.fromkeys(name.split(".")[0] for name in trained):
        inside = [name for name in names if name.split(".")[0] == part]
        moving = [name for name in inside if name in trained]
        parts += [part] if moving == inside else moving
    return parts


def _check(model: nn.Module, stages: Sequence[Stage]) -> None:
    labels = [stage.name for stage in stages]
    if not labels or len(set(labels)) < len(labels):
        raise ValueError(f"stages must be one or more, of different names, got {labels[:3]}")
    names = [name for name, _ in model.named_parameters()]
    for stage in stages:
        for pattern in stage.trains:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ValueError(
                    f"stage {stage.name!r} trains {pattern!r}, which fits no parameter: name some "
                    f"of {', '.join(names[:3])}, ..."
                )
