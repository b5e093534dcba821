"""Plain lines: what something costs over a score, or how well each value of a setting does."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from nbhelpers.teaching.plots.figure import BLUE, GREY, ORANGE, literal, new_axes

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREY, ":"))


def plot_lines(
    frame: pd.DataFrame, *, xlabel: str, ylabel: str, title: str, ax: Axes | None = None
) -> Axes:
    """A line for each column of a table over its index.

    Parameters
    ----------
    frame : DataFrame
        One to three columns, named in the legend; the index is the horizontal axis.
    xlabel, ylabel, title : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no column, or more than three.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> frame = pd.DataFrame({"like": [1.0, 0.0], "silence": [0.0, 1.0]}, index=[0, 1])
    >>> ax = plot_lines(frame, xlabel="score", ylabel="cost", title="They cross")
    >>> [line.get_label() for line in ax.lines]
    ['like', 'silence']
    >>> plt.close(ax.figure)
    """
    if not 1 <= len(frame.columns) <= len(STYLES):
        raise ValueError(
            f"one to {len(STYLES)} columns can be told apart, got {len(frame.columns)}"
        )
    ax = new_axes(ax, size=(5.6, 3.2))
    for column, (color, dash) in zip(frame.columns, STYLES, strict=False):
        ax.plot(frame.index, frame[column], dash, color=color, label=literal(column))
    ax.set(xlabel=literal(xlabel), ylabel=literal(ylabel), title=literal(title))
    ax.legend()
    return ax


def plot_search(
    scores: pd.Series,
    *,
    baselines: Mapping[str, float],
    xlabel: str,
    ylabel: str,
    title: str,
    ax: Axes | None = None,
) -> Axes:
    """Scores over the values of one setting, on a log axis that begins at a score of 0.

    Parameters
    ----------
    scores : Series
        Scores, indexed by the value of the setting, above 0; its name stands in the legend.
    baselines : mapping from model to score
        At most two, drawn as dashed and dotted lines.
    xlabel, ylabel, title : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there are more than two baselines.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> scores = pd.Series({0.01: 0.15, 0.1: 0.05}, name="iALS")
    >>> baselines = {"popularity": 0.06}
    >>> ax = plot_search(scores, baselines=baselines, xlabel="reg", ylabel="MAP", title="It falls")
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['0.01', '0.1']
    >>> plt.close(ax.figure)
    """
    if len(baselines) >= len(STYLES):
        raise ValueError(f"two baselines can be told apart, got {len(baselines)}")
    ax = new_axes(ax, size=(5.6, 3.4))
    ax.semilogx(scores.index, scores, "o-", color=BLUE, label=literal(scores.name))
    for (name, score), (color, dash) in zip(baselines.items(), STYLES[1:], strict=False):
        ax.axhline(score, color=color, linestyle=dash, label=literal(name))
    ax.set_xticks(scores.index, [f"{value:g}" for value in scores.index])
    ax.minorticks_off()
    ax.set(xlabel=literal(xlabel), ylabel=literal(ylabel), title=literal(title), ylim=(0, None))
    ax.legend()
    return ax
