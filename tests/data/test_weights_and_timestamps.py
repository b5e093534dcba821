"""Interactions whose pairs carry weights and timestamps."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary

# Sorted by user and item: (0, 1), (0, 3), (0, 4), (2, 0).
USER_IDX, ITEM_IDX = [0, 2, 0, 0], [4, 0, 1, 3]
WEIGHTS = [4.5, 1.0, 2.0, 3.0]
TIMESTAMPS = [10, 40, 30, 20]


@pytest.fixture
def plays():
    return Interactions(
        USER_IDX, ITEM_IDX, n_users=3, n_items=5, weights=WEIGHTS, timestamps=TIMESTAMPS
    )


@pytest.fixture
def plain():
    return Interactions(USER_IDX, ITEM_IDX, n_users=3, n_items=5)


@pytest.fixture
def named():
    """Three users with ids and ages; bob has nothing."""
    frame = pd.DataFrame(
        {
            "user_id": ["cat", "ann", "ann"],
            "item_id": [10, 70, 10],
            "n_plays": [4, 2, 1],
            "day": [3, 9, 5],
        }
    )
    return Interactions.from_frame(
        frame,
        users=Vocabulary(["ann", "bob", "cat"]),
        items=Vocabulary([10, 70]),
        weights="n_plays",
        timestamps="day",
        user_metadata=pd.DataFrame({"user_id": ["ann", "bob", "cat"], "age": [1, 2, 3]}),
        item_metadata=pd.DataFrame({"item_id": [10, 70], "title": ["ten", "seventy"]}),
    )


def test_values_stand_beside_their_items(plays):
    assert plays.indices.tolist() == [1, 3, 4, 0]
    assert plays.weights.tolist() == [2.0, 3.0, 4.5, 1.0]
    assert plays.timestamps.tolist() == [30, 20, 10, 40]
    assert (plays.weights.dtype, plays.timestamps.dtype) == (np.float32, np.int64)


def test_there_are_none_by_default(plain):
    assert plain.weights is plain.timestamps is None


def test_values_are_read_only(plays):
    for values in (plays.weights, plays.timestamps, plays.items_by_time(0)):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_what_was_passed_stays_as_it_was():
    weights = np.array([2, 1], dtype=np.float32)
    built = Interactions([0, 1], [0, 0], weights=weights)
    weights[0] = 9
    assert built.weights.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2, 3, np.nan], r"weights must be finite and above 0, got 1 others, e\.g\. nan"),
        ([1, 0, 3, -2], r"above 0, got 2 others, e\.g\. 0, -2: leave such rows out"),
        ([1, 2, 3, np.inf], r"got 1 others, e\.g\. inf"),
        ([1, 2, 3, 1e39], r"got 1 others, e\.g\. 1e\+39"),
        ([1, 2, 3, 1e-50], r"got 1 others, e\.g\. 1e-50"),
        (["1", "2", "3", "4"], r"weights must be numbers, got dtype <U1"),
        ([True] * 4, r"weights must be numbers, got dtype bool"),
        (pd.array([1, 2, 3, None], dtype="Int64"), r"got 1 others, e\.g\. nan"),
        ([1, 2, 3], r"one weight for each pair, got 3 and 4"),
        ([[1], [2], [3], [4]], r"weights must have one axis, got shape \(4, 1\)"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        Interactions(USER_IDX, ITEM_IDX, n_users=3, n_items=5, weights=weights)


@pytest.mark.parametrize(
    ("timestamps", "message"),
    [
        (["9", "10", "11", "12"], r"timestamps must be numbers, got dtype <U2"),
        ([1, 2, 3, np.nan], r"timestamps must be whole numbers, got 1 others, e\.g\. nan"),
        ([1, 2.5, 3, 0.5], r"timestamps must be whole numbers, got 2 others, e\.g\. 2\.5, 0\.5"),
        ([1, 2, 3, np.inf], r"got 1 others, e\.g\. inf"),
        ([1, 2, 3, float(2**53 + 1)], r"got 1 others, e\.g\. 9007199254740992"),
        (np.array([1, 2, 3, 2**63], dtype=np.uint64), r"timestamps must be below 2\*\*63"),
        (pd.array([1, 2, 3, None], dtype="Int64"), r"got 1 others, e\.g\. nan"),
        (pd.to_datetime(["2000-01-01"] * 4), r"got dtype datetime64\[\w+\]: take Unix seconds"),
        ([1, 2, 3], r"one timestamp for each pair, got 3 and 4"),
    ],
)
def test_bad_timestamps_are_refused(timestamps, message):
    with pytest.raises(ValueError, match=message):
        Interactions(USER_IDX, ITEM_IDX, n_users=3, n_items=5, timestamps=timestamps)


@pytest.mark.parametrize(
    "form",
    [list, np.array, torch.tensor, pd.Series, lambda v: pd.array(v, dtype="Int64"), np.float64],
)
def test_values_come_as_any_array(form):
    values = form([3, 1])
    built = Interactions([1, 0], [0, 0], weights=values, timestamps=values)
    assert (built.weights.tolist(), built.timestamps.tolist()) == ([1, 3], [1, 3])


def test_large_whole_timestamps_stay_exact():
    times = np.array([2**62 + 1, 2**53 + 1])
    assert Interactions([0, 1], [0, 0], timestamps=times).timestamps.tolist() == times.tolist()


def test_values_at_positions(plays):
    positions = torch.tensor([3, 0, 3])
    assert plays.weights_at(positions).tolist() == [1.0, 2.0, 1.0]
    assert plays.timestamps_at(positions).tolist() == [40, 30, 40]
    assert plays.weights_at(positions).dtype == torch.float32
    assert plays.timestamps_at(positions).dtype == torch.int64


def test_weights_are_ones_where_there_are_none(plain):
    assert plain.weights_at(torch.tensor([0, 3])).tolist() == [1.0, 1.0]
    assert plain.weighted_scipy().toarray().tolist() == plain.to_scipy().toarray().tolist()


def test_positions_outside_are_refused(plays, plain):
    for ask in (plays.weights_at, plays.timestamps_at, plain.weights_at):
        with pytest.raises(ValueError, match="positions must lie between 0 and 3, got 1 outside"):
            ask(torch.tensor([4]))


def test_times_are_refused_where_there_are_none(plain):
    with pytest.raises(ValueError, match="no timestamps: build them with timestamps="):
        plain.timestamps_at(torch.tensor([0]))
    with pytest.raises(ValueError, match="no timestamps: build them with timestamps="):
        plain.items_by_time(0)


def test_items_by_time_are_a_view_in_the_order_of_time(plays):
    assert [plays.items_by_time(user).tolist() for user in range(3)] == [[4, 3, 1], [], [0]]
    assert np.shares_memory(plays.items_by_time(0), plays.items_by_time(2).base)


def test_items_of_one_time_stand_in_ascending_order():
    built = Interactions([0, 0, 0], [2, 0, 1], timestamps=[5, 5, 1])
    assert built.items_by_time(0).tolist() == [1, 0, 2]


def test_items_by_time_of_nobody_are_refused(plays):
    with pytest.raises(ValueError, match="user_idx must lie between 0 and 2, got 3"):
        plays.items_by_time(3)


def test_scipy_matrices_with_ones_and_with_weights(plays):
    assert plays.to_scipy().toarray()[0].tolist() == [0, 1, 0, 1, 1]
    weighted = plays.weighted_scipy()
    assert weighted.toarray().tolist() == [[0, 2, 0, 3, 4.5], [0] * 5, [1, 0, 0, 0, 0]]
    weighted.data *= 2
    assert (weighted.dtype, plays.weights.tolist()) == (np.float32, [2.0, 3.0, 4.5, 1.0])


def test_columns_of_a_frame_are_taken_by_name(named):
    assert named.to_frame().to_numpy().tolist() == [
        ["ann", 10, 1.0, 5],
        ["ann", 70, 2.0, 9],
        ["cat", 10, 4.0, 3],
    ]
    assert list(named.to_frame()) == ["user_id", "item_id", "weight", "timestamp"]


@pytest.mark.parametrize("name", ["weights", "timestamps"])
def test_a_column_that_is_not_there_is_refused(name):
    frame = pd.DataFrame({"user_id": [1], "item_id": [1]})
    maps = {"users": Vocabulary([1]), "items": Vocabulary([1])}
    with pytest.raises(ValueError, match=rf"{name}='plays' names no column, there are \['user_id'"):
        Interactions.from_frame(frame, **maps, **{name: "plays"})
    with pytest.raises(ValueError, match=rf"{name} must be the name of a column, got Series"):
        Interactions.from_frame(frame, **maps, **{name: frame["user_id"]})


def test_a_frame_with_repeats_is_added_up():
    frame = pd.DataFrame({"user_id": [1, 1], "item_id": [7, 7], "n": [2, 5]})
    built = Interactions.from_frame(
        frame, users=Vocabulary([1]), items=Vocabulary([7]), weights="n", repeats="sum"
    )
    assert built.weights.tolist() == [7.0]


@pytest.mark.parametrize("form", [np.array, torch.tensor, list])
def test_a_mask_keeps_pairs_with_all_that_belongs_to_them(named, form):
    some = named[form([False, True, True])]
    assert some.to_frame().to_numpy().tolist() == [["ann", 70, 2.0, 9], ["cat", 10, 4.0, 3]]
    assert (some.n_users, some.n_items) == (3, 2)
    assert (some.users, some.items) == (named.users, named.items)
    assert some.user_metadata["age"].tolist() == [1, 2, 3]
    assert some.item_metadata["title"].tolist() == ["ten", "seventy"]


@pytest.mark.parametrize("form", [np.array, torch.tensor, list])
def test_positions_may_come_in_any_order(plays, form):
    some = plays[form([3, 0])]
    assert some.to_frame().to_numpy().tolist() == [[0, 1, 2, 30], [2, 0, 1, 40]]


def test_nothing_may_be_asked_for(plain):
    for nothing in ([], np.zeros(4, dtype=bool)):
        assert (len(plain[nothing]), plain[nothing].n_users) == (0, 3)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ([True, False], r"a mask must have the shape \(4,\), got \(2,\)"),
        ([0, 4], r"positions must lie between 0 and 3, got 1 outside"),
        ([-1], r"positions must lie between 0 and 3, got 1 outside"),
        ([1, 0, 1], r"positions must differ, got 1 repeated"),
        (0, r"positions must have one axis"),
        ([0.0], r"positions must be integers, got dtype float64"),
    ],
)
def test_what_is_no_mask_and_no_positions_is_refused(plays, which, message):
    with pytest.raises(ValueError, match=message):
        plays[which]


def test_interactions_are_not_iterated(plays):
    with pytest.raises(TypeError, match="not iterable"):
        list(plays)


def test_rows_of_some_users_follow_the_order_asked_for(plays):
    some = plays.for_users(torch.tensor([2, 1, 0, 2]))
    assert [some.items_of(user).tolist() for user in range(4)] == [[0], [], [1, 3, 4], [0]]
    assert some.weights.tolist() == [1.0, 2.0, 3.0, 4.5, 1.0]
    assert some.timestamps.tolist() == [40, 30, 20, 10, 40]
    assert (some.n_users, some.n_items) == (4, 5)


def test_rows_of_some_users_keep_their_ids_and_metadata(named):
    some = named.for_users([1, 2])
    assert some.users.ids.tolist() == ["bob", "cat"]
    assert some.user_metadata["age"].tolist() == [2, 3]
    assert some.to_frame().to_numpy().tolist() == [["cat", 10, 4.0, 3]]
    assert some.items is named.items
    assert some.item_metadata["title"].tolist() == ["ten", "seventy"]


@pytest.mark.parametrize("user_idx", [[2, 0], [1, 1]])
def test_rows_of_users_with_ids_are_asked_for_in_order(named, user_idx):
    with pytest.raises(ValueError, match="must be ascending, each user once"):
        named.for_users(user_idx)


@pytest.mark.parametrize(
    ("user_idx", "message"),
    [([3], "user_idx must lie between 0 and 2, got 1 outside"), (np.array([], int), "got none")],
)
def test_rows_of_nobody_are_refused(plays, user_idx, message):
    with pytest.raises(ValueError, match=message):
        plays.for_users(user_idx)


def test_union_keeps_the_values_of_the_first(plays):
    other = Interactions([0, 1], [3, 2], n_users=3, n_items=5, weights=[9, 8], timestamps=[90, 80])
    assert (plays | other).weights.tolist() == [2.0, 3.0, 4.5, 8.0, 1.0]
    assert (plays | other).timestamps.tolist() == [30, 20, 10, 80, 40]
    assert (other | plays).weights.tolist() == [2.0, 9.0, 4.5, 8.0, 1.0]


@pytest.mark.parametrize("name", ["weights", "timestamps"])
def test_union_with_and_without_values_is_refused(plain, name):
    other = Interactions([1], [2], n_users=3, n_items=5, **{name: [1]})
    with pytest.raises(ValueError, match=f"first of the two has no {name}, .* build both with"):
        plain | other
    with pytest.raises(ValueError, match=f"second of the two has no {name}"):
        other | plain


@pytest.mark.parametrize("again", [copy.deepcopy, lambda old: pickle.loads(pickle.dumps(old))])
def test_copies_keep_the_values_read_only(named, again):
    named.items_by_time(0)
    other = again(named)
    assert other.to_frame().equals(named.to_frame())
    assert other.items_by_time(0).tolist() == [0, 1]
    assert not any(v.flags.writeable for v in (other.weights, other.timestamps))


def test_repr_says_what_the_pairs_carry(plays):
    assert repr(plays) == "Interactions(3 users, 5 items, 4 positives, with weights and timestamps)"


cells = st.tuples(st.integers(0, 3), st.integers(0, 4))


@given(st.dictionaries(cells, st.tuples(st.integers(1, 9), st.integers(-5, 5))), st.randoms())
def test_each_pair_keeps_its_values_in_any_order_of_rows(values, random):
    pairs = random.sample(sorted(values), len(values))
    user_idx, item_idx = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    weights, times = np.array([values[p] for p in pairs], dtype=np.int64).reshape(-1, 2).T
    built = Interactions(
        user_idx, item_idx, n_users=4, n_items=5, weights=weights, timestamps=times
    )
    frame = built.to_frame()
    found = {(u, i): (w, t) for u, i, w, t in frame.itertuples(index=False)}
    assert found == values
    for user in range(4):
        mine = sorted((values[pair][1], pair[1]) for pair in values if pair[0] == user)
        assert built.items_by_time(user).tolist() == [item for _, item in mine]
