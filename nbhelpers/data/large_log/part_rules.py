"""Which rows of a large log are held out: each user's last ones, a random share, or from a date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

TRAIN, VALID, TEST, LATER = 0, 1, 2, 3  # part of a row; LATER is after a user's last held-out row
NAMES = ("train", "valid", "test")
_KEY = "{'time': timestamp, 'draw': draw, 'item': item_idx}"  # no two rows of a user share it


class PartRule(Protocol):
    """What ``prepare_pairs`` asks of a split."""

    @property
    def n_parts(self) -> int:
        """2 for train and valid, 3 for train, valid and test, 1 for train alone."""

    @property
    def needs_times(self) -> bool:
        """Whether rows need a ``timestamp``."""

    def says(self) -> str:
        """The rule in words, for the report."""

    def prepare(self, connection: Any) -> None:
        """Make the tables that ``expression`` looks into; ``rows`` are there."""

    def expression(self) -> str:
        """SQL for the part of a row of ``rows r LEFT JOIN cuts USING (user_idx)``."""


@dataclass(frozen=True)
class LastRows:
    """Each user's latest row held out; with three parts, the two latest, as in ``leave_last_out``.

    With ``min_rating`` it is the latest *like*, as in ``last_like_out``: what a user disliked
    before counts as seen, and what came after it is in no part. Of rows in one second, a hash of
    seed and ids says which is the later. Users with fewer likes than parts stay in training.

    Parameters
    ----------
    n_parts : int
        2 for train and valid, 3 for train, valid and test.

    Raises
    ------
    ValueError
        If ``n_parts`` is neither 2 nor 3.
    """

    n_parts: int = 3
    needs_times = True

    def __post_init__(self) -> None:
        if self.n_parts not in (2, 3):
            raise ValueError(f"n_parts must be 2 or 3, got {self.n_parts}")

    def says(self) -> str:
        """The rule in words."""
        return "each user's last row" if self.n_parts == 2 else "each user's two last rows"

    def prepare(self, connection: Any) -> None:
        """The keys of each user's held-out rows, the latest first."""
        n_held = self.n_parts - 1
        connection.execute(
            f"CREATE OR REPLACE TABLE cuts AS SELECT user_idx, max({_KEY}, {n_held}) AS last_keys "
            f"FROM rows WHERE liked GROUP BY user_idx HAVING count(*) >= {self.n_parts}"
        )

    def expression(self) -> str:
        """SQL for the part of a row."""
        test = f"WHEN {_KEY} = last_keys[1] THEN {self.n_parts - 1}"
        valid = f"WHEN {_KEY} >= last_keys[2] THEN {VALID}" if self.n_parts == 3 else ""
        return (
            f"CASE WHEN last_keys IS NULL THEN {TRAIN} WHEN {_KEY} > last_keys[1] THEN {LATER} "
            f"{test} {valid} ELSE {TRAIN} END"
        )


@dataclass(frozen=True)
class RandomShare:
    """A share of all rows held out, drawn by a hash of seed and ids.

    A row's part depends on its ids and the seed alone: it stays where it is when the log grows.
    Shares are met up to chance, and some users may have no training row, unlike in
    ``stratified_split``.

    Parameters
    ----------
    valid_frac : float
    test_frac : float, optional
        Between 0 and 1, and together below 1.

    Raises
    ------
    ValueError
        If they are not.
    """

    valid_frac: float
    test_frac: float | None = None
    needs_times = False

    def __post_init__(self) -> None:
        shares = [share for share in (self.valid_frac, self.test_frac) if share is not None]
        if not all(0 < share < 1 for share in shares) or sum(shares) >= 1:
            raise ValueError(
                f"valid_frac and test_frac must lie between 0 and 1 and leave rows to train on, "
                f"got {shares}"
            )

    @property
    def n_parts(self) -> int:
        """2, or 3 with a test share."""
        return 2 if self.test_frac is None else 3

    def says(self) -> str:
        """The rule in words."""
        test = "" if self.test_frac is None else f", {self.test_frac:.0%} for the test"
        return f"a random {self.valid_frac:.0%} of the rows{test}"

    def prepare(self, connection: Any) -> None:
        """Nothing to look up."""
        _no_cuts(connection)

    def expression(self) -> str:
        """SQL for the part of a row."""
        test = self.test_frac or 0.0
        below_test, below_valid = (int(share * 2**64) for share in (test, test + self.valid_frac))
        return (
            f"CASE WHEN draw < {below_test} THEN {TEST} WHEN draw < {below_valid} "
            f"THEN {VALID} ELSE {TRAIN} END"
        )


@dataclass(frozen=True)
class FromDate:
    """One date for everybody: rows from ``valid_from`` on are held out, the last for the test.

    Parameters
    ----------
    valid_from : int or str
        Seconds since 1970, or a date such as "2015-03-01" (UTC, from midnight on).
    test_from : int or str, optional
        Later than ``valid_from``.

    Raises
    ------
    ValueError
        If a date cannot be read, or the dates are in the wrong order.

    Examples
    --------
    >>> FromDate("1970-01-02").says()
    'rows from 1970-01-02 00:00:00 on'
    """

    valid_from: int | str
    test_from: int | str | None = None
    needs_times = True

    def __post_init__(self) -> None:
        dates = self._seconds()
        if dates != sorted(set(dates)):
            raise ValueError(
                f"test_from must be later than valid_from, got {self.valid_from} and "
                f"{self.test_from}"
            )

    @property
    def n_parts(self) -> int:
        """2, or 3 with a date of the test."""
        return 2 if self.test_from is None else 3

    def _seconds(self) -> list[int]:
        dates = (self.valid_from, self.test_from)
        return [seconds_of(date) for date in dates if date is not None]

    def says(self) -> str:
        """The rule in words."""
        shown = [str(pd.Timestamp(second, unit="s")) for second in self._seconds()]
        return f"rows from {' on, for the test from '.join(shown)} on"

    def prepare(self, connection: Any) -> None:
        """Nothing to look up."""
        _no_cuts(connection)

    def expression(self) -> str:
        """SQL for the part of a row."""
        cases = [
            f"WHEN timestamp >= {second} THEN {part}"
            for part, second in reversed(list(enumerate(self._seconds(), start=1)))
        ]
        return f"CASE {' '.join(cases)} ELSE {TRAIN} END"


@dataclass(frozen=True)
class EverythingTrains:
    """No row is held out."""

    n_parts = 1
    needs_times = False

    def says(self) -> str:
        """The rule in words."""
        return "nothing is held out"

    def prepare(self, connection: Any) -> None:
        """Nothing to look up."""
        _no_cuts(connection)

    def expression(self) -> str:
        """SQL for the part of a row."""
        return str(TRAIN)


def rule_of(
    name: str,
    *,
    n_parts: int = 3,
    shares: tuple[float | None, float | None] = (None, None),
    dates: tuple[int | str | None, int | str | None] = (None, None),
) -> PartRule:
    """A rule by its name, and the settings that belong to it; those of another are refused.

    Parameters
    ----------
    name : {"last", "random", "date", "none"}
    n_parts : int
        Of ``LastRows``.
    shares, dates : pair
        For validation and test: of ``RandomShare`` and ``FromDate``.

    Returns
    -------
    PartRule

    Raises
    ------
    ValueError
        If there is no such rule, it lacks a setting, or has one of another rule.

    Examples
    --------
    >>> rule_of("date", dates=("2015-03-01", None)).n_parts
    2
    """
    needed = {"last": None, "random": shares, "date": dates, "none": None}
    if name not in needed:
        raise ValueError(f"split must be one of {', '.join(needed)}, got {name!r}")
    for other, given in (("random", shares), ("date", dates)):
        if other != name and given != (None, None):
            raise ValueError(f"shares go with split random, dates with date: got them with {name}")
    if name == "random":
        if shares[0] is None:
            raise ValueError("split random needs the share for validation, such as 0.1")
        return RandomShare(shares[0], shares[1])
    if name == "date":
        if dates[0] is None:
            raise ValueError("split date needs the date from which rows are for validation")
        return FromDate(dates[0], dates[1])
    return LastRows(n_parts) if name == "last" else EverythingTrains()


def seconds_of(date: int | str) -> int:
    """Seconds since 1970 of a date, which is taken as UTC.

    Raises
    ------
    ValueError
        If it is no date.

    Examples
    --------
    >>> seconds_of("1970-01-02"), seconds_of(5)
    (86400, 5)
    """
    if isinstance(date, int):
        return date
    try:
        moment = pd.Timestamp(date)
    except ValueError as error:
        raise ValueError(
            f"a date such as 2015-03-01, or seconds since 1970, is needed, got {date!r}"
        ) from error
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    return int(moment.timestamp())


def _no_cuts(connection: Any) -> None:
    connection.execute("CREATE OR REPLACE TABLE cuts (user_idx INTEGER)")
