"""Faults of a split: rows that are in two parts, times that run backwards, rescaled ratings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbhelpers.core.checks import number_array
from nbhelpers.evaluation.faults.audited_parts import AuditedParts, Bools, Part
from nbhelpers.evaluation.faults.finding import Finding

Floats = NDArray[np.float64]
Split = Literal["per_user", "global_time"]
FEW_VALUES = 20
LEAST_ROWS = 20


def overlaps(parts: AuditedParts) -> Iterator[Finding]:
    """Pairs that are in two parts."""
    shared = [("test_in_training", parts.test, parts.train)]
    if parts.valid is not None:
        shared.append(("test_for_selection", parts.test, parts.valid))
        shared.append(("valid_in_training", parts.valid, parts.train))
    for name, part, other in shared:
        both = np.isin(part.keys, other.keys)
        if both.any():
            count = int(both.sum())
            kind = "all" if count == len(part) == len(other) else f"{count:,}"
            says = f"{kind} of {len(part):,} pairs of {part.name} are in {other.name}, too"
            yield Finding(name, says, count=count, examples=part.examples(both))


def repeats_within(parts: AuditedParts) -> Iterator[Finding]:
    """Pairs that come twice within a part."""
    for part in parts.all:
        again = part.frame.duplicated(["user_id", "item_id"]).to_numpy()
        if again.any():
            says = (
                f"{int(again.sum()):,} of {len(part):,} rows of {part.name} repeat a pair, so it "
                f"counts more than once"
            )
            examples = part.examples(again)
            yield Finding("repeated_rows", says, count=int(again.sum()), examples=examples)


def times(parts: AuditedParts, split: Split) -> Iterator[Finding]:
    """Held-out rows that are earlier than rows before them.

    Parameters
    ----------
    parts : AuditedParts
    split : {"per_user", "global_time"}
        With "global_time", rows of other users count, too.
    """
    if not has_times(parts):
        return
    for held_out in parts.all[1:]:
        earlier = parts.all[: parts.all.index(held_out)]
        backwards = _before_own(parts, held_out, earlier)
        if backwards.any():
            says = (
                f"{_share(backwards)} rows of {held_out.name} are earlier than a row of the same "
                f"user in {_names(earlier)}: the model is trained on what came later"
            )
            examples = held_out.examples(backwards, "timestamp")
            yield Finding("random_split", says, count=int(backwards.sum()), examples=examples)
        backwards = _times(held_out) < _last(earlier)
        if split == "global_time" and backwards.any():
            says = (
                f"{_share(backwards)} rows of {held_out.name} are earlier than the last row of "
                f"{_names(earlier)}, of any user, so there is no cut at one moment"
            )
            examples = held_out.examples(backwards, "timestamp")
            yield Finding("future_of_others", says, count=int(backwards.sum()), examples=examples)


def has_times(parts: AuditedParts) -> bool:
    """Whether all parts have times."""
    return all("timestamp" in part.frame.columns for part in parts.all)


def future_note(parts: AuditedParts) -> Iterator[str]:
    """How much of the test is earlier than training rows of others, which a service has not."""
    if has_times(parts):
        early = _times(parts.test) < _last(parts.before_test)
        if early.any():
            yield (
                f"{_share(early)} test rows are earlier than the last training row of somebody "
                f"else: the model knows trends that a service would not; split='global_time' "
                f"counts that as a fault"
            )


def rescaled(parts: AuditedParts) -> Iterator[Finding]:
    """Ratings of a held-out part on another scale than those of training."""
    stars = parts.train.numbers("rating")
    if stars is None or len(stars) < LEAST_ROWS:
        return
    known = np.unique(stars)
    for part in parts.all[1:]:
        values = part.numbers("rating")
        if values is None or len(values) < LEAST_ROWS:
            continue
        strange = ~np.isin(values, known)
        if len(known) <= FEW_VALUES and strange.mean() > 0.05:
            says = (
                f"{_share(strange)} ratings of {part.name} have a value that no rating of train "
                f"has ({len(known)} different ones), as if each part had its own scale"
            )
            examples = part.examples(strange, "rating")
            count = int(strange.sum())
            yield Finding("ratings_rescaled", says, certain=False, count=count, examples=examples)
        elif _standardized(stars) and _standardized(values):
            says = f"ratings of train and of {part.name} each have mean 0 and spread 1"
            yield Finding("ratings_rescaled", says, count=len(values))


def _standardized(values: NDArray[Any]) -> bool:
    """Whether mean and spread are 0 and 1, with either denominator."""
    n = len(values)
    spreads = values.std(), values.std() * np.sqrt(n / (n - 1))
    return bool(abs(values.mean()) < 1e-5 and min(abs(s - 1) for s in spreads) < 1e-5)


def _before_own(parts: AuditedParts, part: Part, earlier: list[Part]) -> Bools:
    """Rows that are earlier than a row of the same user in an earlier part."""
    latest = np.full(len(parts.ids["user"]), -np.inf)
    for other in earlier:
        np.fmax.at(latest, other.codes["user"], _times(other))
    early: Bools = _times(part) < latest[part.codes["user"]]
    return early


def _times(part: Part) -> Floats:
    """Times as numbers, NaN where one is missing; dates as nanoseconds."""
    column = part.frame["timestamp"]
    if column.dtype.kind == "M":
        return np.asarray(pd.DatetimeIndex(column).as_unit("ns").asi8, dtype=np.float64)
    return np.asarray(number_array(column, name=f"timestamp of {part.name}"), dtype=np.float64)


def _last(parts: list[Part]) -> float:
    """The latest time of some parts."""
    return float(np.nanmax(np.concatenate([_times(part) for part in parts])))


def _share(rows: Bools) -> str:
    return f"{int(rows.sum()):,} of {len(rows):,} ({rows.mean():.0%})"


def _names(parts: list[Part]) -> str:
    return " and ".join(part.name for part in parts)
