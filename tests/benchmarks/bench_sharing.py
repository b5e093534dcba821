"""What reading costs each of two processes: every row of the files, or row groups of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.rank_batches import SharedRowGroups, SharedRows
from nbhelpers.sampling.streaming import StreamedPairs
from tests.benchmarks import bench_streaming
from tests.benchmarks.bench_streaming import Setting
from tests.benchmarks.measure import Benchmark, Case

WORLD = 2


def benchmark() -> Benchmark:
    """A pass over two million pairs."""
    folder = tempfile.TemporaryDirectory()
    return of(Setting(Path(folder.name) / "pairs.parquet", n_pairs=2_000_000, folder=folder))


def of(setting: Setting) -> Benchmark:
    """The benchmark at any size."""
    bench_streaming.write(setting)
    kinds: dict[str, Callable[[StreamedPairs], Iterable[Any]]] = {
        "one process": lambda batches: SharedRows(batches, 0, 1),
        "one of two, shared by rows": lambda batches: SharedRows(batches, 0, WORLD),
        "one of two, shared by row groups": lambda batches: SharedRowGroups(batches, 0, WORLD),
    }
    cases = [Case(name, partial(_pass, setting, kind)) for name, kind in kinds.items()]
    title = (
        f"Reading shared by processes: a pass over {setting.n_pairs:,} pairs with "
        f"{bench_streaming.N_NEGATIVES} negatives each, batches of {bench_streaming.BATCH_SIZE:,}"
    )
    return Benchmark(title, cases, "rows of this process", float)


def _pass(setting: Setting, kind: Callable[[StreamedPairs], Iterable[Any]]) -> Callable[[], int]:
    batches = StreamedPairs(
        setting.path,
        UniformNegatives(setting.n_items),
        batch_size=bench_streaming.BATCH_SIZE,
        n_negatives=bench_streaming.N_NEGATIVES,
        generator=torch.Generator().manual_seed(bench_streaming.SEED),
    )
    return lambda: sum(int(part.size) for part in kind(batches))
