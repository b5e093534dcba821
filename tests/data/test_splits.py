import numpy as np
import pandas as pd
import pytest

from nbhelpers.data.splits import (
    cold_split,
    last_like_out,
    leave_last_out,
    random_split,
    stratified_split,
    temporal_split,
)


@pytest.fixture
def log(rng):
    """600 distinct pairs of 40 users and 50 items, many of them in the same second."""
    pair = rng.choice(40 * 50, size=600, replace=False)
    return pd.DataFrame(
        {
            "user_id": pair // 50 + 100,
            "item_id": pair % 50,
            "rating": rng.integers(1, 6, 600).astype(float),
            "timestamp": rng.integers(0, 200, 600),
        }
    )


SPLITS = {
    "random": lambda log: random_split(log, valid_frac=0.2, test_frac=0.1, rng=3),
    "random two": lambda log: random_split(log, valid_frac=0.2, rng=3),
    "stratified": lambda log: stratified_split(log, valid_frac=0.2, test_frac=0.1, rng=3),
    "last out": lambda log: leave_last_out(log, rng=3),
    "last two out": lambda log: leave_last_out(log, n_parts=3, rng=3),
    "temporal": lambda log: temporal_split(log, valid_frac=0.2, test_frac=0.1),
    "cold users": lambda log: cold_split(log, valid_frac=0.2, test_frac=0.1, rng=3),
    "cold items": lambda log: cold_split(log, by="item_id", valid_frac=0.2, rng=3),
}
by_split = pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS.keys())


@by_split
def test_nothing_is_lost_and_nothing_is_twice(log, split):
    parts = split(log)
    together = pd.concat(parts).sort_index()
    pd.testing.assert_frame_equal(together, log)


@by_split
def test_input_is_unchanged(log, split):
    before = log.copy()
    split(log)
    pd.testing.assert_frame_equal(log, before)


@by_split
def test_same_rows_in_another_order_split_alike(log, split):
    shuffled = log.sample(frac=1, random_state=5)
    for part, other in zip(split(log), split(shuffled), strict=True):
        assert set(part.index) == set(other.index)


@by_split
def test_rows_keep_their_order(log, split):
    assert all(part.index.is_monotonic_increasing for part in split(log))


def test_random_split_gives_the_shares_asked_for(log):
    parts = random_split(log, valid_frac=0.2, test_frac=0.1, rng=0)
    assert [len(part) for part in parts] == [420, 120, 60]


def test_another_seed_gives_another_split(log):
    one, two = (random_split(log, valid_frac=0.2, rng=seed)[1] for seed in (1, 2))
    assert set(one.index) != set(two.index)


@pytest.mark.parametrize("by", ["user_id", "item_id"])
def test_another_seed_holds_other_cold_groups_out(log, by):
    groups = [set(cold_split(log, by=by, rng=seed)[1][by]) for seed in (1, 2)]
    assert groups[0] != groups[1]
    assert len(groups[0]) == len(groups[1])


def test_generator_and_seed_give_the_same_split(log):
    one = random_split(log, valid_frac=0.2, rng=9)[1]
    two = random_split(log, valid_frac=0.2, rng=np.random.default_rng(9))[1]
    assert one.index.equals(two.index)


def test_stratified_split_takes_the_rounded_share_of_every_user(log):
    train, valid = stratified_split(log, valid_frac=0.25, rng=0)
    for user, rows in log.groupby("user_id"):
        assert (valid["user_id"] == user).sum() == min(round(0.25 * len(rows)), len(rows) - 1)
    assert set(train["user_id"]) == set(log["user_id"])


@pytest.mark.parametrize("n_users", [50, 300, 70_000])  # numbers of one, two and four bytes
def test_stratified_split_equals_plain_sorts(n_users):
    pair = np.random.default_rng(0).permutation(n_users * 6)[: n_users * 4]
    log = pd.DataFrame({"user_id": pair // 6, "item_id": pair % 6})
    ordered = log.sort_values(["user_id", "item_id"])
    ordered["draw"] = np.random.default_rng(3).random(len(log))
    draws = ordered.groupby("user_id")["draw"]
    held_out = draws.rank(ascending=False) <= (draws.transform("size") * 0.3).round()
    _, valid = stratified_split(log, valid_frac=0.3, rng=3)
    assert set(valid.index) == set(ordered.index[held_out])


def test_user_with_one_rating_stays_in_training(log):
    lonely = pd.DataFrame({"user_id": [1], "item_id": [1], "rating": [3.0], "timestamp": [999]})
    log = pd.concat([log, lonely], ignore_index=True)
    for train, *_ in (
        stratified_split(log, valid_frac=0.7, test_frac=0.2, rng=0),
        leave_last_out(log, rng=3),
        leave_last_out(log, n_parts=3, rng=3),
    ):
        assert 1 in set(train["user_id"])


def test_last_row_of_each_user_is_held_out(toy_ratings):
    _, valid = leave_last_out(toy_ratings, rng=0)
    last = valid[["user_id", "item_id"]].to_numpy().tolist()
    assert last[:2] == [[10, 3], [20, 4]]
    assert last[2] in ([30, 2], [30, 3])  # rated in the same second


def test_of_rows_of_one_second_each_is_the_last_as_often(toy_ratings):
    lasts = [leave_last_out(toy_ratings, rng=seed)[1]["item_id"].iloc[-1] for seed in range(200)]
    assert 70 < lasts.count(2) < 130
    assert lasts.count(2) + lasts.count(3) == 200


def test_three_parts_hold_out_the_last_two(toy_ratings):
    train, valid, test = leave_last_out(toy_ratings, n_parts=3, rng=0)
    assert test["user_id"].tolist() == valid["user_id"].tolist() == [10, 30]
    assert (valid["item_id"].iloc[0], test["item_id"].iloc[0]) == (2, 3)
    assert {valid["item_id"].iloc[1], test["item_id"].iloc[1]} == {2, 3}
    assert sorted(train["user_id"]) == [10, 20, 20, 30]  # user 20 has too few rows


def test_text_ids_work(toy_ratings):
    named = toy_ratings.assign(user_id="u" + toy_ratings["user_id"].astype(str))
    assert len(leave_last_out(named, rng=3)[1]) == 3


def test_no_training_row_is_later_than_a_held_out_one(log):
    train, valid, test = temporal_split(log, valid_frac=0.2, test_frac=0.1)
    assert train["timestamp"].max() < valid["timestamp"].min()
    assert valid["timestamp"].max() < test["timestamp"].min()
    assert len(test) >= 60


def test_second_that_straddles_the_cut_goes_to_the_later_part():
    log = pd.DataFrame({"user_id": range(5), "item_id": 0, "timestamp": [1, 2, 3, 3, 4]})
    train, valid = temporal_split(log, valid_frac=0.4)
    assert train["timestamp"].tolist() == [1, 2]
    assert valid["timestamp"].tolist() == [3, 3, 4]


def test_one_second_for_all_rows_cannot_be_cut_by_time(log):
    with pytest.raises(ValueError, match="the train part would be empty: 600 rows are too few"):
        temporal_split(log.assign(timestamp=1), valid_frac=0.2)


@pytest.mark.parametrize("by", ["user_id", "item_id"])
def test_held_out_ids_of_a_cold_split_have_no_training_row(log, by):
    train, valid, test = cold_split(log, by=by, valid_frac=0.2, test_frac=0.1, rng=1)
    n_ids = log[by].nunique()
    assert not set(train[by]) & set(valid[by])
    assert not set(train[by]) & set(test[by])
    assert valid[by].nunique() == round(0.2 * n_ids)
    assert test[by].nunique() == round(0.1 * n_ids)


def test_one_user_cannot_be_cold():
    log = pd.DataFrame({"user_id": 1, "item_id": range(9)})
    with pytest.raises(ValueError, match="the valid part would be empty"):
        cold_split(log, valid_frac=0.5, rng=0)


@pytest.mark.parametrize(
    ("valid_frac", "test_frac"), [(0.0, None), (1.0, None), (-0.1, None), (0.5, 0.5), (0.2, 1.2)]
)
def test_impossible_shares_are_refused(log, valid_frac, test_frac):
    with pytest.raises(ValueError, match="must lie between 0 and 1 and leave rows to train on"):
        random_split(log, valid_frac=valid_frac, test_frac=test_frac, rng=0)


def test_part_without_rows_is_refused(toy_ratings):
    with pytest.raises(ValueError, match="the valid part would be empty: 8 rows are too few"):
        random_split(toy_ratings, valid_frac=0.01, rng=0)


def test_empty_frame_is_refused(toy_ratings):
    with pytest.raises(ValueError, match="part would be empty: 0 rows"):
        random_split(toy_ratings.head(0), valid_frac=0.2, rng=0)


@by_split
@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_a_missing_id_is_refused(log, split, column):
    holes = log.astype({column: float})
    holes.loc[7, column] = np.nan
    with pytest.raises(ValueError, match=rf"{column}: an id is missing \(NaN\) in 1 of 600 rows"):
        split(holes)


@by_split
@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_a_missing_id_column_is_named(log, split, column):
    with pytest.raises(ValueError, match=rf"columns \['{column}'\] are required"):
        split(log.drop(columns=column))


@by_split
def test_a_pair_that_comes_twice_is_refused_with_the_cure(log, split):
    twice = pd.concat([log, log.iloc[[5]].assign(timestamp=999, rating=1.0)], ignore_index=True)
    user, item = log.loc[5, ["user_id", "item_id"]].astype(int)
    with pytest.raises(
        ValueError,
        match=rf"1 of 601 rows repeat a pair, e\.g\. user_id {user} with item_id {item}, .*"
        r"ratings\.drop_duplicates\(\['user_id', 'item_id'\], keep='last'\)",
    ):
        split(twice)


@by_split
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (["1", 2], r"user_id must be whole numbers or text, .* \(str and int\)"),
        ([1.5, 2], r"user_id must be whole numbers or text, .* e\.g\. 1\.5"),
    ],
)
def test_ids_of_no_clear_type_are_refused(log, split, odd, message):
    strange = log.astype({"user_id": object})
    strange.loc[[0, 1], "user_id"] = odd
    with pytest.raises(ValueError, match=message):
        split(strange)


BY_TIME = {name: SPLITS[name] for name in ("last out", "last two out", "temporal")}
by_time = pytest.mark.parametrize("split", BY_TIME.values(), ids=BY_TIME.keys())


@by_time
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda time: time.astype(str), r"timestamp must be numbers, got dtype \w+: convert"),
        (
            lambda time: time.where(time.index != 3),
            r"timestamp must be whole .* 1 others, e\.g\. nan",
        ),
        (lambda time: time.astype("Int64").where(time.index != 3), r"1 others, e\.g\. nan"),
        (lambda time: time + 0.5, r"timestamp must be whole numbers, got 600 others"),
        (lambda time: time.replace(time[0], np.inf), r"others, e\.g\. inf"),
        (lambda time: pd.to_datetime(time, unit="s"), r"got dtype datetime64\[\w+\]: take Unix"),
        (lambda time: time > 5, r"timestamp must be numbers, got dtype bool"),
    ],
    ids=["text", "NaN", "NA", "fraction", "infinite", "dates", "bool"],
)
def test_timestamps_that_are_no_whole_numbers_are_refused(log, split, change, message):
    with pytest.raises(ValueError, match=message):
        split(log.assign(timestamp=change(log["timestamp"])))


@by_time
@pytest.mark.parametrize("dtype", [float, "Int64", np.int32, np.uint64])
def test_whole_timestamps_of_every_dtype_split_alike(log, split, dtype):
    changed = split(log.astype({"timestamp": dtype}))
    for part, other in zip(split(log), changed, strict=True):
        assert part.index.equals(other.index)


@by_split
@pytest.mark.parametrize("dtype", [float, "Int64", np.int16, "category"])
def test_whole_ids_of_every_dtype_split_alike(log, split, dtype):
    changed = split(log.astype({"user_id": dtype, "item_id": dtype}))
    for part, other in zip(split(log), changed, strict=True):
        assert part.index.equals(other.index)


@by_split
def test_an_index_that_repeats_is_no_pair_that_repeats(log, split):
    same_index = split(log.set_axis([0] * len(log)))
    assert [len(part) for part in same_index] == [len(part) for part in split(log)]


def test_missing_column_is_named(toy_ratings):
    with pytest.raises(ValueError, match=r"columns \['timestamp'\] are required"):
        leave_last_out(toy_ratings.drop(columns="timestamp"), rng=0)


def test_wrong_number_of_parts_is_refused(toy_ratings):
    with pytest.raises(ValueError, match="n_parts must be 2 or 3, got 4"):
        leave_last_out(toy_ratings, n_parts=4, rng=0)


def test_wrong_side_is_refused(toy_ratings):
    with pytest.raises(ValueError, match="by must be 'user_id' or 'item_id', got 'rating'"):
        cold_split(toy_ratings, by="rating", rng=0)


def last_likes_by_loop(log, order, n_parts):
    """Rows of each part, user by user, from a frame in order of time."""
    parts = [[] for _ in range(n_parts)]
    for _, rows in log.loc[order].groupby("user_id"):
        likes = [label for label, stars in rows["rating"].items() if stars >= 4]
        if len(likes) < n_parts:
            parts[0] += list(rows.index)
            continue
        held_out = likes[1 - n_parts :]
        part = 0
        for label in rows.index:
            if label in held_out:
                part = held_out.index(label) + 1
            if part < n_parts - 1 or label == held_out[-1]:
                parts[part].append(label)
    return [sorted(labels) for labels in parts]


@pytest.mark.parametrize("n_parts", [2, 3])
def test_last_likes_are_those_of_a_plain_loop(log, rng, n_parts):
    log["timestamp"] = rng.permutation(len(log))  # no ties: time alone decides
    parts = last_like_out(log, n_parts=n_parts, rng=0)
    order = log.sort_values("timestamp").index
    assert [part.index.tolist() for part in parts] == last_likes_by_loop(log, order, n_parts)


def test_last_likes_do_not_depend_on_the_order_of_rows(log):
    log["timestamp"] //= 50  # many ties, which the seed decides
    one = last_like_out(log, n_parts=3, rng=3)
    other = last_like_out(log.sample(frac=1, random_state=5), n_parts=3, rng=3)
    assert [set(part.index) for part in one] == [set(part.index) for part in other]
    assert set(last_like_out(log, n_parts=3, rng=4)[2].index) != set(one[2].index)


def test_the_test_is_one_like_of_each_user(log):
    test = last_like_out(log, n_parts=3, rng=0)[2]
    assert (test["rating"] >= 4).all()
    assert test["user_id"].is_unique


def test_last_like_out_needs_ratings(log):
    with pytest.raises(ValueError, match=r"columns \['rating'\] are required"):
        last_like_out(log.drop(columns="rating"), rng=0)
    with pytest.raises(ValueError, match="n_parts must be 2 or 3, got 4"):
        last_like_out(log, n_parts=4, rng=0)
