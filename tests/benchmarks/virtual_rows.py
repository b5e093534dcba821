"""What `bench_billion` runs in fresh processes: `shards`, or a stage, then FOLDER ROWS."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from nbhelpers.data.datasets.synthetic_stream import stream_pairs, stream_sizes
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import bpr_loss
from tests.benchmarks.bench_streaming import FirstBatches
from tests.benchmarks.scaling_stages import (
    BATCH_SIZE,
    EPOCH_FACTORS,
    SEED,
    Timed,
    measured,
    streamed,
    warm_up,
)

COPIES = 10
ROWS_PER_GROUP = 1 << 16
TOLD_EVERY = 50_000_000
SUMS = "sums.json"
SCHEMA = pa.schema([("user_idx", pa.int32()), ("item_idx", pa.int32())])


def write_shards(folder: Path, n_rows: int) -> None:
    """A tenth of the rows, encoded: a file for each frame of a million, and their sums."""
    sums = np.zeros(2, dtype=np.int64)
    for number, frame in enumerate(stream_pairs(n_rows // COPIES, rng=SEED)):
        pairs = frame[["user_id", "item_id"]].to_numpy() - 1
        sums += pairs.sum(axis=0)
        columns = pa.table(list(pairs.T.astype(np.int32)), schema=SCHEMA)
        path = folder / f"shard-{number:04}.parquet"
        pq.write_table(columns, path, row_group_size=ROWS_PER_GROUP)
    (folder / SUMS).write_text(json.dumps(sums.tolist()))


def batches_of(folder: Path, n_rows: int) -> StreamedPairs:
    """The whole folder as one stream, refused unless it holds the rows asked for."""
    batches = streamed(folder, n_rows // COPIES)
    if batches.n_pairs != n_rows:
        raise ValueError(f"the folder must hold {n_rows:,} rows, got {batches.n_pairs:,}")
    return batches


def streamed_pass(folder: Path, n_rows: int, n_trained: int) -> Timed:
    """Every batch with its negatives; all rows must have come, and nothing is trained."""
    batches = batches_of(folder, n_rows)
    wanted = [COPIES * each for each in json.loads((folder / SUMS).read_text())]

    def call() -> None:
        n_seen, sums = counted(batches)
        if n_seen != n_rows or sums != wanted:
            raise ValueError(f"{n_rows:,} rows that add up to {wanted} must come, got {n_seen:,}")

    return Timed(call, note=f"{n_rows:,} rows came, {COPIES} times {n_rows // COPIES:,}")


def counted(batches: Iterable[Sequence[Tensor]]) -> tuple[int, list[int]]:
    """Rows of all batches, and the sums of their users and items; said on the way."""
    started, n_seen, sums, n_told = perf_counter(), 0, [0, 0], TOLD_EVERY
    for user_idx, item_idx, *_ in batches:
        n_seen += len(user_idx)
        sums = [sums[0] + int(user_idx.sum()), sums[1] + int(item_idx.sum())]
        if n_seen >= n_told:
            n_told += TOLD_EVERY
            print(f"  {n_seen:,} rows, {perf_counter() - started:,.0f} s", file=sys.stderr)
    return n_seen, sums


def streamed_training(folder: Path, n_rows: int, n_trained: int) -> Timed:
    """The first rows with training, sparse gradients; carried to all."""
    sizes = stream_sizes(n_rows // COPIES)
    torch.manual_seed(SEED)
    model = MatrixFactorization(sizes.n_users, sizes.n_items, EPOCH_FACTORS, sparse=True)
    warm_up(sparse=True)
    batches = FirstBatches(batches_of(folder, n_rows), -(-n_trained // BATCH_SIZE))
    n_timed = min(len(batches) * BATCH_SIZE, n_rows)
    return Timed(
        lambda: fit_ranking(model, batches, loss=bpr_loss, n_epochs=1, device="cpu"),
        n_rows / n_timed,
        "" if n_timed == n_rows else f"the first {n_timed:,} rows of the epoch",
    )


STAGES = {"streamed pass": streamed_pass, "streamed training": streamed_training}


def main(stage: str, folder: str, n_rows: str, n_trained: str = "1") -> None:
    """Write the shards, or run one stage and print what it took."""
    torch.set_num_threads(1)
    if stage == "shards":
        write_shards(Path(folder), int(n_rows))
    else:
        print(json.dumps(measured(STAGES[stage](Path(folder), int(n_rows), int(n_trained)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
