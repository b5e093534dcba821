"""One pass over 10^9 rows, ten times over the same 10^8: streamed with negatives, then training.

The shards of the smaller log are there ten times under ten names, as hard links, so the disk holds
one tenth. What streams sees a folder of 10^9 rows. `--largest` makes a smaller trial, which is not
stored in the table; `--trained` says how many rows are trained on, and carried to all.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbhelpers.course.scaling_table import NAME, REFUSED
from nbhelpers.course.scaling_table import store_row as store
from nbhelpers.data.datasets.synthetic_stream import stream_sizes
from tests.benchmarks.bench_scaling import work_folder
from tests.benchmarks.fresh_process import Limits, StoppedError, run_fresh, this_machine
from tests.benchmarks.virtual_rows import COPIES, STAGES

TABLE = Path(__file__).parents[2] / "notebooks" / NAME
MODULE = "tests.benchmarks.virtual_rows"
BILLION = 10**9
Run = Callable[..., Any]


def report(options: Namespace, *, table: Path = TABLE, run: Run = run_fresh) -> str:
    """Make the shards, go through them ten times under ten names, and store what it took."""
    n_rows = int(options.largest or BILLION)
    if n_rows % COPIES:
        raise ValueError(f"--largest must divide by {COPIES}, got {n_rows:,}")
    limits = Limits(options.memory_gb, options.minutes)
    lines = [f"One epoch of {n_rows:,} rows, {n_rows // COPIES:,} of them different", ""]
    with work_folder(options.folder) as folder:
        run(MODULE, ["shards", str(folder), str(n_rows)], limits=Limits(limits.memory_gb, 1e9))
        link_copies(folder)
        for stage in STAGES:
            arguments = [stage, str(folder), str(n_rows), str(int(options.trained))]
            row = _row_of(stage, n_rows, arguments=arguments, limits=limits, run=run)
            if n_rows == BILLION:
                store(table, row)
            told = f"{row['cpu_seconds']:,.1f} CPU s, {row['seconds']:,.1f} s"
            lines.append(f"- {stage}: {told}, {row['peak_mb']:,.0f} MB; {row['note']}")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def link_copies(folder: Path) -> list[Path]:
    """Each shard under nine further names, as a hard link: no byte is written twice."""
    linked = []
    for shard in sorted(folder.glob("shard-*.parquet")):
        for number in range(1, COPIES):
            linked.append(folder / f"copy{number}-{shard.name}")
            os.link(shard, linked[-1])
    return linked


def _row_of(
    stage: str, n_rows: int, *, arguments: list[str], limits: Limits, run: Run
) -> dict[str, Any]:
    sizes = stream_sizes(n_rows // COPIES)
    row = {"stage": stage, "rows": n_rows, **sizes._asdict(), "machine": this_machine()}
    try:
        return row | run(MODULE, arguments, limits=limits, is_heard=True)
    except StoppedError as error:
        nothing = dict.fromkeys(("seconds", "cpu_seconds", "peak_mb"), float("nan"))
        return {**row, **nothing, "kind": REFUSED, "note": str(error)}
