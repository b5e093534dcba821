"""How many users a comparison needs: the chance of finding a difference, drawn over users."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from nbhelpers.teaching.plots.figure import BLUE, GREEN, GREY, ORANGE, PINK, literal, new_axes

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PINK, ":"))


def plot_power(
    curves: pd.DataFrame,
    *,
    n_users: int,
    spread: float,
    title: str,
    power: float = 0.8,
    metric: str = "difference",
    ax: Axes | None = None,
) -> Axes:
    """How often a test finds a true difference, over users, with one's own data marked.

    Parameters
    ----------
    curves : DataFrame
        Power between 0 and 1, as ``power_curves`` returns it: indexed by at least two numbers of
        users, ascending; one to four columns named by the true difference.
    n_users : int
        Users of one's own data: a vertical line, and a point where it meets each curve.
    spread : float
        Standard deviation of the users' differences in one's own data, told in the legend.
    title : str
    power : float
        What is aimed at, drawn as a dashed line.
    metric : str
        What the differences are of, such as ``"NDCG@10"``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no curve or more than four, or ``n_users`` lies outside the curves.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> curves = pd.DataFrame({0.01: [0.1, 0.3], 0.02: [0.3, 0.8]}, index=[500, 2_000])
    >>> ax = plot_power(curves, n_users=943, spread=0.3, title="Too few", metric="NDCG@10")
    >>> for text in ax.get_legend().get_texts():
    ...     print(text.get_text())
    NDCG@10 differs by 0.01
    NDCG@10 differs by 0.02
    80% power
    our 943 users, spread 0.3
    >>> plt.close(ax.figure)
    """
    if not 1 <= len(curves.columns) <= len(STYLES):
        raise ValueError(
            f"one to {len(STYLES)} curves can be told apart, got {len(curves.columns)}"
        )
    users = curves.index.to_numpy(dtype=float)
    if len(users) < 2 or (np.diff(users) <= 0).any():
        raise ValueError(
            f"curves need ascending numbers of users, at least two, got {users.tolist()[:3]}"
        )
    if not users[0] <= n_users <= users[-1]:
        raise ValueError(
            f"the curves go from {users[0]:,.0f} to {users[-1]:,.0f} users, which leaves out our "
            f"{n_users:,}: draw them wider"
        )
    ax = new_axes(ax, size=(6.4, 4.2))
    for (color, dash), (difference, values) in zip(STYLES, curves.items(), strict=False):
        label = f"{literal(metric)} differs by {difference:g}"
        ax.semilogx(users, values, dash, color=color, lw=2, label=label)
        ax.plot(n_users, np.interp(np.log(n_users), np.log(users), values), "o", color=color)
    ax.axhline(power, color=GREY, linestyle="--", lw=1, label=f"{power:.0%} power")
    label = f"our {n_users:,} users, spread {spread:.2g}"
    ax.axvline(n_users, color=GREY, linestyle=":", label=label)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel="users (log scale)", ylabel="how often the difference is found", ylim=(0, 1.02))
    ax.set_title(literal(title))
    ax.legend(fontsize=8)
    return ax
