"""Exact negatives a second at the size of MovieLens 1M, beside draws that check nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import process_time

import numpy as np
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.negatives import (
    ExactNegatives,
    NegativeSampler,
    UniformNegatives,
)
from tests.benchmarks.measure import Benchmark, Case

N_USERS, N_ITEMS, N_POSITIVES, N_NEGATIVES = 6_040, 3_706, 1_000_000, 4
SEED = 42


def benchmark() -> Benchmark:
    """One pass over synthetic positives, some users and items far busier than others."""
    interactions = synthetic()
    exact, uniform = ExactNegatives(interactions), UniformNegatives(N_ITEMS)
    cases = [
        Case("exact, shuffled batches of 1,024", partial(one_pass, interactions, exact, 1024)),
        Case("exact, shuffled batches of 8,192", partial(one_pass, interactions, exact, 8192)),
        Case("exact, all at once", partial(one_pass, interactions, exact, N_POSITIVES)),
        Case("any item, batches of 1,024", partial(one_pass, interactions, uniform, 1024)),
    ]
    title = (
        f"Negatives: {N_NEGATIVES} for each of {len(interactions):,} positives, {N_USERS:,} users "
        f"x {N_ITEMS:,} items"
    )
    return Benchmark(title, cases, "million a second", lambda rate: rate / 1e6)


def synthetic() -> Interactions:
    """Positives with the long tails of real ones: log-normal users, Zipf-like items."""
    rng = np.random.default_rng(SEED)
    activity, popularity = rng.lognormal(size=N_USERS), np.arange(1, N_ITEMS + 1) ** -0.8
    shape = {"p": activity / activity.sum(), "size": 2 * N_POSITIVES}
    user_idx = rng.choice(N_USERS, **shape)
    item_idx = rng.choice(N_ITEMS, p=popularity / popularity.sum(), size=2 * N_POSITIVES)
    keys = rng.permutation(np.unique(user_idx * N_ITEMS + item_idx))[:N_POSITIVES]
    return Interactions(keys // N_ITEMS, keys % N_ITEMS, n_users=N_USERS, n_items=N_ITEMS)


def one_pass(
    interactions: Interactions, sampler: NegativeSampler, batch_size: int
) -> Callable[[], float]:
    """Draw for every positive in shuffled order; returns negatives a second."""
    generator = torch.Generator().manual_seed(SEED)
    order = torch.randperm(len(interactions), generator=generator)
    batches = interactions.pairs()[0][order].split(batch_size)

    def run() -> float:
        started = process_time()
        n_drawn = sum(
            sampler(batch, n_negatives=N_NEGATIVES, generator=generator).numel()
            for batch in batches
        )
        return n_drawn / (process_time() - started)

    return run
