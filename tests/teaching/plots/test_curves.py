import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from nbhelpers.teaching.plots.curves import (
    plot_bands,
    plot_epochs,
    plot_growth,
    plot_history,
    plot_ladder,
)
from nbhelpers.teaching.plots.figure import GREY, figure_of
from nbhelpers.training.history import History


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


LADDER = {
    "EASE": {0: (0.1, (0.05, 0.2)), 5: (0.3, (0.25, 0.4))},
    "popularity": {0: (0.15, (0.1, 0.2)), 5: (0.15, (0.1, 0.2))},
}


def test_ladder_draws_scores_and_intervals_of_each_method_in_each_panel():
    ax = plot_ladder({"left": LADDER, "right": LADDER}, xlabel="likes", ylabel="recall")
    panels = ax.figure.axes
    assert [panel.get_title() for panel in panels] == ["left", "right"]
    for panel in panels:
        drawn = {line.get_label(): line.get_ydata() for line in panel.lines}
        assert list(drawn["EASE"]) == [0.1, 0.3]
        assert list(drawn["popularity"]) == [0.15, 0.15]
        bars = [segment[:, 1].tolist() for segment in panel.collections[0].get_segments()]
        assert bars == [[0.05, 0.2], [0.25, 0.4]]
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0", "5"]


def test_the_last_method_of_a_ladder_is_the_dashed_baseline():
    ax = plot_ladder({"only": LADDER}, xlabel="likes", ylabel="recall")
    looks = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert looks["popularity"] == (GREY, "--")
    assert looks["EASE"][1] == "-"


def test_a_method_with_the_first_rung_alone_is_a_point_on_a_ladder():
    methods = {"form": {0: (0.2, (0.1, 0.3))}, **LADDER}
    ax = plot_ladder({"only": methods}, xlabel="likes", ylabel="recall")
    drawn = {line.get_label(): line for line in ax.lines}
    assert list(drawn["form"].get_ydata()) == [0.2]
    assert abs(drawn["form"].get_xdata()[0]) < 0.2
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "5"]


def test_bands_go_from_the_lowest_to_the_highest_run_around_the_mean():
    runs = np.array([[1.0, 2.0, 6.0], [3.0, 2.0, 0.0]])
    ax = plot_bands({"some": runs}, xlabel="round", title="finding")
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == [2, 2, 3]
    corners = ax.collections[0].get_paths()[0].vertices
    for step, low, high in ((1, 1, 3), (2, 2, 2), (3, 0, 6)):
        at = corners[corners[:, 0] == step, 1]
        assert (at.min(), at.max()) == (low, high)


def test_bands_use_the_axes_given():
    ax = plt.subplots()[1]
    assert plot_bands({"some": np.ones((2, 3))}, xlabel="round", title="finding", ax=ax) is ax


RUN = History([0.7, 0.5], {"map": [0.1, 0.2], "auc": [0.8, 0.9]}, [3.0, 3.0], [(0.1,), (0.05,)])


def drawn(ax):
    return {line.get_label(): list(line.get_ydata()) for line in ax.lines}


def test_history_draws_every_metric_of_a_run():
    ax = plot_history(RUN)
    assert drawn(ax) == {"training": [0.7, 0.5], "map": [0.1, 0.2], "auc": [0.8, 0.9]}
    assert ax.lines[0].get_xdata().tolist() == [1, 2]
    assert len({line.get_color() for line in ax.lines}) == 3
    assert len({line.get_marker() for line in ax.lines}) == 3


def test_history_has_an_axis_for_another_unit():
    ax = plot_history(RUN, right=["map", "auc"], ylabel="loss")
    (twin,) = [other for other in ax.figure.axes if other is not ax]
    assert drawn(ax) == {"training": [0.7, 0.5]}
    assert drawn(twin) == {"map": [0.1, 0.2], "auc": [0.8, 0.9]}
    assert (ax.get_ylabel(), twin.get_ylabel()) == ("loss", "map, auc")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "map", "auc"]


def test_history_draws_learning_rates_if_asked():
    frame = RUN.full_frame()[["train_loss", "lr"]]
    ax = plot_history(frame, right=["lr"])
    assert drawn(ax.figure.axes[1]) == {"lr": [0.1, 0.05]}


def test_history_refuses_a_column_that_is_not_there():
    with pytest.raises(ValueError, match=r"right names 'ndcg', choose among \['train_loss', 'map'"):
        plot_history(RUN, right=["ndcg"])


ODD = "Ba$$in ^_{1} (2010)"
NAMED = {"xlabel": ODD, "title": ODD}
READ_AS_MARKUP = {
    # how often the name is drawn: labels, titles, and lines of a legend
    "ladder": (lambda: plot_ladder({ODD: {ODD: LADDER["EASE"]}}, xlabel=ODD, ylabel=ODD), 4),
    "rungs of a ladder": (
        lambda: plot_ladder({"a": {"b": {ODD: (1, (0, 2))}}}, xlabel="x", ylabel="y"),
        1,
    ),
    "bands": (lambda: plot_bands({ODD: np.ones((2, 3))}, **NAMED), 3),
    "history": (
        lambda: plot_history(
            pd.DataFrame({"train_loss": [0.7], ODD: [0.1]}, index=[1]),
            right=[ODD],
            baseline=0.5,
            baseline_name=ODD,
            title=ODD,
            ylabel=ODD,
        ),
        5,
    ),
    "growth": (lambda: plot_growth([1, 10], {ODD: {ODD: [1, 2]}}, **NAMED), 4),
}


@pytest.mark.parametrize(("draw", "n_drawn"), READ_AS_MARKUP.values(), ids=READ_AS_MARKUP.keys())
def test_dollars_in_any_name_are_drawn_as_they_are(draw, n_drawn):
    figure = figure_of(draw())
    figure.canvas.draw()
    seen = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    texts = [text for text in seen if "Ba" in text]
    assert len(texts) == n_drawn
    for text in texts:
        assert not is_math_text(text)
        assert text.replace(r"\$", "$") == ODD


def test_a_method_with_an_underscore_in_front_stands_in_the_legend():
    ax = plot_bands({"_best": np.ones((2, 3))}, xlabel="round", title="finding")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [" _best"]


def test_epochs_show_each_column_with_its_baseline_and_the_epoch_kept():
    log = pd.DataFrame({"loss": [0.7, 0.5, 0.4], "NDCG@10": [0.1, 0.3, 0.2]}, index=[1, 2, 3])
    ax = plot_epochs(log, baselines={"NDCG@10": ("popularity", 0.15)}, best=2, title="finding")
    top, bottom = ax.figure.axes
    assert top.lines[0].get_ydata().tolist() == [0.7, 0.5, 0.4]
    assert bottom.lines[0].get_xdata().tolist() == [1, 2, 3]
    lines = {line.get_label(): line for line in bottom.lines}
    assert list(lines["popularity"].get_ydata()) == [0.15, 0.15]
    assert "popularity" not in {line.get_label() for line in top.lines}
    for panel in (top, bottom):
        kept = {line.get_label(): line for line in panel.lines}["epoch kept"]
        assert list(kept.get_xdata()) == [2, 2]
