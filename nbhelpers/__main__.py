"""`nbhelpers`, or `python -m nbhelpers`: the commands behind the Makefile."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from nbhelpers import __version__

Action = Callable[[argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="nbhelpers", description=__doc__)
    parser.add_argument("--version", action="version", version=f"nbhelpers {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(
        name: str, action: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(action=action)
        return added

    command("fetch", _fetch, "fetch and verify a data set").add_argument("dataset")
    command("doctor", _doctor, "check this environment")
    run = command("run", _run, "execute the lessons of a folder and store their outputs")
    run.add_argument("folder", type=Path)
    run.add_argument("--labs", action="store_true", help="the labs, too")
    run.add_argument("--only", default="", metavar="NN", help="only names that start so")
    command("run-one", _run_one, "execute one notebook").add_argument("path", type=Path)
    command("sync", _sync, "rebuild each .ipynb from its .md").add_argument("folder", type=Path)
    command("format", _format, "format the code of every .md").add_argument("folder", type=Path)
    cells = command("cells", _cells, "print how many cells are compared, claimed or neither")
    cells.add_argument("folder", type=Path)
    copy = command("copy", _copy, "copy the notebooks into a folder of your own, to work in")
    copy.add_argument("folder", type=Path)
    copy.add_argument("work", type=Path)
    copy.add_argument("--reset", metavar="NN", help="give one notebook afresh, keep your version")
    pages = command("pages", _pages, "write the course as web pages")
    pages.add_argument("folder", type=Path)
    pages.add_argument("out", type=Path)
    results = command("results", _results, "write the tables of documents, or compare two tables")
    job = results.add_mutually_exclusive_group(required=True)
    job.add_argument("--write", type=Path, nargs="+", metavar="DOCUMENT")
    job.add_argument("--compare", type=Path, nargs=2, metavar=("FRESH", "STORED"))
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.action(chosen)
        return code
    except ModuleNotFoundError as error:
        print(f"error: {_missing(error.name)}", file=sys.stderr)
        return 1
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _missing(module: str | None) -> str:
    return (
        f"this command needs {module}, which is not installed: `make setup` makes the environment "
        "of the course, or in one of your own: python -m pip install 'nbhelpers[course]'"
    )


def _fetch(chosen: argparse.Namespace) -> int:
    from nbhelpers.data.datasets.load import load_ratings

    load_ratings(chosen.dataset)
    return 0


def _doctor(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.doctor import report

    print(report())
    return 0


def _run(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.execute import run_course

    return 0 if run_course(chosen.folder, chosen.only, with_labs=chosen.labs) else 1


def _run_one(chosen: argparse.Namespace) -> int:
    import json

    from nbhelpers.course.execute import run_notebook

    print(json.dumps(run_notebook(chosen.path)))
    return 0


def _sync(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.jupytext_pairs import sources, sync

    for path in sources(chosen.folder):
        print(f"{path.stem}: {'rebuilt' if sync(path) else 'unchanged'}")
    return 0


def _format(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.jupytext_pairs import format_md, sources, sync

    for path in sources(chosen.folder):
        format_md(path)
        sync(path)
    return 0


def _cells(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.guarded_cells import guarded_cells, summary

    print(guarded_cells(chosen.folder).to_string())
    print(summary(chosen.folder))
    return 0


def _copy(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.learners_copy import prepare_copy, reset_copy

    if chosen.reset:
        kept = reset_copy(chosen.reset, chosen.folder, chosen.work)
        print(f"{chosen.reset} is fresh" + (f"; yours is now {kept}" if kept else ""))
        return 0
    for name in prepare_copy(chosen.folder, chosen.work):
        print(f"{name}: yours was kept; the course has a newer one: make reset NB={name}")
    return 0


def _pages(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.pages import write_pages

    readme = chosen.folder.parent / "README.md"
    print(f"{len(write_pages(chosen.folder, readme, chosen.out))} pages in {chosen.out}")
    return 0


def _results(chosen: argparse.Namespace) -> int:
    from nbhelpers.course.documents import refresh
    from nbhelpers.course.results import differences, read_results

    if chosen.compare:
        fresh, stored = map(read_results, chosen.compare)
        found = differences(fresh, stored)
        print("\n".join(found) or f"{chosen.compare[1]}: {len(stored)} rows, all made again")
        return 1 if found else 0
    for document in chosen.write:
        changed = refresh(document, _notebooks_of(document))
        print(f"{document}: {'rewritten' if changed else 'unchanged'}")
    return 0


def _notebooks_of(document: Path) -> Path:
    """The notebooks that a document of the root or of ``docs/`` speaks of."""
    parent = document.absolute().parent
    return (parent.parent if parent.name == "docs" else parent) / "notebooks"


if __name__ == "__main__":
    sys.exit(main())
