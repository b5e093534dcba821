"""The stages of `bench_scaling`, each for a process of its own: `STAGE FOLDER ROWS` prints JSON.

Whatever a stage needs is made before the clock starts, and is in its peak memory.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from nbhelpers.course.scaling_table import MEASURED, PART
from nbhelpers.data.datasets.synthetic_stream import stream_pairs, stream_sizes
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import leave_last_out
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.models.als import ALS
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.parquet_write import vocabularies, write_pairs
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.serving.recommend import recommend
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import bpr_loss
from tests.benchmarks.bench_streaming import FirstBatches
from tests.benchmarks.measure import own_peak

SEED, BATCH_SIZE, N_NEGATIVES, EPOCH_FACTORS = 42, 8_192, 4, 32
ALS_FACTORS, CG_STEPS = 64, 3
EPOCH_ROWS = 10_000_000  # more of an epoch are not timed, but carried
N_JUDGED = 10_000  # users who are evaluated, and for whom lists are made


class Timed(NamedTuple):
    """A call to be timed, and how many times as much the whole stage is."""

    call: Callable[[], Any]
    times: float = 1.0
    note: str = ""


def log_of(folder: Path, n_rows: int) -> Path:
    """The log as it would come: ids and times in Parquet."""
    return folder / f"log-{n_rows}.parquet"


def pairs_of(folder: Path, n_rows: int) -> Path:
    """The same with row numbers for ids."""
    return folder / f"pairs-{n_rows}.parquet"


def write_log(folder: Path, n_rows: int) -> None:
    """Draw a log, a million rows at a time."""
    path = log_of(folder, n_rows)
    draft = path.with_suffix(".partial")
    schema = pa.schema([(name, pa.int64()) for name in ("user_id", "item_id", "timestamp")])
    with pq.ParquetWriter(draft, schema) as writer:
        for frame in stream_pairs(n_rows, rng=SEED):
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
    draft.replace(path)


def read(folder: Path, n_rows: int) -> Timed:
    """Ids numbered in one pass, rows encoded in a second one."""

    def call() -> None:
        users, items = vocabularies(_frames(log_of(folder, n_rows)))
        frames = _frames(log_of(folder, n_rows))
        n_written = write_pairs(frames, pairs_of(folder, n_rows), users=users, items=items)
        _require_rows(n_written, n_rows)

    return Timed(call)


def split(folder: Path, n_rows: int) -> Timed:
    """Each user's last two rows held out, of a frame in memory."""
    frame = pd.read_parquet(log_of(folder, n_rows))
    return Timed(lambda: leave_last_out(frame, n_parts=3, rng=SEED))


def prepare(folder: Path, n_rows: int) -> Timed:
    """Numbering, split and shuffled shards by DuckDB, on disk."""
    from nbhelpers.data.large_log.part_rules import LastRows
    from nbhelpers.data.large_log.prepare_pairs import prepare_pairs

    def call() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            prepare_pairs(
                log_of(folder, n_rows), Path(place, "pairs"), split=LastRows(3), n_threads=1
            )

    return Timed(call)


def epoch(folder: Path, n_rows: int, *, sparse: bool) -> Timed:
    """A pass of training from the file; of many rows the first ten million."""
    sizes = stream_sizes(n_rows)
    warm_up(sparse=sparse)
    torch.manual_seed(SEED)
    model = MatrixFactorization(sizes.n_users, sizes.n_items, EPOCH_FACTORS, sparse=sparse)
    batches = FirstBatches(streamed(pairs_of(folder, n_rows), n_rows), EPOCH_ROWS // BATCH_SIZE)
    n_timed = min(len(batches) * BATCH_SIZE, n_rows)
    note = "" if n_timed == n_rows else f"the first {n_timed:,} rows of the epoch"

    def call() -> None:
        fit_ranking(model, batches, loss=bpr_loss, n_epochs=1, device="cpu")

    return Timed(call, n_rows / n_timed, note)


def warm_up(*, sparse: bool) -> None:
    """Train a tiny model: the first step of a process imports much."""
    batch = torch.tensor([0]), torch.tensor([0]), torch.tensor([[1]])
    model = MatrixFactorization(2, 2, 2, sparse=sparse)
    fit_ranking(model, [batch], loss=bpr_loss, n_epochs=1, device="cpu")


def streamed(path: Path, n_rows: int) -> StreamedPairs:
    """Batches from a file or a folder of pairs, with negatives drawn from all items."""
    sizes = stream_sizes(n_rows)
    return StreamedPairs(
        path,
        UniformNegatives(sizes.n_items),
        batch_size=BATCH_SIZE,
        n_negatives=N_NEGATIVES,
        generator=torch.Generator().manual_seed(SEED),
        n_users=sizes.n_users,
        n_items=sizes.n_items,
    )


def als_sweep(folder: Path, n_rows: int) -> Timed:
    """One sweep over users and items."""
    interactions = in_memory(folder, n_rows)
    ALS(2, n_cg_steps=1, n_iterations=1).fit(Interactions([0], [0]))  # what comes once
    generator = torch.Generator().manual_seed(SEED)
    model = ALS(ALS_FACTORS, n_cg_steps=CG_STEPS, n_iterations=1, generator=generator)
    return Timed(lambda: model.fit(interactions))


def evaluate(folder: Path, n_rows: int) -> Timed:
    """Ranks of one positive each of some users among all items, carried to all users."""
    interactions = in_memory(folder, n_rows)
    users = _some_users(interactions)
    held_out = np.zeros(len(interactions), dtype=bool)
    held_out[interactions.indptr[users]] = True
    wanted, seen = interactions[held_out], interactions[~held_out]
    model = Factors(interactions)
    return _of_some(lambda: evaluate_ranking(model, wanted, seen=seen), users, interactions)


def lists(folder: Path, n_rows: int) -> Timed:
    """Lists of ten for some users, carried to all users."""
    interactions = in_memory(folder, n_rows)
    users = _some_users(interactions)
    model = Factors(interactions)
    return _of_some(lambda: recommend(model, users, seen=interactions), users, interactions)


STAGES: dict[str, Callable[[Path, int], Timed]] = {
    "read": read,
    "split": split,
    "prepare on disk": prepare,
    "epoch, sparse gradients": lambda folder, n_rows: epoch(folder, n_rows, sparse=True),
    "epoch, dense gradients": lambda folder, n_rows: epoch(folder, n_rows, sparse=False),
    "ALS sweep": als_sweep,
    "evaluate": evaluate,
    "lists": lists,
}


if find_spec("nbhelpers.data.large_log") is None:
    del STAGES["prepare on disk"]


class Factors:
    """Scores from factors that nobody has trained: they take as long."""

    def __init__(self, interactions: Interactions) -> None:
        generator = torch.Generator().manual_seed(SEED)
        self.user_factors, self.item_factors = (
            torch.randn(size, ALS_FACTORS, generator=generator)
            for size in (interactions.n_users, interactions.n_items)
        )

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Shape (batch, n_items)."""
        return self.user_factors[user_idx] @ self.item_factors.T


def in_memory(folder: Path, n_rows: int) -> Interactions:
    """All pairs, with row numbers for ids."""
    table = pq.read_table(pairs_of(folder, n_rows))
    columns = [table[name].to_numpy() for name in ("user_idx", "item_idx")]
    sides = [Vocabulary(range(int(column.max()) + 1)) for column in columns]
    return Interactions(*columns, users=sides[0], items=sides[1])


def _some_users(interactions: Interactions) -> np.ndarray:
    many = np.flatnonzero(interactions.user_counts > 1)
    chosen = np.random.default_rng(SEED).permutation(many)[:N_JUDGED]
    return np.sort(chosen)


def _of_some(call: Callable[[], Any], users: np.ndarray, interactions: Interactions) -> Timed:
    if len(users) < N_JUDGED:
        return Timed(call)
    return Timed(call, interactions.n_users / len(users), f"{len(users):,} users")


def _frames(path: Path) -> Iterator[pd.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1_000_000, columns=["user_id", "item_id"]):
            yield batch.to_pandas()


def _require_rows(n_found: int, n_wanted: int) -> None:
    if n_found != n_wanted:
        raise ValueError(f"{n_wanted:,} rows must come out, got {n_found:,}")


def measured(timed: Timed) -> dict[str, Any]:
    """Seconds of the wall and of the CPU, and the peak of this process so far."""
    started, cpu_started = perf_counter(), process_time()
    timed.call()
    seconds, cpu_seconds = perf_counter() - started, process_time() - cpu_started
    return {
        "seconds": round(timed.times * seconds, 3),
        "cpu_seconds": round(timed.times * cpu_seconds, 3),
        "peak_mb": round(own_peak()),
        "kind": MEASURED if timed.times == 1.0 else PART,
        "note": timed.note,
    }


def main(stage: str, folder: str, n_rows: str) -> None:
    """Run one stage, or draw the log, and print what it took."""
    torch.set_num_threads(1)
    if stage == "log":
        write_log(Path(folder), int(n_rows))
    else:
        print(json.dumps(measured(STAGES[stage](Path(folder), int(n_rows)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
