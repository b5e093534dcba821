"""From ids as they are typed to ids of a vocabulary, and lists for those nothing is known of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.commands.model_folder import TrainedRecommender
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.raw_ids import is_text
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.baselines import Popularity
from nbhelpers.serving.fold_in import NEW_USER
from nbhelpers.serving.recommend import recommend as recommend_ids

_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d*", re.ASCII)


def known_id(vocabulary: Vocabulary, typed: Any) -> Any:
    """The id that was typed, of the vocabulary's type; None if it has no such id.

    Examples
    --------
    >>> known_id(Vocabulary([7, 9]), "7"), known_id(Vocabulary([7, 9]), "x")
    (7, None)
    >>> known_id(Vocabulary(["07", "9"]), "7"), known_id(Vocabulary([7, 9]), "07")
    (None, None)
    """
    text = str(typed)
    wanted: Any = text
    if not is_text(vocabulary.ids):
        if not _WHOLE_NUMBER.fullmatch(text):  # 007 and 7.5 are no ids where 7 is one
            return None
        wanted = int(text)
    return wanted if wanted in vocabulary else None


def known_ids(vocabulary: Vocabulary, typed: Iterable[Any], *, name: str) -> list[Any]:
    """Ids that were typed, all of which must be known.

    Raises
    ------
    ValueError
        If one is unknown; the message names up to three.
    """
    pairs = [(each, known_id(vocabulary, each)) for each in typed]
    unknown = [str(each) for each, found in pairs if found is None]
    if unknown:
        first, last = vocabulary.ids[[0, -1]].tolist()
        raise ValueError(
            f"{len(unknown)} of {len(pairs)} {name}s are unknown, e.g. {', '.join(unknown[:3])}: "
            f"the file has {len(vocabulary):,} {name}s, {first!r} to {last!r}"
        )
    return [found for _, found in pairs]


def popular_list(trained: TrainedRecommender, k: int) -> pd.DataFrame:
    """What most users have, of all times: the list for somebody about whom nothing is known."""
    nobody = Interactions(
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        users=Vocabulary([NEW_USER]),
        items=trained.items,
        item_metadata=trained.seen.item_metadata,
    )
    popular = Popularity().fit(trained.likes).fold_in(nobody)
    return recommend_ids(popular, NEW_USER, seen=nobody, k=k)


def as_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a list as plain values that JSON can hold; each has a title, null if unknown."""
    described = frame if "title" in frame.columns else frame.assign(title=None)
    order = ["rank", "item_id", "title", "score"]
    columns = [*order, *(name for name in described.columns if name not in order)]
    ordered = described[[name for name in columns if name in described.columns]]
    plain = ordered.astype(object).where(ordered.notna(), None)
    return [
        {
            str(name): value.item() if hasattr(value, "item") else value
            for name, value in row.items()
        }
        for row in plain.to_dict("records")
    ]
