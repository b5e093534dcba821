"""Which split a log allows, chosen by what is there, and what that split cannot see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from nbhelpers.commands.own_log import OwnLog
from nbhelpers.data.positives import PositiveSplit, positive_split
from nbhelpers.data.splits import last_like_out, stratified_split, temporal_split

SplitName = Literal["auto", "time", "last", "random"]
HELD_OUT = 0.1  # of the rows, for validation and for the test each
LEAST_USERS = 100  # of a test after one date; with fewer, each user's own last rows are taken
POSITIVE, SEEN_ONLY = 1.0, 0.5

_BLIND = {
    "time": "users who came after the date have no history: {n_cold:,} of them are left out and "
    "would get the popular list",
    "last": "the models have met rows of other users that came later than a user's test row: it "
    "flatters models that follow fashions",
    "random": "rows are drawn without regard to time, so later rows help to predict earlier "
    "ones: neither fashion nor the order of choices can be judged",
}


@dataclass(frozen=True, eq=False)
class ChosenSplit:
    """Training, validation and test rows, and the reasons for them.

    Attributes
    ----------
    name : {"time", "last", "random"}
    why : str
        What was held out, and why so.
    cannot_see : str
        What a test of this kind says nothing about.
    parts : PositiveSplit
    """

    name: str
    why: str
    cannot_see: str
    parts: PositiveSplit

    @property
    def n_test_users(self) -> int:
        """Users with a positive in the test."""
        return int((self.parts.test.user_counts > 0).sum())

    def to_dict(self) -> dict[str, Any]:
        """Name, reasons and counts."""
        return {
            "name": self.name,
            "why": self.why,
            "cannot_see": self.cannot_see,
            "n_train": len(self.parts.train),
            "n_valid": len(self.parts.valid),
            "n_test": len(self.parts.test),
            "n_test_users": self.n_test_users,
            "n_cold_users": self.parts.n_cold,
        }


def choose_split(log: OwnLog, *, split: SplitName = "auto", seed: int = 0) -> ChosenSplit:
    """Split a log by one date for everybody, by each user's last rows, or at random.

    Parameters
    ----------
    log : OwnLog
    split : {"auto", "time", "last", "random"}
        "auto" takes the first of the three that the log allows: one date, if at least 100 users
        with a history have a positive after it; each user's last positive, if times are known;
        else a tenth of each user's rows.
    seed : int

    Returns
    -------
    ChosenSplit

    Raises
    ------
    ValueError
        If the log has no times and the split needs them, or is too small for the split.

    Examples
    --------
    >>> from nbhelpers.commands.own_log import open_log
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> log = open_log(make_ratings(60, 40, 900, rng=0).ratings.drop(columns="timestamp"))
    >>> choose_split(log).why
    "no times are known, so a tenth of each user's rows, drawn at random, is the test"
    """
    _check(log, split)
    frame = _graded(log)
    if split != "auto":
        return _made(split, frame, log.catalog, seed=seed, why=_SPLITS[split][1])
    reasons = []
    for name in ("time", "last", "random") if log.is_timed else ("random",):
        try:
            made = _made(name, frame, log.catalog, seed=seed, why=_SPLITS[name][1])
        except ValueError as error:
            reasons.append(f"{_SPLITS[name][2]} is not possible ({error})")
            continue
        if name == "time" and made.n_test_users < LEAST_USERS:
            reasons.append(
                f"after one date for everybody only {made.n_test_users:,} users with a history "
                "could be tested"
            )
            continue
        why = "; ".join([*reasons, made.why]) if log.is_timed else f"no times are known, {made.why}"
        return ChosenSplit(made.name, why, made.cannot_see, made.parts)
    raise ValueError(f"the file is too small to hold rows out: {'; '.join(reasons)}")


def _check(log: OwnLog, split: str) -> None:
    if split not in ("auto", *_SPLITS):
        raise ValueError(f"split must be auto, {', '.join(_SPLITS)}, got {split!r}")
    if split in ("time", "last") and not log.is_timed:
        raise ValueError(f"split {split!r} needs times, and the file has none: take 'random'")


def _graded(log: OwnLog) -> pd.DataFrame:
    """Rows with a rating that says positive or not, and nothing else."""
    liked = log.rows["is_positive"]
    return log.rows.drop(columns="is_positive").assign(rating=np.where(liked, POSITIVE, SEEN_ONLY))


def _made(
    name: str, frame: pd.DataFrame, catalog: pd.DataFrame, *, seed: int, why: str
) -> ChosenSplit:
    cut, _, _ = _SPLITS[name]
    parts = positive_split(cut(frame, seed), items=catalog, least=POSITIVE)
    blind = _BLIND[name].format(n_cold=parts.n_cold)
    return ChosenSplit(name, why, blind, parts)


def _by_date(frame: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    if frame["timestamp"].nunique() < 3:
        raise ValueError("there are fewer than three different times")
    return temporal_split(frame, valid_frac=HELD_OUT, test_frac=HELD_OUT)


def _by_last(frame: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    if frame["timestamp"].nunique() < 3:
        raise ValueError("there are fewer than three different times")
    return last_like_out(frame, least=POSITIVE, n_parts=3, rng=seed)


def _at_random(frame: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    shares = {"valid_frac": HELD_OUT, "test_frac": HELD_OUT}
    return stratified_split(frame, rng=seed, **shares)


_SPLITS: dict[str, tuple[Callable[[pd.DataFrame, int], list[pd.DataFrame]], str, str]] = {
    "time": (
        _by_date,
        "times are known, so the latest tenth of all rows is the test, after one date for "
        "everybody",
        "one date for everybody",
    ),
    "last": (
        _by_last,
        "so each user's last positive is the test",
        "each user's last positive",
    ),
    "random": (
        _at_random,
        "so a tenth of each user's rows, drawn at random, is the test",
        "a tenth of each user's rows",
    ),
}
