"""Twelve questions to a table of results, and what their answers leave of it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

ANSWERS = ("yes", "no", "not said")


class Question(NamedTuple):
    """One question to a table; ``about`` says what falls with a "no"."""

    key: str
    about: str
    asks: str


QUESTIONS = (
    Question("order", "number", "Are the test rows later than the training rows, as in use?"),
    Question("seen", "number", "Do the lists leave out what a person already has?"),
    Question("catalog", "number", "Is the whole catalog ranked, and not a sample of it?"),
    Question("ids", "number", "Does one mapping of ids serve all parts and the metadata?"),
    Question("selection", "number", "Were epochs and settings chosen without the test rows?"),
    Question("protocol", "race", "Were all models judged on the same people and rows?"),
    Question("baselines", "race", "Are popularity and a simple personal model in the table?"),
    Question("budget", "race", "Did all models get the same number of trials?"),
    Question("seeds", "difference", "Is the spread over several seeds or draws shown?"),
    Question("interval", "difference", "Does the difference have an interval or a paired test?"),
    Question("users", "difference", "Are there enough people to find such a difference?"),
    Question("meaning", "difference", "Is the difference told in items or people?"),
)
VERDICTS = {
    "number": "the numbers answer another question than the table says: measure again",
    "race": "the race was not fair: which model is better is open",
    "difference": "the difference may be luck or too small to matter: undecided",
    "not said": "nothing speaks against it yet: ask for what is not said",
    "yes": "nothing speaks against it",
}


@dataclass(frozen=True, eq=False)
class Judgement:
    """What is left of a table; it prints as the questions, their answers and the verdict.

    Attributes
    ----------
    table : DataFrame
        A row for each question, indexed by its key: ``about``, ``asks`` and ``answer``.
    verdict : str
    """

    table: pd.DataFrame
    verdict: str

    def keys_of(self, answer: str) -> list[str]:
        """Keys of the questions with this answer."""
        return self.table.index[self.table["answer"] == answer].tolist()

    def __str__(self) -> str:
        lines = []
        for about, rows in self.table.groupby("about", sort=False):
            lines.append(f"The {about}")
            lines += [f"{row.answer:>8}  {row.asks}" for row in rows.itertuples()]
        return "\n".join([*lines, f"Verdict: {self.verdict}."])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = self.table[["about", "asks", "answer"]].to_html()
        return f"{shown}<p>Verdict: {html.escape(self.verdict)}.</p>"


def judge(answers: Mapping[str, str]) -> Judgement:
    """Hold a published table against twelve questions.

    The questions stand in an order of weight. A "no" to one about the *number* leaves nothing to
    compare. A "no" about the *race* leaves open which model is better, and one about the
    *difference* whether there is any.

    Parameters
    ----------
    answers : mapping of str to {"yes", "no", "not said"}
        By the key of each question in ``QUESTIONS``; a key that is left out is "not said". A
        question that does not apply, such as seeds where nothing is random, is a "yes".

    Returns
    -------
    Judgement

    Raises
    ------
    KeyError
        If there is no such question.
    ValueError
        If an answer is none of the three.

    Examples
    --------
    >>> judge({"order": "yes", "baselines": "no"}).verdict
    'the race was not fair: which model is better is open'
    >>> judge({"order": "yes"}).keys_of("not said")[:3]
    ['seen', 'catalog', 'ids']
    """
    keys = [question.key for question in QUESTIONS]
    unknown = [key for key in answers if key not in keys]
    if unknown:
        raise KeyError(f"no question is called {unknown[0]!r}: choose among {', '.join(keys)}")
    wrong = [answer for answer in answers.values() if answer not in ANSWERS]
    if wrong:
        raise ValueError(f"an answer must be one of {', '.join(ANSWERS)}, got {wrong[0]!r}")
    table = pd.DataFrame(QUESTIONS).set_index("key")
    table["answer"] = [answers.get(key, "not said") for key in keys]
    refused = table.loc[table["answer"] == "no", "about"]
    if len(refused):
        return Judgement(table, VERDICTS[refused.iloc[0]])
    return Judgement(table, VERDICTS["yes" if (table["answer"] == "yes").all() else "not said"])
