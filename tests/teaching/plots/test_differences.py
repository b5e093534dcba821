"""Differences under several tests, drawn side by side."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from nbhelpers.teaching.plots.differences import STYLES, plot_differences


def table(*differences, pairs=("A - B", "C - A")):
    rows = [{"difference": d, "low": d - 0.1, "high": d + 0.2} for d in differences]
    return pd.DataFrame(rows, index=list(pairs))


@pytest.fixture
def ax():
    yield plt.subplots()[1]
    plt.close("all")


def test_each_table_has_its_points_with_both_ends_of_the_interval(ax):
    tables = {"last like": table(0.3, -0.2), "one date": table(0.0, 0.1)}
    plot_differences(tables, xlabel="gain", title="t", ax=ax)
    for drawn, (color, _), values in zip(ax.containers, STYLES, tables.values(), strict=False):
        points, _, (bars,) = drawn.lines
        assert points.get_xdata().tolist() == values["difference"].tolist()
        assert to_hex(points.get_color()) == color.lower()
        ends = [segment[:, 0].round(9).tolist() for segment in bars.get_segments()]
        assert ends == values[["low", "high"]].round(9).to_numpy().tolist()


def test_pairs_read_from_top_to_bottom_and_stand_on_two_lines(ax):
    plot_differences({"one": table(0.1, 0.2)}, xlabel="gain", title="t", ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A\nminus B", "C\nminus A"]
    low, high = ax.get_ylim()
    assert low > high


def test_points_of_two_tables_do_not_cover_each_other(ax):
    plot_differences({"one": table(0.1, 0.2), "two": table(0.1, 0.2)}, xlabel="", title="", ax=ax)
    heights = [drawn.lines[0].get_ydata().tolist() for drawn in ax.containers]
    assert heights[0][0] < 0 < heights[1][0]


def test_other_pairs_are_refused():
    tables = {"one": table(0.1, 0.2), "two": table(0.1, 0.2, pairs=("A - B", "B - C"))}
    with pytest.raises(ValueError, match="pairs of 'two' are not those of the first"):
        plot_differences(tables, xlabel="", title="")


@pytest.mark.parametrize("n_tables", [0, 5])
def test_no_table_and_more_than_colors_are_refused(n_tables):
    tables = {str(number): table(0.1, 0.2) for number in range(n_tables)}
    with pytest.raises(ValueError, match=f"one to 4 tables can be told apart, got {n_tables}"):
        plot_differences(tables, xlabel="", title="")
