"""Differences of pairs of models with their intervals, under one test or several."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

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

STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "D"), (PINK, "^"))


def plot_differences(
    tables: Mapping[str, pd.DataFrame], *, xlabel: str, title: str, ax: Axes | None = None
) -> Axes:
    """What one model is ahead of another, as points with intervals and a line at zero.

    Parameters
    ----------
    tables : mapping from test to DataFrame
        One to four tables as ``compare`` returns them, with ``difference``, ``low`` and ``high``
        for the same pairs: one color and marker each.
    xlabel : str
        Name and unit of the difference.
    title : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no table or more than four, or their pairs differ.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> row = {"difference": 0.02, "low": 0.01, "high": 0.03}
    >>> table = pd.DataFrame([row], index=["A - B"])
    >>> ax = plot_differences({"one date": table}, xlabel="gain", title="A leads", ax=ax)
    >>> ax.get_yticklabels()[0].get_text().split()
    ['A', 'minus', 'B']
    >>> plt.close(figure)
    """
    if not 1 <= len(tables) <= len(STYLES):
        raise ValueError(f"one to {len(STYLES)} tables can be told apart, got {len(tables)}")
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if list(table.index) != list(first.index):
            raise ValueError(f"the pairs of {name!r} are not those of the first table")
    ax = new_axes(ax, size=(5.6, 1.6 + 0.5 * len(first)))
    rows = np.arange(len(first))
    shifts = 0.24 * (np.arange(len(tables)) - (len(tables) - 1) / 2)
    for shift, style, (name, table) in zip(shifts, STYLES, tables.items(), strict=False):
        middle = table["difference"].to_numpy()
        spread = np.abs(table[["low", "high"]].to_numpy().T - middle)
        color, marker = style
        ax.errorbar(
            middle,
            rows + shift,
            xerr=spread,
            fmt=marker,
            color=color,
            capsize=3,
            label=literal(name),
        )
    ax.axvline(0, color=GREY, linestyle="--")
    ax.set_yticks(rows, [literal(pair).replace(" - ", "\nminus ") for pair in first.index])
    ax.invert_yaxis()
    ax.locator_params(axis="x", nbins=6)
    ax.set(xlabel=literal(xlabel), title=literal(title))
    figure_of(ax).legend(loc="outside lower center", ncols=2)
    return ax
