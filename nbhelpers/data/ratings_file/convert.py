"""Columns of a source in their final types, and the rows that have no place among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.bad_rows import BadRows
from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.id_values import parse_ids, plain_whole_numbers
from nbhelpers.data.ratings_file.left_out import left_out_rows, taken
from nbhelpers.data.ratings_file.number_values import UNRATED_CURE, decimal_mark, parse_numbers
from nbhelpers.data.ratings_file.opened import Loaded, Opened
from nbhelpers.data.ratings_file.parsed import (
    MISSING,
    MISSING_CURE,
    Mask,
    Parsed,
    clean_text,
    distinct,
    is_text,
)
from nbhelpers.data.ratings_file.policies import event_weights, refuse_unspoken, without_value
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError
from nbhelpers.data.ratings_file.tally import Tally
from nbhelpers.data.ratings_file.time_formats import time_format
from nbhelpers.data.ratings_file.time_values import parse_times

Codes = NDArray[np.int64] | None
VALUE_ROLES = ("rating", "weight")
NAMES = {"user": "user_id", "item": "item_id", "time": "timestamp"}


@dataclass(frozen=True)
class Converted:
    """Rows that are kept, and those that are bad.

    Attributes
    ----------
    frame : DataFrame
        ``user_id``, ``item_id``, and where known ``rating``, ``weight``, ``timestamp``, ``event``.
    titles : pyarrow.Array or None
        The title in each row of the frame.
    also_had : DataFrame
        Pairs of the rows that are not kept, see ``left_out_rows``.
    bad : BadRows
    """

    frame: pd.DataFrame
    titles: Any
    also_had: pd.DataFrame
    bad: BadRows


class Converter:
    """Turns columns of one source, as roles name them, into rows of a log.

    Parameters
    ----------
    opened : Opened
    positions : mapping of str to int
        Column of each role.
    choices : Choices
    keep_text : bool
        Whether ids stay text where they are text, so that batches agree.
    """

    def __init__(
        self,
        opened: Opened,
        positions: Mapping[str, int],
        choices: Choices,
        *,
        keep_text: bool = False,
    ) -> None:
        self.opened, self.positions, self.choices = opened, dict(positions), choices
        self.keep_text, self.tally = keep_text, Tally()

    def convert(self, loaded: Loaded) -> Converted:
        """The rows of a table, or of the next batch.

        Parameters
        ----------
        loaded : Loaded

        Returns
        -------
        Converted

        Raises
        ------
        InvalidRatingsError
            If a column cannot be what it was taken for; or at the first bad row, if reading is to
            stop there.
        """
        bad = BadRows(loaded)
        columns: dict[str, Any] = {}
        keep = np.ones(loaded.n_rows, dtype=bool)
        for role in ("user", "item"):
            columns[NAMES[role]] = self._id_column(loaded, role, bad)
        named = bad.usable()
        for role in VALUE_ROLES:
            if role in self.positions:
                columns[role] = self._values(loaded, role, bad, keep)
        if "time" in self.positions:
            columns["timestamp"] = self._column(loaded, "time", self._times, bad)
        if "event" in self.positions:
            self._events(loaded, columns, keep, bad.usable())
        if self.choices.on_bad == "stop":
            bad.stop()
        self.tally.n_rows += loaded.n_rows + len(loaded.odd_rows)
        keep &= bad.usable()
        titles = self._titles(loaded, keep) if "title" in self.positions else None
        frame = pd.DataFrame({name: taken(column, keep) for name, column in columns.items()})
        # a matrix has a cell for each pair: one that says "none" says that there was no row
        lost = named & ~(bad.usable() if self.opened.is_wide else keep)
        timed = bad.usable_at(self.positions.get("time"))
        return Converted(frame, titles, left_out_rows(columns, lost, timed=timed), bad)

    def find_forms(self) -> None:
        """Find how times and decimals are written from the first rows, before any batch.

        Raises
        ------
        AmbiguousRatingsError
            If they can be read in two ways.
        """
        parsers = {"time": self._times, **{role: self._numbers(role) for role in VALUE_ROLES}}
        for role, parse in parsers.items():
            if role in self.positions:
                self._parsed(self.opened.sample, role, parse)

    def name_of(self, role: str) -> str:
        """What the source calls the column of a role."""
        return self.opened.names[self.positions[role]]

    def _column(
        self, loaded: Loaded, role: str, parse: Callable[[Any], Parsed], bad: BadRows
    ) -> Any:
        """Values of a column, row by row, those with a problem noted."""
        codes, parsed = self._parsed(loaded, role, parse)
        self._note_bad(codes, parsed, role, bad)
        return _spread(parsed.cells, codes)

    def _id_column(self, loaded: Loaded, role: str, bad: BadRows) -> Any:
        """Ids of a column; the common case, plain whole numbers, on a short way."""
        column = loaded.columns[self.positions[role]]
        if is_text(column.type) and not self.keep_text:
            whole = plain_whole_numbers(column)
            if whole is not None:
                return whole
        return self._column(loaded, role, self._ids, bad)

    def _parsed(
        self, loaded: Loaded, role: str, parse: Callable[[Any], Parsed]
    ) -> tuple[Codes, Parsed]:
        position = self.positions[role]
        if position in self.opened.unreadable:
            kind = self.opened.unreadable[position]
            raise InvalidRatingsError(
                f"column {self.name_of(role)} holds {kind}: write numbers or text"
            )
        codes, values = distinct(loaded.columns[position])
        try:
            parsed = parse(values)
        except InvalidRatingsError as error:
            raise type(error)(f"column {self.name_of(role)} {error}") from error.__cause__
        self.tally.note(*(f"{role}: {note}" for note in parsed.notes))
        return codes, parsed

    def _note_bad(self, codes: Codes, parsed: Parsed, role: str, bad: BadRows) -> None:
        where = {"column": self.name_of(role), "position": self.positions[role]}
        bad.add(parsed, codes, **where)  # type: ignore[arg-type]
        if codes is not None and (codes < 0).any():
            empty = Parsed(None)
            cure = UNRATED_CURE if role in VALUE_ROLES else MISSING_CURE
            empty.complain(codes < 0, MISSING, cure)
            bad.add(empty, None, **where)  # type: ignore[arg-type]

    def _ids(self, values: Any) -> Parsed:
        return parse_ids(values, look_alikes=self.choices.look_alikes, keep_text=self.keep_text)

    def _times(self, values: Any) -> Parsed:
        forms = self.tally.forms
        if "time" not in forms:
            forms["time"] = time_format(values, self.choices.time_format)
        return parse_times(values, forms["time"])

    def _numbers(self, role: str) -> Callable[[Any], Parsed]:
        def parse(values: Any) -> Parsed:
            forms = self.tally.forms
            if role not in forms:
                forms[role] = decimal_mark(values, self.choices.decimal)
                if forms[role] == ",":
                    self.tally.note(f"{role}: a comma stands before the decimals")
            return parse_numbers(values, decimal=forms[role])

        return parse

    def _values(self, loaded: Loaded, role: str, bad: BadRows, keep: Mask) -> NDArray[np.float64]:
        """Ratings or weights, NaN where a row is kept without one."""
        codes, parsed = self._parsed(loaded, role, self._numbers(role))
        choices, numbers = self.choices, parsed.cells
        if role == "rating" and choices.rating_range is not None:
            low, high = choices.rating_range
            problem = f"is outside rating_range ({low:g}, {high:g})"
            with np.errstate(invalid="ignore"):
                outside = (numbers < low) | (numbers > high)
            outside &= ~np.logical_or(*without_value(numbers, choices)[:2])
            parsed.complain(outside, problem, "correct the row or the range")
        empty_is_said = choices.unrated in ("drop", "implicit")
        if empty_is_said:
            parsed.problems = [each for each in parsed.problems if each.reason != MISSING]
        self._count(role, codes, numbers)
        if empty_is_said and codes is not None:
            numbers, codes = np.append(numbers, np.nan), np.where(codes < 0, len(numbers), codes)
        self._note_bad(codes, parsed, role, bad)
        named, zero, empty = (_spread(mask, codes) for mask in without_value(numbers, choices))
        usable = bad.usable()
        self._lose(keep, named & usable, choices.unrated or "drop", f"{role} is a missing value")
        self._lose(keep, zero & usable, choices.zeros or "keep", f"{role} is 0")
        if empty_is_said:
            self._lose(keep, empty & usable, choices.unrated or "drop", f"no {role}")
        spread = _spread(numbers, codes)
        return np.where(named | zero, np.nan, spread)

    def _lose(self, keep: Mask, at: Mask, policy: str, reason: str) -> None:
        """Drop rows without a value, or count those that stay without one."""
        at = at & keep
        if policy == "drop":
            keep &= ~at
            if at.any():
                self.tally.dropped[reason] += int(at.sum())
        else:
            self.tally.implicit += int(at.sum())

    def _count(self, role: str, codes: Codes, numbers: NDArray[np.float64]) -> None:
        """Count the rows of each value."""
        if codes is None:
            values, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
        else:
            of_each = np.bincount(codes[codes >= 0], minlength=len(numbers))
            finite = np.isfinite(numbers)
            values, counts = numbers[finite], of_each[finite]
        counter = self.tally.levels.setdefault(role, Counter())
        counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    def _events(self, loaded: Loaded, columns: dict[str, Any], keep: Mask, usable: Mask) -> None:
        """The event of each row, and its weight where events have one; bad rows do not count."""
        codes, values = distinct(loaded.columns[self.positions["event"]])
        text = clean_text(values if is_text(values.type) else values.cast(pa.large_string()))
        if codes is None:
            encoded = text.dictionary_encode()
            codes, text = distinct(encoded)
        codes = np.zeros(0, dtype=np.int64) if codes is None else codes
        names = text.to_pylist()
        counted = codes[(codes >= 0) & keep & usable]
        counts = np.bincount(counted, minlength=len(names)).tolist()
        self.tally.events.update(
            {str(name): count for name, count in zip(names, counts, strict=True) if name}
        )
        columns["event"] = pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=codes < 0), text
        ).cast(pa.large_string())
        if self.choices.event_weights is None:
            return
        if "weight" in columns:
            raise InvalidRatingsError(
                "event_weights and a column of weights: leave out one of them"
            )
        known = list(dict.fromkeys([*names, *self.tally.events]))
        if not self.keep_text:
            event_weights(known, self.choices)
        given = self.choices.event_weights
        weights = np.array(
            [given.get(name, np.nan) if name else np.nan for name in names] + [np.nan]
        )
        spread = weights[codes]
        lost = np.isnan(spread) & keep & usable
        if lost.any():
            self.tally.dropped["event without a weight"] += int(lost.sum())
        keep &= ~np.isnan(spread)
        columns["weight"] = spread

    def _titles(self, loaded: Loaded, keep: Mask) -> Any:
        column = loaded.columns[self.positions["title"]]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        column = column.filter(pa.array(keep))
        if not is_text(column.type):
            column = column.cast(pa.large_string())
        return column.cast(pa.large_string())

    def judge_values(self) -> None:
        """Refuse values that may stand for none, after all rows were counted."""
        for role, counter in self.tally.levels.items():
            values = np.array(list(counter), dtype=float)
            counts = np.array(list(counter.values()), dtype=np.int64)
            self.tally.note(*refuse_unspoken(values, counts, role, self.choices))


def _spread(values: Any, codes: Codes) -> Any:
    """Values of each row; anything where there is none."""
    if codes is None:
        return values
    if isinstance(values, np.ndarray):
        if not len(values):
            return np.zeros(len(codes), dtype=values.dtype)
        return values[codes]
    if not len(values):
        return pa.array([""] * len(codes), pa.large_string())
    return values.take(pa.array(np.maximum(codes, 0)))
