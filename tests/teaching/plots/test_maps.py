import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from nbhelpers.teaching.plots import figure
from nbhelpers.teaching.plots.maps import (
    plot_factor_matrix,
    plot_recovery,
    plot_surface,
    plot_vectors,
)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_surface_frames_the_lowest_cell_and_names_the_axes():
    table = pd.DataFrame([[0.9, 0.8], [0.7, 0.95]], index=[0.1, 0.2], columns=[5, 50])
    table = table.rename_axis(index="penalty", columns="factors")
    ax = plot_surface(table, title="finding", label="MSE (stars²)")
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [frame.get_xy() for frame in frames] == [(-0.5, 0.5)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("factors", "penalty")


def test_surface_labels_its_rows_and_columns_without_exponents():
    table = pd.DataFrame(np.eye(2), index=[5e-5, 4e-4], columns=[10, 0.5])
    ax = plot_surface(table.rename_axis(index="a", columns="b"), title="finding", label="MSE")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0.00005", "0.0004"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["10", "0.5"]


def test_surface_writes_every_number_into_its_cell():
    table = pd.DataFrame([[0.9, 0.8, 0.75], [0.7, 0.95, 0.6]]).rename_axis(index="a", columns="b")
    ax = plot_surface(table, title="finding", label="MSE")
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[(2, 0)] == "0.750"
    assert written[(0, 1)] == "0.700"
    assert len(written) == 6


def test_numbers_of_a_surface_stay_black_on_light_cells_when_shown(monkeypatch):
    monkeypatch.setattr(figure, "display", lambda picture: None)
    table = pd.DataFrame([[0.0, 1.0]]).rename_axis(index="a", columns="b")
    ax = plot_surface(table, title="finding", label="MSE")
    figure.show(ax, alt="One dark and one light cell.")
    assert [text.get_color() for text in ax.texts] == ["white", "#000000"]


def test_recovery_draws_a_panel_for_each_name_with_rings_and_dots():
    planted = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.5]])
    ax = plot_recovery(planted, {"raw": -planted, "turned": planted}, title="finding")
    panels = ax.figure.axes
    assert [panel.get_title() for panel in panels] == ["raw", "turned"]
    lines, rings, dots = panels[0].collections
    ends = [line.tolist() for line in lines.get_segments()]
    assert ends == [[point.tolist(), (-point).tolist()] for point in planted]
    assert rings.get_offsets().tolist() == planted.tolist()
    assert dots.get_offsets().tolist() == (-planted).tolist()
    names = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert names == ["planted", "learned"]


USER_FACTORS = pd.DataFrame([[2, 0], [0, 2]], index=["Ana", "Cy"])
ITEM_FACTORS = pd.DataFrame([[2.5, 0.5], [1, 1], [0.5, 1.5]], index=["Robot", "Opera", "Waltz"])
STARS = pd.DataFrame(
    [[5, 2, np.nan], [1, np.nan, 3]], index=USER_FACTORS.index, columns=ITEM_FACTORS.index
)


def test_factor_matrix_writes_stars_factors_and_question_marks_in_their_places():
    hidden = [("Ana", "Waltz"), ("Cy", "Opera")]
    ax = plot_factor_matrix(STARS, USER_FACTORS, ITEM_FACTORS, held_out=hidden)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert [written[(column, 0)] for column in range(3)] == ["5", "2", "?"]
    assert [written[(column, 1)] for column in range(3)] == ["1", "?", "3"]
    assert [written[(-2.35 + factor, 0)] for factor in range(2)] == ["2", "0"]
    assert [written[(2, -2.35 + factor)] for factor in range(2)] == ["0.5", "1.5"]


def test_factor_matrix_works_the_first_held_out_cell_out_and_frames_it_and_its_factors():
    hidden = [("Cy", "Opera"), ("Ana", "Waltz")]
    ax = plot_factor_matrix(STARS, USER_FACTORS, ITEM_FACTORS, held_out=hidden)
    assert ax.texts[-1].get_text() == "Cy and Opera:  0 \u00d7 1  +  2 \u00d7 1  =  2 stars"
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    boxes = [(frame.get_xy(), frame.get_width(), frame.get_height()) for frame in frames]
    assert boxes == [((-2.85, 0.5), 2, 1), ((0.5, -2.85), 1, 2), ((0.5, 0.5), 1, 1)]


def test_factor_matrix_marks_hidden_cells_in_another_color_than_the_worked_one():
    ax = plot_factor_matrix(STARS, USER_FACTORS, ITEM_FACTORS, held_out=[("Cy", "Opera")])
    dashed = [patch for patch in ax.patches if isinstance(patch.get_linestyle(), tuple)]
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(dashed) == 1
    assert all(frame.get_edgecolor() != dashed[0].get_edgecolor() for frame in frames)


def test_text_of_stars_stands_out_from_its_field():
    names = list("abcdef")
    stars = pd.DataFrame([[1, 2, 3, 4, 5, np.nan]], index=["Ana"], columns=names)
    taste, content = pd.DataFrame([[1]], index=["Ana"]), pd.DataFrame([1] * 6, index=names)
    ax = plot_factor_matrix(stars, taste, content, held_out=[("Ana", "f")])
    texts = {text.get_position(): text for text in ax.texts}
    for column, cell in enumerate(ax.patches[:5]):
        colors = cell.get_facecolor()[:3], texts[column, 0].get_color()
        dark, light = sorted(map(luminance, colors))
        assert (light + 0.05) / (dark + 0.05) > 7


def luminance(color):
    """Relative luminance of a color, as the guidelines for contrast (WCAG 2) define it."""
    parts = np.array(to_rgb(color))
    linear = np.where(parts < 0.04, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_factor_matrix_leaves_a_cell_without_rating_empty():
    ax = plot_factor_matrix(STARS, USER_FACTORS, ITEM_FACTORS, held_out=[("Ana", "Waltz")])
    assert {text.get_position(): text.get_text() for text in ax.texts}[(1, 1)] == ""


def test_factor_matrix_refuses_tables_that_do_not_belong_together():
    with pytest.raises(ValueError, match="names of the stars"):
        plot_factor_matrix(STARS, USER_FACTORS[::-1], ITEM_FACTORS, held_out=[("Cy", "Opera")])
    with pytest.raises(ValueError, match="held_out is empty"):
        plot_factor_matrix(STARS, USER_FACTORS, ITEM_FACTORS, held_out=[])


def test_vectors_are_arrows_from_the_origin_inside_the_picture():
    groups = {"people": {"Ada": (2, -1)}, "films": {"Alien": (2, 0), "Airplane": (-1, 2)}}
    ax = plot_vectors(groups, xlabel="suspense", ylabel="jokes")
    ends = [text.xy for text in ax.texts if text.get_text() == ""]
    assert ends == [(2, -1), (2, 0), (-1, 2)]
    assert ax.get_xlim()[0] < -1
    assert ax.get_xlim()[1] > 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["people", "films"]


def test_vectors_to_the_left_are_named_at_their_left():
    ax = plot_vectors({"films": {"Alien": (2, 0), "Airplane": (-1, 2)}}, xlabel="x", ylabel="y")
    sides = {text.get_text(): text.get_ha() for text in ax.texts if text.get_text()}
    assert sides == {"Alien": "left", "Airplane": "right"}
