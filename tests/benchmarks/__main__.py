"""`python -m tests.benchmarks [name ...]`: speed against peers, as ratios measured in one run.

Each ``bench_NAME.py`` beside this file has a function ``benchmark()`` that returns a Benchmark, or
several of them in turn; or, where the result has another form, ``report(options)``, which returns
the text to print.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from tests.benchmarks.measure import Benchmark, measure, table

FOLDER = Path(__file__).parent
PREFIX = "bench_"
LIBRARIES = ("torch", "fastai", "pytorch-lightning")
ONLY_NAMED = ("billion",)  # takes an hour


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks, print a table for each, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Speed against peers, as ratios measured in one run.",
    )
    left_out = f"all but {', '.join(ONLY_NAMED)}, if left out"
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {known()}; {left_out}")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    _add_options_of_scale(parser)
    options = parser.parse_args(arguments)
    try:
        names = chosen(options.names)
        for name in names:
            torch.set_num_threads(1)  # two threads wait for each other on models this small
            for text in texts(name, options):
                print(f"\n{text}", flush=True)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    libraries = (f"{name} {version(name)}" for name in LIBRARIES)
    print(
        f"\nPython {platform.python_version()}, {', '.join(libraries)}; CPU, one thread unless said"
    )
    return 0


def texts(name: str, options: argparse.Namespace) -> Iterator[str]:
    """What one module measures, table by table."""
    module = importlib.import_module(f"{__package__}.{PREFIX}{name}")
    if hasattr(module, "report"):
        yield module.report(options)
        return
    made = module.benchmark()
    for each in [made] if isinstance(made, Benchmark) else made:
        yield table(each, measure(each, n_rounds=options.rounds))


def _add_options_of_scale(parser: argparse.ArgumentParser) -> None:
    """What ``scaling``, ``estimates`` and ``billion`` ask for."""
    scale = parser.add_argument_group("scaling, estimates and billion")
    scale.add_argument(
        "--largest",
        type=float,
        metavar="ROWS",
        help="rows; default: BENCH_LARGEST or 1e6; 1e5 of estimates, 1e9 of billion",
    )
    scale.add_argument("--trained", type=float, default=1e7, metavar="ROWS", help="of billion")
    scale.add_argument("--folder", type=Path, metavar="DIR", help="where files lie meanwhile")
    scale.add_argument("--memory-gb", type=float, default=8.0, metavar="GB", help="default: 8")
    scale.add_argument("--minutes", type=float, default=30.0, help="of a stage; default: 30")
    scale.add_argument("--again", action="store_true", help="measure what the table holds, too")


def known() -> list[str]:
    """Names of all benchmarks, sorted."""
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))


def chosen(names: Sequence[str]) -> list[str]:
    """The names given, or all that do not take long where none is given.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    unknown = [name for name in names if name not in known()]
    if unknown:
        raise ValueError(f"no benchmark is called {unknown[0]!r}: choose from {known()}")
    return list(names) or [name for name in known() if name not in ONLY_NAMED]


if __name__ == "__main__":
    sys.exit(main())
