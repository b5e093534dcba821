"""`nbhelpers fold-in`: a list for somebody who is not in the file, from a few likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from nbhelpers.commands.list_source import as_records, known_id, known_ids
from nbhelpers.commands.model_folder import TrainedRecommender, as_recommender
from nbhelpers.core.recommender import Recommender
from nbhelpers.core.topk import checked_k
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.sequence_tower import SequenceTower
from nbhelpers.serving.fold_in import NEW_USER, fold_in_users, interactions_of_new_user
from nbhelpers.serving.recommend import recommend as recommend_ids


@dataclass(frozen=True, eq=False)
class FoldedList:
    """A list for a new user.

    Attributes
    ----------
    likes : list of raw ids
    items : DataFrame
        ``rank`` from 1, ``item_id``, ``title`` if known, ``score``.
    """

    likes: list[Any]
    items: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"likes": self.likes, "items": as_records(self.items)}

    def __str__(self) -> str:
        return str(self.items.to_string(index=False))

    __repr__ = __str__  # what a notebook shows


def fold_in(
    source: str | Path | TrainedRecommender, likes: Sequence[Any], *, k: int = 10
) -> FoldedList:
    """Best items for a new user who likes some items; nothing is trained.

    Parameters
    ----------
    source : path or TrainedRecommender
        A folder of ``nbhelpers train``.
    likes : sequence of raw ids
        As text or as in the file, at least one, each once; for a model of order the latest last.
    k : int

    Returns
    -------
    FoldedList

    Raises
    ------
    ValueError
        If there is no like, one is unknown or comes twice, or ``k`` is below 1.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nbhelpers.commands.train_model import train
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> with TemporaryDirectory() as folder:
    ...     trained = train(ratings, Path(folder, "mine"), model="EASE", n_trials=1, quiet=True)
    >>> fold_in(trained, ["9", "3"], k=5).items.shape
    (5, 3)
    """
    trained, k = as_recommender(source), checked_k(k)
    if not likes:
        raise ValueError("at least one like is required, got none")
    own = known_ids(trained.items, likes, name="item")
    interactions = interactions_of_new_user(own, trained.seen)
    folded = _folded(trained, own, interactions)
    return FoldedList(own, recommend_ids(folded, NEW_USER, seen=interactions, k=k))


def _folded(
    trained: TrainedRecommender, likes: list[Any], interactions: Interactions
) -> Recommender:
    """The model for one new user; a model of order takes the last like as the latest."""
    model = trained.model
    if not isinstance(model, SequenceTower):
        return fold_in_users(model, interactions)
    length = model.latest.shape[1]
    past = torch.full((1, length), len(trained.items))
    latest = trained.items.encode_known(likes)[::-1][:length].copy()
    past[0, : len(latest)] = torch.from_numpy(latest)
    own = SequenceTower(**{**model.settings(), "latest": past})
    own.load_state_dict(model.state_dict())
    return own.eval()


def typed_likes(source: str | Path | TrainedRecommender, typed: Sequence[str]) -> list[str]:
    """Ids from what was typed: an entry that is an id is one, any other is ids with commas."""
    items = as_recommender(source).items
    return [
        part
        for entry in typed
        for part in ([entry] if known_id(items, entry) is not None else _parts(entry))
    ]


def _parts(entry: str) -> list[str]:
    return [part.strip() for part in entry.split(",") if part.strip()]
