"""Ten items of a hundred thousand and of a million: exact, in fewer bytes, and from lists.

The vectors are learned: by iALS from likes of users with tastes. Gaussian vectors stand beside
them, because recall on these says nothing about a real catalog. The case names tell bytes and
the processor seconds of building; the title of a last table tells lists an hour by the clock,
on one core and on two, each a process of its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nbhelpers.data.datasets.synthetic_tastes import make_likes
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.als import IALS
from nbhelpers.serving.approximate_index import ApproximateIndex
from nbhelpers.serving.compressed_index import CompressedIndex, RescoredIndex
from nbhelpers.serving.index import ExactIndex, Index, search_unseen
from tests.benchmarks.measure import Benchmark, Case

SEED, K, BATCH, N_SINGLE, N_BATCHED = 42, 10, 256, 100, 512
PROBES = (4, 16, 64)
Built = tuple[Index, float]  # and the processor seconds that it took


class Setting(NamedTuple):
    """A catalog and the likes that its vectors are learned from."""

    n_items: int
    n_users: int
    n_draws: int
    n_groups: int
    n_factors: int = 64
    n_sweeps: int = 4
    unobserved: float = 1000.0  # weight of all items that a user has not liked, together


SETTINGS = (
    Setting(100_000, n_users=30_000, n_draws=1_500_000, n_groups=100),
    Setting(1_000_000, n_users=100_000, n_draws=5_000_000, n_groups=300),
)


class Catalog(NamedTuple):
    """Learned vectors, and what each user has liked."""

    users: Tensor
    items: Tensor
    likes: Interactions

    @property
    def title(self) -> str:
        return f"{len(self.items):,} items of {self.items.shape[1]} factors"


def benchmark() -> Iterator[Benchmark]:
    """Tables of each size in turn, so that one catalog at a time is in memory."""
    for setting in SETTINGS:
        yield from of(learned(setting))


def learned(setting: Setting) -> Catalog:
    """A short iALS on likes of users with tastes."""
    likes = make_likes(
        setting.n_users, setting.n_items, setting.n_draws, n_groups=setting.n_groups, rng=SEED
    )
    model = IALS(
        setting.n_factors,
        unobserved_weight=setting.unobserved / setting.n_items,
        reg=0.003,
        n_iterations=setting.n_sweeps,
        n_cg_steps=3,
        generator=torch.Generator().manual_seed(SEED),
    ).fit(likes)
    return Catalog(model.user_factors, model.item_factors, likes)


def of(catalog: Catalog, cores: Sequence[int] = (1, 2)) -> Iterator[Benchmark]:
    """Single queries, batches, Gaussian vectors, and whole lists, of any catalog."""
    generator = torch.Generator().manual_seed(SEED)
    chosen = torch.randperm(len(catalog.users), generator=generator)[:N_BATCHED]
    queries, indexes = catalog.users[chosen], built(catalog.items)
    name = f"{catalog.title}, learned"
    yield searches(f"{name}; {N_SINGLE} single queries", indexes, queries[:N_SINGLE], 1)
    title = f"{name}; {len(queries)} queries in batches of {BATCH}"
    yield searches(title, indexes, queries, BATCH)
    yield lists(catalog, indexes, chosen, cores)
    random = torch.randn(catalog.items.shape, generator=generator)
    wanted = torch.randn(queries.shape, generator=generator)
    title = f"{catalog.title}, Gaussian; {len(queries)} queries in batches of {BATCH}"
    yield searches(title, built(random), wanted, BATCH)


def built(vectors: Tensor) -> dict[str, Callable[[], Index]]:
    """All indexes over some vectors, under names that tell bytes and seconds."""
    made: dict[str, Callable[[], Index]] = {}
    compressed = {}
    for name, build in {
        "exact": partial(ExactIndex, vectors),
        "float16": partial(CompressedIndex, vectors, kind="float16"),
        "int8": partial(CompressedIndex, vectors, kind="int8"),
    }.items():
        compressed[name], seconds = timed(build)
        made[told(name, compressed[name], seconds)] = partial(same, compressed[name])
    rescored, seconds = timed(partial(RescoredIndex, compressed["int8"], vectors))
    made[told("int8, 40 rescored", rescored, seconds)] = partial(same, rescored)
    lists, seconds = timed(partial(ApproximateIndex, vectors))
    for n_probe in sorted({*PROBES, lists.n_probe}):
        if n_probe <= lists.n_lists:
            name = f"{n_probe} of {lists.n_lists} lists"
            made[told(name, lists, seconds)] = partial(probing, lists, n_probe)
    return made


def timed(build: Callable[[], Index]) -> Built:
    """What is built, and the processor seconds that it took."""
    started = process_time()
    index = build()
    return index, process_time() - started


def told(name: str, index: Index, seconds: float) -> str:
    """A name with the bytes of the index and the seconds of building."""
    return f"{name}: {index.n_bytes / 1e6:.1f} MB, built in {seconds:.1f} s"


def same(index: Index) -> Index:
    """The index as it is."""
    return index


def probing(index: ApproximateIndex, n_probe: int) -> ApproximateIndex:
    """The index that looks into so many lists; one index serves all cases."""
    index.n_probe = n_probe
    return index


def searches(
    title: str, indexes: Mapping[str, Callable[[], Index]], queries: Tensor, batch_size: int
) -> Benchmark:
    """Lists of the queries from each index, and their recall against the first."""
    first = next(iter(indexes.values()))()
    expected = first.search(queries, K)[1]

    def searching(index_of: Callable[[], Index]) -> Callable[[], Tensor]:
        index = index_of()
        blocks = queries.split(batch_size)
        return lambda: torch.cat([index.search(block, K)[1] for block in blocks])

    def recall(found: Tensor) -> float:
        return (expected.unsqueeze(2) == found.unsqueeze(1)).any(dim=2).double().mean().item()

    cases = [Case(name, partial(searching, index_of)) for name, index_of in indexes.items()]
    return Benchmark(title, cases, f"recall@{K}", recall)


def lists(
    catalog: Catalog,
    indexes: Mapping[str, Callable[[], Index]],
    user_idx: Tensor,
    cores: Sequence[int],
) -> Benchmark:
    """Lists without what each user has liked, and how many an hour the cores make."""

    def listing(index_of: Callable[[], Index]) -> Callable[[], Tensor]:
        return partial(listed, index_of(), catalog, user_idx)

    cases = [Case(name, partial(listing, index_of)) for name, index_of in indexes.items()]
    rates = by_the_clock(catalog, user_idx, cores)
    title = f"{catalog.title}, learned; lists of {len(user_idx)} users without their likes; {rates}"
    return Benchmark(title, cases, "items listed", lambda found: int((found >= 0).sum()))


def listed(index: Index, catalog: Catalog, user_idx: Tensor) -> Tensor:
    """The items that each user is shown."""
    queries = catalog.users[user_idx]
    return search_unseen(index, queries, K, user_idx=user_idx, seen=catalog.likes)[1]


def by_the_clock(catalog: Catalog, user_idx: Tensor, cores: Sequence[int]) -> str:
    """Lists an hour of one process a core, each of which makes those of all the given users."""
    with tempfile.TemporaryDirectory() as folder:
        pack(catalog, Path(folder))
        rates = [
            f"{kind} {rate(folder, kind, user_idx, n_cores) / 1e6:.2f} million on {n_cores}"
            for kind in ("exact", "int8")
            for n_cores in cores
        ]
    return f"by the clock, lists an hour and cores: {', '.join(rates)}"


def pack(catalog: Catalog, folder: Path) -> None:
    """What a worker needs, in files."""
    np.save(folder / "users.npy", catalog.users.numpy())
    np.save(folder / "items.npy", catalog.items.numpy())
    catalog.likes.save(folder / "likes")


def rate(folder: str, kind: str, user_idx: Tensor, n_cores: int) -> float:
    """Lists an hour, after every process has made its index and a first block."""
    context = get_context("spawn")
    with ProcessPoolExecutor(n_cores, context, initializer=start, initargs=(folder, kind)) as pool:
        jobs = [user_idx.numpy()] * n_cores
        list(pool.map(work, [each[:BATCH] for each in jobs]))
        started = time.perf_counter()
        n_lists = sum(pool.map(work, jobs))
        return n_lists * 3600 / (time.perf_counter() - started)


_worker: dict[str, tuple[Index, Catalog]] = {}


def start(folder: str, kind: str) -> None:
    """Load the catalog in a worker and build its index."""
    torch.set_num_threads(1)
    users, items = (
        torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("users", "items")
    )
    index = ExactIndex(items) if kind == "exact" else CompressedIndex(items, kind="int8")
    _worker["this"] = index, Catalog(users, items, Interactions.load(Path(folder) / "likes"))


def work(user_idx: np.ndarray) -> int:
    """Make the lists of some users, and count them."""
    return len(listed(*_worker["this"], torch.from_numpy(user_idx)))
