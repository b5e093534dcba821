"""Losses of positives against sampled negatives."""

import math

import pytest
import torch
from torch.nn import functional

from nbhelpers.training.losses import logistic_loss, sampled_softmax_loss, softmax_loss

POSITIVE = torch.tensor([1.0, -2.0])
NEGATIVE = torch.tensor([[0.5, 3.0, -1.0], [0.0, 0.0, 2.0]])
SCORES = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0], [1.0, -0.5, 0.25]])


def test_logistic_loss_is_torchs_on_all_pairs_in_one_row():
    scores = torch.cat([POSITIVE, NEGATIVE.flatten()])
    target = torch.tensor([1.0] * 2 + [0.0] * 6)
    wanted = functional.binary_cross_entropy_with_logits(scores, target)
    torch.testing.assert_close(logistic_loss(POSITIVE, NEGATIVE), wanted)


def test_logistic_loss_of_zeros_is_log_2():
    assert logistic_loss(torch.zeros(3), torch.zeros(3, 4)).item() == pytest.approx(math.log(2))


def test_logistic_loss_keeps_value_and_gradient_at_large_scores():
    positive = torch.tensor([-200.0], requires_grad=True)
    loss = logistic_loss(positive, torch.tensor([[200.0]]))
    loss.backward()
    assert loss.item() == 200.0
    assert positive.grad.tolist() == [-0.5]


def test_logistic_loss_of_one_positive_without_negatives():
    wanted = math.log(1 + math.exp(-1.5))
    got = logistic_loss(torch.tensor([1.5]), torch.zeros(1, 0)).item()
    assert got == pytest.approx(wanted)


def test_softmax_loss_is_torchs_with_the_positive_in_front():
    scores = torch.cat([POSITIVE.unsqueeze(1), NEGATIVE], dim=1)
    wanted = functional.cross_entropy(scores, torch.tensor([0, 0]))
    torch.testing.assert_close(softmax_loss(POSITIVE, NEGATIVE), wanted)


def test_softmax_loss_of_equal_scores_counts_the_candidates():
    assert softmax_loss(torch.ones(3), torch.ones(3, 4)).item() == pytest.approx(math.log(5))


def test_softmax_loss_stays_finite_at_large_scores():
    assert softmax_loss(torch.tensor([0.0]), torch.tensor([[1000.0]])).item() == 1000.0


def by_loop(scores, items, log_q=None, seen=None):
    """The loss row by row, as the formula reads."""
    losses = []
    for k in range(len(scores)):
        corrected = [
            float(scores[k, j]) - (0.0 if log_q is None else float(log_q[j]))
            for j in range(scores.shape[1])
        ]
        total = sum(
            math.exp(corrected[j])
            for j in range(scores.shape[1])
            if j == k or (items[j] != items[k] and not (seen is not None and seen[k, j]))
        )
        losses.append(math.log(total) - corrected[k])
    return sum(losses) / len(losses)


KNOWN = torch.tensor([[True, False, False], [True, True, False], [False, True, True]])
LOG_Q = torch.tensor([0.5, 0.3, 0.2]).log()


@pytest.mark.parametrize("seen", [None, KNOWN])
@pytest.mark.parametrize("log_q", [None, LOG_Q])
@pytest.mark.parametrize("items", [[4, 7, 9], [4, 7, 4], [4, 4, 4]])
def test_in_batch_loss_follows_the_loop(items, log_q, seen):
    got = sampled_softmax_loss(SCORES, torch.tensor(items), log_q=log_q, seen=seen)
    assert got.item() == pytest.approx(by_loop(SCORES, items, log_q, seen), rel=1e-6)


def test_in_batch_loss_without_repeats_is_torchs():
    got = sampled_softmax_loss(SCORES, torch.tensor([4, 7, 9]))
    torch.testing.assert_close(got, functional.cross_entropy(SCORES, torch.arange(3)))


def test_further_columns_are_further_negatives():
    wide = torch.cat([SCORES, torch.tensor([[0.1], [0.2], [0.3]])], dim=1)
    got = sampled_softmax_loss(wide, torch.tensor([4, 7, 9, 7]))
    assert got.item() == pytest.approx(by_loop(wide, [4, 7, 9, 7]), rel=1e-6)


def test_copy_of_the_positive_gets_no_gradient():
    scores = SCORES.clone().requires_grad_()
    sampled_softmax_loss(scores, torch.tensor([4, 7, 4])).backward()
    assert scores.grad[0, 2] == 0
    assert scores.grad[2, 0] == 0
    assert (scores.grad != 0).sum() == 7


def test_batch_of_one_has_nothing_to_pick_from():
    assert sampled_softmax_loss(torch.tensor([[3.0]]), torch.tensor([5])).item() == 0.0


def test_same_item_everywhere_costs_nothing():
    assert sampled_softmax_loss(SCORES, torch.tensor([5, 5, 5])).item() == 0.0


def test_arguments_stay_as_they_are():
    scores, items, seen = SCORES.clone(), torch.tensor([4, 7, 4]), KNOWN.clone()
    sampled_softmax_loss(scores, items, log_q=LOG_Q, seen=seen)
    assert torch.equal(scores, SCORES)
    assert torch.equal(seen, KNOWN)


def test_corrected_loss_learns_a_user_free_of_popularity():
    """One kind of user picks item 0 as often as item 1, though others make item 1 eight times as
    frequent in the batches: corrected scores end equal, uncorrected ones far apart."""
    gaps = {}
    items = torch.tensor([0, 1] * 8 + [1] * 56)
    who = torch.tensor([0, 0] * 8 + [1] * 56)
    share = torch.bincount(items).double() / len(items)
    for name, log_q in {"corrected": share.log()[items], "uncorrected": None}.items():
        table = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([table], lr=0.1)
        generator = torch.Generator().manual_seed(0)
        for _ in range(400):
            rows = torch.randperm(len(items), generator=generator)[:24]
            optimizer.zero_grad()
            scores = table[who[rows]][:, items[rows]]
            q = None if log_q is None else log_q[rows]
            sampled_softmax_loss_unmasked(scores, items[rows], q).backward()
            optimizer.step()
        gaps[name] = (table[0, 1] - table[0, 0]).item()
    assert abs(gaps["corrected"]) < 0.4
    assert gaps["uncorrected"] < -1.5


def sampled_softmax_loss_unmasked(scores, items, log_q):
    """Distinct labels for the columns switch the masks off: with two items in all, masking the
    copies would leave one negative column of the other item or many, and no proportion."""
    return sampled_softmax_loss(scores, torch.arange(len(items)), log_q=log_q)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": torch.zeros(3, 2)}, "scores must have the shape"),
        ({"scores": torch.zeros(0, 3)}, "scores must have the shape"),
        ({"scores": torch.zeros(3)}, "scores must have the shape"),
        ({"item_idx": torch.zeros(2)}, r"item_idx must have the shape \(3,\), got \(2,\)"),
        ({"log_q": torch.zeros(3, 3)}, "log_q must have the shape"),
        ({"seen": KNOWN[:2]}, r"seen must have the shape \(3, 3\), got \(2, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    arguments = {"scores": SCORES, "item_idx": torch.tensor([4, 7, 9])} | change
    with pytest.raises(ValueError, match=message):
        sampled_softmax_loss(**arguments)


@pytest.mark.parametrize("loss", [logistic_loss, softmax_loss])
def test_tables_of_positives_are_refused(loss):
    with pytest.raises(ValueError, match=r"shape \(batch,\).*got \(3, 3\)"):
        loss(SCORES, SCORES)
