import math

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.neighbor_quality import (
    attribute_agreement,
    cooccurrence_lift,
    popularity_percentile,
)

N_USERS, N_ITEMS = 25, 12


@pytest.fixture
def chosen(rng):
    """Items 0 and 1 go together, item 11 is nobody's."""
    mask = rng.random((N_USERS, N_ITEMS)) < np.linspace(0.8, 0.1, N_ITEMS)
    mask[:, 1] = mask[:, 0]
    mask[:, 11] = False
    return mask


@pytest.fixture
def lists(rng):
    """Seven lists of four; one ends early, one is empty."""
    rows = torch.tensor(rng.permuted(np.tile(np.arange(N_ITEMS), (7, 1)), axis=1)[:, :4])
    rows[2, 2:] = -1
    rows[5] = -1
    return rows


ASKED = torch.tensor([0, 3, 9, 3, 11, 4, 1])


def interactions_of(mask):
    return Interactions(*mask.nonzero(), n_users=N_USERS, n_items=N_ITEMS)


def test_agreement_by_hand():
    genres = [[1, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]
    lists = torch.tensor([[1, 2, 3], [0, 2, -1], [0, 1, 3]])
    shares = attribute_agreement(lists, torch.tensor([0, 1, 2]), genres)
    assert shares.tolist() == pytest.approx([1 / 3, 1.0, 1 / 3])


def test_agreement_agrees_with_a_loop_over_pairs(rng, lists):
    genres = rng.random((N_ITEMS, 5)) < 0.3
    genres[9] = False
    sets = [set(row.nonzero()[0].tolist()) for row in genres]
    for found, item, row in zip(
        attribute_agreement(lists, ASKED, genres).tolist(),
        ASKED.tolist(),
        lists.tolist(),
        strict=True,
    ):
        shared = [bool(sets[item] & sets[other]) for other in row if other >= 0]
        expected = np.mean(shared) if shared and sets[item] else math.nan
        assert found == pytest.approx(expected, nan_ok=True)


def test_agreement_takes_frames_and_tensors(rng, lists):
    genres = (rng.random((N_ITEMS, 5)) < 0.4).astype(int)
    expected = attribute_agreement(lists, ASKED, genres)
    for table in (pd.DataFrame(genres), torch.from_numpy(genres), genres.tolist()):
        torch.testing.assert_close(
            attribute_agreement(lists, ASKED, table), expected, equal_nan=True
        )


def test_lift_by_hand():
    # of 4 users two have item 0, two item 1, both of them have both; item 2 has one user
    chosen = Interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_users=4, n_items=3)
    lists = torch.tensor([[1, -1], [2, -1], [1, 2]])
    # 2 users where 2 * 2 / 4 are expected; none; 2 where 1 and a half are
    assert cooccurrence_lift(lists, torch.tensor([0, 0, 0]), chosen).tolist() == [2.0, 0.0, 2 / 1.5]


def test_lift_agrees_with_a_loop_over_pairs(lists, chosen):
    found = cooccurrence_lift(lists, ASKED, interactions_of(chosen)).tolist()
    for value, item, row in zip(found, ASKED.tolist(), lists.tolist(), strict=True):
        both = expected = 0.0
        for other in (place for place in row if place >= 0):
            both += (chosen[:, item] & chosen[:, other]).sum()
            expected += chosen[:, item].sum() * chosen[:, other].sum() / N_USERS
        assert value == pytest.approx(both / expected if expected else math.nan, nan_ok=True)
    assert [math.isnan(value) for value in found] == [False] * 4 + [True, True, False]


def test_percentile_by_hand():
    # below the counts stand 0, 1, 1 and 3 of four items, equal ones count half
    counts = [1, 5, 5, 9]
    lists = torch.tensor([[0, 3], [1, -1], [2, 3], [-1, -1]])
    means = popularity_percentile(lists, counts).tolist()
    assert means == pytest.approx(
        [(0.125 + 0.875) / 2, 0.5, (0.5 + 0.875) / 2, math.nan], nan_ok=True
    )


def test_percentile_agrees_with_a_loop_and_has_the_mean_one_half(rng):
    counts = rng.integers(0, 5, N_ITEMS)
    expected = [
        np.mean([1.0 if other < own else 0.5 if other == own else 0.0 for other in counts])
        for own in counts
    ]
    found = popularity_percentile(torch.arange(N_ITEMS).unsqueeze(1), counts)
    assert found.tolist() == pytest.approx(expected)
    assert found.mean().item() == pytest.approx(0.5)


def test_nothing_given_is_changed(lists, chosen):
    before = lists.clone(), chosen.copy()
    attribute_agreement(lists, ASKED, chosen.T)
    cooccurrence_lift(lists, ASKED, interactions_of(chosen))
    popularity_percentile(lists, chosen.sum(axis=0))
    assert lists.equal(before[0])
    assert (chosen == before[1]).all()


PAIR = torch.tensor([[1, 2]])
FOUR = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: attribute_agreement(PAIR, FOUR, t), r"got 1 lists and asked of shape \(4,\)"),
        (lambda t: attribute_agreement(PAIR, FOUR[:1], t[:2]), "lie outside 0 to 1, e.g. 2"),
        (lambda t: attribute_agreement(PAIR, FOUR[3:], t[:3]), "lie outside 0 to 2, e.g. 3"),
        (lambda t: attribute_agreement(PAIR, FOUR[:1] - 1, t), "1 items asked for are -1"),
        (lambda t: attribute_agreement(PAIR, FOUR[:1], t[0]), r"must be \(n_items, n_attributes\)"),
        (lambda t: popularity_percentile(PAIR, [1, 2]), "lie outside 0 to 1, e.g. 2"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((4, 3)))
