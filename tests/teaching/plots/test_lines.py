import matplotlib.pyplot as plt
import pandas as pd
import pytest

from nbhelpers.teaching.plots.lines import plot_lines, plot_search


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


COSTS = pd.DataFrame({"like": [9.0, 4.0, 1.0], "silence": [0.0, 1.0, 4.0]}, index=[0.0, 0.5, 1.0])


def test_each_column_is_a_line_over_the_index():
    ax = plot_lines(COSTS, xlabel="score", ylabel="cost", title="finding")
    for line, column in zip(ax.lines, COSTS.columns, strict=True):
        assert line.get_xdata().tolist() == [0.0, 0.5, 1.0]
        assert line.get_ydata().tolist() == COSTS[column].tolist()
    dashes = [line.get_linestyle() for line in ax.lines]
    assert len(set(dashes)) == len(dashes)


def test_lines_go_onto_axes_that_are_given():
    given = plt.subplots()[1]
    assert plot_lines(COSTS, xlabel="x", ylabel="y", title="finding", ax=given) is given


@pytest.mark.parametrize("n_columns", [0, 4])
def test_only_one_to_three_lines_can_be_told_apart(n_columns):
    frame = pd.DataFrame({n: [0.0, 1.0] for n in range(n_columns)}, index=[0, 1])
    with pytest.raises(ValueError, match=f"got {n_columns}"):
        plot_lines(frame, xlabel="x", ylabel="y", title="finding")


SCORES = pd.Series({0.01: 0.1, 0.1: 0.2, 1.0: 0.05}, name="iALS")


def test_a_search_stands_on_a_log_axis_beside_its_baselines():
    baselines = {"EASE": 0.21, "popularity": 0.06}
    ax = plot_search(SCORES, baselines=baselines, xlabel="reg", ylabel="MAP", title="finding")
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[0] == 0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "iALS",
        "EASE",
        "popularity",
    ]
    assert [line.get_ydata()[0] for line in ax.lines[1:]] == [0.21, 0.06]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.01", "0.1", "1"]


def test_only_two_baselines_can_be_told_apart():
    baselines = dict.fromkeys("ABC", 0.1)
    with pytest.raises(ValueError, match="got 3"):
        plot_search(SCORES, baselines=baselines, xlabel="x", ylabel="y", title="finding")
