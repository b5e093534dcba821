"""Numbers in prose are those that the page shows, to the digits printed."""

import re

import pytest

from tests.notebooks.pages import LAST_SECTIONS, NOTEBOOKS, each, sections, text_of

DECIMAL = re.compile(r"(?<![\w.,/-])[-\u2212]?\d+\.\d+(?![\d.]*\d|\w)")
ANY = re.compile(r"(?<![\w.])[-\u2212]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
NOT_PROSE = re.compile(r"`[^`]*`|\$[^$]*\$|<[^>]*>|\]\([^)]*\)|^#.*$", re.M)


def said(paragraph):
    """Decimal numbers of a paragraph as they are printed; none where it names a source."""
    if "](http" in paragraph:
        return []
    return [text.replace("\u2212", "-") for text in DECIMAL.findall(NOT_PROSE.sub(" ", paragraph))]


def shown(text):
    """All numbers of a text."""
    return [float(found.replace("\u2212", "-").replace(",", "")) for found in ANY.findall(text)]


def fits(printed, numbers):
    """Whether a printed number is one of these, rounded; its sign may stand in words."""
    value, digits = abs(float(printed)), len(printed.split(".")[1])
    half = 0.5 * 10**-digits + 1e-9
    return any(abs(abs(n) * scale - value) <= half for n in numbers for scale in (1, 100))


def strays(path):
    """Numbers in the prose of a notebook that stand in no output or code up to there."""
    found, numbers = [], []
    for section in sections(path):
        for cell in section.cells:
            numbers += shown(text_of(cell))
            if cell.cell_type == "code":
                numbers += shown(cell.source)
        if section.title in ("", "Further reading"):
            continue
        for cell in section.cells:
            if cell.cell_type == "markdown":
                for paragraph in cell.source.split("\n\n"):
                    for printed in said(paragraph):
                        if not fits(printed, numbers):
                            found.append(f"{section.title}: {printed}, {nearest(printed, numbers)}")
    return found


def nearest(printed, numbers):
    """What the page shows instead."""
    value = abs(float(printed))
    best = min((abs(n) for n in numbers), key=lambda n: abs(n - value), default=None)
    return f"the nearest that is shown is {best}"


@each(NOTEBOOKS)
def test_each_number_in_prose_stands_in_an_output_or_in_code(path):
    assert strays(path) == []


@pytest.mark.parametrize(
    ("printed", "numbers", "fit"),
    [
        ("0.81", [0.8149], True),
        ("0.81", [0.8151], False),
        ("0.022", [-0.0218], True),
        ("14.4", [0.1437], True),
        ("14.4", [0.1430], False),
        ("0.815", [0.816], False),
        ("1.5", [], False),
    ],
)
def test_rounding_by_hand(printed, numbers, fit):
    assert fits(printed, numbers) == fit


@pytest.mark.parametrize(
    ("paragraph", "numbers"),
    [
        ("The error is 0.022 lower (0.018 to 0.026).", ["0.022", "0.018", "0.026"]),
        ("It falls by \u22120.5, version 1.2.3, `x = 0.3`, $y = 0.4$, film 12.", ["-0.5"]),
        ("A book prints 0.884: [fastbook](https://example.org/1.5).", []),
        ("See [lab 0.5](labs/01_x.ipynb) for 0.6.", ["0.5", "0.6"]),
        ("14.4 % of the people, 1,682.5 rows, v0.3", ["14.4"]),
    ],
)
def test_numbers_of_prose_by_hand(paragraph, numbers):
    assert said(paragraph) == numbers


def test_numbers_of_outputs_by_hand():
    assert shown("0  1,682  0.5\n-3 1e-3") == [0, 1682, 0.5, -3, 0.001]


def test_last_sections_are_read_too():
    assert "Recap" in LAST_SECTIONS
