"""One model trained by many processes: ``fit_ranking`` with the rows of each batch shared out.

All processes run the same program. Each holds a copy of the model, computes the gradient of its own
rows, and gets the mean of all gradients from the others before it takes its step (*data parallel*
training, by Lightning's DDP). The copies stay equal, and equal to what one process would learn::

    torchrun --nproc-per-node 2 program.py

A program has ``if __name__ == "__main__":`` around what it does, makes model and batches from fixed
seeds, and calls ``fit_distributed``. Without ``torchrun`` the same program runs in one process.
"""

from __future__ import annotations

import hashlib
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins.environments import (  # type: ignore[attr-defined]
    TorchElasticEnvironment,
)
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn

from nbhelpers.core.checks import require_one
from nbhelpers.core.recommender import evaluation_mode
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.rank_batches import RankBatch, SharedRowGroups, SharedRows
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.training.device import Precision, choose_device, require_precision
from nbhelpers.training.history import History
from nbhelpers.training.lightning import PairModule
from nbhelpers.training.lightning_trainer import RetrievalData, quiet_lightning
from nbhelpers.training.loop import Callback, Validate
from nbhelpers.training.losses import logistic_loss
from nbhelpers.training.optimizers import LR, MakeOptimizer, Schedule, sparse_tables
from nbhelpers.training.partial_credit import PairLoss, PartialCredit
from nbhelpers.training.processes import (
    Process,
    added_up,
    from_all,
    from_first,
    lost_processes_named,
    this_process,
)

ShardBy = Literal["rows", "row_groups"]
ValidateUsers = Callable[[nn.Module, slice], Mapping[str, Any]]
LAST = Path("checkpoints", "last.ckpt")
LIGHTNING_NAMES: dict[Precision, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}


def fit_distributed(
    model: nn.Module,
    batches: PairBatches | StreamedPairs,
    *,
    folder: Path | str,
    loss: PairLoss | PartialCredit = logistic_loss,
    n_epochs: int = 5,
    shard_by: ShardBy = "rows",
    lr: float = LR,
    wd: float = 0.0,
    make_optimizer: MakeOptimizer | None = None,
    schedule: Schedule | None = None,
    validate: Validate | None = None,
    validate_users: ValidateUsers | None = None,
    callbacks: Sequence[Callback] = (),
    save_every: int | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "float32",
    timeout: float = 300.0,
) -> History:
    """Train a model in place, in all processes of a run at once: ``fit_ranking`` for many.

    Called alike in every process that ``torchrun`` starts, or in a single one. By default the
    parameters are those of one process to within rounding, whatever the number of processes: the
    batches are the same, and the gradient of a batch is the mean over its rows wherever they were
    computed. This holds for the losses of ``nbhelpers.training.losses`` that compare a positive
    with negatives of its own, with weights or ``partial_credit`` as well. In-batch negatives and
    rows of users are refused.

    Two things break it. Dropout does, since each process draws masks of its own. And so may Adam,
    where gradients cancel: a sum that is 0 in one order is 1e-10 in another, and Adam makes a step
    of length ``lr`` of either sign from it. Hinges are such losses (their gradients are multiples
    of one number), and so is the bias of a network's last layer under a loss that compares scores.
    With plain gradient descent they too are equal, and a larger ``eps`` of Adam, such as 1e-5,
    keeps rounding small.

    Parameters
    ----------
    model : nn.Module
        As for ``fit_ranking``. All processes start from the parameters of rank 0. Where its tables
        are sparse, only the rows that a batch looks up are sent.
    batches : PairBatches or StreamedPairs
        What one process would train on; ``batch_size`` is that of the whole run. Their generator
        must be seeded alike in all processes.
    folder : path
        Belongs to this run. ``checkpoints/last.ckpt`` in it is replaced after each epoch; if it is
        there, the run goes on from it, with any number of processes if rows are shared. All
        machines must see the same folder, or each have a copy of it.
    loss, n_epochs, lr, wd, make_optimizer, schedule
        As for ``fit_ranking``.
    shard_by : {"rows", "row_groups"}
        "rows": each process reads everything and keeps its rows of each batch. The result is that
        of one process. "row_groups": each reads row groups of its own, which divides the cost of
        reading by the number of processes; batches are then other ones. ``StreamedPairs`` alone.
    validate : callable, optional
        As for ``fit_ranking``. The first process calls it, and the others wait.
    validate_users : callable, optional
        ``validate_users(model, part)``, where ``part`` is a slice that takes this process's users
        out of a list of all, gives values by name, one value for each of these users. The mean over
        the users of all processes is the metric.
    callbacks : sequence, optional
        As for ``fit_ranking``; called in every process.
    save_every : int, optional
        Steps after which the checkpoint is replaced within an epoch.
    device : optional
        "cpu" or "cuda"; without it ``choose_device()``. CPUs talk by gloo, GPUs by NCCL, one
        process a GPU.
    precision : {"float32", "bfloat16"}
        As for ``fit_ranking``.
    timeout : float
        Seconds to wait for another process that does not answer. Of one that is killed the others
        know at once.

    Returns
    -------
    History
        Equal in all processes, but for the seconds.

    Raises
    ------
    ValueError
        If the variables of ``torchrun`` are incomplete, the batches cannot be shared, were seeded
        differently, have fewer rows than there are processes, or a setting does not fit the device.
    LostProcessError
        If another process ends before the run does.
    FloatingPointError
        If loss or weights are not finite after an epoch.

    Examples
    --------
    >>> import tempfile
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> from nbhelpers.sampling.negatives import UniformNegatives
    >>> train = Interactions([0, 1, 2], [2, 0, 1], n_users=3, n_items=3)
    >>> settings = {"n_negatives": 1, "generator": torch.Generator().manual_seed(0)}
    >>> batches = PairBatches(train, UniformNegatives(3), batch_size=2, **settings)
    >>> model = MatrixFactorization(3, 3, 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = fit_distributed(model, batches, folder=folder, n_epochs=2, device="cpu")
    >>> len(history.train_loss)
    2
    """
    process = this_process()
    if shard_by not in SHARING:
        raise ValueError(f"shard_by must be one of {', '.join(SHARING)}, got {shard_by!r}")
    shared = SHARING[shard_by](batches, process.rank, process.world)
    chosen = choose_device() if device is None else torch.device(device)
    _check(model, chosen, process)
    module = RankModule(
        model,
        loss=loss,
        lr=lr,
        wd=wd,
        make_optimizer=make_optimizer,
        schedule=schedule,
        validate=validate,
        validate_users=validate_users,
        callbacks=callbacks,
    )
    trainer = distributed_trainer(
        folder,
        n_epochs=n_epochs,
        save_every=save_every,
        device=chosen,
        precision=precision,
        timeout=timeout,
    )
    last = Path(folder) / LAST
    with lost_processes_named(process):
        trainer.fit(module, RetrievalData(shared), ckpt_path=last if last.exists() else None)
        from_all(None)  # nobody leaves before all have come
    return module.history


SHARING: dict[str, Any] = {"rows": SharedRows, "row_groups": SharedRowGroups}


class RankModule(PairModule):
    """``PairModule`` for the processes of a run, each with its part of a batch (``RankBatch``).

    The mean of the processes' gradients is the gradient of the global batch because the loss of
    each part is scaled by how much of the batch it is.

    Parameters
    ----------
    model, loss, **settings
        As for ``PairModule``.
    validate_users : callable, optional
        As for ``fit_distributed``.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: PairLoss | PartialCredit = logistic_loss,
        validate_users: ValidateUsers | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(model, loss=loss, **settings)
        self.validate_users = validate_users
        self._on_term = signal.getsignal(signal.SIGTERM)

    def sized_loss(self, batch: Any) -> tuple[Tensor, int | Tensor]:
        """Mean loss of this process's rows, and how much they count."""
        return super().sized_loss(batch.rows)[0], batch.size

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Part of this process in the mean loss of the global batch, times the processes."""
        loss = super().training_step(batch, batch_idx)
        total = batch.total if batch.total else _added(batch.size)
        share: Tensor = self.trainer.world_size * batch.size / total
        return loss * share

    def on_fit_start(self) -> None:
        """Refuse processes that would not train on the same batches."""
        super().on_fit_start()
        if threading.current_thread() is threading.main_thread():
            # Lightning's own handler has a word with the other processes, which may be gone
            signal.signal(signal.SIGTERM, self._on_term)
        loader: Any = self.trainer.datamodule.loader  # type: ignore[attr-defined]
        state = hashlib.sha256(loader.generator.get_state().numpy().tobytes()).hexdigest()
        described = from_all((len(loader), state))
        for rank, other in enumerate(described):
            if other != described[0]:
                raise ValueError(
                    f"all processes must have the same batches, rank {rank} has others than rank "
                    f"0: give their generator the same seed, and the same files, everywhere"
                )

    def on_train_epoch_end(self) -> None:
        """Stop all processes, if a callback stops one."""
        super().on_train_epoch_end()
        self.trainer.should_stop = any(from_all(self.trainer.should_stop))

    def epoch_loss(self) -> float:
        """Mean over the rows of all processes."""
        total, size = added_up(list(self.losses.sums()), self.device)
        return total / size

    def epoch_metrics(self) -> dict[str, float]:
        """Metrics of the first process, and means over the users of all."""
        first = super().epoch_metrics() if self.global_rank == 0 else {}
        return {**from_first(first), **self._over_users()}

    @torch.no_grad()
    def _over_users(self) -> dict[str, float]:
        if self.validate_users is None:
            return {}
        part = slice(self.global_rank, None, self.trainer.world_size)
        with evaluation_mode(self.model):
            values = self.validate_users(self.model, part)
        return gathered_means(values, self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The losses of all processes: what the next run does not know otherwise."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["sums"] = added_up(list(self.losses.sums()), self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the history of the stopped run; what was summed up goes to rank 0."""
        super().on_load_checkpoint(checkpoint)
        if self.losses.n_steps:
            self._resume_losses(*checkpoint["sums"])

    def _resume_losses(self, total: float, size: float) -> None:
        self.losses = type(self.losses)()
        is_first = self.global_rank == 0
        self.losses.add(torch.tensor(total / size), torch.tensor(size if is_first else 0.0))


def gathered_means(values: Mapping[str, Any], device: torch.device) -> dict[str, float]:
    """Mean of each column of values over the rows of all processes.

    Parameters
    ----------
    values : mapping of str to array
        Values of this process's rows; the same names in every process.
    device : torch.device
        Where the processes talk.

    Examples
    --------
    >>> gathered_means({"ndcg": [1.0, 0.5]}, torch.device("cpu"))
    {'ndcg': 0.75}
    """
    columns = {name: torch.as_tensor(column).double() for name, column in values.items()}
    sums = [number for each in columns.values() for number in (float(each.sum()), len(each))]
    gathered = added_up(sums, device)
    return {name: gathered[2 * k] / gathered[2 * k + 1] for k, name in enumerate(columns)}


def distributed_trainer(
    folder: Path | str,
    *,
    n_epochs: int,
    save_every: int | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "float32",
    timeout: float = 300.0,
) -> pl.Trainer:
    """A Lightning Trainer for the process that this is, of as many as ``torchrun`` has started.

    Parameters
    ----------
    folder, n_epochs, save_every, device, precision, timeout
        As for ``fit_distributed``.

    Returns
    -------
    Trainer
        For ``RankModule`` and ``RetrievalData(SharedRows(...))``: nothing else shares the rows,
        since Lightning's own sampler is off.
    """
    _quiet()
    require_one(n_epochs=n_epochs)
    require_precision(precision)
    process = this_process()
    chosen = choose_device() if device is None else torch.device(device)
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    several: dict[str, Any] = {}
    if process.world > 1:
        several = {
            "strategy": DDPStrategy(
                process_group_backend=backend,
                timeout=timedelta(seconds=timeout),
                gradient_as_bucket_view=True,
            ),
            "plugins": [TorchElasticEnvironment()],
            "num_nodes": process.world // process.local_world,
        }
    return pl.Trainer(
        max_epochs=n_epochs,
        accelerator={"cuda": "gpu"}.get(chosen.type, chosen.type),
        devices=process.local_world,
        precision=LIGHTNING_NAMES[precision],
        use_distributed_sampler=False,
        logger=CSVLogger(folder, name=""),
        callbacks=_checkpoints(Path(folder), save_every),
        log_every_n_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        **several,
    )


def _quiet() -> None:
    """No word on what all processes hold alike: nothing needs to be averaged to be logged."""
    quiet_lightning()
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    warnings.filterwarnings(
        "ignore", message=r"It is recommended to use `self.log\('\w+', ..., sync"
    )


def _checkpoints(folder: Path, save_every: int | None) -> list[pl.Callback]:
    """After each epoch, and perhaps after some steps, into one file that is replaced."""
    where: dict[str, Any] = {"dirpath": folder / LAST.parent, "filename": LAST.stem}
    where["enable_version_counter"] = False
    kept: list[pl.Callback] = [ModelCheckpoint(**where, save_on_train_epoch_end=True)]
    if save_every is not None:
        require_one(save_every=save_every)
        kept.append(ModelCheckpoint(**where, every_n_train_steps=save_every))
    return kept


def _added(size: Tensor) -> Tensor:
    """Sum over all processes."""
    total = size.clone()
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
    return total


def _check(model: nn.Module, device: torch.device, process: Process) -> None:
    if device.type == "cuda" and process.world > 1 and sparse_tables(model):
        raise ValueError(
            "NCCL sends no sparse gradients: build the model with sparse=False, or train on CPUs"
        )


__all__ = ["RankBatch", "RankModule", "distributed_trainer", "fit_distributed", "gathered_means"]
