"""The plain loop for rankings; ``lightning.py`` does the same in Lightning for pairs.

Batches of pairs are ``(user_idx (batch,), item_idx (batch,), negatives (batch, n_negatives))``,
and ``weights (batch,)`` where the interactions have weights; batches of users are
``(user_idx (batch,), positives (batch, n_items))``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nbhelpers.core.recommender import device_of
from nbhelpers.training.device import Precision, full_precision
from nbhelpers.training.history import History
from nbhelpers.training.loop import Callback, Recipe, Validate, name_of, train_epochs
from nbhelpers.training.losses import logistic_loss
from nbhelpers.training.optimizers import LR, MakeOptimizer, Schedule, adam
from nbhelpers.training.partial_credit import PairLoss, PartialCredit
from nbhelpers.training.resume import Batch, Batches, Checkpoint


def pair_loss(model: nn.Module, batch: Batch, loss: PairLoss | PartialCredit) -> Tensor:
    """Loss of a batch of positives, each with negatives of its own.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)`` with all pairs of the batch in one row.
    batch : tuple of Tensor
        ``user_idx`` and ``item_idx``, shape (batch,), and ``negatives``, (batch, n_negatives);
        optionally ``weights``, (batch,). They are moved to the model, if they are elsewhere.
    loss : callable
        One of ``nbhelpers.training.losses`` that takes scores of positives and negatives, with
        or without ``partial_credit``. Weights, if there are any, reach it as ``weights=``.

    Returns
    -------
    Tensor of float, shape ()

    Examples
    --------
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> model = MatrixFactorization(2, 4, 3)
    >>> batch = torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([[0, 1], [0, 2]])
    >>> pair_loss(model, batch, logistic_loss).shape
    torch.Size([])
    """
    device = device_of(model)
    user_idx, item_idx, negatives, *weights = (tensor.to(device) for tensor in batch)
    items = torch.cat([item_idx.unsqueeze(1), negatives], dim=1)  # (batch, 1 + n_negatives)
    users = user_idx.unsqueeze(1).expand_as(items)
    scores = full_precision(model(users.flatten(), items.flatten())).view(items.shape)
    positive, negative = scores[:, 0], scores[:, 1:]
    by_weight = {"weights": weights[0]} if weights else {}
    if isinstance(loss, PartialCredit):
        return loss(positive, negative, item_idx, negatives, **by_weight)
    return loss(positive, negative, **by_weight)


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
    return loss(full_precision(model.score_users(user_idx)), positives)


def fit_ranking(
    model: nn.Module,
    batches: Batches,
    *,
    loss: PairLoss | PartialCredit = logistic_loss,
    n_epochs: int = 5,
    lr: float = LR,
    wd: float = 0.0,
    make_optimizer: MakeOptimizer | None = None,
    schedule: Schedule | None = None,
    validate: Validate | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | str | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "float32",
) -> History:
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
        Makes a scheduler, stepped after each batch, such as ``one_cycle``; or ``on_plateau``,
        stepped after each epoch by the first metric of validation.
    validate : callable, optional
        Gives metrics of the model by name after each epoch, in evaluation mode and without
        gradients, such as ``lambda model: {"map": evaluate_ranking(model, valid,
        seen=train).mean("map")}``. The first decides which epoch is best: higher is better.
    patience : int, optional
        Stop after this many epochs without a better first metric, and restore the best weights.
        Without it all epochs are run and the last weights kept.
    callbacks : sequence, optional
        Their ``on_epoch_end(model, history)`` is called after each epoch; ``True`` ends the run.
    checkpoint : path, optional
        A file that holds the run after each epoch. The same call with the same file goes on where
        the run was stopped, equal to a run without a stop: ``batches`` must be those of the first
        call, made anew or not.
    device : optional
        Without it ``choose_device()``.
    precision : {"float32", "bfloat16"}
        ``"bfloat16"`` is mixed precision, which pays on a GPU: see ``device.precise``.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If ``n_epochs`` or ``patience`` is below 1, ``patience`` or ``on_plateau`` is given
        without ``validate``, the model has no parameter, or the checkpoint is damaged or of
        another run.
    FloatingPointError
        At the end of the first epoch whose loss or whose weights are not finite, or at the first
        step, with the cause. With ``patience`` the best weights come back.

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> from nbhelpers.sampling.batches import PairBatches
    >>> from nbhelpers.sampling.negatives import ExactNegatives
    >>> train = Interactions([0, 0, 1, 1], [0, 1, 2, 3], n_users=2, n_items=4)
    >>> batches = PairBatches(
    ...     train,
    ...     ExactNegatives(train),
    ...     batch_size=4,
    ...     n_negatives=2,
    ...     generator=torch.Generator().manual_seed(0),
    ... )
    >>> model = MatrixFactorization(2, 4, 3)
    >>> history = fit_ranking(model, batches, n_epochs=200, lr=0.05, device="cpu")
    >>> model.score_users(torch.tensor([1])).topk(2).indices.sort().values
    tensor([[2, 3]])
    """
    recipe = Recipe(
        n_epochs=n_epochs,
        make_optimizer=make_optimizer or partial(adam, lr=lr, wd=wd),
        schedule=schedule,
        validate=validate,
        patience=patience,
        callbacks=callbacks,
        device=device,
        precision=precision,
        checkpoint=None if checkpoint is None else Checkpoint(checkpoint),
        settings={"loss": name_of(loss)},
    )
    return train_epochs(model, batches, partial(ranking_loss, loss=loss), recipe=recipe)


def ranking_loss(
    model: nn.Module, batch: Batch, *, loss: PairLoss | PartialCredit
) -> tuple[Tensor, int | Tensor]:
    """Loss of a batch of users or of pairs, and how much the batch counts in an epoch.

    Parameters
    ----------
    model : nn.Module
    batch : tuple of Tensor
        As for ``row_loss`` (two tensors) or ``pair_loss`` (three, or four with weights).
    loss : callable

    Returns
    -------
    loss : Tensor of float, shape ()
    size : int or Tensor of float, shape ()
        Rows of the batch, or the sum of their weights.
    """
    if len(batch) == 2:
        return row_loss(model, batch, loss), len(batch[0])
    size = batch[3].sum() if len(batch) == 4 else len(batch[0])
    return pair_loss(model, batch, loss), size
