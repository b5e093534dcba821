"""Sample weights: a row of weight 2 is a row that comes twice, and a loop by hand agrees."""

import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from nbhelpers.training.losses import (
    adaptive_hinge_loss,
    bpr_loss,
    hinge_loss,
    logistic_loss,
    sampled_softmax_loss,
    softmax_loss,
    warp_loss,
)
from nbhelpers.training.weighted_losses import mse_loss, weighted_mean, with_weights

POSITIVE = torch.tensor([0.5, -1.0, 2.0])
NEGATIVE = torch.tensor([[0.0, 1.0], [-3.0, 0.25], [2.5, 1.75]])
WEIGHTS = torch.tensor([1.0, 2.0, 1.0])
TWICE = torch.tensor([0, 1, 1, 2])

PAIR_LOSSES = {
    "logistic": logistic_loss,
    "softmax": softmax_loss,
    "bpr": bpr_loss,
    "hinge": hinge_loss,
    "adaptive hinge": adaptive_hinge_loss,
    "warp": partial(warp_loss, n_items=10),
}


@pytest.mark.parametrize("loss", PAIR_LOSSES.values(), ids=PAIR_LOSSES.keys())
def test_a_weight_of_two_is_a_pair_that_comes_twice(loss):
    found = loss(POSITIVE, NEGATIVE, weights=WEIGHTS)
    torch.testing.assert_close(found, loss(POSITIVE[TWICE], NEGATIVE[TWICE]))
    assert found.item() != pytest.approx(loss(POSITIVE, NEGATIVE).item(), abs=1e-3)


@pytest.mark.parametrize("loss", PAIR_LOSSES.values(), ids=PAIR_LOSSES.keys())
def test_only_the_shares_of_weights_count(loss):
    ones = loss(POSITIVE, NEGATIVE, weights=torch.full((3,), 7.0))
    torch.testing.assert_close(ones, loss(POSITIVE, NEGATIVE))


@pytest.mark.parametrize("loss", PAIR_LOSSES.values(), ids=PAIR_LOSSES.keys())
@pytest.mark.parametrize("weights", [torch.ones(2), torch.ones(3, 1), torch.ones(())])
def test_weights_of_another_shape_are_refused(loss, weights):
    with pytest.raises(ValueError, match=r"weights must have the shape \(3,\), one for each row"):
        loss(POSITIVE, NEGATIVE, weights=weights)


def of_row(name, positive, negatives):
    """Loss of one positive, by hand."""
    leads = [positive - negative for negative in negatives]
    if name == "bpr":
        return sum(math.log1p(math.exp(-lead)) for lead in leads) / len(leads)
    if name == "hinge":
        return sum(max(0.0, 1 - lead) for lead in leads) / len(leads)
    if name == "adaptive hinge":
        return max(0.0, 1 - min(leads))
    if name == "softmax":
        return math.log(sum(math.exp(score) for score in (positive, *negatives))) - positive
    cross_entropy = [math.log1p(math.exp(-positive))]
    cross_entropy += [math.log1p(math.exp(negative)) for negative in negatives]
    return sum(cross_entropy) / len(cross_entropy)


@pytest.mark.parametrize("name", ["logistic", "softmax", "bpr", "hinge", "adaptive hinge"])
def test_a_loop_by_hand_agrees(name):
    weights = [0.5, 2.5, 1.0]
    rows = zip(POSITIVE.tolist(), NEGATIVE.tolist(), strict=True)
    wanted = sum(w * of_row(name, *row) for w, row in zip(weights, rows, strict=True)) / 4
    found = PAIR_LOSSES[name](POSITIVE, NEGATIVE, weights=torch.tensor(weights))
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_warp_weighs_the_violation_of_each_row():
    # row 1: negative 2 is no violator (2 - 0 > 1); row 2: the first is, rank 9 // 1, by 1 - (0 - 1)
    found = warp_loss(
        torch.tensor([2.0, 0.0]),
        torch.tensor([[0.0], [1.0]]),
        n_items=10,
        weights=torch.tensor([3.0, 1.0]),
    )
    assert found.item() == pytest.approx(2 * sum(1 / k for k in range(1, 10)) / 4, rel=1e-5)


def test_gradients_are_weighted_too():
    weighted, repeated = POSITIVE.clone().requires_grad_(), POSITIVE.clone().requires_grad_()
    bpr_loss(weighted, NEGATIVE, weights=WEIGHTS).backward()
    bpr_loss(repeated[TWICE], NEGATIVE[TWICE]).backward()
    torch.testing.assert_close(weighted.grad, repeated.grad)


def test_softmax_over_the_batch_weighs_rows_but_not_columns():
    """Row 1 counts twice as a positive, and once as a negative of the other rows."""
    scores = torch.tensor([[0.5, 2.0, -1.0], [0.0, 1.0, 3.0], [-2.0, 0.25, 0.75]])
    items, log_q = torch.tensor([4, 7, 9]), torch.tensor([-1.0, -2.0, -3.0])
    each = functional.cross_entropy(scores - log_q, torch.arange(3), reduction="none")
    found = sampled_softmax_loss(scores, items, log_q=log_q, weights=WEIGHTS)
    assert found.item() == pytest.approx((each[0] + 2 * each[1] + each[2]).item() / 4, rel=1e-5)
    ones = sampled_softmax_loss(scores, items, log_q=log_q, weights=torch.ones(3))
    torch.testing.assert_close(ones, sampled_softmax_loss(scores, items, log_q=log_q))


def test_squared_error_is_torchs_without_weights():
    target = torch.tensor([1.0, 0.0, 2.5])
    torch.testing.assert_close(mse_loss(POSITIVE, target), functional.mse_loss(POSITIVE, target))


def test_squared_error_is_weighted():
    # errors 1, 2 and 3
    found = mse_loss(
        torch.zeros(3), torch.tensor([1.0, 2.0, 3.0]), weights=torch.tensor([2.0, 1.0, 1.0])
    )
    assert found.item() == pytest.approx((2 * 1 + 4 + 9) / 4)


def test_cross_entropy_of_classes_takes_weights_with_an_adapter():
    scores, classes = torch.tensor([[0.0, 2.0], [1.0, 0.0], [0.5, 0.5]]), torch.tensor([1, 1, 0])
    loss = with_weights(functional.cross_entropy)
    wanted = functional.cross_entropy(scores[TWICE], classes[TWICE])
    torch.testing.assert_close(loss(scores, classes, weights=WEIGHTS), wanted)
    torch.testing.assert_close(loss(scores, classes), functional.cross_entropy(scores, classes))


def test_mean_of_a_table_counts_each_row_by_its_weight():
    table = torch.tensor([[1.0, 3.0], [10.0, 20.0]])
    assert weighted_mean(table, None).item() == 8.5
    assert weighted_mean(table, torch.tensor([3.0, 1.0])).item() == (3 * 2 + 15) / 4
