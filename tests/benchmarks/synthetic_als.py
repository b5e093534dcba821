"""One benchmark of ALS on made-up pairs, for any size and number of threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nbhelpers.data.interactions import Interactions
from tests.benchmarks.bench_als import ALPHA, REG, Factors, by_library, fitted, prepared
from tests.benchmarks.measure import Benchmark, Case

EQUAL = 1e-3  # of the loss


def power_law(n_pairs: int, *, n_users: int, n_items: int, seed: int = 0) -> Interactions:
    """Distinct pairs; the k-th busiest user has about k ** -0.6 of the first's, items k ** -0.9."""
    rng = np.random.default_rng(seed)
    places = [rng.permutation(n) for n in (n_users, n_items)]  # the busiest come anywhere
    keys = np.zeros(0, np.int64)
    while len(keys) < n_pairs:
        users, items = (
            place[_drawn(rng, n_pairs // 2, size=len(place), power=power)]
            for place, power in zip(places, (0.6, 0.9), strict=True)
        )
        keys = np.unique(np.concatenate([keys, users * n_items + items]))
    keys = np.sort(rng.permutation(keys)[:n_pairs])
    return Interactions(keys // n_items, keys % n_items, n_users=n_users, n_items=n_items)


def against_library(
    pairs: Interactions,
    n_factors: int,
    *,
    n_cg_steps: int | None,
    n_sweeps: int,
    n_threads: int,
) -> Benchmark:
    """Ours and implicit's fit from one start; the result is the loss, as a share of implicit's."""
    start = torch.randn(pairs.n_items, n_factors, generator=torch.Generator().manual_seed(0)) / 10
    settings: dict[str, Any] = {"start": start, "n_cg_steps": n_cg_steps, "n_sweeps": n_sweeps}
    ours = partial(fitted, pairs, **settings)
    theirs = partial(by_library, **settings, n_threads=n_threads)
    cases = [
        Case("implicit", partial(prepared, theirs, pairs)),
        Case("ours", partial(_on_threads, ours, n_threads), EQUAL),
    ]
    kind = "exact" if n_cg_steps is None else f"{n_cg_steps} conjugate gradients"
    clock = {} if n_threads == 1 else {"clock": perf_counter, "unit": "seconds on the wall"}
    return Benchmark(
        f"ALS, {n_factors} factors, {kind}, {n_sweeps} sweeps over {len(pairs):,} pairs, "
        f"threads: {n_threads}",
        cases,
        "loss, first = 1",
        _Loss(pairs),
        **clock,
    )


class _Loss:
    """Loss of ALS over all pairs without a table of them, as a share of the first one asked."""

    def __init__(self, pairs: Interactions) -> None:
        self.pairs, self.first = pairs, 0.0

    def __call__(self, factors: Factors) -> float:
        loss = _loss(self.pairs, *(each.double() for each in factors))
        self.first = self.first or loss
        return loss / self.first


def _loss(pairs: Interactions, users: torch.Tensor, items: torch.Tensor) -> float:
    """Sum of all squared scores, mended at the positives, and the penalty."""
    users = users * torch.from_numpy(pairs.user_counts > 0).unsqueeze(1)  # ours fills in a mean
    silent = ((users.T @ users) * (items.T @ items)).sum()
    mended = sum(_mended(users, items, part) for part in _parts(pairs))
    return float(silent + mended + REG * (users.square().sum() + items.square().sum()))


def _mended(users: torch.Tensor, items: torch.Tensor, pairs: list[torch.Tensor]) -> torch.Tensor:
    scores = (users[pairs[0]] * items[pairs[1]]).sum(dim=1)
    return ((1 + ALPHA) * (1 - scores).square() - scores.square()).sum()


def _parts(pairs: Interactions, size: int = 2**18) -> list[list[torch.Tensor]]:
    user_idx, item_idx = (torch.from_numpy(np.array(each)) for each in pairs.pairs())
    return list(map(list, zip(user_idx.split(size), item_idx.split(size), strict=True)))


def _on_threads(fit: Callable[[], Factors], n_threads: int) -> Callable[[], Factors]:
    torch.set_num_threads(n_threads)
    return fit


def _drawn(rng: np.random.Generator, n: int, *, size: int, power: float) -> NDArray[np.int64]:
    """Indices below ``size``, the k-th most frequent one in proportion to k ** -power."""
    shares = np.arange(1, size + 1) ** -power
    return rng.choice(size, n, p=shares / shares.sum())
