"""How much of what the notebooks show is guarded, and how."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat
import pandas as pd
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from nbhelpers.course.jupytext_pairs import sources

KINDS = ["compared", "claimed", "neither"]
COMPARED = {"nbval-check-output", "raises-exception"}
CHECKING = {"claims", "check", "solution"}


def guarded_cells(folder: Path) -> pd.DataFrame:
    """Count the code cells of each notebook that show something, by how a run guards it.

    *Compared*: the output must be equal to the stored one, or the error must come. *Claimed*: a
    name that the cell makes or shows is used by a claim of its section, or the cell checks an
    answer. *Neither*: nothing would notice another output; only figures and timings should be so.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.

    Returns
    -------
    DataFrame
        A row for each notebook, columns "compared", "claimed" and "neither".
    """
    counts = {path.stem: _counts(path) for path in sources(folder)}
    table = pd.DataFrame.from_dict(counts, orient="index", columns=KINDS)
    return table.fillna(0).astype(int)


def summary(folder: Path) -> str:
    """One line: the share of the cells with an output that is compared, claimed, or neither.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.

    Returns
    -------
    str
    """
    total = guarded_cells(folder).sum()
    shares = ", ".join(f"{total[kind] / total.sum():.0%} {kind}" for kind in KINDS)
    return f"{total.sum()} cells show something: {shares}"


def _counts(path: Path) -> Counter[str]:
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    counts: Counter[str] = Counter()
    for section in _sections(notebook):
        claimed = {
            name for cell in section if _is_claim(cell) for name in _names(cell.source, ast.Load)
        }
        for cell in section:
            if cell.outputs and not _tags(cell) & {"claims"}:
                counts[_kind(cell, claimed)] += 1
    return counts


def _sections(notebook: NotebookNode) -> list[list[NotebookNode]]:
    """Code cells, cut at headings of second level."""
    found: list[list[NotebookNode]] = [[]]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found[-1].append(cell)
        elif cell.source.startswith("## "):
            found.append([])
    return found


def _kind(cell: NotebookNode, claimed: set[str]) -> str:
    if _tags(cell) & COMPARED:
        return "compared"
    made_or_shown = _names(cell.source, ast.Store) | _names(_last(cell.source), ast.Load)
    return "claimed" if _tags(cell) & CHECKING or made_or_shown & claimed else "neither"


def _is_claim(cell: NotebookNode) -> bool:
    return "claims" in _tags(cell) or bool(re.search(r"^\s*assert ", cell.source, re.M))


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _names(source: str, context: type[ast.expr_context]) -> set[str]:
    """Names that code reads, or that it gives a value."""
    nodes = list(ast.walk(ast.parse(_without_magics(source))))
    found = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, context)}
    if context is ast.Store:
        found |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return found


def _last(source: str) -> str:
    """The last statement of a cell: what it shows."""
    body = ast.parse(_without_magics(source)).body
    return ast.unparse(body[-1]) if body else ""


def _without_magics(source: str) -> str:
    """A cell as plain Python: a magic becomes a call, a ``%`` within an expression stays."""
    return str(TransformerManager().transform_cell(source))
