"""Plots that several notebooks draw, in colors that survive color blindness and grey print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import ArrayLike

# Okabe and Ito's colors, dark to light, so that they also differ in grey.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#666666"

# What happens to a rating, and the folder of nbhelpers where it happens.
STAGES = {
    "data": "data/",
    "split": "data/splits.py",
    "model": "models/",
    "training": "training/",
    "evaluation": "evaluation/",
    "recommendation": "serving/",
}


def show(ax: Axes, alt: str) -> None:
    """Display the figure of ``ax`` once, with a text for those who cannot see it.

    Parameters
    ----------
    ax : Axes
        Any axes of the figure.
    alt : str
        What the figure shows, in one or two sentences.

    Raises
    ------
    ValueError
        If ``alt`` says too little: fewer than four words.
    """
    if len(alt.split()) < 4:
        raise ValueError(f"alt must say what the figure shows, got {alt!r}")
    figure = _figure(ax)
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def plot_history(
    history: pd.DataFrame,
    *,
    baseline: float | None = None,
    baseline_name: str = "baseline",
    title: str = "Loss by epoch",
    ylabel: str = "mean squared error (stars²)",
    ax: Axes | None = None,
) -> Axes:
    """Training and validation loss by epoch.

    Parameters
    ----------
    history : DataFrame
        Losses in columns, indexed by epoch, as from ``History.frame``.
    baseline : float, optional
        Validation loss of a model to beat, drawn as a dashed line.
    baseline_name : str
        What the legend calls it.
    title, ylabel : str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = _axes(ax)
    styles = {"train_loss": (ORANGE, "s", "training"), "valid_loss": (BLUE, "o", "validation")}
    for column in history.columns:
        color, marker, label = styles.get(column, (GREEN, "^", column))
        ax.plot(history.index, history[column], color=color, marker=marker, label=label)
    if baseline is not None:
        ax.axhline(baseline, color=GREY, linestyle="--", label=baseline_name)
    ax.set(xlabel="epoch", ylabel=ylabel, title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return ax


def plot_rating_matrix(
    ratings: pd.DataFrame, *, titles: Mapping[int, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Crosstab of users and items as a heat map; white cells have no rating.

    Parameters
    ----------
    ratings : DataFrame
        A handful of users and items, with ``user_id``, ``item_id`` and ``rating``.
    titles : mapping from item_id to str, optional
        Names of the columns.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    table = ratings.pivot(index="user_id", columns="item_id", values="rating")
    ax = _axes(ax)
    image = ax.imshow(table.to_numpy(dtype=float), cmap="cividis", aspect="auto")
    names = table.columns if titles is None else [titles[int(item)] for item in table.columns]
    ax.set_xticks(range(len(names)), [str(name) for name in names], rotation=60, ha="right")
    ax.set_yticks(range(len(table)), [str(user) for user in table.index])
    ax.set(xlabel="film", ylabel="user id", title="White cells are what we want to predict")
    plt.colorbar(image, ax=ax, label="rating (stars)")
    return ax


def plot_factor_map(
    points: ArrayLike,
    labels: Sequence[str],
    *,
    title: str = "Films that lie close are rated alike",
    xlabel: str = "first component",
    ylabel: str = "second component",
    ax: Axes | None = None,
) -> Axes:
    """Items as named points in the plane; a name without room is left out.

    Parameters
    ----------
    points : array of float, shape (n_items, 2)
    labels : sequence of str, length n_items
    title, xlabel, ylabel : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the points are not two columns, or the labels are not as many.
    """
    places = np.asarray(points)
    if places.ndim != 2 or places.shape[1] != 2 or len(labels) != len(places):
        raise ValueError(f"needed (n, 2) points and n labels, got {places.shape}, {len(labels)}")
    ax = _axes(ax, size=(8, 8))
    ax.scatter(places[:, 0], places[:, 1], s=12, color=BLUE)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(0.12)
    _figure(ax).draw_without_rendering()
    pixels = ax.transData.transform(places)
    taken: list[BboxBase] = [Bbox([pixel - 2, pixel + 2]) for pixel in pixels]  # the points
    for (x, y), label in zip(places, labels, strict=True):
        _write_beside(ax, (float(x), float(y)), label, taken)
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
    """
    ax = _axes(ax, size=(6.4, 0.8 + 0.45 * len(values)))
    middle, rows = np.array(list(values.values())), np.arange(len(values))
    spread = None if errors is None else np.abs(np.array(errors).T - middle)
    ax.errorbar(middle, rows, xerr=spread, fmt="o", color=BLUE, capsize=3)
    if baseline is not None:
        ax.axvline(baseline, color=GREY, linestyle="--", label=baseline_name)
        if errors is not None:  # a legend keeps clear of lines, and an error bar is none
            ax.plot(np.array(errors).T, [rows, rows], alpha=0)
        ax.legend()
    ax.set_yticks(rows, list(values))
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, title=title)
    return ax


def plot_course_map(ax: Axes | None = None) -> Axes:
    """Way of a rating through the course, each stage with its folder of ``nbhelpers``.

    Parameters
    ----------
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = _axes(ax, size=(8.4, 2.6))
    last = len(STAGES) - 1
    for place, (stage, folder) in enumerate(STAGES.items()):
        ax.add_patch(Rectangle((place - 0.42, -0.13), 0.84, 0.26, fill=False, edgecolor=BLUE))
        ax.text(place, 0, stage, ha="center", va="center", fontsize=8, weight="bold")
        ax.text(place, -0.17, folder, ha="center", va="top", fontsize=8, family="monospace")
    ways = [((place + 0.42, 0.0), (place + 0.58, 0.0), 0.0, BLUE) for place in range(last)]
    ways += [((1, 0.13), (4, 0.13), -0.25, ORANGE), ((last, -0.3), (0, -0.3), -0.15, GREEN)]
    for start, end, bend, color in ways:
        style = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0}
        ax.annotate("", end, start, arrowprops={**style, "color": color, "shrinkB": 0})
    ax.text(2.5, 0.58, "held-out rows", ha="center", color=GREY)
    ax.text(2.5, -0.82, "people rate what they are shown", ha="center", va="top", color=GREY)
    ax.set(xlim=(-0.5, last + 0.5), ylim=(-1, 0.75), title="A rating travels from a log to a list")
    ax.set_axis_off()
    return ax


def plot_growth(
    sizes: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    xlabel: str,
    title: str,
) -> Axes:
    """Costs against size on logarithmic axes: a panel for each cost, a line for each way.

    Parameters
    ----------
    sizes : sequence of float, length n
    panels : mapping from cost, with its unit, to {way: n values}
        At most four ways, in the same order in every panel.
    xlabel, title : str

    Returns
    -------
    Axes
        The first panel.
    """
    size = (4.5 * len(panels), 3.4)
    figure, grid = plt.subplots(1, len(panels), squeeze=False, figsize=size, layout="constrained")
    for ax, (cost, ways) in zip(grid[0], panels.items(), strict=True):
        styles = zip((ORANGE, BLUE, GREEN, PINK), "soD^", strict=True)
        for (way, values), (color, marker) in zip(ways.items(), styles, strict=False):
            ax.loglog(sizes, values, color=color, marker=marker, label=way)
        ax.set(xlabel=xlabel, ylabel=cost)
        ax.legend()
    figure.suptitle(title)
    first: Axes = grid[0, 0]
    return first


def _write_beside(ax: Axes, place: tuple[float, float], label: str, taken: list[BboxBase]) -> None:
    """Label at the first of four corners of its point where nothing else is, or none."""
    for dx, dy, side in ((3, 2, "left"), (-3, 2, "right"), (3, -8, "left"), (-3, -8, "right")):
        offset = {"xytext": (dx, dy), "textcoords": "offset points", "ha": side}
        note = ax.annotate(label, place, fontsize=7, **offset)  # type: ignore[arg-type]
        box = note.get_window_extent()
        inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
        if inside and not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return
        note.remove()


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes belong to no figure")
    return figure


def _axes(ax: Axes | None, size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax
