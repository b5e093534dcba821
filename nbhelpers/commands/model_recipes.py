"""How each contender is fitted: one function of positives and settings, with its usual recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.als import IALS
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.sequence_tower import SequenceTower, past_items
from nbhelpers.sampling.batches import UserBatches
from nbhelpers.training.fit import fit
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import full_softmax_loss
from nbhelpers.training.optimizers import one_cycle

Settings = Mapping[str, Any]
SCORES_IN_BATCH = 2**22  # scores that a training step holds: 16 MiB
STEPS_IN_EPOCH = 50  # with fewer, 20 epochs are too short for factors to form
LEAST_RECENT = 20  # positives that recent popularity counts, at least


def fit_popularity(positives: Interactions, settings: Settings) -> Popularity:
    """What most users have."""
    return Popularity().fit(positives)


def fit_recent_popularity(positives: Interactions, settings: Settings) -> Popularity:
    """What most users took in the latest ``share`` of the positives; rows of one time stay."""
    timestamps = _times(positives)
    n_recent = max(round(settings["share"] * len(positives)), min(LEAST_RECENT, len(positives)))
    start = np.partition(timestamps, len(positives) - n_recent)[len(positives) - n_recent]
    return Popularity().fit(positives[timestamps >= start])


def fit_last_items(positives: Interactions, settings: Settings) -> ItemKNN:
    """Neighbors learned from all positives, scores from each user's ``n_last`` latest ones."""
    model = ItemKNN(100).fit(positives)
    order, from_end = _in_time(positives)
    latest = np.sort(order[from_end < settings["n_last"]])
    model.seen = positives[latest].to_scipy()
    return model


def fit_item_knn(positives: Interactions, settings: Settings) -> ItemKNN:
    """Neighbors of all items that a user has."""
    return ItemKNN(**settings).fit(positives)


def fit_ease(positives: Interactions, settings: Settings) -> EASE:
    """One weight for each ordered pair of items."""
    return EASE(**settings).fit(positives)


def fit_ials(positives: Interactions, settings: Settings) -> IALS:
    """Factors solved in turn."""
    return IALS(**settings, generator=_generator()).fit(positives)


def fit_dot_product(positives: Interactions, settings: Settings) -> MatrixFactorization:
    """Factors trained with a softmax over the whole catalog, 20 epochs in one cycle."""
    n_items = positives.n_items
    model = MatrixFactorization(
        positives.n_users, n_items, n_factors=32, dropout=settings["dropout"]
    )
    n_active = int((positives.user_counts > 0).sum())
    batch_size = int(np.clip(n_active // STEPS_IN_EPOCH, 16, _most_rows(n_items)))
    batches = UserBatches(positives, batch_size=batch_size, generator=_generator())
    fit_ranking(
        model,
        batches,
        loss=full_softmax_loss,
        n_epochs=20,
        lr=settings["lr"],
        wd=settings["wd"],
        schedule=one_cycle,
    )
    return model


def fit_sequence(positives: Interactions, settings: Settings) -> SequenceTower:
    """Each choice predicted from those before it, with a softmax over the catalog."""
    order, _ = _in_time(positives)
    user_idx, item_idx = (part.numpy()[order] for part in positives.pairs())
    past, latest = past_items(
        user_idx,
        item_idx,
        n_users=positives.n_users,
        length=settings["length"],
        pad=positives.n_items,
    )
    model = SequenceTower(positives.n_items, latest, n_factors=settings["n_factors"])
    fit(
        model,
        (past, torch.from_numpy(item_idx)),
        loss=functional.cross_entropy,
        n_epochs=3,
        batch_size=_most_rows(positives.n_items, most=1024),
        lr=settings["lr"],
        wd=settings["wd"],
        schedule=one_cycle,
        generator=_generator(),
    )
    return model


def _times(positives: Interactions) -> NDArray[np.int64]:
    if positives.timestamps is None:
        raise ValueError("this model needs timestamps, and the positives have none")
    return positives.timestamps


def _in_time(positives: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions by user and then by time, and how many positives of the user come after each.

    Positives of one second are put in an order that is drawn: that of the ids often follows
    popularity.
    """
    user_idx = positives.pairs()[0].numpy()
    draw = torch.rand(len(positives), generator=_generator()).numpy()
    order = np.lexsort((draw, _times(positives), user_idx))
    end = positives.indptr[1:][user_idx[order]]
    return order, end - 1 - np.arange(len(order))


def _most_rows(n_items: int, *, most: int = 256) -> int:
    """Rows of scores of all items that a training step may hold."""
    return int(np.clip(SCORES_IN_BATCH // n_items, 16, most))


def _generator() -> torch.Generator:
    """A generator that follows torch's global one, which the caller has seeded."""
    return torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))
