"""The report on a log: what was read, decided and lost, gathered from all steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd

from nbhelpers.data.ratings_file.choices import ROLES
from nbhelpers.data.ratings_file.convert import Converter
from nbhelpers.data.ratings_file.opened import Opened
from nbhelpers.data.ratings_file.read_report import ReadReport
from nbhelpers.data.ratings_file.refusals import counted
from nbhelpers.data.ratings_file.repeated_rows import REPEATS_SAID
from nbhelpers.data.ratings_file.roles import Roles
from nbhelpers.data.repeats import repeat_a_pair

FORM_WORDS = {
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
    "ns": "nanoseconds since 1970",
}


def repeats_in_words(repeats: str, n_repeated: int, n_rows: int) -> str:
    """What became of repeated pairs.

    Parameters
    ----------
    repeats : str
    n_repeated, n_rows : int

    Returns
    -------
    str
    """
    if not n_repeated:
        return "no row repeats a pair of user and item"
    found = f"{repeat_a_pair(n_repeated, n_rows)} of user and item"
    if repeats == "keep":
        return (
            f"{found}: all are kept (keep), and models count each pair once, from its first row "
            "on, with its latest rating and all its weight; say last, first, sum, count or max "
            "(--repeats last) to merge them here"
        )
    return f"{found}: {REPEATS_SAID[repeats]} ({repeats})"


def ranges_of(frame: pd.DataFrame) -> dict[str, list[float | str]]:
    """Lowest and highest rating, weight and time of a log.

    Parameters
    ----------
    frame : DataFrame

    Returns
    -------
    dict of str to list
    """
    ranges: dict[str, list[float | str]] = {}
    for name in ("rating", "weight"):
        if name in frame and frame[name].notna().any():
            ranges[name] = [float(frame[name].min()), float(frame[name].max())]
    if "timestamp" in frame:
        ends = (int(frame["timestamp"].min()), int(frame["timestamp"].max()))
        ranges["time"] = [datetime.fromtimestamp(end, UTC).isoformat() for end in ends]
    return ranges


def report_of(
    name: str,
    opened: Opened,
    roles: Roles,
    converter: Converter,
    *,
    n_rows: int,
    counts: tuple[int, int],
    ranges: Mapping[str, Sequence[float | str]],
    policies: Mapping[str, str],
    rejected_file: str | None,
    n_also_had: int = 0,
) -> ReadReport:
    """The report on a log.

    Parameters
    ----------
    name : str
    opened : Opened
    roles : Roles
    converter : Converter
        After all rows.
    n_rows : int
        Of the log.
    counts : tuple of two int
        Users and items.
    ranges, policies : mapping
    rejected_file : str, optional
    n_also_had : int
        Pairs that stand only in rows that were left out.

    Returns
    -------
    ReadReport
    """
    tally, choices, positions = converter.tally, converter.choices, roles.positions
    said = dict(policies)
    if choices.zeros is not None:
        said["zeros"] = choices.zeros
    if choices.missing_values is not None:
        values = [f"{value:g}" for value in choices.missing_values]
        said["missing_values"] = ", ".join(values) or "none"
        said["unrated"] = choices.unrated or "drop"
    elif choices.unrated is not None:
        said["unrated"] = choices.unrated
    if tally.events:
        common = [(event, n) for event, n in tally.events.most_common(8) if n]
        events = ", ".join(f"{event} ({n:,})" for event, n in common)
        weights = choices.event_weights
        what = "all are kept" if weights is None else f"weights {dict(weights)}"
        said["events"] = (
            f"{events}: {what}; event_weights={{...}} (--event-weights view=1,buy=5) weights and "
            "filters them"
        )
    if choices.on_bad == "skip":
        said["on_bad"] = "skip"
    if tally.implicit:
        tally.note(f"{counted(tally.implicit, 'row')} kept without a rating (NaN)")
    if n_also_had:
        verb = "stands" if n_also_had == 1 else "stand"
        tally.note(
            f"{counted(n_also_had, 'pair')} of a user and an item {verb} only in rows left out: "
            "still had, so no list holds them"
        )
    form = tally.forms.get("time")
    if form:
        tally.note(f"times are read as {FORM_WORDS.get(form, form)}")
    if "time" in ranges and str(ranges["time"][1]) < "1973":
        tally.note("times lie in the first years after 1970: they may be no dates, only an order")
    columns = {
        role: opened.names[positions[role]] if opened.has_header else positions[role] + 1
        for role in ROLES
        if role in positions
    }
    return ReadReport(
        name=name,
        kind=opened.kind,
        n_rows_read=tally.n_rows,
        n_rows=n_rows,
        n_users=counts[0],
        n_items=counts[1],
        columns=columns,
        ranges=ranges,
        dropped=dict(tally.dropped),
        notes=tally.notes,
        policies=said,
        rejected_file=rejected_file,
        n_also_had=n_also_had,
    )
