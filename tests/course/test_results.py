import subprocess
import sys

import pytest

from nbhelpers.course.results import (
    read_results,
    record_result,
    results_markdown,
    results_path,
    show_results,
)

ROW = {
    "notebook": "01",
    "model": "BiasOnly",
    "dataset": "ml-100k",
    "split": "random 80/20",
    "metric": "MSE",
    "value": 0.88,
    "interval": (0.86, 0.90),
    "train_seconds": 0.12,
    "eval_seconds": 0.034,
    "n_parameters": 2600,
}


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("CF_RESULTS", str(tmp_path / "new folder" / "table.csv"))
    return results_path()


def test_row_comes_back(table):
    record_result(**ROW)
    row = read_results(table).iloc[0]
    assert (row["notebook"], row["model"], row["value"]) == ("01", "BiasOnly", 0.88)
    assert (row["low"], row["high"], row["n_seeds"], row["device"]) == (0.86, 0.90, 1, "cpu")


def test_same_names_replace_the_older_row(table):
    record_result(**ROW)
    record_result(**ROW | {"value": 0.87})
    assert read_results(table)["value"].tolist() == [0.87]
    record_result(**ROW | {"model": "GlobalMean"})
    record_result(**ROW | {"value": 0.86})
    assert sorted(read_results(table)["value"]) == [0.86, 0.88]


def test_other_names_add_a_row_and_notebooks_stay_in_order(table):
    record_result(**ROW | {"notebook": "02"})
    record_result(**ROW)
    record_result(**ROW | {"model": "GlobalMean"})
    names = read_results(table)[["notebook", "model"]].to_numpy().tolist()
    assert names == [["01", "BiasOnly"], ["01", "GlobalMean"], ["02", "BiasOnly"]]


def test_value_outside_its_interval_is_refused(table):
    with pytest.raises(ValueError, match=r"0\.95 lies outside its interval 0\.86 to 0\.9"):
        record_result(**ROW | {"value": 0.95})
    assert not table.exists()


def test_no_scrap_file_stays(table):
    record_result(**ROW)
    assert {path.name for path in table.parent.iterdir()} <= {"table.csv", ".table.csv.lock"}


def test_table_in_a_notebook_shows_no_seconds():
    record_result(**ROW)
    shown = show_results("01")
    assert "train_seconds" not in shown.columns
    assert len(shown) == 1
    assert len(show_results("07")) == 0


def test_many_processes_lose_no_row(table):
    script = f"""
import sys
from nbhelpers.course.results import record_result
record_result(**{ROW!r} | {{"model": sys.argv[1]}})
"""
    running = [subprocess.Popen([sys.executable, "-c", script, f"m{k}"]) for k in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    assert sorted(read_results(table)["model"]) == [f"m{k}" for k in range(6)]


def test_markdown_by_hand():
    record_result(**ROW)
    lines = results_markdown(read_results(results_path())).splitlines()
    assert lines[2] == (
        "| 01 | BiasOnly | ml-100k, random 80/20 | MSE | 0.880 | 0.860 to 0.900 | 1 | 0.1 | 0.03 "
        "| 2,600 | cpu |"
    )
    assert len(lines) == 3
