"""`python -m tests.benchmarks [name ...]`: speed against peers, as ratios measured in one run.

Each ``bench_NAME.py`` beside this file has a function ``benchmark()`` that returns a Benchmark,
or several.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from tests.benchmarks.measure import Benchmark, measure, table

FOLDER = Path(__file__).parent
PREFIX = "bench_"
LIBRARIES = ("torch", "fastai", "pytorch-lightning")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks, print a table for each, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Speed against peers, as ratios measured in one run.",
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {known()}; all, if left out")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    options = parser.parse_args(arguments)
    try:
        names = chosen(options.names)
        for name in names:
            torch.set_num_threads(1)  # two threads wait for each other on models this small
            run(name, n_rounds=options.rounds)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    libraries = (f"{name} {version(name)}" for name in LIBRARIES)
    print(
        f"\nPython {platform.python_version()}, {', '.join(libraries)}; CPU, one thread unless said"
    )
    return 0


def run(name: str, *, n_rounds: int) -> None:
    """Print the tables of one module."""
    found = importlib.import_module(f"{__package__}.{PREFIX}{name}").benchmark()
    for benchmark in [found] if isinstance(found, Benchmark) else found:
        print(f"\n{table(benchmark, measure(benchmark, n_rounds=n_rounds))}", flush=True)


def known() -> list[str]:
    """Names of all benchmarks, sorted."""
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))


def chosen(names: Sequence[str]) -> list[str]:
    """The names given, or all of them where none is given.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    unknown = [name for name in names if name not in known()]
    if unknown:
        raise ValueError(f"no benchmark is called {unknown[0]!r}: choose from {known()}")
    return list(names) or known()


if __name__ == "__main__":
    sys.exit(main())
