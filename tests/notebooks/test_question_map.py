"""The table of questions in notebook 03 points to sections that exist."""

import re
from pathlib import Path

import jupytext
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
QUESTIONS = [*map(str, range(1, 32)), "a", "b", "c", "d"]


def prose(path):
    cells = jupytext.read(path).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def anchors(path):
    """Anchors of the sections of a notebook, as Jupyter and GitHub make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {heading.replace("`", "").replace(" ", "-") for heading in headings}


def rows():
    """Cells of the table, by number of the question."""
    text = prose(FOLDER / "03_fastai_collab_learner.md")
    return dict(re.findall(r"^\| (\d+|[a-d]) \| (.+) \|$", text, re.M))


LINKS = [
    (number, *link)
    for number, row in rows().items()
    for link in re.findall(r"\]\(([^)#]+)#([^)]+)\)", row)
]


def test_every_question_has_a_row():
    assert list(rows()) == QUESTIONS


def test_every_question_has_a_link():
    assert {number for number, *_ in LINKS} == set(QUESTIONS)


@pytest.mark.parametrize(("number", "notebook", "anchor"), LINKS)
def test_link_leads_to_a_section(number, notebook, anchor):
    assert anchor in anchors((FOLDER / notebook).with_suffix(".md"))
