import pandas as pd
import pytest
import torch

from nbhelpers.data.ratings import rating_tensors


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
