"""Lessons that say so run on another data set than the one that they are written about."""

import shutil
from pathlib import Path

import nbformat
import pytest

from nbhelpers.course.execute import run_in_process
from nbhelpers.course.jupytext_pairs import notebook_named
from nbhelpers.course.results import read_results
from tests.notebooks.pages import FOLDER, text_of


@pytest.mark.slow
@pytest.mark.parametrize("number", ["05", "06"])
def test_lesson_runs_on_synthetic_ratings_and_leaves_the_stored_table_alone(
    number, tmp_path, monkeypatch
):
    monkeypatch.setenv("CF_DATASET", "synthetic")
    monkeypatch.delenv("CF_RESULTS", raising=False)
    path = Path(shutil.copy(notebook_named(number, FOLDER), tmp_path))
    stored = Path(shutil.copy(FOLDER / "honest_table.csv", tmp_path))
    run_in_process(path)
    cells = nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells
    shown = "\n".join(text_of(cell) for cell in cells if cell.cell_type == "code")
    assert "synthetic: about 1 minute on two cores" in shown
    assert "skipped on synthetic, stated for ml-100k: " in shown
    assert "was picked on ml-100k: on synthetic it is " in shown
    assert stored.read_bytes() == (FOLDER / "honest_table.csv").read_bytes()
    rows = read_results(tmp_path / "honest_table_synthetic.csv")
    assert set(rows["notebook"]) == {number}
    assert set(rows["dataset"]) == {"synthetic"}
