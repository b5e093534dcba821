"""The softmax over the whole catalog: against torch's cross-entropy and a count by hand."""

import math

import pytest
import torch
from torch.nn import functional

from nbhelpers.training.losses import full_softmax_loss

SCORES = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]])


def test_it_is_torchs_cross_entropy_of_each_positive():
    positives = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    wanted = functional.cross_entropy(SCORES[[0, 0, 1]], torch.tensor([0, 2, 1]))
    torch.testing.assert_close(full_softmax_loss(SCORES, positives), wanted)


def test_equal_scores_count_the_catalog():
    assert full_softmax_loss(torch.ones(2, 5), torch.eye(5)[:2]).item() == pytest.approx(
        math.log(5)
    )


def test_a_weight_of_two_is_a_positive_that_comes_twice():
    weighted = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    wanted = functional.cross_entropy(SCORES[[0, 0, 0, 1]], torch.tensor([0, 0, 2, 1]))
    torch.testing.assert_close(full_softmax_loss(SCORES, weighted), wanted)


def test_large_scores_stay_finite():
    assert full_softmax_loss(torch.tensor([[0.0, 1000.0]]), torch.eye(2)[:1]).item() == 1000.0


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\) and \(2, 2\)"):
        full_softmax_loss(SCORES, torch.ones(2, 2))
    with pytest.raises(ValueError, match="at least one positive"):
        full_softmax_loss(SCORES, torch.zeros(2, 3))
