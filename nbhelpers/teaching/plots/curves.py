"""Plots of a score that grows step by step: with what is known of somebody, or round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from nbhelpers.teaching.plots.figure import BLUE, GREEN, GREY, ORANGE, PINK, new_axes

Rung = tuple[float, tuple[float, float]]  # a score and the ends of its interval


def plot_ladder(
    panels: Mapping[str, Mapping[str, Mapping[int, Rung]]], *, xlabel: str, ylabel: str
) -> Axes:
    """Scores of several methods on rungs, such as likes known of a person, with intervals.

    Parameters
    ----------
    panels : mapping from title to {method: {rung: (score, (low, high))}}
        At most five methods, the last one a baseline, drawn dashed; all with the same rungs, which
        stand at equal distances.
    xlabel, ylabel : str

    Returns
    -------
    Axes
        The first panel.
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
            ax.plot(x, [score for score, _ in rungs.values()], style, color=color, label=name, ms=5)
            ax.vlines(
                x, *zip(*[ends for _, ends in rungs.values()], strict=True), color=color, lw=1
            )
        ax.set(xticks=range(len(rungs)), xticklabels=list(rungs), xlabel=xlabel, title=title)
    grid[0].set_ylabel(ylabel)
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
    """
    ax = plt.subplots(figsize=(7.2, 3.2), layout="constrained")[1] if ax is None else ax
    looks = zip(colors, ("-", "--", "-.", ":", "-"), strict=False)
    for (name, runs), (color, dash) in zip(curves.items(), looks, strict=False):
        values = np.asarray(runs)
        steps = np.arange(1, values.shape[1] + 1)
        ax.plot(steps, values.mean(axis=0), dash, color=color, label=name)
        ax.fill_between(steps, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2)
    ax.set(xlabel=xlabel, title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


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
    ax = new_axes(ax)
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
