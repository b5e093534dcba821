"""How well a pass over pairs is mixed: what its batches hold, against those of a full shuffle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ShuffleQuality:
    """How one pass is mixed; a full shuffle has the values in brackets.

    Attributes
    ----------
    users_in_batch : ndarray of int64, shape (n_batches,)
        Different users in each batch.
    expected_users : float
        Their mean over the batches of a full shuffle, in closed form.
    mixing : float
        Mean of ``users_in_batch`` over ``expected_users`` (1).
    rank_correlation : float
        Spearman's, between a row's place in the pass and its rank by user and then by item (0; 1
        for a pass in the order of a sorted file).
    displacement : float
        Mean distance between the two, as a share of all rows (1/3; 0 in the order of the file).
    """

    users_in_batch: NDArray[np.int64]
    expected_users: float
    mixing: float
    rank_correlation: float
    displacement: float


def shuffle_quality(batches: Iterable[Sequence[Tensor]]) -> ShuffleQuality:
    """Measure one pass, whose pairs are held in memory meanwhile, 16 bytes each.

    The measure is meant for files that are sorted by user, as logs written user by user are: a
    batch that comes from few users trains these alone, and its negatives meet them alone.

    Parameters
    ----------
    batches : iterable of (user_idx, item_idx, ...)
        Such as ``StreamedPairs`` and ``PairBatches``.

    Returns
    -------
    ShuffleQuality

    Raises
    ------
    ValueError
        If there are fewer than two pairs.

    Examples
    --------
    Three users with two rows each, in the order of the file:

    >>> import torch
    >>> user_idx, item_idx = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 0, 1, 0, 1])
    >>> in_order = zip(user_idx.split(2), item_idx.split(2))
    >>> quality = shuffle_quality(in_order)
    >>> quality.users_in_batch, round(quality.expected_users, 2)
    (array([1, 1, 1]), 1.8)
    >>> quality.rank_correlation, quality.displacement
    (1.0, 0.0)
    """
    columns, sizes, n_different = [], [], []
    for user_idx, item_idx, *_ in batches:
        pairs = np.stack([user_idx.cpu().numpy(), item_idx.cpu().numpy()])
        columns.append(pairs)
        sizes.append(len(user_idx))
        n_different.append(len(np.unique(pairs[0])))
    if sum(sizes) < 2:
        raise ValueError(f"a pass of two pairs at least is needed, got {sum(sizes)}")
    users, items = np.concatenate(columns, axis=1)
    place, rank = np.arange(len(users)), np.empty(len(users), dtype=np.int64)
    rank[np.lexsort((items, users))] = place
    expected = _mean_users(np.bincount(users), np.array(sizes))
    return ShuffleQuality(
        users_in_batch=np.array(n_different),
        expected_users=expected,
        mixing=float(np.mean(n_different)) / expected,
        rank_correlation=float(np.corrcoef(place, rank)[0, 1]),
        displacement=float(np.abs(place - rank).mean() / len(place)),
    )


def _mean_users(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> float:
    """Mean over batches of the users that a batch drawn from all rows has."""
    found, times = np.unique(sizes, return_counts=True)
    means = [expected_users(counts, int(size)) for size in found]
    return float(np.average(means, weights=times))


def expected_users(counts: NDArray[np.int64], batch_size: int) -> float:
    """How many different users rows have that are drawn without replacement, in the mean.

    A user of n rows is absent if all rows come from the other N - n: with probability
    C(N - n, batch_size) / C(N, batch_size).

    Parameters
    ----------
    counts : ndarray of int, shape (n_users,)
        Rows of each user.
    batch_size : int
        At most their sum.

    Returns
    -------
    float

    Examples
    --------
    Two of four rows of two users: the second row is of the other user in two cases of three.

    >>> round(expected_users(np.array([2, 2]), 2), 4)
    1.6667
    """
    total = int(counts.sum())
    rest = total - counts[counts > 0]
    log_absent = _log_choose(rest, batch_size) - _log_choose(np.array(total), batch_size)
    return float((1 - np.exp(np.where(rest >= batch_size, log_absent, -np.inf))).sum())


def _log_choose(n: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    safe = np.maximum(n, k)
    chosen: NDArray[np.float64] = gammaln(safe + 1) - gammaln(k + 1) - gammaln(safe - k + 1)
    return chosen
