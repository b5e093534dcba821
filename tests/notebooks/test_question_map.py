"""The page of questions points to sections that exist and that show something."""

import re
from pathlib import Path

import pytest

from tests.notebooks.pages import sections

PAGE = Path(__file__).parents[2] / "docs" / "questions.md"
QUESTIONS = [*map(str, range(1, 32)), "a", "b", "c", "d"]


def rows():
    """Cells of the table, by number of the question."""
    return dict(re.findall(r"^\| (\d+|[a-d]) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M))


def anchor_of(title):
    """Anchor of a section, as Jupyter and GitHub make them."""
    return title.replace("`", "").replace(" ", "-")


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
def test_link_leads_to_a_section_with_a_cell_that_shows_the_answer(number, notebook, anchor):
    path = (PAGE.parent / notebook).resolve().with_suffix(".md")
    cells = [c for part in sections(path) if anchor_of(part.title) == anchor for c in part.cells]
    assert any(cell.get("outputs") for cell in cells), f"no output in {anchor!r} of {path.name}"
