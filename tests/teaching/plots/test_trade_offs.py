import itertools

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from nbhelpers.teaching.plots.trade_offs import plot_dials, plot_scatter


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


TABLE = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, 0.1, 0.9]}, index=["x", "y", "z"])


def test_each_row_is_a_named_point():
    ax = plot_scatter(TABLE, x="a", y="b", title="finding", ylabel="metric b")
    (points,) = ax.lines
    assert points.get_xdata().tolist() == [1.0, 2.0, 3.0]
    assert points.get_ydata().tolist() == [0.5, 0.1, 0.9]
    assert [(text.get_text(), text.xy) for text in ax.texts] == [
        ("x", (1.0, 0.5)),
        ("y", (2.0, 0.1)),
        ("z", (3.0, 0.9)),
    ]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("a", "metric b", "finding")


def test_names_at_the_right_edge_stand_to_the_left():
    named = TABLE.set_axis(["x", "y", "a name that is long"])
    ax = plot_scatter(named, x="a", y="b", title="finding")
    assert [text.get_ha() for text in ax.texts] == ["left", "left", "right"]


def test_names_of_points_that_lie_close_do_not_overlap():
    close = pd.DataFrame({"a": [1.0, 1.0, 1.01, 9.0], "b": [1.0, 1.02, 1.0, 9.0]})
    close.index = ["EASE", "dot product", "IALS", "popularity"]
    ax = plot_scatter(close, x="a", y="b", title="finding")
    assert [text.get_text() for text in ax.texts] == close.index.tolist()
    boxes = [text.get_window_extent() for text in ax.texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_each_path_is_a_line_with_its_first_stop_ringed():
    ax = plot_dials({"one": TABLE, "two": TABLE + 1}, x="a", y="b", title="finding")
    one, two, ring, other_ring = ax.lines
    assert one.get_xdata().tolist() == [1.0, 2.0, 3.0]
    assert two.get_ydata().tolist() == [1.5, 1.1, 1.9]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1.0, 0.5)
    assert (other_ring.get_xdata()[0], other_ring.get_ydata()[0]) == (2.0, 1.5)
    assert one.get_linestyle() != two.get_linestyle()


def test_intervals_are_drawn_where_there_are_any():
    path = TABLE.assign(low=TABLE["b"] - 0.1, high=TABLE["b"] + 0.1)
    ax = plot_dials({"one": path}, x="a", y="b", title="finding")
    segments = ax.collections[0].get_segments()
    assert [segment[:, 1].round(3).tolist() for segment in segments] == [
        [0.4, 0.6],
        [0.0, 0.2],
        [0.8, 1.0],
    ]


def test_unknown_columns_and_too_many_paths_are_refused():
    with pytest.raises(KeyError, match="no column 'c'"):
        plot_scatter(TABLE, x="c", y="b", title="finding")
    with pytest.raises(ValueError, match="got 5"):
        plot_dials({str(n): TABLE for n in range(5)}, x="a", y="b", title="finding")
