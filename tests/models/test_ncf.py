"""GMF, MLP, NeuMF and the two-tower model, by hand."""

import pytest
import torch
from torch import nn

from nbhelpers.models.ncf import GMF, MLP, NeuMF
from nbhelpers.models.two_tower import TwoTower

USERS, ITEMS = torch.tensor([0, 1, 1]), torch.tensor([2, 0, 2])


def bold(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model


def copied(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def test_gmf_weighs_each_product():
    model = GMF(1, 1, 2)
    with torch.no_grad():
        model.user_factors.weight.copy_(torch.tensor([[2.0, 3.0]]))
        model.item_factors.weight.copy_(torch.tensor([[5.0, 7.0]]))
        model.output.weight.copy_(torch.tensor([[0.5, -1.0]]))
        model.output.bias.fill_(4.0)
    assert model(torch.tensor([0]), torch.tensor([0])).tolist() == [-12.0]  # 5 - 21 + 4


def test_mlp_has_the_layers_of_the_paper():
    """Eight predictive factors: 16 factors a side, layers 32 to 16 to 8 to the score."""
    widths = [tuple(x.weight.shape) for x in MLP(3, 4).layers if isinstance(x, nn.Linear)]
    assert widths == [(16, 32), (8, 16), (1, 8)]
    assert sum(isinstance(layer, nn.ReLU) for layer in MLP(3, 4).layers) == 2


def test_scores_are_logits_beyond_any_range():
    model = MLP(2, 3)
    with torch.no_grad():
        model.layers[-1].weight.zero_()
        model.layers[-1].bias.fill_(-7.0)
    assert model(USERS, ITEMS).tolist() == [-7.0] * 3


def test_neumf_is_the_papers_one_layer_over_both_parts():
    model = bold(NeuMF(2, 3, 4, n_mlp_factors=5, n_hidden=(6, 3)))
    gmf, mlp = model.gmf, model.mlp
    product = gmf.user_factors(USERS) * gmf.item_factors(ITEMS)
    hidden = mlp.layers[:-1](torch.cat([mlp.user_factors(USERS), mlp.item_factors(ITEMS)], dim=1))
    weight = torch.cat([gmf.output.weight, mlp.layers[-1].weight], dim=1)  # (1, 4 + 3)
    logit = torch.cat([product, hidden], dim=1) @ weight.T + gmf.output.bias + mlp.layers[-1].bias
    torch.testing.assert_close(model(USERS, ITEMS), logit.squeeze(1))


@pytest.mark.parametrize(("alpha", "share"), [(0.5, 0.5), (0.25, 0.25), (0.0, 0.0), (1.0, 1.0)])
def test_pretrained_parts_are_mixed_by_alpha(alpha, share):
    gmf, mlp = bold(GMF(2, 3, 4), seed=1), bold(MLP(2, 3, 5, n_hidden=(6, 3)), seed=2)
    model = NeuMF.from_pretrained(gmf, mlp, alpha=alpha)
    wanted = share * gmf(USERS, ITEMS) + (1 - share) * mlp(USERS, ITEMS)
    torch.testing.assert_close(model(USERS, ITEMS), wanted)


def test_even_mix_is_the_default():
    gmf, mlp = bold(GMF(2, 3)), bold(MLP(2, 3))
    model = NeuMF.from_pretrained(gmf, mlp)
    torch.testing.assert_close(model(USERS, ITEMS), (gmf(USERS, ITEMS) + mlp(USERS, ITEMS)) / 2)


def test_pretrained_parts_stay_as_they_are():
    gmf, mlp = bold(GMF(2, 3)), bold(MLP(2, 3))
    before = copied(gmf), copied(mlp)
    model = NeuMF.from_pretrained(gmf, mlp)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    for part, weights in zip((gmf, mlp), before, strict=True):
        assert all(torch.equal(part.state_dict()[name], weights[name]) for name in weights)


def test_parts_for_other_items_are_refused():
    with pytest.raises(ValueError, match=r"same users and items, got \(2, 3\) and \(2, 4\)"):
        NeuMF.from_pretrained(GMF(2, 3), MLP(2, 4))


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_outside_0_to_1_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be between 0 and 1"):
        NeuMF.from_pretrained(GMF(2, 3), MLP(2, 3), alpha=alpha)


def test_two_tables_make_the_smallest_towers():
    assert [tuple(weight.shape) for weight in TwoTower(2, 3, 4).parameters()] == [(2, 4), (3, 4)]


@pytest.mark.parametrize("temperature", [None, 0.1])
@pytest.mark.parametrize("n_hidden", [(), (6,), (6, 5)])
def test_vectors_multiply_to_the_scores(temperature, n_hidden):
    model = bold(TwoTower(2, 3, 4, n_hidden=n_hidden, temperature=temperature))
    users, items = model.user_vectors(torch.arange(2)), model.item_vectors(torch.arange(3))
    assert (users.shape, items.shape) == ((2, 4), (3, 4))
    torch.testing.assert_close(users @ items.T, model.score_users(torch.arange(2)))


def test_temperature_divides_the_cosine():
    model = bold(TwoTower(2, 3, 4, temperature=0.1))
    user, item = model.user_tower(USERS), model.item_tower(ITEMS)
    wanted = nn.functional.cosine_similarity(user, item, dim=1) / 0.1
    torch.testing.assert_close(model(USERS, ITEMS), wanted)


def test_item_vectors_with_temperature_have_length_1():
    length = bold(TwoTower(2, 3, 4, temperature=0.1)).item_vectors(torch.arange(3)).norm(dim=1)
    torch.testing.assert_close(length, torch.ones(3))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        TwoTower(2, 3, 4, temperature=temperature)
