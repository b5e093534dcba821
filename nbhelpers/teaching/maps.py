"""Plots of a score over two settings, and of planted beside learned factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from nbhelpers.teaching.plots import ORANGE


def plot_surface(table: pd.DataFrame, *, title: str, label: str, ax: Axes | None = None) -> Axes:
    """Heat map of a score over two settings, every cell with its number, the lowest framed.

    Parameters
    ----------
    table : DataFrame
        Scores; the names of its index and columns name the axes.
    title : str
    label : str
        Name and unit of the score, beside the color bar.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    values = table.to_numpy(dtype=float)
    ax = plt.subplots(figsize=(5.6, 3.2), layout="constrained")[1] if ax is None else ax
    image = ax.imshow(values, cmap="cividis", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        color = "black" if value > (values.min() + values.max()) / 2 else "white"
        ax.text(column, row, f"{value:.3f}", ha="center", va="center", color=color)
    row, column = np.unravel_index(values.argmin(), values.shape)
    corner = (float(column) - 0.5, float(row) - 0.5)
    ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=ORANGE, linewidth=3))
    ax.set_xticks(range(table.shape[1]), _plain(table.columns))
    ax.set_yticks(range(len(table)), _plain(table.index))
    ax.set(xlabel=table.columns.name, ylabel=table.index.name, title=title)
    plt.colorbar(image, ax=ax, label=label)
    return ax


def _plain(values: Iterable[Any]) -> list[str]:
    """Numbers without exponents and without idle zeros."""
    return [np.format_float_positional(value, trim="-") for value in values]


def plot_recovery(planted: ArrayLike, learned: Mapping[str, ArrayLike], *, title: str) -> Axes:
    """Planted points as rings in every panel, learned points as dots in the color of their ring.

    Parameters
    ----------
    planted : array of float, shape (n, 2)
        The truth; the first coordinate of a point decides its color.
    learned : mapping from panel title to array of float, shape (n, 2)
        Row k is the point that was planted as row k.
    title : str
        Above all panels.

    Returns
    -------
    Axes
        The first panel.
    """
    truth = np.asarray(planted)
    size = (2.8 * len(learned), 3.2)
    figure, panels = plt.subplots(
        1, len(learned), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    colors = plt.get_cmap("cividis")(Normalize()(truth[:, 0]))  # dark is left
    for panel, (name, points) in zip(panels[0], learned.items(), strict=True):
        panel.scatter(*truth.T, s=45, facecolors="none", edgecolors=colors, label="planted")
        panel.scatter(*np.asarray(points).T, s=9, c=colors, label="learned")
        panel.set(title=name, xlabel="first factor", aspect="equal")
    panels[0, 0].set_ylabel("second factor")
    figure.suptitle(title)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    first: Axes = panels[0, 0]
    return first
