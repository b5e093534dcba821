import pandas as pd
import pytest
import torch

from nbhelpers.data.ratings import add_indices, rating_split, rating_tensors
from nbhelpers.data.splits import random_split
from nbhelpers.data.vocabulary import Vocabulary


def test_columns_become_tensors_of_the_right_kind():
    frame = pd.DataFrame({"user_idx": [0, 1], "item_idx": [2, 3], "rating": [4.5, 1.0]})
    user_idx, item_idx, rating = rating_tensors(frame)
    assert (user_idx.tolist(), item_idx.tolist(), rating.tolist()) == ([0, 1], [2, 3], [4.5, 1.0])
    assert (user_idx.dtype, item_idx.dtype, rating.dtype) == (
        torch.int64,
        torch.int64,
        torch.float32,
    )


def test_frame_is_not_shared_with_the_tensors():
    frame = pd.DataFrame({"user_idx": [0], "item_idx": [2], "rating": [4.5]})
    rating_tensors(frame)[2].zero_()
    assert frame["rating"].tolist() == [4.5]


def test_frame_without_indices_is_refused(toy_ratings):
    with pytest.raises(ValueError, match="add_indices"):
        rating_tensors(toy_ratings)


def test_split_is_what_the_single_steps_give(toy_ratings):
    split = rating_split(toy_ratings, valid_frac=0.25, rng=3)
    train, valid = random_split(toy_ratings, valid_frac=0.25, rng=3)
    users, items = Vocabulary(train["user_id"]), Vocabulary(train["item_id"])
    pd.testing.assert_frame_equal(split.train_ratings, train)
    pd.testing.assert_frame_equal(split.valid_ratings, valid)
    assert (split.users.ids.tolist(), split.items.ids.tolist()) == (
        users.ids.tolist(),
        items.ids.tolist(),
    )
    for got, wanted in zip(
        split.valid, rating_tensors(add_indices(valid, users, items)), strict=True
    ):
        assert torch.equal(got, wanted)


def test_id_that_only_validation_rows_have_gets_the_unknown_row():
    log = pd.DataFrame({"user_id": [1, 1, 1, 1], "item_id": [5, 6, 7, 8], "rating": [1.0, 2, 3, 4]})
    split = rating_split(log, valid_frac=0.25, rng=0)
    assert split.valid[1].tolist() == [split.items.unknown]
    assert len(split.items) == 3


def test_split_without_ratings_is_refused(toy_ratings):
    with pytest.raises(ValueError, match="column 'rating' is required"):
        rating_split(toy_ratings.drop(columns="rating"), rng=0)
