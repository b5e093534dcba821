"""Histories in order, and the model that reads them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from nbhelpers.models.sequence_tower import SequenceTower, past_items
from nbhelpers.training.fit import fit, seed_everything

USERS, ITEMS, PAD = np.array([0, 0, 0, 2, 2]), np.array([7, 8, 9, 5, 6]), 10


def test_each_choice_sees_what_came_before_it():
    past, _ = past_items(USERS, ITEMS, n_users=3, length=2, pad=PAD)
    assert past.tolist() == [[PAD, PAD], [7, PAD], [8, 7], [PAD, PAD], [5, PAD]]


def test_latest_items_come_first_and_a_user_without_any_has_none():
    _, latest = past_items(USERS, ITEMS, n_users=3, length=2, pad=PAD)
    assert latest.tolist() == [[9, 8], [PAD, PAD], [6, 5]]


def test_unsorted_users_are_refused():
    with pytest.raises(ValueError, match="1 rows come too late"):
        past_items(USERS[::-1], ITEMS, n_users=3, length=2, pad=PAD)


def test_length_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        past_items(USERS, ITEMS, n_users=3, length=0, pad=PAD)


def tower():
    seed_everything(0)
    latest = torch.tensor([[3, 1], [0, 4], [4, 4]])  # 4 pads
    model = SequenceTower(4, latest, 5).eval()
    with torch.no_grad():
        model.item_bias.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
    return model


def test_user_vector_is_the_weighted_sum_of_the_latest_items():
    model = tower()
    table, weight = model.item_factors.weight, model.log_weight.exp()
    expected = torch.stack(
        [weight[0] * table[3] + weight[1] * table[1], weight[0] * table[0], 0 * table[0]]
    )
    torch.testing.assert_close(model.past_vectors(model.latest), expected)


def test_scores_are_products_with_the_items_and_their_bias():
    model = tower()
    vectors, table = model.past_vectors(model.latest), model.item_factors.weight
    for user in range(3):
        for item in range(4):
            expected = vectors[user] @ table[item] + model.item_bias[item]
            torch.testing.assert_close(model.score_users(torch.tensor([user]))[0, item], expected)


def test_user_without_history_gets_the_biases():
    torch.testing.assert_close(tower().score_users(torch.tensor([2]))[0], tower().item_bias.data)


def test_latest_taste_is_followed():
    """Users choose six items of one club, then six of the other; the latest decides."""
    seed_everything(0)
    clubs = torch.arange(40) % 2
    chosen = torch.randint(4, (40, 12)) + 4 * torch.stack([clubs, 1 - clubs], 1).repeat_interleave(
        6, dim=1
    )
    user_idx, item_idx = np.repeat(np.arange(40), 12), chosen.flatten().numpy()
    past, latest = past_items(user_idx, item_idx, n_users=40, length=12, pad=8)
    model = SequenceTower(8, latest, 16)
    fit(model, (past, chosen.flatten()), loss=functional.cross_entropy, n_epochs=40, lr=2e-2)
    best = model.score_users(torch.arange(40)).argmax(dim=1)
    assert (best // 4 == 1 - clubs).float().mean() > 0.9
