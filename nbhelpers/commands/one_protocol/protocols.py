"""The four protocols of the table: what is learned from, what is masked, and what is looked for.

A protocol has cases to choose settings by and cases to be judged by, and no row that is looked
for in the second kind comes before or among the rows of the first kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from nbhelpers.commands.one_protocol.ranking_recipes import RANKING
from nbhelpers.commands.one_protocol.rating_recipes import RATINGS
from nbhelpers.commands.one_protocol.recipe import Likes, Recipe, Stars
from nbhelpers.data.datasets.load import (
    default_dataset,
    load_items,
    load_ratings,
    load_users,
)
from nbhelpers.data.features import item_features, user_features
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.ratings import add_indices, rating_tensors
from nbhelpers.data.split_checks import require_columns
from nbhelpers.data.splits import last_like_out, random_split, temporal_split
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.beyond_accuracy import coverage
from nbhelpers.evaluation.evaluate import evaluate_ranking

LEAST = 4.0  # stars of a like
K = 10
# Shares of the ratings made by a date: settings are chosen at the first, models judged at the
# others, each on the tenth of the ratings that follows.
CHOOSING_DATES = (0.4,)
DATES = (0.5, 0.6, 0.7, 0.8, 0.9)
SEEDS = (0, 1, 2, 3, 4)


class CourseData(NamedTuple):
    """A data set, with the numbers of its users and items and their features.

    Attributes
    ----------
    name : str
    ratings : DataFrame
        With ``user_idx`` and ``item_idx`` besides the usual columns.
    users, items : Vocabulary
        All of them: some have no training row in a case.
    user_features, item_features : Tensor or None
    digest : str
        SHA-256 of everything above.
    """

    name: str
    ratings: pd.DataFrame
    users: Vocabulary
    items: Vocabulary
    user_features: Tensor | None
    item_features: Tensor | None
    digest: str


def course_data(
    ratings: pd.DataFrame,
    items: pd.DataFrame,
    people: pd.DataFrame | None = None,
    *,
    name: str = "own",
) -> CourseData:
    """A data set from its frames.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id``, ``item_id``, ``rating`` and ``timestamp``.
    items : DataFrame
        The catalog, as from ``load_items``.
    people : DataFrame, optional
        As from ``load_users``; left out, users have no features.
    name : str

    Returns
    -------
    CourseData

    Raises
    ------
    ValueError
        If a column is missing.
    KeyError
        If an item or a user is not described.
    """
    require_columns(ratings, "user_id", "item_id", "rating", "timestamp")
    users, catalog = Vocabulary(ratings["user_id"]), Vocabulary(items["item_id"])
    of_users = None if people is None else user_features(people, vocabulary=users).table
    of_items = item_features(items, vocabulary=catalog).table
    rows = add_indices(ratings, users, catalog)
    digest = hashlib.sha256()
    numbers = rows[["user_idx", "item_idx", "rating", "timestamp"]]
    digest.update(pd.util.hash_pandas_object(numbers, index=False).to_numpy().tobytes())
    for table in (of_users, of_items):
        digest.update(b"none" if table is None else table.float().numpy().tobytes())
    return CourseData(name, rows, users, catalog, of_users, of_items, digest.hexdigest())


def load_course_data(name: str | None = None) -> CourseData:
    """The data set of a name, or that of the course: ``CF_DATASET``, else ``ml-100k``.

    Raises
    ------
    ValueError
        If there is no such data set.
    DataUnavailableError
        If no source could give it; the message says how to place it by hand.
    """
    name = name or default_dataset()
    ratings, items = load_ratings(name), load_items(name)
    try:
        people = load_users(name)
    except ValueError:  # describes none
        people = None
    return course_data(ratings, items, people, name=name)


@dataclass(frozen=True, eq=False)
class RankingCase:
    """Likes to learn from, a mask, and likes to find."""

    name: str
    known: Likes
    seen: Interactions
    held_out: Interactions

    def judge(self, model: Any) -> dict[str, Any]:
        """Metrics of every user who has something to find, and coverage, as plain values."""
        scores = evaluate_ranking(model, self.held_out, seen=self.seen, k=K)
        values = {name: scores.per_user[name].tolist() for name in ("ndcg", "hit_rate", "map")}
        return {
            "users": scores.per_user["user_idx"].tolist(),
            "weights": [1] * len(scores.per_user),
            "values": values,
            "coverage": coverage(scores.lists, n_items=self.held_out.n_items),
        }


@dataclass(frozen=True, eq=False)
class RatingCase:
    """Ratings to learn from, and ratings to predict."""

    name: str
    known: Stars
    held_out: tuple[Tensor, Tensor, Tensor]

    @torch.no_grad()
    def judge(self, model: Any) -> dict[str, Any]:
        """Squared errors of every user, summed over their rows, as plain values.

        ``squared_error_known`` has those of users with a training row, and 0 of the others;
        ``n_known`` is their number of rows.
        """
        user_idx, item_idx, rating = self.held_out
        pred = model(user_idx, item_idx).double()
        if not torch.isfinite(pred).all():
            raise ValueError("a predicted rating is not finite")
        squares = (pred - rating.double()).square()
        users, row = user_idx.unique(return_inverse=True)
        n_rows = torch.bincount(row, minlength=len(users))
        total = torch.zeros(len(users), dtype=torch.float64).index_add_(0, row, squares)
        is_known = torch.isin(users, self.known.rows[0])
        return {
            "users": users.tolist(),
            "weights": n_rows.tolist(),
            "values": {
                "squared_error": total.tolist(),
                "squared_error_known": (total * is_known).tolist(),
                "n_known": (n_rows * is_known).tolist(),
            },
            "coverage": None,
        }


Case = RankingCase | RatingCase
Parts = Sequence[pd.DataFrame]


@dataclass(frozen=True)
class Protocol:
    """How models are compared.

    Attributes
    ----------
    name : str
    title : str
        For a reader.
    metric : {"NDCG@10", "MSE"}
    recipes : sequence of Recipe
    split : callable
        From the ratings, the cases to choose by and those to be judged by, each with its name and
        the rows before and after.
    seeds : sequence of sequence of int
        For each judged case: of the fits of a random model.
    """

    name: str
    title: str
    metric: str
    recipes: Sequence[Recipe]
    split: Callable[[pd.DataFrame], tuple[list[tuple[str, Parts]], list[tuple[str, Parts]]]]
    seeds: Sequence[Sequence[int]]

    def cases(self, data: CourseData) -> tuple[list[Case], list[Case]]:
        """Cases to choose settings by, and cases to be judged by."""
        make = _ranking_case if self.metric == "NDCG@10" else _rating_case
        choosing, judging = self.split(data.ratings)
        return (
            [make(data, name, *parts) for name, parts in choosing],
            [make(data, name, *parts) for name, parts in judging],
        )


def _ranking_case(
    data: CourseData, name: str, before: pd.DataFrame, after: pd.DataFrame
) -> RankingCase:
    liked = before["rating"] >= LEAST
    is_warm = after["user_id"].isin(before.loc[liked, "user_id"])
    to_find = after[is_warm & (after["rating"] >= LEAST)]
    if to_find.empty:
        raise ValueError(f"{name}: nobody who liked something before likes something after")
    return RankingCase(
        name,
        Likes(_interactions(data, before[liked]), data.user_features, data.item_features),
        _interactions(data, before),
        _interactions(data, to_find),
    )


def _interactions(data: CourseData, rows: pd.DataFrame) -> Interactions:
    return Interactions.from_frame(rows, users=data.users, items=data.items, timestamps="timestamp")


def _rating_case(
    data: CourseData, name: str, before: pd.DataFrame, after: pd.DataFrame
) -> RatingCase:
    known = Stars(
        rating_tensors(before),
        len(data.users),
        len(data.items),
        data.user_features,
        data.item_features,
    )
    return RatingCase(name, known, rating_tensors(after))


def by_date(ratings: pd.DataFrame) -> tuple[list[tuple[str, Parts]], list[tuple[str, Parts]]]:
    """What was rated before each date, and the tenth of all ratings that follows.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": range(20), "item_id": 1, "timestamp": range(20)})
    >>> choosing, judging = by_date(log)
    >>> [(name, len(before), len(after)) for name, (before, after) in choosing]
    [('40 %', 8, 2)]
    >>> judging[-1][1][1]["timestamp"].tolist()
    [18, 19]
    """

    def at(share: float) -> tuple[str, Parts]:
        if share + 0.1 > 0.999:
            return f"{share:.0%}".replace("%", " %"), temporal_split(ratings, valid_frac=0.1)
        rest = 1 - share - 0.1
        before, after, _ = temporal_split(ratings, valid_frac=0.1, test_frac=rest)
        return f"{share:.0%}".replace("%", " %"), (before, after)

    return [at(share) for share in CHOOSING_DATES], [at(share) for share in DATES]


def _last_like(ratings: pd.DataFrame) -> tuple[list[tuple[str, Parts]], list[tuple[str, Parts]]]:
    train, valid, test = last_like_out(ratings, least=LEAST, n_parts=3, rng=0)
    return [("last but one", (train, valid))], [("last", (pd.concat([train, valid]), test))]


def _at_random(ratings: pd.DataFrame) -> tuple[list[tuple[str, Parts]], list[tuple[str, Parts]]]:
    train, valid, test = random_split(ratings, valid_frac=0.1, test_frac=0.2, rng=0)
    return [("valid", (train, valid))], [("test", (pd.concat([train, valid]), test))]


# At a date each random model has one seed, and at each date another one.
_ONE_EACH = tuple((seed,) for seed in SEEDS)
PROTOCOLS = (
    Protocol("time", "Lists, global time", "NDCG@10", RANKING, by_date, _ONE_EACH),
    Protocol("last", "Lists, last like out", "NDCG@10", RANKING, _last_like, (SEEDS,)),
    Protocol("ratings-time", "Ratings, global time", "MSE", RATINGS, by_date, _ONE_EACH),
    Protocol("ratings-random", "Ratings, random 70/10/20", "MSE", RATINGS, _at_random, (SEEDS,)),
)
