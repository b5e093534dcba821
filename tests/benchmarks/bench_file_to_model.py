"""From a file to lists for everybody: CPU seconds and peak memory of each stage, at two sizes.

A fresh process goes through all stages of a log of one and of ten million rows with the same
users and items, and tells the most memory it held up to the end of each. The rows grow tenfold;
the question is whether the memory does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import torch

from nbhelpers.data.large_log.part_rules import LastRows
from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
from nbhelpers.data.large_log.prepared import PreparedPairs
from nbhelpers.evaluation.evaluate_blocks import evaluate_blocks
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.serving.list_blocks import write_lists
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import bpr_loss
from tests.benchmarks.measure import Benchmark, Case, own_peak

SEED, N_USERS, N_ITEMS, N_FACTORS, BATCH_SIZE = 42, 50_000, 20_000, 16, 8_192
STAGES = ("imports", "prepare", "train", "evaluate", "lists")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """How large a log is, and where all of it happens."""

    n_rows: int
    folder: Path
    n_users: int = N_USERS
    n_items: int = N_ITEMS
    suffix: str = ".parquet"

    @property
    def log(self) -> Path:
        """The file that all begins with."""
        return self.folder / f"log{self.suffix}"


def benchmark() -> Benchmark:
    """One and ten million rows."""
    return of((10**6, 10**7), peaks_of)


def of(sizes: tuple[int, ...], peaks: Callable[[Setting], dict[str, float]]) -> Benchmark:
    """The benchmark at any sizes; the stages of the smallest one are timed."""
    told = []
    for n_rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            setting = Setting(n_rows, Path(folder))
            write_log(setting)
            found = peaks(setting)
            parts = ", ".join(f"{stage} {found[stage]:,.0f}" for stage in STAGES)
            told.append(f"{n_rows:,} rows: {parts}")
    title = (
        f"File to model: {N_USERS:,} users x {N_ITEMS:,} items, {N_FACTORS} factors; peak MB up to "
        f"the end of each stage: {'; '.join(told)}"
    )
    room = tempfile.TemporaryDirectory()
    setting = Setting(sizes[0], Path(room.name))
    write_log(setting)
    cases = [Case(f"{sizes[0]:,} rows, all stages", partial(_whole, setting, room))]
    return Benchmark(title, cases, "million rows a second", lambda rate: rate / 1e6)


def write_log(setting: Setting) -> None:
    """Distinct pairs with long tails, sorted by user, a million rows in memory at a time."""
    rng = np.random.default_rng(SEED)
    n_blocks = max(setting.n_rows // 10**6, 1)
    tables = (_rows(setting, users, rng) for users in _user_ranges(setting, n_blocks))
    first = next(tables)
    is_text = setting.suffix == ".csv"
    make = pc.CSVWriter if is_text else pq.ParquetWriter
    with make(setting.log, first.schema) as writer:
        for table in _chained(first, tables):
            writer.write_table(table)


def _user_ranges(setting: Setting, n_blocks: int) -> list[np.ndarray]:
    return np.array_split(np.arange(setting.n_users), n_blocks)


def _rows(setting: Setting, users: np.ndarray, rng: np.random.Generator) -> pa.Table:
    n_wanted = setting.n_rows * len(users) // setting.n_users
    activity = np.cumsum(rng.lognormal(size=len(users)))
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < n_wanted:
        drawn = np.searchsorted(activity, rng.random(n_wanted) * activity[-1])
        item_idx = (setting.n_items * rng.random(n_wanted) ** 3).astype(np.int64)
        keys = np.unique(np.concatenate([keys, users[drawn] * setting.n_items + item_idx]))
    keys = np.sort(rng.permutation(keys)[:n_wanted])
    times = rng.integers(1_500_000_000, 1_600_000_000, size=n_wanted)
    return pa.table(
        {
            "user_id": keys // setting.n_items,
            "item_id": keys % setting.n_items,
            "timestamp": times,
        }
    )


def _chained(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def stages(setting: Setting) -> Iterator[str]:
    """Go through all stages, and name each when it is done."""
    yield "imports"
    prepared = prepare_pairs(
        setting.log,
        setting.folder / "pairs",
        split=LastRows(2),
        min_per_user=2,
        memory_limit="200MB",
        n_threads=1,
    )
    yield "prepare"
    model = trained(prepared)
    yield "train"
    evaluate_blocks(model, prepared, part="valid")
    yield "evaluate"
    write_lists(model, prepared, setting.folder / "lists.parquet")
    yield "lists"


def trained(prepared: PreparedPairs) -> MatrixFactorization:
    """One streamed epoch."""
    torch.manual_seed(SEED)
    model = MatrixFactorization(prepared.n_users, prepared.n_items, N_FACTORS)
    batches = StreamedPairs(
        prepared.train,
        UniformNegatives(prepared.n_items),
        batch_size=BATCH_SIZE,
        n_negatives=4,
        generator=torch.Generator().manual_seed(SEED),
        n_users=prepared.n_users,
        n_items=prepared.n_items,
        buffer_rows=1 << 18,
    )
    fit_ranking(model, batches, loss=bpr_loss, n_epochs=1, device="cpu")
    return model


def _whole(setting: Setting, room: tempfile.TemporaryDirectory[str]) -> Callable[[], float]:
    """All stages in a place of their own."""
    place = tempfile.mkdtemp(dir=room.name)

    def run() -> float:
        started = process_time()
        here = Setting(setting.n_rows, Path(place), setting.n_users, setting.n_items)
        here.log.symlink_to(setting.log)
        for _ in stages(here):
            pass
        return setting.n_rows / (process_time() - started)

    return run


def peaks_of(setting: Setting) -> dict[str, float]:
    """Most megabytes that a fresh process held up to the end of each stage."""
    sizes = map(str, (setting.n_rows, setting.n_users, setting.n_items))
    arguments = [sys.executable, "-m", __name__, str(setting.folder), setting.suffix, *sizes]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"peak memory could not be measured: {done.stderr[-500:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(folder: str, suffix: str, *sizes: str) -> None:
    """Go through the stages in this process, and print the peak after each."""
    torch.set_num_threads(1)
    n_rows, n_users, n_items = map(int, sizes)
    setting = Setting(n_rows, Path(folder), n_users, n_items, suffix)
    peaks, started = {}, process_time()
    for stage in stages(setting):
        peaks[stage] = own_peak()
        print(f"{stage}: {process_time() - started:.1f} CPU s, {peaks[stage]:,.0f} MB", flush=True)
    print(json.dumps(peaks))


if __name__ == "__main__":
    main(*sys.argv[1:])
