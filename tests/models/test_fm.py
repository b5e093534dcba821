"""Factorization machines against all pairs of features, one by one."""

from itertools import combinations

import pytest
import torch

from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models import fm
from nbhelpers.models.fm import DeepFM, FactorizationMachine, pair_products
from nbhelpers.models.lightfm import LightFM
from nbhelpers.serving.storage import load_model, save_model
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import logistic_loss

USER_FEATURES = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
ITEM_FEATURES = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0.5, 0]])
BOTH = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES}
FIELDS = {"item_fields": (2, 1), "user_fields": (1, 1)}
CASES = {
    "machine, ids alone": (FactorizationMachine, {}),
    "machine, both sides": (FactorizationMachine, BOTH),
    "machine, features alone": (FactorizationMachine, BOTH | {"ids": ()}),
    "deep, ids alone": (DeepFM, {}),
    "deep, item side": (DeepFM, {"item_features": ITEM_FEATURES}),
    "deep, both sides": (DeepFM, BOTH),
    "deep, fields": (DeepFM, BOTH | FIELDS),
    "deep, features alone": (DeepFM, BOTH | FIELDS | {"ids": ()}),
    "deep, no hidden layer": (DeepFM, BOTH | {"n_hidden": ()}),
}
by_case = pytest.mark.parametrize(("kind", "settings"), CASES.values(), ids=CASES.keys())
EVERYONE = torch.arange(3)
ALL = EVERYONE.repeat_interleave(4), torch.arange(4).repeat(3)


def drawn(kind, **settings):
    """Three users, four items, five factors, all weights far from 0; in evaluation mode."""
    model = kind(3, 4, 5, **settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model.eval()


def present(side, row):
    """(number, vector, bias) of every feature of a row that is not 0, the id first."""
    found = []
    if side.id_factors is not None:
        found.append((1.0, side.id_factors.weight[row], side.id_bias.weight[row]))
    if side.feature_factors is not None:
        tables = side.feature_factors.weight, side.feature_bias.weight
        found += [x for x in zip(side.features[row].tolist(), *tables, strict=True) if x[0]]
    return found


def machine_by_pairs(model, user, item):
    """Rendle's eq. 1 as it stands: every bias, and the dot product of every pair."""
    features = present(model.user_side, user) + present(model.item_side, item)
    score = model.global_bias + sum(number * bias for number, _, bias in features)
    for (x, v, _), (y, w, _) in combinations(features, 2):
        score = score + x * y * (v @ w)
    return score


@pytest.mark.parametrize(
    "settings", [{}, BOTH, BOTH | {"ids": ()}, {"item_features": ITEM_FEATURES}]
)
def test_machine_is_the_sum_over_all_pairs_of_features(settings):
    model = drawn(FactorizationMachine, **settings)
    expected = torch.cat([machine_by_pairs(model, *pair) for pair in zip(*ALL, strict=True)])
    torch.testing.assert_close(model(*ALL), expected)
    torch.testing.assert_close(model.score_users(EVERYONE).flatten(), expected)


def test_pair_products_by_hand():
    """1 * 2 + 1 * 3 + 2 * 3 = 11; a sum less the sum of squares would be 6 - 14."""
    vectors = torch.tensor([[1.0], [2.0], [3.0]])
    total, squares = vectors.sum(dim=0), vectors.square().sum(dim=0)
    assert pair_products(total.view(1, 1), squares.view(1, 1)).tolist() == [11.0]


def test_a_single_feature_has_no_pair():
    vector = torch.tensor([[3.0, -1.0]])
    assert pair_products(vector, vector.square()).tolist() == [0.0]


def test_without_features_the_machine_is_a_dot_product_with_biases():
    model, plain = drawn(FactorizationMachine), LightFM(3, 4, 5)
    own = {name: w for name, w in model.state_dict().items() if name != "global_bias"}
    plain.load_state_dict(own)
    torch.testing.assert_close(model(*ALL), plain(*ALL) + model.global_bias)


def deep_by_hand(model, user, item):
    """The network on the fields of one pair: ids and features, (2, 1) of the item apart."""
    machine = model.machine
    users, items = machine.user_side, machine.item_side
    factors = [side.feature_factors.weight for side in (users, items)]
    fields = [
        users.id_factors.weight[user],
        *(USER_FEATURES[user, k] * factors[0][k] for k in range(2)),
        items.id_factors.weight[item],
        ITEM_FEATURES[item, :2] @ factors[1][:2],
        ITEM_FEATURES[item, 2] * factors[1][2],
    ]
    return machine_by_pairs(machine, user, item) + model.layers(torch.cat(fields))


def test_deep_fm_adds_a_network_over_the_fields():
    model = drawn(DeepFM, **BOTH, **FIELDS)
    expected = torch.cat([deep_by_hand(model, *pair) for pair in zip(*ALL, strict=True)])
    torch.testing.assert_close(model(*ALL), expected)


@by_case
@pytest.mark.parametrize("chunk_size", [1, 9, 65_536])
def test_score_users_agrees_with_pairs(kind, settings, chunk_size, monkeypatch):
    monkeypatch.setattr(fm, "CHUNK_SIZE", chunk_size)
    model = drawn(kind, **settings)
    scores = model.score_users(torch.tensor([2, 0, 2]))
    users = torch.tensor([2, 0, 2]).repeat_interleave(4)
    torch.testing.assert_close(scores.flatten(), model(users, torch.arange(4).repeat(3)))


@by_case
def test_loss_reaches_every_parameter(kind, settings):
    model = drawn(kind, **settings)
    batch = torch.tensor([0, 2, 1]), torch.tensor([1, 3, 1]), torch.tensor([[0], [2], [2]])
    pair_loss(model, batch, logistic_loss).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@by_case
def test_stored_models_come_back_with_their_features(kind, settings, tmp_path):
    model = drawn(kind, **settings)
    ids = {"users": Vocabulary(range(3)), "items": Vocabulary(range(4))}
    save_model(tmp_path, model, **ids)
    loaded = load_model(tmp_path).model
    assert torch.equal(loaded.score_users(EVERYONE), model.score_users(EVERYONE))
    assert torch.equal(loaded(*ALL), model(*ALL))


@pytest.mark.parametrize("kind", [FactorizationMachine, DeepFM])
def test_new_rows_score_as_known_ones_whose_ids_are_forgotten(kind):
    model = drawn(kind, **BOTH)
    before = model.score_users(EVERYONE)
    bare = model.without_ids(users=torch.tensor([1]), items=torch.tensor([3, 0]))
    expected = bare.score_users(EVERYONE)
    torch.testing.assert_close(model.score_new_users(USER_FEATURES[[1]])[0, 1:3], expected[1, 1:3])
    items = model.score_new_items(torch.tensor([0, 2]), ITEM_FEATURES[[3, 0]])
    torch.testing.assert_close(items, expected[[0, 2]][:, [3, 0]])
    assert torch.equal(model.score_users(EVERYONE), before)


def test_both_parts_of_a_deep_fm_hide_the_same_ids():
    """One pair, four ways to hide its ids: no fifth score comes up."""
    torch.manual_seed(0)
    model = drawn(DeepFM, **BOTH, id_dropout=0.5)
    pair = torch.tensor([1]), torch.tensor([3])
    hidden = [{}, {"users": pair[0]}, {"items": pair[1]}, {"users": pair[0], "items": pair[1]}]
    allowed = torch.cat([model.without_ids(**rows)(*pair) for rows in hidden])
    model.train()
    scores = torch.stack([model(*pair) for _ in range(100)])  # (100, 1)
    match = torch.isclose(scores, allowed, atol=1e-5)
    assert match.any(dim=1).all()
    assert match.any(dim=0).all()


def test_scores_of_nobody_and_of_no_new_item_are_empty_tables():
    model = drawn(DeepFM, **BOTH)
    assert model.score_users(torch.tensor([], dtype=torch.int64)).shape == (0, 4)
    assert model.score_new_items(EVERYONE, torch.zeros(0, 3)).shape == (3, 0)


@pytest.mark.parametrize("fields", [(2, 2), (3, 0), (1,)])
def test_fields_that_do_not_add_up_are_refused(fields):
    with pytest.raises(ValueError, match="item_fields must be at least 1 each and add up to the 3"):
        DeepFM(3, 4, 5, item_features=ITEM_FEATURES, item_fields=fields)


def test_dropout_leaves_the_pairs_within_a_side_alone_and_does_nothing_in_evaluation():
    """With every factor hidden but a few, a score is nearly the two offsets of its pair."""
    model = drawn(FactorizationMachine, **BOTH, dropout=0.999).train()
    users, items = model.user_side.rows(ALL[0]), model.item_side.rows(ALL[1])
    apart = model.offsets(model.user_side, users) + model.offsets(model.item_side, items)
    torch.manual_seed(0)
    torch.testing.assert_close(model(*ALL), apart)
    table = model.score_users(EVERYONE)
    torch.testing.assert_close(table.flatten(), apart)
    plain = drawn(FactorizationMachine, **BOTH)
    assert torch.equal(model.eval()(*ALL), plain(*ALL))


def test_deep_fm_drops_factors_of_its_machine():
    assert drawn(DeepFM, **BOTH, dropout=0.3).machine.dropout == 0.3
