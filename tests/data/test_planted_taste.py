import numpy as np
import pandas as pd
import pytest

from nbhelpers.data.planted_taste import plant_colors
from nbhelpers.data.vocabulary import Vocabulary

USERS, ITEMS = Vocabulary(range(1, 41)), Vocabulary(range(101, 161))
EVERY = pd.DataFrame(
    [(user, item) for item in ITEMS.ids for user in USERS.ids], columns=["user_id", "item_id"]
)


def planted(strength, ratings=EVERY, rng=0):
    return plant_colors(ratings, strength=strength, users=USERS, items=ITEMS, rng=rng)


def of_own_color(world, ratings):
    """One truth value for each rating, read from the columns of the features."""
    user = world.user_colors.frame()["color: red"]
    item = world.item_colors.frame()["color: red"]
    pairs = zip(ratings["user_id"], ratings["item_id"], strict=True)
    return np.array([user[one] == item[other] for one, other in pairs])


def test_each_row_has_one_color():
    world = planted(0.5)
    assert (world.user_colors.table.sum(dim=1) == 1).all()
    assert (world.item_colors.table.sum(dim=1) == 1).all()
    assert set(world.user_colors.table[:, 0].tolist()) == {0, 1}


def test_ratings_of_the_own_color_all_stay():
    world = planted(0.9)
    assert of_own_color(world, world.ratings).sum() == of_own_color(world, EVERY).sum()


def test_share_of_the_other_color_is_deleted():
    world = planted(0.75)
    left = (~of_own_color(world, world.ratings)).sum()
    assert left / (~of_own_color(world, EVERY)).sum() == pytest.approx(0.25, abs=0.04)


def test_strength_of_zero_deletes_nothing_and_changes_nothing():
    before = EVERY.copy()
    pd.testing.assert_frame_equal(planted(0.0).ratings, before)
    planted(0.9)
    pd.testing.assert_frame_equal(EVERY, before)


def test_rows_stay_in_their_order_with_their_index():
    shuffled = EVERY.sample(frac=1, random_state=1)
    left = planted(0.5, shuffled).ratings
    pd.testing.assert_frame_equal(left, shuffled.loc[left.index])


def test_seed_decides():
    assert planted(0.5).ratings.equals(planted(0.5).ratings)
    assert not planted(0.5).ratings.equals(planted(0.5, rng=1).ratings)


@pytest.mark.parametrize("strength", [-0.1, 1.0, float("nan")])
def test_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength must be at least 0 and below 1"):
        planted(strength)


def test_unknown_id_is_refused():
    with pytest.raises(KeyError):
        planted(0.5, pd.DataFrame({"user_id": [999], "item_id": [101]}))
