"""Metric learning: distances, their sign, and the ball."""

import copy

import pytest
import torch

from nbhelpers.models.metric_learning import MetricLearning
from nbhelpers.serving.index import ExactIndex
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import hinge_loss, warp_loss
from nbhelpers.training.optimizers import adam

USERS, ITEMS = torch.arange(6), torch.arange(9)
BATCH = torch.tensor([0, 5, 2]), torch.tensor([8, 0, 3]), torch.tensor([[1, 2], [4, 8], [0, 7]])


def drawn(deviation=0.3, seed=0):
    """Six users, nine items, four dimensions; with deviation 0.3 most are in the ball."""
    model = MetricLearning(6, 9, 4)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, deviation, generator=generator)
    return model


def lengths(model):
    points = torch.cat([model.user_points(USERS), model.item_points(ITEMS)])
    return points.norm(dim=1)


def test_score_by_hand():
    """From (0.6, 0) to (0, 0.8) it is 1; to itself 0."""
    model = MetricLearning(1, 2, 2)
    with torch.no_grad():
        model.user_factors.weight.copy_(torch.tensor([[0.6, 0.0]]))
        model.item_factors.weight.copy_(torch.tensor([[0.0, 0.8], [0.6, 0.0]]))
    scores = model(torch.tensor([0, 0]), torch.tensor([0, 1]))
    torch.testing.assert_close(scores, torch.tensor([-1.0, 0.0]))


@pytest.mark.parametrize("deviation", [0.3, 3.0])
def test_scores_equal_distances_one_by_one(deviation):
    model = drawn(deviation).eval()
    users, items = model.user_points(USERS).double(), model.item_points(ITEMS).double()
    scores = model.score_users(USERS)
    for user in range(6):
        for item in range(9):
            expected = -sum((a - b) ** 2 for a, b in zip(users[user], items[item], strict=True))
            assert scores[user, item].item() == pytest.approx(expected.item(), abs=1e-5)


def test_vectors_multiply_to_the_scores():
    model = drawn().eval()
    product = model.user_vectors(USERS) @ model.item_vectors(ITEMS).T
    pairs = model(USERS.repeat_interleave(9), ITEMS.repeat(6))
    torch.testing.assert_close(product.flatten(), pairs)


def test_an_index_of_the_vectors_finds_the_nearest():
    model = drawn().eval()
    _, found = ExactIndex(model.item_vectors(ITEMS)).search(model.user_vectors(USERS), 3)
    near = torch.cdist(model.user_points(USERS), model.item_points(ITEMS)).argsort(dim=1)
    assert torch.equal(found, near[:, :3])


def distance(model, user, item):
    return (model.user_points(USERS[user]) - model.item_points(ITEMS[item])).norm().item()


@pytest.mark.parametrize("deviation", [0.3, 3.0])
@pytest.mark.parametrize(
    "loss", [hinge_loss, lambda *scores: warp_loss(*scores, n_items=9)], ids=["hinge", "warp"]
)
def test_a_liked_item_moves_nearer_and_another_away(deviation, loss):
    model = drawn(deviation)
    batch = torch.tensor([0]), torch.tensor([8]), torch.tensor([[1]])
    before = distance(model, [0], [8]), distance(model, [0], [1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    value = pair_loss(model, batch, loss)
    assert value > 0
    value.backward()
    optimizer.step()
    assert distance(model, [0], [8]) < before[0]
    assert distance(model, [0], [1]) > before[1]


def steps(model, n_steps=20, lr=0.5):
    optimizer = adam(model, lr=lr)
    for _ in range(n_steps):
        optimizer.zero_grad()
        pair_loss(model, BATCH, hinge_loss).backward()
        optimizer.step()
    return model


def raw_lengths(model):
    return torch.cat([table.detach() for table in model.parameters()]).norm(dim=1)


def test_training_steps_reach_out_of_the_ball():
    """Otherwise the next two tests test nothing."""
    assert raw_lengths(steps(drawn())).max() > 1.1


@pytest.mark.parametrize("training", [True, False])
def test_what_is_scored_after_training_steps_lies_in_the_ball(training):
    model = steps(drawn()).train(training)
    assert lengths(model).max() <= 1
    assert model.score_users(USERS).min() >= -4 - 1e-5


def test_what_is_stored_after_training_steps_lies_in_the_ball():
    stored = steps(drawn()).state_dict()
    assert torch.cat(list(stored.values())).norm(dim=1).max() <= 1


def test_drawing_in_goes_to_the_nearest_point_of_the_ball():
    model = drawn(3.0).eval()
    table = model.user_factors.weight.detach()
    assert table.norm(dim=1).min() > 1
    torch.testing.assert_close(
        model.user_points(USERS), table / table.norm(dim=1, keepdim=True), atol=3e-6, rtol=0
    )


def test_points_in_the_ball_stay_to_the_last_bit():
    model = drawn(0.05)
    assert lengths(model).max() < 1
    assert torch.equal(model.user_points(USERS), model.user_factors.weight)


def test_scores_are_equal_to_the_last_bit_before_and_after_storing():
    model = steps(drawn(1.0)).eval()
    before = model.score_users(USERS)
    loaded = MetricLearning(6, 9, 4).eval()
    loaded.load_state_dict(model.state_dict())
    assert torch.equal(model.score_users(USERS), before)
    assert torch.equal(loaded.score_users(USERS), before)


def test_storing_in_between_does_not_change_the_training():
    whole, stored = drawn(), drawn()
    steps(whole, n_steps=6)
    optimizer = adam(stored, lr=0.5)
    for _ in range(6):
        optimizer.zero_grad()
        pair_loss(stored, BATCH, hinge_loss).backward()
        optimizer.step()
        stored.state_dict()
    assert torch.equal(whole.eval().score_users(USERS), stored.eval().score_users(USERS))


def test_scoring_leaves_the_weights_of_a_model_in_evaluation():
    model = steps(drawn()).eval()
    before = copy.deepcopy(list(model.parameters()))
    model.score_users(USERS)
    model(USERS, ITEMS[:6])
    for old, new in zip(before, model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_a_point_can_come_back_from_the_edge():
    """Its own negative lies at the middle's other side: outside the ball no step would lead in."""
    model = MetricLearning(1, 2, 2)
    with torch.no_grad():
        model.user_factors.weight.copy_(torch.tensor([[5.0, 0.0]]))
        model.item_factors.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    pair_loss(model, (USERS[:1], ITEMS[:1], ITEMS[1:2].unsqueeze(1)), hinge_loss).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert model.eval().user_points(USERS[:1]).norm() < 0.9


def test_gradients_are_right():
    model = drawn().double().eval()
    users, items = torch.tensor([0, 1, 5]), torch.tensor([3, 3, 8])
    table = model.user_factors.weight.detach().clone()
    table[1] *= 3 / table[1].norm()  # outside

    def scores(weight):
        return torch.func.functional_call(model, {"user_factors.weight": weight}, (users, items))

    assert torch.autograd.gradcheck(scores, table.requires_grad_())


def test_a_point_at_the_middle_has_a_finite_gradient():
    model = drawn()
    with torch.no_grad():
        model.user_factors.weight.zero_()
    pair_loss(model, BATCH, hinge_loss).backward()
    assert model.user_factors.weight.grad.isfinite().all()
