"""Rows that cannot be used: the first one is told, or all of them are kept aside in a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.opened import Loaded
from nbhelpers.data.ratings_file.parsed import MISSING, Parsed
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, counted, shown_value

MOST_REJECTED = 0.5  # share of the rows


@dataclass(frozen=True)
class BadCells:
    """Rows with one kind of problem in one column.

    Attributes
    ----------
    rows : ndarray of int64
        Positions in the table.
    column : str
    position : int
        Of the column.
    reason, cure : str
    """

    rows: NDArray[np.int64]
    column: str
    position: int
    reason: str
    cure: str


@dataclass
class BadRows:
    """All bad rows of a table, or of a batch of it.

    Attributes
    ----------
    loaded : Loaded
    cells : list of BadCells
    """

    loaded: Loaded
    cells: list[BadCells] = field(default_factory=list)

    def add(
        self, parsed: Parsed, codes: NDArray[np.int64] | None, *, column: str, position: int
    ) -> None:
        """Note the rows whose values have problems."""
        for problem in parsed.problems:
            bad = problem.bad if codes is None else np.append(problem.bad, False)[codes]
            at = np.flatnonzero(bad)
            if len(at):
                self.cells.append(BadCells(at, column, position, problem.reason, problem.cure))

    def usable(self) -> NDArray[np.bool_]:
        """Which rows have no problem."""
        usable = np.ones(self.loaded.n_rows, dtype=bool)
        for cells in self.cells:
            usable[cells.rows] = False
        return usable

    def usable_at(self, position: int | None) -> NDArray[np.bool_]:
        """Which rows have no problem in one column."""
        usable = np.ones(self.loaded.n_rows, dtype=bool)
        for cells in self.cells:
            if cells.position == position:
                usable[cells.rows] = False
        return usable

    def stop(self) -> None:
        """Refuse the first bad row, if there is one.

        Raises
        ------
        InvalidRatingsError
        """
        odd = min(self.loaded.odd_rows, key=lambda row: row.number, default=None)
        worst = min(self.cells, key=lambda cells: int(cells.rows[0]), default=None)
        row = 0 if worst is None else int(self.loaded.row_numbers(worst.rows[:1])[0])
        if odd is not None and (worst is None or odd.number < row):
            raise InvalidRatingsError(
                f"row {odd.number} {odd.reason}: check the delimiter and quotes of "
                f"{odd.text[:40]!r}{_others(len(self.loaded.odd_rows))}{_SKIP}"
            )
        if worst is None:
            return
        value = _cell(self.loaded.columns[worst.position], int(worst.rows[0]))
        shown = "the value" if worst.reason == MISSING else shown_value(value)
        raise InvalidRatingsError(
            f"row {row}, column {worst.column}: {shown} {worst.reason}{_others(len(worst.rows))}: "
            f"{worst.cure}{_SKIP}"
        )

    def to_frame(self, shown: Mapping[str, int]) -> pd.DataFrame:
        """One line for each bad row: its number, what is wrong, and its cells.

        Parameters
        ----------
        shown : mapping of str to int
            Columns of the source by name, and their positions.

        Returns
        -------
        DataFrame
            ``row``, ``column``, ``value``, ``reason``, then the columns of the source.
        """
        parts = [self._frame_of(cells, shown) for cells in self.cells]
        odd = self.loaded.odd_rows
        if odd:
            parts.append(
                pd.DataFrame(
                    {
                        "row": [row.number for row in odd],
                        "column": "",
                        "value": [row.text for row in odd],
                        "reason": [row.reason for row in odd],
                    }
                )
            )
        if not parts:
            return pd.DataFrame({"row": [], "column": [], "value": [], "reason": []})
        frame = pd.concat(parts, ignore_index=True).drop_duplicates("row")
        return frame.sort_values("row", ignore_index=True)

    def _frame_of(self, cells: BadCells, shown: Mapping[str, int]) -> pd.DataFrame:
        at = pa.array(cells.rows)
        texts = {
            f"cell {name}": _text(self.loaded.columns[position].take(at))
            for name, position in shown.items()
        }
        value = _text(self.loaded.columns[cells.position].take(at))
        numbers = self.loaded.row_numbers(cells.rows)
        return pd.DataFrame(
            {
                "row": numbers,
                "column": cells.column,
                "value": value,
                "reason": cells.reason,
                **texts,
            }
        )


def refuse_too_many(n_rejected: int, n_rows: int, first: str) -> None:
    """Refuse a source of which most rows are bad: it was read in a wrong way.

    Parameters
    ----------
    n_rejected, n_rows : int
    first : str
        What is wrong with the first of them.

    Raises
    ------
    InvalidRatingsError
    """
    if n_rejected > MOST_REJECTED * n_rows:
        raise InvalidRatingsError(
            f"{n_rejected:,} of {counted(n_rows, 'row')} are bad ({first}): more than half is too "
            "many to skip, check which columns were taken"
        )


def write_rejected(frame: pd.DataFrame, path: Path, *, replaces: bool = True) -> Path:
    """Write bad rows as CSV, whole or not at all.

    Parameters
    ----------
    frame : DataFrame
    path : Path
    replaces : bool
        Whether another file of this name may go; if not, the rows go to the next free name.

    Returns
    -------
    Path
        Where they are.

    Raises
    ------
    InvalidRatingsError
        If the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                frame.to_csv(file, index=False)
            if not replaces:
                path = _free(path, Path(name).read_bytes())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InvalidRatingsError(
            f"rejected rows cannot be written to {path} ({error.strerror}): say rejected=... "
            "(on the command line: --rejected FILE) for another file"
        ) from error
    return path


def _free(path: Path, content: bytes) -> Path:
    """The first of NAME.csv, NAME.2.csv, ... that is not there, or holds the same."""
    names = (path if n == 1 else path.with_suffix(f".{n}{path.suffix}") for n in count(1))
    return next(each for each in names if not each.exists() or each.read_bytes() == content)


_SKIP = " (on_bad='skip', on the command line --on-bad skip, leaves such rows out)"


def _others(count: int) -> str:
    return f" ({count:,} such rows)" if count > 1 else ""


def _cell(column: Any, at: int) -> Any:
    return column[at].as_py()


def _text(column: Any) -> pd.Series[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text: pd.Series[Any] = column.to_pandas().astype(object).reset_index(drop=True)
    return text
