import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.app.dial import Turned, price_of_dial, turned
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.baselines import Popularity

SCORES = torch.tensor([[3.0, 1.0, 2.0]], dtype=torch.float64)
COUNTS = torch.tensor([99, 0, 9])


def test_turned_is_the_difference_of_standard_scores():
    level = (SCORES[0].numpy() - 2) / np.std([3, 1, 2])
    known = np.log1p([99, 0, 9])
    known = (known - known.mean()) / known.std()
    expected = level - 0.7 * known
    np.testing.assert_allclose(turned(SCORES, COUNTS, 0.7)[0], expected, rtol=1e-12)


def test_a_strength_of_zero_keeps_the_order():
    assert turned(SCORES, COUNTS, 0).argsort().tolist() == SCORES.argsort().tolist()


def test_equal_scores_are_ordered_by_popularity_alone():
    order = turned(torch.ones(1, 3), COUNTS, 1.0)[0].argsort(descending=True)
    assert order.tolist() == [1, 2, 0]


@pytest.mark.parametrize("strength", [-0.1, np.inf, np.nan])
def test_a_strength_off_the_dial_is_refused(strength):
    with pytest.raises(ValueError, match="at least 0 and finite"):
        turned(SCORES, COUNTS, strength)


def test_the_price_falls_for_popularity_whose_whole_worth_the_dial_takes():
    rng = np.random.default_rng(0)
    chance = 1 / np.arange(1, 61)
    chosen = np.array(
        [rng.choice(60, 12, replace=False, p=chance / chance.sum()) for _ in range(80)]
    )
    users = np.repeat(np.arange(80), 8), np.repeat(np.arange(80), 4)
    train = Interactions(users[0], chosen[:, :8].ravel(), n_users=80, n_items=60)
    test = Interactions(users[1], chosen[:, 8:].ravel(), n_users=80, n_items=60)
    price = price_of_dial(Popularity().fit(train), test, seen=train, stops=(0.0, 2.0))
    assert price.columns.tolist() == ["strength", "ndcg", "kept", "head"]
    assert price["kept"].iloc[0] == 1
    assert price["kept"].iloc[1] < 0.7
    assert price["head"].iloc[1] < price["head"].iloc[0]
    assert isinstance(price, pd.DataFrame)


def test_turned_model_scores_users_like_the_function():
    train = Interactions([0, 1, 1], [0, 0, 2], n_items=3)
    model = Turned(Popularity().fit(train), train.item_counts, 0.5)
    scores = Popularity().fit(train).score_users(torch.tensor([0]))
    assert torch.equal(
        model.score_users(torch.tensor([0])),
        turned(scores, torch.tensor([2, 0, 1]), 0.5),
    )
