"""The outcome of a comparison: table, tests, the honest choice and why, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from nbhelpers.commands.contenders import NAMES
from nbhelpers.commands.list_health import Health, list_health
from nbhelpers.commands.model_race import METRIC, Entry
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.statistics import bootstrap_interval
from nbhelpers.evaluation.statistics import compare as paired_tests

FEW_USERS = 200  # of a test, below which intervals are wide
DECIDED = 0.05  # corrected p below which a difference counts
SHOWN = {"ndcg": "NDCG", "map": "MAP", "hit_rate": "HR"}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models side by side on one test.

    Attributes
    ----------
    table : DataFrame
        Indexed by model, best first: ``ndcg`` with ``low`` and ``high`` (95 % interval over
        users), ``map``, ``hit_rate``, ``behind`` (mean difference to the best), ``p_corrected``
        (of that difference, Holm), ``n_trials``, ``seconds``.
    choice : str
        The simplest model that is not decidedly worse than the best.
    reason : str
    settings : dict of str to dict
        Chosen on validation rows, by model.
    health : dict of str to Health
    costs : DataFrame
        The forecast: seconds and megabytes by model.
    left_out : dict of str to str
        Models that did not take part, and why.
    split : dict
        See ``ChosenSplit.to_dict``.
    rule : str
        What is a positive.
    k, seed : int
    report : dict
        What the file was read as.
    """

    table: pd.DataFrame
    choice: str
    reason: str
    settings: Mapping[str, Mapping[str, Any]]
    health: Mapping[str, Health]
    costs: pd.DataFrame
    left_out: Mapping[str, str]
    split: Mapping[str, Any]
    rule: str
    k: int
    seed: int
    report: Mapping[str, Any]

    @property
    def notes(self) -> list[str]:
        """What to keep in mind when reading the table."""
        n_users = self.split["n_test_users"]
        few_left = self.health[self.choice].few_left
        notes = []
        if n_users < FEW_USERS:
            open_ones = int((self.table["p_corrected"].iloc[1:] >= DECIDED).sum())
            undecided = open_ones > 0.5 * (len(self.table) - 1)
            notes.append(
                f"only {n_users:,} users could be tested: "
                + ("most differences stay undecided" if undecided else "the intervals are wide")
            )
        if few_left > 0.5:
            notes.append(
                f"{few_left:.0%} of the users have fewer than {self.k} items left, so that a list "
                "holds all of them: ask for shorter lists (k, on the command line: -k)"
            )
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can hold."""
        return {
            "choice": self.choice,
            "reason": self.reason,
            "k": self.k,
            "seed": self.seed,
            "rule": self.rule,
            "split": dict(self.split),
            "models": plain_table(self.table),
            "notes": self.notes,
            "settings": {name: dict(each) for name, each in self.settings.items()},
            "health": {name: each._asdict() for name, each in self.health.items()},
            "costs": self.costs.reset_index().to_dict("records"),
            "left_out": dict(self.left_out),
            "data": dict(self.report),
        }

    def __str__(self) -> str:
        lines = [
            f"split: {self.split['why']}",
            f"it cannot see: {self.split['cannot_see']}",
            f"positives: {self.rule}",
            "",
            shown_table(self.table, self.k),
            "",
            *(f"left out: {name}, which {reason}" for name, reason in self.left_out.items()),
            *self.notes,
            f"lists of {self.choice}: {_health_line(self.health[self.choice], self.k)}",
            f"the honest choice: {self.choice}, since {self.reason}",
        ]
        return "\n".join(lines)

    __repr__ = __str__  # what a notebook shows


def result_table(entries: Mapping[str, Entry], *, seed: int) -> pd.DataFrame:
    """Means, intervals, and tests against the best, of models on one test.

    Parameters
    ----------
    entries : mapping of str to Entry
    seed : int
        Of the tests.

    Returns
    -------
    DataFrame
        See ``Comparison.table``.
    """
    per_user = pd.DataFrame(
        {name: entry.scores.per_user[METRIC] for name, entry in entries.items()}
    )
    rows = {
        name: {
            "map": entry.scores.mean("map"),
            "hit_rate": entry.scores.mean("hit_rate"),
            "n_trials": entry.n_trials,
            "seconds": entry.seconds,
        }
        for name, entry in entries.items()
    }
    ranked = against_the_best(per_user, seed=seed).rename(columns={"value": METRIC})
    table = ranked.join(pd.DataFrame.from_dict(rows, orient="index")).rename_axis("model")
    columns = [METRIC, "low", "high", "map", "hit_rate", "behind", "p_corrected"]
    return table[[*columns, "n_trials", "seconds"]].astype({"n_trials": int})


def against_the_best(
    per_user: pd.DataFrame, *, seed: int = 0, smaller_is_better: bool = False
) -> pd.DataFrame:
    """Means, intervals, and tests against the best, of models that met the same users.

    Parameters
    ----------
    per_user : DataFrame, shape (n_users, n_models)
        A column for each model: one value of a metric for each user.
    seed : int
        Of intervals and tests.
    smaller_is_better : bool
        For an error.

    Returns
    -------
    DataFrame
        Indexed by model, best first: ``value``, its 95 % interval over users ``low`` to ``high``,
        ``behind`` (mean distance to the best, at least 0) and ``p_corrected`` (Holm).

    Examples
    --------
    >>> per_user = pd.DataFrame({"A": [0.25] * 20, "B": [0.5] * 20})
    >>> against_the_best(per_user)[["value", "behind"]]
       value  behind
    B   0.50    0.00
    A   0.25    0.25
    """
    rows = {}
    for name in per_user:
        low, high = bootstrap_interval(per_user[name].to_numpy(), rng=seed)
        rows[name] = {"value": float(per_user[name].mean()), "low": low, "high": high}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = table.sort_values("value", ascending=smaller_is_better, kind="stable")
    best, *others = table.index
    table = table.assign(behind=0.0, p_corrected=1.0)
    if others:
        pairs = [(other, best) if smaller_is_better else (best, other) for other in others]
        tests = paired_tests(per_user, pairs, rng=seed)
        table.loc[others, ["behind", "p_corrected"]] = tests[
            ["difference", "p_corrected"]
        ].to_numpy()
    return table


def honest_choice(table: pd.DataFrame) -> tuple[str, str]:
    """The simplest model that is not decidedly worse than the best, and the reason in words.

    Parameters
    ----------
    table : DataFrame
        From ``result_table``.

    Returns
    -------
    choice, reason : str

    Examples
    --------
    >>> table = pd.DataFrame({"behind": [0.0, 0.01, 0.1], "p_corrected": [1.0, 0.6, 0.001]})
    >>> honest_choice(table.set_axis(["sequence tower", "EASE", "popularity"]))[0]
    'EASE'
    """
    best = str(table.index[0])
    p_values = table["p_corrected"].to_dict()
    near = [
        name for name in NAMES if name == best or (name in p_values and p_values[name] >= DECIDED)
    ]
    choice = near[0] if near else best
    if len(table) == 1:
        return choice, "no other model took part"
    if choice == best and len(near) < 2:
        return choice, "it is the best, and every other model is decidedly worse"
    if choice == best:
        return choice, (
            f"it is the best and simpler than {', '.join(near[1:])}, whose difference to it is "
            "not decided"
        )
    behind, p = table["behind"].to_dict()[choice], p_values[choice]
    return choice, (
        f"it is the simplest whose difference to the best, {best}, is not decided "
        f"({behind:.4f} behind, corrected p {p:.2g})"
    )


def health_of(entries: Mapping[str, Entry], *, seen: Interactions, k: int) -> dict[str, Health]:
    """Health of the test lists of each model."""
    return {
        name: list_health(
            entry.scores.lists,
            torch.tensor(entry.scores.per_user["user_idx"].to_numpy()),
            seen=seen,
            k=k,
        )
        for name, entry in entries.items()
    }


def shown_table(table: pd.DataFrame, k: int) -> str:
    """The table as text, best first."""
    interval = table.apply(lambda row: f"{row['low']:.4f} to {row['high']:.4f}", axis=1)
    shown = pd.DataFrame(
        {
            f"NDCG@{k}": table["ndcg"].map("{:.4f}".format),
            "95 % over users": interval,
            f"MAP@{k}": table["map"].map("{:.4f}".format),
            f"HR@{k}": table["hit_rate"].map("{:.4f}".format),
            "behind": table["behind"].map("{:.4f}".format),
            "corrected p": table["p_corrected"].map("{:.2g}".format),
            "trials": table["n_trials"],
            "seconds": table["seconds"].map("{:,.1f}".format),
        }
    )
    return shown.rename_axis(None).to_string()


def _health_line(health: Health, k: int) -> str:
    or_all = f" or, where fewer are left ({health.few_left:.1%}), all of these"
    or_all = or_all if health.few_left else ""
    return (
        f"{health.filled:.1%} hold {k} items{or_all}, {health.n_repeats} repeats, "
        f"{health.n_already_had} items already had, {health.users_covered:.1%} of the users have "
        f"a history to go by, {health.catalog_covered:.1%} of the items are on a list, "
        f"{health.popular_share:.1%} of a list is from the most popular fifth"
    )


def plain_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table of results as plain values that JSON can hold."""
    return [
        {
            str(name): value.item() if hasattr(value, "item") else value
            for name, value in row.items()
        }
        for row in table.reset_index().to_dict("records")
    ]
