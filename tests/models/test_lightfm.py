"""Sums of the factors of features."""

import pytest
import torch

from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.serving.storage import load_model, save_model
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import logistic_loss

USER_FEATURES = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
ITEM_FEATURES = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0.5, 0]])
BOTH = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES}
CASES = {
    "ids alone": {},
    "item side": {"item_features": ITEM_FEATURES},
    "user side": {"user_features": USER_FEATURES},
    "both sides": BOTH,
    "features alone": BOTH | {"ids": ()},
    "items by features": BOTH | {"ids": ("user",)},
}
by_case = pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
EVERYONE = torch.arange(3)
ALL = EVERYONE.repeat_interleave(4), torch.arange(4).repeat(3)


def drawn(**settings):
    """Three users, four items, five factors, all weights far from 0; in evaluation mode."""
    model = LightFM(3, 4, 5, **settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(generator=generator)
    return model.eval()


def summed(side, row, tables):
    """Sum of the vectors of a row's features, one after another; the id counts as one."""
    ids, features = tables
    total = 0 if ids is None else ids.weight[row]
    if features is not None:
        for number, vector in zip(side.features[row], features.weight, strict=True):
            total = total + number * vector
    return total


def score_by_loop(model, user, item):
    sides = [(model.user_side, user), (model.item_side, item)]
    user_factors, item_factors = (
        summed(side, row, (side.id_factors, side.feature_factors)) for side, row in sides
    )
    biases = [summed(side, row, (side.id_bias, side.feature_bias)) for side, row in sides]
    return (user_factors * item_factors).sum() + sum(biases).sum()


@by_case
def test_score_is_the_sum_over_features_one_by_one(settings):
    model = drawn(**settings)
    expected = torch.stack([score_by_loop(model, *pair) for pair in zip(*ALL, strict=True)])
    torch.testing.assert_close(model(*ALL), expected)
    torch.testing.assert_close(model.score_users(EVERYONE).flatten(), expected)


def test_score_by_hand():
    """Item 1 has features 1 and 2: factors (10 + 2 + 3), bias 0.5 + 0.25."""
    model = LightFM(1, 2, 1, item_features=torch.tensor([[1.0, 0, 0], [0, 1, 1]]))
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.user_side.id_factors.weight.fill_(2)
        model.item_side.id_factors.weight[1] = 10
        model.item_side.feature_factors.weight.copy_(torch.tensor([[1.0], [2.0], [3.0]]))
        model.item_side.feature_bias.weight.copy_(torch.tensor([[0.0], [0.5], [0.25]]))
    assert model.score_users(torch.tensor([0])).tolist() == [[2.0, 30.75]]


def test_without_features_it_is_a_matrix_factorization():
    model, plain = drawn(), MatrixFactorization(3, 4, 5)
    with torch.no_grad():
        model.user_side.id_bias.weight.zero_()
        plain.user_factors.weight.copy_(model.user_side.id_factors.weight)
        plain.item_factors.weight.copy_(model.item_side.id_factors.weight)
        plain.item_bias.weight.copy_(model.item_side.id_bias.weight)
    torch.testing.assert_close(model(*ALL), plain(*ALL))


def test_without_ids_rows_of_equal_features_score_alike():
    model = drawn(item_features=torch.tensor([[1.0], [0], [1], [1]]), ids=("user",))
    scores = model.score_users(EVERYONE)
    torch.testing.assert_close(scores[:, 0], scores[:, 2])
    assert not torch.isclose(scores[:, 0], scores[:, 1]).any()


@by_case
def test_loss_reaches_every_parameter(settings):
    model = drawn(**settings)
    batch = torch.tensor([0, 2]), torch.tensor([1, 3]), torch.tensor([[0], [2]])
    pair_loss(model, batch, logistic_loss).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


def test_new_rows_score_as_known_ones_whose_ids_are_forgotten():
    model = drawn(**BOTH)
    bare = model.without_ids(users=torch.tensor([1]), items=torch.tensor([3, 0]))
    expected = bare.score_users(EVERYONE)
    torch.testing.assert_close(model.score_new_users(USER_FEATURES[[1]])[0, 1:3], expected[1, 1:3])
    items = model.score_new_items(torch.tensor([0, 2]), ITEM_FEATURES[[3, 0]])
    torch.testing.assert_close(items, expected[[0, 2]][:, [3, 0]])
    both = model.new_user_vectors(USER_FEATURES[[1]]) @ model.new_item_vectors(ITEM_FEATURES[[3]]).T
    torch.testing.assert_close(both[0, 0], expected[1, 3])


def test_ids_are_forgotten_in_a_copy():
    model = drawn(**BOTH)
    before = model.score_users(EVERYONE)
    bare = model.without_ids(items=torch.tensor([2]))
    assert torch.equal(model.score_users(EVERYONE), before)
    changed = (bare.score_users(EVERYONE) != before).any(dim=0)
    assert changed.tolist() == [False, False, True, False]


def test_a_new_row_without_any_feature_is_scored_by_the_other_sides_bias():
    model = drawn(item_features=ITEM_FEATURES)
    score = model.score_new_items(EVERYONE, torch.zeros(1, 3))
    torch.testing.assert_close(score, model.user_side.id_bias.weight)


def test_hidden_ids_leave_the_features_in_training():
    model = drawn(**BOTH, id_dropout=0.5)
    bare = model.without_ids(users=EVERYONE, items=torch.arange(4))
    torch.manual_seed(0)
    model.train()
    vectors = model.item_vectors(torch.full((10_000,), 3))
    hidden = torch.isclose(vectors, bare.item_vectors(torch.tensor([3]))).all(dim=1)
    whole = torch.isclose(vectors, model.eval().item_vectors(torch.tensor([3]))).all(dim=1)
    assert (hidden | whole).all()
    assert abs(hidden.sum().item() - 5000) < 300


def test_ids_and_factors_are_never_hidden_in_evaluation():
    model, plain = drawn(**BOTH, id_dropout=0.9, dropout=0.9), drawn(**BOTH)
    assert torch.equal(model(*ALL), plain(*ALL))
    assert torch.equal(model.score_users(EVERYONE), plain.score_users(EVERYONE))


def ones():
    """Every factor is 1 and every bias 3; half of the factors are hidden."""
    model = LightFM(3, 4, 10_000, dropout=0.5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(3 if "bias" in name else 1)
    return model


def test_dropout_hides_its_share_of_both_sides_of_pairs_and_spares_the_biases():
    """Two survivors, each doubled, make 4, and a quarter survive on both sides."""
    torch.manual_seed(0)
    score = ones()(torch.tensor([0]), torch.tensor([0])).item()
    assert score % 4 == 6 % 4
    assert abs((score - 6) / 4 - 2500) < 250


def test_scores_of_users_in_training_hide_factors_of_the_users_alone():
    torch.manual_seed(0)
    scores = ones().score_users(torch.tensor([0]))[0]
    assert scores.unique().numel() == 1
    assert abs((scores[0].item() - 6) / 2 - 5000) < 300


@by_case
def test_stored_models_come_back_with_their_features(settings, tmp_path):
    model = drawn(**settings)
    ids = {"users": Vocabulary(range(3)), "items": Vocabulary(range(4))}
    save_model(tmp_path, model, **ids)
    loaded = load_model(tmp_path).model
    assert torch.equal(loaded.item_side.features, model.item_side.features)
    assert torch.equal(loaded.score_users(EVERYONE), model.score_users(EVERYONE))


def test_features_given_are_copied():
    table = ITEM_FEATURES.clone()
    model = drawn(item_features=table)
    before = model(*ALL)
    table += 1
    assert torch.equal(model(*ALL), before)


def test_flags_of_any_type_will_do():
    flags = ITEM_FEATURES > 0.7
    model, other = drawn(item_features=flags), drawn(item_features=flags.float())
    assert torch.equal(model(*ALL), other(*ALL))
    new = model.score_new_items(EVERYONE, flags)
    assert torch.equal(new, other.score_new_items(EVERYONE, flags.float()))


def test_scores_of_nobody_are_an_empty_table():
    assert drawn(**BOTH).score_users(torch.tensor([], dtype=torch.int64)).shape == (0, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ids": ("user",)}, "a side needs ids, features or both"),
        ({"ids": ("film",)}, "ids must be a sequence from"),
        ({"ids": "user"}, "ids must be a sequence from"),
        (
            {"item_features": ITEM_FEATURES[:3]},
            r"each of the 4 indices .* got shape \(3, 3\): align",
        ),
        ({"item_features": torch.zeros(4, 0)}, r"at least one column, got shape \(4, 0\)"),
        ({"item_features": torch.full((4, 1), torch.nan)}, "must be finite"),
        ({"id_dropout": 1.0}, "id_dropout must be at least 0 and below 1"),
        ({"dropout": 1.0}, "^dropout must be at least 0 and below 1, got 1.0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LightFM(3, 4, 5, **settings)


def test_new_rows_need_the_columns_of_the_old():
    with pytest.raises(ValueError, match=r"shape \(batch, 3\), got \(1, 2\)"):
        drawn(**BOTH).score_new_items(EVERYONE, torch.zeros(1, 2))
