"""ALS against the library implicit: a million pairs of 20,000 users and 10,000 items.

Both start from the same item factors and must end at the same loss within 0.1 %. One thread is
measured in processor time, two threads by the clock on the wall, which needs two idle cores.
"""

from __future__ import annotations

from tests.benchmarks.measure import Benchmark
from tests.benchmarks.synthetic_als import against_library, power_law


def benchmark() -> list[Benchmark]:
    """Three conjugate gradients and exact sweeps, on one thread and on two."""
    pairs = power_law(1_000_000, n_users=20_000, n_items=10_000)
    settings = [(64, 3, 3), (128, 3, 3), (64, None, 1), (128, None, 1)]
    return [
        against_library(
            pairs, n_factors, n_cg_steps=n_cg_steps, n_sweeps=n_sweeps, n_threads=n_threads
        )
        for n_factors, n_cg_steps, n_sweeps in settings
        for n_threads in (1, 2)
    ]
