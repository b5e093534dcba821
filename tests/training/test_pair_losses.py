"""BPR, hinge, adaptive hinge and WARP against the formulas of their papers, row by row."""

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
    warp_loss,
)

N_ITEMS = 50
LOSSES = {
    "bpr": bpr_loss,
    "hinge": hinge_loss,
    "adaptive hinge": adaptive_hinge_loss,
    "warp": partial(warp_loss, n_items=N_ITEMS),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def row_by_loop(name, positive, negatives):
    """What one positive costs, as the paper reads."""
    leads = [positive - negative for negative in negatives]
    if name == "bpr":
        return sum(-math.log(1 / (1 + math.exp(-lead))) for lead in leads) / len(leads)
    if name == "hinge":
        return sum(max(0.0, 1 - lead) for lead in leads) / len(leads)
    if name == "adaptive hinge":
        return max(0.0, 1 - positive + max(negatives))
    for tries, negative in enumerate(negatives, start=1):
        if negative > positive - 1:
            rank = math.floor((N_ITEMS - 1) / tries)
            return sum(1 / i for i in range(1, rank + 1)) * (1 - positive + negative)
    return 0.0


def by_loop(name, positive, negative):
    rows = zip(positive.tolist(), negative.tolist(), strict=True)
    return sum(row_by_loop(name, *row) for row in rows) / len(positive)


def random_scores(batch, n_negatives, seed=0, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(batch, 1 + n_negatives, generator=generator, dtype=torch.float64)
    return scores[:, 0], scores[:, 1:]


@every_loss
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 1), (5, 5), (6, 3)])
def test_loss_follows_the_paper_row_by_row(name, shape):
    positive, negative = random_scores(*shape)
    got = LOSSES[name](positive, negative)
    assert got.shape == ()
    assert got.item() == pytest.approx(by_loop(name, positive, negative), rel=1e-12)


@every_loss
def test_gradient_is_that_of_differences(name):
    positive, negative = random_scores(5, 4, seed=1)
    distance = (1 - positive.unsqueeze(1) + negative).abs().min()
    gap = negative.topk(2, dim=1).values.diff(dim=1).abs().min()
    assert min(distance, gap) > 1e-3, "too near a kink for differences"
    scores = positive.clone().requires_grad_(), negative.clone().requires_grad_()
    assert torch.autograd.gradcheck(LOSSES[name], scores)


# By hand. Leads of the first row: 0.5, -2, 2; of the second: -2, -2, -4.
POSITIVE = torch.tensor([1.0, -2.0])
NEGATIVE = torch.tensor([[0.5, 3.0, -1.0], [0.0, 0.0, 2.0]])


def test_hinge_by_hand():
    assert hinge_loss(POSITIVE, NEGATIVE).item() == pytest.approx((0.5 + 3 + 0 + 3 + 3 + 5) / 6)


def test_margin_is_the_lead_asked_for():
    got = hinge_loss(POSITIVE, NEGATIVE, margin=3.0).item()
    assert got == pytest.approx((2.5 + 5 + 1 + 5 + 5 + 7) / 6)


def test_adaptive_hinge_by_hand_takes_the_highest_negative():
    assert adaptive_hinge_loss(POSITIVE, NEGATIVE).item() == pytest.approx((3 + 5) / 2)
    assert adaptive_hinge_loss(POSITIVE, NEGATIVE, margin=2.0).item() == pytest.approx(5.0)


def test_adaptive_hinge_moves_the_hardest_negative_only():
    negative = NEGATIVE.clone().requires_grad_()
    adaptive_hinge_loss(POSITIVE, negative).backward()
    assert negative.grad.tolist() == [[0, 0.5, 0], [0, 0, 0.5]]


def test_bpr_of_equal_scores_is_log_2():
    assert bpr_loss(torch.ones(3), torch.ones(3, 4)).item() == pytest.approx(math.log(2))


def test_bpr_gradient_is_the_share_of_doubt():
    """The derivative of -log sigmoid(x) is sigmoid(x) - 1: for odds of 1 to 3, -1/4."""
    positive = torch.tensor([math.log(3.0)], requires_grad=True)
    bpr_loss(positive, torch.zeros(1, 1)).backward()
    assert positive.grad.item() == pytest.approx(-0.25)


def test_warp_by_hand_weighs_the_first_violator_by_its_rank():
    """Five items: one try suggests rank 4, so 1 + 1/2 + 1/3 + 1/4; the hardest comes later."""
    got = warp_loss(POSITIVE, NEGATIVE, n_items=5).item()
    assert got == pytest.approx(25 / 12 * (0.5 + 3) / 2)


@pytest.mark.parametrize(("tries", "weight"), [(1, 11 / 6), (2, 1.0), (3, 1.0), (4, 0.0), (5, 0.0)])
def test_warp_weight_of_four_items_by_tries(tries, weight):
    """Three other items: rank 3, then 1 (3 over 2, rounded down), 1, and 0 after three tries."""
    negative = torch.full((1, 5), -9.0)
    negative[0, tries - 1] = 0.0
    got = warp_loss(torch.zeros(1), negative, n_items=4).item()
    assert got == pytest.approx(weight, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("n_items", [2, 3, 10, 11, 100_000])
def test_warp_weight_is_the_sum_of_the_paper(n_items):
    for tries in (1, 2, 3, 7, 10):
        negative = torch.full((1, 10), -9.0, dtype=torch.float64)
        negative[0, tries - 1] = 1.0
        got = warp_loss(torch.zeros(1, dtype=torch.float64), negative, n_items=n_items).item()
        weight = math.fsum(1 / i for i in range(1, (n_items - 1) // tries + 1))
        assert got == pytest.approx(2 * weight, rel=1e-12, abs=1e-12)


def test_warp_without_a_violator_costs_and_moves_nothing():
    positive = torch.tensor([5.0, 5.0], requires_grad=True)
    loss = warp_loss(positive, torch.tensor([[0.0, 4.0], [4.0, 0.0]]), n_items=9)  # 1 is no less
    loss.backward()
    assert loss.item() == 0
    assert positive.grad.tolist() == [0, 0]


def test_warp_takes_the_weight_as_a_constant():
    positive = torch.zeros(1, requires_grad=True)
    negative = torch.tensor([[-4.0, 2.0, 7.0]], requires_grad=True)
    warp_loss(positive, negative, n_items=7).backward()
    assert positive.grad.item() == pytest.approx(-11 / 6)  # two tries of six: rank 3
    assert negative.grad.flatten().tolist() == pytest.approx([0, 11 / 6, 0])


def test_warp_can_rise_with_the_score_of_the_positive():
    negative = torch.tensor([[-0.99, 9.0]])
    low = warp_loss(torch.tensor([0.0]), negative, n_items=9)
    high = warp_loss(torch.tensor([0.1]), negative, n_items=9)
    assert high > low


# Labels: user u scores item i as 100 u + i, so a pair of two users is off by a hundred.
USERS, ITEMS = (
    torch.tensor([3, 1, 2]),
    torch.tensor([[40, 10, 39, 41], [10, 5, 6, 7], [1, 2, 3, 0]]),
)
LABELS = 100.0 * USERS.unsqueeze(1) + ITEMS


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("hinge", ((0 + 0 + 2) + (0 + 0 + 0) + (2 + 3 + 0)) / 9),
        ("adaptive hinge", (2 + 0 + 3) / 3),
        ("bpr", sum(math.log1p(math.exp(-x)) for x in (30, 1, -1, 5, 4, 3, -1, -2, 1)) / 9),
        (
            "warp",
            (
                2 * math.fsum(1 / i for i in range(1, 17))
                + 0
                + 2 * math.fsum(1 / i for i in range(1, 50))
            )
            / 3,
        ),
    ],
)
def test_scores_of_two_users_are_never_compared(name, wanted):
    got = LOSSES[name](LABELS[:, 0], LABELS[:, 1:]).item()
    assert got == pytest.approx(wanted, rel=1e-5)


@every_loss
def test_gradients_stay_in_the_row_they_belong_to(name):
    whole = LABELS.clone().requires_grad_()
    LOSSES[name](whole[:, 0], whole[:, 1:]).backward()
    for k in range(3):
        alone = LABELS[k : k + 1].clone().requires_grad_()
        LOSSES[name](alone[:, 0], alone[:, 1:]).backward()
        torch.testing.assert_close(whole.grad[k] * 3, alone.grad[0])


@every_loss
def test_batch_is_the_mean_of_its_rows(name):
    positive, negative = random_scores(5, 3, seed=2)
    rows = [LOSSES[name](positive[k : k + 1], negative[k : k + 1]).item() for k in range(5)]
    assert LOSSES[name](positive, negative).item() == pytest.approx(sum(rows) / 5)


@every_loss
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_extreme_scores_stay_finite(name, sign):
    positive = torch.tensor([sign * 1e4, 0.0], requires_grad=True)
    negative = torch.tensor([[-sign * 1e4, 0.0], [1e4, -1e4]], requires_grad=True)
    loss = LOSSES[name](positive, negative)
    loss.backward()
    assert loss.isfinite()
    assert positive.grad.isfinite().all()
    assert negative.grad.isfinite().all()


def test_bpr_keeps_the_gradient_of_a_hopeless_pair():
    positive = torch.tensor([-200.0], requires_grad=True)
    loss = bpr_loss(positive, torch.tensor([[200.0]]))
    loss.backward()
    assert loss.item() == 400.0
    assert positive.grad.item() == -1.0


numbers = st.integers(-8, 8).map(lambda n: n / 2)
rows_of_scores = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(numbers, min_size=n + 1, max_size=n + 1), min_size=1, max_size=4)
)


@given(scores=rows_of_scores, step=st.integers(1, 6), data=st.data())
@settings(max_examples=60, deadline=None)
def test_loss_grows_with_negatives_and_falls_with_positives(scores, step, data):
    scores = torch.tensor(scores, dtype=torch.float64)
    row = data.draw(st.integers(0, scores.shape[0] - 1))
    column = data.draw(st.integers(0, scores.shape[1] - 1))
    raised = scores.clone()
    raised[row, column] += step
    for name in ("bpr", "hinge", "adaptive hinge"):
        before = LOSSES[name](scores[:, 0], scores[:, 1:]).item()
        after = LOSSES[name](raised[:, 0], raised[:, 1:]).item()
        assert before >= 0
        assert after <= before + 1e-12 if column == 0 else after >= before - 1e-12


@given(scores=rows_of_scores, shift=numbers)
@settings(max_examples=60, deadline=None)
def test_only_differences_of_scores_count(scores, shift):
    scores = torch.tensor(scores, dtype=torch.float64)
    for loss in LOSSES.values():
        before = loss(scores[:, 0], scores[:, 1:]).item()
        after = loss(scores[:, 0] + shift, scores[:, 1:] + shift).item()
        assert before == pytest.approx(after, rel=1e-12, abs=1e-12)


@given(scores=rows_of_scores)
@settings(max_examples=60, deadline=None)
def test_warp_follows_the_paper_on_ties_and_at_the_margin(scores):
    scores = torch.tensor(scores, dtype=torch.float64)
    wanted = by_loop("warp", scores[:, 0], scores[:, 1:])
    got = LOSSES["warp"](scores[:, 0], scores[:, 1:]).item()
    assert got == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@every_loss
def test_scores_stay_as_they_are(name):
    positive, negative = POSITIVE.clone(), NEGATIVE.clone()
    LOSSES[name](positive, negative)
    assert torch.equal(positive, POSITIVE)
    assert torch.equal(negative, NEGATIVE)


@every_loss
@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ((3,), (3, 0), r"\(3, n_negatives\), with at least one negative .* got \(3, 0\)"),
        ((3,), (3,), r"negative_scores must have the shape \(3, n_negatives\).* got \(3,\)"),
        ((3,), (2, 3), r"each of the 3 positives, got \(2, 3\)"),
        ((3,), (1, 3), r"each of the 3 positives, got \(1, 3\)"),
        ((3,), (3, 3, 1), r"got \(3, 3, 1\)"),
        ((3, 1), (3, 3), r"positive_scores must have the shape \(batch,\).* got \(3, 1\)"),
        ((), (1, 3), r"positive_scores .* got \(\)"),
        ((0,), (0, 3), r"at least one row, got \(0,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, positive, negative, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[name](torch.zeros(positive), torch.zeros(negative))


def test_warp_in_a_catalog_of_one_is_refused():
    with pytest.raises(ValueError, match="n_items must be at least 2, got 1"):
        warp_loss(POSITIVE, NEGATIVE, n_items=1)
