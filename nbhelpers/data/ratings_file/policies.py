"""What becomes of zeros, sentinels, events and repeats: said by the caller, or losing nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.refusals import (
    AmbiguousRatingsError,
    InvalidRatingsError,
    counted,
    some,
)

ZERO_SHARE = 0.1  # from here on zeros must be spoken about
# Values that stand for "none" in many files: negative ones beside no other negative one, high ones
# (of ratings) beside others up to a size.
LOW_SENTINELS = (-1.0, -99.0, -999.0)
HIGH_SENTINELS = {99.0: 20.0, 999.0: 200.0, 9999.0: 2000.0}


def refuse_unspoken(
    values: NDArray[np.float64], counts: NDArray[np.int64], role: str, choices: Choices
) -> list[str]:
    """Refuse values that may be no ratings, unless the caller said what they are.

    Parameters
    ----------
    values : ndarray of float64
        Different values of a column, without NaN.
    counts : ndarray of int64
        Rows of each.
    role : {"rating", "weight"}
    choices : Choices

    Returns
    -------
    list of str
        What the reader should know about such values where they were kept.

    Raises
    ------
    AmbiguousRatingsError
        If many are 0, or some are -1, 99 or the like, and nothing was said about these.
    """
    notes: list[str] = []
    said = choices.missing_values
    known = values[known_at(values, choices)]
    if said is None:
        for value in known[np.isin(known, [*LOW_SENTINELS, *HIGH_SENTINELS])]:
            if _is_strange(value, known[known != value], role):
                _ask_sentinel(value, values, counts, role)
    n_below = int(counts[known_at(values, choices) & (values < 0)].sum())
    if role == "weight" and n_below:
        notes.append(f"{counted(n_below, 'weight')} below 0 kept (goods sent back?): check them")
    zeros = int(counts[values == 0].sum())
    if not zeros or choices.zeros is not None or (known < 0).any():
        return notes
    share = zeros / max(int(counts.sum()), 1)
    if share >= ZERO_SHARE and len(known) > 1:
        raise AmbiguousRatingsError(
            f"{zeros:,} of {counts.sum():,} values of the {role} are 0 ({share:.0%}): say "
            f"zeros='implicit' (the row counts, without a {role}), zeros='drop' (the row is left "
            "out) or zeros='keep' (0 is a value like others; on the command line: --zeros implicit)"
        )
    verb = "is" if zeros == 1 else "are"
    return [
        *notes,
        f"{counted(zeros, role)} of 0 {verb} kept: say zeros=... (--zeros implicit) if it is none",
    ]


def known_at(values: NDArray[np.float64], choices: Choices) -> NDArray[np.bool_]:
    """Where values are none of those that were named as standing for none.

    Parameters
    ----------
    values : ndarray of float64
    choices : Choices

    Returns
    -------
    ndarray of bool
    """
    return ~np.isin(values, np.asarray(choices.missing_values or (), dtype=float))


def _is_strange(value: float, others: NDArray[np.float64], role: str) -> bool:
    """Whether a value may stand for none beside the others."""
    if not len(others):
        return False
    if value in LOW_SENTINELS:
        return bool((others >= 0).all())
    size = HIGH_SENTINELS.get(value)
    return size is not None and role == "rating" and bool((np.abs(others) <= size).all())


def _ask_sentinel(
    value: float, values: NDArray[np.float64], counts: NDArray[np.int64], role: str
) -> None:
    others = values[values != value]
    number = int(counts[values == value].sum())
    raise AmbiguousRatingsError(
        f"{counted(number, role)} of {value:g} beside others of {others.min():g} to "
        f"{others.max():g} may mean that there is none: say missing_values=({value:g},), or "
        f"missing_values=() if it is a value like others (on the command line: --missing-values "
        f"{value:g}, or --missing-values none)"
    )


def without_value(
    values: NDArray[np.float64], choices: Choices
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which values stand for none: those named, zeros where they count as none, empty cells.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN for an empty cell.
    choices : Choices

    Returns
    -------
    named, zero, empty : ndarray of bool, shape (n,)
    """
    named = np.isin(values, np.asarray(choices.missing_values or (), dtype=float))
    zero = (values == 0) & ~named & (choices.zeros in ("implicit", "drop"))
    return named, zero, np.isnan(values)


def event_weights(events: list[str | None], choices: Choices) -> NDArray[np.float64]:
    """The weight of each kind of event, NaN for those that are left out.

    Parameters
    ----------
    events : list of str or None
        Different events.
    choices : Choices
        With ``event_weights``.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    InvalidRatingsError
        If a named event is none of the source.
    """
    weights: Mapping[str, float] = choices.event_weights or {}
    absent = [name for name in weights if name not in events]
    if absent:
        there = some([str(event) for event in events])
        raise InvalidRatingsError(f"event_weights names {absent[0]!r}: the events are {there}")
    return np.array([weights.get(event or "", np.nan) for event in events], dtype=float)
