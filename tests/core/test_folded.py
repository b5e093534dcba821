import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from nbhelpers.core.folded import FoldedRows, FoldedVectors, in_range, sigmoid_range
from nbhelpers.core.recommender import HasSizes, HasVectors, KnowsTraining
from nbhelpers.data.interactions import Interactions

USERS, ITEMS = (
    torch.tensor([[1.0, 2.0], [0.0, 1.0]]),
    torch.tensor([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]]),
)
ROWS = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0], [5.0, 6.0, 0.0]], dtype=np.float32)
COUNTS = torch.tensor([7.0, 8.0, 0.0])
LIKES = Interactions([0, 0], [0, 1], n_users=2, n_items=3)  # user 1 has nothing


def test_scores_are_products_of_vectors():
    folded = FoldedVectors(USERS, ITEMS)
    assert folded.score_users(torch.tensor([1, 0])).tolist() == [[0, 3, 1], [1, 6, 3]]
    assert isinstance(folded, HasVectors)
    assert folded.user_vectors(torch.tensor([1])).tolist() == [[0, 1]]
    assert folded.item_vectors(torch.tensor([1])).tolist() == [[0, 3]]


def test_scores_of_vectors_may_have_a_range():
    scores = FoldedVectors(USERS, ITEMS, y_range=(0, 4)).score_users(torch.tensor([1]))
    torch.testing.assert_close(scores, 4 * torch.sigmoid(torch.tensor([[0.0, 3.0, 1.0]])))


@pytest.mark.parametrize("rows", [ROWS, csr_matrix(ROWS)], ids=["dense", "sparse"])
def test_rows_of_the_positives_add_up_and_without_positives_popularity_decides(rows):
    folded = FoldedRows(LIKES, rows, COUNTS)
    assert folded.score_users(torch.tensor([1, 0])).tolist() == [[7, 8, 0], [3, 1, 6]]


@pytest.mark.parametrize(
    ("folded", "items"),
    [
        (FoldedVectors(USERS, ITEMS), [True, True, True]),
        (
            FoldedVectors(USERS, ITEMS, trained_items=torch.tensor([True, False, True])),
            [True, False, True],
        ),
        (FoldedRows(LIKES, ROWS, COUNTS), [True, True, False]),
    ],
    ids=["vectors", "vectors, a cold item", "rows"],
)
def test_every_user_is_served_and_the_items_of_training(folded, items):
    assert isinstance(folded, HasSizes)
    assert isinstance(folded, KnowsTraining)
    assert (folded.n_users, folded.n_items) == (2, 3)
    assert folded.trained_users.tolist() == [True, True]
    assert folded.trained_items.tolist() == items


def test_a_range_is_optional_and_needs_two_ends_in_order():
    score = torch.tensor([0.0])
    assert in_range(score, None) is score
    assert in_range(score, (1, 5)).tolist() == [3.0]
    with pytest.raises(ValueError, match="low must be below high, got 5 and 1"):
        sigmoid_range(score, 5, 1)
