"""How the time and the memory of a fit grow with the data: what is known by counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.models import item_item
from nbhelpers.models.alternating import AlternatingLeastSquares
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.item_item import CHUNK_SIZE, EASE, ItemKNN
from nbhelpers.training.optimizers import sparse_tables

SAMPLE_ITEMS = 4_000  # of models whose cost goes with pairs of items
# Bytes of the systems that alternating least squares has in memory at a time.
GRADIENT_BLOCK, EXACT_BLOCK = 16 * 2**20, 40 * 2**20
BATCH = 20 * 2**20  # bytes of a batch with its gradients
SCORES = 2**20  # scores that evaluation and lists hold at a time, at least those of one user
SCORE_BYTES = 24  # of one such score, with its masks and its place among the best


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


Terms = Callable[[Sizes], tuple[float, ...]]


def score_each_item(sizes: Sizes) -> float:
    """Work of the scores of one user: one for each item."""
    return float(sizes.n_items)


def score_from_each_positive(sizes: Sizes) -> float:
    """Work of the scores of one user that are dense sums: one for each positive and item."""
    return float(sizes.n_items) * sizes.n_positives / max(sizes.n_users, 1)


@dataclass(frozen=True)
class Probe:
    """A sample that is timed, as parts of the largest one.

    Attributes
    ----------
    rows_part, items_part : int
        One row, and one item, of so many.
    is_dense : bool
        Of the most frequent items and the most active users, in place of random ones: many
        positives a user and an item.
    """

    rows_part: int = 1
    items_part: int = 1
    is_dense: bool = False


BY_PAIRS = (Probe(1, 4), Probe(1, 2), Probe(5, 1), Probe())
BY_DENSITY = (Probe(4, 1), Probe(1, 20, is_dense=True), Probe())


@dataclass(frozen=True)
class Growth:
    """How the cost of a fit grows.

    Attributes
    ----------
    n_bytes : callable
        Of ``Sizes`` and the fitted model: what a fit holds at its peak, beside the data.
    terms : callable, optional
        Counts of work that grow in different ways, such as the pairs of items and the cube of the
        items, from ``Sizes``; the time is a sum of them, each times a number that is found by
        timing. Left out, time is a fixed part plus a part that goes with the positives, of tables
        as large as the real ones.
    score_work : callable
        How the scores of one user grow, in evaluation and for lists.
    probes : sequence of Probe
        Samples that tell the terms apart; the last one is the whole of the largest sample.
    most_items : int, optional
        Of a sample; left out, all of them.
    """

    n_bytes: Callable[[Sizes, Any], float]
    terms: Terms | None = None
    score_work: Callable[[Sizes], float] = score_each_item
    probes: Sequence[Probe] = BY_PAIRS
    most_items: int | None = SAMPLE_ITEMS


def ease_bytes(sizes: Sizes, model: Any = None) -> float:
    """What ``EASE.fit`` holds of all pairs of items, and the positives.

    Examples
    --------
    >>> ease_bytes(Sizes(1_000_000, 20_000, 0, 0)) / 1e9
    9.6
    """
    return item_item.ease_bytes(sizes.n_items) + 16.0 * sizes.n_positives


def ease_terms(sizes: Sizes) -> tuple[float, float, float]:
    """Pairs of items of one user; cells of the matrix; multiplications that invert it.

    A third of the cube of the items for the factor of Cholesky, two thirds for the inverse.
    """
    return float(sizes.n_pairs), float(sizes.n_items) ** 2, float(sizes.n_items) ** 3


def neighbor_bytes(sizes: Sizes, model: Any = None, *, n_neighbors: int | None = None) -> float:
    """A block of similarities three times over, and the neighbors that are kept."""
    n_kept = min(n_neighbors or int(getattr(model, "n_neighbors", 100)), sizes.n_items)
    block = float(min(max(CHUNK_SIZE, sizes.n_items), sizes.n_items**2))
    return 12.0 * block + 24.0 * sizes.n_items * n_kept + 16.0 * sizes.n_positives


def neighbor_terms(sizes: Sizes) -> tuple[float, float]:
    """Pairs of items of one user; pairs with a common user at most, of which the best are kept.

    Examples
    --------
    A million items of which ten users have three each, and three items that all of them have:

    >>> neighbor_terms(Sizes(10, 1_000_000, 30, 90)), neighbor_terms(Sizes(10, 3, 30, 90))
    ((90.0, 90.0), (90.0, 9.0))
    """
    return float(sizes.n_pairs), min(float(sizes.n_items) ** 2, float(sizes.n_pairs))


def factor_bytes(sizes: Sizes, model: Any = None, *, n_factors: int | None = None) -> float:
    """Rows by user and by item with their weights; all factors three times; a block of systems."""
    width: int = n_factors or int(getattr(model, "n_factors", 64))
    block = EXACT_BLOCK if getattr(model, "n_cg_steps", None) is None else GRADIENT_BLOCK
    tables = 12.0 * width * (sizes.n_users + sizes.n_items)
    return 48.0 * sizes.n_positives + tables + block


def factor_terms(sizes: Sizes) -> tuple[float, float]:
    """Positives, each of which is met twice in a sweep; systems that are solved."""
    return float(sizes.n_positives), float(sizes.n_users + sizes.n_items)


def module_bytes(sizes: Sizes, model: Any) -> float:
    """Weights, gradients and two moments of each parameter; the rows; a batch.

    A table with sparse gradients has none of its own size.
    """
    sparse = sparse_tables(model)
    numbers: int = sum(
        (3 if name in sparse else 4) * weight.numel() for name, weight in model.named_parameters()
    )
    return 4.0 * numbers + 24.0 * sizes.n_positives + BATCH


def catalog_bytes(sizes: Sizes, model: Any, *, n_kept: int = 0) -> float:
    """As ``module_bytes``, with the scores of all items in a batch, and further rows."""
    scores = 16.0 * max(2**22, sizes.n_items)
    tables = 4.0 * 64 * 4 * (sizes.n_users + sizes.n_items)
    return scores + tables + 24.0 * sizes.n_positives + 8.0 * n_kept * sizes.n_positives


def other_bytes(sizes: Sizes, model: Any) -> float:
    """Of a model of which nothing is known: two copies of the rows."""
    return 32.0 * sizes.n_positives


def counting_bytes(sizes: Sizes, model: Any = None) -> float:
    """A mask and a copy of the rows, at most."""
    return 16.0 * sizes.n_positives


def popularity_bytes(sizes: Sizes, model: Any = None) -> float:
    """Counts of the items, as numbers and as scores."""
    return 16.0 * sizes.n_items


def scoring_bytes(n_items: int) -> float:
    """Blocks of scores, in evaluation and for lists."""
    return float(SCORE_BYTES) * max(SCORES, n_items)


NEIGHBORS = Growth(neighbor_bytes, neighbor_terms)
LINEAR_ITEMS = Growth(ease_bytes, ease_terms, score_from_each_positive)


def factors_growth(n_factors: int | None = None) -> Growth:
    """Of alternating least squares, with so many factors or those of the model."""
    return Growth(
        partial(factor_bytes, n_factors=n_factors),
        factor_terms,
        probes=BY_DENSITY,
        most_items=None,
    )


FACTORS = factors_growth()
COUNTING, POPULARITY = Growth(counting_bytes), Growth(popularity_bytes)
MODULE = Growth(module_bytes)
OTHER = Growth(other_bytes)
SOFTMAX = Growth(
    catalog_bytes,
    lambda sizes: (float(sizes.n_users) * sizes.n_items, float(sizes.n_users + sizes.n_items)),
)
SEQUENCE = Growth(
    partial(catalog_bytes, n_kept=50),
    lambda sizes: (float(sizes.n_positives) * sizes.n_items, float(sizes.n_positives)),
)


def growth_of(model: object) -> Growth:
    """How the cost of a model grows, by its class.

    Examples
    --------
    >>> growth_of(EASE()) is LINEAR_ITEMS, growth_of(object()) is OTHER
    (True, True)
    """
    known: tuple[tuple[type, Growth], ...] = (
        (EASE, LINEAR_ITEMS),
        (ItemKNN, NEIGHBORS),
        (AlternatingLeastSquares, FACTORS),
        (Popularity, POPULARITY),
        (nn.Module, MODULE),
    )
    return next((growth for kind, growth in known if isinstance(model, kind)), OTHER)
