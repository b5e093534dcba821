"""`python -m tests.benchmarks.quality recommenders`, or `collie FILE`: lists on public splits.

Settings of each model and the shares of their sum are chosen on inner splits of the training rows.
The test rows are looked at once, at the end. Stars are the weights of IALS.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbhelpers.core.recommender import Recommender
from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import stratified_split
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.models.als import IALS
from nbhelpers.models.blend import Blend, blend, choose_shares
from nbhelpers.models.item_item import EASE
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import UserBatches
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import full_softmax_loss
from nbhelpers.training.optimizers import one_cycle

METRICS = ("map", "map_capped", "ndcg", "precision", "recall")
K = 10
SEEDS = (0, 1, 2)
N_STEPS = 5  # shares are multiples of 0.2
Settings = dict[str, Any]


class Task(NamedTuple):
    """A public split, and how settings are chosen on its training rows."""

    train: Interactions
    test: Interactions
    valid_frac: float
    n_inner_splits: int
    metric: str


class Kind(NamedTuple):
    """A kind of model: how it is trained, and the settings to choose from."""

    fit: Callable[[Interactions, int, Settings], Recommender]
    menu: list[Settings]


class Scores:
    """Scores of all users, computed once, for many sums of them."""

    def __init__(self, model: Recommender, train: Interactions) -> None:
        self.n_users, self.n_items = train.n_users, train.n_items
        with torch.no_grad():
            self.table = model.score_users(torch.arange(train.n_users))[:, : train.n_items]

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items)."""
        return self.table[user_idx]


def ials(train: Interactions, seed: int, settings: Settings) -> Recommender:
    """IALS with the weights of the interactions."""
    generator = torch.Generator().manual_seed(seed)
    return IALS(128, n_cg_steps=3, generator=generator, **settings).fit(train)


def ease(train: Interactions, seed: int, settings: Settings) -> Recommender:
    """EASE, which has no random choice."""
    return EASE(**settings).fit(train)


def softmax(train: Interactions, seed: int, settings: Settings) -> Recommender:
    """Matrix factorization by a softmax over all items; each positive counts the same."""
    seed_everything(seed)
    size = {"n_users": train.n_users, "n_items": train.n_items}
    unweighted = Interactions(*train.pairs(), **size)
    model = MatrixFactorization(**size, n_factors=128, **settings)
    batches = UserBatches(unweighted, batch_size=64, generator=torch.Generator().manual_seed(seed))
    fit_ranking(
        model, batches, loss=full_softmax_loss, n_epochs=60, lr=0.01, wd=0.3, schedule=one_cycle
    )
    return model.eval()


# Stars are 3.5 on average, so that 1.0 here is 0.3 without weights.
WEIGHT_AND_REG = [
    (1.0, 0.015),
    (1.0, 0.018),
    (1.3, 0.015),
    (1.3, 0.018),
    (1.6, 0.012),
    (1.6, 0.015),
]
KINDS = {
    "IALS": Kind(
        ials,
        [{"unobserved_weight": weight, "reg": reg} for weight, reg in WEIGHT_AND_REG],
    ),
    "EASE": Kind(ease, [{"reg": reg} for reg in (150.0, 300.0, 450.0)]),
    "softmax": Kind(softmax, [{"dropout": dropout} for dropout in (0.6, 0.75)]),
}


def recommenders(seed: int) -> Task:
    """All ratings positive, a quarter of each user's held out: the table of "recommenders"."""
    ratings = load_ratings("ml-100k")
    ids = {"users": Vocabulary(ratings["user_id"]), "items": Vocabulary(ratings["item_id"])}
    parts = stratified_split(ratings, valid_frac=0.25, rng=seed)
    train, test = (Interactions.from_frame(part, **ids, weights="rating") for part in parts)
    return Task(train, test, valid_frac=0.25, n_inner_splits=2, metric="map")


def collie(path: Path) -> Task:
    """Ratings of 4 and 5 by Collie's split, from arrays of indices; stars joined from the data."""
    split = np.load(path)
    sizes = {"n_users": int(split["n_users"]), "n_items": int(split["n_items"])}
    ratings = load_ratings("ml-100k").astype({"user_id": int, "item_id": int})
    stars = ratings.set_index(["user_id", "item_id"])["rating"]
    user_idx, item_idx = split["train_user"].astype(int), split["train_item"].astype(int)
    weights = stars.loc[pd.MultiIndex.from_arrays([user_idx + 1, item_idx + 1])].to_numpy()
    train = Interactions(user_idx, item_idx, **sizes, weights=weights)
    test = Interactions(split["test_user"].astype(int), split["test_item"].astype(int), **sizes)
    return Task(train, test, valid_frac=0.1, n_inner_splits=3, metric="map_capped")


def inner_splits(task: Task) -> Iterator[tuple[Interactions, Interactions]]:
    """Training rows and validation rows of each inner split."""
    users, items = task.train.pairs()
    rows = pd.DataFrame({"user_id": users.numpy(), "item_id": items.numpy()})
    for seed in range(task.n_inner_splits):
        inner, valid = stratified_split(rows, valid_frac=task.valid_frac, rng=100 + seed)
        yield task.train[inner.index.to_numpy()], task.train[valid.index.to_numpy()]


class Choice(NamedTuple):
    """What inner splits chose: settings of each kind, shares of all and of the closed forms."""

    settings: dict[str, Settings]
    shares: dict[str, dict[str, float]]


def choose(task: Task) -> Choice:
    """Best settings by the mean over inner splits, then the best shares of these models."""
    values: dict[str, list[list[float]]] = {name: [] for name in KINDS}
    fitted, splits = [], list(inner_splits(task))
    for inner, valid in splits:
        tables = {
            name: [Scores(kind.fit(inner, 0, settings), inner) for settings in kind.menu]
            for name, kind in KINDS.items()
        }
        for name in KINDS:
            values[name].append([value(model, task, inner, valid) for model in tables[name]])
        fitted.append(tables)
    best = {name: int(np.mean(values[name], axis=0).argmax()) for name in KINDS}
    trials = []
    for tables, (inner, valid) in zip(fitted, splits, strict=True):
        chosen = {name: tables[name][best[name]] for name in KINDS}
        metric = metric_of(task, inner, valid)
        trials.append(choose_shares(chosen, metric, n_steps=N_STEPS).trials)
    settings = {name: KINDS[name].menu[best[name]] for name in KINDS}
    return Choice(settings, best_shares(trials))


def metric_of(task: Task, train: Interactions, valid: Interactions) -> Callable[[Blend], float]:
    """The metric of a task as a function of a model."""
    return lambda model: value(model, task, train, valid)


def value(model: Recommender, task: Task, train: Interactions, valid: Interactions) -> float:
    """The metric of a task on validation rows."""
    return evaluate_ranking(model, valid, seen=train, k=K).mean(task.metric)


def best_shares(trials: Sequence[pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Shares that are best by the mean over splits: of all models, and of IALS and EASE."""
    mean = trials[0].assign(value=np.mean([each["value"] for each in trials], axis=0))
    found = {}
    for title, rows in (("EASE + IALS", mean[mean["softmax"] == 0]), ("sum of all", mean)):
        found[title] = rows.loc[rows["value"].idxmax()].drop("value").to_dict()
    return found


def tested(task: Task, choice: Choice, seed: int) -> pd.DataFrame:
    """Every metric on the test rows, of each model and each sum."""
    models: dict[str, Recommender] = {
        name: kind.fit(task.train, seed, choice.settings[name]) for name, kind in KINDS.items()
    }
    sums = {title: blend(models, shares=shares) for title, shares in choice.shares.items()}
    rows = {}
    for name, model in (models | sums).items():
        scores = evaluate_ranking(model, task.test, seen=task.train, k=K)
        rows[name] = {metric: scores.mean(metric) for metric in METRICS}
    return pd.DataFrame(rows).T


def report(results: Sequence[pd.DataFrame]) -> str:
    """Mean over runs and each run, for every metric."""
    mean = sum(results[1:], results[0]) / len(results)
    lines = [f"mean of {len(results)} runs", mean.round(4).to_string()]
    for metric in METRICS:
        each = pd.DataFrame({f"run {n}": result[metric] for n, result in enumerate(results)})
        lines += [f"{metric}, each run", each.round(4).to_string()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose, test, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality")
    parser.add_argument("split", choices=["recommenders", "collie"])
    parser.add_argument("file", nargs="?", type=Path, help="arrays of Collie's split, .npz")
    options = parser.parse_args(arguments)
    if (options.split == "collie") != (options.file is not None):
        parser.error("collie needs a file, recommenders none")
    torch.set_num_threads(1)
    results = []
    choice = None
    for seed in SEEDS:
        task = recommenders(seed) if options.file is None else collie(options.file)
        if choice is None or options.file is None:  # the split of a file is always the same
            choice = choose(task)
            print(f"chosen: {choice.settings}, {choice.shares}", flush=True)
        results.append(tested(task, choice, seed))
        print(f"run {seed}\n{results[-1].round(4).to_string()}", flush=True)
    print(report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
