"""ALS against the library implicit: ten million pairs of 200,000 users and 50,000 items.

As ``bench_als_1m``; each round takes a minute or so, and 2 GB.
"""

from __future__ import annotations

from tests.benchmarks.measure import Benchmark
from tests.benchmarks.synthetic_als import against_library, power_law


def benchmark() -> list[Benchmark]:
    """Three conjugate gradients, on one thread and on two."""
    pairs = power_law(10_000_000, n_users=200_000, n_items=50_000)
    return [
        against_library(pairs, 64, n_cg_steps=3, n_sweeps=1, n_threads=n_threads)
        for n_threads in (1, 2)
    ]
