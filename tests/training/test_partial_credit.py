"""Partial credit for negatives that share metadata with their positive."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.training.losses import (
    adaptive_hinge_loss,
    bpr_loss,
    hinge_loss,
    logistic_loss,
    softmax_loss,
    warp_loss,
)
from nbhelpers.training.partial_credit import partial_credit, shared

LOSSES = {
    "bpr": bpr_loss,
    "hinge": hinge_loss,
    "adaptive hinge": adaptive_hinge_loss,
    "warp": partial(warp_loss, n_items=50),
    "logistic": logistic_loss,
    "softmax": softmax_loss,
}
every_loss = pytest.mark.parametrize("name", LOSSES)

# Six items: their decade (5 has none), and whether they are action, comedy, drama.
DECADE = torch.tensor([90, 90, 80, 80, 90, -1])
GENRES = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]])
ATTRIBUTES = {"decade": DECADE, "genre": GENRES}
WEIGHTS = {"decade": 0.2, "genre": 0.6}
ITEMS = torch.tensor([0, 4, 5])
NEGATIVES = torch.tensor([[1, 2, 3, 5], [0, 3, 5, 2], [0, 3, 5, 5]])
# By hand: genre shares 1/2, 1, 0, 0 | 1/3, 1/2, 0, 1/3 | 0; the same decade 1, 0, 0, 0 | 1, 0 ...
CREDIT = [[0.5, 0.6, 0.0, 0.0], [0.4, 0.3, 0.0, 0.2], [0.0, 0.0, 0.0, 0.0]]


def scores(seed=0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    return drawn[:, 0], drawn[:, 1:]


def test_hinge_asks_for_a_lead_of_one_less_the_credit():
    positive, negative = scores()
    wanted = [
        max(0.0, (1 - CREDIT[k][j]) - (positive[k].item() - negative[k, j].item()))
        for k in range(3)
        for j in range(4)
    ]
    got = partial_credit(hinge_loss, ATTRIBUTES, WEIGHTS)(positive, negative, ITEMS, NEGATIVES)
    assert got.item() == pytest.approx(sum(wanted) / 12, abs=1e-7)


def test_bpr_gives_the_credit_as_a_lead():
    positive, negative = scores()
    wanted = [
        math.log1p(math.exp(negative[k, j].item() - positive[k].item() - CREDIT[k][j]))
        for k in range(3)
        for j in range(4)
    ]
    got = partial_credit(bpr_loss, ATTRIBUTES, WEIGHTS)(positive, negative, ITEMS, NEGATIVES)
    assert got.item() == pytest.approx(sum(wanted) / 12, abs=1e-7)


def test_hardest_negative_is_the_one_left_after_the_credit():
    """Item 2 scores highest, but shares all genres with item 0; item 3 shares nothing."""
    loss = partial_credit(adaptive_hinge_loss, {"genre": GENRES}, {"genre": 1.0})
    got = loss(torch.zeros(1), torch.tensor([[0.5, 0.0]]), ITEMS[:1], torch.tensor([[2, 3]]))
    assert got.item() == 1.0


def test_first_violator_is_found_after_the_credit():
    """Item 2 no longer comes within the margin: two tries of six items, so rank 2."""
    loss = partial_credit(partial(warp_loss, n_items=6), {"genre": GENRES}, {"genre": 1.0})
    got = loss(torch.zeros(1), torch.tensor([[-0.5, 1.0]]), ITEMS[:1], torch.tensor([[2, 3]]))
    assert got.item() == pytest.approx(1.5 * 2)


@every_loss
def test_weights_of_zero_leave_the_loss_as_it_is(name):
    positive, negative = scores()
    loss = partial_credit(LOSSES[name], ATTRIBUTES, {"decade": 0, "genre": 0.0})
    plain = LOSSES[name](positive, negative)
    assert loss(positive, negative, ITEMS, NEGATIVES).item() == plain.item()


@every_loss
def test_nothing_in_common_is_no_credit(name):
    positive, negative = scores()
    others = (ITEMS.unsqueeze(1) + torch.arange(1, 5)) % 6
    loss = partial_credit(LOSSES[name], {"item": torch.arange(6)}, {"item": 1.0})
    plain = LOSSES[name](positive, negative)
    assert loss(positive, negative, ITEMS, others).item() == plain.item()


@every_loss
def test_gradient_is_that_of_differences(name):
    positive, negative = scores(seed=3)
    loss = partial_credit(LOSSES[name], ATTRIBUTES, WEIGHTS)
    left = negative - torch.tensor(CREDIT)
    distance = (1 - positive.unsqueeze(1) + left).abs().min()
    gap = left.topk(2, dim=1).values.diff(dim=1).abs().min()
    assert min(distance, gap) > 1e-3, "too near a kink for differences"
    inputs = positive.clone().requires_grad_(), negative.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p, n: loss(p, n, ITEMS, NEGATIVES), inputs)


@given(low=st.floats(0, 0.5), more=st.floats(0, 0.5), seed=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_more_weight_never_costs_more(low, more, seed):
    positive, negative = scores(seed)
    for name in ("bpr", "hinge", "adaptive hinge", "logistic", "softmax"):
        costs = [
            partial_credit(LOSSES[name], {"genre": GENRES}, {"genre": weight})(
                positive, negative, ITEMS, NEGATIVES
            ).item()
            for weight in (low, low + more)
        ]
        assert costs[1] <= costs[0] + 1e-12


def test_shared_values_are_those_of_sets():
    sets = [set(row.nonzero().flatten().tolist()) for row in GENRES]
    every = torch.arange(6).repeat(6, 1)
    got = shared(GENRES.bool(), torch.arange(6), every)
    for k in range(6):
        for j in range(6):
            either = sets[k] | sets[j]
            wanted = len(sets[k] & sets[j]) / len(either) if either else 0.0
            assert got[k, j].item() == pytest.approx(wanted), (k, j)


def test_shared_category_is_equal_and_known():
    got = shared(DECADE, torch.tensor([0, 5]), torch.tensor([[1, 2, 5], [0, 5, 5]]))
    assert got.tolist() == [[1, 0, 0], [0, 0, 0]]


def test_one_column_for_each_category_is_the_category():
    one_hot = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 0]])
    positive, negative = scores()
    by_form = [
        partial_credit(bpr_loss, {"decade": table}, {"decade": 0.7})(
            positive, negative, ITEMS, NEGATIVES
        )
        for table in (DECADE, one_hot, one_hot.bool(), one_hot.double())
    ]
    assert len({loss.item() for loss in by_form}) == 1


def test_credit_looks_up_the_items_of_its_own_row():
    """Labels: user u's items carry the category u, so only pairs of two users differ."""
    owner = torch.tensor([3, 3, 3, 1, 1, 1, 2, 2, 2])
    items, negatives = torch.tensor([0, 3, 6]), torch.tensor([[1, 2], [4, 5], [7, 8]])
    loss = partial_credit(hinge_loss, {"owner": owner}, {"owner": 1.0})
    assert loss(torch.zeros(3), torch.zeros(3, 2), items, negatives).item() == 0.0
    mixed = negatives.flatten().roll(1).view(3, 2)
    assert loss(torch.zeros(3), torch.zeros(3, 2), items, mixed).item() == pytest.approx(0.5)


def test_batch_of_one():
    loss = partial_credit(hinge_loss, ATTRIBUTES, WEIGHTS)
    got = loss(torch.zeros(1), torch.zeros(1, 1), torch.tensor([0]), torch.tensor([[1]]))
    assert got.item() == pytest.approx(0.5)


def test_extreme_scores_stay_finite():
    positive, negative = torch.tensor([-1e4, 1e4, 0.0]), torch.full((3, 4), 1e4)
    for loss in LOSSES.values():
        credited = partial_credit(loss, ATTRIBUTES, WEIGHTS)
        assert credited(positive, negative, ITEMS, NEGATIVES).isfinite()


def test_arguments_stay_as_they_are():
    positive, negative = scores()
    inputs = positive, negative, ITEMS, NEGATIVES, DECADE, GENRES
    before = [tensor.clone() for tensor in inputs]
    partial_credit(bpr_loss, ATTRIBUTES, WEIGHTS)(positive, negative, ITEMS, NEGATIVES)
    assert all(torch.equal(old, new) for old, new in zip(before, inputs, strict=True))


def test_later_changes_of_tables_and_weights_change_nothing():
    table, weights = DECADE.clone(), {"decade": 0.5}
    loss = partial_credit(hinge_loss, {"decade": table}, weights)
    arguments = torch.zeros(3), torch.zeros(3, 4), ITEMS, NEGATIVES
    before = loss(*arguments)
    table[:], weights["decade"] = 90, 0.9
    assert torch.equal(loss(*arguments), before)


def test_weights_of_one_in_sum_are_accepted_in_spite_of_rounding():
    attributes = dict.fromkeys("abc", DECADE)
    weights = {"a": 0.5, "b": 0.25, "c": 0.2500000000000002}  # one step of a float above 1
    assert partial_credit(hinge_loss, attributes, weights)


@pytest.mark.parametrize(
    ("attributes", "weights", "message"),
    [
        ({"decade": DECADE}, {"decade": 1.1}, "at most 1 in sum, got 1.1: divide"),
        (ATTRIBUTES, {"decade": 0.6, "genre": 0.6}, "at most 1 in sum, got 1.2"),
        (ATTRIBUTES, {"decade": 1.2, "genre": -0.4}, r"at least 0, got \{'genre': -0.4\}"),
        ({"decade": DECADE}, {"decade": math.nan}, "at least 0, got"),
        ({"decade": DECADE}, {"decade": math.inf}, "at least 0, got"),
        ({"decade": DECADE}, {"genre": 0.5}, r"same names.* \['decade'\] and \['genre'\]"),
        (ATTRIBUTES, {"decade": 0.5}, "same names"),
        ({}, {}, "at least one"),
        ({"decade": DECADE.double()}, {"decade": 0.5}, "'decade' must hold integers"),
        ({"genre": GENRES.unsqueeze(0)}, {"genre": 0.5}, r"got torch.int64 of shape \(1, 6, 3\)"),
        ({"genre": 2 * GENRES}, {"genre": 0.5}, "'genre' has two dimensions.* 0 and 1 only"),
        ({"decade": DECADE[:5], "genre": GENRES}, WEIGHTS, "'decade': 5, 'genre': 6"),
    ],
)
def test_what_gives_no_credit_is_refused(attributes, weights, message):
    with pytest.raises(ValueError, match=message):
        partial_credit(hinge_loss, attributes, weights)


@pytest.mark.parametrize(
    ("items", "negatives", "message"),
    [
        (ITEMS[:1], NEGATIVES, r"item_idx must have the shape of their scores, \(3,\), got \(1,\)"),
        (ITEMS, NEGATIVES[:, :1], r"negatives must have the shape .* \(3, 4\), got \(3, 1\)"),
        (ITEMS, NEGATIVES.T, r"negatives must have the shape .* got \(4, 3\)"),
    ],
)
def test_items_that_do_not_fit_the_scores_are_refused(items, negatives, message):
    loss = partial_credit(hinge_loss, ATTRIBUTES, WEIGHTS)
    with pytest.raises(ValueError, match=message):
        loss(torch.zeros(3), torch.zeros(3, 4), items, negatives)
