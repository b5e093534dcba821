"""What an audit reports: findings with evidence and cure, and what could not be checked."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

CURES = {
    "own_mapping": "build one Vocabulary and encode every part with it",
    "id_types_differ": "read the ids of all parts as one type, integers or text",
    "unknown_ids": (
        "leave these rows out and count them, or answer them with a model for unseen ids; never "
        "let all of them share the unknown row"
    ),
    "random_split": (
        "hold out each user's latest rows (leave_last_out) or the latest rows of all "
        "(temporal_split); keep a random split for data without times"
    ),
    "future_of_others": "cut at one moment for everybody: temporal_split",
    "test_in_training": "drop what repeats before you split, then split once",
    "valid_in_training": "drop what repeats before you split, then split once",
    "test_for_selection": (
        "hold out a third part: choose epochs and settings on validation rows, touch test rows once"
    ),
    "repeated_rows": "keep one row of each pair: drop_duplicates(['user_id', 'item_id'])",
    "ratings_rescaled": "compute mean and spread on training rows, and use them for every part",
    "metadata_misaligned": "match by id: align_metadata(metadata, items)",
    "features_contain_test": "compute features from training rows alone",
    "seen_listed": "mask what the user had in training and validation before the list is cut",
    "list_repeats": "list an item once, and fill the place with the next one",
    "users_without_test": "take the mean over users who have a test row",
    "users_left_out": "list every test user, or say how many are left out of the mean, and why",
    "candidates_hold_positives": "draw candidates among items that the user never had",
    "ties_favor_positives": "count a tie against the positive, or break ties at random",
    "scores_contain_target": "look for test rows or what was computed from them in the input",
    "model_saw_test": "train again, on training rows alone (and validation rows, at the end)",
}


@dataclass(frozen=True)
class Finding:
    """One fault of an evaluation.

    Attributes
    ----------
    name : str
        Which fault: a key of ``CURES``.
    says : str
        What was found, in one sentence with counts.
    certain : bool
        False for a *suspect*: the evidence is a hint, and ``says`` tells why it can be innocent.
    count : int
        How many rows, users, items or places show it.
    examples : tuple of str
        Three of them at most.
    cure : str
        What to do.
    """

    name: str
    says: str
    certain: bool = True
    count: int = 0
    examples: tuple[str, ...] = ()

    @property
    def cure(self) -> str:
        """What to do."""
        return CURES[self.name]

    def __str__(self) -> str:
        word = "fault" if self.certain else "suspect"
        shown = f"\n  E.g. {'; '.join(self.examples)}." if self.examples else ""
        return f"{word} {self.name}: {self.says}.{shown}\n  Cure: {self.cure}."


@dataclass(frozen=True)
class Audit:
    """Everything that an audit found.

    Attributes
    ----------
    findings : tuple of Finding
        Certain ones first.
    checked : tuple of str
        Faults that were looked for.
    notes : tuple of str
        What is no fault but belongs beside the result, and what could not be checked.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of the faults that were found, each once."""
        return list(dict.fromkeys(finding.name for finding in self.findings))

    def to_frame(self) -> pd.DataFrame:
        """A row for each finding.

        Returns
        -------
        DataFrame
            With ``name``, ``certain``, ``count``, ``says``, ``examples`` and ``cure``.
        """
        columns = ["name", "certain", "count", "says", "examples", "cure"]
        rows = [
            (f.name, f.certain, f.count, f.says, "; ".join(f.examples), f.cure)
            for f in self.findings
        ]
        return pd.DataFrame(rows, columns=columns)

    def __str__(self) -> str:
        lines = [self._headline(), *map(str, self.findings)]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(_html_row(finding) for finding in self.findings)
        head = "<tr><th>fault</th><th>what was found</th><th>examples</th><th>cure</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        below = f"<ul>{notes}</ul>" if notes else ""
        return f"<p>{html.escape(self._headline())}</p>{table}{below}"

    def _headline(self) -> str:
        n_certain = sum(finding.certain for finding in self.findings)
        n_suspect = len(self.findings) - n_certain
        faults = f"{n_certain} fault{'' if n_certain == 1 else 's'}"
        suspects = f"{n_suspect} suspect{'' if n_suspect == 1 else 's'}"
        kinds = f"{len(self.checked)} kind{'' if len(self.checked) == 1 else 's'} of fault"
        return f"Audit: {faults}, {suspects}; {kinds} looked for."


def report_of(
    findings: Iterable[Finding], *, checked: Iterable[str], notes: Iterable[str]
) -> Audit:
    """An audit with certain findings first."""
    ordered = sorted(findings, key=lambda finding: not finding.certain)
    return Audit(tuple(ordered), tuple(dict.fromkeys(checked)), tuple(notes))


def _html_row(finding: Finding) -> str:
    name = finding.name if finding.certain else f"{finding.name} (suspect)"
    cells = (name, finding.says, "; ".join(finding.examples), finding.cure)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
