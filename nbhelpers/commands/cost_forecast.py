"""What a comparison will cost, said before it starts: timed on samples and carried on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pandas as pd

from nbhelpers.commands.contenders import Contender
from nbhelpers.commands.cost_formulas import Sizes
from nbhelpers.commands.estimate_cost import Cost, estimate_cost
from nbhelpers.core.memory import free_memory
from nbhelpers.data.interactions import Interactions

SAMPLE_ROWS = 20_000  # positives of the users on whom each model is timed
USABLE = 0.8  # of the memory that is free


def forecast_costs(
    contenders: Sequence[Contender],
    positives: Interactions,
    *,
    n_trials: int,
    n_valid: int,
    n_test: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Seconds and memory of each contender, from fits of each on samples of users.

    Parameters
    ----------
    contenders : sequence of Contender
    positives : Interactions
        What is going to be trained on.
    n_trials : int
        Settings tried, at most; the chosen ones are fitted once more.
    n_valid, n_test : int
        Users whose lists are made for each trial, and for the test.
    seed : int
        Draws the users of the samples.

    Returns
    -------
    DataFrame
        Indexed by model: ``seconds``, of the CPU where one thread is used (see ``estimate_cost``),
        and ``megabytes``, by formula. Seconds are NaN where the samples could not be fitted, or
        were not, because the whole needs more memory than is free.

    Examples
    --------
    >>> from nbhelpers.commands.contenders import contenders_of
    >>> likes = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], n_users=3, n_items=3)
    >>> chosen = contenders_of(["popularity", "EASE"], is_timed=False)
    >>> costs = forecast_costs(chosen, likes, n_trials=2, n_valid=3, n_test=3)
    >>> costs.index.tolist(), bool((costs["seconds"] > 0).all())
    (['popularity', 'EASE'], True)
    """
    full, free = Sizes.of(positives), free_memory()
    rows = {}
    for contender in contenders:
        n_bytes = contender.growth.n_bytes(full, None)
        n_tried = min(n_trials, len(contender.trials))
        seconds = float("nan")
        if n_bytes < free:
            with suppress(ValueError, FloatingPointError, RuntimeError):  # the race will say why
                cost = _cost(contender, positives, n_judged=n_tried * n_valid + n_test, seed=seed)
                seconds = (n_tried + 1) * cost.fit_seconds + cost.evaluate_seconds
        rows[contender.name] = {"seconds": seconds, "megabytes": n_bytes / 1e6}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _cost(contender: Contender, positives: Interactions, *, n_judged: int, seed: int) -> Cost:
    """Of one fit with the settings that are tried first, and of judging so many users."""
    first = contender.trials[0]

    def fit(rows: Interactions, n_epochs: int | None = None) -> Any:
        sweeps = {} if n_epochs is None else {"n_iterations": n_epochs}
        return contender.fitted(rows, {**first, **sweeps}, seed=seed)

    return estimate_cost(
        fit,
        positives,
        n_epochs=contender.n_sweeps,
        n_evaluated=n_judged,
        n_listed=0,
        sample_rows=SAMPLE_ROWS,
        growth=contender.growth,
        seed=seed,
    )


def what_does_not_fit(
    costs: pd.DataFrame, *, memory_gb: float | None, minutes: float
) -> dict[str, str]:
    """Models that would take more memory or time than there is, and why, by name.

    Parameters
    ----------
    costs : DataFrame
        From ``forecast_costs``.
    memory_gb : float, optional
        Left out, four fifths of what is free now.
    minutes : float
        For each model.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ValueError
        If a limit is not above 0.

    Examples
    --------
    >>> costs = pd.DataFrame({"seconds": [5.0, 900.0], "megabytes": [70_000.0, 10.0]})
    >>> for name, reason in what_does_not_fit(
    ...     costs.set_axis(["EASE", "dot product"]), memory_gb=16, minutes=10
    ... ).items():
    ...     print(name, "-", reason)
    EASE - needs about 70 GB of memory, and 16 GB may be used
    dot product - needs about 15 minutes, and 10 are allowed
    """
    if minutes <= 0 or (memory_gb is not None and memory_gb <= 0):
        raise ValueError(f"limits must be above 0, got {memory_gb} GB and {minutes} minutes")
    usable = USABLE * free_memory() / 1e9 if memory_gb is None else memory_gb
    reasons = {}
    for name, cost in costs.iterrows():
        gigabytes, needed = cost["megabytes"] / 1000, cost["seconds"] / 60
        if gigabytes > usable:
            reasons[str(name)] = (
                f"needs about {gigabytes:,.3g} GB of memory, and {usable:,.3g} GB may be used"
            )
        elif needed > minutes:
            reasons[str(name)] = f"needs about {needed:,.0f} minutes, and {minutes:g} are allowed"
    return reasons
