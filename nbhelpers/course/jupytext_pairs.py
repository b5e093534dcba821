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

from nbhelpers import __version__

KEPT_METADATA = {"tags", "jupyter", "cellView"}
ROOT = Path(__file__).parents[2]
LABS = "labs"
# Characters that a line of code may have before a page has to scroll.
LINE_LENGTH = 88
COLAB_TAG = "colab"
# What a notebook needs on Colab, and only there: the package, at the version of the text.
COLAB_CELL = """\
import importlib.util
import os

if "COLAB_RELEASE_TAG" in os.environ and importlib.util.find_spec("nbhelpers") is None:
    %pip install -q --no-deps pooch git+https://github.com/{address}@v{version}"""


def lessons(folder: Path) -> list[Path]:
    """The ``.md`` of every lesson, in the order of the course.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.

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


def labs(folder: Path) -> list[Path]:
    """The ``.md`` of every lab, in the order of the lessons that they follow.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``; the labs lie in its folder ``labs``.

    Returns
    -------
    list of Path
    """
    return sorted((folder / LABS).glob("[0-9]*.md"))


def sources(folder: Path) -> list[Path]:
    """The ``.md`` of every notebook: the lessons, then the labs.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.

    Returns
    -------
    list of Path
    """
    return [*lessons(folder), *labs(folder)]


def notebook_named(name: str, folder: Path) -> Path:
    """The ``.md`` of a notebook by its number or name.

    Parameters
    ----------
    name : str
        The number of a lesson, as in "03", or the name of a lesson or lab, as in
        "01_weight_decay".
    folder : Path
        The folder ``notebooks``.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    found = [path for path in sources(folder) if path.stem == name]
    found = found or [path for path in lessons(folder) if path.stem.startswith(f"{name}_")]
    if len(found) != 1:
        known = ", ".join(path.stem for path in sources(folder))
        raise ValueError(f"{name!r} names {len(found)} notebooks: name one of {known}")
    return found[0]


def course_address() -> str:
    """Address of this repository, from pyproject.toml; empty while it is not known."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["tool"]["course"]["repository"])


def from_md(path: Path) -> NotebookNode:
    """The notebook that a ``.md`` stands for, without outputs; equal sources, equal notebooks.

    Once the address of the repository is known, a link to Colab stands below the title, and a cell
    that installs the package there comes first among the code.

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
    address = course_address()
    if address:
        _add_colab(notebook, address, path)
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
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

    Outputs are kept up to the first code cell that changed; what follows has to be run again. The
    cell for Colab does nothing here, so it decides nothing.

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
        for before, after in zip(_running(stored), _running(notebook), strict=False):
            if before.source != after.source or before.execution_count is None:
                break
            after.outputs, after.execution_count = before.outputs, before.execution_count
        _count_again(notebook)
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
    command = [sys.executable, "-m", "ruff", "format", "--line-length", str(LINE_LENGTH)]
    command += ["--stdin-filename", "cell.py", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise ValueError(f"{where} is not valid Python: {done.stderr.strip().splitlines()[0]}")
    return done.stdout.rstrip("\n")


def _add_colab(notebook: NotebookNode, address: str, path: Path) -> None:
    """Put the link below the title, and the cell that installs the package before other code."""
    place = f"{address}/blob/main/notebooks/{LABS + '/' if path.parent.name == LABS else ''}"
    link = f"https://colab.research.google.com/github/{place}{path.stem}.ipynb"
    header = notebook.cells[0]
    title, _, rest = header.source.partition("\n")
    header.source = f"{title}\n\n[Open in Colab]({link})\n{rest}"
    cell = nbformat.v4.new_code_cell(COLAB_CELL.format(address=address, version=__version__))
    cell.metadata["tags"] = [COLAB_TAG]
    first = next(n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first, cell)


def _running(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells that do something here."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in code if COLAB_TAG not in cell.metadata.get("tags", [])]


def _count_again(notebook: NotebookNode) -> None:
    """Number the cells that were run 1, 2, 3, ..., whether the cell for Colab is there or not."""
    number = 0
    any_run = any(cell.execution_count for cell in _running(notebook))
    for cell in notebook.cells:
        if cell.cell_type != "code" or not any_run:
            continue
        if COLAB_TAG in cell.metadata.get("tags", []) or cell.execution_count is not None:
            number += 1
            cell.execution_count = number


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
