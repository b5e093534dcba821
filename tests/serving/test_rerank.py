import numpy as np
import pytest
import torch
from scipy.stats import entropy

from nbhelpers.serving.rerank import calibrated, diversified, lists_first

# Two action films before two dramas.
SCORES = torch.tensor([[0.9, 0.8, 0.6, 0.5, 0.0]])
GENRES = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1]])
ALL = {"n_candidates": 5}


def test_strength_zero_keeps_the_order_of_the_scores(rng):
    scores, table = torch.tensor(rng.random((7, 40))), rng.random((40, 4)) < 0.4
    wanted = torch.tensor(rng.dirichlet(np.ones(4), 7))
    order = scores.argsort(dim=1, descending=True)[:, :10]
    assert diversified(scores, table, strength=0.0, n_candidates=20).equal(order)
    assert calibrated(scores, table, wanted, strength=0.0, n_candidates=20).equal(order)


def test_diversified_by_hand():
    # scaled: 1, 8/9, 6/9, 5/9, 0. After film 0: film 1 is worth 4/9 - 1/2, film 2 is worth 3/9,
    # film 4 is half like film 0 and worth -1/4.
    lists = diversified(SCORES, GENRES, strength=0.5, k=3, **ALL)
    assert lists.tolist() == [[0, 2, 1]]


def test_calibrated_by_hand():
    # One film with both genres is (1/2, 1/2), nearer to (1/4, 3/4) than an action film or a drama
    # alone. With a drama after it the mix is exactly (1/4, 3/4).
    wanted = torch.tensor([[0.25, 0.75]])
    assert calibrated(SCORES, GENRES, wanted, strength=1.0, k=2, **ALL).tolist() == [[4, 2]]
    lists = calibrated(SCORES, GENRES, torch.tensor([[0.0, 1.0]]), strength=0.9, k=2, **ALL)
    assert lists.tolist() == [[2, 3]]


def test_both_agree_with_a_plain_loop(rng):
    scores, table = rng.random(30), rng.random((30, 5)) < 0.5
    table[:, 0] |= ~table.any(axis=1)
    wanted = rng.dirichlet(np.ones(5))
    order = np.argsort(-scores)[:15]
    scaled = (scores[order] - scores[order].min()) / np.ptp(scores[order])

    def likeness(one, other):
        return (table[one] & table[other]).sum() / (table[one] | table[other]).sum()

    def nearest(item, listed):
        return max((likeness(item, other) for other in listed), default=0.0)

    def divergence(item, listed):
        shares = table[[*listed, item]] / table[[*listed, item]].sum(axis=1, keepdims=True)
        return entropy(wanted, 0.99 * shares.mean(axis=0) + 0.01 * wanted)

    rows, mix = torch.tensor(scores[None]), torch.tensor(wanted[None])
    for cost, ours in (
        (nearest, lambda: diversified(rows, table, strength=0.6, k=6, n_candidates=15)),
        (divergence, lambda: calibrated(rows, table, mix, strength=0.6, k=6, n_candidates=15)),
    ):
        listed = []
        for _ in range(6):
            left = [n for n in range(15) if order[n] not in listed]
            value = [0.4 * scaled[n] - 0.6 * cost(order[n], listed) for n in left]
            listed.append(order[left[int(np.argmax(value))]])
        assert ours().tolist() == [listed]


def test_nothing_that_is_masked_gets_listed():
    masked = SCORES.clone()
    masked[0, [0, 2, 4]] = -torch.inf
    for lists in (
        diversified(masked, GENRES, strength=0.7, k=3, **ALL),
        calibrated(masked, GENRES, torch.tensor([[0.5, 0.5]]), strength=0.7, k=3, **ALL),
    ):
        assert sorted(lists[0].tolist()) == [-1, 1, 3]


def test_a_user_without_a_wanted_mix_keeps_the_order():
    unknown = torch.full((1, 2), torch.nan)
    assert calibrated(SCORES, GENRES, unknown, strength=0.9, k=3, **ALL).tolist() == [[0, 1, 2]]


def test_only_candidates_are_listed():
    lists = diversified(SCORES, GENRES, strength=1.0, k=2, n_candidates=2)
    assert lists.tolist() == [[0, 1]]


def test_equal_scores_are_no_trouble():
    lists = diversified(torch.zeros(1, 5), GENRES, strength=0.5, k=2, **ALL)
    assert lists.tolist() == [[0, 2]]


def test_lists_first_leaves_all_others_in_their_order():
    lists = torch.tensor([[3, 1, -1]])
    scores = lists_first(torch.tensor([[0.9, -torch.inf, 0.6, 0.5, 0.7]]), lists[:, [0, 2]])
    assert scores.argsort(dim=1, descending=True).tolist() == [[3, 0, 4, 2, 1]]
    assert scores[0, 1] == -torch.inf


@pytest.mark.parametrize("strength", [-0.1, 1.1])
def test_a_strength_outside_its_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        diversified(SCORES, GENRES, strength=strength, k=2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"table of shape \(5"):
        diversified(SCORES, GENRES[:4], strength=0.5, k=2)
    with pytest.raises(ValueError, match="wanted"):
        calibrated(SCORES, GENRES, torch.ones(1, 3), strength=0.5, k=2)
    with pytest.raises(ValueError, match="as many candidates"):
        diversified(SCORES, GENRES, strength=0.5, k=4, n_candidates=3)
