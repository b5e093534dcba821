import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.beyond_accuracy import (
    coverage,
    gini,
    list_overlap,
    lorenz,
    novelty,
    popularity_share,
)

LISTS = torch.tensor([[0, 1], [0, 2], [0, 1]])


def test_coverage_by_hand():
    assert coverage(LISTS, n_items=4) == 0.75
    assert coverage(LISTS, n_items=6) == 0.5


def test_empty_positions_count_nowhere():
    short = torch.tensor([[0, -1], [-1, -1]])
    assert coverage(short, n_items=2) == 0.5
    assert gini(short, n_items=2) == 0.5
    assert novelty(short, [1, 4], n_users=4)[0].item() == 2.0
    assert popularity_share(short, [1, 4], head=0.5)[0].item() == 0.0
    assert novelty(short, [1, 4], n_users=4)[1].isnan()
    assert popularity_share(short, [1, 4])[1].isnan()


def test_empty_lists_cover_nothing():
    empty = torch.full((2, 3), -1)
    assert coverage(empty, n_items=5) == 0.0
    assert math.isnan(gini(empty, n_items=5))
    assert lorenz(empty, n_items=5).isnan().all()


def test_gini_is_zero_when_all_items_are_shown_equally():
    assert gini(torch.tensor([[0, 1], [2, 3]]), n_items=4) == 0.0


def test_gini_of_a_single_item():
    assert gini(torch.zeros(9, 1, dtype=torch.int64), n_items=4) == pytest.approx(1 - 1 / 4)


def test_gini_is_half_the_relative_mean_difference():
    # shown 3, 2, 1 and 0 times: differences of all ordered pairs sum to 20, the mean is 1.5
    assert gini(LISTS, n_items=4) == pytest.approx(20 / 16 / 1.5 / 2)


def test_lorenz_curve_by_hand():
    # shown 3, 2, 1 and 0 times
    assert lorenz(LISTS, n_items=4).tolist() == pytest.approx([0, 0, 1 / 6, 3 / 6, 1])


def test_lorenz_curve_of_equal_exposure_is_the_diagonal():
    assert lorenz(torch.tensor([[0, 1], [2, 3]]), n_items=4).tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_gini_is_twice_the_area_above_the_lorenz_curve():
    lists = torch.tensor([[0, 1, -1], [0, 5, 2], [0, 1, 5]])
    area = torch.trapezoid(lorenz(lists, n_items=7), dx=1 / 7)
    assert gini(lists, n_items=7) == pytest.approx(float(1 - 2 * area))


def looped_overlap(lists):
    """Mean over ordered pairs of users of the share of the first one's items."""
    sets = [{item for item in row if item >= 0} for row in lists]
    sets = [items for items in sets if items]
    shares = [len(one & two) / len(one) for one, two in itertools.permutations(sets, 2)]
    return sum(shares) / len(shares) if shares else math.nan


def test_overlap_by_hand():
    # the first and the third share both items, the second shares one of two with either
    assert list_overlap(LISTS) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert list_overlap(torch.tensor([[0, 1], [2, 3]])) == 0.0
    assert list_overlap(torch.tensor([[0, 1], [1, 0], [0, 1]])) == 1.0


def test_overlap_of_lists_of_several_lengths():
    # of the one item of the first all, of the four items of the second a quarter
    assert list_overlap(torch.tensor([[2, -1, -1, -1], [0, 1, 2, 3]])) == (1 + 0.25) / 2


def test_overlap_needs_two_lists():
    assert math.isnan(list_overlap(torch.tensor([[0, 1], [-1, -1]])))
    assert math.isnan(list_overlap(torch.full((3, 2), -1)))
    assert math.isnan(list_overlap(torch.empty(0, 2, dtype=torch.int64)))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(st.integers(0, 7), max_size=4, unique=True), min_size=1, max_size=7),
)
def test_overlap_agrees_with_a_loop_over_pairs_of_users(rows):
    filled = [row + [-1] * (4 - len(row)) for row in rows]
    found = list_overlap(torch.tensor(filled))
    assert found == pytest.approx(looped_overlap(filled), nan_ok=True)


def test_novelty_by_hand():
    # of 8 users 8, 4, 1 and 0 have the items: 0, 1, 3 and (as if one had it) 3 bits
    assert novelty(torch.tensor([[0, 1], [2, 3]]), [8, 4, 1, 0], n_users=8).tolist() == [0.5, 3.0]


def test_popularity_share_by_hand():
    counts = [9, 5, 5, 1, 0]
    lists = torch.tensor([[0, 1], [1, 3], [2, 4]])
    assert popularity_share(lists, counts, head=0.2).tolist() == [0.5, 0.0, 0.0]
    # two of five items; of the two with five users each the lower index
    assert popularity_share(lists, counts, head=0.4).tolist() == [1.0, 0.5, 0.0]
    assert popularity_share(lists, counts, head=1).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("head", "n_popular"), [(0.1, 1), (0.3, 3), (0.31, 4), (0.7, 7)])
def test_head_is_rounded_up_to_whole_items(head, n_popular):
    shares = popularity_share(torch.arange(10).unsqueeze(1), range(10, 0, -1), head=head)
    assert shares.sum() == n_popular


def test_of_many_equally_popular_items_the_head_holds_those_of_lowest_index():
    lists, index = torch.arange(1000).unsqueeze(1), torch.arange(1000)
    shares = popularity_share(lists, [3] * 1000, head=0.4)
    torch.testing.assert_close(shares, (index < 400).double())
    # 333 items have two users each, 333 have one, 334 nobody: of the middle third 167 belong
    shares = popularity_share(lists, index % 3, head=0.5)
    expected = (index % 3 == 2) | ((index % 3 == 1) & (index // 3 < 167))
    torch.testing.assert_close(shares, expected.double())


def test_counts_come_from_interactions():
    seen = Interactions([0, 1, 1], [0, 0, 1], n_users=2, n_items=2)
    lists = torch.tensor([[0, 1]])
    assert novelty(lists, seen.item_counts, n_users=2).item() == 0.5
    assert popularity_share(lists, seen.item_counts, head=0.5).item() == 0.5


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(-1, 5), min_size=3, max_size=3), min_size=1, max_size=6))
def test_values_stay_in_bounds_and_names_of_items_do_not_matter(rows):
    lists = torch.tensor(rows)
    renamed = torch.tensor([3, 5, 0, 1, 4, 2, -1])[lists]
    counts = torch.tensor([8, 0, 3, 1, 6, 2])
    new_counts = torch.empty_like(counts)
    new_counts[torch.tensor([3, 5, 0, 1, 4, 2])] = counts
    assert 0 <= coverage(lists, n_items=6) == coverage(renamed, n_items=6) <= 1
    unequal = gini(lists, n_items=6), gini(renamed, n_items=6)
    assert unequal[0] == pytest.approx(unequal[1], nan_ok=True)
    assert math.isnan(unequal[0]) or 0 <= unequal[0] <= 5 / 6 + 1e-12
    bits = novelty(lists, counts, n_users=8)
    same = novelty(renamed, new_counts, n_users=8)
    torch.testing.assert_close(bits, same, equal_nan=True)
    assert ((bits >= 0) & (bits <= 3) | bits.isnan()).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: coverage(LISTS, n_items=2), "1 listed items lie outside 0 to 1, e.g. 2"),
        (lambda: gini(LISTS, n_items=1), "3 listed items lie outside 0 to 0"),
        (lambda: lorenz(LISTS, n_items=2), "1 listed items lie outside 0 to 1, e.g. 2"),
        (lambda: list_overlap(torch.tensor([[0, 1], [2, 2]])), "1 lists hold an item twice"),
        (lambda: list_overlap(torch.tensor([[0, -2]])), "e.g. -2"),
        (lambda: list_overlap(torch.zeros(2, 2)), "got torch.float32"),
        (lambda: coverage(torch.tensor([[-2]]), n_items=2), "e.g. -2"),
        (lambda: coverage(torch.zeros(2), n_items=2), r"got torch.float32 of shape \(2,\)"),
        (lambda: novelty(LISTS, [1, 1], n_users=2), "1 listed items lie outside 0 to 1"),
        (lambda: novelty(LISTS, [1, 1, 3], n_users=2), "in 0 to 2 users, got 3"),
        (lambda: novelty(LISTS, [1, 1, -1], n_users=2), "in 0 to 2 users, got -1"),
        (lambda: popularity_share(LISTS, [1, 1, 1], head=0), "head must lie above 0"),
        (lambda: popularity_share(LISTS, [1, 1, 1], head=1.1), "head must lie above 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
