"""The long search behind the lab on seeds and budgets: four models, fifty trials each.

``python -m nbhelpers.course.budget_search notebooks/labs search.journal`` takes about five minutes
of one core. It may be stopped at any time: the same command goes on where it was, and its trials
are those of a run without a stop.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import torch
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from nbhelpers.core.file_in_place import replacing
from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import PositiveSplit, positive_split
from nbhelpers.data.splits import stratified_split
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.models.als import IALS
from nbhelpers.models.item_item import EASE
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import NeuMF
from nbhelpers.sampling.batches import PairBatches, UserBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import full_softmax_loss, logistic_loss
from nbhelpers.training.optimizers import one_cycle

SEED = 42
N_TRIALS = 50
BUDGETS = (1, 5, 50)
TEST_SEEDS = (0, 1, 2, 3, 4)
STEM = "08_seeds_and_budgets"
Settings = Mapping[str, Any]


def likes_split() -> PositiveSplit:
    """Likes of lesson 06: a tenth of each user's ratings for the choice, a tenth for the test."""
    parts = stratified_split(load_ratings(), valid_frac=0.1, test_frac=0.1, rng=SEED)
    return positive_split(parts, items=load_items())


def without_stars(positives: Interactions) -> Interactions:
    """Positives that count alike for every model."""
    user_idx, item_idx = positives.pairs()
    return Interactions(user_idx, item_idx, users=positives.users, items=positives.items)


@dataclass(frozen=True)
class Recipe:
    """A model that is searched.

    Attributes
    ----------
    draw : callable
        Settings of an Optuna trial: names and ranges.
    fit : callable
        ``fit(likes, settings, seed=...)`` gives a fitted model.
    is_random : bool
        Whether the seed changes the model.
    """

    draw: Callable[[optuna.Trial], dict[str, Any]]
    fit: Callable[..., Any]
    is_random: bool = True


def draw_ease(trial: optuna.Trial) -> dict[str, Any]:
    """One penalty."""
    return {"reg": trial.suggest_float("reg", 10, 5000, log=True)}


def draw_ials(trial: optuna.Trial) -> dict[str, Any]:
    """Factors, weight of what was not liked, penalty."""
    return {
        "n_factors": trial.suggest_categorical("n_factors", [16, 32, 64]),
        "unobserved_weight": trial.suggest_float("unobserved_weight", 0.03, 3, log=True),
        "reg": trial.suggest_float("reg", 0.001, 0.1, log=True),
    }


def draw_dot_product(trial: optuna.Trial) -> dict[str, Any]:
    """Rate, decay, dropout, epochs."""
    return {
        **_draw_training(trial),
        "dropout": trial.suggest_categorical("dropout", [0.0, 0.3, 0.5]),
    }


def draw_neumf(trial: optuna.Trial) -> dict[str, Any]:
    """Rate, decay, epochs."""
    return _draw_training(trial)


def _draw_training(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "lr": trial.suggest_float("lr", 0.003, 0.2, log=True),
        "wd": trial.suggest_float("wd", 0.005, 1, log=True),
        "n_epochs": trial.suggest_categorical("n_epochs", [5, 10]),
    }


def fit_ease(likes: Interactions, settings: Settings, *, seed: int) -> EASE:
    """Solved: the seed changes nothing."""
    return EASE(settings["reg"]).fit(likes)


def fit_ials(likes: Interactions, settings: Settings, *, seed: int) -> IALS:
    """Eight sweeps from a random start."""
    model = IALS(
        **settings,
        n_iterations=8,
        n_cg_steps=3,
        generator=torch.Generator().manual_seed(seed),
    )
    return model.fit(likes)


def fit_dot_product(likes: Interactions, settings: Settings, *, seed: int) -> MatrixFactorization:
    """Trained against all items with a softmax."""
    seed_everything(seed)
    model = MatrixFactorization(likes.n_users, likes.n_items, 32, dropout=settings["dropout"])
    generator = torch.Generator().manual_seed(seed)
    batches = UserBatches(likes, batch_size=18, generator=generator)
    _train(model, batches, settings, loss=full_softmax_loss)
    return model


def fit_neumf(likes: Interactions, settings: Settings, *, seed: int) -> NeuMF:
    """Trained against sampled items, as in the paper."""
    seed_everything(seed)
    model = NeuMF(likes.n_users, likes.n_items, 32, n_mlp_factors=16)
    batches = PairBatches(
        likes,
        ExactNegatives(likes),
        batch_size=2048,
        n_negatives=4,
        generator=torch.Generator().manual_seed(seed),
    )
    _train(model, batches, settings, loss=logistic_loss)
    return model


def _train(model: Any, batches: Any, settings: Settings, *, loss: Callable[..., Any]) -> None:
    fit_ranking(
        model,
        batches,
        loss=loss,
        n_epochs=settings["n_epochs"],
        lr=settings["lr"],
        wd=settings["wd"],
        schedule=one_cycle,
    )


RECIPES = {
    "EASE": Recipe(draw_ease, fit_ease, is_random=False),
    "iALS": Recipe(draw_ials, fit_ials),
    "dot product": Recipe(draw_dot_product, fit_dot_product),
    "NeuMF": Recipe(draw_neumf, fit_neumf),
}


def open_study(name: str, journal: Path) -> optuna.Study:
    """The study of a model, new or as it was left."""
    return optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(journal))),
        direction="maximize",
        load_if_exists=True,
    )


def n_finished(study: optuna.Study) -> int:
    """Trials with a score; one that was interrupted has none."""
    return len(study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE]))


def run_trial(study: optuna.Study, split: PositiveSplit) -> None:
    """The next trial: its number decides its settings and its seed, whatever was interrupted."""
    recipe, number = RECIPES[study.study_name], n_finished(study)
    likes = without_stars(split.train)

    def objective(trial: optuna.Trial) -> float:
        started = time.process_time()
        settings = recipe.draw(trial)
        try:
            model = recipe.fit(likes, settings, seed=number)
            run = evaluate_ranking(model, split.valid, seen=split.seen_by_valid)
            ndcg = run.mean("ndcg")
        except FloatingPointError:  # diverged: no list at all
            ndcg = 0.0
        trial.set_user_attr("number", number)
        trial.set_user_attr("seconds", time.process_time() - started)
        return ndcg

    place = list(RECIPES).index(study.study_name)
    study.sampler = RandomSampler(seed=1000 * place + number)  # no two models share draws
    study.optimize(objective, n_trials=1)


def trials_table(studies: Sequence[optuna.Study]) -> pd.DataFrame:
    """A row for each finished trial."""
    rows = []
    for study in studies:
        for trial in study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
            rows.append(
                {
                    "model": study.study_name,
                    "trial": trial.user_attrs["number"] + 1,
                    "valid": trial.value,
                    "seconds": round(trial.user_attrs["seconds"], 2),
                    "settings": json.dumps(trial.params),
                }
            )
    return pd.DataFrame(rows)


def search(split: PositiveSplit, journal: Path, *, n_trials: int) -> pd.DataFrame:
    """All trials of all models, in turn, so that a stop leaves them level."""
    studies = [open_study(name, journal) for name in RECIPES]
    for number in range(n_trials):
        for study in studies:
            if n_finished(study) <= number:
                run_trial(study, split)
    return trials_table(studies)


def chosen_at(trials: pd.DataFrame, budget: int) -> pd.DataFrame:
    """The best of the first trials of each model."""
    first = trials[trials["trial"] <= budget]
    return trials.loc[first.groupby("model", sort=False)["valid"].idxmax()]


def people_table(split: PositiveSplit, trials: pd.DataFrame) -> pd.DataFrame:
    """NDCG@10 of each person on the test rows, for what each model chose at each budget."""
    likes, columns, known = without_stars(split.known), {}, {}
    for budget in BUDGETS:
        chosen = chosen_at(trials, budget)
        names, settings = chosen["model"].tolist(), chosen["settings"].tolist()
        for number, name, drawn in zip(chosen.index, names, settings, strict=True):
            recipe = RECIPES[name]
            if number not in known:
                runs = [
                    evaluate_ranking(
                        recipe.fit(likes, json.loads(drawn), seed=seed),
                        split.test,
                        seen=split.seen,
                    ).per_user.set_index("user_idx")["ndcg"]
                    for seed in (TEST_SEEDS if recipe.is_random else TEST_SEEDS[:1])
                ]
                known[number] = pd.concat(runs, axis=1).mean(axis=1)
            columns[f"{name}, {budget}"] = known[number]
    return pd.DataFrame(columns).reset_index()


def store(table: pd.DataFrame, path: Path, *, digits: int) -> None:
    """Write a table whole or not at all, rounded."""
    with replacing(path) as draft:
        table.round(digits).to_csv(draft, index=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m nbhelpers.course.budget_search")
    parser.add_argument("folder", type=Path, help="where the tables go")
    parser.add_argument("journal", type=Path, help="where the trials are kept on the way")
    parser.add_argument("--trials", type=int, default=N_TRIALS, metavar="N")
    options = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    split = likes_split()
    trials = search(split, options.journal, n_trials=options.trials)
    store(trials, options.folder / f"{STEM}_trials.csv", digits=5)
    store(people_table(split, trials), options.folder / f"{STEM}_people.csv", digits=4)
    return 0


if __name__ == "__main__":
    sys.exit(main())
