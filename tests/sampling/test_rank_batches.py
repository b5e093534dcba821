"""Batches shared out among processes: every row once, the same steps, the right shares."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.batches import InBatch, PairBatches, UserBatches
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.rank_batches import SharedRowGroups, SharedRows, dealt_out, recut
from nbhelpers.sampling.streaming import StreamedPairs

N_PAIRS, N_USERS, N_ITEMS = 103, 12, 1_000  # pair k is (k % 12, k): the item names the row
TRAIN = Interactions([0, 1, 2], [2, 0, 1], n_users=3, n_items=3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "pairs.parquet")


def write(path, *, weighted=False, rows_per_group=10):
    numbers = np.arange(N_PAIRS)
    columns = {"user_idx": numbers % N_USERS, "item_idx": numbers}
    if weighted:
        columns["weight"] = 1.0 + numbers % 5
    pq.write_table(pa.table(columns), path, row_group_size=rows_per_group)
    return path


def streamed(path, *, batch_size=17, buffer_rows=40, seed=0):
    return StreamedPairs(
        path,
        UniformNegatives(N_ITEMS),
        batch_size=batch_size,
        n_negatives=2,
        generator=seeded(seed),
        buffer_rows=buffer_rows,
    )


def passes(kind, path, world, n_passes=1, **settings):
    """Parts of every rank, each with batches and a generator of its own, as in processes."""
    ranks = [kind(streamed(path, **settings), rank, world) for rank in range(world)]
    return ranks, [[part for _ in range(n_passes) for part in rank] for rank in ranks]


def items_of(parts):
    """Rows that count, once for each time that they do."""
    return sorted(item for part in parts if part.size for item in part.rows[1].tolist())


@pytest.mark.parametrize("kind", [SharedRows, SharedRowGroups])
@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [5, 17, 103, 400])
def test_the_ranks_see_every_row_once_in_as_many_steps(path, kind, world, batch_size):
    ranks, parts = passes(kind, path, world, batch_size=batch_size)
    assert items_of(part for rank in parts for part in rank) == list(range(N_PAIRS))
    n_steps = -(-N_PAIRS // batch_size)
    assert [len(rank) for rank in ranks] == [n_steps] * world
    assert [len(rank) for rank in parts] == [n_steps] * world


@pytest.mark.parametrize("kind", [SharedRows, SharedRowGroups])
def test_a_second_pass_has_another_order_and_leaves_the_generators_alike(path, kind):
    ranks, parts = passes(kind, path, 2, n_passes=2)
    half = len(parts[0]) // 2
    for rank in parts:
        assert not torch.equal(rank[0].rows[1], rank[half].rows[1])
    assert items_of(part for rank in parts for part in rank[half:]) == list(range(N_PAIRS))
    first, second = (rank.generator.get_state() for rank in ranks)
    assert torch.equal(first, second)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_shared_rows_put_together_are_the_batches_of_one_process(path, world):
    _, parts = passes(SharedRows, path, world)
    for step, whole in enumerate(streamed(path)):
        for rank, column in ((rank, k) for rank in range(world) for k in range(3)):
            part = parts[rank][step]
            if part.size:
                assert torch.equal(part.rows[column], whole[column][rank::world])


@pytest.mark.parametrize("kind", [SharedRows, SharedRowGroups])
def test_sizes_of_the_parts_add_up_to_the_total(path, kind):
    _, parts = passes(kind, path, 3)
    for step in zip(*parts, strict=True):
        total = sum(part.size.item() for part in step)
        assert [part.total.item() for part in step] == [total] * 3


def test_weights_are_what_a_part_counts(tmp_path):
    path = write(tmp_path / "weighted.parquet", weighted=True)
    _, parts = passes(SharedRows, path, 2)
    for step in zip(*parts, strict=True):
        for part in step:
            weights = [1 + item % 5 for item in part.rows[1].tolist()]
            assert part.size.item() in (sum(weights), 0)
            assert part.total.item() == sum(other.size.item() for other in step)


def test_of_weighted_row_groups_no_rank_knows_the_total(tmp_path):
    path = write(tmp_path / "weighted.parquet", weighted=True)
    _, parts = passes(SharedRowGroups, path, 2)
    assert {part.total.item() for rank in parts for part in rank} == {0.0}


def test_a_rank_without_rows_holds_one_that_does_not_count(path):
    _, parts = passes(SharedRows, path, 3)  # 103 is 6 batches of 17, and 1
    lasts = [rank[-1] for rank in parts]
    assert [part.size.item() for part in lasts] == [1, 0, 0]
    assert [len(part.rows[0]) for part in lasts] == [1, 1, 1]


def test_row_groups_are_read_by_their_rank_alone(path):
    ranks, parts = passes(SharedRowGroups, path, 2, n_passes=3)
    for rank, others in ((0, 1), (1, 0)):
        groups = {item // 10 for item in items_of(parts[rank])}
        assert groups.isdisjoint({item // 10 for item in items_of(parts[others])})
    assert ranks[0].n_rows == [53, 50]
    sizes = [[int(part.size) for part in rank[:7]] for rank in parts]
    assert [min(each) for each in sizes] == [7, 7]
    assert [max(each) for each in sizes] == [8, 8]


def test_the_sampler_is_asked_for_own_rows_alone(path):
    asked = []

    def sampler(user_idx, *, n_negatives, generator):
        asked.append(len(user_idx))
        return UniformNegatives(N_ITEMS)(user_idx, n_negatives=n_negatives, generator=generator)

    batches = streamed(path)
    batches.sampler = sampler
    list(SharedRowGroups(batches, 1, 2))
    assert sum(asked) == 50


def test_batches_in_memory_are_shared_by_rows():
    generator = seeded()
    batches = PairBatches(
        TRAIN, UniformNegatives(3), batch_size=2, n_negatives=1, generator=generator
    )
    assert [part.size.item() for part in SharedRows(batches, 1, 2)] == [1, 0]
    with pytest.raises(ValueError, match="streamed from Parquet, got PairBatches: use Streamed"):
        SharedRowGroups(batches, 0, 2)


@pytest.mark.parametrize("kind", [InBatch, UserBatches])
def test_losses_over_a_whole_batch_cannot_be_shared(kind):
    batches = kind(TRAIN, batch_size=2, generator=seeded())
    with pytest.raises(ValueError, match=f"{kind.__name__} cannot be shared.*needs all rows"):
        SharedRows(batches, 0, 2)


def test_settings_that_do_not_fit_are_refused(path):
    with pytest.raises(ValueError, match="rank must lie between 0 and 1, got 2"):
        SharedRows(streamed(path), 2, 2)
    with pytest.raises(ValueError, match="world must be at least 1, got 0"):
        SharedRows(streamed(path), 0, 0)
    with pytest.raises(ValueError, match="at least the number of processes, got 2 for 3"):
        SharedRows(streamed(path, batch_size=2), 0, 3)
    with pytest.raises(ValueError, match="got 11 for 12: write the pairs with smaller rows_per_gr"):
        SharedRowGroups(streamed(path), 0, 12)


def test_row_groups_are_dealt_evenly_and_completely():
    sizes = [7, 1, 5, 5, 2, 9, 9, 3]
    hands = dealt_out(sizes, 3)
    assert sorted(number for hand in hands for number in hand) == list(range(8))
    sums = [sum(sizes[number] for number in hand) for hand in hands]
    assert max(sums) - min(sums) <= 3


def test_recut_keeps_rows_in_order_and_repeats_one_for_an_empty_batch():
    batches = [(torch.arange(start, start + 4), torch.arange(start, start + 4)) for start in (0, 4)]
    cut = [first.tolist() for first, _ in recut(batches, [0, 3, 0, 5])]
    assert cut == [[3], [0, 1, 2], [2], [3, 4, 5, 6, 7]]
