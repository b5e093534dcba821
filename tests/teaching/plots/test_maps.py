import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from nbhelpers.teaching.plots.maps import plot_recovery, plot_surface, plot_vectors


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


def test_recovery_draws_a_panel_for_each_name_with_rings_and_dots():
    planted = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.5]])
    ax = plot_recovery(planted, {"raw": -planted, "turned": planted}, title="finding")
    panels = ax.figure.axes
    assert [panel.get_title() for panel in panels] == ["raw", "turned"]
    rings, dots = panels[0].collections
    assert rings.get_offsets().tolist() == planted.tolist()
    assert dots.get_offsets().tolist() == (-planted).tolist()
    names = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert names == ["planted", "learned"]


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
