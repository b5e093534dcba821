"""What is counted and noted while the rows of a source are converted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What was counted and noted while rows were converted, batch after batch.

    Attributes
    ----------
    n_rows : int
        Of the source, bad ones included.
    dropped : Counter of str
        Rows lost by reason.
    implicit : int
        Rows that are kept without a rating.
    levels : dict of str to Counter of float
        Rows by rating and by weight.
    events : Counter of str
    notes : list of str
    forms : dict of str to str
        How times and decimals are written, once this is known.
    """

    n_rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    implicit: int = 0
    levels: dict[str, Counter[float]] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    forms: dict[str, str] = field(default_factory=dict)

    def note(self, *notes: str) -> None:
        """Add notes that are new."""
        self.notes += [note for note in notes if note not in self.notes]
