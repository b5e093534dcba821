"""One pipeline with five switches: faults that move the number it prints, alone or together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbhelpers.core.recommender import Recommender, scores_of
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import PositiveSplit, positive_split
from nbhelpers.data.split_checks import require_columns
from nbhelpers.data.splits import Rng, last_like_out
from nbhelpers.data.vocabulary import Vocabulary, align_metadata
from nbhelpers.evaluation.evaluate import evaluate_ranking, evaluate_unmasked
from nbhelpers.evaluation.report import RankingScores

# What each fault is called by ``audit``.
NAMES_IN_AUDIT: Mapping[str, str] = MappingProxyType(
    {
        "own_mapping": "own_mapping",
        "random_split": "random_split",
        "test_for_stopping": "test_for_selection",
        "seen_unmasked": "seen_listed",
        "misaligned_metadata": "metadata_misaligned",
    }
)
FAULTS = tuple(NAMES_IN_AUDIT)

Judge = Callable[[Recommender], float]
Fit = Callable[[Interactions, Tensor | None, Judge], Recommender]


@dataclass(frozen=True, eq=False)
class PipelineRun:
    """What a pipeline prints, what its model is worth later, and what an audit can look at.

    Attributes
    ----------
    faults : tuple of str
        Those switched on, in the order of ``FAULTS``.
    printed : RankingScores
        What the pipeline says of itself, on its own test rows. Its ``user_idx`` are rows of the
        pipeline's map for the test: see ``per_user``.
    later : RankingScores
        The same model, graded without a fault on each user's like after all that any pipeline
        has: by id, without what the user had before.
    notes : tuple of str
        Faults that were switched on and could do nothing, with the reason.
    parts : tuple of three DataFrame
        Train, validation and test rows as the pipeline uses them. The second is the test again
        if the epoch was chosen on it.
    model : Recommender
    users, items : tuple of Vocabulary
        One for all parts, or one for each.
    features : Tensor of float32, shape (n_items, n_features), or None
        Row k is what the model reads for item index k.
    metadata : DataFrame or None
        As given.
    """

    faults: tuple[str, ...]
    printed: RankingScores = field(repr=False)
    later: RankingScores = field(repr=False)
    notes: tuple[str, ...]
    parts: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame] = field(repr=False)
    model: Recommender = field(repr=False)
    users: tuple[Vocabulary, ...] = field(repr=False)
    items: tuple[Vocabulary, ...] = field(repr=False)
    features: Tensor | None = field(repr=False)
    metadata: pd.DataFrame | None = field(repr=False)

    @property
    def per_user(self) -> pd.DataFrame:
        """``printed.per_user`` with ``user_id`` in place of ``user_idx``."""
        table = self.printed.per_user
        ids = self.users[-1].ids[table["user_idx"]]
        return table.drop(columns="user_idx").assign(user_id=ids)

    @property
    def lists(self) -> pd.DataFrame:
        """What was recommended, best first: ``user_id``, ``item_id`` and ``rank``."""
        table = self.printed.lists.numpy()  # (n_users, k)
        known = (table >= 0) & (table < len(self.items[0]))  # of a row without an id, none
        user, place = np.nonzero(known)
        user_ids = self.users[-1].ids[self.printed.per_user["user_idx"]]
        return pd.DataFrame(
            {
                "user_id": user_ids[user],
                "item_id": self.items[0].ids[table[known]],
                "rank": place + 1,
            }
        )

    @property
    def evidence(self) -> dict[str, Any]:
        """Arguments for ``audit(*run.parts, run.model, **run.evidence)``."""
        return {
            "users": self.users,
            "items": self.items,
            "lists": self.lists,
            "per_user": self.per_user[["user_id"]],
            "k": self.printed.k,
            "item_metadata": self.metadata,
            "features": self.features,
        }


def run_pipeline(
    ratings: pd.DataFrame,
    fit: Fit,
    *,
    faults: Iterable[str] = (),
    metadata: pd.DataFrame | None = None,
    least: float = 4.0,
    metric: str = "hit_rate",
    k: int = 10,
    rng: Rng,
) -> PipelineRun:
    """Split, train and grade a model with any of five faults, and grade it once more without.

    First each user's last like, and all that came after it, is put aside: that is *later*, and no
    pipeline sees it. Of the rows before, the honest pipeline holds out each user's latest like as
    the test and the like before it for validation, numbers users and items by one map, describes
    items by id, chooses epochs on validation rows, and lists nothing that the user had. Each
    fault changes one of these:

    - ``"own_mapping"``: train, validation and test get a map from ids to rows each, made from
      their own rows;
    - ``"random_split"``: test and validation are two likes of each user drawn at random;
    - ``"test_for_stopping"``: ``judge`` looks at test rows;
    - ``"seen_unmasked"``: what a user had stays in the lists, of ``judge`` too;
    - ``"misaligned_metadata"``: row k of ``metadata`` describes index k, whatever its id is.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id``, ``item_id``, ``rating`` and ``timestamp``.
    fit : callable
        ``fit(train, features, judge)`` gives a trained model. ``train`` holds the positives,
        ``features`` are a Tensor of float32, shape (n_items, n_features), or None without
        ``metadata``. ``judge(model)`` is the mean ``metric`` of the lists of a model in training:
        call it after each epoch to choose one, or never. Seeds are yours: take the same in each
        call, and the runs differ by their faults only.
    faults : iterable of str
        Names among ``FAULTS``. A list or a set, not one string.
    metadata : DataFrame, optional
        ``item_id`` and columns of numbers, one row for each item, in the order of a file.
    least : float
        The lowest rating that is a like.
    metric : str
        Of ``RankingScores``, for ``judge``.
    k : int
        Length of the lists.
    rng : int or Generator
        Orders rows of one second, and draws the random split.

    Returns
    -------
    PipelineRun

    Raises
    ------
    ValueError
        If a fault is unknown, a column is missing, metadata are no finite numbers, or a part is
        empty.
    KeyError
        If an item has no row of metadata.

    Examples
    --------
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> from nbhelpers.models.item_item import EASE
    >>> def fit(train, features, judge):
    ...     return EASE(100).fit(train)
    >>> log = make_ratings(60, 40, 1_200, rng=0).ratings
    >>> clean = run_pipeline(log, fit, rng=0)
    >>> unmasked = run_pipeline(log, fit, faults=["seen_unmasked"], rng=0)
    >>> clean.printed.mean("hit_rate") > unmasked.printed.mean("hit_rate")
    True
    >>> clean.later.mean("hit_rate") == unmasked.later.mean("hit_rate")  # one and the same model
    True
    >>> run_pipeline(log, fit, faults=["test_for_stopping"], rng=0).notes
    ('test_for_stopping: fit chose nothing by judge, so it had nothing to spoil',)
    """
    chosen = _checked(faults)
    generators = np.random.default_rng(rng).spawn(2)
    log, rows_later = last_like_out(ratings.reset_index(drop=True), least=least, rng=generators[0])
    catalog = _catalog(ratings, metadata)
    parts = _three_parts(log, least, at_random="random_split" in chosen, rng=generators[1])
    split = positive_split(parts, items=catalog, least=least)
    data = _own_rows(parts, least) if "own_mapping" in chosen else _shared_rows(split)
    features, moved = _features(metadata, data, by_row="misaligned_metadata" in chosen)
    on_test = "test_for_stopping" in chosen
    lists = _Lists(masked="seen_unmasked" not in chosen, k=k)
    calls = []

    def judge(model: Recommender) -> float:
        calls.append(on_test)
        pairs = (data.test, data.seen) if on_test else (data.valid, data.seen_by_valid)
        return lists.grade(model, *pairs).mean(metric)

    model = fit(data.train, features, judge)
    notes = _idle(chosen, judged=bool(calls), moved=moved)
    train, valid, test = parts
    return PipelineRun(
        faults=chosen,
        printed=lists.grade(model, data.test, data.seen),
        later=_grade_later(model, data, (log, rows_later), catalog, k=k, least=least),
        notes=notes,
        parts=(train, test if on_test and calls else valid, test),
        model=model,
        users=data.users,
        items=data.items,
        features=features,
        metadata=metadata,
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """The rows of a pipeline by index, and its maps: one for all parts, or one for each."""

    users: tuple[Vocabulary, ...]
    items: tuple[Vocabulary, ...]
    train: Interactions
    valid: Interactions
    test: Interactions
    seen: Interactions
    seen_by_valid: Interactions


class _Lists:
    """How a pipeline grades a model: on the whole catalog, with or without what a user had."""

    def __init__(self, *, masked: bool, k: int) -> None:
        self.masked, self.k = masked, k

    def grade(
        self, model: Recommender, held_out: Interactions, seen: Interactions
    ) -> RankingScores:
        """A held-out pair that is among the seen ones, as rows of two maps can be, is lost."""
        if not self.masked:
            return evaluate_unmasked(model, held_out, k=self.k)
        if not seen.contains(*held_out.pairs()).any():
            return evaluate_ranking(model, held_out, seen=seen, k=self.k)
        return evaluate_unmasked(_Masked(model, seen), held_out, k=self.k)


class _Masked:
    """Scores of a model, with seen items below all others."""

    def __init__(self, model: Recommender, seen: Interactions) -> None:
        self.model, self.seen = model, seen

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Scores, shape (batch, n_items)."""
        scores = scores_of(self.model, user_idx, n_items=self.seen.n_items).cpu()
        below = scores.amin(dim=1, keepdim=True) - 1
        return torch.where(self.seen.dense(user_idx.cpu()), below, scores)


class _ById:
    """A model of other rows, asked by the rows of the honest maps; what it lacks comes last."""

    def __init__(self, model: Recommender, data: _Data, split_users: Vocabulary, items: Vocabulary):
        self.model, self.n_items = model, data.train.n_items
        self.user_rows = torch.from_numpy(data.users[0].encode(split_users.ids))
        item_rows = torch.from_numpy(data.items[0].encode(items.ids))
        self.known = item_rows < data.items[0].unknown  # (n_honest_items,)
        self.item_rows = item_rows[self.known]

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Scores, shape (batch, n_honest_items)."""
        scores = scores_of(self.model, self.user_rows[user_idx.cpu()], n_items=self.n_items).cpu()
        last = scores.amin(dim=1, keepdim=True) - 1
        table = last.repeat(1, len(self.known))
        table[:, self.known] = scores[:, self.item_rows]
        return table


def _checked(faults: Iterable[str]) -> tuple[str, ...]:
    """Names of faults in their order."""
    given = {faults} if isinstance(faults, str) else set(faults)
    strange = sorted(given - set(FAULTS))
    if strange or isinstance(faults, str):
        raise ValueError(f"faults must be a list of names from {list(FAULTS)}, got {faults!r}")
    return tuple(name for name in FAULTS if name in given)


def _catalog(ratings: pd.DataFrame, metadata: pd.DataFrame | None) -> pd.DataFrame:
    """The ids of all items."""
    if metadata is None:
        return ratings[["item_id"]].drop_duplicates()
    require_columns(metadata, "item_id")
    numbers = metadata.drop(columns="item_id")
    numeric = numbers.select_dtypes(["number", "bool"]).columns
    if len(numeric) < numbers.shape[1] or not np.isfinite(numbers.to_numpy(dtype=float)).all():
        raise ValueError(
            f"metadata must hold item_id and finite numbers, got {dict(numbers.dtypes)!s:.80}"
        )
    return metadata[["item_id"]]


def _three_parts(
    log: pd.DataFrame, least: float, *, at_random: bool, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train, validation and test rows; rows of one time are ordered at random."""
    timed = log.assign(timestamp=0) if at_random else log
    train, valid, test = last_like_out(timed, least=least, n_parts=3, rng=rng)
    return log.loc[train.index], log.loc[valid.index], log.loc[test.index]


def _shared_rows(split: PositiveSplit) -> _Data:
    return _Data(
        users=(split.users,),
        items=(split.items,),
        train=split.train,
        valid=split.valid,
        test=split.test,
        seen=split.seen,
        seen_by_valid=split.seen_by_valid,
    )


def _own_rows(parts: tuple[pd.DataFrame, ...], least: float) -> _Data:
    """Rows that each part numbers for itself, in tables of one size."""
    users = tuple(Vocabulary(part["user_id"]) for part in parts)
    items = tuple(Vocabulary(part["item_id"]) for part in parts)
    n_users, n_items = max(map(len, users)), max(map(len, items))

    def interactions(number: int, *, liked: bool) -> Interactions:
        rows = parts[number]
        rows = rows[rows["rating"] >= least] if liked else rows
        user_idx = users[number].encode(rows["user_id"])
        item_idx = items[number].encode(rows["item_id"])
        return Interactions(user_idx, item_idx, n_users=n_users, n_items=n_items)

    had_first, had_then = interactions(0, liked=False), interactions(1, liked=False)
    return _Data(
        users=users,
        items=items,
        train=interactions(0, liked=True),
        valid=interactions(1, liked=True),
        test=interactions(2, liked=True),
        seen=had_first | had_then,
        seen_by_valid=had_first,
    )


def _features(
    metadata: pd.DataFrame | None, data: _Data, *, by_row: bool
) -> tuple[Tensor | None, bool]:
    """The table that the model reads, and whether a row of it describes another item."""
    if metadata is None:
        return None, False
    by_id = align_metadata(metadata, data.items[0]).drop(columns="item_id")
    right = _table(by_id, data.train.n_items)
    if not by_row:
        return right, False
    table = _table(metadata.drop(columns="item_id"), data.train.n_items)
    return table, not torch.equal(table, right)


def _table(numbers: pd.DataFrame, n_rows: int) -> Tensor:
    """The first rows as a table, filled up with zeros where there are fewer."""
    table = np.zeros((n_rows, numbers.shape[1]), dtype=np.float32)
    rows = numbers.to_numpy(dtype=np.float32)[:n_rows]
    table[: len(rows)] = rows
    return torch.from_numpy(table)


def _idle(chosen: tuple[str, ...], *, judged: bool, moved: bool) -> tuple[str, ...]:
    """Switches that did nothing."""
    notes = []
    if "test_for_stopping" in chosen and not judged:
        notes.append("test_for_stopping: fit chose nothing by judge, so it had nothing to spoil")
    if "misaligned_metadata" in chosen and not moved:
        notes.append("misaligned_metadata: no metadata, or all rows in the order of the map")
    return tuple(notes)


def _grade_later(
    model: Recommender,
    data: _Data,
    rows: tuple[pd.DataFrame, pd.DataFrame],
    catalog: pd.DataFrame,
    *,
    k: int,
    least: float,
) -> RankingScores:
    """By id, on likes after all rows of the pipelines, without what the user had in these."""
    log, later = rows
    users, items = Vocabulary(log["user_id"]), Vocabulary(catalog["item_id"])
    trained = set(data.users[0].ids[data.train.user_counts.nonzero()[0]])
    liked = later[(later["rating"] >= least) & later["user_id"].isin(trained)]
    held_out = Interactions.from_frame(liked, users=users, items=items)
    seen = Interactions.from_frame(log, users=users, items=items)
    return evaluate_ranking(_ById(model, data, users, items), held_out, seen=seen, k=k)
