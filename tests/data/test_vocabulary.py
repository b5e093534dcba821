import json

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.ratings import add_indices
from nbhelpers.data.vocabulary import Vocabulary, align_metadata


def test_indices_follow_the_sorted_ids():
    vocabulary = Vocabulary([30, 10, 20, 10])
    assert vocabulary.encode([10, 20, 30]).tolist() == [0, 1, 2]
    assert len(vocabulary) == 3


def test_row_order_does_not_matter():
    assert Vocabulary(["b", "a"]).ids.tolist() == Vocabulary(["a", "b"]).ids.tolist()


def test_unknown_id_gets_the_row_after_the_last():
    vocabulary = Vocabulary([10, 20])
    assert vocabulary.encode([20, 99]).tolist() == [1, 2]
    assert vocabulary.unknown == 2
    assert vocabulary.n_rows == 3


def test_decode_undoes_encode():
    vocabulary = Vocabulary(["x7", "a", "m"])
    assert vocabulary.decode(vocabulary.encode(["m", "x7"])).tolist() == ["m", "x7"]


def test_empty_input_encodes_to_nothing():
    assert Vocabulary([1]).encode([]).tolist() == []


def test_encode_known_names_the_strangers():
    with pytest.raises(KeyError, match=r"2 ids are unknown, e\.g\. 8, 9: .* knows 2 ids, 1 to 2"):
        Vocabulary([1, 2]).encode_known([1, 8, 9, 8])


def test_unknown_row_has_no_id():
    with pytest.raises(ValueError, match="index 2 has no id: known indices are 0 to 1"):
        Vocabulary([1, 2]).decode([2])


def test_no_ids_are_refused():
    with pytest.raises(ValueError, match="at least one id"):
        Vocabulary([])


def test_missing_id_is_refused():
    with pytest.raises(ValueError, match="an id is missing"):
        Vocabulary([1.0, np.nan])


NUMBERS, TEXT = Vocabulary([7, 8, 9]), Vocabulary(["007", "8", "9"])


@pytest.mark.parametrize(
    ("vocabulary", "ids", "message"),
    [
        (
            NUMBERS,
            ["007", "8"],
            r"got text \(e\.g\. '007'\), and the vocabulary holds int64 \(e\.g\. 7",
        ),
        (NUMBERS, pd.Series(["7"], dtype="string"), r"got text .* vocabulary holds int64"),
        (NUMBERS, pd.Series(["7"], dtype="category"), r"got text .* vocabulary holds int64"),
        (NUMBERS, [True], r"got boolean ones \(bool\), .* vocabulary holds int64"),
        (NUMBERS, [7.5], r"1 other floats, e\.g\. 7\.5, and the vocabulary holds int64"),
        (NUMBERS, pd.to_datetime(["2000-01-01"]), r"datetime64 ones .* vocabulary holds int64"),
        (NUMBERS, pd.to_timedelta([7]), r"timedelta64 ones .* vocabulary holds int64"),
        (NUMBERS, [7, "8"], r"mixed ones \(int and str\), e\.g\. 7, '8', and .* holds int64"),
        (NUMBERS, [b"7"], r"bytes ones \(bytes\), .* vocabulary holds int64"),
        (NUMBERS, [(7,)], r"\(tuple\), .* vocabulary holds int64"),
        (TEXT, [7, 8], r"got int64 \(e\.g\. 7\), and the vocabulary holds text \(e\.g\. '007'"),
        (TEXT, np.array([7], dtype=np.uint8), r"got uint8 .* vocabulary holds text"),
        (TEXT, [8.0], r"got int64 \(e\.g\. 8\), and the vocabulary holds text"),
        (TEXT, [False], r"boolean ones .* vocabulary holds text"),
    ],
)
def test_ids_of_another_type_are_refused_with_both_types(vocabulary, ids, message):
    for encode in (vocabulary.encode, vocabulary.encode_known):
        with pytest.raises(ValueError, match=message):
            encode(ids)


@pytest.mark.parametrize(
    "ids",
    [
        [8, 7],
        [8.0, 7.0],
        np.array([8, 7], dtype=np.int8),
        np.array([8, 7], dtype=np.uint64),
        np.array([8, 7], dtype=np.float32),
        np.array([8, 7], dtype=object),
        pd.array([8, 7], dtype="Int32"),
        pd.Series([8, 7], dtype="category"),
        torch.tensor([8, 7]),
        (raw_id for raw_id in (8, 7)),
    ],
)
def test_whole_numbers_of_every_width_are_the_same_ids(ids):
    assert NUMBERS.encode_known(ids).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", ["string", "category", "object", "str"])
def test_text_of_every_dtype_is_the_same_ids(dtype):
    assert TEXT.encode_known(pd.Series(["8", "007"], dtype=dtype)).tolist() == [1, 0]


def test_the_message_calls_a_column_by_its_name():
    with pytest.raises(ValueError, match="user_id must have the type of the vocabulary"):
        NUMBERS.encode(pd.Series(["7"], name="user_id"))


@pytest.mark.parametrize("missing", [[7.0, np.nan], [7, None], pd.array([7, None], dtype="Int64")])
def test_a_missing_id_is_no_unknown_one(missing):
    with pytest.raises(ValueError, match=r"an id is missing \(NaN\) in 1 of 2 rows"):
        NUMBERS.encode(missing)


def test_indices_of_another_type_are_refused_where_frames_are_indexed(toy_ratings):
    as_text = toy_ratings.astype({"item_id": str})
    with pytest.raises(ValueError, match=r"item_id must have .* got text \(e\.g\. '1'\)"):
        add_indices(as_text, Vocabulary([10, 20, 30]), Vocabulary([1, 2, 3, 4]))
    with pytest.raises(ValueError, match=r"item_id must have .* got text \(e\.g\. '1'\)"):
        Interactions.from_frame(
            as_text, users=Vocabulary([10, 20, 30]), items=Vocabulary([1, 2, 3, 4])
        )


def test_metadata_of_another_type_are_refused():
    metadata = pd.DataFrame({"item_id": ["7"], "title": ["seven"]})
    with pytest.raises(ValueError, match=r"item_id must have .* got text .* holds int64"):
        align_metadata(metadata, NUMBERS)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, "a", 2], r"mixed ones \(int and str\), e\.g\. 1, 'a'"),
        (["a", None], r"an id is missing"),
        ([[1], [2]], r"\(list\), e\.g\. \[1\]"),
        ([True, False], r"boolean ones"),
        ([1.5, 2.0], r"1 other floats, e\.g\. 1\.5"),
        ([2**70], r"ids must fit 64 bits, got 1180591620717411303424: write them as text"),
        ("abc", r"ids must be a flat collection, got str"),
        (7, r"ids must be a flat collection, got int"),
        (np.zeros((2, 2)), r"ids must have one axis, got shape \(2, 2\)"),
        (pd.DataFrame({"a": [1]}), r"ids must be a flat collection, got DataFrame"),
        (["\ud800"], r"text that is no Unicode"),
    ],
)
def test_what_is_neither_all_whole_numbers_nor_all_text_is_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(ids)


def test_a_set_is_sorted_like_any_collection():
    assert Vocabulary({"b", "c", "a"}).ids.tolist() == ["a", "b", "c"]
    assert Vocabulary(frozenset([3, 1])).ids.tolist() == [1, 3]


def test_whole_floats_are_integers():
    assert Vocabulary([3.0, 1.0]).ids.dtype == np.int64


def test_a_float_is_an_id_only_where_floats_are_exact():
    assert Vocabulary([2.0**53 - 1, 1.0 - 2**53]).ids.tolist() == [1 - 2**53, 2**53 - 1]
    for rounded in (float(2**53 + 1), -(2.0**53)):
        with pytest.raises(ValueError, match=r"exact below 2\*\*53 only, got 1 other"):
            Vocabulary([rounded])


def test_integers_are_exact_beyond_what_floats_hold():
    ids = [2**53, 2**53 + 1, 2**63 - 1]
    assert Vocabulary(ids).decode([1, 2]).tolist() == ids[1:]
    assert Vocabulary([2**64 - 1]).ids.tolist() == [2**64 - 1]


TWINS = [
    ("1", "\u200b1"),  # zero width space
    ("1", "\ufeff1"),  # byte order mark
    ("a b", "a\u00a0b"),  # no-break space
    ("a", "a "),
    ("a", "\ta"),
    ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
    ("co\u00adop", "coop"),  # soft hyphen
]


@pytest.mark.parametrize(("first", "second"), TWINS)
def test_ids_that_look_the_same_are_refused_with_both(first, second):
    with pytest.raises(ValueError, match="two ids look the same and are not") as refusal:
        Vocabulary(["x", first, "y", second, "z"])
    assert ascii(first) in str(refusal.value)
    assert ascii(second) in str(refusal.value)


@pytest.mark.parametrize(("first", "second"), TWINS)
def test_an_unknown_id_that_looks_like_a_known_one_is_refused(first, second):
    for known, asked in ((first, second), (second, first)):
        with pytest.raises(ValueError, match="two ids look the same and are not"):
            Vocabulary(["x", known]).encode(["x", "unknown", asked])


def test_metadata_of_an_id_that_looks_like_another_are_refused():
    metadata = pd.DataFrame({"item_id": ["a", "b "], "title": ["A", "B"]})
    with pytest.raises(ValueError, match="two ids look the same and are not: 'b' and 'b '"):
        align_metadata(metadata, Vocabulary(["a", "b"]))


@pytest.mark.parametrize("ids", [["a", "A"], ["ab", "a b"], ["1", "01"], ["\u00b2", "2"]])
def test_ids_that_look_different_are_different(ids):
    assert len(Vocabulary(ids)) == 2


def test_the_fingerprint_is_that_of_the_ids():
    fingerprint = Vocabulary([3, 1, 2]).fingerprint
    assert fingerprint == Vocabulary(np.array([1, 2, 3, 3], dtype=np.int16)).fingerprint
    others = ([1, 2], [1, 2, 4], ["1", "2", "3"], [12, 3], ["1", "23"], ["12", "3"])
    assert len({fingerprint, *(Vocabulary(ids).fingerprint for ids in others)}) == 7


def test_the_fingerprint_is_the_same_in_every_version():
    # printf '[1, 2]' | sha256sum
    assert Vocabulary([1, 2]).fingerprint == "3a316d6d3226f84c"


@pytest.mark.parametrize("ids", [[1, 2], ["1", "\u00e9"], [2**64 - 1]])
def test_json_gives_the_vocabulary_back(ids):
    vocabulary = Vocabulary(ids)
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again.ids.equals(vocabulary.ids)
    assert again.fingerprint == vocabulary.fingerprint


def test_indices_that_are_no_integers_have_no_id():
    with pytest.raises(ValueError, match="indices must be integers, got dtype float64"):
        Vocabulary([1, 2]).decode([0.7])


@pytest.mark.parametrize("indices", [[], range(0), np.zeros(0, dtype=int)])
def test_no_indices_have_no_ids(indices):
    assert Vocabulary([1, 2]).decode(indices).tolist() == []


def test_membership():
    assert 1 in Vocabulary([1, 2])
    assert 3 not in Vocabulary([1, 2])


def test_add_indices_leaves_its_input_alone(toy_ratings):
    before = toy_ratings.copy()
    users, items = Vocabulary([10, 20]), Vocabulary([1, 2, 3, 4])
    indexed = add_indices(toy_ratings, users, items)
    pd.testing.assert_frame_equal(toy_ratings, before)
    assert indexed["user_idx"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert indexed["item_idx"].tolist() == [0, 1, 2, 0, 3, 1, 2, 3]


def test_add_indices_asks_for_the_columns():
    with pytest.raises(ValueError, match="column 'item_id' is required"):
        add_indices(pd.DataFrame({"user_id": [1]}), Vocabulary([1]), Vocabulary([1]))


def test_row_k_of_the_metadata_is_item_k():
    metadata = pd.DataFrame({"item_id": [3, 1, 9, 2], "title": ["three", "one", "nine", "two"]})
    items = Vocabulary([1, 2, 3])
    aligned = align_metadata(metadata, items)
    assert aligned["item_id"].tolist() == items.ids.tolist()
    assert aligned["title"].tolist() == ["one", "two", "three"]


def test_every_order_of_the_metadata_aligns_alike(rng):
    metadata = pd.DataFrame({"item_id": range(50), "title": [f"film {k}" for k in range(50)]})
    items = Vocabulary([4, 44, 14, 24])
    for _ in range(5):
        shuffled = metadata.iloc[rng.permutation(50)]
        titles = align_metadata(shuffled, items)["title"].tolist()
        assert titles == ["film 4", "film 14", "film 24", "film 44"]


def test_metadata_that_misses_an_item_is_refused():
    metadata = pd.DataFrame({"item_id": [1], "title": ["one"]})
    with pytest.raises(KeyError, match=r"2 ids have no row of metadata, e\.g\. 2, 3"):
        align_metadata(metadata, Vocabulary([1, 2, 3]))


def test_metadata_with_an_item_twice_is_refused():
    metadata = pd.DataFrame({"item_id": [1, 1], "title": ["one", "uno"]})
    with pytest.raises(ValueError, match="item_id 1 has more than one row"):
        align_metadata(metadata, Vocabulary([1]))


def test_metadata_without_an_id_is_refused():
    with pytest.raises(ValueError, match="first column must be item_id or user_id, got 'title'"):
        align_metadata(pd.DataFrame({"title": ["one"]}), Vocabulary([1]))
