"""`nbhelpers evaluate`: lists of any other library under our protocol, beside our baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from nbhelpers.commands.comparison import plain_table, result_table, shown_table
from nbhelpers.commands.contenders import CONTENDERS, contenders_of
from nbhelpers.commands.foreign_lists import read_lists
from nbhelpers.commands.list_health import Health, list_health
from nbhelpers.commands.model_race import MOST_TEST, Entry, race, some_users
from nbhelpers.commands.own_log import open_log
from nbhelpers.commands.progress import Progress
from nbhelpers.commands.split_choice import POSITIVE, SplitName, choose_split, require_a_test
from nbhelpers.core.file_in_place import replacing
from nbhelpers.core.topk import checked_k
from nbhelpers.evaluation.evaluate import evaluate_ranking

BASELINES = ("popularity", "recent popularity", "last items", "ItemKNN")
THEIRS = "these lists"


@dataclass(frozen=True, eq=False)
class GradedLists:
    """Lists of another library on our test.

    Attributes
    ----------
    table : DataFrame
        As of ``Comparison``; the lists are the row "these lists".
    health : Health
        Of the lists, as far as they were left after what ``notes`` say.
    notes : list of str
    split : dict
    rule : str
    k, seed : int
    """

    table: pd.DataFrame
    health: Health
    notes: list[str]
    split: Mapping[str, Any]
    rule: str
    k: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "models": plain_table(self.table),
            "health": self.health._asdict(),
            "notes": self.notes,
            "split": dict(self.split),
            "rule": self.rule,
            "k": self.k,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        return "\n".join(
            [
                f"split: {self.split['why']}",
                f"it cannot see: {self.split['cannot_see']}",
                f"positives: {self.rule}",
                *self.notes,
                "",
                shown_table(self.table, self.k),
            ]
        )

    __repr__ = __str__  # what a notebook shows


def evaluate(
    source: Any,
    lists: str | Path | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    baselines: Sequence[str] | None = None,
    k: int = 10,
    n_trials: int = 6,
    split: SplitName = "auto",
    min_rating: float | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> GradedLists:
    """Grade lists that were made from the rows that ``write_training`` gives out.

    Parameters
    ----------
    source : path, DataFrame, RatingsLog or OwnLog
        The whole log. The same ``split``, ``min_rating`` and ``seed`` as for ``write_training``
        make the same test.
    lists : path or DataFrame
        With user, item, and score or rank: see ``read_lists``. A user of the test without a list
        counts as one who found nothing.
    columns : mapping of str to str, optional
        Names of the columns of the lists by role.
    baselines : sequence of str, optional
        Left out, popularity, recent popularity, last items and ItemKNN, as far as the log allows.
    k, n_trials, split, min_rating, seed, quiet
        As for ``compare``.

    Returns
    -------
    GradedLists

    Raises
    ------
    ValueError
        If the lists lack a column, or share no user or item with the log; or as for ``compare``.

    Examples
    --------
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> everyone = ratings["user_id"].unique()
    >>> lists = pd.MultiIndex.from_product([everyone, range(1, 41)], names=["user", "item"])
    >>> made = lists.to_frame(index=False).assign(score=0.5)
    >>> graded = evaluate(ratings, made, baselines=["popularity"], quiet=True)
    >>> sorted(graded.table.index)
    ['popularity', 'these lists']
    """
    k, progress = checked_k(k), Progress(quiet=quiet)
    log = open_log(source, min_rating=min_rating)
    chosen = choose_split(log, split=split, seed=seed)
    parts = chosen.parts
    require_a_test(parts)
    theirs = read_lists(lists, seen=parts.seen, k=k, columns=columns)
    test = some_users(parts.test, most=MOST_TEST, seed=seed)
    started = time.perf_counter()
    scores = evaluate_ranking(theirs, test, seen=parts.seen, k=k)
    entry = Entry({}, float("nan"), 0, scores, time.perf_counter() - started)
    if baselines is None:
        allowed = [each.name for each in CONTENDERS if log.is_timed or not each.needs_times]
        baselines = [name for name in BASELINES if name in allowed]
    entries, failed = race(
        contenders_of(baselines, is_timed=log.is_timed),
        parts,
        k=k,
        n_trials=n_trials,
        seed=seed,
        progress=progress,
    )
    rows = scores.per_user["user_idx"].to_numpy()
    listed = theirs.lists[rows]
    without = int((listed < 0).all(dim=1).sum())
    notes = list(theirs.notes)
    if without:
        notes.append(
            f"{without:,} of {len(rows):,} users of the test have no list: they find nothing"
        )
    notes += [f"{name} {reason}" for name, reason in failed.items()]
    return GradedLists(
        table=result_table({THEIRS: entry, **entries}, seed=seed),
        health=list_health(listed, torch.tensor(rows), seen=parts.seen, k=k),
        notes=notes,
        split=chosen.to_dict(),
        rule=log.rule,
        k=k,
        seed=seed,
    )


def write_training(
    source: Any,
    out: str | Path,
    *,
    split: SplitName = "auto",
    min_rating: float | None = None,
    seed: int = 0,
) -> Path:
    """Write the rows that lists may be made from: all that came before the test.

    Parameters
    ----------
    source : path, DataFrame, RatingsLog or OwnLog
    out : str or Path
        A .csv or .parquet file: ``user_id``, ``item_id``, ``is_positive``, and where they are known
        ``timestamp``, ``rating``, ``weight`` (the sum of a pair) and ``event`` (its latest). It
        appears when it is complete.
    split, min_rating, seed
        As for ``compare``; ``evaluate`` needs the same.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the name ends otherwise, or the log is too small to hold rows out.
    OSError
        If the file cannot be written.
    """
    path = Path(out)
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"rows are written as .csv or .parquet, got {path.name!r}")
    log = open_log(source, min_rating=min_rating)
    parts = choose_split(log, split=split, seed=seed).parts
    frame = parts.seen.to_frame()
    frame["is_positive"] = frame["weight"] >= POSITIVE
    frame = frame.drop(columns="weight").merge(log.values, on=["user_id", "item_id"], how="left")
    with replacing(path) as draft:
        if path.suffix == ".csv":
            frame.to_csv(draft, index=False)
        else:
            frame.to_parquet(draft, index=False)
    return path
