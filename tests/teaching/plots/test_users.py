"""Power over users, drawn with one's own data."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from nbhelpers.teaching.plots.users import plot_power

CURVES = pd.DataFrame({0.01: [0.1, 0.3, 0.9], 0.02: [0.3, 0.8, 1.0]}, index=[100, 1_000, 10_000])


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_each_difference_is_a_curve_over_users_on_a_log_axis():
    ax = plot_power(CURVES, n_users=1_000, spread=0.3, title="finding", metric="NDCG@10")
    curves = [line for line in ax.lines if len(line.get_xdata()) == 3]
    for line, column in zip(curves, CURVES.columns, strict=True):
        assert line.get_xdata().tolist() == [100, 1_000, 10_000]
        assert line.get_ydata().tolist() == CURVES[column].tolist()
    assert ax.get_xscale() == "log"
    assert ax.get_title() == "finding"


def test_own_users_are_marked_on_every_curve():
    ax = plot_power(CURVES, n_users=1_000, spread=0.312, title="finding")
    points = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata() for line in points] == [[1_000], [1_000]]
    assert [round(float(line.get_ydata()[0]), 9) for line in points] == [0.3, 0.8]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[-2:] == ["80% power", "our 1,000 users, spread 0.31"]


def test_between_two_sizes_the_mark_lies_on_the_line():
    ax = plot_power(CURVES[[0.01]], n_users=3_162, spread=0.3, title="finding", power=0.9)
    (point,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert point.get_ydata()[0] == pytest.approx(0.6, abs=1e-4)  # half way between 3 and 4 zeros
    (level,) = [line for line in ax.lines if line.get_label() == "90% power"]
    assert set(level.get_ydata()) == {0.9}


def test_curves_go_onto_axes_that_are_given():
    given = plt.subplots()[1]
    assert plot_power(CURVES, n_users=100, spread=0.3, title="finding", ax=given) is given


@pytest.mark.parametrize("n_users", [99, 10_001])
def test_users_beyond_the_curves_are_refused(n_users):
    with pytest.raises(ValueError, match="go from 100 to 10,000 users"):
        plot_power(CURVES, n_users=n_users, spread=0.3, title="finding")


@pytest.mark.parametrize("n_curves", [0, 5])
def test_no_curve_and_more_than_colors_are_refused(n_curves):
    curves = pd.DataFrame({n / 10: [0.1, 0.2] for n in range(n_curves)}, index=[10, 20])
    with pytest.raises(ValueError, match=f"got {n_curves}"):
        plot_power(curves, n_users=15, spread=0.3, title="finding")


@pytest.mark.parametrize("users", [[100], [10_000, 100]])
def test_users_that_do_not_ascend_are_refused(users):
    with pytest.raises(ValueError, match="ascending numbers of users"):
        plot_power(CURVES.loc[users], n_users=100, spread=0.3, title="finding")
