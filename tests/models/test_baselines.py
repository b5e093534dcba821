import numpy as np
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.baselines import BiasOnly, GlobalMean, Popularity

USER, ITEM = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 0, 1, 2])
RATING = torch.tensor([5.0, 3.0, 4.0, 2.0, 1.0])


def test_global_mean_is_the_mean():
    model = GlobalMean(2, 4).fit(USER, ITEM, RATING)
    assert model(torch.tensor([1]), torch.tensor([3])).tolist() == [3.0]
    assert model.score_users(torch.tensor([0, 1])).tolist() == [[3.0] * 4] * 2, "the last item too"


@pytest.mark.parametrize("kind", [GlobalMean, BiasOnly])
@pytest.mark.parametrize(("sizes", "name"), [((1, 3), "user_idx"), ((2, 2), "item_idx")])
def test_rows_outside_the_tables_are_refused(kind, sizes, name):
    with pytest.raises(ValueError, match=f"{name} must lie between 0 and"):
        kind(*sizes).fit(USER, ITEM, RATING)


@pytest.mark.parametrize("kind", [GlobalMean, BiasOnly])
def test_who_and_what_was_rated_is_remembered(kind):
    model = kind(3, 4).fit(USER, ITEM, RATING)
    assert model.trained_users.tolist() == [True, True, False]
    assert model.trained_items.tolist() == [True, True, True, False]


def test_one_sweep_by_hand():
    model = BiasOnly(3, 4, user_reg=1, item_reg=1, n_sweeps=1).fit(USER, ITEM, RATING)
    # mean 3; item sums above it: 2+1, 0-1, -2 over (n + 1): 1, -1/3, -1
    np.testing.assert_allclose(model.item_bias, [1, -1 / 3, -1, 0])
    # user 0: (2-1) + (0+1/3) = 4/3 over 3; user 1: (1-1) + (-1+1/3) + (-2+1) = -5/3 over 4
    np.testing.assert_allclose(model.user_bias, [4 / 9, -5 / 12, 0])


def test_many_sweeps_solve_the_ridge_problem():
    model = BiasOnly(2, 3, user_reg=2, item_reg=3, n_sweeps=200).fit(USER, ITEM, RATING)
    design = np.zeros((5, 5))
    design[np.arange(5), USER.numpy()] = 1
    design[np.arange(5), 2 + ITEM.numpy()] = 1
    penalty = np.diag([2.0, 2, 3, 3, 3])
    solution = np.linalg.solve(design.T @ design + penalty, design.T @ (RATING.numpy() - 3.0))
    np.testing.assert_allclose(np.r_[model.user_bias, model.item_bias], solution, atol=1e-9)


def test_unknown_rows_predict_the_mean():
    model = BiasOnly(3, 4).fit(USER, ITEM, RATING)
    assert model(torch.tensor([2]), torch.tensor([3])).item() == pytest.approx(3.0)


def test_score_users_agrees_with_pairs():
    model = BiasOnly(3, 4).fit(USER, ITEM, RATING)
    scores = model.score_users(torch.tensor([1, 2]))
    pairs = model(torch.tensor([1] * 4 + [2] * 4), torch.arange(4).repeat(2))
    torch.testing.assert_close(scores.flatten(), pairs)


@pytest.mark.parametrize("model", [GlobalMean(1, 1), BiasOnly(1, 1)])
def test_no_ratings_are_refused(model):
    empty = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="at least one rating is needed"):
        model.fit(empty, empty, torch.zeros(0))


def test_negative_damping_is_refused():
    with pytest.raises(ValueError, match="reg must not be negative, got -1"):
        BiasOnly(1, 1, user_reg=-1)


def test_popularity_counts_users_and_is_the_same_for_everybody():
    interactions = Interactions([0, 0, 1, 2], [2, 0, 2, 2], n_users=4, n_items=4)
    model = Popularity().fit(interactions)
    assert model.score_users(torch.tensor([3, 0])).tolist() == [[1, 0, 3, 0]] * 2
    assert model.trained_users.tolist() == [True, True, True, False]
    assert model.trained_items.tolist() == [True, False, True, False]


def test_popularity_without_positives_is_refused():
    empty = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="at least one positive is needed, got none"):
        Popularity().fit(Interactions(empty, empty, n_users=2, n_items=2))
