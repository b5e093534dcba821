"""Hybrids: what they read, from where they start, and what stands in for missing factors."""

import numpy as np
import pytest
import torch

from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models import hybrid
from nbhelpers.models.hybrid import Hybrid, HybridMF
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.serving.storage import load_model, save_model
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import logistic_loss
from nbhelpers.training.optimizers import adam

N_USERS, N_ITEMS, N_FACTORS = 6, 9, 4
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
BATCH = (*PAIRS, torch.tensor([[1, 2], [4, 8], [4, 8], [0, 7]]))
EVERYONE = torch.arange(N_USERS)
USER_FEATURES = torch.arange(18.0).view(6, 3).sin()
ITEM_FEATURES = torch.arange(18).view(9, 2) % 4 > 1  # bools
BOTH = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES}
COLD = {
    "cold_users": torch.tensor([False, True, False, False, False, False]),
    "cold_items": torch.tensor(3 * [False] + 2 * [True] + 4 * [False]),
}
SETTINGS = {
    "no features": {},
    "items": {"item_features": ITEM_FEATURES},
    "users": {"user_features": USER_FEATURES},
    "both": {**BOTH, "n_metadata": 3, "n_hidden": (5, 4)},
    "cold rows": {**BOTH, **COLD},
    "dropout": {**BOTH, "id_dropout": 0.4, "dropout": 0.2},
    "features alone": {**BOTH, "n_factors": 0},
}
by_kind = pytest.mark.parametrize("kind", [Hybrid, HybridMF])
by_settings = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())


def make(kind, settings):
    seed_everything(3)
    return kind(**{"n_users": N_USERS, "n_items": N_ITEMS, "n_factors": N_FACTORS} | settings)


def bold(model):
    """The model with large weights, so that no mistake stays small, in evaluation mode."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model.eval()


def factorization(**settings):
    return bold(MatrixFactorization(N_USERS, N_ITEMS, N_FACTORS, **settings))


def by_hand(model, user, item, *, dot_product):
    """Score of one pair in NumPy, from the weights."""
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    user_factors, item_factors = (
        weights[f"{side}_factors.weight"][k] for side, k in (("user", user), ("item", item))
    )
    bias = weights["item_bias.weight"][item, 0]
    if model.cold_users[user]:
        user_factors = 0 * user_factors
    if model.cold_items[item]:
        item_factors, bias = 0 * item_factors, 0
    numbers = []
    for side, features, own in (
        ("user", USER_FEATURES[user], user_factors),
        ("item", ITEM_FEATURES[item], item_factors),
    ):
        weight, start = (weights[f"{side}_tower.layer.{part}"] for part in ("weight", "bias"))
        numbers += [own, np.maximum(weight @ features.float().numpy() + start, 0)]
    hidden = weights["layers.0.weight"] @ np.concatenate(numbers) + weights["layers.0.bias"]
    said = weights["layers.2.weight"] @ np.maximum(hidden, 0) + weights["layers.2.bias"]
    product = user_factors @ item_factors if dot_product else 0
    return said[0] + product + bias


@pytest.mark.parametrize(("kind", "dot_product"), [(Hybrid, False), (HybridMF, True)])
def test_scores_are_those_of_a_hand_count(kind, dot_product):
    model = bold(make(kind, BOTH | COLD))
    with torch.no_grad():
        scores = model.score_users(EVERYONE)
    for user in range(N_USERS):
        for item in range(N_ITEMS):
            wanted = by_hand(model, user, item, dot_product=dot_product)
            assert scores[user, item].item() == pytest.approx(wanted, abs=1e-4)


@by_kind
@by_settings
@pytest.mark.parametrize("chunk_size", [1, 20, 65_536])
def test_score_users_agrees_with_pairs(kind, settings, chunk_size, monkeypatch):
    monkeypatch.setattr(hybrid, "CHUNK_SIZE", chunk_size)
    model = bold(make(kind, settings))
    users = torch.tensor([5, 1, 1, 0, 3])
    one_by_one = model(users.repeat_interleave(N_ITEMS), torch.arange(N_ITEMS).repeat(5))
    torch.testing.assert_close(model.score_users(users).flatten(), one_by_one)


@by_kind
@by_settings
def test_batch_of_one_and_of_nobody_work(kind, settings):
    model = make(kind, settings)
    assert model(torch.tensor([1]), torch.tensor([2])).shape == (1,)
    assert model.score_users(torch.tensor([], dtype=torch.int64)).shape == (0, N_ITEMS)


@by_kind
@by_settings
def test_loss_reaches_every_parameter(kind, settings):
    model = make(kind, settings)
    pair_loss(model, BATCH, logistic_loss).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@by_kind
def test_one_batch_can_be_learned_by_heart(kind):
    model = make(kind, BOTH)
    optimizer = adam(model, lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        pair_loss(model, BATCH, logistic_loss).backward()
        optimizer.step()
    assert pair_loss(model, BATCH, logistic_loss) < 0.05


@by_kind
@by_settings
def test_stored_and_loaded_models_give_the_same_scores(kind, settings, tmp_path):
    model = bold(make(kind, settings))
    ids = {"users": Vocabulary(range(N_USERS)), "items": Vocabulary(range(N_ITEMS))}
    save_model(tmp_path, model, **ids)
    loaded = load_model(tmp_path).model
    assert torch.equal(loaded.score_users(EVERYONE), model.score_users(EVERYONE))
    stored = loaded.settings()
    for name, value in model.settings().items():
        same = torch.equal(stored[name], value) if torch.is_tensor(value) else stored[name] == value
        assert same, name


def test_pretrained_hybrid_scores_as_its_factorization_until_it_is_trained():
    source = factorization()
    model = HybridMF.from_pretrained(source, **BOTH).eval()
    torch.testing.assert_close(model.score_users(EVERYONE), source.score_users(EVERYONE))
    torch.testing.assert_close(model(*PAIRS), source(*PAIRS))


@by_kind
def test_training_a_pretrained_hybrid_leaves_its_source_as_it_was(kind):
    source = factorization()
    before = {name: weight.clone() for name, weight in source.state_dict().items()}
    model = kind.from_pretrained(source, **BOTH)
    for name, weight in before.items():
        assert torch.equal(model.state_dict()[name], weight)
    optimizer = adam(model, lr=0.1)
    pair_loss(model, BATCH, logistic_loss).backward()
    optimizer.step()
    for name, weight in before.items():
        assert torch.equal(source.state_dict()[name], weight)
        assert not torch.equal(model.state_dict()[name], weight)


@by_kind
def test_scores_of_a_cold_item_come_from_its_features_alone(kind):
    model = bold(make(kind, BOTH | COLD))
    before = model.score_users(EVERYONE)
    with torch.no_grad():
        model.item_factors.weight[[3, 4]] += 5
        model.item_bias.weight[[3, 4]] += 5
        model.user_factors.weight[1] += 5
    assert torch.equal(model.score_users(EVERYONE), before)
    assert torch.equal(ITEM_FEATURES[4], ITEM_FEATURES[8])
    model.cold_items[8] = True
    after = model.score_users(EVERYONE)
    # Equal features, equal scores; a CPU may round two columns of one product differently.
    torch.testing.assert_close(after[:, 4], after[:, 8])


@by_kind
def test_without_factors_equal_features_have_equal_scores(kind):
    model = bold(make(kind, BOTH | {"n_factors": 0}))
    assert not [
        name for name, _ in model.named_parameters() if "factors" in name or "bias." in name
    ]
    scores = model.score_users(EVERYONE)
    torch.testing.assert_close(scores[:, 0], scores[:, 2])  # rows 0 and 2 of ITEM_FEATURES
    assert not torch.allclose(scores[:, 0], scores[:, 1])
    assert not torch.allclose(scores[0], scores[1])


@by_kind
def test_dropout_hides_whole_rows_in_training_and_none_afterwards(kind):
    settings = {"item_features": ITEM_FEATURES, "id_dropout": 0.25}
    model = bold(make(kind, settings))
    pairs = torch.full((4000,), 2), torch.full((4000,), 7)
    assert model(*pairs).unique().numel() == 1
    model.train()
    seed_everything(1)
    values, counts = model(*pairs).detach().round(decimals=4).unique(return_counts=True)
    # user and item shown, or the one hidden, or the other, or both; a Hybrid tells all apart
    assert len(values) == 4
    shares = sorted((counts / 4000).tolist())
    assert shares == pytest.approx([1 / 16, 3 / 16, 3 / 16, 9 / 16], abs=0.03)


def ones(**settings):
    """Factors and weights of 1 and no biases: scores count the factors that are left."""
    model = make(HybridMF, {"n_users": 2, "n_items": 3, "n_factors": 10_000} | settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(0 if "bias" in name or "layers" in name else 1)
    return model


def test_dropout_of_factors_hides_its_share_of_both_sides_of_pairs_and_doubles_the_rest():
    seed_everything(0)
    score = ones(dropout=0.5)(torch.tensor([0]), torch.tensor([0])).item()
    assert score % 4 == 0
    assert abs(score / 4 - 2500) < 250
    assert ones(dropout=0.5).eval()(torch.tensor([0]), torch.tensor([0])).item() == 10_000


def test_scores_of_users_in_training_hide_factors_of_the_users_alone():
    seed_everything(0)
    scores = ones(dropout=0.5).score_users(torch.tensor([1]))[0]
    assert scores.unique().numel() == 1
    assert abs(scores[0].item() / 2 - 5000) < 300


def test_the_layers_read_what_dropout_leaves():
    model = make(Hybrid, {"dropout": 0.5})
    pairs = torch.zeros(200, dtype=torch.int64), torch.zeros(200, dtype=torch.int64)
    assert bold(model).train()(*pairs).unique().numel() > 20
    assert model.eval()(*pairs).unique().numel() == 1


def test_features_are_copied_and_not_trained():
    given = USER_FEATURES.clone()
    model = make(Hybrid, {"user_features": given})
    before = model.score_users(EVERYONE)
    given += 1
    assert torch.equal(model.score_users(EVERYONE), before)
    assert not any("features" in name for name, _ in model.named_parameters())


def test_features_decide_what_factors_cannot_know():
    """Items 0 to 4 are of one kind and 5 to 9 of another; users choose one kind. Items 4 and 9 are
    cold: their features must put them on the right side."""
    kinds = torch.arange(10) // 5
    users = torch.arange(8)
    pairs = [(user, item) for user in range(8) for item in range(10) if kinds[item] == user % 2]
    known = torch.tensor([pair for pair in pairs if pair[1] not in (4, 9)])
    cold = torch.zeros(10, dtype=torch.bool)
    cold[[4, 9]] = True
    features = torch.nn.functional.one_hot(kinds)
    seed_everything(0)
    model = HybridMF(8, 10, 4, item_features=features, id_dropout=0.3, cold_items=cold)
    optimizer = adam(model, lr=0.03)
    warm = torch.tensor([0, 1, 2, 3, 5, 6, 7, 8])
    others = torch.stack([warm[kinds[warm] != user % 2] for user in known[:, 0]])  # (n, 4)
    for _ in range(150):
        optimizer.zero_grad()
        pair_loss(model, (known[:, 0], known[:, 1], others), logistic_loss).backward()
        optimizer.step()
    scores = model.eval().score_users(users)[:, [4, 9]]
    assert scores.argmax(dim=1).tolist() == [0, 1] * 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"id_dropout": 1.0}, "id_dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": -0.1}, "^dropout must be at least 0 and below 1, got -0.1"),
        ({"n_factors": 0, "item_features": ITEM_FEATURES}, "features of users and of items"),
        ({"item_features": ITEM_FEATURES[:8]}, r"each of the 9 indices .* got shape \(8, 2\)"),
        ({"user_features": USER_FEATURES[:, 0]}, r"user_features must .* got shape \(6,\)"),
        ({"user_features": USER_FEATURES[:, :0]}, "at least one column"),
        ({"user_features": USER_FEATURES.log()}, "user_features must be finite"),
        ({"cold_items": torch.zeros(9)}, r"cold_items must be bool of shape \(9,\), got torch.fl"),
        ({"cold_users": torch.zeros(9).bool()}, r"cold_users must be bool of shape \(6,\)"),
        ({"n_hidden": (0,)}, "widths of layers must be at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make(Hybrid, settings)


@by_kind
def test_a_factorization_in_a_range_is_refused(kind):
    with pytest.raises(ValueError, match=r"y_range of None is required, got \(0, 1\)"):
        kind.from_pretrained(factorization(y_range=(0, 1)), **BOTH)


@by_kind
def test_a_misspelt_setting_is_refused(kind):
    with pytest.raises(TypeError, match="item_feature"):
        kind.from_pretrained(factorization(), item_feature=ITEM_FEATURES)
