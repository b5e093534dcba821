"""Plausible wrong answers to the exercises of the lab 08_beyond_accuracy."""

import numpy as np
import pandas as pd
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.beyond_accuracy import coverage, gini, novelty
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.evaluation.list_attributes import (
    attribute_mix,
    history_mix,
    intra_list_diversity,
    miscalibration,
)
from nbhelpers.models.fixed_scores import FixedScores


def all_places_the_same(listed, n_people, n_users):
    return float(np.mean([np.log2(n_users / n_people[film]) for film in listed]))


def discounts_by_log_of_place(listed, n_people, n_users):
    weights = [1 / np.log2(1 + place) for place in range(1, len(listed) + 1)]
    bits = [np.log2(n_users / n_people[film]) for film in listed]
    return float(np.average(bits, weights=weights))


def divides_by_the_length(listed, n_people, n_users):
    bits = [np.log2(n_users / n_people[film]) / place for place, film in enumerate(listed, 1)]
    return sum(bits) / len(listed)


def natural_logarithm(listed, n_people, n_users):
    weights = [1 / place for place in range(1, len(listed) + 1)]
    bits = [np.log(n_users / n_people[film]) for film in listed]
    return float(np.average(bits, weights=weights))


WRONG = {
    "my_novelty": [
        all_places_the_same,
        discounts_by_log_of_place,
        divides_by_the_length,
        natural_logarithm,
    ],
    "my_metrics": [
        {"coverage", "Gini"},
        {"diversity"},
        {"diversity", "miscalibration"},
        {"novelty", "diversity", "miscalibration"},
    ],
}


METRICS = ["NDCG@10", "coverage", "Gini", "novelty", "diversity", "miscalibration"]


class Split:
    def __init__(self, known):
        self.train = known


def context():
    """Random lists of thirty films for twenty people, in place of the models of the lab."""
    rng = np.random.default_rng(0)
    liked = rng.random((20, 30)) < 0.2
    liked[:, 0] = True
    known = Interactions(*liked.nonzero(), n_users=20, n_items=30)
    user_idx, item_idx = (~liked).nonzero()
    held_out = Interactions(user_idx[::3], item_idx[::3], n_users=20, n_items=30)
    genres = (rng.random((30, 4)) < 0.4).astype(int)
    genres[genres.sum(axis=1) == 0, 0] = 1
    model = FixedScores(torch.tensor(rng.random((20, 30))))
    run = evaluate_ranking(model, held_out, seen=known)
    users = torch.tensor(run.per_user["user_idx"].to_numpy())
    wanted = history_mix(known, genres)[users]
    values = [
        run.mean("ndcg"),
        coverage(run.lists, n_items=30),
        gini(run.lists, n_items=30),
        novelty(run.lists, known.item_counts, n_users=20).mean().item(),
        intra_list_diversity(run.lists, genres).nanmean().item(),
        miscalibration(attribute_mix(run.lists, genres), wanted).nanmean().item(),
    ]
    return {
        "SEED": 42,
        "METRICS": METRICS,
        "genres": genres,
        "n_films": 30,
        "users": users,
        "runs": {"IALS": run},
        "split": Split(known),
        "table": pd.DataFrame([values], index=["IALS"], columns=METRICS),
    }
