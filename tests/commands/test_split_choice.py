import numpy as np
import pandas as pd
import pytest

from nbhelpers.commands.own_log import open_log
from nbhelpers.commands.split_choice import choose_split
from nbhelpers.data.datasets.synthetic import make_ratings

DAY = 86_400
START = 1_600_000_000


def busy_shop(n_users=150, n_days=30):
    """Everybody buys something new every day, so that one date for all can be drawn."""
    user, day = np.divmod(np.arange(n_users * n_days), n_days)
    items = (user + day) % (2 * n_days)
    return pd.DataFrame(
        {"user_id": user + 1, "item_id": items + 1, "timestamp": START + day * DAY + user}
    )


def test_one_date_for_everybody_where_enough_users_can_be_tested():
    split = choose_split(open_log(busy_shop()))
    assert split.name == "time"
    assert split.n_test_users == 150
    parts = split.parts
    assert parts.train.timestamps.max() < parts.valid.timestamps.min()
    assert parts.valid.timestamps.max() < parts.test.timestamps.min()
    assert "came after the date have no history: 0 of them" in split.cannot_see


def test_what_was_had_before_the_date_is_not_asked_for_after_it():
    shop = busy_shop()
    last = shop["timestamp"].max() + DAY
    again = shop.groupby("user_id").head(1).assign(timestamp=last)  # the first item, once more
    split = choose_split(open_log(pd.concat([shop, again])), split="time")
    test = split.parts.test.to_frame()
    assert not len(test.merge(again, on=["user_id", "item_id"]))


def test_weights_of_positives_reach_the_parts():
    shop = busy_shop().assign(weight=lambda rows: 1.0 + rows["item_id"] % 2)
    split = choose_split(open_log(shop), split="last")
    assert np.unique(split.parts.train.weights) == pytest.approx([1, 1 + np.log(2)])


def test_last_positive_of_each_where_a_date_would_leave_too_few(ratings):
    split = choose_split(open_log(ratings))
    assert split.name == "last"
    assert "one date for everybody would test only" in split.why
    assert split.why.endswith("so each user's last positive is the test")
    assert split.parts.test.user_counts.max() == 1


def test_at_random_without_times_and_it_is_said(ratings):
    split = choose_split(open_log(ratings.drop(columns="timestamp")))
    assert split.name == "random"
    assert split.why.startswith("no times are known")
    assert "later rows help to predict earlier" in split.cannot_see


def test_at_random_where_all_times_are_the_same(ratings):
    split = choose_split(open_log(ratings.assign(timestamp=START)))
    assert split.name == "random"
    assert "fewer than three different times" in split.why


@pytest.mark.parametrize("name", ["time", "last"])
def test_a_split_by_time_needs_times(ratings, name):
    with pytest.raises(ValueError, match="needs times"):
        choose_split(open_log(ratings.drop(columns="timestamp")), split=name)


def short_histories(n_users=40):
    """Three or four rows of each user: a tenth of them is none."""
    pairs = [(user, user % 7 + n) for user in range(n_users) for n in range(3 + user % 2)]
    return pd.DataFrame(pairs, columns=["user_id", "item_id"])


def test_one_of_each_where_a_tenth_of_a_history_is_nothing():
    split = choose_split(open_log(short_histories()))
    assert split.name == "one"
    assert split.n_test_users == 40
    assert split.why.startswith("no times are known; a tenth of each user's rows is not possible")
    assert (split.parts.train.user_counts >= 1).all()


def test_what_is_drawn_of_each_user_is_a_positive_and_all_low_ratings_mask():
    rows = short_histories().assign(rating=5.0)
    rows.loc[rows.groupby("user_id").cumcount() == 3, "rating"] = 1.0
    log = open_log(rows, min_rating=4)
    parts = choose_split(log, split="one").parts
    assert len(parts.test) == 40
    assert len(parts.seen) == len(rows) - 40
    shuffled = open_log(rows.sample(frac=1, random_state=0), min_rating=4)
    again = choose_split(shuffled, split="one").parts
    assert again.test.to_frame().equals(parts.test.to_frame())


def test_unknown_split_is_refused(ratings):
    with pytest.raises(ValueError, match="split must be auto"):
        choose_split(open_log(ratings), split="week")


def test_low_ratings_are_seen_but_not_learned_from(ratings):
    log = open_log(ratings)
    parts = choose_split(log, split="random", seed=3).parts
    n_before_test = len(parts.seen)
    assert len(parts.known) < n_before_test
    assert len(parts.train) + len(parts.valid) + len(parts.test) <= log.n_positives
    assert parts.seen.contains(*parts.known.pairs()).all()
    assert not parts.seen.contains(*parts.test.pairs()).any()


def test_the_seed_decides_which_rows_are_drawn(ratings):
    log = open_log(ratings)

    def test_rows(seed):
        return choose_split(log, split="random", seed=seed).parts.test.to_frame()

    assert test_rows(1).equals(test_rows(1))
    assert not test_rows(1).equals(test_rows(2))


def test_a_log_too_small_says_so():
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4]})
    with pytest.raises(ValueError, match="too small to hold rows out"):
        choose_split(open_log(frame))


def test_shuffled_rows_give_the_same_split():
    made = make_ratings(80, 40, 1500, rng=1).ratings
    shuffled = made.sample(frac=1, random_state=0)
    first, second = (
        choose_split(open_log(frame), split="last").parts.test.to_frame()
        for frame in (made, shuffled)
    )
    assert first.equals(second)
