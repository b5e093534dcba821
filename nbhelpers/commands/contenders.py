"""The models that are compared, from the simplest on: how each is fitted, and what is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

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
from nbhelpers.models.item_item import ease_bytes
from nbhelpers.training.loop import without_bars

Settings = Mapping[str, Any]
Fit = Callable[..., Any]
BLOCK = 2**24  # scores that a model holds at a time, see core.recommender


@dataclass(frozen=True)
class Sizes:
    """What the cost of a model depends on."""

    n_users: int
    n_items: int
    n_positives: int
    n_pairs: int  # sum over users of the square of their positives

    @classmethod
    def of(cls, positives: Interactions) -> Sizes:
        """Sizes of some positives; users without any cost nothing."""
        counts = positives.user_counts
        return cls(
            int((counts > 0).sum()),
            positives.n_items,
            len(positives),
            int((counts.astype(np.float64) ** 2).sum()),
        )


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
    n_bytes : callable
        Memory of a fit from ``Sizes``, in bytes.
    work : callable
        Time of a fit from ``Sizes``, in any unit: two of them say how times relate.
    needs_times : bool
    """

    name: str
    what: str
    fit: Fit
    trials: Sequence[Settings]
    n_bytes: Callable[[Sizes], float]
    work: Callable[[Sizes], float]
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


def _knn_work(sizes: Sizes) -> float:
    return 2.0 * sizes.n_items**2 + sizes.n_pairs


def _knn_bytes(sizes: Sizes) -> float:
    block = max(BLOCK, sizes.n_items)
    return 20.0 * block + 24.0 * sizes.n_items * 300 + 16.0 * sizes.n_positives


def _factor_bytes(sizes: Sizes) -> float:
    return 4.0 * 64 * 4 * (sizes.n_users + sizes.n_items) + 24.0 * sizes.n_positives


def _batch_bytes(sizes: Sizes) -> float:
    return 16.0 * max(BLOCK / 4, sizes.n_items) + _factor_bytes(sizes)


# From the simplest to the least simple: "the honest choice" goes by this order.
CONTENDERS = (
    Contender(
        "popularity",
        "what most users have",
        fit_popularity,
        ({},),
        lambda sizes: 16.0 * sizes.n_positives,
        lambda sizes: sizes.n_positives,
    ),
    Contender(
        "recent popularity",
        "what most users took lately",
        fit_recent_popularity,
        tuple({"share": share} for share in (0.1, 0.03, 0.3, 0.01, 0.5, 0.003)),
        lambda sizes: 32.0 * sizes.n_positives,
        lambda sizes: sizes.n_positives,
        needs_times=True,
    ),
    Contender(
        "last items",
        "neighbors of the items that a user took last",
        fit_last_items,
        tuple({"n_last": n_last} for n_last in (5, 1, 20, 2, 10, 50)),
        _knn_bytes,
        _knn_work,
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
        _knn_bytes,
        _knn_work,
    ),
    Contender(
        "EASE",
        "one weight for each ordered pair of items, solved",
        fit_ease,
        tuple({"reg": reg} for reg in (250.0, 60.0, 1000.0, 15.0, 4000.0, 500.0)),
        lambda sizes: ease_bytes(sizes.n_items) + 16.0 * sizes.n_positives,
        lambda sizes: float(sizes.n_items) ** 3 + 170.0 * sizes.n_pairs,
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
        _factor_bytes,
        lambda sizes: sizes.n_positives + 32.0 * (sizes.n_users + sizes.n_items),
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
        _batch_bytes,
        lambda sizes: float(sizes.n_users) * sizes.n_items,
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
        lambda sizes: _batch_bytes(sizes) + 8.0 * 50 * (sizes.n_positives + sizes.n_users),
        lambda sizes: float(sizes.n_positives) * sizes.n_items,
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
