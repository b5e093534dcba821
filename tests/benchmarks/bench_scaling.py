"""Seconds and memory of each stage at 10^5, 10^6, ... rows, each stage in a fresh process.

What was measured stands in `notebooks/scaling_table.csv`, so a run that was stopped goes on.
"""

from __future__ import annotations

import os
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from nbhelpers.course.scaling_table import MEASURED, NAME, PART, REFUSED, read_scaling_table
from nbhelpers.course.scaling_table import store_row as store
from nbhelpers.course.scaling_text import scaling_markdown
from nbhelpers.data.datasets.synthetic_stream import stream_sizes
from tests.benchmarks.fresh_process import Limits, StoppedError, run_fresh, this_machine
from tests.benchmarks.scaling_stages import STAGES, log_of, pairs_of

TABLE = Path(__file__).parents[2] / "notebooks" / NAME
SMALLEST = 100_000
LARGEST = "BENCH_LARGEST"
INTERPRETER_MB = 350.0  # of a process that has imported everything and holds no data
MODULE = "tests.benchmarks.scaling_stages"
Run = Callable[..., Any]


def report(options: Namespace, *, table: Path = TABLE, run: Run = run_fresh) -> str:
    """Measure what the table does not hold yet, and show it."""
    limits = Limits(options.memory_gb, options.minutes)
    with work_folder(options.folder) as folder:
        for n_rows in sizes_to(options.largest or float(os.environ.get(LARGEST, 1e6))):
            wanted = list(STAGES) if options.again else missing(read_scaling_table(table), n_rows)
            if wanted:
                _one_size(n_rows, wanted, folder=folder, table=table, limits=limits, run=run)
    return "Scaling\n\n" + scaling_markdown(read_scaling_table(table))


def sizes_to(largest: float) -> list[int]:
    """Powers of ten from 10^5 on.

    Raises
    ------
    ValueError
        If the largest is below 10^5.
    """
    if largest < SMALLEST:
        raise ValueError(f"the largest size must be at least {SMALLEST:,}, got {largest:g}")
    sizes = [SMALLEST]
    while 10 * sizes[-1] <= largest:
        sizes.append(10 * sizes[-1])
    return sizes


def missing(table: pd.DataFrame, n_rows: int) -> list[str]:
    """Stages that were not run at a size; refused ones are tried again, with the limits of now."""
    there = table[(table["rows"] == n_rows) & (table["kind"] != REFUSED)]
    return [stage for stage in STAGES if stage not in set(there["stage"])]


@contextmanager
def work_folder(folder: Path | None) -> Iterator[Path]:
    """The folder named, of which only what is made here is removed; or one for the time."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scaling-", dir=folder) as place:
        yield Path(place)


def _one_size(
    n_rows: int, stages: list[str], *, folder: Path, table: Path, limits: Limits, run: Run
) -> None:
    """Draw the log, run the stages one by one, and remove the files."""
    print(f"{n_rows:,} rows: {', '.join(stages)}", flush=True)
    free = Limits(limits.memory_gb, float("inf"))
    run(MODULE, ["log", str(folder), str(n_rows)], limits=free)
    if "read" not in stages:  # the others need its file
        run(MODULE, ["read", str(folder), str(n_rows)], limits=free)
    for stage in stages:
        row = _row_of(stage, n_rows, folder=folder, table=table, limits=limits, run=run)
        if row is not None:
            store(table, row)
            print(f"  {stage}: {_told(row)}", flush=True)
    for path in (log_of(folder, n_rows), pairs_of(folder, n_rows)):
        path.unlink(missing_ok=True)


def _row_of(
    stage: str, n_rows: int, *, folder: Path, table: Path, limits: Limits, run: Run
) -> dict[str, Any] | None:
    """What a stage took, or why it was refused; None where it is not there to be run."""
    sizes = stream_sizes(n_rows)
    row = {"stage": stage, "rows": n_rows, **sizes._asdict(), "machine": this_machine()}
    expected = foreseen(read_scaling_table(table), stage, n_rows)
    reason = too_much(expected, limits)
    if reason:
        return {**row, **expected, "kind": REFUSED, "note": reason}
    try:
        return row | run(MODULE, [stage, str(folder), str(n_rows)], limits=limits)
    except StoppedError as error:
        return {**row, **expected, "kind": REFUSED, "note": str(error)}
    except RuntimeError as error:
        print(f"  {stage}: could not be run: {error}", flush=True)
        return None


def foreseen(table: pd.DataFrame, stage: str, n_rows: int) -> dict[str, float]:
    """Seconds and memory from the next smaller size, as if they went with the rows."""
    ran = table[table["kind"].isin([MEASURED, PART]) & (table["stage"] == stage)]
    smaller = ran[ran["rows"] < n_rows].sort_values("rows")
    if smaller.empty:
        return {"seconds": float("nan"), "cpu_seconds": float("nan"), "peak_mb": float("nan")}
    last = smaller.iloc[-1]
    times = n_rows / last["rows"]
    data = max(last["peak_mb"] - INTERPRETER_MB, 0.0)
    return {
        "seconds": round(times * last["seconds"], 1),
        "cpu_seconds": round(times * last["cpu_seconds"], 1),
        "peak_mb": round(INTERPRETER_MB + times * data),
    }


def too_much(expected: dict[str, float], limits: Limits) -> str:
    """Why a stage is not started, or nothing; memory alone: many stages time a part only."""
    gigabytes = expected["peak_mb"] / 1000
    if gigabytes > limits.memory_gb:
        return f"about {gigabytes:.1f} GB by the size before, {limits.memory_gb:g} allowed"
    return ""


def _told(row: dict[str, Any]) -> str:
    said = f"{row['cpu_seconds']:,.2f} CPU s, {row['seconds']:,.2f} s, {row['peak_mb']:,.0f} MB"
    return f"{said}, {row['kind']}" + (f" ({row['note']})" if row["note"] else "")
