"""What a source was read as, and what became of its rows."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nbhelpers.data.ratings_file.refusals import counted, printable


@dataclass(frozen=True)
class ReadReport:
    """What a source was read as, in numbers and words; printing it shows all.

    Attributes
    ----------
    name : str
        Of the file, or the kind of table.
    kind : str
        What it was taken for.
    n_rows_read, n_rows : int
        Rows of the source, and rows of the log made of them.
    n_users, n_items : int
    columns : dict of str to str or int
        Role to the column that plays it: its name, or its number from 1 without a header.
    ranges : dict of str to list
        Lowest and highest rating, weight and time (ISO).
    dropped : dict of str to int
        Reason to the rows lost for it.
    notes : list of str
        What was changed, assumed or left out.
    policies : dict of str to str
        What was decided about repeats, zeros and their kin.
    rejected_file : str or None
        Where rejected rows were written.
    n_also_had : int
        Pairs of a user and an item that stand only in rows that were left out.
    """

    name: str
    kind: str
    n_rows_read: int
    n_rows: int
    n_users: int
    n_items: int
    columns: Mapping[str, str | int]
    ranges: Mapping[str, Sequence[float | str]] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=list)
    policies: Mapping[str, str] = field(default_factory=dict)
    rejected_file: str | None = None
    n_also_had: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """The report as pairs of a heading and a text."""
        what = "rating" if "rating" in self.columns else "interaction"
        users, items = counted(self.n_users, "user"), counted(self.n_items, "item")
        columns = ", ".join(f"{role} = {name}" for role, name in self.columns.items())
        pairs = [
            ("source", f"{self.name}: {self.kind}"),
            ("rows", f"{counted(self.n_rows, what)} by {users} of {items}"),
            ("columns", columns),
        ]
        pairs += [(role, f"{low} to {high}") for role, (low, high) in self.ranges.items()]
        lost = self.n_rows_read - self.n_rows
        reasons = [f"{reason}: {count:,}" for reason, count in self.dropped.items()]
        pairs.append(("rows lost", "; ".join(reasons) if reasons else f"{lost:,}"))
        pairs += [(f"policy {name}", text) for name, text in self.policies.items()]
        pairs += [("note", text) for text in self.notes]
        if self.rejected_file:
            pairs.append(("rejected rows", f"written to {self.rejected_file}"))
        # a file may bring control characters and line breaks
        return [(heading, printable(text).replace("\n", " ")) for heading, text in pairs]

    def __str__(self) -> str:
        pairs = self.rows()
        width = max(len(heading) for heading, _ in pairs)
        return "\n".join(f"{heading:<{width}}  {text}" for heading, text in pairs)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(heading)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for heading, text in self.rows()
        )
        return f"<table>{cells}</table>"
