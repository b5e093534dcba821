"""`nbhelpers inspect`: what a file was read as, what is odd about it, and which split fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.commands.own_log import OwnLog, open_log
from nbhelpers.commands.split_choice import choose_split, require_a_test

FEW_ROWS = 2  # of a user or an item, of which no model learns much
HEAVY_SHARE = 0.05  # of all rows, by one user


@dataclass(frozen=True, eq=False)
class Inspection:
    """A first look at a file.

    Attributes
    ----------
    report : dict
        What the file was read as, and what was lost, merged or changed.
    report_text : str
        The same in words.
    n_positives : int
    rule : str
        What is a positive.
    oddities : list of str
    split : dict or None
        Which split fits, why, and what it cannot see; None where the file is too small.
    """

    report: dict[str, Any]
    report_text: str
    n_positives: int
    rule: str
    oddities: list[str]
    split: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold: the report, and what was found."""
        return {
            **self.report,
            "notes": [*self.report["notes"], *self.oddities],
            "n_positives": self.n_positives,
            "rule": self.rule,
            "split": self.split,
        }

    def __str__(self) -> str:
        lines = [
            self.report_text,
            *(f"note            {each}" for each in self.oddities),
            f"positives       {self.rule}",
        ]
        if self.split is None:
            return "\n".join(lines)
        return "\n".join(
            [
                *lines,
                f"split           {self.split['name']}: {self.split['why']}",
                f"it cannot see   {self.split['cannot_see']}",
            ]
        )

    __repr__ = __str__  # what a notebook shows


def inspect(source: Any, *, min_rating: float | None = None, seed: int = 0) -> Inspection:
    """Look at a file before anything is built on it.

    Parameters
    ----------
    source : path, DataFrame, RatingsLog or OwnLog
        See ``open_log``.
    min_rating : float, optional
        The lowest rating that is a positive.
    seed : int
        Of the split.

    Returns
    -------
    Inspection

    Raises
    ------
    ValueError
        If the file cannot be read.

    Examples
    --------
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> seen = inspect(make_ratings(60, 40, 900, rng=0).ratings)
    >>> seen.split["name"], seen.to_dict()["n_rows"]
    ('last', 900)
    """
    log = open_log(source, min_rating=min_rating)
    oddities = _oddities(log)
    split = None
    try:
        chosen = choose_split(log, seed=seed)
        split = chosen.to_dict()
        require_a_test(chosen.parts)
    except ValueError as error:
        oddities.append(str(error) if split else f"no rows can be held out: {error}")
    return Inspection(log.report, log.report_text, log.n_positives, log.rule, oddities, split)


def _oddities(log: OwnLog) -> list[str]:
    """What somebody who knows such logs would ask about."""
    found = []
    for side in ("user", "item"):
        counts = log.rows[f"{side}_id"].value_counts()
        few = int((counts < FEW_ROWS).sum())
        if few:
            found.append(
                f"{few:,} of {len(counts):,} {side}s ({few / len(counts):.0%}) have a single row"
            )
        if side == "user" and counts.iloc[0] > max(HEAVY_SHARE * len(log.rows), 1000):
            found.append(
                f"user {counts.index[0]} alone has {counts.iloc[0] / len(log.rows):.0%} of the "
                "rows: a machine, or an account of many?"
            )
    share = log.n_positives / (len(log.rows) - log.n_also_had)
    if share < 0.05:
        found.append(f"only {share:.1%} of the rows are positives: is the scale what it seems?")
    if not log.is_timed:
        return [*found, "no times: neither fashion nor the order of choices can be judged"]
    return [*found, *_odd_times(log.rows["timestamp"])]


def _odd_times(timestamps: pd.Series[int]) -> list[str]:
    counts = np.unique(timestamps.to_numpy(), return_counts=True)[1]
    if len(counts) == 1:
        return ["all rows have the same time: it says nothing about their order"]
    if counts.max() > 0.1 * len(timestamps):
        share = counts.max() / len(timestamps)
        return [f"{share:.0%} of the rows have one and the same time: was it filled in?"]
    return []
