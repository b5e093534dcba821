"""An epoch's training rows, each positive with four negatives: vectorized against a loop.

Both draw exact negatives, with other random numbers; so the result to agree on is the number of
rows whose label is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.sampling.negatives import ExactNegatives
from tests.benchmarks.measure import Benchmark, Case

SEED, N_NEGATIVES = 42, 4
Rows = tuple[Tensor, Tensor, Tensor]


def benchmark() -> Benchmark:
    """Rows of one epoch on all ratings of the default data set."""
    ratings = load_ratings()[["user_id", "item_id"]]
    users, items = Vocabulary(ratings.user_id), Vocabulary(ratings.item_id)
    interactions = Interactions.from_frame(ratings, users=users, items=items)
    frame = pd.DataFrame(dict(zip(("user", "item"), interactions.pairs(), strict=True)))
    cases = [
        Case("ExactNegatives, one call", partial(one_call, interactions)),
        Case("building Interactions first", partial(from_frame, ratings, users, items), 0.0),
        Case("a Python loop with a set of pairs", partial(loop, frame), 0.0),
    ]
    title = (
        f"Sampling: training rows of one epoch, {len(interactions):,} positives with "
        f"{N_NEGATIVES} negatives each"
    )
    return Benchmark(title, cases, "rows with the right label", partial(n_right, interactions))


def one_call(interactions: Interactions) -> Callable[[], Rows]:
    """Ours, the sampler being there from the epoch before."""
    sampler, generator = ExactNegatives(interactions), torch.Generator().manual_seed(SEED)

    def run() -> Rows:
        user_idx, item_idx = interactions.pairs()
        negatives = sampler(user_idx, n_negatives=N_NEGATIVES, generator=generator)
        items = torch.cat([item_idx.unsqueeze(1), negatives], dim=1)  # (n_positives, 1 + n)
        labels = torch.zeros(items.shape)
        labels[:, 0] = 1.0
        users = user_idx.repeat_interleave(1 + N_NEGATIVES)
        return users, items.flatten(), labels.flatten()

    return run


def from_frame(ratings: pd.DataFrame, users: Vocabulary, items: Vocabulary) -> Callable[[], Rows]:
    """Ours, from the frame of ids on."""

    def run() -> Rows:
        return one_call(Interactions.from_frame(ratings, users=users, items=items))()

    return run


def loop(frame: pd.DataFrame) -> Callable[[], Rows]:
    """What public notebooks do: draw one item at a time until it is no positive."""
    np.random.seed(SEED)  # noqa: NPY002  such notebooks use the global generator

    def run() -> Rows:
        users, items, labels = [], [], []
        all_items = frame["item"].unique()
        positives = set(zip(frame["user"], frame["item"], strict=True))
        for user, item in positives:
            users.append(user)
            items.append(item)
            labels.append(1)
            for _ in range(N_NEGATIVES):
                drawn = np.random.choice(all_items)  # noqa: NPY002
                while (user, drawn) in positives:
                    drawn = np.random.choice(all_items)  # noqa: NPY002
                users.append(user)
                items.append(drawn)
                labels.append(0)
        return torch.tensor(users), torch.tensor(items), torch.tensor(labels)

    return run


def n_right(interactions: Interactions, rows: Rows) -> float:
    """Rows labelled 1 that are positives, and rows labelled 0 that are none."""
    user_idx, item_idx, labels = rows
    return float((interactions.contains(user_idx, item_idx) == labels.bool()).sum())
