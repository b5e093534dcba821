"""Ten million ratings from a CSV file: our reader beside ``pandas.read_csv``, and streamed.

The title tells the peak memory and the seconds by the clock of fresh processes, one for each case.
pandas neither checks nor reports anything, and takes "007" for 7: it is the floor.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.stream import stream_to_parquet
from tests.benchmarks.measure import Benchmark, Case, own_peak

SEED, N_USERS, N_ITEMS = 42, 200_000, 50_000
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """Where the file lies, and how many rows it has."""

    path: Path
    n_rows: int = 10_000_000
    folder: tempfile.TemporaryDirectory | None = None  # removed with the setting


def benchmark() -> Benchmark:
    """The readers on ten million rows."""
    folder = tempfile.TemporaryDirectory()
    return of(Setting(Path(folder.name) / "ratings.csv", folder=folder), cost_of)


def of(setting: Setting, cost_of: Callable[[str, Path], tuple[float, float]]) -> Benchmark:
    """The benchmark at any size; ``cost_of`` measures seconds and memory of one case."""
    write(setting)
    costs = {name: cost_of(name, setting.path) for name in READERS}
    told = ", ".join(f"{s:.1f} s and {mb:,.0f} MB {name}" for name, (s, mb) in costs.items())
    cases = [
        Case(name, partial(prepared, name, setting), tolerance=0 if k else None)
        for k, name in enumerate(READERS)
    ]
    title = f"Reading {setting.n_rows:,} ratings as CSV; fresh processes: {told}"
    return Benchmark(title, cases, "million rows", lambda n_rows: n_rows / 1e6)


def write(setting: Setting) -> None:
    """Ratings by users and of items that are drawn evenly."""
    rng = np.random.default_rng(SEED)
    columns = {
        "userId": rng.integers(1, N_USERS, setting.n_rows),
        "movieId": rng.integers(1, N_ITEMS, setting.n_rows),
        "rating": rng.integers(1, 11, setting.n_rows) / 2,
        "timestamp": rng.integers(800_000_000, 1_600_000_000, setting.n_rows),
    }
    pa_csv.write_csv(pa.table(columns), setting.path)


def by_pandas(path: Path) -> int:
    """Rows that pandas reads."""
    return len(pd.read_csv(path))


def by_ours(path: Path) -> int:
    """Rows that our reader reads and checks."""
    return len(read_ratings(path).frame)


def streamed(path: Path) -> int:
    """Rows that our reader writes as Parquet."""
    return stream_to_parquet(path, path.with_suffix(".parquet"), memory_limit="500MB").n_rows


READERS: dict[str, Callable[[Path], int]] = {
    "pandas.read_csv": by_pandas,
    "read_ratings": by_ours,
    "stream_to_parquet": streamed,
}


def prepared(name: str, setting: Setting) -> Callable[[], int]:
    """A reader with its path."""
    return partial(READERS[name], setting.path)


def cost_of(name: str, path: Path) -> tuple[float, float]:
    """Seconds by the clock and peak memory in MB of a fresh process."""
    arguments = [sys.executable, "-m", __name__, name, str(path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} could not be measured: {done.stderr[-500:]}")
    seconds, megabytes = map(float, done.stdout.split()[-2:])
    return seconds, megabytes


def main(name: str, path: str) -> None:
    """Use one reader in this process, and print its seconds and its peak."""
    started = perf_counter()
    READERS[name](Path(path))
    print(perf_counter() - started, own_peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
