"""Form of every notebook: pairs, order, alt text, and nothing stored that should not be."""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from nbhelpers.course.jupytext_pairs import differences, from_md, sources

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sources(FOLDER)
EXERCISE_TAGS = {"exercise", "check", "solution"}
UNWANTED = {
    "a warning": r"Warning\b|Deprecated",
    "a path": r"(?<![\w.])/(?:home|root|tmp|work|Users|usr|content|private)/|site-packages",
    "a timing": r"\b(?!(?:19|20)\d0s)\d+(?:\.\d+)? ?(?:[mµun]?s|secs?|seconds|minutes)\b(?! an? )",
    "a progress bar": r"\d+%\||it/s",
    "an object's address": r"0x[0-9a-f]{6,}",
}


@cache
def stored(path):
    return nbformat.read(path.with_suffix(".ipynb"), as_version=4)


@cache
def from_source(path):
    return from_md(path)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@by_notebook
def test_pair_has_the_same_cells(path):
    assert differences(path) == []


def test_every_notebook_has_a_source():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {path.stem for path in NOTEBOOKS}


@by_notebook
def test_stored_run_is_one_pass_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(stored(path))]
    assert counts == list(range(1, len(counts) + 1))


@by_notebook
def test_every_section_with_code_shows_something(path):
    section, shown = "top", {}
    for cell in stored(path).cells:
        heading = (
            re.search(r"^## (.+)", cell.source, re.M) if cell.cell_type == "markdown" else None
        )
        section = heading.group(1) if heading else section
        if cell.cell_type == "code" and section != "top":
            shown[section] = shown.get(section, False) or bool(cell.outputs)
    assert [section for section, something in shown.items() if not something] == []


@by_notebook
def test_checked_cells_have_outputs(path):
    checked = [cell for cell in code_cells(stored(path)) if "nbval-check-output" in tags(cell)]
    assert checked, "at least one cell is compared with its stored output"
    assert all(cell.outputs and cell.execution_count for cell in checked)


@by_notebook
@pytest.mark.parametrize("what", UNWANTED)
def test_outputs_hold_nothing_of_one_machine(path, what):
    for number, cell in enumerate(code_cells(stored(path)), start=1):
        for output in cell.outputs:
            assert output.get("name") != "stderr"
            data = output.get("data", {})
            text = output.get("text", "") + data.get("text/plain", "") + data.get("text/html", "")
            text += re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.get("traceback", [])))
            found = re.search(UNWANTED[what], text)
            assert not found, f"code cell {number} stores {what}: {found.group(0)!r}"


@by_notebook
def test_errors_are_stored_only_where_they_are_meant(path):
    for cell in code_cells(stored(path)):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == ("raises-exception" in tags(cell))
        assert "nbval-skip" not in tags(cell)


@by_notebook
def test_metadata_is_what_we_keep(path):
    notebook = stored(path)
    assert notebook.metadata == from_source(path).metadata
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "jupyter", "cellView"}


@by_notebook
def test_every_figure_has_a_text(path):
    for cell in code_cells(stored(path)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt.split()) >= 4, f"no alt text: {cell.source[-60:]!r}"


@by_notebook
def test_no_image_without_alt_text_in_prose(path):
    prose = "\n".join(c.source for c in stored(path).cells if c.cell_type == "markdown")
    assert "![](" not in prose
    assert not re.search(r"<img(?![^>]*alt=)", prose)


@by_notebook
def test_header_says_what_the_reader_will_be_able_to_do(path):
    header = stored(path).cells[0].source
    assert header.startswith("# ")
    for part in ("You will ", "**You will learn to**", "**Time**", "**Before this**"):
        assert part in header
    goals = [line for line in header.splitlines() if line.startswith("- ")]
    assert 3 <= len(goals) <= 5
    assert not any(" about " in goal for goal in goals)


@by_notebook
def test_recap_answers_each_goal(path):
    cells = stored(path).cells
    n_goals = sum(line.startswith("- ") for line in cells[0].source.splitlines())
    recap = next(cell.source for cell in cells if cell.source.startswith("## Recap"))
    assert sum(line.startswith("- ") for line in recap.splitlines()) == n_goals


@by_notebook
def test_sections_come_in_the_order_of_the_house(path):
    prose = "\n".join(c.source for c in stored(path).cells if c.cell_type == "markdown")
    sections = re.findall(r"^## (.+)$", prose, re.M)
    assert sections[-3:] == ["Recap", "Exercises", "Further reading"]
    assert 4 <= len(sections) - 3 <= 7


@by_notebook
def test_three_exercises_or_more_each_with_check_and_solution(path):
    for tag in EXERCISE_TAGS:
        assert sum(tag in tags(cell) for cell in stored(path).cells) >= 3
    solutions = [cell for cell in stored(path).cells if "solution" in tags(cell)]
    assert all(cell.metadata.get("jupyter") == {"source_hidden": True} for cell in solutions)
    assert all("passes" in out or "pass" in out for out in map(_text, solutions))
    untouched = [cell for cell in stored(path).cells if "check" in tags(cell)]
    assert all("not attempted yet" in _text(cell) for cell in untouched)


def _text(cell):
    return "".join(output.get("text", "") for output in cell.outputs)
