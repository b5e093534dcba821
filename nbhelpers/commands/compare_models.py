"""`nbhelpers compare`: which model fits this log, asked with equal budgets and answered once."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbhelpers.commands.comparison import Comparison, health_of, honest_choice, result_table
from nbhelpers.commands.contenders import contenders_of
from nbhelpers.commands.cost_forecast import forecast_costs, what_does_not_fit
from nbhelpers.commands.model_race import MOST_TEST, MOST_VALID, race
from nbhelpers.commands.own_log import open_log
from nbhelpers.commands.progress import Progress
from nbhelpers.commands.split_choice import SplitName, choose_split, require_a_test
from nbhelpers.core.checks import require_one
from nbhelpers.core.file_in_place import replacing

MINUTES = 10.0  # that a model may take where nobody asked for it by name


def compare(
    source: Any,
    *,
    models: Sequence[str] | None = None,
    k: int = 10,
    n_trials: int = 6,
    split: SplitName = "auto",
    min_rating: float | None = None,
    memory_gb: float | None = None,
    minutes: float | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Comparison:
    """Baselines and models on one split, each with the same number of trials, tested once.

    What it will cost is said first; models that would not fit into memory or time are left out
    and named. Settings are chosen on validation rows. The best of each model is then fitted on
    training and validation rows together, and the test is opened once.

    Parameters
    ----------
    source : path, DataFrame, RatingsLog or OwnLog
        See ``open_log``.
    models : sequence of str, optional
        Left out, all that the log allows.
    k : int
        Length of the lists.
    n_trials : int
        Settings that each model may try; a model with nothing to set tries one.
    split : {"auto", "time", "last", "random"}
        See ``choose_split``.
    min_rating : float, optional
        The lowest rating that is a positive; see ``open_log``.
    memory_gb, minutes : float, optional
        What each model may take; left out, four fifths of the free memory, and 10 minutes, or any
        time where ``models`` names them. Which of all models fit depends on the machine and its
        load, so a table that has to come out again anywhere names its models.
    seed : int
        The same seed gives the same table, seconds aside.
    quiet : bool
        Print nothing.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the log is too small to hold rows out or to rank models, a model is unknown, no model
        fits into the limits, or a setting is out of its range.

    Examples
    --------
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> found = compare(ratings, models=["popularity", "EASE"], n_trials=2, quiet=True)
    >>> sorted(found.table.index), found.choice in found.table.index
    (['EASE', 'popularity'], True)
    """
    require_one(k=k, n_trials=n_trials)
    progress = Progress(quiet=quiet)
    log = open_log(source, min_rating=min_rating)
    contenders = contenders_of(models, is_timed=log.is_timed)
    chosen = choose_split(log, split=split, seed=seed)
    parts = chosen.parts
    require_a_test(parts)
    progress.say(f"positives: {log.rule}")
    progress.say(f"split: {chosen.why}; it cannot see: {chosen.cannot_see}")
    costs = forecast_costs(
        contenders,
        parts.train,
        n_trials=n_trials,
        n_valid=min(int((parts.valid.user_counts > 0).sum()), MOST_VALID),
        n_test=min(chosen.n_test_users, MOST_TEST),
        seed=seed,
    )
    if minutes is None:
        minutes = MINUTES if models is None else math.inf
    left_out = what_does_not_fit(costs, memory_gb=memory_gb, minutes=minutes)
    taking_part = [each for each in contenders if each.name not in left_out]
    if not taking_part:
        raise ValueError(
            f"no model fits into the limits: {_joined(left_out)}; raise minutes or memory_gb"
        )
    _announce(costs, left_out, progress)
    entries, failed = race(taking_part, parts, k=k, n_trials=n_trials, seed=seed, progress=progress)
    if not entries:
        raise ValueError(f"no model could be fitted: {_joined(failed)}")
    table = result_table(entries, seed=seed)
    choice, reason = honest_choice(table)
    return Comparison(
        table=table,
        choice=choice,
        reason=reason,
        settings={name: entry.settings for name, entry in entries.items()},
        health=health_of(entries, seen=parts.seen, k=k),
        costs=costs,
        left_out={**left_out, **failed},
        split=chosen.to_dict(),
        rule=log.rule,
        k=k,
        seed=seed,
        report=log.report,
    )


def write_comparison(found: Comparison, folder: str | Path) -> None:
    """Write ``comparison.json`` and ``comparison.csv``, each complete or not at all.

    Parameters
    ----------
    found : Comparison
    folder : str or Path
        Made if there is none.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, default=str) + "\n"
    for name, content in (("json", text), ("csv", found.table.to_csv())):
        with replacing(path / f"comparison.{name}") as draft:
            draft.write_text(content, encoding="utf-8")


def _announce(costs: Any, left_out: dict[str, str], progress: Progress) -> None:
    """What the race will cost, model by model, before it starts."""
    kept = costs.drop(index=list(left_out))
    progress.say(
        f"cost, timed on a sample and carried on: about {_duration(kept['seconds'].sum())}, and "
        f"{kept['megabytes'].max():,.0f} MB of memory beside the data"
    )
    for name, cost in costs.iterrows():
        verdict = f"left out, {left_out[str(name)]}" if name in left_out else ""
        progress.say(
            f"  {name}: about {_duration(cost['seconds'])}, {cost['megabytes']:,.0f} MB"
            + (f"; {verdict}" if verdict else "")
        )
    if left_out:
        progress.say(
            "  what fits depends on this machine and its load; models that are named "
            "(--model NAME) take the time they need, so that their table comes out again"
        )


def _duration(seconds: float) -> str:
    if seconds != seconds:  # NaN
        return "an unknown time"
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


def _joined(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name} {reason}" for name, reason in reasons.items())
