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

USER_IDX, ITEM_IDX = [2, 0, 0, 3], [1, 4, 1, 0]


@pytest.fixture
def interactions():
    """Four users, five items; user 1 has nothing, nobody has items 2 and 3."""
    return Interactions(USER_IDX, ITEM_IDX, n_users=4, n_items=5)


@pytest.fixture
def frame():
    rows = [("ann", 70), ("ann", 10), ("cat", 10), ("bob", 30)]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


@pytest.fixture
def maps():
    return {"users": Vocabulary(["ann", "bob", "cat"]), "items": Vocabulary([10, 30, 50, 70])}


def pairs_of(interactions):
    return list(zip(*[side.tolist() for side in interactions.pairs()], strict=True))


def test_pairs_come_out_by_user_and_then_by_item(interactions):
    assert pairs_of(interactions) == [(0, 1), (0, 4), (2, 1), (3, 0)]
    assert [side.dtype for side in interactions.pairs()] == [torch.int64, torch.int64]


def test_compressed_rows_are_as_written_by_hand(interactions):
    assert interactions.indptr.tolist() == [0, 2, 2, 3, 4]
    assert interactions.indices.tolist() == [1, 4, 1, 0]
    assert (interactions.indptr.dtype, interactions.indices.dtype) == (np.int64, np.int32)


def test_sizes_counts_and_density(interactions):
    assert (interactions.n_users, interactions.n_items, interactions.n_positives) == (4, 5, 4)
    assert len(interactions) == 4
    assert interactions.density == 0.2
    assert interactions.user_counts.tolist() == [2, 0, 1, 1]
    assert interactions.item_counts.tolist() == [1, 2, 0, 0, 1]


@pytest.mark.parametrize("form", [list, np.array, torch.tensor, pd.Series, np.uint8])
def test_indices_come_as_any_array(form, interactions):
    built = Interactions(form(USER_IDX), form(ITEM_IDX), n_users=4, n_items=5)
    assert pairs_of(built) == pairs_of(interactions)


def test_what_was_passed_stays_as_it_was():
    user_idx, item_idx = np.array(USER_IDX), np.array(ITEM_IDX)
    built = Interactions(user_idx, item_idx, n_users=4, n_items=5)
    assert (user_idx.tolist(), item_idx.tolist()) == (USER_IDX, ITEM_IDX)
    user_idx[0] = 0
    assert built.user_counts.tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize(
    ("user_idx", "item_idx", "message"),
    [
        ([0, 1], [0], r"one item for each user, got 2 and 1"),
        ([0, 4, -1], [0, 0, 0], r"user_idx must lie between 0 and 3, got 2 outside, e\.g\. 4, -1"),
        ([0, 1], [0, 5], r"item_idx must lie between 0 and 4, got 1 outside, e\.g\. 5"),
        ([0.0, 1.0], [0, 0], r"user_idx must be integers, got dtype float64"),
        ([0, 1], [0.0, np.nan], r"item_idx must be integers, got dtype float64; 1 are missing"),
        ([True, False], [0, 0], r"user_idx must be integers, got dtype bool"),
        ([[0], [1]], [0, 0], r"user_idx must have one axis, got shape \(2, 1\)"),
        ([1, 0, 1, 1], [3, 3, 3, 3], r"2 of 4 pairs repeat .* user_idx 1 with item_idx 3"),
    ],
)
def test_bad_pairs_are_refused(user_idx, item_idx, message):
    with pytest.raises(ValueError, match=message):
        Interactions(user_idx, item_idx, n_users=4, n_items=5)


def test_raw_ids_are_refused_since_they_leave_gaps():
    with pytest.raises(ValueError, match="197 of the 200 indices up to the largest item_idx"):
        Interactions([0, 1, 1], [0, 1, 199])


def test_the_first_gap_is_named():
    with pytest.raises(ValueError, match=r"1 of the 4 .* user_idx never occur, the first is 2"):
        Interactions([0, 1, 3], [0, 0, 0])


def test_sizes_are_found_where_no_index_is_left_out():
    built = Interactions([0, 1, 2], [0, 0, 1])
    assert (built.n_users, built.n_items) == (3, 2)


def test_negative_indices_are_refused_without_sizes():
    with pytest.raises(ValueError, match="user_idx must not be negative, got -1"):
        Interactions([-1, 0], [0, 0])


def test_no_pairs_need_sizes():
    none = np.array([], dtype=int)
    with pytest.raises(ValueError, match="pass n_users"):
        Interactions(none, none)
    empty = Interactions(none, none, n_users=2, n_items=3)
    assert (len(empty), empty.density, empty.items_of(1).tolist()) == (0, 0.0, [])
    assert empty.contains(torch.tensor([0, 1]), torch.tensor([0, 2])).tolist() == [False, False]
    assert empty.dense(torch.tensor([1])).tolist() == [[False, False, False]]
    assert empty.head().empty


def test_a_size_of_zero_is_refused():
    with pytest.raises(ValueError, match="n_items must be at least 1, got 0"):
        Interactions([0], [0], n_users=1, n_items=0)


def test_slices_of_users_and_items(interactions):
    assert [interactions.items_of(user).tolist() for user in range(4)] == [[1, 4], [], [1], [0]]
    users = [interactions.users_of(item).tolist() for item in range(5)]
    assert users == [[3], [0, 2], [], [], [0]]


def test_slices_are_views(interactions):
    assert np.shares_memory(interactions.items_of(0), interactions.indices)
    assert np.shares_memory(interactions.users_of(1), interactions.users_of(0).base)


@pytest.mark.parametrize("at", [-1, 5])
def test_slices_of_nobody_are_refused(interactions, at):
    with pytest.raises(ValueError, match=f"user_idx must lie between 0 and 3, got {at}"):
        interactions.items_of(at)
    with pytest.raises(ValueError, match=f"item_idx must lie between 0 and 4, got {at}"):
        interactions.users_of(at)


def test_contains_takes_shapes_that_broadcast(interactions):
    found = interactions.contains(torch.tensor([[0], [1]]), torch.tensor([[1, 2, 4], [0, 1, 4]]))
    assert found.tolist() == [[True, False, True], [False, False, False]]


def test_contains_refuses_the_unknown_row(interactions):
    with pytest.raises(ValueError, match="user_idx must lie between 0 and 3, got 1 outside"):
        interactions.contains(torch.tensor([4]), torch.tensor([0]))


def test_dense_keeps_the_order_of_users_and_their_repeats(interactions):
    dense = interactions.dense(torch.tensor([3, 1, 0, 3]))
    assert dense.dtype == torch.bool
    assert dense.long().tolist() == [
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 1, 0, 0, 1],
        [1, 0, 0, 0, 0],
    ]


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 8))), st.randoms())
def test_all_views_show_the_pairs_that_went_in(pairs, random):
    rows = random.sample(sorted(pairs), len(pairs))
    array = np.array(rows, dtype=np.int64).reshape(-1, 2)
    built = Interactions(array[:, 0], array[:, 1], n_users=7, n_items=9)
    expected = np.zeros((7, 9), dtype=bool)
    for user, item in pairs:
        expected[user, item] = True
    users, items = torch.arange(7), torch.arange(9)
    assert pairs_of(built) == sorted(pairs)
    assert (built.dense(users).numpy() == expected).all()
    assert (built.contains(users.unsqueeze(1), items).numpy() == expected).all()
    assert (built.to_scipy().toarray() == expected).all()
    by_item = [np.isin(np.arange(7), built.users_of(item)) for item in range(9)]
    assert (np.stack(by_item, axis=1) == expected).all()


def test_more_cells_than_32_bits_number():
    """50,000 users and items: the last cells have numbers beyond 2**31."""
    user_idx, item_idx = [49_999, 0, 49_998], [49_998, 49_999, 3]
    built = Interactions(user_idx, item_idx, n_users=50_000, n_items=50_000)
    assert pairs_of(built) == [(0, 49_999), (49_998, 3), (49_999, 49_998)]
    assert built.users_of(49_998).tolist() == [49_999]
    found = built.contains(torch.tensor([49_999, 49_999]), torch.tensor([49_998, 49_999]))
    assert found.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"e\.g\. user_idx 49999 with item_idx 49998"):
        Interactions([49_999] * 2, [49_998] * 2, n_users=50_000, n_items=50_000)


def test_scipy_matrix_is_a_copy(interactions):
    matrix = interactions.to_scipy()
    matrix.indices[0] = 3
    matrix.data *= 40
    assert (matrix.dtype, matrix.shape) == (np.float32, (4, 5))
    assert interactions.items_of(0).tolist() == [1, 4]


def test_arrays_are_read_only(interactions):
    for name in ("indptr", "indices", "user_counts", "item_counts"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(interactions, name)[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        interactions.users_of(1)[0] = 1


def test_attributes_cannot_be_set(interactions):
    with pytest.raises(AttributeError, match="never change: build new ones to set 'n_items'"):
        interactions.n_items = 9


def test_tensors_handed_out_are_copies(interactions):
    interactions.pairs()[1][0] = 3
    interactions.dense(torch.tensor([0]))[0, 0] = True
    assert pairs_of(interactions) == [(0, 1), (0, 4), (2, 1), (3, 0)]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda old: pickle.loads(pickle.dumps(old))])
def test_copies_are_equal_and_read_only_too(interactions, again):
    interactions.users_of(1)
    other = again(interactions)
    assert pairs_of(other) == pairs_of(interactions)
    assert other.users_of(1).tolist() == [0, 2]
    arrays = (other.indptr, other.indices, other.item_counts, other.users_of(1))
    assert not any(array.flags.writeable for array in arrays)


def test_a_frame_becomes_pairs_by_the_vocabularies(frame, maps):
    built = Interactions.from_frame(frame, **maps)
    assert pairs_of(built) == [(0, 0), (0, 3), (1, 1), (2, 0)]
    assert (built.n_users, built.n_items) == (3, 4)
    assert (built.users, built.items) == (maps["users"], maps["items"])


def test_head_and_tail_show_ids(frame, maps):
    built = Interactions.from_frame(frame, **maps)
    assert built.head(2).to_numpy().tolist() == [["ann", 10], ["ann", 70]]
    assert built.tail(1).to_numpy().tolist() == [["cat", 10]]
    assert list(built.head()) == ["user_id", "item_id"]
    assert len(built.head(9)) == len(built.tail(9)) == 4


def test_head_shows_indices_where_there_are_no_ids(interactions):
    assert interactions.tail(2).to_dict("list") == {"user_idx": [2, 3], "item_idx": [1, 0]}


def test_unknown_ids_are_refused_with_their_number(frame, maps):
    maps["items"] = Vocabulary([10, 50])
    with pytest.raises(
        KeyError, match=r"2 rows have an unknown item_id, 2 different ids, e\.g\. 70"
    ):
        Interactions.from_frame(frame, **maps)


def test_missing_ids_are_refused_with_their_number(frame, maps):
    holes = frame.assign(item_id=[np.nan, 10, np.nan, 30])
    with pytest.raises(ValueError, match=r"2 of 4 rows have no item_id \(NaN\)"):
        Interactions.from_frame(holes, **maps)


def test_a_frame_without_the_columns_is_refused(frame, maps):
    with pytest.raises(ValueError, match=r"columns \['item_id'\] are required, got \['user_id'\]"):
        Interactions.from_frame(frame[["user_id"]], **maps)


def test_repeated_rows_are_refused_with_the_cure(frame, maps):
    twice = pd.concat([frame, frame.iloc[:1]])
    with pytest.raises(ValueError, match=r"1 of 5 pairs repeat .* frame\.drop_duplicates"):
        Interactions.from_frame(twice, **maps)


def test_size_and_vocabulary_must_agree(maps):
    with pytest.raises(ValueError, match="n_items is 9, but the vocabulary has 4 ids"):
        Interactions([0], [0], n_items=9, **maps)


def test_metadata_follow_the_ids(frame, maps):
    titles = pd.DataFrame({"item_id": [70, 50, 30, 10, 99], "title": list("gfedz")})
    ages = pd.DataFrame({"user_id": ["cat", "ann", "bob"], "age": [3, 1, 2]})
    built = Interactions.from_frame(frame, **maps, user_metadata=ages, item_metadata=titles)
    assert built.item_metadata["title"].tolist() == ["d", "e", "f", "g"]
    assert built.user_metadata["age"].tolist() == [1, 2, 3]
    handed_out = built.item_metadata
    handed_out["title"] = "gone"
    assert built.item_metadata["title"].tolist() == ["d", "e", "f", "g"]


def test_metadata_of_the_other_side_are_refused(frame, maps):
    titles = pd.DataFrame({"item_id": [10], "title": ["d"]})
    with pytest.raises(ValueError, match="user_metadata must begin with user_id, got 'item_id'"):
        Interactions.from_frame(frame, **maps, user_metadata=titles)


def test_metadata_without_ids_are_refused():
    titles = pd.DataFrame({"item_id": [10], "title": ["d"]})
    with pytest.raises(ValueError, match="pass the vocabulary items as well"):
        Interactions([0], [0], item_metadata=titles)


def test_no_metadata_is_none(interactions):
    assert interactions.user_metadata is interactions.item_metadata is None


def test_union_holds_each_pair_once(interactions):
    other = Interactions([0, 1, 3], [4, 2, 0], n_users=4, n_items=5)
    assert pairs_of(interactions | other) == [(0, 1), (0, 4), (1, 2), (2, 1), (3, 0)]
    assert (len(interactions), len(other)) == (4, 3)


def test_union_keeps_vocabularies_and_metadata(frame, maps):
    titles = pd.DataFrame({"item_id": [70, 50, 30, 10], "title": list("gfed")})
    first = Interactions.from_frame(frame[:2], **maps, item_metadata=titles)
    both = first | Interactions.from_frame(frame[2:], **maps)
    assert both.users is maps["users"]
    assert both.item_metadata["title"].tolist() == ["d", "e", "f", "g"]


def test_union_refuses_other_sizes(interactions):
    with pytest.raises(ValueError, match="both must have the same items, got 5 and 6"):
        interactions | Interactions([0], [0], n_users=4, n_items=6)


def test_union_refuses_other_ids(frame, maps):
    other = {**maps, "users": Vocabulary(["ann", "bob", "zoe"])}
    known = frame[frame.user_id != "cat"]
    with pytest.raises(ValueError, match="the same users, but their vocabularies differ"):
        Interactions.from_frame(frame, **maps) | Interactions.from_frame(known, **other)


def test_summary_counts_users_and_items_without_positives(interactions):
    assert str(interactions).splitlines() == [
        "users              4",
        "items              5",
        "positives          4",
        "density            20.00%",
        "positives a user   0 to 2, median 1; 1 without any",
        "positives an item  0 to 2, median 1; 2 without any",
    ]
    assert repr(interactions) == "Interactions(4 users, 5 items, 4 positives)"
