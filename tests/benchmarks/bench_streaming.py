"""Ten million pairs in batches: from a Parquet file, from memory, and row by row.

The title tells the peak memory of fresh processes, each of which takes one pass and then trains on
some batches. Pairs a second are what to compare: the cases that train take part of a pass, and the
row-by-row loader, as tutorials write it, sees one pair of a hundred, so that they end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.parquet_write import write_pairs
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import bpr_loss
from tests.benchmarks.measure import Benchmark, Case, own_peak

SEED, N_FRAMES, BATCH_SIZE, N_NEGATIVES, N_FACTORS = 42, 20, 8_192, 4, 32
ROOT = Path(__file__).parents[2]
Batches = StreamedPairs | PairBatches
Run = Callable[[], float]


@dataclass(frozen=True)
class Setting:
    """Where the pairs lie, how many there are, and how much of a pass some cases take."""

    path: Path
    n_users: int = 100_000
    n_items: int = 50_000
    n_pairs: int = 10_000_000
    n_trained: int = 100  # batches
    row_by_row: int = 100  # one pair of so many
    folder: tempfile.TemporaryDirectory | None = None  # removed with the setting

    @cached_property
    def interactions(self) -> Interactions:
        """All pairs in memory, read when first asked for."""
        table = pq.read_table(self.path)
        columns = (table[name].to_numpy() for name in ("user_idx", "item_idx"))
        return Interactions(*columns, n_users=self.n_users, n_items=self.n_items)


def benchmark() -> Benchmark:
    """Loaders alone, then with training."""
    folder = tempfile.TemporaryDirectory()
    return of(Setting(Path(folder.name) / "pairs.parquet", folder=folder), peak_megabytes)


def of(setting: Setting, peak_of: Callable[[str, Setting], float]) -> Benchmark:
    """The benchmark at any size; ``peak_of`` measures the memory of one source."""
    write(setting)
    peaks = ", ".join(f"{peak_of(source, setting):,.0f} MB {source}" for source in SOURCES)
    part = f"{setting.n_trained} batches"
    cases = [
        Case("StreamedPairs", partial(one_pass, setting, "streamed")),
        Case("PairBatches, all in memory", partial(one_pass, setting, "in memory")),
        Case(f"row by row, 1 pair of {setting.row_by_row}", partial(one_by_one, setting)),
        Case(f"StreamedPairs, training, {part}", partial(training, setting, "streamed")),
        Case(f"PairBatches, training, {part}", partial(training, setting, "in memory")),
        Case(
            f"StreamedPairs, training, {part}, sparse gradients",
            partial(training, setting, "streamed", sparse=True),
        ),
    ]
    title = (
        f"Streaming: {setting.n_pairs:,} pairs, {setting.n_users:,} users x {setting.n_items:,} "
        f"items, {N_NEGATIVES} negatives each, batches of {BATCH_SIZE:,}, {N_FACTORS} factors; "
        f"peak memory {peaks}"
    )
    return Benchmark(title, cases, "million pairs a second", lambda rate: rate / 1e6)


def write(setting: Setting) -> None:
    """All pairs in a file, of which no more than a frame is ever in memory."""
    users, items = Vocabulary(range(setting.n_users)), Vocabulary(range(setting.n_items))
    n_written = write_pairs(frames(setting), setting.path, users=users, items=items)
    if n_written != setting.n_pairs:
        raise ValueError(f"{setting.n_pairs:,} pairs must be written, got {n_written:,}")


def frames(setting: Setting) -> Iterator[pd.DataFrame]:
    """Pairs with the long tails of real ones; each frame has users of its own, in any order."""
    rng = np.random.default_rng(SEED)
    popularity = np.arange(1, setting.n_items + 1) ** -0.8
    popularity = rng.permutation(popularity / popularity.sum())
    size = setting.n_pairs // N_FRAMES
    for user_ids in np.array_split(rng.permutation(setting.n_users), N_FRAMES):
        activity = rng.lognormal(size=len(user_ids))
        drawn = rng.choice(user_ids, p=activity / activity.sum(), size=2 * size)
        item_ids = rng.choice(setting.n_items, p=popularity, size=2 * size)
        keys = rng.permutation(np.unique(drawn * setting.n_items + item_ids))[:size]
        yield pd.DataFrame({"user_id": keys // setting.n_items, "item_id": keys % setting.n_items})


def streamed(setting: Setting) -> StreamedPairs:
    """Ours, from the file."""
    return StreamedPairs(setting.path, UniformNegatives(setting.n_items), **_drawn())


def in_memory(setting: Setting) -> PairBatches:
    """Ours, from memory."""
    return PairBatches(setting.interactions, UniformNegatives(setting.n_items), **_drawn())


SOURCES: dict[str, Callable[[Setting], Batches]] = {"streamed": streamed, "in memory": in_memory}


def one_pass(setting: Setting, source: str) -> Run:
    """Pairs a second of a loader by itself."""
    return partial(_rate, SOURCES[source](setting))


def training(setting: Setting, source: str, *, sparse: bool = False) -> Run:
    """Pairs a second of the first batches of a pass, with training on them."""
    torch.manual_seed(SEED)
    model = MatrixFactorization(setting.n_users, setting.n_items, N_FACTORS, sparse=sparse)
    batches = FirstBatches(SOURCES[source](setting), setting.n_trained)

    def run() -> float:
        started = process_time()
        fit_ranking(model, batches, loss=bpr_loss, n_epochs=1, device="cpu")
        return batches.n_pairs / (process_time() - started)

    return run


class FirstBatches:
    """The first batches of each pass."""

    def __init__(self, batches: Batches, n_batches: int) -> None:
        self.batches, self.generator = batches, batches.generator
        self.n_batches = min(n_batches, len(batches))
        self.n_pairs = 0

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        self.n_pairs = 0
        for batch in islice(self.batches, self.n_batches):
            self.n_pairs += len(batch[0])
            yield batch


class Rows(Dataset):
    """A data set as tutorials write it: one row at a time, with its negatives."""

    def __init__(self, setting: Setting) -> None:
        self.n_items, self.rng = setting.n_items, np.random.default_rng(SEED)
        chosen = torch.randperm(setting.n_pairs)[: setting.n_pairs // setting.row_by_row]
        self.user_idx, self.item_idx = setting.interactions.pairs_at(chosen)

    def __len__(self) -> int:
        return len(self.user_idx)

    def __getitem__(self, at: int) -> tuple[Tensor, Tensor, Tensor]:
        negatives = torch.from_numpy(self.rng.integers(self.n_items, size=N_NEGATIVES))
        return self.user_idx[at], self.item_idx[at], negatives


def one_by_one(setting: Setting) -> Run:
    """Pairs a second of PyTorch's loader over single rows."""
    return partial(_rate, DataLoader(Rows(setting), batch_size=BATCH_SIZE, shuffle=True))


def peak_megabytes(source: str, setting: Setting) -> float:
    """Most memory that a fresh process holds in one pass and in training after it."""
    arguments = [sys.executable, "-m", __name__, source, str(setting.path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"peak memory could not be measured: {done.stderr[-500:]}")
    return float(done.stdout.split()[-1])


def main(source: str, path: str) -> None:
    """Use one source in this process, and print its peak."""
    torch.set_num_threads(1)
    setting = Setting(Path(path))
    one_pass(setting, source)()
    training(setting, source)()
    print(own_peak())


def _drawn() -> dict[str, object]:
    generator = torch.Generator().manual_seed(SEED)
    return {"batch_size": BATCH_SIZE, "n_negatives": N_NEGATIVES, "generator": generator}


def _rate(batches: Batches | DataLoader) -> float:
    started = process_time()
    n_pairs = sum(len(user_idx) for user_idx, *_ in batches)
    return n_pairs / (process_time() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
