import math

import numpy as np
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.batches import InBatch, PairBatches, UserBatches
from nbhelpers.sampling.negatives import ExactNegatives
from tests.fake_gpu import DEVICE, FakeGenerator, fake_gpu


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def interactions():
    """User u has the items 10 * u to 10 * u + 4, so that a pair mixed up shows."""
    users = np.repeat(np.arange(5), 5)
    return Interactions(users, 10 * users + np.tile(np.arange(5), 5), n_users=5, n_items=50)


def batches_of(interactions, **settings):
    settings = {"batch_size": 4, "n_negatives": 3, "generator": seeded(), **settings}
    return PairBatches(interactions, ExactNegatives(interactions), **settings)


def pairs_of(batches):
    return [
        pair
        for user_idx, item_idx, *_ in batches
        for pair in zip(user_idx.tolist(), item_idx.tolist(), strict=True)
    ]


def both(interactions):
    return [
        batches_of(interactions),
        InBatch(interactions, batch_size=4, generator=seeded()),
    ]


@pytest.mark.parametrize("kind", [0, 1], ids=["with negatives", "in batch"])
def test_each_pass_holds_every_positive_once_in_another_order(interactions, kind):
    batches = both(interactions)[kind]
    expected = list(zip(*[side.tolist() for side in interactions.pairs()], strict=True))
    first, second = pairs_of(batches), pairs_of(batches)
    assert sorted(first) == sorted(second) == expected
    assert first != expected
    assert first != second


@pytest.mark.parametrize("kind", [0, 1], ids=["with negatives", "in batch"])
def test_the_length_counts_batches_and_the_last_is_short(interactions, kind):
    batches = both(interactions)[kind]
    assert len(batches) == 7
    assert [len(batch[0]) for batch in batches] == [4, 4, 4, 4, 4, 4, 1]


def test_negatives_belong_to_the_user_of_their_row(interactions):
    for user_idx, _, negatives in batches_of(interactions):
        assert negatives.shape == (len(user_idx), 3)
        assert not interactions.contains(user_idx.unsqueeze(1), negatives).any()


def test_negatives_are_redrawn_in_each_pass(interactions):
    batches = batches_of(interactions, batch_size=25, n_negatives=1)

    def by_pair():
        [(_, item_idx, negatives)] = batches
        return negatives[item_idx.argsort()].flatten().tolist()

    first, second = by_pair(), by_pair()
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10


def test_the_seed_decides_all_passes(interactions):
    one, two = batches_of(interactions), batches_of(interactions)
    for _ in range(2):
        for first, second in zip(one, two, strict=True):
            assert all(torch.equal(*sides) for sides in zip(first, second, strict=True))


def test_log_q_is_the_frequency_of_an_item_among_the_positives():
    built = Interactions([0, 1, 2, 0], [0, 0, 0, 1], n_users=3, n_items=3)
    log_q = InBatch(built, batch_size=2, generator=seeded()).log_q
    assert log_q.tolist() == pytest.approx([math.log(3 / 4), math.log(1 / 4), -math.inf])


@pytest.mark.parametrize("setting", ["batch_size", "n_negatives"])
def test_sizes_below_one_are_refused(interactions, setting):
    with pytest.raises(ValueError, match=f"{setting} must be at least 1, got 0"):
        batches_of(interactions, **{setting: 0})


def test_nothing_to_train_on_is_refused():
    none = np.array([], dtype=int)
    empty = Interactions(none, none, n_users=1, n_items=1)
    with pytest.raises(ValueError, match="there is no positive to train on"):
        InBatch(empty, batch_size=1, generator=seeded())


@pytest.fixture
def uneven():
    """User 1 has no item; the others have some, which say whose they are."""
    return Interactions([0, 0, 2, 3, 3, 3], [0, 1, 20, 30, 31, 32], n_users=4, n_items=40)


def test_each_user_comes_once_a_pass_with_all_positives(uneven):
    batches = UserBatches(uneven, batch_size=2, generator=seeded(3))
    assert len(batches) == 2
    wanted = {0: [0, 1], 2: [20], 3: [30, 31, 32]}
    for _ in range(3):
        users, rows = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert rows.shape == (3, 40)
        assert rows.dtype == torch.float32
        found = {int(user): row.nonzero() for user, row in zip(users, rows, strict=True)}
        assert {user: items.flatten().tolist() for user, items in found.items()} == wanted
        assert rows.max() == 1


def test_users_come_in_another_order_in_each_pass(interactions):
    batches = UserBatches(interactions, batch_size=2, generator=seeded())
    orders = [tuple(torch.cat([users for users, _ in batches]).tolist()) for _ in range(5)]
    assert len(set(orders)) > 1
    assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3, 4)}


def test_users_without_positives_are_refused_when_nobody_has_any():
    nothing = np.array([], dtype=np.int64)
    nobody = Interactions(nothing, nothing, n_users=2, n_items=2)
    with pytest.raises(ValueError, match="there is no positive to train on"):
        UserBatches(nobody, batch_size=2, generator=seeded())


def weighted(interactions):
    """The weight of a pair says which item it is."""
    user_idx, item_idx = interactions.pairs()
    sizes = {"n_users": interactions.n_users, "n_items": interactions.n_items}
    return Interactions(user_idx, item_idx, weights=item_idx + 0.5, **sizes)


@pytest.mark.parametrize("kind", [0, 1], ids=["with negatives", "in batch"])
def test_each_weight_comes_last_with_its_pair(interactions, kind):
    for _, item_idx, *_, weights in both(weighted(interactions))[kind]:
        assert weights.tolist() == [item + 0.5 for item in item_idx.tolist()]
        assert weights.dtype == torch.float32


@pytest.mark.parametrize("kind", [0, 1], ids=["with negatives", "in batch"])
def test_weights_change_nothing_else(interactions, kind):
    plain, also = both(interactions)[kind], both(weighted(interactions))[kind]
    for first, second in zip(plain, also, strict=True):
        assert len(second) == len(first) + 1
        assert all(torch.equal(*parts) for parts in zip(first, second[:-1], strict=True))


def test_rows_of_users_hold_weights_where_there_are_any(uneven):
    for users, rows in UserBatches(weighted(uneven), batch_size=2, generator=seeded()):
        expected = weighted(uneven).weighted_scipy().toarray()[users.numpy()]
        assert rows.tolist() == expected.tolist()
        assert rows.dtype == torch.float32


KINDS = {
    "pairs": lambda data, **how: PairBatches(data, ExactNegatives(data), n_negatives=3, **how),
    "in batch": InBatch,
    "users": UserBatches,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_batches_are_drawn_on_the_gpu_and_none_is_waited_for(interactions, kind):
    given = weighted(interactions)
    with fake_gpu():
        batches = kind(given, batch_size=3, generator=FakeGenerator())
        with fake_gpu(waits=False):
            drawn = list(batches)
        assert {part.device for batch in drawn for part in batch} == {DEVICE}
        users = torch.cat([batch[0] for batch in drawn]).cpu()
    assert set(users.tolist()) == set(range(5))


def test_pairs_drawn_on_the_gpu_are_those_of_the_cpu(interactions):
    given = weighted(interactions)
    on_cpu = {item: (user, weight) for user, item, weight in rows_of(in_batch_of(given, seeded()))}
    with fake_gpu():
        batches = in_batch_of(given, FakeGenerator())
        on_gpu = rows_of([tuple(part.cpu() for part in batch) for batch in batches])
    assert {item: (user, weight) for user, item, weight in on_gpu} == on_cpu
    assert len(on_gpu) == 25


def in_batch_of(data, generator):
    return InBatch(data, batch_size=4, generator=generator)


def rows_of(batches):
    return [
        row for batch in batches for row in zip(*(part.tolist() for part in batch), strict=True)
    ]
