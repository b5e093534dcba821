"""Two metrics of several models as points of one plane, joined where a dial was turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import NDArray

from nbhelpers.teaching.plots.figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    figure_of,
    literal,
    new_axes,
)

STYLES = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PINK, "D", ":"))
# Where a name may stand beside its point, in points, the first choice first.
OFFSETS = (
    (8, 4, "left"),
    (-8, 4, "right"),
    (8, -14, "left"),
    (-8, -14, "right"),
    (0, 10, "center"),
    (0, -20, "center"),
)


def plot_scatter(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    title: str,
    xlabel: str | None = None,
    ylabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Two metrics of all models: a named point for each row of a table.

    Parameters
    ----------
    table : DataFrame
        One row a model, named by the index.
    x, y : str
        Columns.
    title : str
        The finding.
    xlabel, ylabel : str, optional
        Names of the axes; left out, those of the columns.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    KeyError
        If there is no such column.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> metrics = {"NDCG": [0.1, 0.3], "Gini": [0.99, 0.93]}
    >>> table = pd.DataFrame(metrics, index=["popularity", "EASE"])
    >>> ax = plot_scatter(table, x="Gini", y="NDCG", title="Better and less alike")
    >>> [text.get_text() for text in ax.texts]
    ['popularity', 'EASE']
    >>> plt.close(ax.figure)
    """
    _require(table, x, y)
    ax = new_axes(ax, size=(5.6, 3.8))
    ax.plot(table[x], table[y], "o", color=BLUE, markersize=7)
    ax.margins(0.1)
    ax.set(xlabel=literal(xlabel or x), ylabel=literal(ylabel or y), title=literal(title))
    _name_points(ax, table.index.tolist(), table[[x, y]].to_numpy(dtype=float))
    return ax


def plot_dials(
    paths: Mapping[str, pd.DataFrame],
    *,
    x: str,
    y: str,
    title: str,
    xlabel: str | None = None,
    ylabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Two metrics of each model at every stop of a dial, joined in the order of the rows.

    A ring marks the first stop, where the dial is off. Where the table has columns ``low`` and
    ``high``, they are drawn as an interval of ``y``.

    Parameters
    ----------
    paths : mapping from model to DataFrame
        One to four; one row a stop.
    x, y : str
        Columns.
    title : str
        The finding.
    xlabel, ylabel : str, optional
        Names of the axes; left out, those of the columns.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no path, or more than four.
    KeyError
        If there is no such column.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> path = pd.DataFrame({"Gini": [0.93, 0.91], "NDCG": [0.3, 0.29]})
    >>> ax = plot_dials({"EASE": path}, x="Gini", y="NDCG", title="A step costs little")
    >>> ax.get_legend_handles_labels()[1]
    ['EASE', 'dial off']
    >>> plt.close(ax.figure)
    """
    if not 1 <= len(paths) <= len(STYLES):
        raise ValueError(f"one to {len(STYLES)} paths can be told apart, got {len(paths)}")
    ax = new_axes(ax, size=(5.6, 3.8))
    for (name, path), (color, marker, dash) in zip(paths.items(), STYLES, strict=False):
        _require(path, x, y)
        if {"low", "high"} <= set(path.columns):
            ax.vlines(path[x], path["low"], path["high"], color=color, alpha=0.4)
        ax.plot(path[x], path[y], marker + dash, color=color, label=literal(name))
    for n, path in enumerate(paths.values()):
        off = path.iloc[0]
        label = "_" if n else "dial off"
        ax.plot(off[x], off[y], "o", mfc="none", mec=GREY, ms=13, ls="", label=label)
    ax.set(xlabel=literal(xlabel or x), ylabel=literal(ylabel or y), title=literal(title))
    ax.legend(fontsize=9)
    return ax


def _require(table: pd.DataFrame, *columns: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise KeyError(f"no column {missing[0]!r}: choose among {', '.join(map(str, table))}")


def _name_points(ax: Axes, names: Sequence[object], points: NDArray[np.float64]) -> None:
    """Write each name beside its point, where it hides no other point or name if that can be."""
    figure_of(ax).draw_without_rendering()
    pixels = ax.transData.transform(points)
    taken: list[BboxBase] = [Bbox([pixel - 5, pixel + 5]) for pixel in pixels]
    for name, (across, up) in zip(names, points.tolist(), strict=True):
        for dx, dy, side in OFFSETS:
            note = ax.annotate(
                literal(name), (across, up), (dx, dy), textcoords="offset points", ha=side
            )
            box = note.get_window_extent()
            inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            note.remove()
        else:
            note = ax.annotate(literal(name), (across, up), (8, 4), textcoords="offset points")
            box = note.get_window_extent()
        taken.append(box)
