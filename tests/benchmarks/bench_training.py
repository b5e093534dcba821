"""One epoch of the same model in our loop, in Lightning and in fastai.

All start from the same weights and have the same optimizer and constant learning rate. All but the
last see the same rows in the same order, so they must end with the same validation loss. The stock
loader draws rows with replacement and ends elsewhere; its training loss, over rows of which it has
seen some three times and others never, would flatter it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import partial

import pandas as pd
import pytorch_lightning as pl
import torch
from fastai.collab import TabularCollab
from fastai.data.block import TransformBlock
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import MSELossFlat
from fastai.tabular.core import TabDataLoader
from torch import Tensor, nn
from torch.utils.data import DataLoader

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.ratings import add_indices, rating_tensors
from nbhelpers.data.splits import random_split
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.collab_nn import PairInput
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.training.fit import fit, mean_loss, seed_everything
from tests.benchmarks.measure import Benchmark, Case

SEED = 42
BATCH_SIZE, LR, WD = 64, 5e-3, 0.1
Run = Callable[[], nn.Module]


def benchmark() -> Benchmark:
    """Training on a random 80/20 split of the default data set."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for known in ("The given NumPy array is not writable", ".*isinstance.treespec, LeafSpec"):
        warnings.filterwarnings("ignore", message=known)
    size, train, valid = rows()
    ordered = tuple(column[_order(len(train[0]))] for column in train)
    batches = list(zip(*(column.split(BATCH_SIZE) for column in ordered), strict=True))
    cases = [
        Case("our fit", partial(our_fit, size, train)),
        Case("Lightning, batches ready", partial(lightning, size, batches), 1e-5),
        Case("fastai, batches ready", partial(fastai_ready, size, batches), 1e-5),
        Case("fastai, TabDataLoader, same order", partial(fastai_in_order, size, ordered), 1e-5),
        Case("fastai, stock loader", partial(fastai_stock, size, train)),
    ]
    title = (
        f"Training: one epoch of DotProductBias, 50 factors, {len(train[0]):,} ratings, batches "
        f"of {BATCH_SIZE}"
    )
    return Benchmark(title, cases, "validation MSE after", lambda model: mean_loss(model, valid))


def rows() -> tuple[tuple[int, int], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Rows of the model's tables, then training and validation rows as tensors."""
    parts = random_split(load_ratings(), valid_frac=0.2, rng=SEED)
    users, items = Vocabulary(parts[0].user_id), Vocabulary(parts[0].item_id)
    train, valid = (rating_tensors(add_indices(part, users, items)) for part in parts)
    return (users.n_rows, items.n_rows), train, valid


def our_fit(size: tuple[int, int], train: tuple[Tensor, ...]) -> Run:
    """Our loop, which shuffles and cuts the rows itself."""
    model, generator = _model(size), torch.Generator().manual_seed(SEED)

    def run() -> nn.Module:
        settings = {"n_epochs": 1, "batch_size": BATCH_SIZE, "lr": LR, "wd": WD}
        fit(model, train, **settings, generator=generator, device="cpu")
        return model

    return run


class RatingModule(pl.LightningModule):
    """The least that Lightning asks for."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        user_idx, item_idx, rating = batch
        return nn.functional.mse_loss(self.model(user_idx, item_idx), rating)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        settings = {"lr": LR, "weight_decay": WD, "betas": (0.9, 0.99), "eps": 1e-5}
        return torch.optim.AdamW(self.parameters(), **settings, fused=True)


def lightning(size: tuple[int, int], batches: list[tuple[Tensor, ...]]) -> Run:
    """Lightning without its bar, logs and files."""
    module, loader = RatingModule(_model(size)), DataLoader(batches, batch_size=None)
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")

    def run() -> nn.Module:
        trainer = pl.Trainer(max_epochs=1, accelerator="cpu", **dict.fromkeys(off, False))
        trainer.fit(module, loader)
        return module.model

    return run


def fastai_ready(size: tuple[int, int], batches: list[tuple[Tensor, ...]]) -> Run:
    """A fastai Learner on batches that are cut already."""
    return _learn(DataLoaders(batches, batches[:1]), _model(size))


def fastai_in_order(size: tuple[int, int], ordered: tuple[Tensor, ...]) -> Run:
    """A fastai Learner whose loader cuts batches from a frame, in the order of our loop."""
    loaders = _table(ordered).dataloaders(bs=BATCH_SIZE, dl_type=TabDataLoader, shuffle=False)
    return _learn(loaders, PairInput(_model(size)))


def fastai_stock(size: tuple[int, int], train: tuple[Tensor, ...]) -> Run:
    """A fastai Learner with the loader that it takes by itself; it draws with replacement."""
    return _learn(_table(train).dataloaders(bs=BATCH_SIZE), PairInput(_model(size)))


def _order(n_rows: int) -> Tensor:
    """The order in which ``fit`` takes the rows in its first epoch."""
    return torch.randperm(n_rows, generator=torch.Generator().manual_seed(SEED))


def _model(size: tuple[int, int]) -> DotProductBias:
    seed_everything(SEED)
    return DotProductBias(*size, y_range=(0, 5.5))


def _table(columns: tuple[Tensor, ...]) -> TabularCollab:
    """The rows as fastai's table, one of them for validation.

    No Categorify: the indices stay those of the other cases, and it would run before the clock.
    """
    frame = pd.DataFrame(dict(zip(("user", "item", "rating"), columns, strict=True)))
    splits = (list(range(len(frame))), [0])
    how = {"y_names": "rating", "y_block": TransformBlock(), "splits": splits}
    return TabularCollab(frame, [], ["user", "item"], **how)


def _learn(loaders: DataLoaders, model: nn.Module) -> Run:
    learn = Learner(loaders, model, loss_func=MSELossFlat())

    def run() -> nn.Module:
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, LR, wd=WD)
        return getattr(model, "model", model)

    return run
