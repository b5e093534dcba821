"""Plots of a score over two settings, and of planted beside learned factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import ArrayLike

from nbhelpers.teaching.plots.figure import BLUE, GREEN, GREY, ORANGE, figure_of, literal, new_axes


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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> table = pd.DataFrame({0.1: [0.9, 0.8], 0.01: [0.7, 0.95]}, index=[8, 16])
    >>> table = table.rename_axis(index="factors", columns="weight decay")
    >>> figure, ax = plt.subplots()
    >>> ax = plot_surface(table, title="Few factors, little decay", label="MSE (stars²)", ax=ax)
    >>> ax.get_xlabel(), [text.get_text() for text in ax.texts]
    ('weight decay', ['0.900', '0.700', '0.800', '0.950'])
    >>> plt.close(figure)
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
    ax.set(xlabel=literal(table.columns.name), ylabel=literal(table.index.name))
    ax.set_title(literal(title))
    plt.colorbar(image, ax=ax, label=literal(label))
    return ax


def _plain(values: Iterable[Any]) -> list[str]:
    """Numbers without exponents and without idle zeros; other names as they are."""
    return [
        np.format_float_positional(value, trim="-")
        if isinstance(value, int | float | np.integer | np.floating)
        else literal(value)
        for value in values
    ]


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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> planted = [[0.0, 1.0], [1.0, 0.0]]
    >>> learned = {"few ratings": [[0.5, 0.5], [0.6, 0.4]], "many": [[0.1, 1.0], [1.0, 0.1]]}
    >>> ax = plot_recovery(planted, learned, title="More ratings find the truth")
    >>> [panel.get_title() for panel in ax.figure.axes]
    ['few ratings', 'many']
    >>> plt.close(ax.figure)
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
        panel.set(title=literal(name), xlabel="first factor", aspect="equal")
    panels[0, 0].set_ylabel("second factor")
    figure.suptitle(literal(title))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    first: Axes = panels[0, 0]
    return first


# What happens to a rating, and the folder of nbhelpers where it happens.
STAGES = {
    "data": "data/",
    "split": "data/splits.py",
    "model": "models/",
    "training": "training/",
    "evaluation": "evaluation/",
    "recommendation": "serving/",
}


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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"user_id": [7, 8], "item_id": [1, 2], "rating": [5.0, 3.0]})
    >>> figure, ax = plt.subplots()
    >>> ax = plot_rating_matrix(ratings, titles={1: "Alien", 2: "Heat"}, ax=ax)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['Alien', 'Heat']
    >>> plt.close(figure)
    """
    table = ratings.pivot(index="user_id", columns="item_id", values="rating")
    ax = new_axes(ax)
    image = ax.imshow(table.to_numpy(dtype=float), cmap="cividis", aspect="auto")
    names = table.columns if titles is None else [titles[int(item)] for item in table.columns]
    ax.set_xticks(
        range(len(names)), [literal(name, longest=40) for name in names], rotation=60, ha="right"
    )
    ax.set_yticks(range(len(table)), [literal(user, longest=40) for user in table.index])
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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> ax = plot_factor_map([[0.0, 1.0], [1.0, 0.0]], ["Alien", "Heat"], ax=ax)
    >>> [text.get_text() for text in ax.texts]
    ['Alien', 'Heat']
    >>> plt.close(figure)
    """
    positions = np.asarray(points)
    if positions.ndim != 2 or positions.shape[1] != 2 or len(labels) != len(positions):
        raise ValueError(f"needed (n, 2) points and n labels, got {positions.shape}, {len(labels)}")
    ax = new_axes(ax, size=(8, 8))
    ax.scatter(positions[:, 0], positions[:, 1], s=12, color=BLUE)
    ax.set(xlabel=literal(xlabel), ylabel=literal(ylabel), title=literal(title))
    ax.margins(0.12)
    figure_of(ax).draw_without_rendering()
    pixels = ax.transData.transform(positions)
    taken: list[BboxBase] = [Bbox([pixel - 2, pixel + 2]) for pixel in pixels]  # the points
    for (x, y), label in zip(positions, labels, strict=True):
        _write_beside(ax, (float(x), float(y)), label, taken)
    return ax


def plot_vectors(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Vectors of two numbers as named arrows from the origin, a color for each group.

    Parameters
    ----------
    groups : mapping from group to {name: (x, y)}
        At most three groups, such as people and films.
    xlabel, ylabel : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> groups = {"people": {"Ada": (2, -1)}, "films": {"Alien": (2, 0), "Airplane": (-1, 2)}}
    >>> ax = plot_vectors(groups, xlabel="suspense", ylabel="jokes")
    >>> [text.get_text() for text in ax.texts if text.get_text()]
    ['Ada', 'Alien', 'Airplane']
    >>> plt.close(ax.figure)
    """
    ax = new_axes(ax)
    vectors = np.array([vector for names in groups.values() for vector in names.values()])
    far = np.abs(vectors).max()
    for (group, names), color in zip(groups.items(), (BLUE, ORANGE, GREEN), strict=False):
        ax.plot([], [], color=color, label=literal(group))
        for name, (x, y) in names.items():
            style = {"arrowstyle": "->", "color": color, "linewidth": 2}
            ax.annotate("", (x, y), (0, 0), arrowprops=style)
            side = "left" if x > 0 else "right"
            place = (x + 0.05 * far * np.sign(x), y + 0.05 * far * np.sign(y))
            ax.text(*place, literal(name, longest=40), color=color, ha=side, va="center")
    low, high = np.minimum(vectors.min(axis=0), 0), np.maximum(vectors.max(axis=0), 0)
    ax.set_xlim(low[0] - 1.1 * far, high[0] + 1.1 * far)
    ax.set_ylim(low[1] - 0.3 * far, high[1] + 0.3 * far)
    ax.set(xlabel=literal(xlabel), ylabel=literal(ylabel))
    ax.legend()
    return ax


def plot_course_map(ax: Axes | None = None) -> Axes:
    """Way of a rating through the course, each stage with its folder of ``nbhelpers``.

    Parameters
    ----------
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> plot_course_map(ax).get_title()
    'A rating travels from a log to a list'
    >>> plt.close(figure)
    """
    ax = new_axes(ax, size=(8.4, 2.6))
    last = len(STAGES) - 1
    for position, (stage, folder) in enumerate(STAGES.items()):
        ax.add_patch(Rectangle((position - 0.42, -0.13), 0.84, 0.26, fill=False, edgecolor=BLUE))
        ax.text(position, 0, stage, ha="center", va="center", fontsize=8, weight="bold")
        ax.text(position, -0.17, folder, ha="center", va="top", fontsize=8, family="monospace")
    ways = [((x + 0.42, 0.0), (x + 0.58, 0.0), 0.0, BLUE) for x in range(last)]
    ways += [((1, 0.13), (4, 0.13), -0.25, ORANGE), ((last, -0.3), (0, -0.3), -0.15, GREEN)]
    for start, end, bend, color in ways:
        style = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0}
        ax.annotate("", end, start, arrowprops={**style, "color": color, "shrinkB": 0})
    ax.text(2.5, 0.58, "held-out rows", ha="center", color=GREY)
    ax.text(2.5, -0.82, "people rate what they are shown", ha="center", va="top", color=GREY)
    ax.set(xlim=(-0.5, last + 0.5), ylim=(-1, 0.75), title="A rating travels from a log to a list")
    ax.set_axis_off()
    return ax


def _write_beside(ax: Axes, point: tuple[float, float], label: str, taken: list[BboxBase]) -> None:
    """Label at the first of four corners of its point where nothing else is, or none."""
    for dx, dy, side in ((3, 2, "left"), (-3, 2, "right"), (3, -8, "left"), (-3, -8, "right")):
        offset = {"xytext": (dx, dy), "textcoords": "offset points", "ha": side}
        note = ax.annotate(literal(label, longest=80), point, fontsize=7, **offset)  # type: ignore[arg-type]
        box = note.get_window_extent()
        inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
        if inside and not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return
        note.remove()
