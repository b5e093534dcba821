import numpy as np
import pytest
import torch

from nbhelpers.core.recommender import FoldsIn, HasVectors
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import IALS
from nbhelpers.models.feature_als import FeatureIALS, weighted_ridge
from nbhelpers.serving.storage import load_model, save_model

N_USERS, N_ITEMS = 30, 20
SETTINGS = {"unobserved_weight": 0.3, "reg": 0.05, "reg_power": 0.8}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def positives(rng):
    """Random positives of users 0 to 27; users 28 and 29 and item 19 have none."""
    user_idx, item_idx = np.nonzero(rng.random((28, 19)) < np.linspace(0.05, 0.9, 28)[:, None])
    return Interactions(user_idx, item_idx, n_users=N_USERS, n_items=N_ITEMS)


@pytest.fixture
def start():
    return torch.randn(N_ITEMS, 4, generator=seeded(3))


@pytest.fixture
def features():
    """Of items and of users: three and two columns of any numbers."""
    generator = seeded(5)
    return {
        "item_features": torch.randn(N_ITEMS, 3, generator=generator),
        "user_features": torch.randn(N_USERS, 2, generator=generator),
    }


def half_by_loop(matrix, others, means, *, unobserved_weight, reg, reg_power):
    """Each row's factors around its mean, and the damping of the rows, by a dense solve each."""
    solved, damping = [], []
    for row, mean in zip(matrix, means, strict=True):
        pairs = row.sum() + unobserved_weight * len(others)
        own = reg * pairs**reg_power
        left = own * np.eye(others.shape[1])
        right = own * mean
        for weight, other in zip(row, others, strict=True):
            left += (weight + unobserved_weight) * np.outer(other, other)
            right = right + weight * other
        solved.append(np.linalg.solve(left, right))
        damping.append(own)
    return np.array(solved), np.array(damping)


def ridge_by_stacking(features, targets, damping, reg):
    """A weighted ridge as plain least squares: each row times the root of its weight, and one
    more row of a zero target for each feature."""
    root = np.sqrt(damping)[:, None]
    left = np.vstack([root * features, np.sqrt(reg) * np.eye(features.shape[1])])
    right = np.vstack([root * targets, np.zeros((features.shape[1], targets.shape[1]))])
    return np.linalg.lstsq(left, right, rcond=None)[0]


def test_with_zero_features_it_is_ials(positives, start):
    zeros = {
        "item_features": torch.zeros(N_ITEMS, 2),
        "user_features": torch.zeros(N_USERS, 1),
    }
    model = FeatureIALS(4, **zeros, **SETTINGS).fit(positives, item_factors=start)
    plain = IALS(4, **SETTINGS).fit(positives, item_factors=start)
    torch.testing.assert_close(model.item_factors, plain.item_factors)
    torch.testing.assert_close(model.user_factors[:28], plain.user_factors[:28])


@pytest.mark.parametrize("n_cg_steps", [None, 2])
def test_without_features_it_is_ials(n_cg_steps, positives, start):
    model = FeatureIALS(4, n_cg_steps=n_cg_steps).fit(positives, item_factors=start)
    plain = IALS(4, n_cg_steps=n_cg_steps).fit(positives, item_factors=start)
    torch.testing.assert_close(model.item_factors, plain.item_factors)
    torch.testing.assert_close(model.user_factors, plain.user_factors)
    assert model.trained_items.tolist() == plain.trained_items.tolist()


def test_two_sweeps_equal_dense_solves_in_a_loop(positives, start, features):
    model = FeatureIALS(4, n_iterations=2, feature_reg=0.7, **features, **SETTINGS)
    model.fit(positives, item_factors=start)
    matrix = positives.to_scipy().toarray().astype(float)
    of_items = features["item_features"].numpy().astype(float)
    of_users = features["user_features"].numpy().astype(float)
    items = start.numpy().astype(float)
    item_weights, user_weights = np.zeros((3, 4)), np.zeros((2, 4))
    for _ in range(2):
        users, damping = half_by_loop(matrix, items, of_users @ user_weights, **SETTINGS)
        users[28:] = 0
        user_weights = ridge_by_stacking(of_users[:28], users[:28], damping[:28], 0.7)
        items, damping = half_by_loop(matrix.T, users, of_items @ item_weights, **SETTINGS)
        items[19] = 0
        item_weights = ridge_by_stacking(of_items[:19], items[:19], damping[:19], 0.7)
    np.testing.assert_allclose(model.item_weights, item_weights, atol=1e-4)
    np.testing.assert_allclose(model.user_weights, user_weights, atol=1e-4)
    np.testing.assert_allclose(model.item_factors[:19], items[:19], atol=1e-4)
    np.testing.assert_allclose(model.user_factors[:28], users[:28], atol=1e-4)
    np.testing.assert_allclose(model.item_factors[19], of_items[19] @ item_weights, atol=1e-4)
    np.testing.assert_allclose(model.user_factors[28:], of_users[28:] @ user_weights, atol=1e-4)


def test_as_many_conjugate_gradients_as_factors_equal_the_exact_solution(
    positives, start, features
):
    settings = {"n_iterations": 2, "reg": 1.0, **features}  # enough to round little
    exact = FeatureIALS(4, **settings).fit(positives, item_factors=start)
    near = FeatureIALS(4, n_cg_steps=8, **settings).fit(positives, item_factors=start)
    torch.testing.assert_close(near.item_factors, exact.item_factors, rtol=1e-3, atol=1e-4)


def test_a_fit_of_many_sweeps_stands_at_a_minimum(positives, features):
    """Gradient of the loss by autograd, with factors and weights free."""
    model = FeatureIALS(3, n_iterations=800, feature_reg=0.7, generator=seeded(), **features)
    model.fit(positives)
    names = ("user_factors", "item_factors", "user_weights", "item_weights")
    users, items, of_users, of_items = (
        getattr(model, name).double().requires_grad_() for name in names
    )
    dense = torch.from_numpy(positives.to_scipy().toarray()).double()
    scores = users[:28] @ items[:19].T
    loss = (dense[:28, :19] * (1 - scores) ** 2).sum() + 0.2 * (scores**2).sum()
    sides = (
        (users[:28], features["user_features"][:28], of_users, dense.sum(dim=1)[:28], N_ITEMS),
        (items[:19], features["item_features"][:19], of_items, dense.sum(dim=0)[:19], N_USERS),
    )
    for rows, own, weights, counts, n_others in sides:
        residuals = (rows - own.double() @ weights).square().sum(dim=1)
        loss = loss + (0.01 * (counts + 0.2 * n_others) * residuals).sum()
        loss = loss + 0.7 * weights.square().sum()
    loss.backward()
    for each in (users, items, of_users, of_items):
        assert each.grad.abs().max() < 2e-3


def test_rows_without_positives_get_what_their_features_say(positives, features):
    model = FeatureIALS(4, generator=seeded(), **features).fit(positives)
    cold_item, cold_user = features["item_features"][19:], features["user_features"][28:]
    torch.testing.assert_close(model.item_factors[19:], cold_item @ model.item_weights)
    torch.testing.assert_close(model.user_factors[28:], cold_user @ model.user_weights)
    torch.testing.assert_close(model.new_item_vectors(cold_item), model.item_factors[19:])
    torch.testing.assert_close(
        model.score_new_items(torch.tensor([3, 28]), cold_item),
        model.score_users(torch.tensor([3, 28]))[:, 19:],
    )


def test_all_that_has_positives_or_features_can_be_listed(positives):
    genres = torch.zeros(N_ITEMS, 1)
    genres[0] = 1
    model = FeatureIALS(4, item_features=genres, generator=seeded()).fit(positives)
    assert not model.trained_items[19]
    genres = torch.ones(N_ITEMS, 1)
    model = FeatureIALS(4, item_features=genres, generator=seeded()).fit(positives)
    assert model.trained_items.all()
    assert not model.trained_users[28:].any()


def planted(seed, *, n_items=90):
    """Four tastes: users like items by their own taste alone; a feature names each item's taste.
    The last 20 items have no positives."""
    generator = torch.Generator().manual_seed(seed)
    taste = torch.arange(80) % 4
    kind = torch.randint(4, (n_items,), generator=generator)
    chance = 0.05 + 0.4 * (taste.unsqueeze(1) == kind)
    liked = torch.rand(80, n_items, generator=generator) < chance
    liked[:, -20:] = False
    user_idx, item_idx = liked.nonzero(as_tuple=True)
    likes = Interactions(user_idx, item_idx, n_users=80, n_items=n_items)
    return taste, kind, likes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cold_items_of_a_planted_taste_are_ranked_first(seed):
    taste, kind, likes = planted(seed)
    one_hot = torch.nn.functional.one_hot(kind, 4).float()
    model = FeatureIALS(8, item_features=one_hot, generator=seeded(seed)).fit(likes)
    cold = model.score_users(torch.arange(80))[:, -20:]
    own = taste.unsqueeze(1) == kind[-20:]
    worst_own = cold.masked_fill(~own, torch.inf).min(dim=1).values
    best_other = cold.masked_fill(own, -torch.inf).max(dim=1).values
    assert (worst_own > best_other).float().mean() > 0.9  # users who happen to like little


@pytest.mark.parametrize("seed", [0, 1])
def test_permuted_features_find_no_planted_taste(seed):
    taste, kind, likes = planted(seed)
    wrong = kind[torch.randperm(len(kind), generator=seeded(seed))]
    one_hot = torch.nn.functional.one_hot(wrong, 4).float()
    model = FeatureIALS(8, item_features=one_hot, generator=seeded(seed)).fit(likes)
    top = model.score_users(torch.arange(80))[:, -20:].topk(3).indices
    assert (kind[-20:][top] == taste.unsqueeze(1)).float().mean() < 0.5  # by chance about 0.25


def test_a_stronger_penalty_draws_an_item_of_few_positives_nearer_to_its_features(positives):
    genres = torch.ones(N_ITEMS, 1)
    far = []
    for reg in (0.01, 1.0):
        model = FeatureIALS(4, item_features=genres, reg=reg, generator=seeded()).fit(positives)
        residual = model.item_factors[:19] - genres[:19] @ model.item_weights
        far.append((residual.norm() / model.item_factors[:19].norm()).item())
    assert far[1] < 0.5 * far[0]


def test_folding_in_by_features_equals_dense_solves(positives, start, features):
    model = FeatureIALS(4, **features, **SETTINGS).fit(positives, item_factors=start)
    folded = model.fold_in(positives, user_features=features["user_features"])
    means = (features["user_features"] @ model.user_weights).numpy().astype(float)
    matrix = positives.to_scipy().toarray().astype(float)
    users, _ = half_by_loop(matrix, model.item_factors.numpy().astype(float), means, **SETTINGS)
    np.testing.assert_allclose(folded.user_factors[:28], users[:28], atol=1e-4)
    np.testing.assert_allclose(folded.user_factors[28:], means[28:], atol=1e-6)


def test_folding_in_without_features_is_that_of_ials(positives, start, features):
    model = FeatureIALS(4, **features, **SETTINGS).fit(positives, item_factors=start)
    plain = IALS(4, **SETTINGS).fit(positives, item_factors=start)
    plain.load_state_dict({name: model.state_dict()[name] for name in model.state_dict()
                           if name.split(".")[0] in plain.learned})  # fmt: skip
    torch.testing.assert_close(
        model.fold_in(positives).user_factors, plain.fold_in(positives).user_factors
    )


def test_the_seed_decides(positives, features):
    first, again, other = (
        FeatureIALS(4, generator=seeded(seed), **features).fit(positives).item_factors
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_second_fit_forgets_the_first(positives, start, features):
    model = FeatureIALS(4, **features)
    first = model.fit(positives, item_factors=start).item_factors.clone()
    torch.testing.assert_close(model.fit(positives, item_factors=start).item_factors, first)


def test_models_say_what_they_can_by_their_type(positives, features):
    model = FeatureIALS(4, **features).fit(positives)
    assert isinstance(model, FoldsIn)
    assert isinstance(model, HasVectors)


def test_a_stored_model_scores_new_items(positives, features, tmp_path):
    model = FeatureIALS(4, generator=seeded(), **features).fit(positives)
    save_model(tmp_path, model, users=Vocabulary(range(N_USERS)), items=Vocabulary(range(N_ITEMS)))
    loaded = load_model(tmp_path).model
    new = torch.randn(2, 3, generator=seeded(9))
    users = torch.arange(N_USERS)
    torch.testing.assert_close(
        loaded.score_new_items(users, new), model.score_new_items(users, new)
    )
    assert torch.equal(loaded.item_features, features["item_features"])


def test_weighted_ridge_equals_stacked_least_squares():
    generator = seeded(2)
    features, targets = (torch.randn(12, n, generator=generator) for n in (3, 2))
    weights = torch.rand(12, generator=generator) + 0.1
    expected = ridge_by_stacking(features.numpy(), targets.numpy(), weights.numpy(), 0.4)
    answer = weighted_ridge(features, targets, weights=weights, reg=0.4)
    np.testing.assert_allclose(answer, expected, atol=1e-5)


@pytest.mark.parametrize("side", ["item", "user"])
def test_features_of_other_rows_are_refused(side, positives):
    model = FeatureIALS(4, **{f"{side}_features": torch.ones(7, 2)})
    with pytest.raises(ValueError, match=f"{side}_features must have one row for each of the"):
        model.fit(positives)


@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan])
def test_feature_reg_not_above_zero_is_refused(value):
    with pytest.raises(ValueError, match="feature_reg must be above 0"):
        FeatureIALS(4, feature_reg=value)


def test_new_items_with_other_columns_are_refused(positives, features):
    model = FeatureIALS(4, **features).fit(positives)
    with pytest.raises(ValueError, match=r"item features must have the shape \(batch, 3\)"):
        model.new_item_vectors(torch.ones(1, 2))


def test_features_of_another_number_of_users_are_refused(positives, features):
    model = FeatureIALS(4, **features).fit(positives)
    with pytest.raises(ValueError, match="a row for each of 30 users, got 5"):
        model.fold_in(positives, user_features=features["user_features"][:5])
