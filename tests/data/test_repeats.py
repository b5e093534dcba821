import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbhelpers.data.interactions import Interactions

# Pair (0, 1) comes in rows 0, 2 and 3, pair (1, 0) in row 1.
USER_IDX, ITEM_IDX = [0, 1, 0, 0], [1, 0, 1, 1]
WEIGHTS = [2.0, 7.0, 0.5, 3.0]
TIMESTAMPS = [50, 10, 90, 20]


def built(repeats, **columns):
    return Interactions(USER_IDX, ITEM_IDX, repeats=repeats, **columns)


def test_a_repeated_pair_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"2 of 4 pairs repeat .* repeats='last', 'first', 'sum'"):
        Interactions(USER_IDX, ITEM_IDX)


@pytest.mark.parametrize(
    ("repeats", "weight"), [("first", 2.0), ("last", 3.0), ("sum", 5.5), ("max", 3.0)]
)
def test_rows_decide_where_there_are_no_timestamps(repeats, weight):
    kept = built(repeats, weights=WEIGHTS)
    assert kept.indices.tolist() == [1, 0]
    assert kept.weights.tolist() == [weight, 7.0]


@pytest.mark.parametrize(
    ("repeats", "weight", "timestamp"),
    [("first", 3.0, 20), ("last", 0.5, 90), ("sum", 5.5, 90), ("max", 3.0, 90)],
)
def test_timestamps_decide_where_there_are_any(repeats, weight, timestamp):
    kept = built(repeats, weights=WEIGHTS, timestamps=TIMESTAMPS)
    assert kept.weights.tolist() == [weight, 7.0]
    assert kept.timestamps.tolist() == [timestamp, 10]


@pytest.mark.parametrize(("repeats", "weight"), [("first", 2.0), ("last", 3.0)])
def test_rows_of_one_time_keep_their_order(repeats, weight):
    kept = built(repeats, weights=WEIGHTS, timestamps=[5, 5, 5, 5])
    assert kept.weights.tolist() == [weight, 7.0]


def test_the_count_becomes_the_weight():
    kept = built("count", timestamps=TIMESTAMPS)
    assert kept.weights.tolist() == [3.0, 1.0]
    assert kept.timestamps.tolist() == [90, 10]
    assert kept.weights.dtype == np.float32


def test_the_count_is_one_where_nothing_repeats():
    assert Interactions([0, 1], [0, 0], repeats="count").weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("repeats", ["first", "last"])
def test_a_pair_without_weights_or_times_is_kept_once(repeats):
    kept = built(repeats)
    assert (kept.indices.tolist(), kept.weights) == ([1, 0], None)


@pytest.mark.parametrize(
    ("repeats", "line"),
    [
        ("last", "2 of 4 rows repeat a pair: the last row of each pair is kept\n"),
        ("sum", "2 of 4 rows repeat a pair: the weights of each pair are added up\n"),
    ],
)
def test_what_was_done_is_said_in_one_line(capsys, repeats, line):
    built(repeats, weights=WEIGHTS)
    assert capsys.readouterr().out == line


def test_one_row_repeats_a_pair(capsys):
    Interactions([0, 0, 1], [0, 0, 0], repeats="last")
    said = "1 of 3 rows repeats a pair: the last row of each pair is kept\n"
    assert capsys.readouterr().out == said


def test_nothing_is_said_where_nothing_repeats(capsys):
    Interactions([0, 1], [0, 0], repeats="last")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("repeats", ["sum", "max"])
def test_sum_and_max_need_weights(repeats):
    with pytest.raises(ValueError, match=f"repeats='{repeats}' needs weights"):
        built(repeats)


def test_count_and_weights_are_refused_together():
    with pytest.raises(ValueError, match="repeats='count' makes its own weights"):
        built("count", weights=WEIGHTS)


def test_another_choice_is_refused():
    with pytest.raises(ValueError, match=r"repeats must be one of \['refuse', .* got 'mean'"):
        built("mean")


def test_a_sum_beyond_float32_is_refused():
    with pytest.raises(ValueError, match="the sum of weights must fit a float32, got 6e"):
        Interactions([0, 0], [0, 0], n_users=1, n_items=1, weights=[3e38, 3e38], repeats="sum")


def test_a_sum_keeps_small_weights_beside_large_ones():
    weights = [2.0**24, 1.0, 1.0]  # one by one in float32, both ones are lost
    kept = Interactions([0, 0, 0], [0, 0, 0], weights=weights, repeats="sum")
    assert kept.weights.tolist() == [2.0**24 + 2]


rows_of_pairs = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 4), st.integers(0, 3))
)


@given(rows_of_pairs, st.sampled_from(["first", "last", "sum", "max"]))
def test_every_choice_gives_what_a_loop_gives(rows, repeats):
    user_idx, item_idx, weights, times = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    kept = Interactions(
        user_idx,
        item_idx,
        n_users=3,
        n_items=3,
        weights=weights,
        timestamps=times,
        repeats=repeats,
    )
    expected = {}
    for user, item, weight, time in sorted(rows, key=lambda row: row[3]):
        old = expected.setdefault((user, item), (weight, time, []))
        old[2].append(weight)
        merged = {"first": old[0], "last": weight, "sum": sum(old[2]), "max": max(old[2])}
        when = old[1] if repeats == "first" else time
        expected[user, item] = (merged[repeats], when, old[2])
    found = kept.to_frame().set_index(["user_idx", "item_idx"])
    assert found["weight"].to_dict() == {pair: row[0] for pair, row in expected.items()}
    assert found["timestamp"].to_dict() == {pair: row[1] for pair, row in expected.items()}
