"""The two faces of a notebook: the ``.md`` that we edit, the ``.ipynb`` that readers see."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

KEPT_METADATA = {"tags", "jupyter", "cellView"}
ADDRESS_TOKEN = "COURSE_ADDRESS"
ROOT = Path(__file__).parents[2]


def sources(folder: Path) -> list[Path]:
    """The ``.md`` of every notebook of a folder, in the order of the course.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If there is none.
    """
    found = sorted(folder.glob("[0-9]*.md"))
    if not found:
        raise ValueError(f"no notebook source (NN_name.md) in {folder}")
    return found


def course_address() -> str:
    """Address of this repository, from pyproject.toml; empty while it is not known."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["tool"]["course"]["repository"])


def from_md(path: Path) -> NotebookNode:
    """The notebook that a ``.md`` stands for, without outputs; equal sources, equal notebooks.

    The word ``COURSE_ADDRESS`` becomes the address of the repository. While that is not known,
    lines of prose with the word are left out.

    Parameters
    ----------
    path : Path

    Returns
    -------
    NotebookNode
    """
    notebook: NotebookNode = jupytext.read(path)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        jupytext={"formats": "ipynb,md"},
    )
    seen: Counter[str] = Counter()
    address = course_address()
    for cell in notebook.cells:
        cell.source = _with_address(cell, address)
        digest = content_hash(cell)
        seen[digest] += 1
        cell.id = f"{digest}-{seen[digest]}"
        kept = {key: value for key, value in cell.metadata.items() if key in KEPT_METADATA}
        cell.metadata = NotebookNode(kept)
    return notebook


def content_hash(cell: NotebookNode) -> str:
    """Short digest of a cell's kind and source."""
    content = f"{cell.cell_type}\n{cell.source}".encode()
    return hashlib.sha256(content).hexdigest()[:8]


def differences(path: Path) -> list[str]:
    """What keeps a ``.md`` and its ``.ipynb`` from being one notebook.

    Parameters
    ----------
    path : Path
        The ``.md``.

    Returns
    -------
    list of str
        One line for each difference; empty if the two agree.
    """
    other = path.with_suffix(".ipynb")
    if not other.exists():
        return [f"{other.name} is missing"]
    wanted, found = from_md(path).cells, nbformat.read(other, as_version=4).cells
    lines = [
        f"{other.name}, cell {number}: {key} is not that of {path.name}"
        for number, (left, right) in enumerate(zip(wanted, found, strict=False), start=1)
        for key in ("cell_type", "source", "metadata", "id")
        if left[key] != right[key]
    ]
    if len(wanted) != len(found):
        lines.append(f"{path.name} has {len(wanted)} cells, {other.name} {len(found)}")
    return lines


def sync(path: Path) -> bool:
    """Rebuild the ``.ipynb`` of a ``.md``, and keep outputs that are still true.

    Outputs are kept up to the first code cell that changed; what follows has to be run again.

    Parameters
    ----------
    path : Path
        The ``.md``.

    Returns
    -------
    bool
        Whether the ``.ipynb`` changed.

    Raises
    ------
    ValueError
        If the ``.ipynb`` holds edits that its ``.md`` does not have: they would be lost.
    """
    if not differences(path):
        return False
    notebook, other = from_md(path), path.with_suffix(".ipynb")
    if other.exists():
        stored = nbformat.read(other, as_version=4)
        _refuse_to_lose_edits(stored, notebook, path)
        old = [cell for cell in stored.cells if cell.cell_type == "code"]
        new = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for before, after in zip(old, new, strict=False):
            if before.source != after.source:
                break
            after.outputs, after.execution_count = before.outputs, before.execution_count
    write(notebook, other)
    return True


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook whole or not at all.

    Parameters
    ----------
    notebook : NotebookNode
    path : Path
    """
    nbformat.validate(notebook)
    draft = path.with_suffix(".ipynb.tmp")
    nbformat.write(notebook, draft)
    draft.replace(path)


def format_md(path: Path) -> None:
    """Format the code of a ``.md`` in place with ruff.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If a cell cannot be parsed.
    """
    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            cell.source = _formatted(cell.source, f"{path.name}, cell {number}")
    text = re.sub(r" +jupytext_version: .*\n", "", jupytext.writes(notebook, fmt="md"))
    if text != path.read_text(encoding="utf-8"):
        path.write_text(text, encoding="utf-8")


def _formatted(source: str, where: str) -> str:
    if re.search(r"^\s*[%!]", source, re.M):  # a magic is not Python
        return source
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "cell.py", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise ValueError(f"{where} is not valid Python: {done.stderr.strip().splitlines()[0]}")
    return done.stdout.rstrip("\n")


def _with_address(cell: NotebookNode, address: str) -> str:
    lines = cell.source.split("\n")
    if not address and cell.cell_type == "markdown":
        lines = [line for line in lines if ADDRESS_TOKEN not in line]
    return "\n".join(lines).replace(ADDRESS_TOKEN, address or ADDRESS_TOKEN)


def _refuse_to_lose_edits(stored: NotebookNode, wanted: NotebookNode, path: Path) -> None:
    sources_of_md = {cell.source for cell in wanted.cells}
    edited = [
        str(number)
        for number, cell in enumerate(stored.cells, start=1)
        if cell.get("id", "").split("-")[0] != content_hash(cell)
        and cell.source not in sources_of_md
    ]
    if edited:
        name = path.with_suffix(".ipynb").name
        raise ValueError(
            f"{name} was edited (cells {', '.join(edited[:3])}) and {path.name} was not: to keep "
            f"the edits run `jupytext --to md {name}`, to drop them delete {name}; then sync again"
        )
