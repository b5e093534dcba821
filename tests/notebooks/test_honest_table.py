"""Each row of the honest table is the one that its notebook shows."""

import html
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from nbhelpers.course.jupytext_pairs import notebook_named
from nbhelpers.course.results import read_results

FOLDER = Path(__file__).parents[2] / "notebooks"
ROWS = list(read_results(FOLDER / "honest_table.csv").itertuples())


@cache
def shown(notebook):
    """Rows of the tables that a notebook shows of its results, as sets of texts and numbers."""
    path = notebook_named(notebook, FOLDER).with_suffix(".ipynb")
    rows = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "show_results(" in cell.source:
            for output in cell.outputs:
                rows += rows_of(output.get("data", {}).get("text/html", ""))
    return rows


def rows_of(table):
    for row in re.findall(r"<tr.*?</tr>", table, re.S):
        yield [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)]


def numbers(row):
    return [float(cell) for cell in row if re.fullmatch(r"-?\d+\.\d+", cell)]


def test_cells_of_a_table_by_hand():
    table = "<tr><th>0</th><td>a &amp; b</td><td>0.807</td></tr>"
    assert list(rows_of(table)) == [["0", "a & b", "0.807"]]
    assert numbers(["0", "a & b", "0.807"]) == [0.807]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.notebook}-{row.Index}" for row in ROWS])
def test_value_and_interval_are_those_that_the_notebook_shows(row):
    wanted = [row.value, row.low, row.high]
    found = [numbers(cells) for cells in shown(row.notebook) if row.model in cells]
    assert any(
        all(any(abs(number - value) <= 0.00051 for number in candidates) for value in wanted)
        for candidates in found
    ), f"{row.model}: {wanted} is not among {found}"
