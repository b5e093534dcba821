"""Pairs streamed from Parquet: what a pass holds, in which order, and how much is in memory."""

import itertools
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import (
    ExactNegatives,
    PopularityNegatives,
    UniformNegatives,
)
from nbhelpers.sampling.parquet_read import PairFiles
from nbhelpers.sampling.streaming import StreamedPairs, scan_pairs
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.resume import ResumableBatches
from tests.benchmarks import bench_streaming
from tests.benchmarks.measure import measure
from tests.fake_gpu import DEVICE, FakeGenerator, fake_gpu

N_USERS, N_ITEMS = 12, 1_000
# Pair k is (k % 12, k): an item tells where its pair stands in the file, and whose it is.
PAIRS = [(k % N_USERS, k) for k in range(103)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def write(path, pairs, rows_per_group=10, weight=None, **settings):
    user_idx, item_idx = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    columns = {"user_idx": user_idx, "item_idx": item_idx}
    if weight is not None:
        columns["weight"] = weight
    pq.write_table(pa.table(columns), path, row_group_size=rows_per_group, **settings)
    return path


@pytest.fixture
def path(tmp_path):
    """Ten row groups of ten pairs, and one of three."""
    return write(tmp_path / "pairs.parquet", PAIRS)


def streamed(path, **settings):
    defaults = {"batch_size": 8, "n_negatives": 2, "generator": seeded(), "buffer_rows": 30}
    return StreamedPairs(path, UniformNegatives(N_ITEMS), **{**defaults, **settings})


def pairs_of(batches):
    return [
        pair
        for user_idx, item_idx, *_ in batches
        for pair in zip(user_idx.tolist(), item_idx.tolist(), strict=True)
    ]


def copies(batches):
    return [tuple(tensor.clone() for tensor in batch) for batch in batches]


def equal(first, second):
    return len(first) == len(second) and all(
        torch.equal(*sides)
        for batches in zip(first, second, strict=True)
        for sides in zip(*batches, strict=True)
    )


@pytest.mark.parametrize("buffer_rows", [1, 8, 30, 100, 103, 10_000])
@pytest.mark.parametrize("batch_size", [1, 8, 103, 200])
def test_each_pass_holds_every_pair_once_in_another_order(path, buffer_rows, batch_size):
    batches = streamed(path, buffer_rows=buffer_rows, batch_size=batch_size)
    first, second = pairs_of(batches), pairs_of(batches)
    assert sorted(first, key=lambda pair: pair[1]) == PAIRS
    assert sorted(second, key=lambda pair: pair[1]) == PAIRS
    assert first != PAIRS
    assert first != second


@pytest.mark.parametrize("buffer_rows", [1, 30, 10_000])
def test_only_the_last_batch_is_smaller(path, buffer_rows):
    batches = streamed(path, buffer_rows=buffer_rows)
    assert [len(user_idx) for user_idx, *_ in batches] == [8] * 12 + [7]
    assert len(batches) == 13


def test_no_empty_batch_follows_when_batches_come_out_even(tmp_path):
    batches = streamed(write(tmp_path / "even.parquet", PAIRS[:80]))
    assert [len(user_idx) for user_idx, *_ in batches] == [8] * 10
    assert len(batches) == 10


def test_a_batch_may_be_longer_than_buffer_and_piece(path, monkeypatch):
    for module in ("parquet_read", "streaming"):
        monkeypatch.setattr(f"nbhelpers.sampling.{module}.PIECE", 4)
    batches = streamed(path, batch_size=50, buffer_rows=1)
    assert [len(user_idx) for user_idx, *_ in batches] == [50, 50, 3]
    assert sorted(pairs_of(batches), key=lambda pair: pair[1]) == PAIRS


def test_batches_are_those_of_pair_batches_in_shape_and_type(path):
    interactions = Interactions(*zip(*PAIRS, strict=True), n_users=N_USERS, n_items=N_ITEMS)
    settings = {"batch_size": 8, "n_negatives": 2, "generator": seeded()}
    in_memory = PairBatches(interactions, UniformNegatives(N_ITEMS), **settings)
    assert len(streamed(path)) == len(in_memory)
    for ours, theirs in zip(streamed(path), in_memory, strict=True):
        assert [tensor.dtype for tensor in ours] == [tensor.dtype for tensor in theirs]
        assert [tensor.shape for tensor in ours] == [tensor.shape for tensor in theirs]
        assert [tensor.stride() for tensor in ours] == [tensor.stride() for tensor in theirs]


def test_the_seed_decides_all_passes(path):
    one, two, other = streamed(path), streamed(path), streamed(path, generator=seeded(1))
    for _ in range(2):
        first = copies(one)
        assert equal(first, copies(two))
        assert not equal(first, copies(other))


def test_negatives_belong_to_the_user_of_their_row(path):
    interactions = Interactions(*zip(*PAIRS, strict=True), n_users=N_USERS, n_items=110)
    settings = {"batch_size": 8, "n_negatives": 50, "generator": seeded(), "buffer_rows": 30}
    for user_idx, _, negatives in StreamedPairs(path, ExactNegatives(interactions), **settings):
        assert not interactions.contains(user_idx.unsqueeze(1), negatives).any()


def test_a_buffer_of_everything_puts_every_order_within_reach(tmp_path):
    path = write(tmp_path / "few.parquet", PAIRS[:4], rows_per_group=2)
    batches = streamed(path, batch_size=4, buffer_rows=4)
    orders = [tuple(item for _, item in pairs_of(batches)) for _ in range(2_400)]
    counts = np.array([orders.count(order) for order in itertools.permutations(range(4))])
    assert counts.sum() == 2_400
    # 100 each is expected, with a standard deviation of 9.8
    assert np.abs(counts - 100).max() < 5 * 9.8


def test_a_buffer_of_one_group_keeps_groups_apart(path):
    write(path, PAIRS[:100])
    items = [item for _, item in pairs_of(streamed(path, batch_size=1, buffer_rows=10))]
    groups = [group for group, _ in itertools.groupby(item // 10 for item in items)]
    assert sorted(groups) == list(range(10))
    assert groups != list(range(10))
    assert items[:10] != sorted(items[:10])


def test_a_buffer_mixes_the_groups_that_it_holds(path):
    items = [item for _, item in pairs_of(streamed(path, batch_size=1, buffer_rows=40))]
    assert len({item // 10 for item in items[:20]}) >= 3


def test_files_of_a_folder_are_one_set_of_pairs(tmp_path):
    write(tmp_path / "part-1.parquet", PAIRS[60:])
    write(tmp_path / "part-0.parquet", PAIRS[:60], rows_per_group=7)
    write(tmp_path / "part-2.parquet", [])
    write(tmp_path / "._part-1.parquet", PAIRS[:5])
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "old").mkdir()
    write(tmp_path / "old" / "part-0.parquet", PAIRS)
    batches = streamed(tmp_path)
    assert (batches.n_pairs, len(batches)) == (103, 13)
    assert sorted(pairs_of(batches), key=lambda pair: pair[1]) == PAIRS


def test_a_stopped_pass_goes_on_where_it_was(path):
    whole, stopped = streamed(path), ResumableBatches(streamed(path))
    expected = [copies(whole), copies(whole), copies(whole)]
    copies(stopped)
    begun = copies(itertools.islice(stopped, 5))
    resumed = ResumableBatches(streamed(path, generator=seeded(99)))
    resumed.load_state_dict(stopped.state_dict())
    assert equal(begun + copies(resumed), expected[1])
    assert equal(copies(resumed), expected[2])


@pytest.mark.parametrize("n_pairs", [80, 103])
def test_a_stop_at_the_end_of_a_pass_goes_on_with_the_next(tmp_path, n_pairs):
    path = write(tmp_path / "pairs.parquet", PAIRS[:n_pairs])
    whole, stopped = streamed(path), ResumableBatches(streamed(path))
    expected = [copies(whole), copies(whole)]
    running = iter(stopped)
    copies(itertools.islice(running, len(stopped)))  # the generator has not been asked for more
    resumed = ResumableBatches(streamed(path, generator=seeded(99)))
    resumed.load_state_dict(stopped.state_dict())
    assert equal(copies(resumed), expected[1])


class Listed:
    """Batches that are in memory already, pass after pass."""

    def __init__(self, passes):
        self.passes, self.generator = iter(passes), seeded()
        self.length = len(passes[0])

    def __len__(self):
        return self.length

    def __iter__(self):
        return iter(next(self.passes))


def test_losses_and_weights_equal_those_in_memory_on_the_same_order(path):
    batches = streamed(path)
    sources = {"memory": Listed([copies(batches), copies(batches)]), "disk": streamed(path)}
    losses, weights = {}, {}
    for name, source in sources.items():
        seed_everything(0)
        model = MatrixFactorization(N_USERS, N_ITEMS, 4)
        losses[name] = fit_ranking(model, source, n_epochs=2, device="cpu").train_loss
        weights[name] = torch.cat([weight.detach().flatten() for weight in model.parameters()])
    assert losses["disk"] == pytest.approx(losses["memory"])
    torch.testing.assert_close(weights["disk"], weights["memory"])


class PoolWatch:
    """A sampler that notes how much Arrow holds while a batch is made."""

    def __init__(self):
        self.sampler, self.highest = UniformNegatives(N_ITEMS), 0

    def __call__(self, user_idx, *, n_negatives, generator):
        self.highest = max(self.highest, pa.total_allocated_bytes())
        return self.sampler(user_idx, n_negatives=n_negatives, generator=generator)


@pytest.mark.parametrize("rows_per_group", [10_000, 1_000_000], ids=["many groups", "one group"])
def test_memory_holds_the_buffer_and_a_piece_not_the_file(tmp_path, monkeypatch, rows_per_group):
    n_rows, buffer_rows, piece = 400_000, 20_000, 5_000
    for module in ("parquet_read", "streaming"):
        monkeypatch.setattr(f"nbhelpers.sampling.{module}.PIECE", piece)
    pairs = np.random.default_rng(0).integers(2**60, size=(n_rows, 2))  # nothing to compress
    pages = {"data_page_size": 1 << 14, "use_dictionary": False}  # what Arrow must hold at least
    path = write(tmp_path / "many.parquet", pairs, rows_per_group, **pages)
    read, pieces = [0], PairFiles.pieces

    def counted(files, order):
        for rows in pieces(files, order):
            assert len(rows.pairs) <= piece
            read[0] += len(rows.pairs)
            yield rows

    monkeypatch.setattr(PairFiles, "pieces", counted)
    before, watch = pa.total_allocated_bytes(), PoolWatch()
    settings = {"batch_size": 1_000, "n_negatives": 1, "generator": seeded()}
    n_out = 0
    for user_idx, *_ in StreamedPairs(path, watch, **settings, buffer_rows=buffer_rows):
        assert read[0] - n_out <= buffer_rows + piece + 1_000
        n_out += len(user_idx)
    assert n_out == n_rows
    assert watch.highest - before < 1_000_000  # the rows take 6.4 million bytes


WEIGHTS = [1 + k / 2 for k in range(103)]  # like the item, it tells where its pair stands


@pytest.mark.parametrize("buffer_rows", [1, 30, 10_000])
def test_each_weight_comes_with_its_pair(path, buffer_rows):
    write(path, PAIRS, weight=WEIGHTS)
    for _, item_idx, negatives, weights in streamed(path, buffer_rows=buffer_rows):
        assert negatives.shape == (len(item_idx), 2)
        assert weights.tolist() == [WEIGHTS[item] for item in item_idx.tolist()]
        assert weights.dtype == torch.float32


def test_weights_change_neither_order_nor_negatives(path, tmp_path):
    plain = copies(streamed(path))
    weighted = copies(streamed(write(tmp_path / "weighted.parquet", PAIRS, weight=WEIGHTS)))
    assert equal(plain, [batch[:3] for batch in weighted])


def test_batches_stay_as_they_are_while_others_come(path):
    write(path, PAIRS, weight=WEIGHTS)
    kept = list(streamed(path))
    assert equal(kept, copies(streamed(path)))


def test_sums_of_weights_are_counted_with_the_pairs(tmp_path):
    pairs, weight = [(0, 2), (1, 0), (1, 1), (1, 2)], [2.0, 0.5, 1.0, 3.0]
    path = write(tmp_path / "small.parquet", pairs, rows_per_group=1, weight=weight)
    counts = scan_pairs(path)
    assert counts.item_weights.tolist() == [0.5, 1.0, 5.0]
    assert counts.user_weights.tolist() == [2.0, 4.5]
    assert len(counts) == 4
    plain = scan_pairs(write(tmp_path / "plain.parquet", pairs))
    assert (plain.user_weights, plain.item_weights) == (None, None)


def test_batches_are_shuffled_on_the_gpu_where_the_generator_is_there(path):
    write(path, PAIRS, weight=WEIGHTS)
    with fake_gpu():
        batches = list(streamed(path, generator=FakeGenerator()))
        assert {part.device for batch in batches for part in batch} == {DEVICE}
        items, weights = (torch.cat([batch[k] for batch in batches]).tolist() for k in (1, 3))
    assert sorted(items) == [item for _, item in PAIRS]
    assert items != sorted(items)
    assert weights == [WEIGHTS[item] for item in items]


def test_counts_are_those_of_the_pairs(path, tmp_path):
    counts = scan_pairs(path, n_users=N_USERS, n_items=N_ITEMS)
    assert len(counts) == 103
    assert counts.user_counts.tolist() == [9] * 7 + [8] * 5
    assert counts.item_counts.tolist() == [1] * 103 + [0] * 897
    pairs = [(0, 2), (1, 0), (1, 1), (1, 2)]
    small = scan_pairs(write(tmp_path / "small.parquet", pairs, rows_per_group=1))
    assert small.user_counts.tolist() == [1, 3]
    assert small.item_counts.tolist() == [1, 1, 2]


def test_popularity_from_counts_is_that_of_interactions(path):
    pairs = [(0, 0), (1, 0), (2, 0), (0, 2)]
    write(path, pairs, rows_per_group=3)
    sampler = PopularityNegatives(scan_pairs(path, n_users=3, n_items=3), power=1.0)
    assert sampler.log_q.tolist() == pytest.approx([math.log(3 / 4), -math.inf, math.log(1 / 4)])
    interactions = Interactions(*zip(*pairs, strict=True), n_users=3, n_items=3)
    in_memory = PopularityNegatives(interactions, power=1.0)
    users = torch.zeros(50, dtype=torch.int64)
    drawn = [each(users, n_negatives=4, generator=seeded()) for each in (sampler, in_memory)]
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    "pairs", [[(0, 0), (0, 1), (2, 0)], [(0, 0), (10**12, 0)]], ids=["gap", "raw id"]
)
def test_a_gap_in_the_indices_is_refused_unless_the_size_is_given(path, pairs):
    write(path, pairs)
    with pytest.raises(ValueError, match=r"user_idx goes up to [\d,]+, but .* pass n_users if"):
        scan_pairs(path)


@pytest.mark.parametrize("use", [streamed, scan_pairs], ids=["batches", "counts"])
def test_an_index_beyond_the_tables_is_refused(path, use):
    with pytest.raises(ValueError, match=r"item_idx must lie between 0 and 101, got 102 in row"):
        use(path, n_items=102)
    use(path, n_users=N_USERS, n_items=103)


@pytest.mark.parametrize("setting", ["batch_size", "n_negatives", "buffer_rows", "n_users"])
def test_sizes_below_one_are_refused(path, setting):
    with pytest.raises(ValueError, match=f"{setting} must be at least 1, got 0"):
        streamed(path, **{setting: 0})


def test_the_benchmark_takes_every_pair_at_a_tiny_size(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_streaming, "BATCH_SIZE", 64)
    size = {"n_users": 400, "n_items": 100, "n_pairs": 2_000, "n_trained": 3, "row_by_row": 10}
    setting = bench_streaming.Setting(tmp_path / "pairs.parquet", **size)
    benchmark = bench_streaming.of(setting, lambda source, setting: 42.0)
    assert "peak memory 42 MB streamed, 42 MB in memory" in benchmark.title
    stored = [side.tolist() for side in setting.interactions.pairs()]
    for source in bench_streaming.SOURCES.values():
        assert sorted(pairs_of(source(setting))) == list(zip(*stored, strict=True))
    ticks = itertools.count()  # a clock that nobody waits for
    rows = measure(benchmark, n_rounds=1, clock=lambda: next(ticks))
    assert [row.seconds for row in rows] == [[1]] * len(rows)
