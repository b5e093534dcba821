"""Batches in the workers of a DataLoader: each once in a pass, and each pass in another order."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data._utils import worker

from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.batches import InBatch, PairBatches, UserBatches
from nbhelpers.sampling.negatives import ExactNegatives, UniformNegatives
from nbhelpers.sampling.streaming import StreamedPairs
from nbhelpers.sampling.workers import share_of
from tests.fake_gpu import FakeGenerator

N_USERS, N_ITEMS = 20, 300
# User u has the items 10 * u to 10 * u + 4, so that a pair mixed up shows.
PAIRS = [(user, 10 * user + k) for user in range(N_USERS) for k in range(5)]


class Handed(IterableDataset):
    """Hands batches to the workers of a DataLoader."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        yield from self.batches


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def interactions():
    return Interactions(*zip(*PAIRS, strict=True), n_users=N_USERS, n_items=N_ITEMS)


def pair_batches(folder, generator):
    data = interactions()
    settings = {"batch_size": 7, "n_negatives": 20, "generator": generator}
    return PairBatches(data, ExactNegatives(data), **settings)


def in_batch(folder, generator):
    return InBatch(interactions(), batch_size=7, generator=generator)


def user_batches(folder, generator):
    return UserBatches(interactions(), batch_size=3, generator=generator)


def streamed_pairs(folder, generator):
    user_idx, item_idx = np.array(PAIRS).T
    table = pa.table({"user_idx": user_idx, "item_idx": item_idx})
    pq.write_table(table, folder / "pairs.parquet", row_group_size=10)
    settings = {"batch_size": 7, "n_negatives": 20, "buffer_rows": 20, "generator": generator}
    return StreamedPairs(folder / "pairs.parquet", UniformNegatives(N_ITEMS), **settings)


SOURCES = [pair_batches, in_batch, user_batches, streamed_pairs]
WITH_NEGATIVES = [pair_batches, streamed_pairs]


def loader_of(batches, seed=0, **settings):
    settings = {"batch_size": None, "num_workers": 2, "generator": seeded(seed), **settings}
    return DataLoader(Handed(batches), **settings)


def keys_of(batches):
    """What each row of a pass is about, in the order in which it came: a pair, or a user."""
    rows = []
    for first, second, *_ in batches:
        items = second.tolist() if second.dim() == 1 else [None] * len(first)
        rows += zip(first.tolist(), items, strict=True)
    return rows


def expected_of(source):
    return [(user, None) for user in range(N_USERS)] if source is user_batches else PAIRS


@pytest.mark.parametrize("persistent", [False, True], ids=["new workers", "lasting workers"])
@pytest.mark.parametrize("source", SOURCES)
def test_each_row_comes_once_a_pass_and_each_pass_in_another_order(tmp_path, source, persistent):
    loader = loader_of(source(tmp_path, seeded()), persistent_workers=persistent)
    first, second = keys_of(loader), keys_of(loader)
    assert sorted(first) == sorted(second) == expected_of(source)
    assert first != second
    assert first != expected_of(source)


@pytest.mark.parametrize("source", [pair_batches, in_batch, user_batches])
def test_there_are_as_many_batches_as_without_workers(tmp_path, source):
    batches = source(tmp_path, seeded())
    assert len(list(loader_of(batches))) == len(batches) == len(list(batches))


@pytest.mark.parametrize("source", WITH_NEGATIVES)
def test_the_negatives_of_no_two_batches_are_the_same(tmp_path, source):
    loader = loader_of(source(tmp_path, seeded()))
    drawn = [tuple(batch[2].flatten().tolist()) for _ in range(2) for batch in loader]
    assert len(set(drawn)) == len(drawn) > 20


def test_negatives_belong_to_the_user_of_their_row(tmp_path):
    for user_idx, _, negatives in loader_of(pair_batches(tmp_path, seeded())):
        assert not interactions().contains(user_idx.unsqueeze(1), negatives).any()


@pytest.mark.parametrize("source", SOURCES)
def test_both_seeds_decide_a_pass(tmp_path, source):
    passes = [
        keys_of(loader_of(source(tmp_path, seeded(own)), seed=loader))
        for own, loader in [(0, 0), (0, 0), (1, 0), (0, 1)]
    ]
    assert passes[0] == passes[1]
    assert passes[0] != passes[2]
    assert passes[0] != passes[3]


@pytest.mark.parametrize("source", SOURCES)
def test_one_worker_has_the_whole_pass(tmp_path, source):
    loader = loader_of(source(tmp_path, seeded()), num_workers=1)
    assert sorted(keys_of(loader)) == expected_of(source)


def test_more_workers_than_row_groups_leave_some_without_work(tmp_path):
    batches = streamed_pairs(tmp_path, seeded())
    pq.write_table(pq.read_table(tmp_path / "pairs.parquet"), tmp_path / "pairs.parquet")
    batches = StreamedPairs(
        tmp_path / "pairs.parquet",
        batches.sampler,
        batch_size=7,
        n_negatives=1,
        generator=seeded(),
    )
    assert sorted(keys_of(loader_of(batches))) == PAIRS


def test_outside_of_workers_the_generator_itself_is_used():
    generator = seeded()
    share = share_of(generator)
    assert share.order is share.own is generator
    assert [1, 2, 3][share.parts] == [1, 2, 3]


def test_a_gpu_is_refused_in_workers(monkeypatch):
    info = worker.WorkerInfo(id=0, num_workers=2, seed=5, dataset=None)
    monkeypatch.setattr(worker, "_worker_info", info)
    with pytest.raises(ValueError, match=r"must be on the CPU, got meta: use num_workers=0"):
        share_of(FakeGenerator())
