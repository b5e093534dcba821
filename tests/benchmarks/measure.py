"""Measure cases one after another, several times round, and lay them out as ratios."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

KIB = 1024


@dataclass(frozen=True)
class Case:
    """One way to do the work.

    Parameters
    ----------
    name : str
    prepare : callable
        Called before each measurement, off the clock; returns what is measured, a callable
        without arguments.
    tolerance : float, optional
        Largest difference allowed between this result and that of the first case; ``None`` where
        the two need not agree, as with other random numbers.
    """

    name: str
    prepare: Callable[[], Callable[[], Any]]
    tolerance: float | None = None


@dataclass(frozen=True)
class Benchmark:
    """Cases that do the same work; the first is the one that the others are divided by.

    Parameters
    ----------
    title : str
    cases : sequence of Case
    result_name : str
        Head of the column of results.
    result : callable
        Off the clock, makes one number from what a measured call returned.
    clock : callable
        Processor time, which adds up over threads; or ``perf_counter`` to see what threads save.
    unit : str
        Head of the column of seconds.
    """

    title: str
    cases: Sequence[Case]
    result_name: str
    result: Callable[[Any], float]
    clock: Callable[[], float] = process_time
    unit: str = "CPU seconds"


@dataclass
class Measured:
    """Seconds of each round and the result of the last round, of one case."""

    name: str
    seconds: list[float] = field(default_factory=list)
    result: float = float("nan")


def measure(
    benchmark: Benchmark, *, n_rounds: int = 3, clock: Callable[[], float] | None = None
) -> list[Measured]:
    """Seconds, by the benchmark's clock if no other is given, and result of every case.

    The cases take turns, so that a machine that gets slower meanwhile slows all of them.

    Raises
    ------
    ValueError
        If ``n_rounds`` is below 1, or a result is farther from the first than its tolerance.
    """
    if n_rounds < 1:
        raise ValueError(f"n_rounds must be at least 1, got {n_rounds}")
    measured = [Measured(case.name) for case in benchmark.cases]
    for _ in range(n_rounds):
        for case, row in zip(benchmark.cases, measured, strict=True):
            seconds, returned = _timed(case, clock or benchmark.clock)
            row.seconds.append(seconds)
            row.result = benchmark.result(returned)
            _check(case, row.result, measured[0].result)
    return measured


def table(benchmark: Benchmark, measured: Sequence[Measured]) -> str:
    """Markdown: median seconds, ratios to the first case (median, range), result."""
    first = measured[0].seconds
    lines = [
        f"| | {benchmark.unit} | ratio | lowest to highest | {benchmark.result_name} |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in measured:
        ratios = [mine / base for mine, base in zip(row.seconds, first, strict=True)]
        lines.append(
            f"| {row.name} | {median(row.seconds):.3f} | {_short(median(ratios))} "
            f"| {_short(min(ratios))} to {_short(max(ratios))} | {row.result:.6g} |"
        )
    rounds = "1 round" if len(first) == 1 else f"median of {len(first)} rounds"
    return "\n".join([f"{benchmark.title}; {rounds}", "", *lines])


def own_peak() -> float:
    """Peak of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # the other figure may, on Linux, be that of the process that started us
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / KIB**2 if sys.platform == "darwin" else peak / KIB


def _short(ratio: float) -> str:
    """One decimal; two digits where that would leave nothing."""
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}"


def _timed(case: Case, clock: Callable[[], float]) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    call = case.prepare()
    gc.collect()  # not to clean up after the case before
    started = clock()
    returned = call()
    return clock() - started, returned


def _check(case: Case, result: float, expected: float) -> None:
    # "not <=": a result that is no number must fail too
    if case.tolerance is not None and not abs(result - expected) <= case.tolerance:
        raise ValueError(
            f"{case.name!r} must give the result of the first case within {case.tolerance}, got "
            f"{result} and {expected}: the cases do not do the same work"
        )
