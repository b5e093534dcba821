"""`nbhelpers train`: the chosen model, or a named one, refitted on everything and stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbhelpers import __version__
from nbhelpers.commands.compare_models import compare
from nbhelpers.commands.contenders import contenders_of
from nbhelpers.commands.item_titles import with_titles
from nbhelpers.commands.model_folder import (
    TrainedRecommender,
    check_target,
    likes_of,
    load_recommender,
    save_recommender,
)
from nbhelpers.commands.own_log import OwnLog, open_log
from nbhelpers.commands.progress import Progress
from nbhelpers.commands.split_choice import SplitName, TooSmallError
from nbhelpers.data.vocabulary import Vocabulary


def train(
    source: Any,
    out: str | Path,
    *,
    model: str | None = None,
    titles: str | Path | pd.DataFrame | None = None,
    comparison: str | Path | Mapping[str, Any] | None = None,
    n_trials: int = 6,
    split: SplitName = "auto",
    min_rating: float | None = None,
    memory_gb: float | None = None,
    minutes: float | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> TrainedRecommender:
    """Fit a model on all positives of a log and write it with all that its lists need.

    Settings come from a comparison: an earlier one, or one that is made now, of the named model
    alone or of all models. The model is then fitted on every positive, the test rows included.
    Of a log too small to rank models, popularity or the named model is fitted untested, and the
    settings say so (``is_tested``).

    Parameters
    ----------
    source : path, DataFrame, RatingsLog or OwnLog
        See ``open_log``.
    out : str or Path
        New, empty, or a model folder, which is then replaced in one step.
    model : str, optional
        Left out, the honest choice of the comparison.
    titles : path or DataFrame, optional
        Titles of the items where the log has none: see ``with_titles``.
    comparison : path or dict, optional
        ``comparison.json`` of ``nbhelpers compare --out``, or the folder that holds it.
    n_trials, split, min_rating, memory_gb, minutes, seed, quiet
        As for ``compare``.

    Returns
    -------
    TrainedRecommender

    Raises
    ------
    ValueError
        If ``out`` holds something else, the comparison does not know the model or is of another
        log, or ``compare`` refuses.
    OSError
        If ``out`` cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> with TemporaryDirectory() as folder:
    ...     trained = train(ratings, Path(folder, "mine"), model="EASE", n_trials=1, quiet=True)
    >>> trained.name, trained.model
    ('EASE', EASE(reg=250.0): 80 users, 40 items)
    """
    check_target(out)
    progress = Progress(quiet=quiet)
    log = open_log(source, min_rating=min_rating)
    if titles is not None:
        log = replace(log, catalog=with_titles(log.catalog, titles))
    if comparison is None:
        found = _compared(
            log,
            model,
            n_trials=n_trials,
            split=split,
            memory_gb=memory_gb,
            minutes=minutes,
            seed=seed,
            progress=progress,
        )
    else:
        found = _comparison_of(comparison, log)
    spelled = {each.lower(): each for each in found["settings"]}
    name = spelled.get(model.lower(), model) if model else str(found["choice"])
    if name not in found["settings"]:
        raise ValueError(
            f"the comparison has no settings of {name!r}: choose among "
            f"{', '.join(found['settings'])}, or leave the comparison out"
        )
    chosen = found["settings"][name]
    users, items = Vocabulary(log.rows["user_id"]), Vocabulary(log.rows["item_id"])
    likes = likes_of(log, users, items)
    progress.say(f"{name} {dict(chosen)}: fitted on all {len(likes):,} positives")
    (contender,) = contenders_of([name], is_timed=log.is_timed)
    fitted = contender.fitted(likes, chosen, seed=seed)
    settings = {
        "model": name,
        "settings": dict(chosen),
        "seed": seed,
        "rule": log.rule,
        "min_rating": log.min_rating,
        "split": found["split"],
        "is_tested": found["split"] is not None,
        "comparison": found,
        "nbhelpers": __version__,
    }
    save_recommender(out, fitted, log, settings=settings)
    progress.say(f"written to {out}")
    return load_recommender(out)


def _compared(
    log: OwnLog, model: str | None, *, progress: Progress, **settings: Any
) -> Mapping[str, Any]:
    """A comparison that is made now; of a tiny log the settings that would be tried first."""
    names = None if model is None else [model]
    try:
        return compare(log, models=names, quiet=progress.quiet, **settings).to_dict()
    except TooSmallError as error:
        (contender,) = contenders_of(names or ["popularity"], is_timed=log.is_timed)
        progress.say(f"{error}: {contender.name} is taken untested, as it is set before any search")
        return {
            "choice": contender.name,
            "reason": f"{error}: nothing was tested",
            "settings": {contender.name: dict(contender.trials[0])},
            "split": None,
            "rule": log.rule,
        }


def _comparison_of(source: str | Path | Mapping[str, Any], log: OwnLog) -> Mapping[str, Any]:
    """An earlier comparison, if it is one and of this log."""
    if isinstance(source, Mapping):
        found = source
    else:
        path = Path(source)
        path = path / "comparison.json" if path.is_dir() else path
        if not path.is_file():
            raise ValueError(f"there is no comparison {path}: name what compare --out wrote")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no comparison: name what compare --out wrote") from error
    if not {"choice", "settings", "split", "rule"} <= set(found):
        raise ValueError("a comparison needs choice, settings, split and rule: compare again")
    if found["rule"] != log.rule:
        raise ValueError(
            f"the comparison is of another log: there {found['rule']}; here {log.rule}"
        )
    return found
