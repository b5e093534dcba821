"""Form of every notebook: pairs, order, alt text, and nothing stored that should not be."""

import ast
import re
from itertools import pairwise

import pandas as pd
import pytest
from nbconvert import HTMLExporter

from nbhelpers.course.documents import PATHS, reading_minutes
from nbhelpers.course.execute import REPORT
from nbhelpers.course.jupytext_pairs import differences, notebook_named
from tests.notebooks.pages import (
    BEHIND_THE_PAGE,
    FOLDER,
    LABS,
    LAST_SECTIONS,
    LESSONS,
    NOTEBOOKS,
    body,
    code_cells,
    each,
    from_source,
    sections,
    stored,
    tags,
    text_of,
)

EXERCISE_TAGS = {"exercise", "check", "solution"}
UNWANTED = {
    "a warning": r"Warning\b|Deprecated",
    "a path": r"(?<![\w.])/(?:home|root|tmp|work|Users|usr|content|private)/|site-packages",
    "a timing": r"\b(?!(?:19|20)\d0s)\d+(?:\.\d+)? ?(?:[mµun]?s|secs?|seconds|minutes)\b(?! an? )",
    "a progress bar": r"\d+%\||it/s",
    "an object's address": r"0x[0-9a-f]{6,}",
}
# A run on another day or a busier machine; the header is for people.
TIME_SHARE, TIME_SECONDS = 1 / 3, 5


@each(NOTEBOOKS)
def test_pair_has_the_same_cells(path):
    assert differences(path) == []


def test_every_notebook_has_a_source():
    assert {path.stem for path in FOLDER.rglob("*.ipynb")} == {path.stem for path in NOTEBOOKS}


def test_no_two_notebooks_have_one_name():
    assert len({path.stem for path in NOTEBOOKS}) == len(NOTEBOOKS)


@each(NOTEBOOKS)
def test_stored_run_is_one_pass_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(stored(path))]
    assert counts == list(range(1, len(counts) + 1))


@each(NOTEBOOKS)
def test_every_section_with_code_shows_something(path):
    for section in sections(path)[1:]:
        code = [cell for cell in section.cells if cell.cell_type == "code"]
        assert not code or any(cell.outputs for cell in code), section.title


@each(NOTEBOOKS)
def test_checked_cells_have_outputs(path):
    checked = [cell for cell in code_cells(stored(path)) if "nbval-check-output" in tags(cell)]
    assert checked, "at least one cell is compared with its stored output"
    assert all(cell.outputs and cell.execution_count for cell in checked)


@each(NOTEBOOKS)
def test_no_cell_with_a_live_bar_is_compared(path):
    """A bar is displayed and then replaced, which a comparison takes for other outputs."""
    for cell in code_cells(stored(path)):
        if "nbval-check-output" in tags(cell):
            found = re.search(r"\.(get_preds|fit_one_cycle|lr_find|fine_tune)\(", cell.source)
            assert not found, f"{found.group(0)} shows a bar"


@each(NOTEBOOKS)
@pytest.mark.parametrize("what", UNWANTED)
def test_outputs_hold_nothing_of_one_machine(path, what):
    for number, cell in enumerate(code_cells(stored(path)), start=1):
        for output in cell.outputs:
            assert output.get("name") != "stderr"
        text = text_of(cell) + re.sub(r"\x1b\[[\d;]*m", "", _traceback(cell))
        found = re.search(UNWANTED[what], text)
        assert not found, f"code cell {number} stores {what}: {found.group(0)!r}"


def _traceback(cell):
    return "\n".join("\n".join(output.get("traceback", [])) for output in cell.outputs)


@each(NOTEBOOKS)
def test_errors_are_stored_only_where_they_are_meant(path):
    for cell in code_cells(stored(path)):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == ("raises-exception" in tags(cell))
        assert "nbval-skip" not in tags(cell)


@each(NOTEBOOKS)
def test_metadata_is_what_we_keep(path):
    notebook = stored(path)
    assert notebook.metadata == from_source(path).metadata
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "jupyter", "cellView"}


@each(NOTEBOOKS)
def test_every_figure_is_html_with_a_text_that_says_what_it_shows(path):
    for cell in code_cells(stored(path)):
        for output in cell.outputs:
            data = output.get("data", {})
            assert "image/png" not in data, f"not shown by show(): {cell.source[-60:]!r}"
            for image in re.findall(r"<img [^>]*>", data.get("text/html", "")):
                alt = re.search(r'alt="([^"]*)"', image)
                assert alt, f"no alt text: {cell.source[-60:]!r}"
                assert len(alt.group(1).split()) >= 4, alt.group(0)


@each(NOTEBOOKS)
def test_no_image_without_alt_text_in_prose(path):
    prose = "\n".join(c.source for c in stored(path).cells if c.cell_type == "markdown")
    assert "![](" not in prose
    assert not re.search(r"<img(?![^>]*alt=)", prose)


@each(NOTEBOOKS)
def test_header_says_what_the_reader_will_be_able_to_do(path):
    header = stored(path).cells[0].source
    assert header.startswith("# ")
    for part in ("**You will learn to**", "**Time**", "**Before this**"):
        assert part in header
    assert 3 <= len(_items(header)) <= 5


def _items(text):
    return [line for line in text.splitlines() if line.startswith("- ")]


@each(NOTEBOOKS)
def test_recap_answers_each_goal(path):
    recap = next(cell.source for cell in stored(path).cells if cell.source.startswith("## Recap"))
    assert len(_items(recap)) == len(_items(stored(path).cells[0].source))


@each(NOTEBOOKS)
def test_exercises_have_checks_that_wait_and_solutions_that_pass(path):
    solutions = [cell for cell in stored(path).cells if "solution" in tags(cell)]
    assert solutions
    assert all("pass" in text_of(cell) for cell in solutions)
    untouched = [cell for cell in stored(path).cells if "check" in tags(cell)]
    assert all("not attempted yet" in text_of(cell) for cell in untouched)


# What follows is the form of a page that was written for readers first.


@each(NOTEBOOKS)
def test_sections_come_in_the_order_of_the_house(path):
    titles = [section.title for section in sections(path)[1:]]
    assert titles[-4:] == LAST_SECTIONS
    assert 3 <= len(titles) - 4 <= 7


@each(NOTEBOOKS)
def test_headings_stand_at_the_top_of_a_cell(path):
    """Else a section would be cut in the wrong place."""
    for cell in stored(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\n## ", cell.source), cell.source[:60]


@each(NOTEBOOKS)
def test_time_to_run_is_what_the_last_run_took(path):
    header = stored(path).cells[0].source
    said = re.search(r"about (\d+) (second|minute)s?( to run|, )", header)
    assert said, "the header says **Time** N minutes to read, about N seconds to run"
    assert re.search(r"\*\*Time\*\* (about )?\d+ minutes to read", header)
    seconds = int(said.group(1)) * {"second": 1, "minute": 60}[said.group(2)]
    took = pd.read_csv(FOLDER / REPORT, index_col="notebook").loc[path.stem, "seconds"]
    assert abs(seconds - took) <= max(TIME_SECONDS, took * TIME_SHARE), f"it took {took} s"


@each(NOTEBOOKS)
def test_checks_stand_folded_at_the_end_of_a_section(path):
    for section in sections(path):
        claims_at = [n for n, cell in enumerate(section.cells) if "claims" in tags(cell)]
        assert len(claims_at) <= 1, section.title
        for cell in section.cells[claims_at[0] + 1 if claims_at else len(section.cells) :]:
            # What a claims cell has written may be shown after it.
            assert cell.cell_type == "markdown" or "show_results(" in cell.source, section.title
        for cell in section.cells:
            claims = "claims" in tags(cell)
            assert claims == cell.source.startswith("# @title Checks of this section")
            if cell.cell_type == "code":
                assert claims or "claim(" not in cell.source
                assert claims or "record_result(" not in cell.source


@each(NOTEBOOKS)
def test_what_stands_behind_the_page_is_folded(path):
    for cell in code_cells(stored(path)):
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == bool({"claims", "solution"} & tags(cell)), cell.source[:60]
        assert (cell.metadata.get("cellView") == "form") == folded
        assert cell.source.startswith("# @title ") == folded


@each(NOTEBOOKS)
def test_every_second_section_is_checked_by_claims_or_comparison(path):
    guarded = [
        any({"claims", "nbval-check-output", "raises-exception"} & tags(c) for c in part.cells)
        for part in body(path)
    ]
    assert sum(guarded) >= len(guarded) / 2


@each(NOTEBOOKS)
def test_prose_stands_between_any_two_cells_of_code(path):
    for section in body(path):
        shown = [cell for cell in section.cells if not BEHIND_THE_PAGE & tags(cell)]
        for one, other in pairwise(shown):
            both = one.cell_type == other.cell_type == "code"
            assert not both, f"nothing is said before {other.source[:60]!r}"


GOLF = {
    "an assert": lambda node: isinstance(node, ast.Assert),
    "a walrus": lambda node: isinstance(node, ast.NamedExpr),
    "an update by |=": lambda node: (
        isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr)
    ),
    "getattr": lambda node: isinstance(node, ast.Name) and node.id == "getattr",
    "isinstance": lambda node: isinstance(node, ast.Name) and node.id == "isinstance",
    "a comprehension in a comprehension": lambda node: (
        isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        and len(node.generators) > 1
    ),
    "a star in an index": lambda node: (
        isinstance(node, ast.Subscript)
        and any(isinstance(part, ast.Starred) for part in ast.iter_child_nodes(node.slice))
        and isinstance(node.slice, ast.Tuple)
    ),
}


@each(NOTEBOOKS)
@pytest.mark.parametrize("what", GOLF)
def test_code_is_such_as_a_reader_would_copy(path, what):
    for cell in code_cells(from_source(path)):
        plain = re.sub(r"^(\s*)[%!]", r"\1# ", cell.source, flags=re.M)
        found = [node for node in ast.walk(ast.parse(plain)) if GOLF[what](node)]
        assert not found, f"{what} in {cell.source[:80]!r}"


@each(NOTEBOOKS)
def test_lines_of_code_fit_the_page(path):
    long = [line for c in code_cells(stored(path)) for line in c.source.splitlines()]
    assert [line for line in long if len(line) > 88] == []


@each(LESSONS)
def test_a_lesson_has_three_exercises_and_four_questions(path):
    exercises = [cell for cell in stored(path).cells if "exercise" in tags(cell)]
    assert len(exercises) >= 3
    assert len(_questions(path)) >= 3


@each(LABS)
def test_a_lab_has_an_exercise_and_a_question_and_says_what_it_follows(path):
    assert any("exercise" in tags(cell) for cell in stored(path).cells)
    assert _questions(path)
    assert re.search(r"Lesson 0\d|lesson 0\d", stored(path).cells[0].source)


def _questions(path):
    """Questions of the page, each of which has an answer in the fold below."""
    (section,) = (part for part in sections(path) if part.title == "Can you answer?")
    text = "\n".join(cell.source for cell in section.cells)
    questions, fold = text.split("<details>")
    asked = re.findall(r"^(\d+)\. ", questions, re.M)
    assert asked == re.findall(r"^(\d+)\. ", fold, re.M)
    return asked


@each(LESSONS)
def test_alt_text_reaches_the_page_that_nbconvert_makes_by_default(path):
    figures = sum("show(" in cell.source for cell in code_cells(stored(path)))
    page, _ = HTMLExporter().from_notebook_node(stored(path))
    images = re.findall(r"<img [^>]*data:image/png[^>]*>", page)
    assert len(images) >= min(figures, 1)
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)


@pytest.mark.parametrize("name", PATHS)
def test_paths_of_the_first_lesson_have_the_minutes_of_the_headers(name):
    minutes = sum(reading_minutes(notebook_named(number, FOLDER)) for number in PATHS[name])
    text = LESSONS[0].read_text(encoding="utf-8")
    assert re.search(rf"^\| {name} \|.*\| {minutes} \|$", text, re.M), f"{minutes} minutes"
