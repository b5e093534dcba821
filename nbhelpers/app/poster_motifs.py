"""What posters are drawn with: a palette, and a motif for each genre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Eight colors that stay apart under every form of color blindness: Okabe and Ito (2008), Color
# Universal Design, https://jfly.uni-koeln.de/color/, with a light grey in the place of black.
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#BFC4CC"
NIGHT, INK = "#0D1016", "#FFFFFF"
WIDTH, ART_HEIGHT = 176, 132


class Art(NamedTuple):
    """Color and drawing of a genre."""

    color: str
    shapes: str  # in a field of WIDTH x ART_HEIGHT; {a} own color, {b} second color, {g} ground


def ground(color: str) -> str:
    """The dark background that goes with a color: a fifth of it in the night.

    Parameters
    ----------
    color : str
        ``"#RRGGBB"``.

    Returns
    -------
    str
    """
    mixed = (
        round(0.2 * int(color[i : i + 2], 16) + 0.8 * int(NIGHT[i : i + 2], 16)) for i in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02X}" for part in mixed)


def _star(x: float, y: float, *, points: int, outer: float, inner: float) -> str:
    """Corners of a star."""
    corners = []
    for number in range(2 * points):
        radius, angle = (outer, inner)[number % 2], math.pi * number / points
        corners.append(f"{x + radius * math.sin(angle):.1f},{y - radius * math.cos(angle):.1f}")
    return " ".join(corners)


def _spark(x: float, y: float, size: float) -> str:
    return f'<polygon points="{_star(x, y, points=4, outer=size, inner=size / 3.2)}" fill="{{b}}"/>'


def _bars(heights: Sequence[int]) -> str:
    """Bars on a common foot, as of an equalizer."""
    return "".join(
        f'<rect x="{24 + 19 * k}" y="{112 - height}" width="13" height="{height}" rx="3" '
        f'fill="{{{"ab"[k % 3 == 1]}}}"/>'
        for k, height in enumerate(heights)
    )


_HEART = "M0 34C-44 4-36-30-16-30-6-30 0-22 0-15 0-22 6-30 16-30 36-30 44 4 0 34Z"
_CHEVRON = "M40 {y}L88 {top}L136 {y}V{low}L88 {mid}L40 {low}Z"
_CURTAIN = "M0 0H72C70 48 46 92 8 108L14 132H0Z"
_SPARKS = _spark(34, 34, 10) + _spark(146, 26, 7) + _spark(150, 104, 10) + _spark(22, 96, 6)

# From the genre that tells most about a film to the one that tells least.
ART = {
    "Film-Noir": Art(
        GREY,
        "".join(
            f'<rect y="{y}" width="176" height="9" fill="{{a}}" opacity=".85"/>'
            for y in range(5, 132, 17)
        )
        + '<path d="M18 132C22 108 46 102 66 96C56 86 54 70 56 60L38 55C40 49 52 47 60 46C62 26 '
        "70 18 88 18C106 18 114 26 116 46C124 47 136 49 138 55L120 60C122 70 120 86 110 96C130 102 "
        '154 108 158 132Z" fill="{g}"/><path d="M60 46H116V53H60Z" fill="{b}"/>',
    ),
    "Western": Art(
        ORANGE,
        '<circle cx="118" cy="74" r="38" fill="{b}"/><path d="M0 108H176V116H0Z" fill="{a}"/>'
        '<path d="M62 112V40a9 9 0 0 1 18 0V72h8V56a7 7 0 0 1 14 0V80a8 8 0 0 1-8 8H80V112ZM62 96H'
        '48a8 8 0 0 1-8-8V68a7 7 0 0 1 14 0V80h8Z" fill="{a}"/>',
    ),
    "Sci-Fi": Art(
        SKY,
        '<circle cx="88" cy="66" r="36" fill="{a}"/>'
        '<path d="M56 50a36 36 0 0 1 52-14C92 48 74 52 56 50Z" fill="{g}" opacity=".35"/>'
        '<path d="M53 76C22 92 18 102 30 103C58 105 150 62 152 45C153 38 140 40 122 50" '
        'fill="none" stroke="{b}" stroke-width="6" stroke-linecap="round"/>' + _SPARKS,
    ),
    "Horror": Art(
        VERMILION,
        '<circle cx="88" cy="62" r="50" fill="{a}"/>'
        '<path d="M0 132V98L12 70 22 100 36 52 50 104 64 78 76 108 92 84 106 106 122 60 136 102 '
        '152 74 164 98 176 82V132Z" fill="{g}"/>'
        '<path d="M64 44l20 10-16 6ZM112 44l-20 10 16 6Z" fill="{g}"/>',
    ),
    "War": Art(
        VERMILION,
        "".join(
            f'<path d="{_CHEVRON.format(y=y, top=y - 26, low=y + 13, mid=y - 13)}" fill="{{a}}"/>'
            for y in (78, 99, 120)
        )
        + f'<polygon points="{_star(88, 28, points=5, outer=20, inner=8)}" fill="{{b}}"/>',
    ),
    "Musical": Art(PURPLE, _bars((28, 52, 40, 82, 64, 94, 46))),
    "Documentary": Art(
        GREEN,
        '<path d="M8 66C42 12 134 12 168 66C134 120 42 120 8 66Z" fill="{a}"/>'
        '<circle cx="88" cy="66" r="34" fill="{g}"/><circle cx="88" cy="66" r="24" fill="{b}"/>'
        '<circle cx="88" cy="66" r="12" fill="{g}"/><circle cx="98" cy="56" r="5" fill="#FFFFFF"/>',
    ),
    "Animation": Art(
        YELLOW,
        '<path d="M14 112Q44 2 78 104Q104 26 134 100" fill="none" stroke="{b}" stroke-width="4" '
        'stroke-dasharray="2 9" stroke-linecap="round"/><circle cx="138" cy="84" r="27" fill="{a}"'
        '/><circle cx="129" cy="75" r="7" fill="#FFFFFF" opacity=".8"/>'
        '<ellipse cx="138" cy="119" rx="24" ry="4" fill="{a}" opacity=".35"/>',
    ),
    "Children's": Art(
        YELLOW,
        '<rect x="34" y="72" width="50" height="50" rx="6" fill="{a}"/>'
        '<circle cx="118" cy="97" r="25" fill="{b}"/><polygon points="88,14 122,70 54,70" '
        'fill="{a}" opacity=".75"/><circle cx="59" cy="97" r="12" fill="{g}"/>',
    ),
    "Fantasy": Art(
        GREEN,
        '<path d="M112 16a52 52 0 1 0 30 84a44 44 0 1 1-30-84Z" fill="{a}"/>'
        + "".join(_spark(*where) for where in ((124, 56, 17), (152, 26, 9), (36, 28, 9))),
    ),
    "Romance": Art(
        PURPLE,
        f'<path d="{_HEART}" transform="translate(72 68) rotate(-12) scale(1.35)" fill="{{a}}"/>'
        f'<path d="{_HEART}" transform="translate(122 82) rotate(14) scale(.85)" fill="{{b}}" '
        'stroke="{g}" stroke-width="5"/>',
    ),
    "Mystery": Art(
        SKY,
        '<circle cx="88" cy="66" r="56" fill="{a}"/><circle cx="88" cy="66" r="44" fill="none" '
        'stroke="{b}" stroke-width="3"/><path d="M80 62L72 98H104L96 62Z" fill="{g}"/>'
        '<circle cx="88" cy="52" r="17" fill="{g}"/>',
    ),
    "Crime": Art(
        BLUE,
        '<g fill="none" stroke="{a}" stroke-width="6" stroke-linecap="round">'
        '<path d="M40 100V62a48 48 0 0 1 96 0V100"/><path d="M56 116V64a32 32 0 0 1 64 0V116"/>'
        '<path d="M72 122V66a16 16 0 0 1 32 0V122"/></g><path d="M88 66V112" stroke="{b}" '
        'stroke-width="6" stroke-linecap="round"/>',
    ),
    "Adventure": Art(
        ORANGE,
        '<circle cx="52" cy="42" r="22" fill="{b}"/>'
        '<path d="M0 132L44 78 76 112 122 36 176 132Z" fill="{a}"/>'
        '<path d="M122 36L104 66 116 62 124 72 132 60 140 68Z" fill="#FFFFFF"/>',
    ),
    "Action": Art(
        VERMILION,
        f'<polygon points="{_star(88, 66, points=12, outer=64, inner=34)}" fill="{{a}}"/>'
        f'<polygon points="{_star(88, 66, points=9, outer=36, inner=20)}" fill="{{b}}"/>'
        '<circle cx="88" cy="66" r="11" fill="{g}"/>',
    ),
    "Thriller": Art(
        VERMILION,
        '<g fill="none" stroke="{a}" stroke-width="5"><circle cx="88" cy="66" r="50"/>'
        '<circle cx="88" cy="66" r="30"/></g><path d="M88 4V44M88 88V128M26 66H66M110 66H150" '
        'stroke="{b}" stroke-width="5"/><circle cx="88" cy="66" r="8" fill="{a}"/>',
    ),
    "Comedy": Art(
        YELLOW,
        '<circle cx="88" cy="68" r="46" fill="{a}"/><path d="M64 74H112A24 24 0 0 1 64 74Z" '
        'fill="{g}"/><path d="M64 58q8-14 16 0M96 58q8-14 16 0" fill="none" stroke="{g}" '
        'stroke-width="5" stroke-linecap="round"/>' + _SPARKS,
    ),
    "Drama": Art(
        BLUE,
        '<ellipse cx="88" cy="118" rx="46" ry="8" fill="{b}" opacity=".9"/><path d="M88 0L134 118H'
        f'42Z" fill="{{b}}" opacity=".2"/><path d="{_CURTAIN}" fill="{{a}}"/>'
        f'<path d="{_CURTAIN}" transform="matrix(-1 0 0 1 176 0)" fill="{{a}}"/>'
        '<path d="M24 0C26 44 18 80 6 104M48 0C48 40 36 76 10 106M152 0C150 44 158 80 170 104'
        'M128 0C128 40 140 76 166 106" fill="none" stroke="{g}" stroke-width="3" opacity=".6"/>',
    ),
}
REEL = Art(
    GREY,
    '<circle cx="88" cy="66" r="52" fill="{a}"/><g fill="{g}"><circle cx="88" cy="66" r="7"/>'
    '<circle cx="88" cy="37" r="13"/><circle cx="115.600" cy="57" r="13"/>'
    '<circle cx="105" cy="89.500" r="13"/><circle cx="71" cy="89.500" r="13"/>'
    '<circle cx="60.400" cy="57" r="13"/></g>',
)
_SAME = {"Children": "Children's"}  # MovieLens changed the spelling in 2015


def known_genres(genres: Sequence[str]) -> list[str]:
    """Genres that have a motif, the one that tells most about a film first.

    Parameters
    ----------
    genres : sequence of str

    Returns
    -------
    list of str
    """
    named = {_SAME.get(genre, genre) for genre in genres}
    return [name for name in ART if name in named]
