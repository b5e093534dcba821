"""Which split a log allows, chosen by what is there, and what that split cannot see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from nbhelpers.commands.own_log import OwnLog
from nbhelpers.data.positives import PositiveSplit, positive_split
from nbhelpers.data.ratings_file.refusals import counted
from nbhelpers.data.splits import last_like_out, stratified_split, temporal_split

SplitName = Literal["auto", "time", "last", "random", "one"]
HELD_OUT = 0.1  # of the rows, for validation and for the test each
LEAST_USERS = 100  # of a test after one date; with fewer, each user's own last rows are taken
LEAST_POSITIVES = 3  # of a user: one to learn from, one for validation, one for the test
LEAST_TESTED = 6  # users: of fewer, all may agree and a difference is still not decided
MOST_ALL_RIGHT = 0.5  # share of the users for whom every list is right
POSITIVE, SEEN_ONLY = 1.0, 0.5

_BLIND = {
    "time": "users who came after the date have no history: {n_cold:,} of them are left out and "
    "would get the popular list",
    "last": "the models have met rows of other users that came later than a user's test row: it "
    "flatters models that follow fashions",
    "random": "rows are drawn without regard to time, so later rows help to predict earlier "
    "ones: neither fashion nor the order of choices can be judged",
    "one": "rows are drawn without regard to time, so later rows help to predict earlier ones; and "
    "users with fewer than three positives are not tested",
}


class TooSmallError(ValueError):
    """A log of which no rows can be held out, or so few that they say nothing."""


@dataclass(frozen=True, eq=False)
class ChosenSplit:
    """Training, validation and test rows, and the reasons for them.

    Attributes
    ----------
    name : {"time", "last", "random", "one"}
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
    """Split a log by one date for everybody, by each user's last positive, or at random.

    Parameters
    ----------
    log : OwnLog
    split : {"auto", "time", "last", "random", "one"}
        "auto" takes the first of the four that the log allows: one date, if at least 100 users
        with a history have a positive after it; each user's last positive, if times are known;
        a tenth of each user's rows, if most users have so many that this tests them; else one
        positive of each user, drawn at random.
    seed : int

    Returns
    -------
    ChosenSplit

    Raises
    ------
    TooSmallError
        If no split is possible.
    ValueError
        If the log has no times and the named split needs them, or is too small for it.

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
    reasons = [] if log.is_timed else ["no times are known"]
    for name in ("time", "last", "random", "one") if log.is_timed else ("random", "one"):
        try:
            made = _made(name, frame, log.catalog, seed=seed, why=_SPLITS[name][1])
        except ValueError as error:
            reasons.append(f"{_SPLITS[name][2]} is not possible ({error})")
            continue
        if made.n_test_users >= _wanted_users(name, log):
            return ChosenSplit(name, _with_reasons(reasons, made.why), made.cannot_see, made.parts)
        reasons.append(
            f"{_SPLITS[name][2]} would test only {made.n_test_users:,} users with a history"
        )
    raise TooSmallError(f"the file is too small to hold rows out: {'; '.join(reasons)}")


def require_a_test(parts: PositiveSplit) -> None:
    """Refuse a test that cannot tell models apart.

    Parameters
    ----------
    parts : PositiveSplit

    Raises
    ------
    TooSmallError
        If fewer than six users are tested (were all of five better served by one of two models,
        that would happen by chance once in 16), or most of them have so few items left that any
        list is right.

    Examples
    --------
    >>> from nbhelpers.commands.own_log import open_log
    >>> rows = pd.DataFrame({"user_id": [1] * 5, "item_id": range(5), "timestamp": range(5)})
    >>> require_a_test(choose_split(open_log(rows)).parts)
    Traceback (most recent call last):
        ...
    nbhelpers.commands.split_choice.TooSmallError: the file is too small to rank models: 1 user \
could be tested, at least 6 are needed
    """
    tested = parts.test.user_counts > 0
    n_tested = int(tested.sum())
    if n_tested < LEAST_TESTED:
        raise TooSmallError(
            f"the file is too small to rank models: {counted(n_tested, 'user')} could be tested, "
            f"at least {LEAST_TESTED} are needed"
        )
    left = len(parts.items) - parts.seen.user_counts[tested]
    all_right = left <= parts.test.user_counts[tested]
    if all_right.mean() > MOST_ALL_RIGHT:
        raise TooSmallError(
            f"the file is too small to rank models: {all_right.mean():.0%} of the users of the "
            f"test have nothing left but what is looked for, of {counted(len(parts.items), 'item')}"
        )


def _wanted_users(name: str, log: OwnLog) -> float:
    """With fewer users in its test than this, a split gives way to the next one."""
    if name == "time":
        return LEAST_USERS
    if name == "random":
        counts = log.rows.loc[log.rows["is_positive"], "user_id"].value_counts()
        return float((counts >= LEAST_POSITIVES).sum()) / 2
    return 1


def _with_reasons(reasons: list[str], why: str) -> str:
    return ", ".join(["; ".join(reasons), why]) if reasons else why


def _check(log: OwnLog, split: str) -> None:
    if split not in ("auto", *_SPLITS):
        raise ValueError(f"split must be auto, {', '.join(_SPLITS)}, got {split!r}")
    if split in ("time", "last") and not log.is_timed:
        raise ValueError(f"split {split!r} needs times, and the file has none: take 'random'")


def _graded(log: OwnLog) -> pd.DataFrame:
    """Rows with a rating that says positive or not: the weight of a positive, or 1/2."""
    liked = log.rows["is_positive"]
    weight = log.rows["weight"] if "weight" in log.rows.columns else POSITIVE
    return log.rows.drop(columns="is_positive").assign(rating=np.where(liked, weight, SEEN_ONLY))


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


def _one_of_each(frame: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    """The last positive of an order that is drawn; what is no positive comes before all."""
    ordered = frame.sort_values(["user_id", "item_id"])  # so that the order of the rows is none
    draw = np.random.default_rng(seed).permutation(len(ordered))
    drawn = ordered.assign(timestamp=np.where(ordered["rating"] >= POSITIVE, draw, -1))
    parts = last_like_out(drawn, least=POSITIVE, n_parts=3, rng=seed)
    return [frame.loc[part.index] for part in parts]


_SPLITS: dict[str, tuple[Callable[[pd.DataFrame, int], list[pd.DataFrame]], str, str]] = {
    "time": (
        _by_date,
        "times are known, so the latest tenth of all rows, after one date for everybody, is the "
        "test",
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
    "one": (
        _one_of_each,
        "so one positive of each user, drawn at random, is the test",
        "one positive of each user",
    ),
}
