"""Training on positives and sampled negatives in Lightning; ``ranking.py`` has the plain loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nbhelpers.data.interactions import Interactions
from nbhelpers.training.fit import Schedule
from nbhelpers.training.fit_ranking import Validate, pair_loss
from nbhelpers.training.losses import logistic_loss, sampled_softmax_loss
from nbhelpers.training.optimizers import adam
from nbhelpers.training.partial_credit import PairLoss, PartialCredit
from nbhelpers.training.resume import Batch


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
        Makes another optimizer from the model, such as one by ``factors_and_biases``; ``lr`` and
        ``wd`` are then unused.
    schedule : callable, optional
        Makes a scheduler, stepped after each batch, such as ``one_cycle``.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        validate: Validate | None = None,
        lr: float = 1e-3,
        wd: float = 0.0,
        make_optimizer: Callable[[nn.Module], Optimizer] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__()
        self.model, self.validate = model, validate
        self.lr, self.wd = lr, wd
        self.make_optimizer, self.schedule = make_optimizer, schedule
        self.losses: list[Tensor] = []

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, shape ()."""
        raise NotImplementedError("a subclass says what the loss of a batch is")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch; Lightning takes the gradients and the step."""
        loss = self.batch_loss(batch)
        self.losses.append(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """The optimizer of this run, and its schedule if there is one."""
        if self.make_optimizer is None:
            optimizer = adam(self.model, lr=self.lr, wd=self.wd)
        else:
            optimizer = self.make_optimizer(self.model)
        if self.schedule is None:
            return optimizer
        n_steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self.schedule(optimizer, n_steps)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

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
        as ``logistic_loss`` or ``softmax_loss``; or one of those with ``partial_credit``.
    **settings
        ``validate``, ``lr``, ``wd``, ``make_optimizer``, ``schedule`` of ``RetrievalModule``.
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

    def batch_loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch, shape ()."""
        return pair_loss(self.model, batch, self.loss)


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
        ``validate``, ``lr``, ``wd``, ``make_optimizer``, ``schedule`` of ``RetrievalModule``.
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
        seen = self.train_pairs.dense(user_idx)[:, item_idx]  # (batch, batch)
        return sampled_softmax_loss(scores, item_idx, log_q=self.log_q[item_idx], seen=seen)
