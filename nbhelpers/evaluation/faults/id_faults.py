"""Faults of ids: a mapping for each part, types that differ, ids that the model cannot know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.core.checks import first_of
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.faults.audited_parts import (
    SIDES,
    AuditedParts,
    Ints,
    Mapped,
    Part,
    indices_of,
)
from nbhelpers.evaluation.faults.finding import Finding

LEAST_RANGE = 5  # shorter ranges from 0 come about by chance
LEAST_ROWS = 200
NO_RELATION, EXPECTED_RELATION = 2.0, 8.0  # in standard deviations


def own_mapping(
    parts: AuditedParts, *, users: Sequence[Mapped], items: Sequence[Mapped]
) -> Iterator[Finding]:
    """One index that stands for different ids in two parts.

    Parameters
    ----------
    parts : AuditedParts
    users, items : sequence of Vocabulary or mapping
        More than one: one for each part.
    """
    for side, given in zip(SIDES, (users, items), strict=True):
        maps = [*given] if len(given) > 1 else _maps_of_interactions(parts, side)
        found = [
            *_differing_maps(maps, side),
            *_differing_columns(parts, side),
        ]
        yield from found[:1]
        if not found:
            yield from _numbered_apart(parts, side)


def type_clash(parts: AuditedParts) -> Iterator[Finding]:
    """Ids that are text in one part and numbers in another."""
    for side in SIDES:
        if parts.type_clash[side]:
            says = (
                f"{side} ids are {parts.type_clash[side]}, so equal ids need not meet (here they "
                "are compared as text)"
            )
            yield Finding("id_types_differ", says, count=len(parts.ids[side]))


def unknown_ids(parts: AuditedParts, side: str, mapped: Mapped | None) -> Iterator[Finding]:
    """Test rows whose id is not in the map that the model is used with.

    Parameters
    ----------
    parts : AuditedParts
    side : {"user", "item"}
    mapped : Vocabulary or mapping, optional
    """
    if mapped is None:
        return
    row_unknown = indices_of(parts.ids[side], mapped)[parts.test.codes[side]] < 0
    if row_unknown.any():
        ids = parts.test.frame[f"{side}_id"][row_unknown].unique()
        says = (
            f"{int(row_unknown.sum()):,} of {len(parts.test):,} test rows have a {side} that the "
            f"map does not know, {len(ids):,} different ids"
        )
        examples = tuple(f"{side}_id {value}" for value in ids[:3])
        yield Finding("unknown_ids", says, count=int(row_unknown.sum()), examples=examples)


def untrained_note(parts: AuditedParts, side: str) -> Iterator[str]:
    """How many test rows have a user (or an item) without a training row."""
    known = sum(parts.counts(part, side) for part in parts.before_test)
    n_cold = int((np.asarray(known)[parts.test.codes[side]] == 0).sum())
    if n_cold:
        yield (
            f"{n_cold:,} of {len(parts.test):,} test rows have a {side} that no row before the "
            f"test has: report them apart, since no score of theirs was learned"
        )


def _maps_of_interactions(parts: AuditedParts, side: str) -> list[Mapped]:
    given = [rows for rows in parts.given.values() if isinstance(rows, Interactions)]
    maps = [rows.users if side == "user" else rows.items for rows in given]
    return [one for one in maps if one is not None]


def _differing_maps(maps: Sequence[Mapped], side: str) -> Iterator[Finding]:
    """The first pair of maps that disagree."""
    tables = [_table(one) for one in maps]
    for first, second in combinations(tables, 2):
        both = pd.concat([first, second], axis=1, join="inner", keys=["first", "second"])
        moved = both[both["first"] != both["second"]]
        one, two = pd.Series(first.index, index=first), pd.Series(second.index, index=second)
        at = pd.concat([one, two], axis=1, join="inner", keys=["first", "second"])
        at = at[at["first"] != at["second"]]
        if len(at) or len(moved):
            examples = tuple(
                f"{side}_idx {index} is {row['first']} and {row['second']}"
                for index, row in at.head(3).iterrows()
            )
            says = (
                f"the {side} maps of two parts disagree: {len(at):,} indices stand for two ids, "
                f"{len(moved):,} ids have two indices"
            )
            yield Finding("own_mapping", says, count=max(len(at), len(moved)), examples=examples)


def _table(mapped: Mapped) -> pd.Series[Any]:
    """Index by id."""
    if isinstance(mapped, Vocabulary):
        return pd.Series(np.arange(len(mapped)), index=mapped.ids)
    return pd.Series(dict(mapped))


def _differing_columns(parts: AuditedParts, side: str) -> Iterator[Finding]:
    """Columns with ids and with indices that do not say the same in all parts."""
    name, index = f"{side}_id", f"{side}_idx"
    columns = [part.frame[[name, index]] for part in parts.all if index in part.frame.columns]
    if parts.indexed or len(columns) < 2:
        return
    pairs = pd.concat([frame.drop_duplicates() for frame in columns], ignore_index=True)
    pairs = pairs.drop_duplicates()
    at_last = pairs[index] == pairs[index].max()
    if at_last.sum() > 1 and not pairs.loc[~at_last, index].duplicated().any():
        ids = pairs.loc[at_last, name]
        says = f"{len(ids):,} {side}s share the index {pairs[index].max()}, that of the unknown"
        examples = tuple(f"{name} {value}" for value in ids[:3])
        yield Finding("unknown_ids", says, count=len(ids), examples=examples)
        pairs = pairs[~at_last]
    wrong = pairs[pairs[index].duplicated(keep=False) | pairs[name].duplicated(keep=False)]
    if len(wrong):
        grouped = wrong.groupby(index)[name].unique()
        examples = tuple(f"{index} {k} is {first_of(ids)}" for k, ids in grouped.head(3).items())
        n_indices, n_ids = wrong[index].nunique(), wrong[name].nunique()
        says = f"{index} and {name} are not one to one: {n_indices:,} indices, {n_ids:,} ids"
        yield Finding("own_mapping", says, count=len(wrong), examples=examples)


def _numbered_apart(parts: AuditedParts, side: str) -> Iterator[Finding]:
    """Hints where only indices are left: ranges that begin anew, popularity that does not fit."""
    ids = parts.ids[side]
    if ids.dtype.kind not in "iu":
        return
    train, test = (np.unique(ids[part.codes[side]]) for part in (parts.train, parts.test))
    if _is_range(train) and _is_range(test) and LEAST_RANGE <= len(test) < len(train):
        says = (
            f"{side} numbers of test are exactly 0 to {len(test) - 1}, of training 0 to "
            f"{len(train) - 1}: each part seems to be numbered on its own, unless the first "
            f"{len(test):,} were chosen on purpose"
        )
        yield Finding("own_mapping", says, certain=False, count=len(test))
    elif side == "item" and train[0] == 0 and len(train) > 0.95 * (train[-1] + 1):
        yield from _popularity_lost(parts, parts.train, parts.test)


def _is_range(numbers: Ints) -> bool:
    return bool(numbers[0] == 0 and numbers[-1] == len(numbers) - 1)


def _popularity_lost(parts: AuditedParts, train: Part, test: Part) -> Iterator[Finding]:
    """A hint: items that are popular in training are not more popular in test than others."""
    before, after = parts.counts(train, "item"), parts.counts(test, "item")
    both = (before > 0) & (after > 0)
    before, after = np.log(before[both]), after[both].astype(float)
    if len(before) < LEAST_RANGE or after.sum() < LEAST_ROWS or not before.std() or not after.std():
        return
    spread = before.std() * after.std() * np.sqrt(len(before))  # of a random pairing
    found = float(((before - before.mean()) * (after - after.mean())).sum() / spread)
    expected = float(np.sqrt(len(before)) * _correlation_if_shared(before, after.sum()))
    if found < NO_RELATION and expected > EXPECTED_RELATION:
        says = (
            f"items popular in training are not popular in test ({found:.1f} standard deviations, "
            f"{expected:.0f} expected): numbers may stand for other items, unless the test was "
            f"thinned by popularity or tastes turned over"
        )
        yield Finding("own_mapping", says, certain=False, count=int(both.sum()))


def _correlation_if_shared(log_counts: Any, n_rows: float) -> float:
    """Correlation of log counts with new counts, if these have the same shares plus noise."""
    shares = np.exp(log_counts)
    wanted = n_rows * shares / shares.sum()
    spread = np.sqrt(wanted.var() + wanted.mean())  # Poisson noise on top
    return float(np.cov(log_counts, wanted)[0, 1] / (log_counts.std() * spread))
