"""From parts of a split of ratings to positives: what is learned from, looked for and masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.split_checks import require_columns
from nbhelpers.data.vocabulary import Vocabulary


class PositiveSplit(NamedTuple):
    """What a ranking model is trained and judged on.

    Attributes
    ----------
    users, items : Vocabulary
        All users of the parts, and the whole catalog.
    train, valid, test : Interactions
        Positives: to learn from, to choose settings by, and to be judged by, once.
    seen : Interactions
        All that was rated before the test, liked or not: the mask of a test.
    seen_by_valid : Interactions
        All that was rated before the validation part: the mask of a validation.
    n_cold : int
        Users whose held-out positives were dropped because they have no positive in training.
    """

    users: Vocabulary
    items: Vocabulary
    train: Interactions
    valid: Interactions
    test: Interactions
    seen: Interactions
    seen_by_valid: Interactions
    n_cold: int

    @property
    def known(self) -> Interactions:
        """Positives of training and validation together, to train on before a test."""
        return self.train | self.valid


def positive_split(
    parts: Sequence[pd.DataFrame], *, items: pd.DataFrame, least: float = 4.0
) -> PositiveSplit:
    """Positives and masks from the three parts of a split of *all* ratings.

    A rating of at least ``least`` is a positive. A low rating is none, but its film was *seen*, so
    lists leave it out all the same once it was made. Low ratings of the test part mask nothing,
    since a service could not have known them.

    Parameters
    ----------
    parts : sequence of three DataFrame
        ``[train, valid, test]`` with ``user_id``, ``item_id`` and ``rating``, as
        ``stratified_split``, ``last_like_out`` and ``temporal_split`` return them. Columns
        ``timestamp`` are kept where all parts have them, ratings are kept as weights.
    items : DataFrame
        The catalog by ``item_id``, one row an item, as ``load_items`` returns it.
    least : float
        The lowest rating that is a positive.

    Returns
    -------
    PositiveSplit
        ``valid`` and ``test`` hold users with a positive in ``train`` only: nothing is known
        about the others, who are counted in ``n_cold``.

    Raises
    ------
    ValueError
        If there are not three parts, a column is missing, a pair is in two parts, or a part has
        no positive.
    KeyError
        If an item is not in the catalog.

    Examples
    --------
    >>> rows = [(1, 7, 5.0), (1, 8, 2.0), (2, 7, 4.0), (2, 9, 5.0), (1, 9, 4.0)]
    >>> log = pd.DataFrame(rows, columns=["user_id", "item_id", "rating"])
    >>> films = pd.DataFrame({"item_id": [7, 8, 9], "title": ["A", "B", "C"]})
    >>> split = positive_split([log[:3], log[3:4], log[4:]], items=films)
    >>> len(split.train), len(split.known), len(split.seen)  # the low rating is seen, not liked
    (2, 3, 4)
    >>> split.test.to_frame()[["user_id", "item_id"]].values.tolist()
    [[1, 9]]
    """
    if len(parts) != 3:
        raise ValueError(f"three parts are needed, train, valid and test, got {len(parts)}")
    for part in parts:
        require_columns(part, "user_id", "item_id", "rating")
    users = Vocabulary(pd.concat([part["user_id"] for part in parts], ignore_index=True))
    catalog = Vocabulary(items["item_id"])
    timed = all("timestamp" in part.columns for part in parts)

    def interactions(rows: pd.DataFrame) -> Interactions:
        return Interactions.from_frame(
            rows,
            users=users,
            items=catalog,
            weights="rating",
            timestamps="timestamp" if timed else None,
            item_metadata=items,
        )

    liked = [part[part["rating"] >= least] for part in parts]
    for name, part in zip(("train", "valid", "test"), liked, strict=True):
        if part.empty:
            raise ValueError(f"the {name} part has no rating of {least:g} or more")
    warm = [part["user_id"].isin(liked[0]["user_id"]) for part in liked]
    dropped = pd.concat([liked[n].loc[~warm[n], "user_id"] for n in (1, 2)])
    train, valid, test = (
        interactions(part[is_warm]) for part, is_warm in zip(liked, warm, strict=True)
    )
    seen_by_valid = interactions(parts[0])
    return PositiveSplit(
        users=users,
        items=catalog,
        train=train,
        valid=valid,
        test=test,
        seen=seen_by_valid | interactions(parts[1]),
        seen_by_valid=seen_by_valid,
        n_cold=dropped.nunique(),
    )
