"""Plots of matrices and of factors: ratings, scores over two settings, maps of items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.patches import BoxStyle, FancyBboxPatch, Rectangle
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import ArrayLike, NDArray

from nbhelpers.teaching.plots.figure import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    figure_of,
    literal,
    new_axes,
)

TIMES = "\u00d7"


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
        color = "#000000" if value > (values.min() + values.max()) / 2 else "white"
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
    """Planted points as rings in every panel, learned points as dots, a line from ring to dot.

    Parameters
    ----------
    planted : array of float, shape (n, 2)
        The truth; the first coordinate of a point decides the color of its ring and its dot.
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
    size = (2.8 * len(learned), 3.9)
    figure, panels = plt.subplots(
        1, len(learned), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    colors = plt.get_cmap("cividis")(Normalize()(truth[:, 0]))  # dark is left
    for panel, (name, points) in zip(panels[0], learned.items(), strict=True):
        learned_points = np.asarray(points)
        pairs = np.stack([truth, learned_points], axis=1)  # (n, 2 ends, 2 coordinates)
        panel.add_collection(LineCollection(list(pairs), colors=INK, linewidths=0.5, alpha=0.5))
        panel.scatter(*truth.T, s=45, facecolors="none", edgecolors=colors, label="planted")
        panel.scatter(*learned_points.T, s=9, c=colors, label="learned")
        panel.set(title=literal(name), xlabel="first factor", aspect="equal")
    panels[0, 0].set_ylabel("second factor")
    figure.suptitle(literal(title))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    first: Axes = panels[0, 0]
    return first


def plot_factor_matrix(
    stars: pd.DataFrame,
    user_factors: pd.DataFrame,
    item_factors: pd.DataFrame,
    *,
    held_out: Collection[tuple[Any, Any]],
    title: str = "A row times a column gives the stars",
) -> Axes:
    """Rating matrix with a row of factors beside each user and a column above each item.

    The first held-out cell is worked out below the matrix; it is framed, and so are the factors
    of its row and of its column.

    Parameters
    ----------
    stars : DataFrame, shape (n_users, n_items)
        Known ratings of 1 to 5 stars, by name of user and item; NaN leaves a cell empty.
    user_factors : DataFrame, shape (n_users, n_factors)
    item_factors : DataFrame, shape (n_items, n_factors)
        Both by the same names as ``stars``.
    held_out : collection of (user, item), at least one
        Cells with a question mark in a dashed box, whatever ``stars`` holds there.
    title : str

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If no cell is held out, or the names of the tables differ.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> stars = pd.DataFrame({"Robot": [5.0, 1.0], "Waltz": [1.0, 3.0]}, index=["Ana", "Cy"])
    >>> taste = pd.DataFrame([[2.0, 0.0], [0.0, 2.0]], index=["Ana", "Cy"])
    >>> content = pd.DataFrame([[2.5, 0.5], [0.5, 1.5]], index=["Robot", "Waltz"])
    >>> ax = plot_factor_matrix(stars, taste, content, held_out=[("Cy", "Waltz")])
    >>> ax.texts[-1].get_text().endswith("=  3 stars")
    True
    >>> plt.close(ax.figure)
    """
    _check_names(stars, user_factors, item_factors, held_out=held_out)
    users, items = list(stars.index), list(stars.columns)
    hidden = [(users.index(user), items.index(item)) for user, item in held_out]
    n_factors = user_factors.shape[1]
    start = -n_factors - 0.35  # of the factors; a gap parts them from the stars
    ax = new_axes(None, size=(5.6, 0.62 * (len(users) + n_factors) + 1.3))
    _draw_stars(ax, stars.to_numpy(dtype=float), hidden=hidden)
    for (row, factor), value in np.ndenumerate(user_factors.to_numpy(dtype=float)):
        _draw_cell(ax, (start + factor, row), f"{value:g}", face=to_rgba(BLUE, 0.08), edge=BLUE)
    for (column, factor), value in np.ndenumerate(item_factors.to_numpy(dtype=float)):
        _draw_cell(
            ax, (column, start + factor), f"{value:g}", face=to_rgba(GREEN, 0.08), edge=GREEN
        )
    _name_parts(ax, users, items, start=start)
    row, column = hidden[0]
    for corner, width, height in (
        ((start - 0.5, row - 0.5), n_factors, 1),
        ((column - 0.5, start - 0.5), 1, n_factors),
        ((column - 0.5, row - 0.5), 1, 1),
    ):
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=ORANGE, linewidth=3))
    own, others = user_factors.iloc[row].to_numpy(), item_factors.iloc[column].to_numpy()
    products = "  +  ".join(f"{a:g} {TIMES} {b:g}" for a, b in zip(own, others, strict=True))
    worked = f"{users[row]} and {items[column]}:  {products}  =  {own @ others:g} stars"
    middle = (start - 1 + len(items)) / 2
    ax.text(middle, len(users) + 0.1, literal(worked), ha="center", va="center", color=INK)
    ax.set(xlim=(start - 1.9, len(items) - 0.3), ylim=(len(users) + 0.5, start - 1.3))
    ax.set(aspect="equal", title=literal(title))
    ax.set_axis_off()
    return ax


def _draw_stars(ax: Axes, stars: NDArray[np.float64], *, hidden: list[tuple[int, int]]) -> None:
    """A colored cell for each rating, a question mark where it is hidden, else an empty cell."""
    # Dark or light: black and white text are hard to read on the greys between.
    colors = plt.get_cmap("cividis")([0.05, 0.27, 0.66, 0.83, 1])
    for (row, column), rating in np.ndenumerate(stars):
        if (row, column) in hidden:
            _draw_cell(ax, (column, row), "?", edge=PINK, linewidth=2, linestyle=(0, (2, 1.2)))
        elif np.isnan(rating):
            _draw_cell(ax, (column, row), "", edge=INK)
        else:
            ink = "#ffffff" if rating < 3 else "#000000"
            face = to_rgba(tuple(colors[round(rating) - 1]))
            _draw_cell(ax, (column, row), f"{rating:g}", face=face, ink=ink)


def _name_parts(ax: Axes, users: list[Any], items: list[Any], *, start: float) -> None:
    """Names of users and items, and what the two blocks of factors are."""
    for row, user in enumerate(users):
        ax.text(start - 0.65, row, literal(user), ha="right", va="center", color=INK)
    for column, item in enumerate(items):
        ax.text(column, start - 0.65, literal(item), ha="center", va="bottom", color=INK)
    center = (start - 1.35) / 2
    small = {"color": INK, "fontsize": 9, "style": "italic"}
    ax.text(center, -0.62, "factors of\na person", ha="center", va="bottom", **small)  # type: ignore[arg-type]
    ax.text(-0.68, center, "factors of\na film", ha="right", va="center", **small)  # type: ignore[arg-type]


def _check_names(
    stars: pd.DataFrame,
    user_factors: pd.DataFrame,
    item_factors: pd.DataFrame,
    *,
    held_out: Collection[tuple[Any, Any]],
) -> None:
    """Refuse tables that do not belong together."""
    same_users = list(stars.index) == list(user_factors.index)
    if not same_users or list(stars.columns) != list(item_factors.index):
        raise ValueError("the factors must have the names of the stars, in the same order")
    if not held_out:
        raise ValueError("held_out is empty: name at least one (user, item)")


def _draw_cell(
    ax: Axes,
    where: tuple[float, float],
    text: str,
    *,
    face: tuple[float, float, float, float] | str = "none",
    edge: str = "none",
    ink: str = INK,
    linewidth: float = 1.2,
    linestyle: str | tuple[float, tuple[float, ...]] = "solid",
) -> None:
    """Rounded square around a position, with a text in it."""
    corner, style = (where[0] - 0.42, where[1] - 0.42), BoxStyle("Round", pad=0, rounding_size=0.12)
    box = FancyBboxPatch(corner, 0.84, 0.84, boxstyle=style, facecolor=face, edgecolor=edge)
    box.set(linewidth=linewidth, linestyle=linestyle)
    ax.add_patch(box)
    ax.text(*where, text, ha="center", va="center", color=ink, weight="bold")


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
