"""`nbhelpers reproduce-table`: the table of all models under one protocol, rebuilt from nothing."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from torch import nn

from nbhelpers.commands.comparison import against_the_best, plain_table
from nbhelpers.commands.model_race import best_trial
from nbhelpers.commands.one_protocol.fit_cache import FitCache, code_version, library_versions
from nbhelpers.commands.one_protocol.protocols import (
    PROTOCOLS,
    Case,
    CourseData,
    Protocol,
    load_course_data,
)
from nbhelpers.commands.one_protocol.recipe import Likes, Recipe, Settings
from nbhelpers.commands.one_protocol.table_text import LEFT_OUT, NAME, protocol_markdown
from nbhelpers.commands.progress import Progress
from nbhelpers.core.checks import require_one
from nbhelpers.core.file_in_place import replacing

N_TRIALS = 3
FITS = "fits"  # the folder of the cache, inside that of the table
# What models that are solved in closed form learn; popularity learns ``item_counts`` alone.
PARAMETERS = (
    "mean",
    "user_bias",
    "item_bias",
    "user_factors",
    "item_factors",
    "user_weights",
    "item_weights",
    "similarity",
)


@dataclass(frozen=True)
class Fit:
    """One model to be fitted and judged: of which settings, on which case, from which seed."""

    protocol: Protocol
    recipe: Recipe
    settings: Settings
    case: Case
    seed: int
    is_test: bool

    def key(self, data: CourseData) -> dict[str, Any]:
        """What the result depends on, all of it."""
        return {
            "model": self.recipe.name,
            "settings": dict(self.settings),
            "seed": self.seed,
            "protocol": self.protocol.name,
            "case": self.case.name,
            "part": "test" if self.is_test else "valid",
            "data": data.digest,
            "code": code_version(self.protocol.metric),
            "libraries": library_versions(),
        }

    def run(self) -> dict[str, Any]:
        """Fit and judge; of a trial, only the sum and the weight of the metric are kept."""
        started, worked = time.perf_counter(), time.process_time()
        model = self.recipe.fitted(self.case.known, self.settings, seed=self.seed)
        fit_seconds = time.process_time() - worked
        judged = self.case.judge(model)
        seconds = {"fit_seconds": fit_seconds, "seconds": time.perf_counter() - started}
        if self.is_test:
            return {**judged, **seconds, "n_parameters": n_numbers(model)}
        values = judged["values"][_column(self.protocol)]
        return {"total": sum(values), "weight": sum(judged["weights"]), **seconds}


@dataclass(frozen=True, eq=False)
class ProtocolTable:
    """Every model of the course under one protocol.

    Attributes
    ----------
    table : DataFrame
        A row for each protocol and model, best first in each protocol: see ``table_text.COLUMNS``.
    left_out : dict of str to str
        What did not take part, and why.
    n_fitted, n_stored : int
        Fits that were made now, and that were found from an earlier run.
    refused : list of str
        Files of the cache that were not believed and made again.
    """

    table: pd.DataFrame
    left_out: Mapping[str, str]
    n_fitted: int
    n_stored: int
    refused: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can hold."""
        return {
            "rows": plain_table(self.table.set_index("protocol")),
            "left_out": dict(self.left_out),
            "n_fitted": self.n_fitted,
            "n_stored": self.n_stored,
            "refused": list(self.refused),
        }

    def __str__(self) -> str:
        return protocol_markdown(self.table, left_out=self.left_out)

    __repr__ = __str__


def reproduce_table(
    out: str | Path | None = None,
    *,
    data: CourseData | None = None,
    protocols: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    n_trials: int = N_TRIALS,
    quiet: bool = False,
) -> ProtocolTable:
    """All models of the course on the same splits, with equal budgets, each tested once.

    Every model tries the same number of settings on validation rows; the best one is fitted
    again, random models from several seeds, and meets the test. With ``out`` each fit is kept
    there, so that a run that was killed goes on where it stopped, to the same table.

    Parameters
    ----------
    out : str or Path, optional
        Folder for ``protocol_table.csv``, ``protocol_table.md`` and the results of the fits; made
        if there is none. Left out, nothing is written.
    data : CourseData, optional
        Left out, the data set of the variable ``CF_DATASET``, else MovieLens-100K.
    protocols : sequence of str, optional
        Names among ``time``, ``last``, ``ratings-time`` and ``ratings-random``; left out, all.
    models : sequence of str, optional
        Names of models, capitals do not matter; left out, all.
    n_trials : int
        Settings that each model may try; a model with nothing to set tries one.
    quiet : bool
        Print nothing.

    Returns
    -------
    ProtocolTable

    Raises
    ------
    ValueError
        If a protocol or a model is unknown, none is left, or the data set is too small.
    DataUnavailableError
        If the data set cannot be had; the message says how to place it by hand.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> from nbhelpers.commands.one_protocol.protocols import course_data
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> small = make_ratings(80, 40, 1500, rng=0)
    >>> data = course_data(small.ratings, small.items)
    >>> found = reproduce_table(
    ...     data=data, protocols=["last"], models=["popularity", "EASE"], quiet=True
    ... )
    >>> found.table[["model", "trials", "fits"]].sort_values("model").values.tolist()
    [['EASE', 3, 1], ['popularity', 1, 1]]
    """
    require_one(n_trials=n_trials)
    chosen = _chosen(protocols, models)
    data = data or load_course_data()
    progress = Progress(quiet=quiet)
    cache = None if out is None else FitCache(Path(out) / FITS)
    run = _Run(data, cache, progress, n_trials)
    tables = run.tables(chosen)
    table = pd.concat(tables, ignore_index=True).assign(dataset=data.name)
    refused = [] if cache is None else cache.refused
    found = ProtocolTable(table, {**LEFT_OUT, **run.failed}, run.n_fitted, run.n_stored, refused)
    for name in refused:
        progress.say(f"not believed and made again: {name}")
    if out is not None:
        write_protocol_table(found, Path(out))
    return found


def write_protocol_table(found: ProtocolTable, folder: Path) -> None:
    """Write ``protocol_table.csv`` and ``protocol_table.md``, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / NAME) as draft:
        found.table.to_csv(draft, index=False)
    with replacing((folder / NAME).with_suffix(".md")) as draft:
        draft.write_text(f"{found}\n", encoding="utf-8")


def _chosen(
    protocols: Sequence[str] | None, models: Sequence[str] | None
) -> list[tuple[Protocol, list[Recipe]]]:
    """Protocols that are asked for, each with its models that are asked for."""
    names = [protocol.name for protocol in PROTOCOLS]
    strange = [name for name in protocols or () if name not in names]
    if strange:
        raise ValueError(f"no protocol is called {strange[0]!r}: choose among {', '.join(names)}")
    kept = [each for each in PROTOCOLS if protocols is None or each.name in protocols]
    spelled = {recipe.name.lower() for protocol in kept for recipe in protocol.recipes}
    wanted = None if models is None else {name.lower() for name in models}
    strange = [name for name in models or () if name.lower() not in spelled]
    if strange:
        reason = LEFT_OUT.get(strange[0])
        known = sorted({recipe.name for protocol in kept for recipe in protocol.recipes})
        raise ValueError(
            f"{strange[0]} is left out: {reason}"
            if reason
            else f"no model is called {strange[0]!r}: choose among {', '.join(known)}"
        )
    pairs = [
        (
            each,
            [recipe for recipe in each.recipes if wanted is None or recipe.name.lower() in wanted],
        )
        for each in kept
    ]
    return [(protocol, recipes) for protocol, recipes in pairs if recipes]


class _Run:
    """One call: what is fitted, counted and told."""

    def __init__(
        self, data: CourseData, cache: FitCache | None, progress: Progress, n_trials: int
    ) -> None:
        self.data, self.cache, self.progress, self.n_trials = data, cache, progress, n_trials
        self.failed: dict[str, str] = {}
        self.n_fitted = self.n_stored = 0
        self.expected = self.spent = 0.0  # seconds of the fits made so far
        self.left = 0.0  # seconds of the fits to come, as the recipes expect them

    def tables(self, chosen: Sequence[tuple[Protocol, list[Recipe]]]) -> list[pd.DataFrame]:
        """A table for each protocol."""
        plans = [(each, recipes, *each.cases(self.data)) for each, recipes in chosen]
        total = sum(self._count(*plan) for plan in plans)
        self.left = sum(self._forecast(*plan) for plan in plans)
        self.progress.say(
            f"{total:,} fits, of which those of an earlier run are not made again: at most "
            f"{_minutes(self.left)} on one core that has nothing else to do"
        )
        tables = []
        with self.progress.bar(total, unit="fit") as bar:
            for plan in plans:
                tables.append(self._table(*plan, bar=bar))
        return tables

    def _table(
        self,
        protocol: Protocol,
        recipes: Sequence[Recipe],
        choosing: list[Case],
        judging: list[Case],
        *,
        bar: Any,
    ) -> pd.DataFrame:
        rows, per_user = {}, {}
        for recipe in recipes:
            bar.set_description(f"{protocol.name}: {recipe.name}")
            try:
                best, settings, n_tried = self._choose(protocol, recipe, choosing, bar)
                results = []
                for case, seed in _judged(protocol, recipe, judging):
                    fit = Fit(protocol, recipe, settings, case, seed, is_test=True)
                    results.append((case.name, self._result(fit)))
                    bar.update()
            except (ValueError, FloatingPointError, RuntimeError, MemoryError) as error:
                reason = f"could not be fitted: {error}".splitlines()[0]
                self.failed[f"{recipe.name} ({protocol.name})"] = reason
                continue
            merged = _merged(results, protocol)
            per_user[recipe.name] = merged[0]
            rows[recipe.name] = {
                "taught_in": recipe.taught_in,
                "trials": n_tried,
                "fits": len(results),
                **merged[1],
                "settings": json.dumps(dict(settings), sort_keys=True),
            }
            self.progress.say(
                f"  {protocol.name}, {recipe.name}: {protocol.metric} {best:.4f} on validation"
                f"{self._to_come()}"
            )
        if not rows:
            raise ValueError(f"no model could be fitted: {self.failed}")
        ranked = against_the_best(
            pd.DataFrame(per_user), smaller_is_better=protocol.metric == "MSE"
        )
        ranked = ranked.rename_axis("model").join(pd.DataFrame.from_dict(rows, orient="index"))
        ranked.insert(0, "metric", protocol.metric)
        ranked.insert(0, "n_users", len(next(iter(per_user.values()))))
        return ranked.reset_index().assign(protocol=protocol.name)

    def _choose(
        self, protocol: Protocol, recipe: Recipe, choosing: Sequence[Case], bar: Any
    ) -> tuple[float, Settings, int]:
        """The best of the settings on the validation rows of all choosing cases together."""

        def value(settings: Settings) -> float:
            total = weight = 0.0
            for case in choosing:
                found = self._result(Fit(protocol, recipe, settings, case, 0, is_test=False))
                total, weight = total + found["total"], weight + found["weight"]
                bar.update()
            return total / weight

        trials = recipe.trials[: self.n_trials]
        return best_trial(trials, value, smaller_is_better=protocol.metric == "MSE")

    def _result(self, fit: Fit) -> dict[str, Any]:
        key = fit.key(self.data)
        stored = None if self.cache is None else self.cache.get(key)
        expected = self._expected(fit.recipe, fit.case)
        self.left -= expected
        if stored is not None:
            self.n_stored += 1
            return stored
        result = fit.run()
        if self.cache is not None:
            self.cache.put(key, result)
        self.n_fitted += 1
        self.expected, self.spent = self.expected + expected, self.spent + result["seconds"]
        return result

    def _expected(self, recipe: Recipe, case: Case) -> float:
        """Seconds of a fit: those of the recipe, by the number of training rows."""
        metric = "NDCG@10" if isinstance(case.known, Likes) else "MSE"
        return recipe.seconds * _n_rows(case) / _USUAL_ROWS[metric]

    def _count(
        self,
        protocol: Protocol,
        recipes: Sequence[Recipe],
        choosing: list[Case],
        judging: list[Case],
    ) -> int:
        trials = [len(recipe.trials[: self.n_trials]) for recipe in recipes]
        return sum(
            n_trials * len(choosing) + len(list(_judged(protocol, recipe, judging)))
            for n_trials, recipe in zip(trials, recipes, strict=True)
        )

    def _forecast(
        self,
        protocol: Protocol,
        recipes: Sequence[Recipe],
        choosing: list[Case],
        judging: list[Case],
    ) -> float:
        seconds = 0.0
        for recipe in recipes:
            n_trials = len(recipe.trials[: self.n_trials])
            seconds += n_trials * sum(self._expected(recipe, case) for case in choosing)
            judged = _judged(protocol, recipe, judging)
            seconds += sum(self._expected(recipe, case) for case, _ in judged)
        return seconds

    def _to_come(self) -> str:
        if not self.spent or self.left < 1:
            return ""
        return f"; {_minutes(self.left * self.spent / self.expected)} to come"


_USUAL_ROWS = {"NDCG@10": 54_000, "MSE": 75_000}  # on which ``Recipe.seconds`` was measured


def _n_rows(case: Case) -> int:
    known = case.known
    return len(known.positives) if isinstance(known, Likes) else len(known.rows[0])


def _judged(
    protocol: Protocol, recipe: Recipe, judging: Sequence[Case]
) -> Iterator[tuple[Case, int]]:
    """Case and seed of each fit that meets the test; without chance one seed is enough."""
    for case, seeds in zip(judging, protocol.seeds, strict=True):
        for seed in seeds if recipe.is_random else (0,):
            yield case, seed


def _column(protocol: Protocol) -> str:
    return "ndcg" if protocol.metric == "NDCG@10" else "squared_error"


def _merged(
    results: Sequence[tuple[str, dict[str, Any]]], protocol: Protocol
) -> tuple[pd.Series[float], dict[str, Any]]:
    """One value of the metric for each user, and what else is shown, from the fits of a model.

    Seeds of a case are averaged. A user of several cases counts once in a table of lists, with
    the mean of the cases. In a table of ratings a user's value is the sum of the squared errors,
    scaled so that the mean over users is the mean over rows.
    """
    frames = [
        pd.DataFrame({**found["values"], "weight": found["weights"]}, index=found["users"]).assign(
            case=case, fit=number
        )
        for number, (case, found) in enumerate(results)
    ]
    rows = pd.concat(frames).rename_axis("user").reset_index()
    by_case = rows.groupby(["user", "case"]).mean().drop(columns="fit")
    column = _column(protocol)
    shown: dict[str, Any] = {}
    if protocol.metric == "MSE":
        by_user = by_case.groupby("user").sum()
        per_user = by_user[column] / by_user["weight"].sum() * len(by_user)
        known = by_user[["squared_error_known", "n_known"]].sum()
        shown["mse_known"] = known.iloc[0] / known.iloc[1] if known.iloc[1] else np.nan
        shown["share_known"] = known.iloc[1] / by_user["weight"].sum()
    else:
        by_user = by_case.groupby("user").mean()
        per_user = by_user[column]
        shown["hit_rate"], shown["map"] = by_user["hit_rate"].mean(), by_user["map"].mean()
        shown["coverage"] = float(np.mean([found["coverage"] for _, found in results]))
    of_fits = rows.groupby("fit")[[column, "weight"]].sum()
    values = of_fits[column] / of_fits["weight"]
    several = len({case for case, _ in results}) < len(results)  # seeds of one case
    shown["seed_low"] = values.min() if several else np.nan
    shown["seed_high"] = values.max() if several else np.nan
    shown["fit_seconds"] = float(np.mean([found["fit_seconds"] for _, found in results]))
    shown["n_parameters"] = int(max(found["n_parameters"] for _, found in results))
    return per_user, shown


def n_numbers(model: Any) -> int:
    """Numbers that a model has learned, without what it keeps of the data, such as who has what.

    Examples
    --------
    >>> from nbhelpers.models.ncf import GMF
    >>> n_numbers(GMF(943, 1682, n_factors=8))
    21009
    """
    if isinstance(model, nn.Module):
        return sum(weight.numel() for weight in model.parameters())
    names = [name for name in model.learned if name in PARAMETERS] or ["item_counts"]
    learned = [getattr(model, name) for name in names]
    return sum(
        each.nnz if issparse(each) else math.prod(getattr(each, "shape", ())) for each in learned
    )


def _minutes(seconds: float) -> str:
    return f"about {seconds:,.0f} s" if seconds < 120 else f"about {seconds / 60:,.0f} minutes"
