from itertools import pairwise

import pytest
import torch
from torch import nn

from nbhelpers.core.folded import sigmoid_range
from nbhelpers.models.collab_nn import CollabNN, PairInput, embedding_size
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.training.fit import fit, seed_everything

PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
WIDTHS = {"n_user_factors": 3, "n_item_factors": 5}


# 944 and 1,635 are the tables of fastbook's chapter 8, whose printed sizes are these.
@pytest.mark.parametrize(
    ("n_rows", "size"), [(944, 74), (1635, 101), (1, 2), (39_000, 596), (40_000, 600)]
)
def test_embedding_size_by_rule(n_rows, size):
    assert embedding_size(n_rows) == size


def test_embedding_size_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="n_rows must be at least 1, got 0"):
        embedding_size(0)


@pytest.mark.parametrize("n_hidden", [7, (7,), (7, 4), ()])
def test_network_equals_layers_put_together_by_hand(n_hidden):
    model = CollabNN(6, 9, **WIDTHS, n_hidden=n_hidden)
    widths = [8, *((n_hidden,) if isinstance(n_hidden, int) else n_hidden), 1]
    steps = []
    for n_in, n_out in pairwise(widths):
        steps += [nn.Linear(n_in, n_out), nn.ReLU()]
    by_hand = nn.Sequential(*steps[:-1])
    by_hand.load_state_dict(model.layers.state_dict())
    users, items = model.user_factors.weight[PAIRS[0]], model.item_factors.weight[PAIRS[1]]
    score = by_hand(torch.hstack([users, items]))[:, 0]
    torch.testing.assert_close(model.score(*PAIRS), score)
    torch.testing.assert_close(model(*PAIRS), sigmoid_range(score, 0, 5.5))


def test_network_by_hand():
    model = CollabNN(1, 1, n_user_factors=1, n_item_factors=1, n_hidden=2, y_range=None)
    with torch.no_grad():
        model.user_factors.weight.fill_(2.0)
        model.item_factors.weight.fill_(3.0)
        model.layers[0].weight[:] = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        model.layers[0].bias[:] = torch.tensor([0.5, 0.0])
        model.layers[2].weight[:] = torch.tensor([[2.0, 7.0]])
        model.layers[2].bias[:] = torch.tensor([-1.0])
    # hidden: 2 + 3 + 0.5 = 5.5 and 2 - 3 = -1, cut to 0; then 2 * 5.5 + 7 * 0 - 1 = 10
    assert model(torch.tensor([0]), torch.tensor([0])).tolist() == [10.0]
    assert model.score_users(torch.tensor([0])).tolist() == [[10.0]]


def test_tables_of_the_network_start_small():
    model = CollabNN(1000, 1000, n_user_factors=50, n_item_factors=40)
    for table in (model.user_factors, model.item_factors):
        assert table.weight.std().item() == pytest.approx(0.01, rel=0.05)


def test_predictions_of_the_network_stay_inside_the_range():
    model = CollabNN(6, 9, **WIDTHS, y_range=(1, 5))
    with torch.no_grad():
        model.layers[2].bias.fill_(8.0)
    assert 4.9 < model(*PAIRS).min().item() < 5.0


@pytest.mark.parametrize("n_hidden", [0, (8, 0), -3])
def test_layer_without_width_is_refused(n_hidden):
    with pytest.raises(ValueError, match="widths of layers must be at least 1, got"):
        CollabNN(6, 9, **WIDTHS, n_hidden=n_hidden)


def test_pair_input_reads_users_first():
    model = PairInput(lambda_model(lambda user_idx, item_idx: 100 * user_idx + item_idx))
    assert model(torch.tensor([[1, 2], [3, 4]])).tolist() == [102, 304]


def lambda_model(function):
    class Model(nn.Module):
        def forward(self, user_idx, item_idx):
            return function(user_idx, item_idx)

    return Model()


@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 4, 2), (0,)])
def test_pair_input_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"pairs must have the shape \(batch, 2\), .* got \("):
        PairInput(DotProductBias(6, 9, 4))(torch.zeros(shape, dtype=torch.int64))


def test_pair_input_leaves_the_weights_of_the_model_within_reach():
    model = DotProductBias(6, 9, 4)
    wrapped = PairInput(model)
    DotProductBias(6, 9, 4).load_state_dict(wrapped.model.state_dict())
    assert wrapped.model.user_factors.weight is model.user_factors.weight


def test_pair_input_passes_score_users_on():
    model = DotProductBias(6, 9, 4)
    users = torch.tensor([5, 1])
    assert torch.equal(PairInput(model).score_users(users), model.score_users(users))


@pytest.mark.parametrize(
    "make",
    [lambda: DotProductBias(6, 9, 4, y_range=(0, 5.5)), lambda: CollabNN(6, 9, **WIDTHS)],
    ids=["biases", "network"],
)
def test_fastai_takes_the_same_steps_as_our_loop(make):
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner
    from fastai.losses import MSELossFlat

    rating = torch.tensor([5.0, 1.0, 3.0, 4.0])
    seed_everything(0)
    theirs, ours = make(), make()
    ours.load_state_dict(theirs.state_dict())
    # All rows in one batch, so that each epoch is one step and their order does not matter.
    rows = list(zip(torch.stack(PAIRS, dim=1), rating, strict=True))
    loader = DataLoader(rows, bs=4, num_workers=0)
    loaders = DataLoaders(loader, loader, device="cpu")
    # Left alone, fastai does not decay the biases of linear layers; our loop decays everything.
    learner = Learner(loaders, PairInput(theirs), loss_func=MSELossFlat(), wd=0.1, wd_bn_bias=True)
    with learner.no_logging():
        learner.fit(5, lr=0.01)
    before = ours(*PAIRS)
    fit(ours, (*PAIRS, rating), n_epochs=5, batch_size=4, lr=0.01, wd=0.1, device="cpu")
    for name, weight in ours.state_dict().items():
        torch.testing.assert_close(theirs.state_dict()[name], weight, msg=name)
    assert (ours(*PAIRS) - before).abs().max() > 0.01
