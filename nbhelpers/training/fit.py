"""Training of models that predict a number for each row, such as a rating."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nbhelpers.core.checks import require_one
from nbhelpers.core.recommender import evaluation_mode
from nbhelpers.training.device import Precision, choose_device, full_precision
from nbhelpers.training.epoch_loss import MeanLoss
from nbhelpers.training.history import History
from nbhelpers.training.loop import Callback, Recipe, Validate, name_of, train_epochs
from nbhelpers.training.optimizers import LR, MakeOptimizer, Schedule, adam
from nbhelpers.training.resume import Batch, Checkpoint
from nbhelpers.training.weighted_losses import mse_loss

Loss = Callable[..., Tensor]


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, on every device.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.

    Examples
    --------
    >>> seed_everything(42)
    >>> first = torch.rand(1)
    >>> seed_everything(42)
    >>> bool(first == torch.rand(1))
    True
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries still draw from the global generator
    torch.manual_seed(seed)


def fit(
    model: nn.Module,
    train: Sequence[Tensor],
    valid: Sequence[Tensor] | None = None,
    *,
    loss: Loss = mse_loss,
    weights: Tensor | None = None,
    n_epochs: int = 5,
    batch_size: int = 64,
    lr: float = LR,
    wd: float = 0.0,
    make_optimizer: MakeOptimizer | None = None,
    schedule: Schedule | None = None,
    validate: Validate | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | str | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "float32",
) -> History:
    """Train a model in place on rows of inputs and a target, and return what was measured.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(*inputs)``. It trains on ``device``, comes back to where it was, and is
        left in evaluation mode.
    train, valid : sequence of Tensor, each of shape (n, ...)
        Inputs of the model, and last the target: ``(user_idx, item_idx, rating)``. The loss of
        ``valid`` after each epoch is the metric ``valid_loss``: lower is better.
    loss : callable
        Mean loss of ``(prediction, target)``; with ``weights`` it is called with ``weights`` of
        the rows, too. ``weighted_losses.with_weights`` makes such a loss from one of torch.
    weights : Tensor of float, shape (n,), optional
        How much each training row counts, above 0.
    n_epochs, batch_size : int
    lr, wd : float
        Learning rate and decoupled weight decay of ``optimizers.adam``. Its second moment
        remembers about 100 batches, not torch's 1,000 (betas 0.9 and 0.99): while the gradients
        of small embeddings grow, a long memory makes longer steps than ``lr`` says.
    make_optimizer : callable, optional
        Makes another optimizer from the model, such as ``partial(adam_l2, lr=0.01, wd=2e-4)``;
        ``lr`` and ``wd`` are then unused.
    schedule : callable, optional
        Makes a scheduler, stepped after each batch, such as ``one_cycle``; or ``on_plateau``,
        stepped after each epoch by the first metric of validation.
    validate : callable, optional
        Gives metrics of the model by name after each epoch, in evaluation mode and without
        gradients: higher is better. Its first metric then decides which epoch is best, also where
        there are validation rows.
    patience : int, optional
        Stop after this many epochs without a better first metric, and restore the best weights.
        Without it all epochs are run and the last weights kept.
    callbacks : sequence, optional
        Their ``on_epoch_end(model, history)`` is called after each epoch; ``True`` ends the run.
    checkpoint : path, optional
        A file that holds the run after each epoch. The same call with the same file goes on where
        the run was stopped, equal to a run without a stop.
    generator : torch.Generator, optional
        Shuffles the rows; without it torch's global generator does.
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
        If there are no rows, the tensors differ in length, ``patience`` or ``on_plateau`` is
        given without validation, the model has no parameter, or the checkpoint is damaged or of
        another run.
    FloatingPointError
        At the end of the first epoch whose loss or whose weights are not finite, or at the first
        step, with the cause. With ``patience`` the best weights come back.

    Examples
    --------
    >>> seed_everything(0)
    >>> model = nn.Linear(1, 1)
    >>> x = torch.arange(8.0).unsqueeze(1)
    >>> history = fit(model, (x, 2 * x), (x, 2 * x), n_epochs=100, lr=0.1, device="cpu")
    >>> len(history.valid_loss), history.valid_loss[-1] < history.valid_loss[0] / 10
    (100, True)
    """
    _check(train, valid, weights)
    require_one(batch_size=batch_size)
    device = choose_device() if device is None else torch.device(device)
    train = _moved(train, device)
    valid = None if valid is None else _moved(valid, device)
    rows = train if weights is None else [*train, weights.to(device)]
    recipe = Recipe(
        n_epochs=n_epochs,
        make_optimizer=make_optimizer or partial(adam, lr=lr, wd=wd, betas=(0.9, 0.99), eps=1e-5),
        schedule=schedule,
        validate=_validation(validate, valid, loss),
        mode="min" if validate is None else "max",
        patience=patience,
        callbacks=callbacks,
        device=device,
        precision=precision,
        checkpoint=None if checkpoint is None else Checkpoint(checkpoint),
        settings={"loss": name_of(loss), "rows": _digest(rows) if checkpoint else ""},
    )
    batches = RowBatches(rows, batch_size=batch_size, generator=generator)
    row_loss = partial(_batch_loss if weights is None else _weighted_batch_loss, loss=loss)
    names = [*(f"input {k}" for k in range(len(train) - 1)), "target"]
    data = dict(zip(reversed(names), reversed(train), strict=True))  # the target first
    return train_epochs(model, batches, row_loss, recipe=recipe, data=data)


@torch.no_grad()
def mean_loss(model: nn.Module, data: Sequence[Tensor], *, loss: Loss = mse_loss) -> float:
    """Mean loss over all rows, in evaluation mode and without gradients.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(*inputs)``; each part is left in the mode in which it came.
    data : sequence of Tensor, each of shape (n, ...)
        Inputs of the model, and last the target; moved to the model, if they are elsewhere.
    loss : callable
        Mean loss of ``(prediction, target)``.

    Returns
    -------
    float

    Examples
    --------
    >>> mean_loss(nn.Identity(), (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])))
    2.0
    """
    losses = MeanLoss()
    device = next((weight.device for weight in model.parameters()), data[0].device)
    with evaluation_mode(model):
        for rows in zip(*(tensor.split(65_536) for tensor in data), strict=True):
            *inputs, target = _moved(rows, device)
            losses.add(loss(full_precision(model(*inputs)), target), len(target))
    return losses.mean()


class RowBatches:
    """Batches of the rows of tensors, shuffled anew in each pass.

    Parameters
    ----------
    rows : sequence of Tensor, each of shape (n, ...)
    batch_size : int
        Rows in a batch; the last one of a pass may be smaller.
    generator : torch.Generator, optional
        Decides the order, on its device.
    """

    def __init__(
        self, rows: Sequence[Tensor], *, batch_size: int, generator: torch.Generator | None
    ) -> None:
        self.rows, self.batch_size, self.generator = rows, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.rows[0]) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        source = "cpu" if self.generator is None else self.generator.device
        order = torch.randperm(len(self.rows[0]), generator=self.generator, device=source)
        order = order.to(self.rows[0].device)
        yield from zip(*(rows[order].split(self.batch_size) for rows in self.rows), strict=True)


def _batch_loss(model: nn.Module, batch: Batch, *, loss: Loss) -> tuple[Tensor, int]:
    *inputs, target = batch
    return loss(full_precision(model(*inputs)), target), len(target)


def _weighted_batch_loss(model: nn.Module, batch: Batch, *, loss: Loss) -> tuple[Tensor, Tensor]:
    *inputs, target, weights = batch
    return loss(full_precision(model(*inputs)), target, weights=weights), weights.sum()


def _validation(
    validate: Validate | None, valid: Sequence[Tensor] | None, loss: Loss
) -> Validate | None:
    """Metrics of the caller first, then the loss of validation rows."""
    if valid is None:
        return validate

    def both(model: nn.Module) -> dict[str, float]:
        own = {} if validate is None else dict(validate(model))
        return own | {"valid_loss": mean_loss(model, valid, loss=loss)}

    return both


def _moved(rows: Sequence[Tensor], device: torch.device) -> Sequence[Tensor]:
    return [tensor.to(device) for tensor in rows]


def _digest(rows: Sequence[Tensor]) -> str:
    """A checksum of all numbers, so that no run goes on with other rows."""
    digest = hashlib.sha256()
    for tensor in rows:
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _check(train: Sequence[Tensor], valid: Sequence[Tensor] | None, weights: Tensor | None) -> None:
    for name, tensors in (("train", train), ("valid", valid)):
        if tensors is None:
            continue
        lengths = [len(tensor) for tensor in tensors]
        if len(lengths) < 2 or min(lengths) == 0 or len(set(lengths)) > 1:
            raise ValueError(
                f"{name} must hold inputs and a target of one length, got lengths {lengths}"
            )
    if weights is None:
        return
    if weights.shape != (len(train[0]),):
        raise ValueError(
            f"weights must have the shape ({len(train[0])},), one for each training row, "
            f"got {tuple(weights.shape)}"
        )
    wrong = weights[~((weights > 0) & weights.isfinite())]
    if len(wrong):
        raise ValueError(
            f"weights must be finite and above 0, got {len(wrong):,} others, "
            f"e.g. {wrong[0].item():g}: leave rows without weight out"
        )
