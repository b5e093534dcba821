"""The models that are compared, from the simplest on: how each is fitted, and what is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from nbhelpers.commands.cost_formulas import (
    COUNTING,
    LINEAR_ITEMS,
    SEQUENCE,
    SOFTMAX,
    Growth,
    factor_bytes,
    neighbor_bytes,
    neighbor_terms,
)
from nbhelpers.commands.model_recipes import (
    fit_dot_product,
    fit_ease,
    fit_ials,
    fit_item_knn,
    fit_last_items,
    fit_popularity,
    fit_recent_popularity,
    fit_sequence,
)
from nbhelpers.data.interactions import Interactions
from nbhelpers.training.loop import without_bars

Settings = Mapping[str, Any]
Fit = Callable[..., Any]


@dataclass(frozen=True)
class Contender:
    """A model that takes part.

    Attributes
    ----------
    name : str
    what : str
        How it ranks, in a few words.
    fit : callable
        ``fit(positives, settings)`` gives a fitted model.
    trials : sequence of dict
        Settings in the order in which they are tried.
    growth : Growth
        How time and memory of a fit grow, for the largest of the trials.
    n_sweeps : int, optional
        Of a fit that can be done with fewer, by the setting ``n_iterations``.
    needs_times : bool
    """

    name: str
    what: str
    fit: Fit
    trials: Sequence[Settings]
    growth: Growth
    n_sweeps: int | None = None
    needs_times: bool = False

    def fitted(self, positives: Interactions, settings: Settings, *, seed: int) -> Any:
        """A model of these settings; the seed decides it, and no global generator moves.

        No bar is drawn: a comparison draws one over all of its fits.
        """
        return seeded_fit(self.fit, positives, settings, seed=seed)


def seeded_fit(fit: Fit, known: Any, settings: Settings, *, seed: int) -> Any:
    """``fit(known, settings)`` decided by the seed: no global generator moves, no bar is drawn."""
    with torch.random.fork_rng(devices=[]), without_bars():
        torch.manual_seed(seed)
        return fit(known, settings)


NEAREST = Growth(partial(neighbor_bytes, n_neighbors=300), neighbor_terms)

# From the simplest to the least simple: "the honest choice" goes by this order.
CONTENDERS = (
    Contender(
        "popularity",
        "what most users have",
        fit_popularity,
        ({},),
        COUNTING,
    ),
    Contender(
        "recent popularity",
        "what most users took lately",
        fit_recent_popularity,
        tuple({"share": share} for share in (0.1, 0.03, 0.3, 0.01, 0.5, 0.003)),
        COUNTING,
        needs_times=True,
    ),
    Contender(
        "last items",
        "neighbors of the items that a user took last",
        fit_last_items,
        tuple({"n_last": n_last} for n_last in (5, 1, 20, 2, 10, 50)),
        NEAREST,
        needs_times=True,
    ),
    Contender(
        "ItemKNN",
        "neighbors of all items that a user has",
        fit_item_knn,
        (
            {"n_neighbors": 100, "power": 0.5, "shrinkage": 0.0},
            {"n_neighbors": 20, "power": 0.5, "shrinkage": 0.0},
            {"n_neighbors": 100, "power": 0.3, "shrinkage": 0.0},
            {"n_neighbors": 300, "power": 0.5, "shrinkage": 10.0},
            {"n_neighbors": 20, "power": 0.3, "shrinkage": 0.0},
            {"n_neighbors": 100, "power": 0.7, "shrinkage": 0.0},
        ),
        NEAREST,
    ),
    Contender(
        "EASE",
        "one weight for each ordered pair of items, solved",
        fit_ease,
        tuple({"reg": reg} for reg in (250.0, 60.0, 1000.0, 15.0, 4000.0, 500.0)),
        LINEAR_ITEMS,
    ),
    Contender(
        "IALS",
        "factors of users and items, solved in turn; takes weights",
        fit_ials,
        (
            {"n_factors": 32, "unobserved_weight": 0.5, "reg": 0.01},
            {"n_factors": 64, "unobserved_weight": 0.5, "reg": 0.01},
            {"n_factors": 16, "unobserved_weight": 0.8, "reg": 0.01},
            {"n_factors": 32, "unobserved_weight": 0.1, "reg": 0.003},
            {"n_factors": 64, "unobserved_weight": 1.3, "reg": 0.015},
            {"n_factors": 16, "unobserved_weight": 0.2, "reg": 0.05},
        ),
        Growth(partial(factor_bytes, n_factors=64)),
        n_sweeps=15,
    ),
    Contender(
        "dot product",
        "factors of users and items, trained against all items; takes weights",
        fit_dot_product,
        (
            {"lr": 0.014, "wd": 0.2, "dropout": 0.0},
            {"lr": 0.03, "wd": 0.04, "dropout": 0.3},
            {"lr": 0.02, "wd": 0.4, "dropout": 0.0},
            {"lr": 0.05, "wd": 0.2, "dropout": 0.3},
            {"lr": 0.007, "wd": 0.1, "dropout": 0.0},
            {"lr": 0.03, "wd": 0.8, "dropout": 0.0},
        ),
        SOFTMAX,
    ),
    Contender(
        "sequence tower",
        "a user is the sum of their latest items, in order",
        fit_sequence,
        (
            {"length": 20, "n_factors": 32, "lr": 0.02, "wd": 0.01},
            {"length": 50, "n_factors": 32, "lr": 0.02, "wd": 0.1},
            {"length": 10, "n_factors": 64, "lr": 0.02, "wd": 0.01},
            {"length": 20, "n_factors": 64, "lr": 0.01, "wd": 0.1},
            {"length": 5, "n_factors": 32, "lr": 0.02, "wd": 0.1},
            {"length": 50, "n_factors": 64, "lr": 0.005, "wd": 0.01},
        ),
        SEQUENCE,
        needs_times=True,
    ),
)
NAMES = tuple(contender.name for contender in CONTENDERS)


def contenders_of(names: Sequence[str] | None, *, is_timed: bool) -> list[Contender]:
    """The contenders with some names, or all that the log allows, from the simplest on.

    Parameters
    ----------
    names : sequence of str, optional
        Left out, all; those that need times only where times are known. Capitals do not matter.
    is_timed : bool

    Returns
    -------
    list of Contender

    Raises
    ------
    ValueError
        If a name is unknown, or a named one needs times that are not known.

    Examples
    --------
    >>> [each.name for each in contenders_of(["EASE", "popularity"], is_timed=False)]
    ['popularity', 'EASE']
    """
    if names is not None:
        spelled = {name.lower(): name for name in NAMES}
        names = [spelled.get(name.lower(), name) for name in names]
    strange = [name for name in names or () if name not in NAMES]
    if strange:
        raise ValueError(f"no model is called {strange[0]!r}: choose among {', '.join(NAMES)}")
    named = [each for each in CONTENDERS if names is None or each.name in names]
    timeless = [each for each in named if each.needs_times and not is_timed]
    if names is not None and timeless:
        raise ValueError(
            f"{timeless[0].name} needs times, and the log has none: leave it out, or name the "
            "column of the times"
        )
    return [each for each in named if each not in timeless]
