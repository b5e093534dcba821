"""ALS of 128 factors, five sweeps: weighted against unweighted, and against the library implicit.

All start from the same item factors. The stars are the weights. implicit takes confidences, so it
gets 1 + alpha * w. All that use them must end with nearly the same mean absolute score of a pair.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import ALS
from tests.benchmarks.measure import Benchmark, Case

N_FACTORS, N_SWEEPS, ALPHA, REG, N_CG_STEPS = 128, 5, 1.0, 10.0, 3
EQUAL = 2e-3

Factors = tuple[Tensor, Tensor]


def benchmark() -> Benchmark:
    """Exact sweeps and conjugate gradients, on every pair of the default data set."""
    stars, plain = positives()
    start = torch.randn(stars.n_items, N_FACTORS, generator=torch.Generator().manual_seed(0)) / 10
    cases = []
    for kind, n_cg_steps in (("3 conjugate gradients", N_CG_STEPS), ("exact", None)):
        ours = partial(fitted, start=start, n_cg_steps=n_cg_steps)
        theirs = partial(by_library, start=start, n_cg_steps=n_cg_steps)
        cases += [
            Case(f"weighted, {kind}", partial(partial, ours, stars), EQUAL),
            Case(f"unweighted, {kind}", partial(partial, ours, plain)),
            Case(f"implicit, weighted, {kind}", partial(prepared, theirs, stars), EQUAL),
        ]
    title = f"ALS, {N_FACTORS} factors, {N_SWEEPS} sweeps over {len(stars):,} pairs"
    return Benchmark(title, cases, "mean absolute score", size_of_scores)


def positives() -> tuple[Interactions, Interactions]:
    """Every rated pair, with its stars as weight, and without."""
    ratings = load_ratings()
    ids = {"users": Vocabulary(ratings["user_id"]), "items": Vocabulary(ratings["item_id"])}
    weighted = Interactions.from_frame(ratings, **ids, weights="rating")
    return weighted, Interactions.from_frame(ratings, **ids)


def fitted(
    interactions: Interactions, *, start: Tensor, n_cg_steps: int | None, n_sweeps: int = N_SWEEPS
) -> Factors:
    """Factors of ours."""
    settings = {"alpha": ALPHA, "reg": REG, "n_iterations": n_sweeps, "n_cg_steps": n_cg_steps}
    model = ALS(start.shape[1], **settings)
    model.fit(interactions, item_factors=start)
    return model.user_factors, model.item_factors


def prepared(fit: Callable[[csr_matrix], Factors], interactions: Interactions) -> Callable[[], Any]:
    """The fit of the library, with the confidences made off the clock."""
    confidence = interactions.weighted_scipy()
    confidence.data = 1 + ALPHA * confidence.data
    return partial(fit, confidence)


def by_library(
    confidence: csr_matrix,
    *,
    start: Tensor,
    n_cg_steps: int | None,
    n_sweeps: int = N_SWEEPS,
    n_threads: int = 1,
) -> Factors:
    """Factors of implicit."""
    n_factors = start.shape[1]
    model = AlternatingLeastSquares(
        n_factors,
        alpha=1.0,
        regularization=REG,
        iterations=n_sweeps,
        use_cg=n_cg_steps is not None,
        num_threads=n_threads,
    )
    model.cg_steps = n_cg_steps
    model.user_factors = np.zeros((confidence.shape[0], n_factors), dtype=np.float32)
    model.item_factors = start.numpy().copy()
    model.fit(confidence, show_progress=False)
    return torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors)


def size_of_scores(factors: Factors) -> float:
    """Mean absolute score of all pairs."""
    users, items = factors
    return (users @ items.T).abs().mean().item()
