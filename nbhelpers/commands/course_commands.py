"""Commands of the course: what the Makefile calls to fetch, run, store and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbhelpers.commands.reading_options import AsJson, Quiet, on_error_stream, show

Folder = Annotated[Path, typer.Argument(help="A folder of notebooks, such as notebooks.")]


def fetch(
    dataset: Annotated[str, typer.Argument(help="Its name, such as ml-100k.")],
) -> None:
    """Fetch and verify a data set."""
    from nbhelpers.data.datasets.load import load_ratings

    load_ratings(dataset)


def doctor() -> None:
    """Check this environment."""
    from nbhelpers.course.doctor import report

    print(report())


def run(
    folder: Folder,
    labs: Annotated[bool, typer.Option("--labs", help="The labs, too.")] = False,
    only: Annotated[str, typer.Option(metavar="NN", help="Only names that start so.")] = "",
) -> None:
    """Execute the lessons of a folder and store their outputs."""
    from nbhelpers.course.execute import run_course

    if not run_course(folder, only, with_labs=labs):
        raise typer.Exit(1)


def run_one(path: Path) -> None:
    """Execute one notebook."""
    import json

    from nbhelpers.course.execute import run_notebook

    print(json.dumps(run_notebook(path)))


def sync(folder: Folder) -> None:
    """Rebuild each .ipynb from its .md."""
    from nbhelpers.course.jupytext_pairs import sources
    from nbhelpers.course.jupytext_pairs import sync as sync_pair

    for path in sources(folder):
        print(f"{path.stem}: {'rebuilt' if sync_pair(path) else 'unchanged'}")


def format_code(folder: Folder) -> None:
    """Format the code of every .md."""
    from nbhelpers.course.jupytext_pairs import format_md, sources
    from nbhelpers.course.jupytext_pairs import sync as sync_pair

    for path in sources(folder):
        format_md(path)
        sync_pair(path)


def cells(folder: Folder) -> None:
    """Print how many cells are compared, claimed or neither."""
    from nbhelpers.course.guarded_cells import guarded_cells, summary

    print(guarded_cells(folder).to_string())
    print(summary(folder))


def copy(
    folder: Folder,
    work: Annotated[Path, typer.Argument(help="Where your copy is, or will be.")],
    reset: Annotated[
        str, typer.Option(metavar="NN", help="Give one notebook afresh, keep your version.")
    ] = "",
) -> None:
    """Copy the notebooks into a folder of your own, to work in."""
    from nbhelpers.course.learners_copy import prepare_copy, reset_copy

    if reset:
        kept = reset_copy(reset, folder, work)
        print(f"{reset} is fresh" + (f"; yours is now {kept}" if kept else ""))
        return
    for name in prepare_copy(folder, work):
        print(f"{name}: yours was kept; the course has a newer one: make reset NB={name}")


def pages(folder: Folder, out: Path) -> None:
    """Write the course as web pages."""
    from nbhelpers.course.pages import write_pages

    readme = folder.parent / "README.md"
    print(f"{len(write_pages(folder, readme, out))} pages in {out}")


def results(
    documents: Annotated[
        list[Path] | None, typer.Argument(metavar="[DOCUMENT]...", help="To be written.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the tables of documents.")] = False,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="FRESH STORED", help="Compare two tables of results."),
    ] = None,
) -> None:
    """Write the tables of documents, or compare two tables."""
    if write == (compare is not None) or write != bool(documents):
        raise typer.BadParameter("either --write DOCUMENT... or --compare FRESH STORED is required")
    if compare is not None:
        _compare_tables(*compare)
        return
    from nbhelpers.course.documents import refresh

    for document in documents or ():
        changed = refresh(document, _notebooks_of(document))
        print(f"{document}: {'rewritten' if changed else 'unchanged'}")


def reproduce_table(
    *,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Table, and fits that a next run takes over."),
    ] = Path("protocol_table"),
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            metavar="time|last|ratings-time|ratings-random",
            help="Only this protocol; may be given again.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this model; may be given again."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Settings that each model may try.")] = 3,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Rebuild the table of every model of the course under one protocol.

    \b
    The data set is that of the variable CF_DATASET, else ml-100k. A run that was
    killed goes on where it stopped.

    Examples
    --------
      nbhelpers reproduce-table
      nbhelpers reproduce-table --protocol last --model EASE --model popularity
      CF_DATASET=ml-1m nbhelpers reproduce-table --out ml-1m
    """  # noqa: D301 - \b is Click's mark of lines that are kept as they are
    from nbhelpers.commands.one_protocol import reproduce

    with on_error_stream(quiet=quiet):
        found = reproduce.reproduce_table(
            out, protocols=protocol, models=model, n_trials=trials, quiet=quiet
        )
    show(found, as_json=as_json)


def _compare_tables(fresh: Path, stored: Path) -> None:
    from nbhelpers.course.results import differences, read_results

    tables = [read_results(path) for path in (fresh, stored)]
    found = differences(*tables)
    print("\n".join(found) or f"{stored}: {len(tables[1])} rows, all made again")
    if found:
        raise typer.Exit(1)


def _notebooks_of(document: Path) -> Path:
    """The notebooks that a document of the root or of ``docs/`` speaks of."""
    parent = document.absolute().parent
    return (parent.parent if parent.name == "docs" else parent) / "notebooks"
