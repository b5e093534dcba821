"""`docs/beyond_one_machine.md`: every formula is computed again, by what it says in words."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "beyond_one_machine.md").read_text(encoding="utf-8")
UNITS = {
    **{"bytes": 1, "MB": 1e6, "GB": 1e9, "TB": 1e12},  # of bytes
    **{"million": 1e6, "rows": 1, "steps": 1, "times": 1},
    **{"s": 1, "min": 1, "h": 1},  # the formula has divided already
}
STATED = re.compile(r"`([\d.,^*/+() -]+)` =\s([\d,.]+)\s(\w+)")


def computed(formula):
    """Value of a formula of numbers, such as `2 * 10^3`."""
    assert re.fullmatch(r"[\d.^*/+() -]+", formula), formula
    return eval(formula.replace("^", "**"), {"__builtins__": {}})


def fits(formula, printed, unit):
    """Whether the formula gives the printed number, to the digits that are printed."""
    value = computed(formula) / UNITS[unit]
    digits = len(printed.partition(".")[2])
    return abs(value - float(printed.replace(",", ""))) <= 0.5 * 10**-digits + 1e-9


@pytest.mark.parametrize(("formula", "printed", "unit"), STATED.findall(PAGE))
def test_formula_gives_the_number_behind_it(formula, printed, unit):
    assert fits(formula, printed, unit), computed(formula) / UNITS[unit]


def test_each_formula_of_the_page_is_checked():
    formulas = re.findall(r"`[\d(][\d.^*/+() -]*[*/^][\d.^*/+() -]*`", PAGE)
    assert len(STATED.findall(PAGE)) == len(formulas) > 40


@pytest.mark.parametrize(
    ("formula", "printed", "unit", "fit"),
    [
        ("10^7 * 64 * 4", "2.56", "GB", True),
        ("10^7 * 64 * 4", "2.57", "GB", False),
        ("10^9 / 4096", "244,141", "steps", True),
        ("0.8 * 16 * 10^9 / 256", "50", "million", True),
        ("0.8 * 16 * 10^9 / 256", "51", "million", False),
    ],
)
def test_rounding_by_hand(formula, printed, unit, fit):
    assert fits(formula, printed, unit) == fit


def test_what_is_no_arithmetic_is_not_computed():
    with pytest.raises(AssertionError):
        computed("open('x')")
