import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.core.topk import top_k

INF = math.inf


def lists(scores, k):
    return top_k(scores, k)[1].tolist()


def by_sorting(scores, k):
    """Columns of one row by descending score and ascending column, filled up with -1."""
    order = sorted(range(len(scores)), key=lambda column: (-scores[column], column))
    return [column if scores[column] > -INF else -1 for column in order][:k]


def test_lists_hold_the_best_first():
    scores = torch.tensor([[0.5, 0.75, 0.25], [3.0, 2.0, 1.0]])
    best, columns = top_k(scores, 2)
    assert columns.tolist() == [[1, 0], [0, 1]]
    assert best.tolist() == [[0.75, 0.5], [3.0, 2.0]]


def test_lists_break_ties_by_the_lowest_column():
    assert lists(torch.tensor([[1.0, 2.0, 1.0, 2.0, 1.0]]), 4) == [[1, 3, 0, 2]]
    assert lists(torch.zeros(1, 50), 3) == [[0, 1, 2]]


def test_rows_with_and_without_ties_do_not_mix():
    scores = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0], [5.0, 1.0, 4.0, 2.0, 3.0], [5.0] * 5])
    best, columns = top_k(scores, 2)
    assert columns.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert best.tolist() == [[2.0, 2.0], [5.0, 4.0], [5.0, 5.0]]


@pytest.mark.parametrize("k", [1, 7, 29, 30])
def test_lists_agree_with_sorting_when_most_scores_are_tied(rng, k):
    scores = torch.from_numpy(rng.integers(0, 4, (50, 30))).float()
    expected = np.lexsort((np.tile(np.arange(30), (50, 1)), -scores.numpy()))[:, :k]
    assert lists(scores, k) == expected.tolist()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.lists(st.sampled_from([-INF, 0.0, 1.0, 2.0]), min_size=6, max_size=6),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 8),
)
def test_every_list_is_the_start_of_the_sorted_row(rows, k):
    best, columns = top_k(torch.tensor(rows), k)
    assert columns.tolist() == [by_sorting(row, k) for row in rows]
    assert best.tolist() == [sorted(row, reverse=True)[:k] for row in rows]


def test_lists_leave_out_masked_candidates():
    best, columns = top_k(torch.tensor([[-INF, 1.0, -INF], [2.0, 1.0, 3.0]]), 2)
    assert columns.tolist() == [[1, -1], [2, 0]]
    assert best.tolist() == [[1.0, -INF], [3.0, 2.0]]


def test_lists_end_with_the_candidates():
    assert lists(torch.tensor([[1.0, 3.0, 2.0]]), 10) == [[1, 2, 0]]


def test_nothing_to_list():
    assert top_k(torch.empty(0, 5), 3)[1].shape == (0, 3)
    assert top_k(torch.empty(2, 0), 3)[1].shape == (2, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_other_number_types_give_the_same_lists(dtype):
    assert lists(torch.tensor([[3, 1, 2, 2]], dtype=dtype), 3) == [[0, 2, 3]]


def test_scores_are_left_alone():
    scores = torch.randint(0, 3, (4, 9)).float().requires_grad_()
    before = scores.detach().clone()
    best, _ = top_k(scores, 4)
    assert scores.equal(before)
    assert not best.requires_grad


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        (torch.tensor([[math.nan, 1.0]]), 1, "1 scores are NaN, in 1 rows"),
        (torch.zeros(1, 2), 0, "k must be a whole number of at least 1, got 0"),
        (torch.zeros(1, 2), 2.0, "at least 1, got 2.0"),
        (torch.zeros(1, 2), True, "at least 1, got True"),
        (torch.zeros(2), 1, r"got shape \(2,\)"),
    ],
)
def test_bad_input_is_refused(scores, k, message):
    with pytest.raises(ValueError, match=message):
        top_k(scores, k)
