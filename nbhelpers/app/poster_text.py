"""Text that fits: broken into lines, in the largest size that has room."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def fitted(text: str, *, sizes: Sequence[tuple[int, int]], width: int) -> tuple[int, list[str]]:
    """Text broken into lines, in the largest size that holds all of it.

    Parameters
    ----------
    text : str
    sizes : sequence of (int, int)
        Font sizes in pixels, largest first, each with the number of lines there is room for.
    width : int
        Of a line, in pixels, whichever common font is drawn.

    Returns
    -------
    size : int
    lines : list of str
        In the smallest size what does not fit is cut, with "…" at the end.
    """
    for size, n_lines in sizes:
        lines = _lines(text, width / size)
        if len(lines) <= n_lines and all(_width(line) * size <= width for line in lines):
            return size, lines
    size, n_lines = sizes[-1]
    whole = [piece for line in lines for piece in _pieces(line, width / size)]
    if len(whole) > n_lines:
        last = _pieces(whole[n_lines - 1], width / size - _width("…"))[0]
        whole = [*whole[: n_lines - 1], last.rstrip() + "…"]
    return size, whole


def _lines(text: str, room: float) -> list[str]:
    """Words put together as long as a line has room."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _pieces(line: str, room: float) -> list[str]:
    """A line cut wherever it is too long."""
    pieces = [""]
    for letter in line:
        if pieces[-1] and _width(pieces[-1] + letter) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _width(text: str) -> float:
    """Width in units of the font size, by the widest of common bold fonts (DejaVu Sans Bold)."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF" or letter in "mwMW@%—":
        return 1.1
    if letter in " ilj.,:;!'|I()[]·-":
        return 0.44
    return 0.84 if letter.isupper() else 0.72
