import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.evaluation.ranks import gains_of_ranks, rank_of_positive, ranks_of_positives

INF = math.inf


def walked_ranks(scores, positives):
    """Sort one user's candidates by hand, others before positives where scores are equal."""
    taking_part = [column for column, score in enumerate(scores) if score != -INF]
    order = sorted(taking_part, key=lambda column: (-scores[column], positives[column]))
    return [rank for rank, column in enumerate(order, start=1) if positives[column]]


def test_rank_by_hand():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
    assert rank_of_positive(scores, torch.tensor([2, 1])).tolist() == [2, 1]


def test_constant_scores_rank_the_positive_last():
    assert rank_of_positive(torch.zeros(5, 100), torch.arange(5)).tolist() == [100] * 5


def test_tie_counts_against_the_positive_wherever_it_stands():
    scores = torch.tensor([[3.0, 2.0, 2.0, 1.0]] * 2)
    assert rank_of_positive(scores, torch.tensor([1, 2])).tolist() == [3, 3]


def test_masked_candidates_do_not_count():
    scores = torch.tensor([[-INF, 2.0, -INF, 3.0]])
    assert rank_of_positive(scores, torch.tensor([1])).tolist() == [2]
    positives = torch.tensor([[False, True, False, True]])
    assert ranks_of_positives(scores, positives).tolist() == [[1, 2]]


def test_several_positives_by_hand():
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    positives = torch.tensor([[False, True, False, True, True]])
    assert ranks_of_positives(scores, positives).tolist() == [[2, 4, 5]]


def test_tied_positives_take_ranks_that_follow_each_other():
    scores = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    positives = torch.tensor([[True, True, False, False]])
    assert ranks_of_positives(scores, positives).tolist() == [[2, 3]]


def test_zero_fills_users_with_fewer_positives():
    scores = torch.tensor([[3.0, 2.0, 1.0]] * 3)
    positives = torch.tensor([[True, False, True], [False] * 3, [False, True, False]])
    assert ranks_of_positives(scores, positives).tolist() == [[1, 3], [0, 0], [2, 0]]
    one_each = positives & torch.tensor([True, True, False])
    assert ranks_of_positives(scores, one_each).tolist() == [[1], [0], [2]]


def test_nobody_has_a_positive():
    ranks = ranks_of_positives(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool))
    assert ranks.shape == (2, 0)


def test_gains_stand_at_the_ranks_of_their_positives():
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])
    gains = torch.tensor([[0.0, 2.0, 0.0, 1.0], [3.0, 0.0, 7.0, 5.0], [0.0, 0.0, 0.0, 0.0]])
    assert ranks_of_positives(scores, gains > 0).tolist() == [[2, 4, 0], [1, 2, 4], [0, 0, 0]]
    assert gains_of_ranks(scores, gains).tolist() == [[2, 1, 0], [5, 7, 3], [0, 0, 0]]


def test_of_positives_that_tie_the_smallest_gain_comes_first():
    scores, gains = torch.tensor([[1.0, 1.0, 2.0, 1.0]]), torch.tensor([[4.0, 2.0, 1.0, 3.0]])
    assert gains_of_ranks(scores, gains).tolist() == [[1, 2, 3, 4]]


def test_nobody_has_a_gain():
    assert gains_of_ranks(torch.zeros(2, 3), torch.zeros(2, 3)).shape == (2, 0)
    assert gains_of_ranks(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 0)


def test_gains_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"the shape of scores, \(1, 3\), got \(1, 2\)"):
        gains_of_ranks(torch.zeros(1, 3), torch.zeros(1, 2))


def test_every_score_and_positive_pattern_of_four_items():
    cells = itertools.product([-INF, 0.0, 1.0], [False, True])
    allowed = [cell for cell in cells if cell != (-INF, True)]
    users = list(itertools.product(allowed, repeat=4))  # 625, ties and masks of every kind
    scores = torch.tensor([[score for score, _ in user] for user in users])
    positives = torch.tensor([[positive for _, positive in user] for user in users])
    ranks = ranks_of_positives(scores, positives).tolist()
    for row, user_scores, user_positives in zip(
        ranks, scores.tolist(), positives.tolist(), strict=True
    ):
        assert [rank for rank in row if rank] == walked_ranks(user_scores, user_positives)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.booleans()), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_one_and_many_agree_and_order_of_items_does_not_matter(cells, random):
    shuffled = random.sample(cells, len(cells))
    ranks = []
    for row in (cells, shuffled):
        scores = torch.tensor([[float(score) for score, _, _ in row]])
        positives = torch.tensor([[positive for _, positive, _ in row]])
        masked = torch.tensor([[mask and not positive for _, positive, mask in row]])
        scores = scores.masked_fill(masked, -INF)
        many = ranks_of_positives(scores, positives)
        ranks.append(many.tolist())
        if positives.sum() == 1:
            assert many[:, 0].equal(rank_of_positive(scores, positives.int().argmax(dim=1)))
        assert ranks_of_positives(scores.exp().log1p().masked_fill(masked, -INF), positives).equal(
            many
        )
    assert ranks[0] == ranks[1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_other_number_types_rank_the_same(dtype):
    scores = torch.tensor([[3, 1, 2, 2]], dtype=dtype)
    positives = torch.tensor([[False, True, True, False]])
    assert ranks_of_positives(scores, positives).tolist() == [[3, 4]]
    assert rank_of_positive(scores, torch.tensor([2])).tolist() == [3]


def test_scores_and_positives_are_left_alone():
    scores, positives = torch.rand(3, 6), torch.rand(3, 6) < 0.5
    before = scores.clone(), positives.clone()
    ranks_of_positives(scores, positives)
    assert scores.equal(before[0])
    assert positives.equal(before[1])


BOTH = torch.tensor([[True, False]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: rank_of_positive(torch.tensor([[math.nan, 1.0]]), torch.tensor([1])),
            "1 scores are NaN, in 1 rows",
        ),
        (
            lambda: ranks_of_positives(torch.tensor([[1.0, math.nan]]), BOTH),
            "1 scores are NaN, in 1 rows",
        ),
        (
            lambda: rank_of_positive(torch.tensor([[-INF, 1.0]]), torch.tensor([0])),
            "1 positives score -inf",
        ),
        (
            lambda: ranks_of_positives(torch.tensor([[-INF, 1.0]]), BOTH),
            "1 positives score -inf",
        ),
        (
            lambda: ranks_of_positives(torch.tensor([[-INF, 1.0]]), ~BOTH | BOTH),
            "1 positives score -inf",
        ),
        (lambda: rank_of_positive(torch.zeros(1, 2), torch.tensor([2])), "in 0 to 1, got 2"),
        (lambda: rank_of_positive(torch.zeros(1, 2), torch.tensor([-1])), "in 0 to 1, got -1"),
        (lambda: rank_of_positive(torch.zeros(2, 2), torch.tensor([0])), "each of 2 rows"),
        (lambda: rank_of_positive(torch.zeros(2), torch.tensor([0])), r"got shape \(2,\)"),
        (lambda: ranks_of_positives(torch.zeros(1, 3), BOTH), r"bool of shape \(1, 3\)"),
        (lambda: ranks_of_positives(torch.zeros(1, 2), BOTH.long()), "got torch.int64"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
