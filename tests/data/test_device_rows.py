"""Rows on a device: what they answer on the CPU, and that a GPU is never waited for."""

import numpy as np
import pytest
import torch

from nbhelpers.data.device_rows import DeviceRows
from nbhelpers.data.interactions import Interactions
from tests.fake_gpu import DEVICE, fake_gpu

N_ITEMS = 8


def interactions(weights=None):
    """User 0 has half of the items, user 1 none, user 2 all but item 5, user 3 the last item."""
    items = {0: [0, 2, 3, 7], 2: [0, 1, 2, 3, 4, 6, 7], 3: [7]}
    pairs = [(user, item) for user, chosen in items.items() for item in chosen]
    weights = np.arange(1, 13) / 2 if weights else None
    return Interactions(*zip(*pairs, strict=True), n_users=4, n_items=N_ITEMS, weights=weights)


@pytest.fixture
def rows():
    return DeviceRows(interactions(), "cpu")


def padded(rows):
    """The same rows, looked up as on a GPU."""
    rows._ragged = rows._padded
    return rows


def test_pairs_are_those_of_the_interactions(rows):
    positions = torch.tensor([11, 0, 4, 3], dtype=torch.int32)
    user_idx, item_idx = rows.pairs_at(positions)
    assert user_idx.tolist() == [3, 0, 2, 0]
    assert item_idx.tolist() == [7, 0, 0, 7]
    assert user_idx.dtype == item_idx.dtype == torch.int64


def test_every_absent_item_of_every_user_is_found_by_its_number(rows):
    chosen = interactions().to_scipy().toarray()
    for user in range(4):
        absent = np.flatnonzero(chosen[user] == 0).tolist()
        users = torch.full((len(absent),), user)
        assert rows.n_absent(users).tolist() == [len(absent)] * len(absent)
        assert rows.nth_absent(users, torch.arange(len(absent))).tolist() == absent


@pytest.mark.parametrize("way", [lambda rows: rows, padded], ids=["CPU", "as on a GPU"])
@pytest.mark.parametrize("users", [[0, 1, 2, 3], [3, 1], [1], [2, 2], []], ids=str)
def test_dense_rows_are_those_of_the_interactions(users, way):
    user_idx = torch.tensor(users, dtype=torch.int64)
    weighted = interactions(weights=True)
    expected = weighted.weighted_scipy().toarray()[users].reshape(len(users), N_ITEMS)
    rows = way(DeviceRows(weighted, "cpu"))
    assert rows.dense(user_idx).tolist() == (expected > 0).tolist()
    assert rows.dense(user_idx).dtype == torch.bool
    assert rows.dense_weights(user_idx).tolist() == expected.tolist()
    assert rows.dense_weights(user_idx).dtype == torch.float32


@pytest.mark.parametrize("way", [lambda rows: rows, padded], ids=["CPU", "as on a GPU"])
def test_a_positive_without_a_weight_counts_as_one(way):
    rows = way(DeviceRows(interactions(), "cpu"))
    assert rows.dense_weights(torch.tensor([3, 1])).tolist() == [[0.0] * 7 + [1.0], [0.0] * 8]


def test_a_user_who_has_every_item_is_noticed(rows):
    assert not rows.has_full_row
    full = interactions() | Interactions([2], [5], n_users=4, n_items=N_ITEMS)
    assert DeviceRows(full, "cpu").has_full_row


def test_nobody_has_anything():
    none = np.array([], dtype=int)
    rows = DeviceRows(Interactions(none, none, n_users=2, n_items=3), "cpu")
    users = torch.tensor([0, 1])
    for each in (rows, padded(rows)):
        assert not each.dense(users).any()
    assert rows.nth_absent(users, torch.tensor([2, 0])).tolist() == [2, 0]


def test_the_interactions_stay_as_they_are():
    given = interactions(weights=True)
    before = given.indptr.copy(), given.indices.copy(), given.weights.copy()
    rows = DeviceRows(given, "cpu")
    rows.dense_weights(torch.arange(4)).zero_()
    rows.pairs_at(torch.arange(12))[1].zero_()
    after = given.indptr, given.indices, given.weights
    assert all((one == two).all() for one, two in zip(before, after, strict=True))


def test_all_answers_are_given_on_the_gpu_and_none_is_waited_for():
    weighted, on_cpu = interactions(weights=True), torch.tensor([1, 2, 0])
    with fake_gpu():
        rows = DeviceRows(weighted, DEVICE)
        users = on_cpu.to(DEVICE)
        with fake_gpu(waits=False):
            answers = answers_of(rows, users)
        assert {answer.device for answer in answers} == {DEVICE} == {rows.device}
        found = [answer.tolist() for answer in answers]
    assert found == [answer.tolist() for answer in answers_of(DeviceRows(weighted, "cpu"), on_cpu)]


def answers_of(rows, users):
    return [
        *rows.pairs_at(users.int()),
        rows.n_absent(users),
        rows.nth_absent(users, users.clamp(max=0)),
        rows.dense(users),
        rows.dense_weights(users),
    ]
