"""Training on positives and sampled negatives in Lightning; only this module imports it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.optim import Optimizer

from nbhelpers.data.interactions import Interactions
from nbhelpers.training.batches import Batch, Batches, ResumableBatches
from nbhelpers.training.device import choose_device
from nbhelpers.training.loop import MakeOptimizer
from nbhelpers.training.losses import logistic_loss, sampled_softmax_loss

# Lightning's own use of torch, which no reader can change; and a resumed run's folder is not empty
EXPECTED = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Checkpoint directory .* not empty",
)
PairLoss = Callable[[Tensor, Tensor], Tensor]
Validate = Callable[[nn.Module], Mapping[str, float]]


class RetrievalModule(pl.LightningModule):
    """What the modules below share: the optimizer, and what happens at the end of an epoch.

    Parameters
    ----------
    model : nn.Module
        Trained in place, and left in evaluation mode.
    validate : callable, optional
        Gives metrics of the model by name, after each epoch, in evaluation mode and without
        gradients. They are logged beside ``train_loss``, the mean over the epoch's batches.
    lr, wd : float
        Learning rate and decoupled weight decay of AdamW; without decay it is Adam.
    make_optimizer : callable, optional
        Makes another optimizer from the parameters; ``lr`` and ``wd`` are then unused.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        validate: Validate | None = None,
        lr: float = 1e-3,
        wd: float = 0.0,
        make_optimizer: MakeOptimizer | None = None,
    ) -> None:
        super().__init__()
        self.model, self.validate = model, validate
        self.lr, self.wd, self.make_optimizer = lr, wd, make_optimizer
        self.losses: list[Tensor] = []

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, shape ()."""
        raise NotImplementedError("a subclass says what the loss of a batch is")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch; Lightning takes the gradients and the step."""
        loss = self.batch_loss(batch)
        self.losses.append(loss.detach())
        return loss

    def configure_optimizers(self) -> Optimizer:
        """The optimizer of this run."""
        if self.make_optimizer is not None:
            return self.make_optimizer(self.parameters())
        # fused: one pass over all weights, twice as fast as a kernel for each operation
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.wd, fused=True)

    def on_fit_start(self) -> None:
        """Evaluation before training must not leave the model in evaluation mode."""
        self.model.train()

    def on_train_epoch_start(self) -> None:
        """Forget the losses of the last epoch."""
        self.losses.clear()

    def on_train_epoch_end(self) -> None:
        """Log the mean loss and the metrics; refuse to go on from a loss that is not finite."""
        loss = torch.stack(self.losses).mean()
        if not loss.isfinite():
            raise FloatingPointError(
                f"the mean loss of epoch {self.current_epoch + 1} is {loss.item()}: lower lr"
            )
        self.log_dict({"train_loss": loss, **self._metrics()})

    @torch.no_grad()
    def _metrics(self) -> dict[str, float]:
        if self.validate is None:
            return {}
        self.model.eval()
        metrics = {name: float(value) for name, value in self.validate(self.model).items()}
        self.model.train()
        return metrics

    def on_fit_end(self) -> None:
        """Leave the model ready to score."""
        self.model.eval()


class PairModule(RetrievalModule):
    """Trains a pair model on positives, each with negatives of its own.

    Batches are ``(user_idx (batch,), item_idx (batch,), negatives (batch, n_negatives))``.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)`` with all pairs of a batch in one row.
    loss : callable
        Mean loss of ``(positive_scores (batch,), negative_scores (batch, n_negatives))``, such
        as ``logistic_loss`` or ``softmax_loss``.
    **settings
        ``validate``, ``lr``, ``wd``, ``make_optimizer`` of ``RetrievalModule``.
    """

    def __init__(
        self, model: nn.Module, *, loss: PairLoss = logistic_loss, **settings: Any
    ) -> None:
        super().__init__(model, **settings)
        self.loss = loss

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, shape ()."""
        user_idx, item_idx, negatives = batch
        items = torch.cat([item_idx.unsqueeze(1), negatives], dim=1)  # (batch, 1 + n_negatives)
        users = user_idx.unsqueeze(1).expand_as(items)
        scores = self.model(users.flatten(), items.flatten()).view(items.shape)
        positive, negative = scores.split([1, negatives.shape[1]], dim=1)
        return self.loss(positive.squeeze(1), negative)


class InBatchModule(RetrievalModule):
    """Trains a model with two towers: the other items of a batch serve as negatives.

    Batches are ``(user_idx (batch,), item_idx (batch,))``.

    Parameters
    ----------
    model : nn.Module
        With ``user_vectors(user_idx)`` and ``item_vectors(item_idx)``, such as ``TwoTower`` or
        ``MatrixFactorization``.
    train : Interactions
        What the batches are drawn from. A user's other positives are no negatives.
    log_q : Tensor of float, shape (n_items,), optional
        Log-probability that a draw brings an item, see ``sampled_softmax_loss``; by default that
        of a positive drawn at random. Zeros leave the scores uncorrected.
    **settings
        ``validate``, ``lr``, ``wd``, ``make_optimizer`` of ``RetrievalModule``.
    """

    log_q: Tensor

    def __init__(
        self, model: nn.Module, train: Interactions, *, log_q: Tensor | None = None, **settings: Any
    ) -> None:
        super().__init__(model, **settings)
        if log_q is None:
            log_q = torch.from_numpy(train.item_counts / len(train)).log()
        self.train_pairs = train
        self.register_buffer("log_q", log_q.float(), persistent=False)

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, shape ()."""
        user_idx, item_idx = batch
        model: Any = self.model
        scores = model.user_vectors(user_idx) @ model.item_vectors(item_idx).T  # (batch, batch)
        known = self.train_pairs.dense(user_idx)[:, item_idx]  # (batch, batch)
        return sampled_softmax_loss(scores, item_idx, log_q=self.log_q[item_idx], known=known)


class RetrievalData(pl.LightningDataModule):
    """Batches for a Trainer that goes on, after a stop, exactly where it was.

    What makes it exact: the checkpoint keeps the state of the generator that shuffles and draws
    negatives. That generator belongs to the training batches alone; share it with nothing else.

    Parameters
    ----------
    batches : PairBatches or InBatch
        Drawn anew in each epoch from their ``generator``. Any other iterable with a length and
        a ``generator`` will do.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.loader = ResumableBatches(batches)

    def train_dataloader(self) -> ResumableBatches:
        """The batches as they come: no workers, nothing to collate."""
        return self.loader

    def state_dict(self) -> dict[str, Any]:
        """The loader's state. Lightning keeps it too, but restores it only within a pass."""
        return self.loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.loader.load_state_dict(state_dict)


def quiet_trainer(
    folder: Path | str,
    *,
    n_epochs: int,
    monitor: str = "train_loss",
    mode: Literal["min", "max"] = "min",
    patience: int | None = None,
    device: torch.device | str | None = None,
) -> pl.Trainer:
    """A Lightning Trainer that logs to a file, keeps its best epoch, and says little.

    The folder belongs to one run. In ``checkpoints/`` it gets the best epoch by ``monitor`` and
    ``last.ckpt``, from which a new trainer goes on as if nothing had happened, in the same
    folder: ``trainer.fit(module, data, ckpt_path=...)``. What is logged goes to ``version_0/``,
    after that to ``version_1/``, and so on.

    Parameters
    ----------
    folder : path
        Made if need be.
    n_epochs : int
        At most; from the first, also when a run is resumed.
    monitor : str
        Name of the metric that decides which epoch is best.
    mode : {"min", "max"}
        Whether a low or a high value is good.
    patience : int, optional
        Stop after this many epochs without a better value.
    device : optional
        Without it ``choose_device()``.

    Returns
    -------
    Trainer
        Without a progress bar where the variable ``CI`` is set. Lightning's remarks on the
        hardware and on itself are switched off for the whole process.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message=message)
    device = choose_device() if device is None else torch.device(device)
    kept = ModelCheckpoint(
        Path(folder) / "checkpoints",
        monitor=monitor,
        mode=mode,
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    bar = [] if "CI" in os.environ else [TQDMProgressBar(refresh_rate=25)]
    callbacks: list[pl.Callback] = [kept, *bar]
    if patience is not None:
        stop = EarlyStopping(monitor, mode=mode, patience=patience, check_on_train_epoch_end=True)
        callbacks.append(stop)
    return pl.Trainer(
        max_epochs=int(n_epochs),
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=1 if device.index is None else [device.index],
        logger=CSVLogger(folder, name=""),
        callbacks=callbacks,
        log_every_n_steps=0,  # epochs only
        enable_progress_bar=bool(bar),
        enable_model_summary=False,
    )


def restore_best(trainer: pl.Trainer) -> float:
    """Put the weights of the best epoch back into the trained module, and return its value.

    Raises
    ------
    ValueError
        If the trainer has kept no epoch.
    """
    kept: Any = trainer.checkpoint_callback
    if kept is None or not kept.best_model_path:
        raise ValueError("no epoch was kept: make the trainer by quiet_trainer, and fit first")
    state = torch.load(kept.best_model_path, map_location="cpu", weights_only=True)
    trainer.lightning_module.load_state_dict(state["state_dict"])
    return float(kept.best_model_score)


def training_log(trainer: pl.Trainer) -> pd.DataFrame:
    """What was logged, a row for each epoch of this run, indexed by epoch from 1."""
    logged = pd.read_csv(Path(str(trainer.log_dir)) / "metrics.csv")
    epochs = logged.pop("epoch") + 1
    return logged.drop(columns="step").set_index(pd.Index(epochs, name="epoch"))
