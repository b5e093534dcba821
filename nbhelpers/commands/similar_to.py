"""`nbhelpers similar`: items like an item, by the trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.commands.list_source import as_records, known_ids
from nbhelpers.commands.model_folder import TrainedRecommender, as_recommender
from nbhelpers.core.recommender import Explains, HasVectors
from nbhelpers.core.topk import checked_k
from nbhelpers.serving.fold_in import fold_in_user
from nbhelpers.serving.ids import described_items
from nbhelpers.serving.similar import similar_items

SHRINKAGE = 10.0  # a vector learned from ten positives counts half


@dataclass(frozen=True, eq=False)
class SimilarItems:
    """Items like an item.

    Attributes
    ----------
    item_id : object
    items : DataFrame
        ``rank`` from 1, ``item_id``, ``title`` if known, ``score``.
    how : str
        What "like" means here.
    """

    item_id: Any
    items: pd.DataFrame
    how: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"item_id": self.item_id, "items": as_records(self.items), "how": self.how}

    def __str__(self) -> str:
        return f"{self.how}\n{self.items.to_string(index=False)}"

    __repr__ = __str__  # what a notebook shows


def similar(source: str | Path | TrainedRecommender, item_id: Any, *, k: int = 10) -> SimilarItems:
    """Items that the model places near an item.

    Parameters
    ----------
    source : path or TrainedRecommender
        A folder of ``nbhelpers train``.
    item_id : raw id
        As text or as in the file.
    k : int

    Returns
    -------
    SimilarItems

    Raises
    ------
    ValueError
        If the item is unknown or nobody likes it, or ``k`` is below 1.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nbhelpers.commands.train_model import train
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> with TemporaryDirectory() as folder:
    ...     trained = train(ratings, Path(folder, "mine"), model="EASE", n_trials=1, quiet=True)
    >>> similar(trained, 9, k=2).how
    'what EASE would list for somebody who has this item alone'
    """
    trained, k = as_recommender(source), checked_k(k)
    (known,) = known_ids(trained.items, [item_id], name="item")
    row = int(trained.items.encode_known([known])[0])
    if not trained.likes.item_counts[row]:
        raise ValueError(f"item {item_id} has no positive in the file: nothing is known of it")
    model = trained.model
    if isinstance(model, HasVectors):
        items = similar_items(
            model,
            known,
            items=trained.seen,
            k=k,
            support=trained.likes.item_counts,
            min_support=1,
            shrinkage=SHRINKAGE,
        )
        how = f"cosine of the vectors of {trained.name}, shrunk where few users speak for it"
        return SimilarItems(known, items, how)
    if isinstance(model, Explains):
        items = fold_in_user(model, [known], items=trained.seen, k=k)
        how = f"what {trained.name} would list for somebody who has this item alone"
        return SimilarItems(known, items[items["score"] > 0], how)
    how = f"share of users in common (cosine), since {trained.name} compares no items"
    return SimilarItems(known, _by_common_users(trained, row, k), how)


def _by_common_users(trained: TrainedRecommender, row: int, k: int) -> pd.DataFrame:
    """Items with the highest cosine of their columns of users."""
    likes = trained.likes.to_scipy()
    common = np.asarray(likes[trained.likes.users_of(row)].sum(axis=0)).ravel()
    counts = np.maximum(trained.likes.item_counts, 1).astype(float)
    cosine = common / np.sqrt(counts * counts[row])
    cosine[row] = 0.0
    best = np.argsort(-cosine, kind="stable")[:k]
    best = best[cosine[best] > 0]
    frame = described_items(best, trained.seen)
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    return frame.assign(score=cosine[best])
