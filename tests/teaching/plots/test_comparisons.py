"""Histograms over common bins."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nbhelpers.teaching.plots.comparisons import plot_histograms


@pytest.fixture
def ax():
    made = plot_histograms(
        {"narrow": np.zeros((2, 3)), "wide": [-1.0, 0.0, 1.0, 1.0]}, xlabel="x", title="t"
    )
    yield made
    plt.close(made.figure)


def test_every_value_is_counted_once(ax):
    heights = [sum(bar.get_height() for bar in bars) for bars in ax.containers]
    assert heights == [6, 4]


def test_bins_are_common(ax):
    narrow, wide = ([bar.get_x() for bar in bars] for bars in ax.containers)
    assert narrow == wide


def test_arrays_are_named(ax):
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["narrow", "wide"]
