"""Negatives for training: items that a user has not chosen, drawn anew whenever asked for.

A sampler is any callable ``sampler(user_idx, *, n_negatives, generator)`` that returns an int64
tensor of shape (batch, n_negatives) on the device of the ``torch.Generator``. It draws with
replacement, takes every random number from the generator and changes nothing else. On a GPU no
sampler waits for the device, so user indices that are there already are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nbhelpers.core.checks import checked_indices, first_of, require_one
from nbhelpers.core.csr import PairFilter, has_pairs, nth_absent
from nbhelpers.core.recommender import device_of
from nbhelpers.data.device_rows import DeviceRows
from nbhelpers.data.interactions import Interactions


class NegativeSampler(Protocol):
    """What every sampler can do."""

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""


class Choices(Protocol):
    """What counts choices: ``Interactions``, or ``PairCounts`` of a file larger than memory."""

    @property
    def item_counts(self) -> NDArray[np.int64]:
        """Choices of each item, shape (n_items,)."""

    def __len__(self) -> int:
        """All choices."""


class ExactNegatives:
    """Draws among the items that are no positive of the user, each equally likely.

    On the CPU any item is drawn first, and the few that turn out to be positives are replaced by
    the r-th item that the user has not chosen, r being drawn. On other devices every negative is
    such an r-th item, found among a copy of the positives that is made there at the first call.
    No second try can fail, so a user who has chosen nearly everything takes no longer.

    Parameters
    ----------
    interactions : Interactions
        Their positives are never drawn.
    seen : Interactions, optional
        More positives never to draw, such as those of the validation set. Leave the test set out:
        what is never drawn stands out, and the model would learn which items were held out.

    Raises
    ------
    ValueError
        When called, if a user has chosen every item.

    Examples
    --------
    >>> train = Interactions([0, 0, 1], [0, 1, 2], n_users=2, n_items=3)
    >>> sampler, generator = ExactNegatives(train), torch.Generator().manual_seed(0)
    >>> drawn = sampler(torch.tensor([0, 1]), n_negatives=50, generator=generator)
    >>> [row.unique().tolist() for row in drawn]
    [[2], [0, 1]]
    """

    def __init__(self, interactions: Interactions, *, seen: Interactions | None = None) -> None:
        self.seen = interactions if seen is None else either(interactions, seen)
        self._filter = PairFilter(self.seen.indptr, self.seen.indices, n_columns=self.seen.n_items)
        self._rows: dict[torch.device, DeviceRows] = {}

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        require_one(n_negatives=n_negatives)
        if generator.device.type == "cpu":
            return self._filtered(user_idx, n_negatives, generator)
        if generator.device not in self._rows:
            self._rows[generator.device] = DeviceRows(self.seen, generator.device)
        rows = self._rows[generator.device]
        return absent_items(rows, user_idx, n_negatives=n_negatives, generator=generator)

    def _filtered(self, user_idx: Tensor, n_negatives: int, generator: torch.Generator) -> Tensor:
        seen = self.seen
        users = checked_indices(user_idx, name="user_idx", size=seen.n_users)
        drawn = _uniform(seen.n_items, (len(users), n_negatives), generator)
        items = drawn.view(-1).numpy()  # the same memory
        rows = np.repeat(users, n_negatives)
        suspects = self._filter.suspects(rows, items)
        hits = suspects[has_pairs(seen.indptr, seen.indices, rows[suspects], items[suspects])]
        if len(hits):
            rows, n_free = rows[hits], seen.n_items - seen.user_counts[rows[hits]]
            _refuse_full(rows, n_free)
            nth = (uniform_shares(n_free.shape, generator).numpy() * n_free).astype(np.int64)
            items[hits] = nth_absent(seen.indptr, seen.indices, rows, nth)
        return drawn


def absent_items(
    rows: DeviceRows, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator
) -> Tensor:
    """Items that each user does not have, each equally likely: the way of ``ExactNegatives``.

    Parameters
    ----------
    rows : DeviceRows
    user_idx : Tensor of int, shape (batch,)
        On any device.
    n_negatives : int
    generator : torch.Generator
        On the device of ``rows``.

    Returns
    -------
    Tensor of int64, shape (batch, n_negatives)
        On the device of ``rows``.

    Raises
    ------
    ValueError
        If a user has every item, or an index that comes from the CPU is out of range.
    """
    if user_idx.device.type == "cpu":
        checked_indices(user_idx, name="user_idx", size=rows.n_users)
    users = user_idx.to(rows.device, torch.int64).unsqueeze(1).expand(-1, n_negatives)
    n_free = rows.n_absent(users)  # (batch, n_negatives)
    if rows.has_full_row:
        _refuse_full(users.cpu().numpy(), n_free.cpu().numpy())
    nth = (uniform_shares(users.shape, generator) * n_free).long()
    return rows.nth_absent(users, nth)


class UniformNegatives:
    """Draws any item: fast, and wrong as often as the user's positives fill the catalog.

    A user with 200 positives among 1,000,000 items gets one of them in 0.02 % of the draws.

    Parameters
    ----------
    n_items : int

    Examples
    --------
    >>> import torch
    >>> sampler, generator = UniformNegatives(1682), torch.Generator().manual_seed(0)
    >>> sampler(torch.tensor([0, 1]), n_negatives=4, generator=generator).shape
    torch.Size([2, 4])
    """

    def __init__(self, n_items: int) -> None:
        require_one(n_items=n_items)
        self.n_items = n_items

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        require_one(n_negatives=n_negatives)
        return _uniform(self.n_items, (len(user_idx), n_negatives), generator)


class PopularityNegatives:
    """Draws items in proportion to a power of their popularity.

    Like ``UniformNegatives`` it may draw a positive of the user.

    Parameters
    ----------
    choices : Interactions or PairCounts
        Count them.
    power : float
        1 for the popularity itself, 0.75 as in word2vec, 0 for all items alike; with a power above
        0 an item that nobody chose is never drawn.

    Attributes
    ----------
    log_q : Tensor of float64, shape (n_items,)
        Natural logarithm of each item's probability, minus infinity for one never drawn: what
        ``sampled_softmax_loss`` corrects for.

    Raises
    ------
    ValueError
        If ``power`` is negative, or there are no positives to count.

    References
    ----------
    Mikolov et al. (2013), Distributed Representations of Words and Phrases, sec. 2.2,
    https://arxiv.org/abs/1310.4546

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.data.interactions import Interactions
    >>> train = Interactions([0, 1, 2, 0], [0, 0, 0, 2], n_users=3, n_items=3)
    >>> sampler, generator = PopularityNegatives(train, power=1.0), torch.Generator().manual_seed(0)
    >>> sampler.log_q.exp().round(decimals=2).tolist()
    [0.75, 0.0, 0.25]
    >>> sampler(torch.tensor([1]), n_negatives=50, generator=generator).unique().tolist()
    [0, 2]
    """

    def __init__(self, choices: Choices, *, power: float) -> None:
        if not 0 <= power < np.inf:
            raise ValueError(f"power must be 0 or more, got {power}")
        if not len(choices):
            raise ValueError("popularity needs at least one positive, got none")
        counts = choices.item_counts
        weights = (counts / counts.max()) ** power
        self.log_q = torch.from_numpy(weights / weights.sum()).log()
        cumulative = np.cumsum(weights)
        self._cumulative = {torch.device("cpu"): torch.from_numpy(cumulative / cumulative[-1])}

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        require_one(n_negatives=n_negatives)
        share = uniform_shares((len(user_idx), n_negatives), generator)  # below 1, the last sum
        return torch.searchsorted(self._cumulative_on(share), share, right=True)

    def _cumulative_on(self, share: Tensor) -> Tensor:
        if share.device not in self._cumulative:
            self._cumulative[share.device] = self._cumulative[torch.device("cpu")].to(share)
        return self._cumulative[share.device]


class HardestNegatives:
    """Draws several candidates for each negative and keeps the one that the model scores best.

    Parameters
    ----------
    sampler : callable
        Draws the candidates, ``ExactNegatives`` for instance.
    score : callable
        ``score(user_idx, items)``: int64 (batch,) and (batch, m) in, float (batch, m) out. It is
        called without gradients, with tensors on the device of the generator. ``PairScores`` of a
        model does this wherever the model is.
    n_candidates : int
        Candidates for each negative, at least 1; 1 changes nothing.

    References
    ----------
    Zhang et al. (2013), Optimizing Top-N Collaborative Filtering via Dynamic Negative Item
    Sampling, sec. 4, https://doi.org/10.1145/2484028.2484126

    Examples
    --------
    >>> import torch
    >>> def score(user_idx, items):
    ...     return items.float()  # the last item scores best
    >>> sampler = HardestNegatives(UniformNegatives(3), score, n_candidates=50)
    >>> generator = torch.Generator().manual_seed(0)
    >>> sampler(torch.tensor([0, 1]), n_negatives=2, generator=generator).tolist()
    [[2, 2], [2, 2]]
    """

    def __init__(
        self,
        sampler: NegativeSampler,
        score: Callable[[Tensor, Tensor], Tensor],
        *,
        n_candidates: int,
    ) -> None:
        require_one(n_candidates=n_candidates)
        self.sampler, self.score, self.n_candidates = sampler, score, n_candidates

    def __call__(self, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator) -> Tensor:
        """Negatives of each user, int64, shape (batch, n_negatives)."""
        n_drawn = n_negatives * self.n_candidates
        items = self.sampler(user_idx, n_negatives=n_drawn, generator=generator)
        with torch.no_grad():
            scores = self.score(user_idx.to(items.device), items)
        if scores.shape != items.shape:
            raise ValueError(
                f"score must return shape {tuple(items.shape)}, got {tuple(scores.shape)}"
            )
        shape = (len(user_idx), n_negatives, self.n_candidates)
        scores = scores.to(items.device).view(shape)
        best = scores.argmax(dim=2, keepdim=True)  # (batch, n_negatives, 1)
        return items.view(shape).gather(2, best).squeeze(2)  # (batch, n_negatives)


class PairScores:
    """Scores of a model that takes pairs, computed where the model is: for ``HardestNegatives``.

    Parameters
    ----------
    model : nn.Module
        Called as ``model(user_idx, item_idx)`` with all pairs in one row. It may move between
        calls, as training moves it.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.matrix_factorization import MatrixFactorization
    >>> scores = PairScores(MatrixFactorization(943, 1682))
    >>> scores(torch.tensor([0, 1]), torch.tensor([[10, 20, 30], [40, 50, 60]])).shape
    torch.Size([2, 3])
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __call__(self, user_idx: Tensor, items: Tensor) -> Tensor:
        """Score of each pair, shape (batch, m), on the device of the model."""
        users = user_idx.unsqueeze(1).expand_as(items)
        device = device_of(self.model)
        scores: Tensor = self.model(users.flatten().to(device), items.flatten().to(device))
        return scores.view(items.shape)


def either(first: Interactions, second: Interactions) -> Interactions:
    """Pairs of either one, whatever their weights: what a user has chosen in any way.

    Parameters
    ----------
    first, second : Interactions
        Of the same users and items.

    Returns
    -------
    Interactions
        Without weights and timestamps.
    """
    return _pairs_alone(first) | _pairs_alone(second)


def _pairs_alone(interactions: Interactions) -> Interactions:
    if interactions.weights is None and interactions.timestamps is None:
        return interactions
    return Interactions(
        *interactions.pairs(),
        n_users=interactions.n_users,
        n_items=interactions.n_items,
        users=interactions.users,
        items=interactions.items,
    )


def sample_negatives(
    interactions: Interactions, user_idx: Tensor, *, n_negatives: int, generator: torch.Generator
) -> Tensor:
    """Items that are no positive of the user, each equally likely, with replacement.

    For more than a few calls build ``ExactNegatives`` once; it draws the same items.

    Parameters
    ----------
    interactions : Interactions
    user_idx : Tensor of int, shape (batch,)
    n_negatives : int
    generator : torch.Generator

    Returns
    -------
    Tensor of int64, shape (batch, n_negatives)

    Raises
    ------
    ValueError
        If a user has chosen every item.
    """
    return ExactNegatives(interactions)(user_idx, n_negatives=n_negatives, generator=generator)


def _uniform(n_items: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    return torch.randint(n_items, shape, generator=generator, device=generator.device)


def uniform_shares(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Numbers from 0 to below 1, on the device of the generator; in 64 bits where it has them.

    Multiplied by n and cut to a whole number they are uniform to within n parts in 2**53.

    Parameters
    ----------
    shape : sequence of int
    generator : torch.Generator

    Returns
    -------
    Tensor of float64 (float32 on MPS)
    """
    dtype = torch.float32 if generator.device.type == "mps" else torch.float64
    return torch.rand(*shape, dtype=dtype, generator=generator, device=generator.device)


def _refuse_full(user_idx: NDArray[np.int64], n_free: NDArray[np.int64]) -> None:
    if not n_free.all():
        full = np.unique(user_idx[n_free == 0])
        raise ValueError(
            f"{len(full):,} users have chosen every item, e.g. user_idx {first_of(full)}: "
            f"leave them out, there is no negative to draw"
        )
