import numpy as np
import pytest

from nbhelpers.data.datasets.synthetic_tastes import N_FAVORITES, make_likes


def pairs(likes):
    frame = likes.to_frame()
    return frame["user_idx"].to_numpy(), frame["item_idx"].to_numpy()


def test_a_loyal_user_has_items_of_four_groups_at_most():
    users, items = pairs(make_likes(50, 1000, 5000, n_groups=20, loyalty=1.0, rng=0))
    groups = [np.unique(items[users == user] * 20 // 1000) for user in range(50)]
    assert max(map(len, groups)) <= N_FAVORITES
    assert np.mean([len(own) for own in groups]) > 3  # few favorites coincide


def test_without_loyalty_users_have_items_of_all_groups():
    users, items = pairs(make_likes(10, 1000, 10_000, n_groups=5, loyalty=0.0, rng=0))
    assert all(len(np.unique(items[users == user] // 200)) == 5 for user in range(10))


@pytest.mark.parametrize(("n_items", "n_groups"), [(10, 3), (7, 7), (1000, 300), (5, 1)])
def test_groups_hold_the_items_that_the_docstring_says(n_items, n_groups):
    users, items = pairs(make_likes(200, n_items, 4000, n_groups=n_groups, loyalty=1.0, rng=1))
    groups = items * n_groups // n_items
    for user in range(200):
        assert len(np.unique(groups[users == user])) <= N_FAVORITES


def test_no_pair_comes_twice_and_few_items_have_most_likes():
    likes = make_likes(2000, 5000, 60_000, rng=0)
    users, items = pairs(likes)
    assert len(np.unique(users * 5000 + items)) == len(users) == len(likes)
    top = np.sort(likes.item_counts)[::-1]
    assert top[:500].sum() > 0.4 * len(likes)
    busiest = np.sort(likes.user_counts)[::-1]
    assert busiest[:200].sum() > 0.15 * len(likes)


def test_the_seed_decides():
    first, second, third = (pairs(make_likes(50, 200, 500, rng=seed))[1] for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_draws": 0}, "n_draws must be at least 1, got 0"),
        ({"n_groups": 6}, "got 6 groups of 5 items and 0.8"),
        ({"loyalty": 1.1}, "got 2 groups of 5 items and 1.1"),
    ],
)
def test_impossible_sizes_are_refused(changes, message):
    sizes = {"n_users": 3, "n_items": 5, "n_draws": 9, "n_groups": 2, "loyalty": 0.8}
    with pytest.raises(ValueError, match=message):
        make_likes(**(sizes | changes), rng=0)
