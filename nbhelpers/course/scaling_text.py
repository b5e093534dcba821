"""The table of scaling as text: CPU seconds and peak memory of each stage at each size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbhelpers.course.scaling_table import PART, REFUSED, STAGES, by_stage, carried_to, exponents


def scaling_markdown(table: pd.DataFrame, *, carried: int = 10**9) -> str:
    """The table as Markdown: CPU seconds and peak memory of each stage at each size.

    Parameters
    ----------
    table : DataFrame
    carried : int
        Rows that the lines are carried on to.

    Returns
    -------
    str
    """
    if table.empty:
        return "Nothing has been measured yet: `python -m tests.benchmarks scaling`."
    sizes = sorted(set(table["rows"]))
    heads = ["stage", *map(_power, sizes)]
    parts = [
        "**CPU seconds**; \\* a part was timed and multiplied; *refused*: not run, with what it "
        f"would need. The last column carries the line on to {_power(carried)} rows and was not "
        "measured.",
        "\n".join(
            [
                _line([*heads, "exponent", f"{_power(carried)}, carried"]),
                *_times(table, sizes, carried),
            ]
        ),
        "**Peak memory of the process, MB**",
        "\n".join([_line([*heads, f"{_power(carried)}, carried"]), *_peaks(table, sizes, carried)]),
        "Machine: " + "; ".join(sorted(set(table["machine"].astype(str)))) + ".",
    ]
    return "\n\n".join(parts)


def _times(table: pd.DataFrame, sizes: Sequence[int], carried: int) -> list[str]:
    slopes, beyond = by_stage(exponents(table)), by_stage(carried_to(table, carried))
    lines = [_line(["---"] * (len(sizes) + 3))]
    for stage in _stages(table):
        cells = [_cell(table, stage, size, "cpu_seconds") for size in sizes]
        last = ["", ""]
        if stage in slopes:
            last[0] = "{exponent:.2f} ({low:.2f} to {high:.2f})".format(**slopes[stage])
        if stage in beyond and beyond[stage]["carried_from"] < carried:
            middle, low, high = (
                _short(beyond[stage][name]) for name in ("cpu_seconds", "low", "high")
            )
            last[1] = f"{middle} ({low} to {high})"
        lines.append(_line([stage, *cells, *last]))
    return lines


def _peaks(table: pd.DataFrame, sizes: Sequence[int], carried: int) -> list[str]:
    beyond = by_stage(carried_to(table, carried))
    lines = [_line(["---"] * (len(sizes) + 2))]
    for stage in _stages(table):
        cells = [_cell(table, stage, size, "peak_mb") for size in sizes]
        is_carried = stage in beyond and beyond[stage]["carried_from"] < carried
        last = _short(beyond[stage]["peak_mb"]) if is_carried else ""
        lines.append(_line([stage, *cells, last]))
    return lines


def _cell(table: pd.DataFrame, stage: str, size: int, column: str) -> str:
    rows = table[(table["stage"] == stage) & (table["rows"] == size)]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    if row["kind"] == REFUSED:
        return f"*refused, {_short(row[column])}*"
    return _short(row[column]) + ("\\*" if row["kind"] == PART else "")


def _stages(table: pd.DataFrame) -> list[str]:
    return [stage for stage in STAGES if (table["stage"] == stage).any()]


def _power(size: int) -> str:
    exponent = round(np.log10(size))
    return f"10^{exponent}" if 10**exponent == size else f"{size:,}"


def _short(number: float) -> str:
    """Three digits, and no fewer than stand before the point."""
    if number < 0.995:
        return f"{number:.2f}"
    return f"{number:,.{max(0, 2 - int(np.log10(number)))}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
