"""New users against brute force: least squares written out, and what training itself would say."""

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.metric_learning import MetricLearning
from nbhelpers.models.ncf import MLP
from nbhelpers.models.two_tower import TwoTower
from nbhelpers.serving.fold_in import fold_in_user, fold_in_users
from nbhelpers.serving.ridge import Ridge

N_USERS, N_ITEMS = 12, 9
EVERYBODY = torch.arange(N_USERS)
ITEMS = Vocabulary(range(100, 100 + N_ITEMS))
TITLES = pd.DataFrame({"item_id": ITEMS.ids[::-1], "title": list("IHGFEDCBA")})


def likes(*rows, n_items=N_ITEMS):
    pairs = [(user, item) for user, row in enumerate(rows) for item in row]
    user_idx, item_idx = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Interactions(user_idx, item_idx, n_users=len(rows), n_items=n_items)


def training(seed=0):
    drawn = np.random.default_rng(seed).random((N_USERS, N_ITEMS)) < 0.4
    drawn[:, 0] = True  # nobody is cold
    return Interactions(*np.nonzero(drawn), n_users=N_USERS, n_items=N_ITEMS)


def generator():
    return torch.Generator().manual_seed(0)


def drawn(model, seed=0):
    """A module with weights far from zero, as after training."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.7)
    return model


def factorization(**settings):
    return drawn(MatrixFactorization(N_USERS, N_ITEMS, 3, **settings))


@pytest.mark.parametrize(
    "model", [EASE(reg=2.0), ItemKNN(n_neighbors=3, shrinkage=1.0)], ids=["ease", "knn"]
)
def test_models_of_items_alone_score_new_users_as_users_of_training(model):
    train = training()
    model.fit(train)
    folded = fold_in_users(model, train)
    torch.testing.assert_close(folded.score_users(EVERYBODY), model.score_users(EVERYBODY))


def test_ease_adds_up_the_rows_of_the_positives():
    model = EASE(reg=2.0).fit(training())
    weights = model.item_weights
    expected = [sum(float(weights[i, j]) for i in (1, 4)) for j in range(N_ITEMS)]
    got = fold_in_users(model, likes([1, 4])).score_users(torch.tensor([0]))[0]
    assert got.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "model",
    [ALS(3, alpha=2.0, reg=0.5, generator=generator()), IALS(3, generator=generator())],
    ids=["als", "ials"],
)
def test_als_models_solve_new_users_themselves(model):
    train = training()
    model.fit(train)
    new = likes([1, 4], [2, 3, 8])
    expected = model.fold_in(new).user_factors @ model.item_factors.T
    got = fold_in_users(model, new).score_users(torch.tensor([0, 1]))
    torch.testing.assert_close(got, expected)


def test_als_minimizes_the_weighted_squares_over_all_pairs():
    model = ALS(3, alpha=2.0, reg=0.5, generator=generator()).fit(training())
    items = model.item_factors.double().numpy()
    confidence = np.ones(N_ITEMS)
    confidence[[1, 4]] = 3.0
    rows = np.vstack([np.sqrt(confidence)[:, None] * items, np.sqrt(0.5) * np.eye(3)])
    wanted = np.zeros(N_ITEMS + 3)
    wanted[[1, 4]] = np.sqrt(3.0)
    vector = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    got = fold_in_users(model, likes([1, 4])).score_users(torch.tensor([0]))[0]
    np.testing.assert_allclose(got.numpy(), items @ vector, atol=1e-5)


def least_squares_scores(model, own, ridge):
    """Mean user's scores and the step that the docstring of Ridge writes as a sum of squares."""
    users = model.user_factors.weight.detach().double().numpy()
    items = model.item_factors.weight.detach().double().numpy()
    bias = model.item_bias.weight.detach().double().numpy()[:, 0]
    weight, n_factors = np.sqrt(ridge.unobserved_weight), items.shape[1]
    rows = np.vstack([items[own], weight * items, np.sqrt(ridge.reg) * np.eye(n_factors)])
    wanted = np.zeros(len(rows))
    wanted[: len(own)] = ridge.lift
    step = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return items @ (users.mean(axis=0) + step) + bias


@pytest.mark.parametrize("ridge", [Ridge(), Ridge(1.0, 0.1, 0.3), Ridge(lift=2, reg=5)])
def test_ridge_solves_its_sum_of_squares(ridge):
    model = factorization()
    got = fold_in_users(model, likes([7], [1, 4, 6]), ridge=ridge)
    scores = got.score_users(torch.tensor([0, 1])).numpy()
    np.testing.assert_allclose(scores[0], least_squares_scores(model, [7], ridge), atol=1e-5)
    np.testing.assert_allclose(scores[1], least_squares_scores(model, [1, 4, 6], ridge), atol=1e-5)


def test_with_little_damping_positives_rise_by_the_lift():
    model = factorization()
    mean = model.score_users(EVERYBODY).mean(dim=0)
    folded = fold_in_users(model, likes([1, 4]), ridge=Ridge(lift=2.0, reg=1e-9))
    rise = folded.score_users(torch.tensor([0]))[0] - mean
    assert rise[[1, 4]].tolist() == pytest.approx([2.0, 2.0], abs=1e-4)


def test_the_weight_of_unobserved_items_keeps_the_others_where_they_were():
    model = factorization()
    mean = model.score_users(EVERYBODY).mean(dim=0)
    moved = []
    for weight in (0.0, 1.0, 100.0):
        folded = fold_in_users(model, likes([1]), ridge=Ridge(3.0, 0.1, weight))
        step = folded.score_users(torch.tensor([0]))[0] - mean
        moved.append(step.abs().mean().item())
    assert moved[0] > moved[1] > moved[2]


def test_a_new_user_without_positives_is_the_mean_user():
    model = factorization()
    scores = fold_in_users(model, likes([], [2])).score_users(torch.tensor([0]))
    torch.testing.assert_close(scores[0], model.score_users(EVERYBODY).mean(dim=0))


def test_a_new_user_of_als_without_positives_is_the_mean_user():
    model = ALS(3, generator=generator()).fit(training())
    scores = fold_in_users(model, likes([2], [])).score_users(torch.tensor([1]))
    torch.testing.assert_close(scores[0], model.score_users(EVERYBODY).mean(dim=0))


def test_a_range_of_scores_bounds_new_users_too_and_ranks_alike():
    plain, bounded = factorization(), factorization(y_range=(0, 5))
    one = torch.tensor([0])
    free = fold_in_users(plain, likes([1, 4])).score_users(one)
    scores = fold_in_users(bounded, likes([1, 4])).score_users(one)
    torch.testing.assert_close(scores, 5 * torch.sigmoid(free))


def test_metric_learning_moves_the_point_and_leaves_the_lengths():
    model = drawn(MetricLearning(N_USERS, N_ITEMS, 3))
    folded = fold_in_users(model, likes([1, 4]))
    mean = model.user_vectors(EVERYBODY).mean(dim=0)
    moved = folded.user_factors[0] != mean
    assert moved.tolist() == [True, True, True, False, False]


def test_two_towers_start_from_the_mean_user():
    model = drawn(TwoTower(N_USERS, N_ITEMS, 3, n_hidden=(4,)))
    folded = fold_in_users(model, likes([]))
    mean = model.score_users(EVERYBODY).mean(dim=0)
    torch.testing.assert_close(folded.score_users(torch.tensor([0]))[0], mean)


def clubs():
    """Even users have the even items, odd users the odd ones."""
    pairs = [(user, item) for user in range(8) for item in range(8) if (user + item) % 2 == 0]
    return Interactions(*np.array(pairs).T, n_users=8, n_items=8)


def club_factorization():
    model = MatrixFactorization(8, 8, 2)
    signs = torch.tensor([1.0, -1.0]).repeat(4)
    table = torch.stack([signs, torch.ones(8)], dim=1)
    with torch.no_grad():
        model.user_factors.weight.copy_(table)
        model.item_factors.weight.copy_(table)
    return model


@pytest.mark.parametrize(
    "model",
    [
        EASE(reg=1.0).fit(clubs()),
        ItemKNN().fit(clubs()),
        ALS(4, reg=0.1, generator=generator()).fit(clubs()),
        IALS(4, generator=generator()).fit(clubs()),
        club_factorization(),
    ],
    ids=["ease", "knn", "als", "ials", "ridge"],
)
@pytest.mark.parametrize("liked", [[0], [3], [2, 6], [1, 5]])
def test_a_new_user_gets_the_rest_of_their_club(model, liked):
    frame = fold_in_user(model, liked, items=Vocabulary(range(8)), k=4 - len(liked))
    club = set(range(liked[0] % 2, 8, 2))
    assert set(frame["item_id"]) == club - set(liked)


def test_a_list_has_titles_and_leaves_out_what_the_new_user_has():
    items = Interactions([0], [0], users=Vocabulary([1]), items=ITEMS, item_metadata=TITLES)
    frame = fold_in_user(factorization(), [101, 104], items=items, k=99)
    assert list(frame.columns) == ["rank", "item_id", "title", "score"]
    assert set(frame["item_id"]) == set(ITEMS.ids) - {101, 104}
    assert (frame["title"] == [chr(ord("A") + item - 100) for item in frame["item_id"]]).all()
    assert frame["score"].is_monotonic_decreasing


def test_a_list_holds_the_scores_of_the_folded_model():
    model = factorization()
    frame = fold_in_user(model, [104, 101], items=ITEMS, ridge=Ridge(1.0))
    folded = fold_in_users(model, likes([1, 4]), ridge=Ridge(1.0))
    scores = folded.score_users(torch.tensor([0]))[0]
    expected = [float(scores[item - 100]) for item in frame["item_id"]]
    assert frame["score"].tolist() == pytest.approx(expected)


def test_a_new_user_who_likes_nothing_yet_gets_the_list_of_the_mean_user():
    model = factorization()
    best = int(model.score_users(EVERYBODY).mean(dim=0).argmax())
    assert fold_in_user(model, [], items=ITEMS, k=1)["item_id"].tolist() == [100 + best]


def test_the_model_keeps_its_weights_and_its_mode():
    model = factorization(dropout=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = fold_in_users(model, likes([1, 4])).score_users(torch.tensor([0]))
    second = fold_in_users(model, likes([1, 4])).score_users(torch.tensor([0]))
    torch.testing.assert_close(first, second)  # no dropout
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not first.requires_grad


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (EASE(), "EASE is not fitted: call fit first"),
        (MLP(N_USERS, N_ITEMS, 3), "MLP cannot fold in new users"),
        (DotProductBias(N_USERS, N_ITEMS, 3), "DotProductBias cannot fold in new users"),
    ],
    ids=["unfitted", "mlp", "ratings"],
)
def test_other_models_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        fold_in_users(model, likes([1]))


def test_a_model_whose_vectors_do_not_make_its_scores_is_refused():
    class Cubed(MatrixFactorization):
        def score_users(self, user_idx):
            return super().score_users(user_idx) ** 3

    with pytest.raises(ValueError, match="Cubed are not the products"):
        fold_in_users(drawn(Cubed(N_USERS, N_ITEMS, 3)), likes([1]))


@pytest.mark.parametrize(
    "model",
    [EASE().fit(training()), ALS(3).fit(training()), factorization()],
    ids=["ease", "als", "ridge"],
)
@pytest.mark.parametrize("n_items", [N_ITEMS - 2, N_ITEMS + 1])
def test_likes_of_another_catalog_are_refused(model, n_items):
    with pytest.raises(ValueError, match=r"items|score_users must give"):
        fold_in_users(model, likes([1], n_items=n_items))


@pytest.mark.parametrize("model", [EASE(), ItemKNN()], ids=["ease", "item_knn"])
def test_models_of_items_alone_give_a_new_user_without_positives_the_popular_items(model):
    known = training()
    folded = fold_in_users(model.fit(known), likes([1], []))
    users_of = known.dense(torch.arange(known.n_users)).sum(dim=0)
    assert folded.score_users(torch.tensor([0, 1]))[1].tolist() == users_of.tolist()
    assert folded.score_users(torch.tensor([0]))[0].tolist() != users_of.tolist()


@pytest.mark.parametrize("ridge", [Ridge(lift=0), Ridge(reg=0), Ridge(unobserved_weight=-1)])
def test_a_ridge_out_of_range_is_refused(ridge):
    with pytest.raises(ValueError, match="lift and reg must be above 0"):
        fold_in_users(factorization(), likes([1]), ridge=ridge)


@pytest.mark.parametrize(
    ("item_ids", "error", "message"),
    [
        ([101, 101], ValueError, "got 101 again"),
        ([101, 999], KeyError, "999"),
        (101, ValueError, "a list of item ids is required, got 101"),
    ],
)
def test_wrong_item_ids_are_named(item_ids, error, message):
    with pytest.raises(error, match=message):
        fold_in_user(factorization(), item_ids, items=ITEMS)


def test_popularity_gives_new_users_what_it_gives_everybody():
    model = Popularity().fit(training())
    folded = fold_in_users(model, likes([1], []))
    expected = model.score_users(torch.tensor([0, 1]))
    torch.testing.assert_close(folded.score_users(torch.tensor([0, 1])), expected)


@pytest.mark.parametrize("model", [EASE(), ALS(3)], ids=["ease", "als"])
def test_a_ridge_for_a_model_that_folds_in_itself_is_refused(model):
    with pytest.raises(ValueError, match="folds in new users itself: leave ridge out"):
        fold_in_users(model.fit(training()), likes([1]), ridge=Ridge())


def test_any_model_with_fold_in_is_asked_for_it():
    class Folding:
        def score_users(self, user_idx):
            raise NotImplementedError

        def fold_in(self, interactions):
            return interactions.n_users, "users taken in"

    assert fold_in_users(Folding(), likes([1], [2])) == (2, "users taken in")


def test_a_model_with_vectors_that_knows_its_ids_refuses_other_items():
    model = factorization()
    model.user_fingerprint, model.item_fingerprint = None, ITEMS.fingerprint
    assert len(fold_in_user(model, [101], items=ITEMS, k=1)) == 1
    with pytest.raises(ValueError, match="was trained on other item ids"):
        fold_in_user(model, [201], items=Vocabulary(range(200, 200 + N_ITEMS)))


def test_any_model_with_vectors_and_sizes_goes_by_the_ridge():
    class Vectors:
        n_users, n_items = 2, 3
        users, items = torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [2.0], [0.0]])
        trained_users, trained_items = (
            torch.tensor([False, True]),
            torch.tensor([True, True, False]),
        )

        def score_users(self, user_idx):
            return self.users[user_idx] @ self.items.T

        def user_vectors(self, user_idx):
            return self.users[user_idx]

        def item_vectors(self, item_idx):
            return self.items[item_idx]

    folded = fold_in_users(Vectors(), likes([], n_items=3))
    assert folded.score_users(torch.tensor([0])).tolist() == [[3.0, 6.0, 0.0]], "of user 1 alone"
    assert folded.trained_items.tolist() == [True, True, False]


@pytest.mark.parametrize(
    "model", [EASE(reg=1.0), ItemKNN(), ALS(3, generator=generator())], ids=["ease", "knn", "als"]
)
def test_items_that_nobody_had_in_training_are_not_listed(model):
    train = Interactions([0, 0, 1, 2], [0, 1, 0, 1], n_users=3, n_items=4)
    frame = fold_in_user(model.fit(train), [10], items=Vocabulary([10, 11, 12, 13]))
    assert frame["item_id"].tolist() == [11]


@pytest.mark.parametrize("model", [EASE(), ALS(3)], ids=["ease", "als"])
def test_other_items_of_the_same_number_are_refused(model):
    pairs = pd.DataFrame({"user_id": [1, 2], "item_id": [100, 101]})
    train = Interactions.from_frame(pairs, users=Vocabulary([1, 2]), items=ITEMS)
    other = Vocabulary(range(200, 200 + N_ITEMS))
    with pytest.raises(ValueError, match="was trained on other item ids"):
        fold_in_user(model.fit(train), [200], items=other)
