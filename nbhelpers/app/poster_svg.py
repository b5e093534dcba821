"""A film's poster, drawn from its title, year and genres alone: the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from html import escape
from typing import TypeVar

from nbhelpers.app.poster_motifs import (
    ART,
    ART_HEIGHT,
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    REEL,
    SKY,
    VERMILION,
    WIDTH,
    YELLOW,
    Art,
    ground,
    known_genres,
)
from nbhelpers.app.poster_text import fitted

HEIGHT = 256
MARGIN = 12
PALETTE = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY)
_ROOM = WIDTH - 2 * MARGIN
_TITLE_SIZES = ((25, 3), (22, 3), (20, 4), (17, 4), (15, 5), (13, 5), (12, 6))  # pixels, and lines
_TITLE_HEIGHT = 98
Choice = TypeVar("Choice")
_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
    "Georgia, 'Times New Roman', 'DejaVu Serif', serif",
)


class Dice:
    """Choices that a text makes: the same text, the same choices, whatever the machine.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> Dice("Quiet Lake").between(0, 9) == Dice("Quiet Lake").between(0, 9)
    True
    """

    def __init__(self, text: str) -> None:
        self._text, self._n_throws = text, 0

    def share(self) -> float:
        """The next number, from 0 to below 1."""
        self._n_throws += 1
        throw = f"{self._n_throws}|{self._text}".encode("utf-8", "replace")
        return int.from_bytes(blake2b(throw, digest_size=4).digest()) / 2**32

    def between(self, low: float, high: float) -> float:
        """The next number in a range, with one decimal."""
        return round(low + self.share() * (high - low), 1)

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """The next choice."""
        return choices[int(self.share() * len(choices))]


def poster_svg(title: str, *, year: str = "", genres: Sequence[str] = ()) -> str:
    """Poster as an ``<svg>`` element without a label; ``posters.poster`` gives it one.

    The genre that tells most chooses the motif and the next one a small second motif. The title
    and the year choose colors, backdrop, place and lettering, so two films of the same genres
    look different.

    Parameters
    ----------
    title, year : str
    genres : sequence of str

    Returns
    -------
    str
        Shapes and the lines of the title, ``WIDTH`` wide and ``HEIGHT`` high, without the
        surrounding element.
    """
    dice = Dice(f"{title}|{year}")
    known = known_genres(genres)
    motif = ART[known[0]] if known else REEL
    color = dice.one_of((motif.color, motif.color, *(ART[name].color for name in known[1:])))
    second = dice.one_of([other for other in (*PALETTE, INK) if other != color])
    background = ground(color)
    title_on_top = dice.share() < 0.3
    art_top = _TITLE_HEIGHT + 10 if title_on_top else 10
    art = _backdrop(dice, color, art_top) + _placed(motif, dice, color, second, background, art_top)
    if len(known) > 1:
        art += _small(ART[known[1]], dice, second, color, background, art_top)
    return (
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{background}"/>{art}'
        + _shade(background, title_on_top)
        + _lettering(title, dice, on_top=title_on_top)
    )


def _placed(motif: Art, dice: Dice, color: str, second: str, background: str, top: float) -> str:
    """The motif, moved, turned, sized and perhaps mirrored about the middle of its field."""
    size = dice.between(0.85, 1.25)
    turn = dice.between(-14, 14)
    mirror = -1 if dice.share() < 0.5 else 1
    x = WIDTH / 2 + dice.between(-20, 20)
    y = top + ART_HEIGHT / 2 + dice.between(-8, 8)
    shapes = motif.shapes.format(a=color, b=second, g=background)
    return (
        f'<g transform="translate({x:.1f} {y:.1f}) rotate({turn}) scale({mirror * size:.1f} '
        f'{size}) translate(-{WIDTH / 2:.0f} -{ART_HEIGHT / 2:.0f})">{shapes}</g>'
    )


def _small(motif: Art, dice: Dice, color: str, second: str, background: str, top: float) -> str:
    """A second motif on a round ground in a corner of the art."""
    x = dice.one_of((30, WIDTH - 30))
    y = top + dice.one_of((26, ART_HEIGHT - 26))
    shapes = motif.shapes.format(a=color, b=second, g=background)
    return (
        f'<circle cx="{x}" cy="{y:.0f}" r="27" fill="{background}"/>'
        f'<g transform="translate({x} {y:.0f}) scale(0.27) translate(-{WIDTH / 2:.0f} '
        f'-{ART_HEIGHT / 2:.0f})">{shapes}</g>'
        f'<circle cx="{x}" cy="{y:.0f}" r="26" fill="none" stroke="{color}" stroke-width="2"/>'
    )


def _shade(background: str, title_on_top: bool) -> str:
    """The ground of the title, so that art never runs under letters."""
    y = 0 if title_on_top else HEIGHT - _TITLE_HEIGHT
    return f'<rect y="{y}" width="{WIDTH}" height="{_TITLE_HEIGHT}" fill="{background}"/>'


def _lettering(title: str, dice: Dice, *, on_top: bool) -> str:
    size, lines = fitted(title, sizes=_TITLE_SIZES, width=_ROOM)
    font = dice.one_of(_FONTS)
    centered = dice.share() < 0.5
    x, anchor = (WIDTH // 2, "middle") if centered else (MARGIN, "start")
    height = size + (len(lines) - 1) * (size + 3) + size // 4  # letters hang below their foot
    top = (0 if on_top else HEIGHT - _TITLE_HEIGHT) + (_TITLE_HEIGHT - height) // 2
    words = "".join(
        f'<text x="{x}" y="{top + size + k * (size + 3)}">{escape(line)}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<g fill="{INK}" font-family="{font}" font-size="{size}" font-weight="700" '
        f'text-anchor="{anchor}">{words}</g>'
    )


def _backdrop(dice: Dice, color: str, top: float) -> str:
    """What stands behind the motif, faint."""
    x, y = dice.between(30, WIDTH - 30), top + dice.between(20, ART_HEIGHT - 20)
    draw = dice.one_of(_BACKDROPS)
    return f'<g opacity="0.3">{draw(dice, color, x, y)}</g>'


def _rays(dice: Dice, color: str, x: float, y: float) -> str:
    n_rays = int(dice.between(5, 9))
    start = dice.between(0, 90)
    wedge = f'<path d="M0 0L300 -16V16Z" fill="{color}"'
    return "".join(
        f'{wedge} transform="translate({x} {y:.1f}) rotate({start + 360 / n_rays * k:.1f})"/>'
        for k in range(n_rays)
    )


def _rings(dice: Dice, color: str, x: float, y: float) -> str:
    step = dice.between(16, 28)
    return "".join(
        f'<circle cx="{x}" cy="{y:.1f}" r="{step * k:.1f}" fill="none" stroke="{color}" '
        f'stroke-width="{dice.between(2, 7)}"/>'
        for k in range(1, 7)
    )


def _stripes(dice: Dice, color: str, x: float, y: float) -> str:
    angle, step = dice.between(-60, 60), dice.between(22, 40)
    bars = "".join(
        f'<rect x="-260" y="{step * k:.1f}" width="520" height="{step / 2:.1f}" fill="{color}"/>'
        for k in range(-8, 9)
    )
    return f'<g transform="translate({x} {y:.1f}) rotate({angle})">{bars}</g>'


def _dots(dice: Dice, color: str, x: float, y: float) -> str:
    return "".join(
        f'<circle cx="{dice.between(0, WIDTH)}" cy="{dice.between(0, HEIGHT)}" '
        f'r="{dice.between(1, 6)}" fill="{color}"/>'
        for _ in range(36)
    )


def _hills(dice: Dice, color: str, x: float, y: float) -> str:
    return "".join(
        f'<path d="M-20 {HEIGHT}V{y + 26 * k:.1f}Q{x} {y + dice.between(-70, 30) + 26 * k:.1f} '
        f'200 {y + 26 * k + dice.between(-20, 20):.1f}V{HEIGHT}Z" fill="{color}"/>'
        for k in range(3)
    )


def _skyline(dice: Dice, color: str, x: float, y: float) -> str:
    towers = []
    left = -4.0
    while left < WIDTH:
        width = dice.between(10, 30)
        towers.append(
            f'<rect x="{left:.1f}" y="{dice.between(40, 150)}" width="{width}" height="{HEIGHT}" '
            f'fill="{color}"/>'
        )
        left += width + dice.between(1, 5)
    return "".join(towers)


def _sun(dice: Dice, color: str, x: float, y: float) -> str:
    radius = dice.between(50, 95)
    return f'<circle cx="{x}" cy="{y:.1f}" r="{radius}" fill="{color}"/>'


_BACKDROPS: tuple[Callable[[Dice, str, float, float], str], ...] = (
    _rays,
    _rings,
    _stripes,
    _dots,
    _hills,
    _skyline,
    _sun,
)
