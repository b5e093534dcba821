"""The app on MovieLens, out of the box: two models, their dial measured, ages to begin with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from nbhelpers.app.catalog import Catalog
from nbhelpers.app.dial import price_of_dial
from nbhelpers.app.service import Group, Service
from nbhelpers.data.datasets.load import load_items, load_ratings, load_users
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import stratified_split
from nbhelpers.data.vocabulary import Vocabulary, align_metadata
from nbhelpers.models.als import IALS
from nbhelpers.models.item_item import EASE

LIKED = 4.0  # stars
AGES = (
    (0, 17, "under 18"),
    (18, 24, "18 to 24"),
    (25, 34, "25 to 34"),
    (35, 44, "35 to 44"),
    (45, 54, "45 to 54"),
    (55, 120, "55 and older"),
)


def movielens_service(name: str | None = None) -> Service:
    """Service for MovieLens ratings: iALS and EASE, trained on all likes.

    What the dial costs is measured first, with models that know four fifths of the likes.

    Parameters
    ----------
    name : str, optional
        Of the data set, as for ``load_ratings``.

    Returns
    -------
    Service
    """
    ratings, films = load_ratings(name), load_items(name)
    likes = ratings[ratings["rating"] >= LIKED]
    users, items = Vocabulary(ratings["user_id"]), Vocabulary(films["item_id"])

    def positives(rows: pd.DataFrame) -> Interactions:
        return Interactions.from_frame(rows, users=users, items=items)

    everything = positives(likes)
    train, held_out = map(positives, stratified_split(likes, valid_frac=0.2, rng=0))
    models = {"iALS": _ials(everything), "EASE": EASE(reg=200.0).fit(everything)}
    return Service(
        Catalog(items, everything.item_counts, align_metadata(films, items)),
        models,
        people=everything,
        had=positives(ratings),
        groups=_groups(likes, items, load_users(name)),
        price=price_of_dial(_ials(train), held_out, seen=train),
        title="Which film next?",
        about=f"Learned from {len(likes):,} likes (4 and 5 stars) of {len(users.ids):,} people.",
    )


def _ials(train: Interactions) -> IALS:
    generator = torch.Generator().manual_seed(0)
    return IALS(32, unobserved_weight=0.3, reg=0.015, generator=generator).fit(train)  # lesson 06


def _groups(likes: pd.DataFrame, items: Vocabulary, people: pd.DataFrame) -> list[Group]:
    """Likes of each film within each age, where ages are known."""
    if "age" not in people.columns:
        return []
    aged = likes.merge(people[["user_id", "age"]], on="user_id")
    found = []
    for youngest, oldest, name in AGES:
        rows = aged.loc[aged["age"].between(youngest, oldest), "item_id"]
        counts = np.bincount(items.encode_known(rows), minlength=len(items.ids))
        found.append(Group(name, counts))
    return [group for group in found if group.counts.any()]
