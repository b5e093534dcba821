"""What all plots share: colors that survive color blindness and grey print, and alt text."""

from __future__ import annotations

import base64
import html
import io

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

# Okabe and Ito's colors, dark to light, so that they also differ in grey.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#666666"
# Text and lines that can be read on a white page and on a dark one.
INK = "#767676"
# Sharp on the screens of today; a figure is shown at PIXELS_PER_INCH and shrinks with the page.
DPI, PIXELS_PER_INCH = 180, 96
# Letters that can still be read when a figure is 360 pixels wide.
plt.rcParams.update({"figure.figsize": (5.6, 3.6), "font.size": 11, "axes.titlesize": 12})


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
    Figure: Two axes and nothing between them.
    >>> plt.fignum_exists(figure.number)  # it is closed
    False
    """
    if len(alt.split()) < 4:
        raise ValueError(f"alt must say what the figure shows, got {alt!r}")
    figure = figure_of(ax)
    _make_readable(figure)
    display(_Picture(figure, alt))
    plt.close(figure)


class _Picture:
    """A figure as an image whose text travels with it into every page."""

    def __init__(self, figure: Figure, alt: str) -> None:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, transparent=True)
        self.png, self.alt = base64.b64encode(file.getvalue()).decode(), alt
        self.width = round(figure.get_figwidth() * PIXELS_PER_INCH)

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_html_(self) -> str:
        alt = html.escape(self.alt)
        return f'<img alt="{alt}" width="{self.width}" src="data:image/png;base64,{self.png}">'


def _make_readable(figure: Figure) -> None:
    """Take the color of ink from all that was drawn in plain black; leave the paper out.

    Black that is meant (text on a light field) is written as ``"#000000"`` and stays.
    """
    for artist in figure.findobj(Artist):
        for what in ("color", "edgecolor"):
            ink = getattr(artist, f"get_{what}", str)()  # of a scatter it is an array
            if isinstance(ink, str) and ink in ("black", "k", ".15"):
                getattr(artist, f"set_{what}")(INK)
    for axes in figure.axes:
        axes.tick_params(which="both", color=INK, labelcolor=INK)
        for spine in axes.spines.values():
            spine.set_edgecolor(INK)
    for legend in figure.findobj(Legend):
        legend.get_frame().set_alpha(0)


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


def new_axes(ax: Axes | None, size: tuple[float, float] = (5.6, 3.6)) -> Axes:
    """The axes given, or those of a new figure of this size in inches."""
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax
