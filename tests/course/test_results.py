import subprocess
import sys

import pytest
import torch

from nbhelpers.__main__ import main
from nbhelpers.course import results
from nbhelpers.course.results import (
    differences,
    quoted,
    read_results,
    record_result,
    results_markdown,
    results_path,
    show_results,
    stored_results_path,
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


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


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


# The table that a new run makes, against the stored one


@pytest.fixture
def stored(table):
    """Two rows; the interval of the first is 0.86 to 0.90, that of the second has no width."""
    record_result(**ROW)
    record_result(**ROW | {"model": "GlobalMean", "value": 1.25, "interval": (1.25, 1.25)})
    return read_results(table)


def changed(table, column, value, row=0):
    fresh = table.copy()
    fresh.loc[row, column] = value
    return differences(fresh, table)


def test_equal_tables_have_no_differences(stored):
    assert differences(stored.iloc[::-1], stored) == []


@pytest.mark.parametrize(("value", "n_lines"), [(0.899, 0), (0.861, 0), (0.901, 1), (0.859, 1)])
def test_value_may_move_within_its_interval(stored, value, n_lines):
    assert len(changed(stored, "value", value)) == n_lines


def test_value_without_spread_may_move_by_a_thousandth(stored):
    assert changed(stored, "value", 1.2509, row=1) == []
    assert changed(stored, "value", 1.2511, row=1) == [
        "01, GlobalMean, ml-100k, random 80/20, MSE: 1.2511 instead of 1.25 (1.249 to 1.251)"
    ]


def test_value_that_is_not_a_number_is_a_difference(stored):
    assert len(changed(stored, "value", float("nan"))) == 1


@pytest.mark.parametrize("column", ["n_seeds", "n_parameters"])
def test_counts_are_to_be_equal(stored, column):
    (line,) = changed(stored, column, stored[column][0] + 1)
    assert column in line


def test_seconds_are_not_compared(stored):
    assert changed(stored, "train_seconds", 1000.0) == []


def test_rows_that_only_one_table_has_are_named(stored):
    assert differences(stored[:1], stored) == [
        "01, GlobalMean, ml-100k, random 80/20, MSE: stored, and not made again"
    ]
    assert differences(stored, stored[:1]) == [
        "01, GlobalMean, ml-100k, random 80/20, MSE: made, and not stored: run `make run`"
    ]


def test_command_is_red_on_a_changed_value(stored, table, tmp_path, capsys):
    fresh = tmp_path / "fresh.csv"
    stored.to_csv(fresh, index=False)
    assert main(["results", "--compare", str(fresh), str(table)]) == 0
    assert "2 rows, all made again" in capsys.readouterr().out
    stored.assign(value=[0.91, 1.25]).to_csv(fresh, index=False)
    assert main(["results", "--compare", str(fresh), str(table)]) == 1
    assert "0.91 instead of 0.88" in capsys.readouterr().out


# Where a model was trained


def test_device_asked_for_and_not_used_is_not_recorded(table, monkeypatch):
    monkeypatch.setenv("CF_DEVICE", "cuda")
    record_result(**ROW)
    assert read_results(table)["device"].tolist() == ["cpu"]


def test_gpu_that_held_tensors_is_recorded(table, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 1024)
    assert results.device_in_use() == "cuda"
    record_result(**ROW, device=torch.device("cpu"))
    assert read_results(table)["device"].tolist() == ["cpu"]


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A course folder with a table and a folder of labs, and this process in it."""
    monkeypatch.delenv("CF_RESULTS", raising=False)
    (tmp_path / "labs").mkdir()
    monkeypatch.chdir(tmp_path)
    record_result(**ROW, n_seeds=5)
    record_result(**(ROW | {"metric": "MAE", "value": 0.7, "interval": (0.6, 0.8)}))
    return tmp_path


def test_quote_reads_value_interval_and_seeds(published):
    quote = quoted(ROW["notebook"], ROW["model"], metric=ROW["metric"])
    assert quote == (0.88, 0.86, 0.9, 5)
    assert repr(quote) == "0.880 (0.860 to 0.900, 5 seeds)"


def test_lab_quotes_and_writes_the_table_of_the_folder_above(published, monkeypatch):
    monkeypatch.chdir(published / "labs")
    assert quoted(ROW["notebook"], ROW["model"], metric="MAE").value == 0.7
    record_result(**(ROW | {"notebook": "01_lab"}))
    assert not (published / "labs" / "honest_table.csv").exists()
    assert len(read_results(published / "honest_table.csv")) == 3


def test_results_on_other_data_have_a_table_of_their_own(published, monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-1m")
    stored = (published / "honest_table.csv").read_bytes()
    record_result(**(ROW | {"dataset": "ml-1m", "value": 0.87}))
    assert (published / "honest_table.csv").read_bytes() == stored
    assert read_results(published / "honest_table_ml-1m.csv")["value"].tolist() == [0.87]
    assert show_results(ROW["notebook"])["value"].tolist() == [0.87]
    assert quoted(ROW["notebook"], ROW["model"], metric=ROW["metric"]).value == 0.88
    monkeypatch.chdir(published / "labs")
    assert results_path().resolve() == published / "honest_table_ml-1m.csv"


def test_quote_is_of_the_published_table_while_a_new_one_is_written(published, monkeypatch):
    monkeypatch.setenv("CF_RESULTS", str(published / "new" / "table.csv"))
    record_result(**(ROW | {"value": 0.1, "interval": (0.1, 0.1)}))
    assert quoted(ROW["notebook"], ROW["model"], metric=ROW["metric"]).value == 0.88


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"notebook": "99", "model": "x"}, "'99' has no results; these have"),
        ({"notebook": ROW["notebook"], "model": "x"}, "has no row 'x'; it has"),
        ({"notebook": ROW["notebook"], "model": ROW["model"]}, "2 rows fit .* name one of"),
    ],
)
def test_unclear_quote_says_what_there_is(published, asked, message):
    with pytest.raises(KeyError, match=message):
        quoted(**asked)


def test_quote_outside_the_course_reads_the_table_of_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert stored_results_path().name == "honest_table.csv"
