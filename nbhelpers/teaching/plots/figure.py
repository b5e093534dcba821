"""What all plots share: colors that survive color blindness and grey print, and alt text."""

from __future__ import annotations

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colors, dark to light, so that they also differ in grey.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#666666"


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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, ax = plt.subplots()
    >>> show(ax, alt="Two axes and nothing between them.")  # a notebook shows the figure itself
    Figure(640x480)
    >>> plt.fignum_exists(figure.number)  # it is closed
    False
    """
    if len(alt.split()) < 4:
        raise ValueError(f"alt must say what the figure shows, got {alt!r}")
    figure = figure_of(ax)
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def literal(text: object, *, longest: int = 200) -> str:
    r"""Text of the data as matplotlib shows it letter by letter.

    Two dollars would start a formula, an underscore in front would hide a name from the legend,
    and letters that cannot be seen have no glyph.

    Parameters
    ----------
    text : object
        Anything with a text; None has none.
    longest : int
        Letters, beyond which it is cut.

    Returns
    -------
    str

    Examples
    --------
    >>> print(literal("Ba$$in (2010)"))
    Ba\$\$in (2010)
    """
    shown = "" if text is None else str(text)
    if len(shown) > longest:
        shown = shown[:longest] + "…"
    seen = "".join(c if c.isprintable() or c == "\n" else " " for c in shown)
    return (" " if seen.startswith("_") else "") + seen.replace("$", r"\$")


def figure_of(ax: Axes) -> Figure:
    """The figure that axes belong to."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes belong to no figure")
    return figure


def new_axes(ax: Axes | None, size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """The axes given, or those of a new figure of this size in inches."""
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax
