"""What an evaluation of rankings returns: a row for each user, means, intervals."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from nbhelpers.evaluation.metrics import (
    auc,
    hit_rate_at_k,
    map_at_k,
    mean_reciprocal_rank,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
)
from nbhelpers.evaluation.statistics import PairedTest, bootstrap_interval, paired_test

METRICS = ("hit_rate", "ndcg", "map", "reciprocal_rank", "precision", "recall", "auc")
CAPPED = "map_capped"  # beside "map", for those who compare with figures of that definition
_COLUMNS = ("user_idx", "n_positives", "rank", *METRICS, CAPPED)


@dataclass(frozen=True, eq=False, repr=False)
class RankingScores:
    """How well held-out positives were ranked.

    Attributes
    ----------
    protocol : str
        What was ranked.
    k : int
        Length of the lists.
    per_user : DataFrame
        One row for each user who has a held-out positive: ``user_idx``, ``n_positives``, ``rank``
        (of the best positive), then the metrics ``hit_rate``, ``ndcg``, ``map`` (by the number of
        positives), ``reciprocal_rank``, ``precision``, ``recall``, ``auc`` (NaN where every
        candidate is a positive) and ``map_capped`` (by min(k, positives)).
    lists : Tensor of int64, shape (n_users, min(k, n_candidates))
        Items recommended, best first, in the order of ``per_user``; -1 where a list ends early.
    n_left_out : int
        Users without a held-out positive, of whom nothing can be said.
    seconds : float
        Of scoring, ranking and measuring.
    n_cold : int or None
        Users in ``per_user`` who have no seen item; None where no seen items were given.
    """

    protocol: str
    k: int
    per_user: pd.DataFrame
    lists: Tensor
    n_left_out: int
    seconds: float
    n_cold: int | None = None

    def mean(self, metric: str) -> float:
        """Mean over users of a metric.

        Parameters
        ----------
        metric : str
            One of ``METRICS``, or ``"map_capped"``.

        Returns
        -------
        float
            NaN if no user has a value, see ``count``.

        Raises
        ------
        KeyError
            If there is no such metric.
        """
        return float(self._values(metric).mean())

    def count(self, metric: str) -> int:
        """Users who have a value: all of ``per_user``, but where ``auc`` is NaN.

        Parameters
        ----------
        metric : str
            One of ``METRICS``, or ``"map_capped"``.

        Returns
        -------
        int
        """
        return len(self._values(metric))

    def interval(self, metric: str, *, level: float = 0.95, rng: int = 0) -> tuple[float, float]:
        """Bootstrap interval of the mean: users are drawn again, with replacement.

        Parameters
        ----------
        metric : str
            One of ``METRICS``, or ``"map_capped"``.
        level : float
            Share of resamples inside the interval.
        rng : int
            Seed.

        Returns
        -------
        (float, float)
            NaN if no user has a value.
        """
        values = self._values(metric).to_numpy()
        if not len(values):
            return math.nan, math.nan
        return bootstrap_interval(values, level=level, rng=rng)

    def against(self, other: RankingScores, metric: str, *, rng: int = 0) -> PairedTest:
        """Paired test of this model against another on the same users.

        Parameters
        ----------
        other : RankingScores
            Of the same protocol, ``k`` and users.
        metric : str
            One of ``METRICS``, or ``"map_capped"``.
        rng : int
            Seed.

        Returns
        -------
        PairedTest
            Its difference is positive where this model is better. NaN with 0 users if nobody has
            a value.

        Raises
        ------
        ValueError
            If protocol, ``k`` or users differ.
        """
        if (self.protocol, self.k) != (other.protocol, other.k):
            raise ValueError(
                f"only like can be compared, got {self.protocol}, k {self.k}, "
                f"and {other.protocol}, k {other.k}"
            )
        if not self.per_user["user_idx"].equals(other.per_user["user_idx"]):
            raise ValueError("the users differ: evaluate both models on the same held-out pairs")
        both = pd.concat([self._column(metric), other._column(metric)], axis=1).dropna()
        if not len(both):
            return PairedTest(math.nan, (math.nan, math.nan), math.nan, 0)
        return paired_test(*both.to_numpy().T, rng=rng)

    def table(self, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
        """Means and 95 % intervals, a row for each metric.

        Parameters
        ----------
        metrics : sequence of str

        Returns
        -------
        DataFrame
            Indexed by metric, with ``mean``, ``low`` and ``high``.
        """
        rows = [(self.mean(name), *self.interval(name)) for name in metrics]
        return pd.DataFrame(
            rows, index=pd.Index(metrics, name="metric"), columns=["mean", "low", "high"]
        )

    def __repr__(self) -> str:
        means = ", ".join(f"{name} {self.mean(name):.3f}" for name in METRICS)
        cold = f", {self.n_cold:,} without a seen item" if self.n_cold else ""
        return (
            f"{self.protocol}, k = {self.k}, {len(self.per_user):,} users "
            f"({self.n_left_out:,} without a held-out positive left out{cold}): {means}"
        )

    def _values(self, metric: str) -> pd.Series[float]:
        return self._column(metric).dropna()

    def _column(self, metric: str) -> pd.Series[float]:
        if metric not in (*METRICS, CAPPED):
            raise KeyError(f"no metric {metric!r}: choose among {', '.join((*METRICS, CAPPED))}")
        return self.per_user[metric]


class Report:
    """Room for the results of all users, filled block by block on the device of the ranks.

    Parameters
    ----------
    n_users : int
        How many will come.
    k : int
        Length of the lists, at least 1.
    width : int
        Items that a list can hold: ``k``, or the number of candidates if that is smaller.
    """

    def __init__(self, n_users: int, *, k: int, width: int) -> None:
        self.n_users, self.k, self.width = n_users, k, width
        self.filled = 0
        self._reserve(torch.device("cpu"))

    def _reserve(self, device: torch.device) -> None:
        """Make all room at once: small results between large blocks would fragment the memory."""
        shape = (self.n_users, len(_COLUMNS))
        self._values = torch.empty(shape, dtype=torch.float64, device=device)
        self._lists = torch.empty((self.n_users, self.width), dtype=torch.int64, device=device)

    def add(
        self,
        user_idx: Tensor,
        ranks: Tensor,
        lists: Tensor,
        *,
        n_candidates: int | Tensor,
        gains: Tensor | None = None,
    ) -> None:
        """Measure some users.

        Parameters
        ----------
        user_idx : Tensor of int, shape (batch,)
        ranks : Tensor of int, shape (batch, n_positives)
            Ascending, 0 where a user has fewer positives.
        lists : Tensor of int, shape (batch, width)
        n_candidates : int, or Tensor of int of shape (batch,)
            All that were ranked, positives included.
        gains : Tensor of float, of the shape of ``ranks``, optional
            Of the positive at each rank, see ``ndcg_at_k``.
        """
        device, k = with_float64(ranks.device), self.k
        if not self.filled and device != self._values.device:
            self._reserve(device)
        ranks = ranks.to(device)
        columns = (
            user_idx.to(device),
            (ranks > 0).sum(dim=1),
            ranks[:, 0],
            hit_rate_at_k(ranks, k),
            ndcg_at_k(ranks, k, gains=gains),
            map_at_k(ranks, k),
            mean_reciprocal_rank(ranks),
            precision_at_k(ranks, k),
            recall_at_k(ranks, k),
            auc(ranks, n_candidates),
            map_at_k(ranks, k, denominator="min(k, positives)"),
        )
        rows = slice(self.filled, self.filled + len(user_idx))
        self._values[rows] = torch.stack([column.double() for column in columns], dim=1)
        self._lists[rows] = lists
        self.filled = rows.stop

    def scores(
        self, protocol: str, *, n_left_out: int, started: float, n_cold: int | None = None
    ) -> RankingScores:
        """What was found, brought to the CPU.

        Parameters
        ----------
        protocol : str
        n_left_out : int
            Users without a held-out positive.
        started : float
            The time at the start, of ``time.perf_counter``.
        n_cold : int, optional
            Users without a seen item.

        Returns
        -------
        RankingScores
        """
        per_user = pd.DataFrame(self._values.cpu().numpy(), columns=list(_COLUMNS))
        return RankingScores(
            protocol=protocol,
            k=self.k,
            per_user=per_user.astype(dict.fromkeys(_COLUMNS[:3], "int64")),
            lists=self._lists.cpu(),
            n_left_out=n_left_out,
            seconds=time.perf_counter() - started,
            n_cold=n_cold,
        )


def with_float64(device: torch.device) -> torch.device:
    """The device itself, or the CPU in place of one that has no float64 (MPS)."""
    return torch.device("cpu") if device.type == "mps" else device
