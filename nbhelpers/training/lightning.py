"""Training on positives and negatives in Lightning; ``fit_ranking.py`` has the plain loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nbhelpers.data.interactions import Interactions
from nbhelpers.training.epoch_loss import MeanLoss, require_finite
from nbhelpers.training.fit_ranking import ranking_loss
from nbhelpers.training.history import History
from nbhelpers.training.loop import (
    Callback,
    Validate,
    log_epoch,
    measured,
    rates_of,
)
from nbhelpers.training.losses import logistic_loss, sampled_softmax_loss
from nbhelpers.training.optimizers import LR, MakeOptimizer, Schedule, adam
from nbhelpers.training.partial_credit import PairLoss, PartialCredit
from nbhelpers.training.resume import Batch


class RetrievalModule(pl.LightningModule):
    """What the modules below share: optimizer, history, and what happens after an epoch.

    A stopped run goes on from a checkpoint of the Trainer, see ``lightning_trainer``: weights,
    optimizer and ``history`` are in it, and with ``RetrievalData`` the order of the batches.

    Parameters
    ----------
    model : nn.Module
        Trained in place, and left in evaluation mode.
    validate : callable, optional
        Gives metrics of the model by name, after each epoch, in evaluation mode and without
        gradients. They are logged beside ``train_loss``, the mean over the epoch's rows.
    lr, wd : float
        Learning rate and decoupled weight decay of ``optimizers.adam``.
    make_optimizer : callable, optional
        Makes another optimizer from the model, such as one by ``factors_and_biases``; ``lr`` and
        ``wd`` are then unused.
    schedule : callable, optional
        Makes a scheduler, stepped after each batch, such as ``one_cycle``.
    callbacks : sequence, optional
        Their ``on_epoch_end(model, history)`` is called after each epoch, as by ``fit_ranking``;
        ``True`` ends the run. What Lightning calls so is given to its Trainer.

    Attributes
    ----------
    history : History
        As ``fit_ranking`` returns it.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        validate: Validate | None = None,
        lr: float = LR,
        wd: float = 0.0,
        make_optimizer: MakeOptimizer | None = None,
        schedule: Schedule | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        super().__init__()
        self.model, self.validate, self.callbacks = model, validate, callbacks
        self.make_optimizer = make_optimizer or partial(adam, lr=lr, wd=wd)
        self.schedule = schedule
        self.history, self.losses = History(), MeanLoss()
        self.started, self.is_resumed = 0.0, False

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, shape ()."""
        return self.sized_loss(batch)[0]

    def sized_loss(self, batch: Batch) -> tuple[Tensor, int | Tensor]:
        """Mean loss of a batch, and how much it counts: its rows, or the sum of their weights."""
        raise NotImplementedError("a subclass says what the loss of a batch is")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch; Lightning takes the gradients and the step."""
        if batch_idx == 0 and self.losses.sizes:  # stopped after the last step of an epoch
            self._end_epoch()
        loss, size = self.sized_loss(batch)
        self.losses.add(loss, size)
        return loss

    def configure_optimizers(self) -> Any:
        """The optimizer of this run, and its schedule if there is one, moved after each batch."""
        optimizer = self.make_optimizer(self.model)
        if self.schedule is None:
            return optimizer
        n_steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self.schedule(optimizer, n_steps)
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                "on_plateau is for fit and fit_ranking: train there, or choose another"
            )
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    def on_fit_start(self) -> None:
        """Evaluation before training must not leave the model in evaluation mode."""
        if not self.is_resumed:
            self.history, self.losses = History(), MeanLoss()
        self.history.device, self.is_resumed = self.device, False
        self.started = time.perf_counter()
        self.model.train()

    def on_train_epoch_start(self) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Keep and log what the epoch brought; refuse to go on from what is not finite."""
        metrics = self._end_epoch()
        self.log_dict({"train_loss": self.history.train_loss[-1], **metrics})
        stops = [each.on_epoch_end(self.model, self.history) for each in self.callbacks]
        if any(stops):
            self.trainer.should_stop = True

    def _end_epoch(self) -> dict[str, float]:
        """Metrics of the model, which the history keeps with the rest."""
        loss = self.epoch_loss()
        seconds = time.perf_counter() - self.started
        require_finite(self.model, loss)
        metrics = self.epoch_metrics()
        rates = rates_of(self.trainer.optimizers[0])
        self.history.add(loss, metrics=metrics, seconds=seconds, learning_rates=rates)
        log_epoch(self.history, self.trainer.max_epochs)
        self.losses = MeanLoss()
        return metrics

    def epoch_loss(self) -> float:
        """Mean loss of the epoch that ends."""
        return self.losses.mean()

    def epoch_metrics(self) -> dict[str, float]:
        """What validation says after the epoch."""
        return measured(self.model, self.validate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lightning keeps the weights; the history, and the losses of this epoch, go with them."""
        checkpoint["history"] = self.history.state_dict()
        checkpoint["losses"] = self.losses.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the history of the stopped run."""
        self.history.load_state_dict(checkpoint["history"])
        self.losses.load_state_dict(checkpoint["losses"])
        self.is_resumed = True

    def on_fit_end(self) -> None:
        """Leave the model ready to score."""
        self.model.eval()


class PairModule(RetrievalModule):
    """Trains a pair model on positives, each with negatives of its own.

    Batches are ``(user_idx (batch,), item_idx (batch,), negatives (batch, n_negatives))``, and
    ``weights (batch,)`` where the interactions have weights.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)`` with all pairs of a batch in one row.
    loss : callable
        Mean loss of ``(positive_scores (batch,), negative_scores (batch, n_negatives))``, such
        as ``logistic_loss`` or ``softmax_loss``; or one of those with ``partial_credit``.
    **settings
        ``validate``, ``lr``, ``wd``, ``make_optimizer``, ``schedule``, ``callbacks`` of
        ``RetrievalModule``.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> from nbhelpers.training.losses import bpr_loss
    >>> module = PairModule(MatrixFactorization(2, 4, 3), loss=bpr_loss, lr=0.01)
    >>> batch = torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([[0, 1], [0, 2]])
    >>> module.batch_loss(batch).shape  # a Trainer calls this, batch by batch
    torch.Size([])
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: PairLoss | PartialCredit = logistic_loss,
        **settings: Any,
    ) -> None:
        super().__init__(model, **settings)
        self.loss = loss

    def sized_loss(self, batch: Batch) -> tuple[Tensor, int | Tensor]:
        """Mean loss of a batch, and how much it counts."""
        return ranking_loss(self.model, batch, loss=self.loss)


class InBatchModule(RetrievalModule):
    """Trains a model with two towers: the other items of a batch serve as negatives.

    Batches are ``(user_idx (batch,), item_idx (batch,))``, and ``weights (batch,)`` where the
    interactions have weights.

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
        ``validate``, ``lr``, ``wd``, ``make_optimizer``, ``schedule``, ``callbacks`` of
        ``RetrievalModule``.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> train = Interactions([0, 0, 1], [0, 1, 2], n_users=2, n_items=3)
    >>> module = InBatchModule(MatrixFactorization(2, 3, 4), train, lr=0.01)
    >>> batch = torch.tensor([0, 1]), torch.tensor([1, 2])
    >>> module.batch_loss(batch).shape  # a Trainer calls this, batch by batch
    torch.Size([])
    >>> module.log_q.exp()  # each item is one of three positives
    tensor([0.3333, 0.3333, 0.3333])
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

    def sized_loss(self, batch: Batch) -> tuple[Tensor, int | Tensor]:
        """Mean loss of a batch, and how much it counts."""
        user_idx, item_idx, *weights = batch
        model: Any = self.model
        scores = model.user_vectors(user_idx) @ model.item_vectors(item_idx).T  # (batch, batch)
        seen = self.train_pairs.grid(user_idx, item_idx)  # (batch, batch)
        masks = {"log_q": self.log_q[item_idx], "seen": seen.to(scores.device)}
        if not weights:
            return sampled_softmax_loss(scores, item_idx, **masks), len(user_idx)
        loss = sampled_softmax_loss(scores, item_idx, **masks, weights=weights[0])
        return loss, weights[0].sum()
