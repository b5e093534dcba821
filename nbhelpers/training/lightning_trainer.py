"""Lightning Trainers that say little, keep the best epoch, and can go on after a stop."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger

from nbhelpers.training.device import choose_device
from nbhelpers.training.loop import shows_progress
from nbhelpers.training.resume import Batches, ResumableBatches

# Lightning's own use of torch, which no reader can change; a resumed run's folder is not empty; and
# tables this small need no workers
EXPECTED = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Checkpoint directory .* not empty",
    r"The '\w+' does not have many workers",
)
# For a Trainer on a page: on the CPU, and with nothing that moves or is printed
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 0,
}


class RetrievalData(pl.LightningDataModule):
    """Batches for a Trainer that goes on, after a stop, exactly where it was.

    What makes it exact: the checkpoint keeps the state of the generator that shuffles and draws
    negatives. That generator belongs to the training batches alone; share it with nothing else.

    Parameters
    ----------
    batches : PairBatches or InBatch
        Drawn anew in each epoch from their ``generator``. Any other iterable with a length and
        a ``generator`` will do.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.sampling.batches import InBatch
    >>> train = Interactions([0, 1, 2], [2, 0, 1], n_users=3, n_items=3)
    >>> data = RetrievalData(InBatch(train, batch_size=2, generator=torch.Generator()))
    >>> len(data.train_dataloader())  # batches of 2 and 1
    2
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


def quiet_lightning() -> None:
    """Switch off Lightning's remarks on the hardware and on itself, for the whole process.

    Warnings that a reader can do something about still come.

    Examples
    --------
    >>> quiet_lightning()
    >>> logging.getLogger("pytorch_lightning").isEnabledFor(logging.WARNING)
    False
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message=message)


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
        Without a progress bar where the variable ``CI`` is set, and with ``quiet_lightning``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trainer = quiet_trainer(folder, n_epochs=3, patience=2, device="cpu")
    >>> trainer.max_epochs, trainer.early_stopping_callback.patience
    (3, 2)
    """
    quiet_lightning()
    device = choose_device() if device is None else torch.device(device)
    kept = ModelCheckpoint(
        Path(folder) / "checkpoints",
        monitor=monitor,
        mode=mode,
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    bar = [TQDMProgressBar(refresh_rate=25)] if shows_progress() else []
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

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from unittest.mock import patch
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> from nbhelpers.sampling.batches import InBatch
    >>> from nbhelpers.training.lightning import InBatchModule
    >>> train = Interactions([0, 1], [0, 1], n_users=2, n_items=2)
    >>> data = RetrievalData(InBatch(train, batch_size=2, generator=torch.Generator()))
    >>> module = InBatchModule(MatrixFactorization(2, 2, 3), train)
    >>> with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", CI="1"):  # no bar
    ...     trainer = quiet_trainer(folder, n_epochs=3, device="cpu")
    ...     trainer.fit(module, data)
    ...     best = restore_best(trainer)
    >>> abs(best - min(module.history.train_loss)) < 1e-4  # the lowest of the three epochs
    True
    """
    kept: Any = trainer.checkpoint_callback
    if kept is None or not kept.best_model_path:
        raise ValueError("no epoch was kept: make the trainer by quiet_trainer, and fit first")
    state = torch.load(kept.best_model_path, map_location="cpu", weights_only=True)
    trainer.lightning_module.load_state_dict(state["state_dict"])
    return float(kept.best_model_score)


def training_log(trainer: pl.Trainer) -> pd.DataFrame:
    """What was logged, a row for each epoch of this run, indexed by epoch from 1.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trainer = quiet_trainer(folder, n_epochs=2, device="cpu")
    ...     for epoch, loss in enumerate([0.75, 0.5]):  # as ``trainer.fit`` does
    ...         trainer.logger.log_metrics({"epoch": epoch, "train_loss": loss}, step=epoch)
    ...     trainer.logger.save()
    ...     log = training_log(trainer)
    >>> log["train_loss"].to_dict()
    {1: 0.75, 2: 0.5}
    """
    logged = pd.read_csv(Path(str(trainer.log_dir)) / "metrics.csv")
    epochs = logged.pop("epoch") + 1
    return logged.drop(columns="step").set_index(pd.Index(epochs, name="epoch"))
