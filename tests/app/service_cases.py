"""A small world for the app: two tastes, titles that attack, people with histories."""

import numpy as np
import pandas as pd
import torch

from nbhelpers.app.catalog import Catalog
from nbhelpers.app.service import Group, Service
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import IALS
from nbhelpers.models.item_item import EASE

ATTACK = "<img src=x onerror=alert(1)> & 'friends'"
FORMULA = '=HYPERLINK("http://x","y")'


def checkerboard(n_users=40, n_items=30, *, n_missing=6):
    """Even users like even items, odd like odd; each misses some of theirs."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(n_users):
        own = np.arange(user % 2, n_items, 2)
        kept = rng.permutation(own)[: len(own) - n_missing]
        rows += [(f"person-{user}", 100 + item) for item in kept]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def make_service(**changes):
    log = checkerboard()
    users, items = Vocabulary(log["user_id"]), Vocabulary(np.arange(100, 130))
    train = Interactions.from_frame(log, users=users, items=items)
    titles = [f"Film {item} ({1970 + item})" for item in range(30)]
    titles[2], titles[4] = ATTACK, FORMULA
    genres = ["Comedy|Drama" if item % 2 else "Horror" for item in range(30)]
    films = pd.DataFrame({"item_id": items.ids, "title": titles, "genres": genres})
    generator = torch.Generator().manual_seed(0)
    models = {
        "iALS": IALS(2, reg=0.01, generator=generator).fit(train),
        "EASE": EASE(reg=1.0).fit(train),
    }
    odd = np.where(np.arange(30) % 2, train.item_counts, 0)
    settings = {
        "people": train,
        "groups": [Group("odd people", odd)],
        "price": pd.DataFrame({"strength": [0.0, 1.0], "kept": [1.0, 0.8], "head": [0.5, 0.2]}),
        "title": "Which <film> next?",
        "about": "A small world.",
    }
    return Service(Catalog(items, train.item_counts, films), models, **{**settings, **changes})
