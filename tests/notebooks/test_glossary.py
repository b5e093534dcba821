"""Each term of the glossary stands in the notebook that is said to introduce it."""

import re
from pathlib import Path

import jupytext
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \| \[(.+?)\]\((.+?)\.ipynb\) \|$", re.M)
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_terms_are_sorted_and_stand_once():
    terms = [term for term, *_ in ROWS]
    assert terms == sorted(set(terms), key=str.lower)
    assert len(terms) > 40


@pytest.mark.parametrize(("term", "meaning", "name", "address"), ROWS, ids=[r[0] for r in ROWS])
def test_term_stands_in_its_notebook(term, meaning, name, address):
    path = (PAGE.parent / address).resolve().with_suffix(".md")
    assert path.stem == name
    cells = jupytext.read(path).cells
    prose = " ".join(cell.source for cell in cells if cell.cell_type == "markdown").lower()
    first = re.split(r", | and ", term)[0].lower()
    assert first in " ".join(prose.split())
    assert meaning.endswith(".")
