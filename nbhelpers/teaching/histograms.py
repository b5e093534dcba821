"""Histograms side by side, such as a table before and after training."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nbhelpers.teaching.plots import BLUE, GREEN, GREY, ORANGE


def plot_histograms(
    values: Mapping[str, ArrayLike], *, xlabel: str, title: str, ax: Axes | None = None
) -> Axes:
    """Histograms over common bins, their heights on a log scale.

    Parameters
    ----------
    values : mapping from label to array of float
        Drawn over one another, so the widest belongs last.
    xlabel : str
        Name and unit of the values.
    title : str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")[1]
    arrays = {label: np.asarray(array).ravel() for label, array in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), 80).tolist()
    for color, (label, array) in zip(
        cycle((GREY, BLUE, ORANGE, GREEN)), arrays.items(), strict=False
    ):
        ax.hist(array, edges, color=color, alpha=0.7, label=label)
    ax.set(xlabel=xlabel, ylabel="how many (log scale)", yscale="log", title=title)
    ax.legend()
    return ax
