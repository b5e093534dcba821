"""The notebooks as readers get them, cut into sections: what the tests of their form share."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from nbhelpers.course.jupytext_pairs import from_md, labs, lessons, sources

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sources(FOLDER)
LESSONS = lessons(FOLDER)
LABS = labs(FOLDER)
BEHIND_THE_PAGE = {"claims", "check", "solution"}
LAST_SECTIONS = ["Recap", "Can you answer?", "Exercises", "Further reading"]


class Section(NamedTuple):
    """A heading of second level and the cells below it; the part above the first has none."""

    title: str
    cells: list


def each(paths):
    """Run a test for each notebook."""
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


@cache
def stored(path):
    """The notebook with its outputs."""
    return nbformat.read(path.with_suffix(".ipynb"), as_version=4)


@cache
def from_source(path):
    return from_md(path)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def sections(path):
    """Sections of a notebook; a cell with a heading opens one."""
    found = [Section("", [])]
    for cell in stored(path).cells:
        is_prose = cell.cell_type == "markdown"
        for title in re.findall(r"^## (.+)", cell.source, re.M) if is_prose else []:
            found.append(Section(title, []))
        found[-1].cells.append(cell)
    return found


def body(path):
    """Sections between the set-up and the recap."""
    return [part for part in sections(path)[1:] if part.title not in LAST_SECTIONS]


def text_of(cell):
    """What a reader sees of a cell's outputs, without markup and images."""
    texts = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        texts += [output.get("text", ""), data.get("text/plain", "")]
        texts.append(re.sub(r"<[^>]*>", " ", data.get("text/html", "")))  # an image is a tag, too
    return "\n".join(texts)
