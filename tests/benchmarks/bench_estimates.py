"""The cost that `estimate_cost` foresees from a tenth of the rows, over what it was; two seeds."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from tests.benchmarks.estimate_cases import MODELS, N_USERS
from tests.benchmarks.fresh_process import Limits, StoppedError, run_fresh

SEEDS = (0, 1)
DEFAULT_ROWS = 1e5
COLUMNS = ("fit", "evaluate", "lists", "fit, MB")
MODULE = "tests.benchmarks.estimate_cases"
Run = Callable[..., Any]


def report(options: Namespace, *, run: Run = run_fresh) -> str:
    """A line for each model: estimate / real, of each seed, and the real one of the last seed."""
    n_rows = int(options.largest or DEFAULT_ROWS)
    limits = Limits(options.memory_gb, options.minutes)
    lines = [
        f"Estimates from {n_rows // 10:,} of {n_rows:,} rows over the real cost (CPU seconds, "
        f"{N_USERS:,} users evaluated and listed); seeds {' and '.join(map(str, SEEDS))}",
        "",
        f"| model | {' | '.join(COLUMNS)} |",
        "| --- " * (1 + len(COLUMNS)) + "|",
    ]
    for name in MODELS:
        try:
            found = [run(MODULE, [name, str(n_rows), str(seed)], limits=limits) for seed in SEEDS]
        except StoppedError as error:
            lines.append(f"| {name} | {error} |" + " |" * (len(COLUMNS) - 1))
        else:
            cells = (_cell([each[column] for each in found]) for column in COLUMNS)
            lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _cell(pairs: list[list[float]]) -> str:
    """Ratio of each seed, and what it was."""
    ratios = ", ".join(f"{guess / max(real, 1e-9):.2f}" for guess, real in pairs)
    return f"{ratios} (of {pairs[-1][1]:.3g})"
