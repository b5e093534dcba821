"""Ten epochs of Collie's recipe for implicit feedback: whole batches against rows one by one.

The loop is written anew from what that library does, without its framework: a data set whose rows
draw their negatives in Python, collated one by one, and forward and backward once for each of two
optimizers. It carries neither logs nor callbacks, so it is faster than the library itself. Random
numbers differ, so the quality reached agrees within its noise; from equal weights and batches the
single pass ends with equal weights, which a test holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import stratified_split
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_unmasked
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import fit_ranking, pair_loss
from nbhelpers.training.losses import adaptive_hinge_loss
from nbhelpers.training.optimizers import factors_and_biases
from tests.benchmarks.measure import Benchmark, Case

SEED, N_FACTORS, LR, BIAS_LR = 42, 10, 1e-2, 1e-2
N_EPOCHS, N_NEGATIVES, BATCH_SIZE, HELD_OUT = 10, 10, 1024, 0.1
NOISE = 0.02  # four times the standard error of MAP@10 over users
Batch = tuple[Tensor, Tensor, Tensor]
Step = Callable[[nn.Module, Sequence[torch.optim.Optimizer], Batch], None]
Run = Callable[[], nn.Module]


def benchmark() -> Benchmark:
    """Training on a per-user random 90 % of the positives of the default data set."""
    known, held_out = positives()
    torch.optim.Adam([nn.Parameter(torch.zeros(1))])  # off the clock: the first imports a second
    cases = [
        Case("fit_ranking with ExactNegatives", partial(ours, known, held_out)),
        Case("rows one by one, a pass for each optimizer", partial(loop, known, held_out), NOISE),
        Case(
            "rows one by one, one pass for both",
            partial(loop, known, held_out, step=one_pass),
            NOISE,
        ),
    ]
    title = (
        f"Collie's recipe: {N_EPOCHS} epochs of {N_FACTORS} factors, {len(known):,} positives "
        f"with {N_NEGATIVES} exact negatives each, batches of {BATCH_SIZE:,}"
    )
    return Benchmark(title, cases, "MAP@10, nothing masked", partial(quality, held_out))


def liked_rows() -> pd.DataFrame:
    """Ratings of four stars and more, of users with three of them or more."""
    ratings = load_ratings()
    liked = ratings[ratings["rating"] >= 4]
    return liked[liked.groupby("user_id")["item_id"].transform("size") >= 3]


def positives() -> tuple[Interactions, Interactions]:
    """What they liked, a tenth of each user's held out."""
    liked = liked_rows()
    users, items = Vocabulary(liked["user_id"]), Vocabulary(liked["item_id"])
    known, held_out = (
        Interactions.from_frame(part, users=users, items=items)
        for part in stratified_split(liked, valid_frac=HELD_OUT, rng=SEED)
    )
    return known, held_out


def quality(held_out: Interactions, model: nn.Module) -> float:
    """MAP@10 over the whole catalog, as that library has it: what was trained on stays in."""
    return evaluate_unmasked(model, held_out).mean("map")


def ours(known: Interactions, held_out: Interactions) -> Run:
    """Our loop and batches; like the others it takes a loss of held-out pairs each epoch."""
    seed_everything(SEED)
    model = MatrixFactorization(known.n_users, known.n_items, N_FACTORS)

    def run() -> nn.Module:
        size = {"batch_size": BATCH_SIZE, "n_negatives": N_NEGATIVES}
        size["generator"] = torch.Generator().manual_seed(SEED)
        train = PairBatches(known, ExactNegatives(known), **size)
        valid = PairBatches(held_out, ExactNegatives(held_out, seen=known), **size)
        fit_ranking(
            model,
            train,
            loss=adaptive_hinge_loss,
            n_epochs=N_EPOCHS,
            make_optimizer=partial(factors_and_biases, lr=LR, bias_lr=BIAS_LR),
            validate=lambda model: {"minus loss": -mean_loss(model, valid)},
            device="cpu",
        )
        return model

    return run


def mean_loss(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Mean over batches of our loss."""
    return float(np.mean([pair_loss(model, batch, adaptive_hinge_loss) for batch in batches]))


class PlainModel(nn.Module):
    """Dot product of factors plus the biases of both sides, on the tables that torch has."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.user_factors = nn.Embedding(n_users, N_FACTORS)
        self.item_factors = nn.Embedding(n_items, N_FACTORS)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        for name, table in self.named_children():
            nn.init.normal_(table.weight, 0, 0.0 if "bias" in name else 1 / N_FACTORS)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        product = (self.user_factors(user_idx) * self.item_factors(item_idx)).sum(dim=1)
        return product + self.user_bias(user_idx).squeeze(1) + self.item_bias(item_idx).squeeze(1)

    def score_users(self, user_idx: Tensor) -> Tensor:
        product = self.user_factors(user_idx) @ self.item_factors.weight.T
        return product + self.user_bias(user_idx) + self.item_bias.weight.T


class Rows(Dataset):
    """One positive with its negatives at a time, each drawn again until it is no positive."""

    def __init__(self, pairs: Interactions, *, avoid: Interactions) -> None:
        self.pairs = list(zip(*(column.tolist() for column in pairs.pairs()), strict=True))
        taken = zip(*(column.tolist() for column in avoid.pairs()), strict=True)
        self.taken = set(self.pairs) | set(taken)
        self.items = range(pairs.n_items)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: int) -> tuple[int, int, np.ndarray]:
        user, item = self.pairs[place]
        return user, item, np.array([self.negative(user) for _ in range(N_NEGATIVES)])

    def negative(self, user: int) -> int:
        """An item that is no positive of the user."""
        item = random.choice(self.items)
        while (user, item) in self.taken:
            item = random.choice(self.items)
        return item


def hinge(model: nn.Module, batch: Batch) -> Tensor:
    """Mean of what positives lack to lead their hardest negatives by 1."""
    user_idx, item_idx, negatives = batch
    repeated = user_idx.repeat_interleave(negatives.shape[1])
    hardest, _ = model(repeated, negatives.flatten()).view(negatives.shape).max(dim=1)
    return (1 - model(user_idx, item_idx) + hardest).clamp(min=0).mean()


def pass_for_each(
    model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], batch: Batch
) -> None:
    """Forward, backward and step of one optimizer after the other."""
    for optimizer in optimizers:
        optimizer.zero_grad()
        hinge(model, batch).backward()
        optimizer.step()


def one_pass(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], batch: Batch) -> None:
    """Forward and backward once, then both steps."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    hinge(model, batch).backward()
    for optimizer in optimizers:
        optimizer.step()


def optimizers_of(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Adam for the factors, plain gradient descent for the biases."""
    factors, biases = [], []
    for name, weight in model.named_parameters():
        (biases if "bias" in name else factors).append(weight)
    return [torch.optim.Adam(factors, lr=LR), torch.optim.SGD(biases, lr=BIAS_LR)]


def loop(known: Interactions, held_out: Interactions, *, step: Step = pass_for_each) -> Run:
    """Both loaders, the model and the loop over epochs, with a loss of held-out pairs each."""
    seed_everything(SEED)
    model = PlainModel(known.n_users, known.n_items)

    def run() -> nn.Module:
        train = DataLoader(Rows(known, avoid=known), BATCH_SIZE, shuffle=True)
        valid = DataLoader(Rows(held_out, avoid=known), BATCH_SIZE)
        optimizers = optimizers_of(model)
        for _ in range(N_EPOCHS):
            for batch in train:
                step(model, optimizers, batch)
            with torch.no_grad():
                np.mean([hinge(model, batch).item() for batch in valid])
        return model

    return run
