import numpy as np
import pandas as pd
import pytest

from nbhelpers.course.scaling_table import (
    COLUMNS,
    carried_to,
    exponents,
    read_scaling_table,
    scaling_table,
    store_row,
)
from nbhelpers.course.scaling_text import scaling_markdown


def row(stage, rows, seconds, peak_mb=400.0, kind="measured", note=""):
    sizes = {"n_users": rows // 50, "n_items": 1_000, "machine": "this one"}
    times = {"seconds": 2 * seconds, "cpu_seconds": seconds}
    return {"stage": stage, "rows": rows, **sizes, **times, "peak_mb": peak_mb} | {
        "kind": kind,
        "note": note,
    }


@pytest.fixture
def table():
    return pd.DataFrame(
        [
            row("read", 10**5, 1.0),
            row("read", 10**6, 10.0, 500.0),
            row("read", 10**7, 10**2.4, 5_000.0),
            row("split", 10**5, 1.0),
            row("split", 10**6, 20.0, 9_000.0, "refused", "about 9 GB, 8 allowed"),
            row("lists", 10**5, 0.25),
            row("lists", 10**6, 2.5, kind="part carried", note="10,000 users"),
        ]
    )[COLUMNS]


def test_exponent_is_the_slope_of_the_line(table):
    found = exponents(table).loc["read"]
    # the slope through three points a decade apart: half of what the outer two differ by
    assert found["exponent"] == pytest.approx(1.2)
    assert found[["low", "high", "last"]].tolist() == pytest.approx([1.0, 1.4, 1.4])
    assert found["n_sizes"] == 3


def test_refused_stages_and_single_sizes_have_no_exponent(table):
    assert exponents(table).index.tolist() == ["read", "lists"]


def test_the_line_goes_on_from_the_largest_size(table):
    found = carried_to(table, 10**9).loc["read"]
    assert found["cpu_seconds"] == pytest.approx(10**2.4 * 10**2.4)
    assert found["low"] == pytest.approx(10**4.4)
    assert found["high"] == pytest.approx(10**5.2)
    assert found["peak_mb"] == pytest.approx(500_000), "as between the two largest"
    assert (found["carried_from"], found["kind"]) == (10**7, "extrapolated")


def test_memory_that_stays_is_carried_as_it_is(table):
    assert carried_to(table, 10**9).loc["lists", "peak_mb"] == 400


def test_text_says_what_was_a_part_and_what_was_refused(table):
    text = scaling_markdown(table)
    assert "| stage | 10^5 | 10^6 | 10^7 | exponent | 10^9, carried |" in text
    assert "| read | 1.00 | 10.0 | 251 | 1.20 (1.00 to 1.40) | 63,096 (25,119 to 158,489) |" in text
    assert "| split | 1.00 | *refused, 20.0* |  |  |  |" in text
    assert "| split | 400 | *refused, 9,000* |  |  |" in text
    assert "| lists | 0.25 | 2.50\\* |  | 1.00 (1.00 to 1.00) | 2,500 (2,500 to 2,500) |" in text
    assert text.endswith("Machine: this one.")


def test_what_was_run_at_the_end_of_the_line_is_not_carried():
    table = pd.DataFrame([row("streamed pass", 10**8, 9.0), row("streamed pass", 10**9, 90.0)])
    assert "| streamed pass | 9.00 | 90.0 | 1.00 (1.00 to 1.00) |  |" in scaling_markdown(table)


def test_nothing_measured_is_said():
    assert scaling_markdown(pd.DataFrame(columns=COLUMNS)).startswith("Nothing has been measured")


def test_rows_are_stored_in_order_and_replaced(tmp_path):
    path = tmp_path / "table.csv"
    for stage, rows, seconds in (
        ("split", 10, 1),
        ("read", 100, 2),
        ("read", 10, 3),
        ("split", 10, 4),
    ):
        store_row(path, row(stage, rows, seconds))
    stored = read_scaling_table(path)
    assert stored[["stage", "rows", "cpu_seconds"]].to_numpy().tolist() == [
        ["read", 10, 3],
        ["read", 100, 2],
        ["split", 10, 4],
    ]
    assert stored["note"].tolist() == [""] * 3


def test_other_columns_stages_and_kinds_are_refused(tmp_path):
    path = tmp_path / "table.csv"
    assert read_scaling_table(path).empty
    with pytest.raises(ValueError, match="no stage is called 'reed'"):
        store_row(path, row("reed", 10, 1))
    with pytest.raises(ValueError, match="no kind is called 'guessed'"):
        store_row(path, row("read", 10, 1, kind="guessed"))
    pd.DataFrame({"stage": ["read"]}).to_csv(path)
    with pytest.raises(ValueError, match="needs the columns stage, rows"):
        read_scaling_table(path)


def test_the_table_of_the_course_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = scaling_table()
    assert found.columns.tolist() == COLUMNS
    assert not found.duplicated(["stage", "rows"]).any()
    assert np.isfinite(found.loc[found["kind"] == "measured", "cpu_seconds"]).all()
