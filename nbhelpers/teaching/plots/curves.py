"""Plots of a score that grows step by step: with what is known of somebody, or round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from nbhelpers.teaching.plots.figure import BLUE, GREEN, GREY, ORANGE, PINK, literal, new_axes

Rung = tuple[float, tuple[float, float]]  # a score and the ends of its interval


def plot_ladder(
    panels: Mapping[str, Mapping[str, Mapping[int, Rung]]], *, xlabel: str, ylabel: str
) -> Axes:
    """Scores of several methods on rungs, such as likes known of a person, with intervals.

    Parameters
    ----------
    panels : mapping from title to {method: {rung: (score, (low, high))}}
        At most five methods, the last one a baseline with all rungs, drawn dashed. The others have
        the same rungs or the first of them; rungs stand at equal distances.
    xlabel, ylabel : str

    Returns
    -------
    Axes
        The first panel.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ease = {0: (0.1, (0.05, 0.2)), 5: (0.3, (0.25, 0.4))}  # by likes known
    >>> popular = {0: (0.15, (0.1, 0.2)), 5: (0.15, (0.1, 0.2))}
    >>> panels = {"new users": {"EASE": ease, "popularity": popular}}
    >>> ax = plot_ladder(panels, xlabel="likes known", ylabel="recall")
    >>> ax.get_title(), [line.get_label() for line in ax.lines]
    ('new users', ['EASE', 'popularity'])
    >>> plt.close(ax.figure)
    """
    size = (4.5 * len(panels), 3.7)
    grid = plt.subplots(
        1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )[1][0]
    for ax, (title, methods) in zip(grid, panels.items(), strict=True):
        colors, markers = [PINK, GREEN, ORANGE, BLUE], "^sDo"
        styles = [*zip(colors, [f"{marker}-" for marker in markers], strict=True)]
        styles = [*styles[: len(methods) - 1], (GREY, "--")]
        for shift, ((name, rungs), (color, style)) in enumerate(
            zip(methods.items(), styles, strict=True)
        ):
            x = np.arange(len(rungs)) + 0.08 * (
                shift - (len(methods) - 1) / 2
            )  # bars beside each other
            scores = [score for score, _ in rungs.values()]
            ax.plot(x, scores, style, color=color, label=literal(name), ms=5)
            ax.vlines(
                x, *zip(*[ends for _, ends in rungs.values()], strict=True), color=color, lw=1
            )
        ax.set_xticks(range(len(rungs)), [literal(rung) for rung in rungs])
        ax.set(xlabel=literal(xlabel), title=literal(title))
    grid[0].set_ylabel(literal(ylabel))
    grid[0].legend(fontsize=8)
    first: Axes = grid[0]
    return first


def plot_bands(
    curves: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    title: str,
    colors: Sequence[str] = (GREY, BLUE, PINK, GREEN, ORANGE),
    ax: Axes | None = None,
) -> Axes:
    """A line for each way, the mean over runs, with a band from the lowest to the highest run.

    Parameters
    ----------
    curves : mapping from way to array of float, shape (n_runs, n_steps)
        At most as many as there are colors. Steps count from 1.
    xlabel, title : str
    colors : sequence of str
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> runs = {"explores": [[0.1, 0.3], [0.3, 0.5]], "greedy": [[0.2, 0.2], [0.2, 0.4]]}
    >>> ax = plot_bands(runs, xlabel="round", title="Clicks by round", ax=ax)
    >>> ax.get_title(), [line.get_label() for line in ax.lines]
    ('Clicks by round', ['explores', 'greedy'])
    >>> plt.close(figure)
    """
    ax = plt.subplots(figsize=(7.2, 3.2), layout="constrained")[1] if ax is None else ax
    looks = zip(colors, ("-", "--", "-.", ":", "-"), strict=False)
    for (name, runs), (color, dash) in zip(curves.items(), looks, strict=False):
        values = np.asarray(runs)
        steps = np.arange(1, values.shape[1] + 1)
        ax.plot(steps, values.mean(axis=0), dash, color=color, label=literal(name))
        ax.fill_between(steps, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2)
    ax.set(xlabel=literal(xlabel), title=literal(title))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


class HasFrame(Protocol):
    """A record of a training run, such as ``History``."""

    def frame(self) -> pd.DataFrame:
        """Losses and metrics in columns, indexed by epoch."""


def plot_history(
    history: pd.DataFrame | HasFrame,
    *,
    right: Sequence[str] = (),
    baseline: float | None = None,
    baseline_name: str = "baseline",
    title: str = "Loss by epoch",
    ylabel: str = "mean squared error (stars²)",
    ax: Axes | None = None,
) -> Axes:
    """Losses and metrics by epoch.

    Parameters
    ----------
    history : History or DataFrame
        A frame has one column for each line, indexed by epoch, as from ``History.frame``, or from
        ``History.full_frame`` with learning rates and seconds.
    right : sequence of str
        Columns that have a unit of their own, such as ``["map"]`` or ``["lr"]``: they are drawn
        against an axis at the right.
    baseline : float, optional
        A value to beat, such as the validation loss of another model, drawn as a dashed line.
    baseline_name : str
        What the legend calls it.
    title, ylabel : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no column of a name in ``right``.

    Examples
    --------
    >>> frame = pd.DataFrame({"train_loss": [0.7, 0.4], "map": [0.1, 0.2]}, index=[1, 2])
    >>> ax = plot_history(frame, right=["map"], ylabel="logistic loss")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['training', 'map']
    """
    frame = history if isinstance(history, pd.DataFrame) else history.frame()
    unknown = [name for name in right if name not in frame.columns]
    if unknown:
        raise ValueError(f"right names {unknown[0]!r}, choose among {list(frame.columns)}")
    ax, styles = new_axes(ax), _styles(list(frame.columns))
    left = [name for name in frame.columns if name not in right]
    lines = [ax.plot(frame.index, frame[name], **styles[name])[0] for name in left]
    if baseline is not None:
        name = literal(baseline_name)
        lines.append(ax.axhline(baseline, color=GREY, linestyle="--", label=name))
    if right:
        twin = ax.twinx()
        lines += [twin.plot(frame.index, frame[name], **styles[name])[0] for name in right]
        twin.set_ylabel(", ".join(f"{styles[name]['label']}" for name in right))
    ax.set(xlabel="epoch", ylabel=literal(ylabel), title=literal(title))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=lines)
    return ax


def plot_epochs(
    log: pd.DataFrame,
    *,
    baselines: Mapping[str, tuple[str, float]],
    best: int,
    title: str,
) -> Axes:
    """Columns of a training log below one another by epoch, with the epoch that was kept.

    Parameters
    ----------
    log : DataFrame
        A panel for each column, named after it; indexed by epoch.
    baselines : mapping from column to (name, value)
        Values to beat, drawn as dashed lines.
    best : int
        Epoch whose weights were kept, drawn as a dotted line through all panels.
    title : str

    Returns
    -------
    Axes
        The first panel.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> log = pd.DataFrame({"loss": [0.7, 0.4], "NDCG@10": [0.1, 0.2]}, index=[1, 2])
    >>> baselines = {"NDCG@10": ("popularity", 0.15)}
    >>> ax = plot_epochs(log, baselines=baselines, best=2, title="The loss falls")
    >>> [panel.get_ylabel() for panel in ax.figure.axes]
    ['loss', 'NDCG@10']
    >>> plt.close(ax.figure)
    """
    n_panels = len(log.columns)
    figure, grid = plt.subplots(
        n_panels, 1, figsize=(5.6, 2.5 * n_panels), sharex=True, squeeze=False, layout="constrained"
    )
    for ax, column, color in zip(grid[:, 0], log.columns, cycle((ORANGE, BLUE)), strict=False):
        ax.plot(log.index, log[column], "o-", color=color)
        if column in baselines:
            name, value = baselines[column]
            ax.axhline(value, color=GREY, linestyle="--", label=literal(name))
        ax.axvline(best, color=GREY, linestyle=":", label="epoch kept")
        ax.set_ylabel(literal(column))
        ax.legend()
    grid[-1, 0].set_xlabel("epoch")
    grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(literal(title))
    first: Axes = grid[0, 0]
    return first


def _styles(columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Color, marker and label of each column: losses have their own, metrics take turns."""
    losses = {"train_loss": (ORANGE, "s", "training"), "valid_loss": (BLUE, "o", "validation")}
    others = [name for name in columns if name not in losses]
    looks = zip(others, cycle([(GREEN, "^"), (PINK, "D"), (BLUE, "v"), (ORANGE, "P")]))
    metrics = {name: (color, marker, literal(name)) for name, (color, marker) in looks}
    return {
        name: {"color": color, "marker": marker, "label": label}
        for name, (color, marker, label) in {**losses, **metrics}.items()
    }


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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> panels = {"seconds": {"exact": [1, 10], "sampled": [1, 2]}, "MB": {"exact": [5, 500]}}
    >>> ax = plot_growth([100, 1000], panels, xlabel="items", title="Sampling scales")
    >>> [panel.get_ylabel() for panel in ax.figure.axes]
    ['seconds', 'MB']
    >>> plt.close(ax.figure)
    """
    size = (4.5 * len(panels), 3.4)
    figure, grid = plt.subplots(1, len(panels), squeeze=False, figsize=size, layout="constrained")
    for ax, (cost, ways) in zip(grid[0], panels.items(), strict=True):
        styles = zip((ORANGE, BLUE, GREEN, PINK), "soD^", strict=True)
        for (way, values), (color, marker) in zip(ways.items(), styles, strict=False):
            ax.loglog(sizes, values, color=color, marker=marker, label=literal(way))
        ax.set(xlabel=literal(xlabel), ylabel=literal(cost))
        ax.legend()
    figure.suptitle(literal(title))
    first: Axes = grid[0, 0]
    return first
