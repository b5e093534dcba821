import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from nbhelpers.teaching.plots import comparisons, curves, figure, maps
from nbhelpers.training.history import History


@pytest.fixture(autouse=True)
def _no_figure_stays():
    plt.switch_backend("agg")
    yield
    plt.close("all")


HISTORY = History([1.2, 0.9, 0.8], {"valid_loss": [1.1, 0.95, 0.97]}).frame()
DRAW = {
    "history": lambda ax: curves.plot_history(HISTORY, baseline=0.9, ax=ax),
    "map": lambda ax: maps.plot_factor_map(np.eye(2), ["one", "two"], ax=ax),
    "comparison": lambda ax: comparisons.plot_comparison(
        {"a": 1.0, "b": 2.0},
        xlabel="MSE (stars²)",
        title="a wins",
        errors=[(0.5, 1.2), (1, 3)],
        ax=ax,
    ),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW.keys())
def test_every_axis_has_a_name_and_the_title_says_something(draw):
    ax = draw(None)
    assert ax.get_title()
    assert ax.get_xlabel()
    assert ax.get_ylabel() or len(ax.get_yticklabels()) == 2


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW.keys())
def test_given_axes_are_used(draw):
    ax = plt.subplots()[1]
    assert draw(ax) is ax


def test_history_draws_both_losses_and_the_baseline():
    ax = curves.plot_history(HISTORY, baseline=0.9)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["training"], [1.2, 0.9, 0.8])
    np.testing.assert_allclose(drawn["validation"], [1.1, 0.95, 0.97])
    assert set(drawn["baseline"]) == {0.9}


def test_the_dashed_line_is_called_by_its_name():
    comparison = comparisons.plot_comparison(
        {"EASE": 0.2}, xlabel="MAP", title="", baseline=0.1, baseline_name="popularity"
    )
    history = curves.plot_history(HISTORY, baseline=0.9, baseline_name="mean rating")
    assert [text.get_text() for text in comparison.get_legend().get_texts()] == ["popularity"]
    assert history.get_legend().get_texts()[-1].get_text() == "mean rating"


def test_intervals_end_where_they_should():
    ax = DRAW["comparison"](None)
    ends = ax.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(ends, [[[0.5, 0], [1.2, 0]], [[1, 1], [3, 1]]])


def test_factor_map_wants_one_label_for_each_point():
    with pytest.raises(ValueError, match=r"got \(2, 2\), 1"):
        maps.plot_factor_map(np.eye(2), ["one"])


def test_factor_map_labels_do_not_overlap_and_those_without_room_are_left_out():
    crowd = np.random.default_rng(0).normal(size=(60, 2))
    ax = maps.plot_factor_map(crowd, [f"A film with a long title ({k})" for k in range(60)])
    boxes = [text.get_window_extent() for text in ax.texts]
    assert 10 < len(boxes) < 60
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])


def test_factor_map_names_every_point_where_there_is_room():
    ax = maps.plot_factor_map(np.eye(3)[:, :2] * 9, ["one", "two", "three"])
    assert [text.get_text() for text in ax.texts] == ["one", "two", "three"]


GROWTH = {
    "seconds": {"loop": [1.0, 10.0, 100.0], "look-up": [1.0, 2.0, 3.0]},
    "memory (MB)": {"loop": [2.0, 4.0, 8.0], "look-up": [1.0, 1.0, 1.0]},
}


def growth_panels():
    ax = curves.plot_growth([1, 10, 100], GROWTH, xlabel="films", title="The loop grows faster")
    return ax.figure.axes


def test_growth_draws_a_panel_for_each_cost_and_names_it():
    assert [ax.get_ylabel() for ax in growth_panels()] == ["seconds", "memory (MB)"]


def test_growth_is_drawn_on_logarithmic_axes():
    scales = [(ax.get_xscale(), ax.get_yscale()) for ax in growth_panels()]
    assert scales == [("log", "log"), ("log", "log")]


def test_growth_draws_each_way_and_names_it_in_the_legend():
    for ax, ways in zip(growth_panels(), GROWTH.values(), strict=True):
        named = [text.get_text() for text in ax.get_legend().get_texts()]
        assert named == ["loop", "look-up"]
        assert [list(line.get_ydata()) for line in ax.lines] == list(ways.values())


@pytest.fixture
def shown(monkeypatch):
    pictures = []
    monkeypatch.setattr(figure, "display", pictures.append)
    return pictures


def test_text_travels_in_the_html_that_pages_show_and_the_figure_is_closed(shown):
    figure.show(curves.plot_history(HISTORY), alt='Loss "falls" & rises <again>.')
    (picture,) = shown
    (image,) = re.findall("<img .*>", picture._repr_html_())
    assert 'alt="Loss &quot;falls&quot; &amp; rises &lt;again&gt;."' in image
    assert plt.get_fignums() == []


def pixels(picture):
    return plt.imread(io.BytesIO(base64.b64decode(picture.png)))


def test_paper_is_transparent_and_ink_reads_on_white_and_on_black(shown):
    ax = plt.subplots()[1]
    ax.plot([0, 1], [1, 1], "--", color="black", label="baseline")
    ax.set(xlabel="epoch", ylabel="loss", title="A title")
    ax.legend()
    figure.show(ax, alt="A dashed line at one.")
    image = pixels(shown[0])
    assert image[0, 0, 3] == 0
    ink = image[image[..., 3] == 1][:, :3]
    assert len(ink) > 1000
    assert ink.min() > 0.4
    assert ink.max() < 0.6


def test_black_that_is_meant_stays(shown):
    ax = plt.subplots()[1]
    text = ax.text(0.5, 0.5, "on a light field", color="#000000")
    figure.show(ax, alt="Text on a light field.")
    assert text.get_color() == "#000000"


def test_show_wants_a_text():
    with pytest.raises(ValueError, match="alt must say what the figure shows, got 'a plot'"):
        figure.show(curves.plot_history(HISTORY), alt="a plot")


ODD = "Ba$$in ^_{1} \\$5 (2010)"
READ_AS_MARKUP = {
    "factor matrix": lambda: maps.plot_factor_matrix(
        pd.DataFrame([[5.0]], index=[ODD], columns=["Waltz"]),
        pd.DataFrame([[2.0]], index=[ODD]),
        pd.DataFrame([[2.5]], index=["Waltz"]),
        held_out=[(ODD, "Waltz")],
        title=ODD,
    ),
    "factor map": lambda: maps.plot_factor_map(
        np.eye(2), [ODD, "plain"], title=ODD, xlabel=ODD, ylabel=ODD
    ),
    "surface": lambda: maps.plot_surface(
        pd.DataFrame(np.eye(2), columns=[ODD, "b"]).rename_axis(index=ODD, columns=ODD),
        title=ODD,
        label=ODD,
    ),
    "recovery": lambda: maps.plot_recovery(np.eye(2), {ODD: np.eye(2)}, title=ODD),
    "histograms": lambda: comparisons.plot_histograms({ODD: [1.0, 2.0]}, xlabel=ODD, title=ODD),
    "comparison": lambda: comparisons.plot_comparison(
        {ODD: 1.0}, xlabel=ODD, title=ODD, baseline=0.5, baseline_name=ODD
    ),
}


@pytest.mark.parametrize("draw", READ_AS_MARKUP.values(), ids=READ_AS_MARKUP.keys())
def test_dollars_in_any_name_are_drawn_as_they_are(draw):
    drawn = figure.figure_of(draw())
    drawn.canvas.draw()
    texts = [text.get_text() for text in drawn.findobj(Text)]
    odd = [text for text in texts if "Ba" in text]
    assert odd
    for text in odd:
        assert not is_math_text(text)
        assert ODD in text.replace(r"\$", "$")


def test_a_name_with_an_underscore_in_front_stands_in_the_legend():
    ax = comparisons.plot_histograms({"_best": [1.0, 2.0]}, xlabel="score", title="finding")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [" _best"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("one\x00two", "one two"),
        ("one\ud800two", "one two"),
        ("one\ntwo", "one\ntwo"),
        (7, "7"),
        (None, ""),
        ("x" * 10**6, "x" * 200 + "…"),
        ("$" * 300, r"\$" * 200 + "…"),
    ],
    ids=["NUL", "surrogate", "line break", "number", "none", "long", "long, escaped whole"],
)
def test_text_of_the_data_is_made_fit_to_draw(given, shown):
    assert figure.literal(given) == shown


def test_colors_of_a_scatter_are_left_as_they_are(shown):
    ax = plt.subplots()[1]
    points = ax.scatter([0, 1], [1, 0], color=["black", figure.BLUE])
    figure.show(ax, alt="A black point and a blue one.")
    assert len(shown) == 1
    assert points.get_facecolor()[0].tolist() == [0, 0, 0, 1]
