"""Faults of lists and of what is measured on them: seen items, means, candidates, ties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import off_torch
from nbhelpers.evaluation.faults.audited_parts import (
    AuditedParts,
    Ints,
    Mapped,
    as_frame,
)
from nbhelpers.evaluation.faults.finding import Finding
from nbhelpers.evaluation.report import RankingScores

LEAST_RUNS = 20
FAR = 5.0  # standard deviations


class Lists:
    """Pairs of a user and a listed (or candidate) item, best first within a user.

    Parameters
    ----------
    parts : AuditedParts
    frame : DataFrame
        With ``user_id`` and ``item_id``, and perhaps ``rank`` or ``score``. Without either, rows
        stand in the order of the list.
    """

    def __init__(self, parts: AuditedParts, frame: pd.DataFrame) -> None:
        users = parts.encoded(frame["user_id"], "user")
        order = np.lexsort((_places(frame), users))
        self.frame = frame.iloc[order].reset_index(drop=True)
        self.users = users[order]
        self.items = parts.encoded(self.frame["item_id"], "item")
        self.keys = parts.keys_of(self.users, self.items)

    def examples(self, rows: NDArray[Any]) -> tuple[str, ...]:
        """Up to three pairs in words."""
        shown = self.frame[["user_id", "item_id"]][rows].head(3)
        return tuple(f"user_id {user}, item_id {item}" for user, item in shown.to_numpy())


def lists_of(
    parts: AuditedParts, given: pd.DataFrame | RankingScores, maps: dict[str, Mapped | None]
) -> Lists:
    """Lists as they come: a frame, or what an evaluation returned.

    Raises
    ------
    ValueError
        If a column is missing, or indices came without the maps that turn them into ids.
    """
    if isinstance(given, RankingScores):
        table = given.lists.numpy()
        users = np.repeat(given.per_user["user_idx"].to_numpy(), table.shape[1])
        filled = table.ravel() >= 0
        given = pd.DataFrame({"user_idx": users, "item_idx": table.ravel()})[filled]
    frame, indexed = as_frame(given, name="lists")
    return Lists(parts, with_ids(parts, frame, maps) if indexed else frame)


def with_ids(
    parts: AuditedParts, frame: pd.DataFrame, maps: dict[str, Mapped | None]
) -> pd.DataFrame:
    """Indices in the columns of ids as the ids they stand for, where there are ids."""
    if parts.indexed:
        return frame
    columns = {}
    for column in frame.columns.intersection(["user_id", "item_id"]):
        side = column.removesuffix("_id")
        index = parts.indices(side, maps[side])
        if index is None:
            raise ValueError(f"{side}_idx came without ids: pass {side}s=, the map to indices")
        ids = pd.Series(parts.ids[side][index >= 0], index=index[index >= 0])
        columns[column] = ids.reindex(frame[column]).to_numpy()
    frame = frame.assign(**columns)
    return frame.dropna(subset=list(columns)).reset_index(drop=True)


def seen_listed(lists: Lists, parts: AuditedParts, seen_keys: Ints | None) -> Iterator[Finding]:
    """Listed items that the user had before the test."""
    in_training = np.isin(lists.keys, parts.train.keys)
    if seen_keys is not None:
        in_training |= np.isin(lists.keys, seen_keys)
    n_users = len(np.unique(lists.users))
    if in_training.any():
        whose = len(np.unique(lists.users[in_training]))
        says = (
            f"{int(in_training.sum()):,} of {len(lists.keys):,} places, in lists of {whose:,} of "
            f"{n_users:,} users, hold what the user had in training"
        )
        examples = lists.examples(in_training)
        yield Finding("seen_listed", says, count=int(in_training.sum()), examples=examples)
    elif parts.valid is not None:
        in_valid = np.isin(lists.keys, parts.valid.keys)
        in_valid &= ~np.isin(lists.keys, parts.test.keys)
        if in_valid.any():
            says = (
                f"{int(in_valid.sum()):,} of {len(lists.keys):,} places hold what the user had in "
                f"validation; innocent only if these lists are for the validation"
            )
            count, examples = int(in_valid.sum()), lists.examples(in_valid)
            yield Finding("seen_listed", says, certain=False, count=count, examples=examples)


def list_repeats(lists: Lists) -> Iterator[Finding]:
    """Items that stand twice in a list."""
    again = lists.frame.duplicated(["user_id", "item_id"]).to_numpy()
    if again.any():
        says = f"{int(again.sum()):,} places repeat an item of the same list"
        examples = lists.examples(again)
        yield Finding("list_repeats", says, count=int(again.sum()), examples=examples)


def measured_users(parts: AuditedParts, users: Ints, *, averaged: bool) -> Iterator[Finding]:
    """Users who are in the mean without a test row, and test users who are not in it.

    Parameters
    ----------
    parts : AuditedParts
    users : ndarray of int64
        Of each row of the result, as codes of the parts.
    averaged : bool
        Whether these are the users of the mean, or just users who got a list.
    """
    with_test = np.unique(parts.test.codes["user"])
    without = np.unique(users[~np.isin(users, with_test)])
    if averaged and len(without):
        n_users = len(np.unique(users))
        says = (
            f"{len(without):,} of {n_users:,} users in the mean have no test row: nothing can be "
            f"found for them, and each counts as 0"
        )
        names = parts.ids["user"][without[without >= 0][:3]]
        examples = tuple(f"user_id {user}" for user in names)
        yield Finding("users_without_test", says, count=len(without), examples=examples)
    missing = with_test[~np.isin(with_test, users)]
    if len(missing):
        says = (
            f"{len(missing):,} of {len(with_test):,} users with a test row "
            f"{'are not in the mean' if averaged else 'have no list'}: innocent if that is said "
            f"beside the result, but the easy users may be left"
        )
        examples = tuple(f"user_id {user}" for user in parts.ids["user"][missing[:3]])
        count = len(missing)
        yield Finding("users_left_out", says, certain=False, count=count, examples=examples)


def candidates_of(
    parts: AuditedParts, given: pd.DataFrame | Tensor | NDArray[Any], maps: dict[str, Mapped | None]
) -> Lists:
    """Candidates as they come: a frame, or a table of item indices, rows by ascending test user.

    Raises
    ------
    ValueError
        If a table has not one row for each test user, or no map says what its indices are.
    """
    if isinstance(given, pd.DataFrame):
        return lists_of(parts, given, maps)
    table = np.asarray(off_torch(given))
    index = parts.indices("user", maps["user"])
    users = np.unique(parts.test.codes["user"])
    if table.ndim != 2 or len(table) != len(users):
        raise ValueError(
            f"candidates must be ({len(users)}, n), a row for each user with a test row, got "
            f"shape {table.shape}"
        )
    if index is not None:
        users = users[np.argsort(index[users], kind="stable")]
    frame = pd.DataFrame({"item_id": table.ravel()})
    frame["user_id"] = np.repeat(parts.ids["user"][users], table.shape[1])
    listed = frame["item_id"].to_frame()
    if not parts.indexed:
        named = with_ids(parts, listed, maps)  # items that no part has are left out
        kept = _known_items(parts, listed["item_id"], maps)
        frame = frame[kept].assign(item_id=named["item_id"].to_numpy())
    return Lists(parts, frame)


def candidates_with_positives(
    candidates: Lists, parts: AuditedParts, seen_keys: Ints | None
) -> Iterator[Finding]:
    """Candidates that the user had before the test, or that come twice."""
    before = [part.keys for part in parts.before_test]
    if seen_keys is not None:
        before.append(seen_keys)
    target = np.isin(candidates.keys, parts.test.keys)
    had = np.isin(candidates.keys, np.concatenate(before)) & (candidates.keys >= 0) & ~target
    again = candidates.frame.duplicated(["user_id", "item_id"]).to_numpy() & target
    wrong = had | again
    if wrong.any():
        says = (
            f"{int(wrong.sum()):,} of {len(wrong):,} candidates are positives of their user: "
            f"{int(had.sum()):,} from before the test, {int(again.sum()):,} times the test item "
            f"itself, once more"
        )
        count, examples = int(wrong.sum()), candidates.examples(wrong)
        yield Finding("candidates_hold_positives", says, count=count, examples=examples)


def ties_in_lists(lists: Lists, parts: AuditedParts) -> Iterator[Finding]:
    """A hint: among listed items of equal score, test items stand first far too often."""
    if "score" not in lists.frame.columns:
        return
    run = lists.frame.groupby(["user_id", "score"], sort=False)
    table = pd.DataFrame(
        {
            "run": run.ngroup(),
            "place": run.cumcount(),
            "size": run["item_id"].transform("size"),
            "hit": np.isin(lists.keys, parts.test.keys),
        }
    )
    runs = table.groupby("run").agg(size=("size", "first"), n_hits=("hit", "sum"))
    first = table[table["hit"]].groupby("run")["place"].min()
    runs = runs[(runs["size"] > 1) & (runs["n_hits"] == 1)]
    if len(runs) < LEAST_RUNS:
        return
    chance = 1 / runs["size"]
    n_first = int((first.reindex(runs.index) == 0).sum())
    far = (n_first - chance.sum()) / np.sqrt((chance * (1 - chance)).sum())
    if far > FAR and n_first > 0.9 * len(runs):
        says = (
            f"in {n_first:,} of {len(runs):,} groups of listed items with equal scores the test "
            f"item stands first ({chance.sum():,.0f} expected); innocent only if ties are ordered "
            f"by something that tells test items apart, such as popularity"
        )
        yield Finding("ties_favor_positives", says, certain=False, count=n_first)


def _places(frame: pd.DataFrame) -> NDArray[Any]:
    if "rank" in frame.columns:
        return frame["rank"].to_numpy()
    if "score" in frame.columns:
        return -frame["score"].to_numpy()
    return np.arange(len(frame))


def _known_items(
    parts: AuditedParts, items: pd.Series[Any], maps: dict[str, Mapped | None]
) -> NDArray[np.bool_]:
    index = parts.indices("item", maps["item"])
    known = np.zeros(0, dtype=np.int64) if index is None else index[index >= 0]
    return np.isin(items.to_numpy(), known)
