"""Scores over the held-out part of a prepared folder, block by block of its users."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from nbhelpers.core.coverage import require_same_items, require_same_users
from nbhelpers.core.growing_parquet import growing_parquet
from nbhelpers.core.recommender import Recommender, device_of, evaluation_mode
from nbhelpers.data.large_log.prepared import PreparedPairs
from nbhelpers.data.large_log.user_blocks import UserBlock, user_blocks
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.evaluation.report import CAPPED, METRICS

SCORES_HELD = 1 << 22  # at a time: 16 MB of float32, and ten times that while they are ranked
_Z = 1.959963984540054  # 95 % of a normal distribution lie within


@dataclass
class BlockScores:
    """Means over users, with intervals by the normal distribution: sums are all that is kept.

    Attributes
    ----------
    part : str
        "valid" or "test".
    k : int
    n_users : int
        Users with a held-out positive.
    n_cold : int
        Those of them without a seen item.
    per_user : Path or None
        Parquet with a row for each user, as of ``RankingScores.per_user``, if it was asked for.
    """

    part: str
    k: int
    n_users: int = 0
    n_cold: int = 0
    per_user: Path | None = None
    _sums: dict[str, list[float]] = field(default_factory=dict, repr=False)

    def mean(self, metric: str) -> float:
        """Mean over users of a metric of ``RankingScores``; NaN if no user has a value."""
        count, total, _ = self._sums[metric]
        return total / count if count else math.nan

    def interval(self, metric: str) -> tuple[float, float]:
        """95 % interval of the mean: 1.96 standard errors to each side."""
        count, total, squares = self._sums[metric]
        if count < 2:
            return math.nan, math.nan
        mean = total / count
        variance = max(squares - count * mean**2, 0.0) / (count - 1)
        half = _Z * math.sqrt(variance / count)
        return mean - half, mean + half

    def table(self) -> pd.DataFrame:
        """Means and intervals, a row for each metric."""
        rows = [(self.mean(name), *self.interval(name)) for name in METRICS]
        index = pd.Index(METRICS, name="metric")
        return pd.DataFrame(rows, index=index, columns=["mean", "low", "high"])

    def add(self, frame: pd.DataFrame) -> None:
        """Add some users to the sums."""
        self.n_users += len(frame)
        for name in (*METRICS, CAPPED):
            values = frame[name].dropna().to_numpy()
            added = (len(values), math.fsum(values), math.fsum(np.square(values)))
            before = self._sums.get(name, [0.0, 0.0, 0.0])
            self._sums[name] = [old + new for old, new in zip(before, added, strict=True)]


@torch.no_grad()
def evaluate_blocks(
    model: Recommender,
    prepared: PreparedPairs,
    *,
    part: str = "test",
    k: int = 10,
    per_user: str | Path | None = None,
    chunk_size: int = SCORES_HELD,
) -> BlockScores:
    """Rank the whole catalog for each user, without what came in the parts before.

    The same as ``evaluate_ranking`` with all rows in memory. Here memory holds one block of
    users: its rows, and its scores.

    Parameters
    ----------
    model : Recommender
        Its users and items are those of ``prepared``.
    prepared : PreparedPairs
    part : {"test", "valid"}
    k : int
    per_user : str or Path, optional
        A Parquet file for the values of each user; it appears when it is complete.
    chunk_size : int
        Scores held at a time.

    Returns
    -------
    BlockScores

    Raises
    ------
    ValueError
        If there is no such part, the model has other sizes, ``k`` is below 1, or a score is not
        finite.

    Examples
    --------
    >>> import tempfile
    >>> from nbhelpers.data.large_log.part_rules import LastRows
    >>> from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
    >>> rows = [(7, 1, 10), (7, 2, 20), (7, 3, 30), (9, 1, 10), (9, 3, 20)]
    >>> log = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    >>> class Last:
    ...     def score_users(self, user_idx):
    ...         return torch.tensor([[0.0, 1.0, 2.0]]).expand(len(user_idx), -1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     log.to_parquet(f"{place}/log.parquet")
    ...     prepared = prepare_pairs(f"{place}/log.parquet", f"{place}/pairs", split=LastRows(2))
    ...     scores = evaluate_blocks(Last(), prepared, part="valid")
    >>> scores.n_users, scores.mean("ndcg")
    (2, 1.0)
    """
    _require_sizes(model, prepared)
    scores = BlockScores(part, k, per_user=None if per_user is None else Path(per_user))
    with ExitStack() as stack:
        stack.enter_context(evaluation_mode(model))
        append = None
        if scores.per_user is not None:
            append = stack.enter_context(growing_parquet(scores.per_user))
        size = max(1, chunk_size // prepared.n_items)
        for block in user_blocks(prepared, users_per_block=size, part=part):
            frame = _measured(model, block, k=k, chunk_size=chunk_size)
            scores.add(frame)
            scores.n_cold += int((block.seen.user_counts[frame["user_idx"]] == 0).sum())
            if append is not None:
                numbered = frame.assign(user_idx=frame["user_idx"] + block.first_user)
                append(pa.Table.from_pandas(numbered, preserve_index=False))
    return scores


def _require_sizes(model: Recommender, prepared: PreparedPairs) -> None:
    require_same_users(model, prepared.n_users, None)
    require_same_items(model, prepared.n_items, None)


def _measured(model: Recommender, block: UserBlock, *, k: int, chunk_size: int) -> pd.DataFrame:
    """Values of the users of a block; none if nothing of theirs is held out."""
    if not len(block.held_out):
        return pd.DataFrame(columns=["user_idx", *METRICS, CAPPED], dtype=float).astype(
            {"user_idx": "int64"}
        )
    run = evaluate_ranking(
        FromUser(model, block.first_user),
        block.held_out,
        seen=block.seen,
        k=k,
        chunk_size=chunk_size,
    )
    return run.per_user


class FromUser:
    """A model whose user 0 is a later user of another: no more than its numbering is changed."""

    def __init__(self, model: Recommender, first_user: int) -> None:
        self._model, self._first_user = model, first_user

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return device_of(self._model)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return self._model.score_users(user_idx + self._first_user)
