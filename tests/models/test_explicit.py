import math

import pytest
import torch
from torch import nn

from nbhelpers.models.explicit import (
    DotProduct,
    DotProductBias,
    Embedding,
    sigmoid_range,
    small_embedding,
)
from nbhelpers.training.loop import fit, seed_everything

TABLES = {"library": small_embedding, "own": Embedding}
MODELS = {
    f"{kind.__name__}, {name} table, {y_range}": lambda kind=kind, table=table, y_range=y_range: (
        kind(6, 9, 4, y_range=y_range, embedding=table)
    )
    for kind in (DotProduct, DotProductBias)
    for name, table in TABLES.items()
    for y_range in (None, (0.0, 5.5))
}
by_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])


@by_model
def test_one_number_for_each_pair(make):
    assert make()(*PAIRS).shape == (4,)


@by_model
def test_batch_of_one_works(make):
    assert make()(torch.tensor([1]), torch.tensor([2])).shape == (1,)


@by_model
def test_batch_equals_one_by_one(make):
    model = make()
    alone = [model(*(x[k : k + 1] for x in PAIRS)) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), model(*PAIRS))


@by_model
def test_gradients_reach_every_parameter(make):
    model = make()
    model(*PAIRS).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@by_model
def test_score_users_agrees_with_pairs(make):
    model = make()
    scores = model.score_users(torch.tensor([5, 1]))
    assert scores.shape == (2, 9)
    one_by_one = model(torch.tensor([5] * 9 + [1] * 9), torch.arange(9).repeat(2))
    torch.testing.assert_close(scores.flatten(), one_by_one)


@by_model
def test_one_batch_can_be_learned_by_heart(make):
    seed_everything(0)
    model = make()
    rating = torch.tensor([5.0, 1.0, 3.0, 4.0])
    history = fit(model, (*PAIRS, rating), n_epochs=400, batch_size=4, lr=0.05)
    assert history.train_loss[-1] < 1e-3


@by_model
def test_seed_decides_the_weights(make):
    seed_everything(3)
    one = make().state_dict()
    seed_everything(3)
    two = make().state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


@by_model
def test_saved_weights_give_the_same_predictions(make):
    model, other = make(), make()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(*PAIRS), model(*PAIRS))


def test_dot_product_by_hand():
    model = DotProduct(1, 2, 3)
    with torch.no_grad():
        model.user_factors.weight[:] = torch.tensor([[1.0, 2.0, -1.0]])
        model.item_factors.weight[:] = torch.tensor([[2.0, 0.5, 1.0], [0.0, 1.0, 3.0]])
    # 1*2 + 2*0.5 - 1*1 = 2 and 0 + 2 - 3 = -1
    assert model(torch.tensor([0, 0]), torch.tensor([0, 1])).tolist() == [2.0, -1.0]


def test_biases_by_hand():
    model = DotProductBias(1, 1, 2)
    with torch.no_grad():
        model.user_factors.weight[:] = torch.tensor([[1.0, 1.0]])
        model.item_factors.weight[:] = torch.tensor([[0.5, 0.25]])
        model.user_bias.weight.fill_(2.0)
        model.item_bias.weight.fill_(-0.5)
    assert model(torch.tensor([0]), torch.tensor([0])).tolist() == [2.25]


def test_predictions_stay_inside_the_range():
    model = DotProductBias(2, 2, 2, y_range=(1.0, 5.0))
    with torch.no_grad():
        model.user_bias.weight.fill_(8.0)
    pred = model(torch.tensor([0]), torch.tensor([0]))
    assert 4.9 < pred.item() < 5.0


def test_own_and_library_tables_share_their_weights():
    own = DotProductBias(6, 9, 4, embedding=Embedding)
    library = DotProductBias(6, 9, 4, embedding=small_embedding)
    assert isinstance(library.user_factors, nn.Embedding)
    library.load_state_dict(own.state_dict())
    torch.testing.assert_close(library(*PAIRS), own(*PAIRS))
    own.load_state_dict(library.state_dict())


def test_tables_start_small():
    for table in (Embedding(1000, 50), small_embedding(1000, 50)):
        assert table.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("score", "stars"), [(0.0, 2.75), (math.log(3), 5.5 * 0.75), (-math.log(3), 5.5 * 0.25)]
)
def test_sigmoid_range_by_hand(score, stars):
    assert sigmoid_range(torch.tensor(score), 0, 5.5).item() == pytest.approx(stars)


def test_range_upside_down_is_refused():
    with pytest.raises(ValueError, match="low must be below high, got 5 and 1"):
        sigmoid_range(torch.tensor(0.0), 5, 1)
