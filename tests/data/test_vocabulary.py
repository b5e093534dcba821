import numpy as np
import pandas as pd
import pytest

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
