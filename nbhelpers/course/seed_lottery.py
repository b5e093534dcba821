"""The lottery of seeds behind the lab on seeds and budgets: one recipe, many random numbers.

``python -m nbhelpers.course.seed_lottery notebooks/labs`` takes about a minute of one
core. It may be stopped at any time: rows that are there are left alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from nbhelpers.course.budget_search import STEM, likes_split, store, without_stars
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import PositiveSplit
from nbhelpers.evaluation.evaluate import evaluate_unmasked
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import adaptive_hinge_loss
from nbhelpers.training.optimizers import factors_and_biases

N_SEEDS = 20


def fit_hinge(likes: Interactions, *, seed: int) -> MatrixFactorization:
    """The recipe of Collie's tutorial: 10 factors, 10 epochs, the hardest of 10 negatives."""
    seed_everything(seed)
    model = MatrixFactorization(likes.n_users, likes.n_items, 10)
    batches = PairBatches(
        likes,
        ExactNegatives(likes),
        batch_size=1024,
        n_negatives=10,
        generator=torch.Generator().manual_seed(seed),
    )
    fit_ranking(
        model,
        batches,
        loss=adaptive_hinge_loss,
        n_epochs=10,
        make_optimizer=partial(factors_and_biases, lr=0.01, bias_lr=0.01),
    )
    return model


def map_of(model: MatrixFactorization, held_out: Interactions) -> float:
    """MAP@10 as the tutorial measures it: nothing is masked."""
    return evaluate_unmasked(model, held_out).mean("map")


def lottery(split: PositiveSplit, path: Path, *, n_seeds: int) -> pd.DataFrame:
    """A row for each seed, written as soon as it is known.

    Parameters
    ----------
    split : PositiveSplit
        Models learn from its training rows alone.
    path : Path
        Of the table. Rows that it has are left alone.
    n_seeds : int

    Returns
    -------
    DataFrame
        ``seed``, and MAP@10 of the ``valid`` and the ``test`` rows.
    """
    likes = without_stars(split.train)
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    for seed in range(len(rows), n_seeds):
        model = fit_hinge(likes, seed=seed)
        valid, test = (map_of(model, held_out) for held_out in (split.valid, split.test))
        rows.append({"seed": seed, "valid": valid, "test": test})
        store(pd.DataFrame(rows), path, digits=5)
    return pd.DataFrame(rows).round(5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(prog="python -m nbhelpers.course.seed_lottery")
    parser.add_argument("folder", type=Path, help="where the table goes")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lottery(likes_split(), options.folder / f"{STEM}_lottery.csv", n_seeds=N_SEEDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
