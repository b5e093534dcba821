"""MAP@10, MRR and AUC over the whole catalog: all users at once against a loop over them.

The loop is written anew from what Collie does: the scores of twenty users are sorted together, and
a library takes the AUC of each. Its values must be ours. Two definitions need a word: MAP@10 is
divided by ``min(10, positives)``, as there, and MRR looks beyond the ten, for the best positive in
the whole catalog. A tie is lost with us and half won in the libraries; random factors make too few
to show.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.classification import binary_auroc

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.evaluate import evaluate_ranking, evaluate_unmasked
from nbhelpers.evaluation.report import RankingScores
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.training.fit import seed_everything
from tests.benchmarks.bench_collie import N_FACTORS, SEED, positives
from tests.benchmarks.measure import Benchmark, Case

K, USERS_AT_ONCE = 10, 20
EQUAL = 1e-6
Auc = Callable[[np.ndarray, np.ndarray], float]
Means = tuple[float, float, float]


def benchmark() -> Benchmark:
    """The held-out tenth of each user of the default data set."""
    seen, held_out = positives()
    model = planted_model(seen)
    slow = partial(looped, model, held_out, auc=torchmetrics_auc)
    cases = [
        Case("evaluate_unmasked", lambda: partial(ours, model, held_out)),
        Case("evaluate_ranking, seen items masked", lambda: partial(masked, model, held_out, seen)),
        Case("a loop, AUC by scikit-learn", lambda: partial(looped, model, held_out), EQUAL),
        Case("a loop, AUC by torchmetrics", lambda: slow, EQUAL),
    ]
    n_users = int((held_out.user_counts > 0).sum())
    title = (
        f"Evaluation: MAP@{K}, MRR and AUC of {n_users:,} users, {len(held_out):,} positives "
        f"among {held_out.n_items:,} items"
    )
    return Benchmark(title, cases, "sum of the means", sum)


def planted_model(seen: Interactions) -> MatrixFactorization:
    """A model that knows what is popular, and for the rest guesses."""
    seed_everything(SEED)
    model = MatrixFactorization(seen.n_users, seen.n_items, N_FACTORS).eval()
    with torch.no_grad():
        model.user_factors.weight.normal_()
        model.item_factors.weight.normal_(0, 0.1)
        model.item_bias.weight[:, 0] = torch.tensor(np.log1p(seen.item_counts))
    return model


def ours(model: MatrixFactorization, held_out: Interactions) -> Means:
    """Every user in a few blocks; lists, table and four more metrics come along."""
    return means(evaluate_unmasked(model, held_out, k=K))


def masked(model: MatrixFactorization, held_out: Interactions, seen: Interactions) -> Means:
    """The same as the project has it elsewhere."""
    return means(evaluate_ranking(model, held_out, seen=seen, k=K))


def means(scores: RankingScores) -> Means:
    """MAP by the other denominator, MRR, AUC."""
    return scores.mean("map_capped"), scores.mean("reciprocal_rank"), scores.mean("auc")


def scikit_auc(hits: np.ndarray, scores: np.ndarray) -> float:
    """AUC of one user."""
    return float(roc_auc_score(hits, scores))


def torchmetrics_auc(hits: np.ndarray, scores: np.ndarray) -> float:
    """AUC of one user; squeezed by hand, since the sigmoid taken there would make ties."""
    shares = torch.from_numpy(scores / (2 * np.abs(scores).max()) + 0.5)
    return float(binary_auroc(shares, torch.from_numpy(hits).long()))


@torch.no_grad()
def looped(
    model: MatrixFactorization,
    held_out: Interactions,
    *,
    seen: Interactions | None = None,
    auc: Auc = scikit_auc,
) -> Means:
    """Some users a batch, then one by one; what is ``seen`` takes no part."""
    wanted, values = held_out.to_scipy(), []
    left_out = None if seen is None else seen.to_scipy()
    for users in torch.from_numpy(held_out.user_counts.nonzero()[0]).split(USERS_AT_ONCE):
        scores = model.score_users(users).numpy()
        hits = wanted[users.numpy()].toarray()
        others = None if left_out is None else left_out[users.numpy()].toarray()
        for row in range(len(users)):
            part = slice(None) if others is None else others[row] == 0
            values.append(one_user(hits[row][part], scores[row][part], auc))
    return tuple(np.mean(values, axis=0).tolist())


def one_user(hits: np.ndarray, scores: np.ndarray, auc: Auc) -> Means:
    """Average precision, reciprocal rank and AUC, from one sorted list."""
    found = hits[np.argsort(-scores)]
    ranks = np.flatnonzero(found) + 1
    precision = [n / rank for n, rank in enumerate(ranks, start=1) if rank <= K]
    return sum(precision) / min(K, len(ranks)), 1 / ranks[0], auc(hits, scores)
