"""Histograms side by side, such as a table before and after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nbhelpers.teaching.plots.figure import BLUE, GREEN, GREY, ORANGE, literal, new_axes


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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> values = {"before": [0.1, 0.2], "after": [-1.0, 0.5, 2.0]}
    >>> ax = plot_histograms(values, xlabel="weight", title="Weights grow", ax=ax)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['before', 'after']
    >>> plt.close(figure)
    """
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")[1]
    arrays = {label: np.asarray(array).ravel() for label, array in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), 80).tolist()
    for color, (label, array) in zip(
        cycle((GREY, BLUE, ORANGE, GREEN)), arrays.items(), strict=False
    ):
        ax.hist(array, edges, color=color, alpha=0.7, label=literal(label))
    ax.set(xlabel=literal(xlabel), ylabel="how many (log scale)", yscale="log")
    ax.set_title(literal(title))
    ax.legend()
    return ax


def plot_comparison(
    values: Mapping[str, float],
    *,
    xlabel: str,
    title: str,
    baseline: float | None = None,
    baseline_name: str = "baseline",
    errors: Sequence[tuple[float, float]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Models against one metric, as points with intervals.

    Parameters
    ----------
    values : mapping from model to value
        Drawn from top to bottom.
    xlabel : str
        Name and unit of the metric.
    title : str
    baseline : float, optional
        Drawn as a dashed line.
    baseline_name : str
        What the legend calls it.
    errors : sequence of (low, high), optional
        Ends of each model's interval.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> values, errors = {"EASE": 0.3, "BPR": 0.2}, [(0.28, 0.32), (0.17, 0.23)]
    >>> ax = plot_comparison(values, xlabel="recall", title="EASE leads", errors=errors, ax=ax)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['EASE', 'BPR']
    >>> plt.close(figure)
    """
    ax = new_axes(ax, size=(6.4, 0.8 + 0.45 * len(values)))
    middle, rows = np.array(list(values.values())), np.arange(len(values))
    spread = None if errors is None else np.abs(np.array(errors).T - middle)
    ax.errorbar(middle, rows, xerr=spread, fmt="o", color=BLUE, capsize=3)
    if baseline is not None:
        ax.axvline(baseline, color=GREY, linestyle="--", label=literal(baseline_name))
        if errors is not None:  # a legend keeps clear of lines, and an error bar is none
            ax.plot(np.array(errors).T, [rows, rows], alpha=0)
        ax.legend()
    ax.set_yticks(rows, [literal(name) for name in values])
    ax.invert_yaxis()
    ax.set(xlabel=literal(xlabel), title=literal(title))
    return ax
