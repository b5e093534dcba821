import pytest
import torch

from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.svdpp import SVDpp, TimeSVDpp
from nbhelpers.training.fit import fit, seed_everything

# user 0 rated items 0, 1, 3, 4; user 1 rated item 0; user 2 rated nothing; nobody rated item 2
RATED = torch.tensor([0, 0, 0, 0, 1]), torch.tensor([0, 1, 3, 4, 0])
PAIRS = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 2, 1, 4])


def history(n_factors=4, **settings):
    return SVDpp(3, 5, n_factors, rated=RATED, **settings)


def unit_history():
    """One factor, no bias; own factors 0, those of item k are k + 1, those of user k 10 (k + 1)."""
    model = history(1, y_range=None)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.rated_factors.weight[:, 0] = torch.arange(1.0, 6.0)
        model.rater_factors.weight[:, 0] = torch.tensor([10.0, 20.0, 30.0])
    return model


def test_a_new_pair_by_hand():
    model = unit_history()
    # user 1 is item 0: 1 / sqrt(1) = 1; item 1 is user 0: 10 / sqrt(1) = 10
    assert model(torch.tensor([1]), torch.tensor([1])).tolist() == [10.0]


def test_a_rated_pair_does_not_see_itself():
    model = unit_history()
    # user 0 without item 0: (2 + 4 + 5) / sqrt(4) = 5.5; item 0 without user 0: 20 / sqrt(2)
    pred = model(torch.tensor([0]), torch.tensor([0])).item()
    assert pred == pytest.approx(5.5 * 20 / 2**0.5)


def test_no_history_leaves_the_plain_model():
    nothing = torch.empty(0, dtype=torch.int64)
    model = SVDpp(3, 5, 4, rated=(nothing, nothing))
    plain = DotProductBias(3, 5, 4, y_range=(0, 6))
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(model(*PAIRS), plain(*PAIRS))


def test_unknown_user_and_item_are_scored():
    pred = history()(torch.tensor([2]), torch.tensor([2]))
    assert pred.item() == pytest.approx(3.0, abs=0.1)  # middle of the range


@pytest.mark.parametrize("y_range", [None, (0.0, 6.0)])
def test_score_users_agrees_with_pairs(y_range):
    seed_everything(0)
    model = history(y_range=y_range)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    scores = model.score_users(torch.tensor([1, 0, 2]))
    users, items = torch.tensor([1, 0, 2]).repeat_interleave(5), torch.arange(5).repeat(3)
    torch.testing.assert_close(scores.flatten(), model(users, items))


def test_batch_equals_one_by_one():
    model = history()
    alone = [model(*(x[k : k + 1] for x in PAIRS)) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), model(*PAIRS))


def test_gradients_reach_every_parameter():
    model = history()
    model(*PAIRS).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


def test_one_batch_can_be_learned_by_heart():
    seed_everything(0)
    rating = torch.tensor([5.0, 1.0, 3.0, 4.0])
    run = fit(history(), (*PAIRS, rating), n_epochs=400, batch_size=4, lr=0.05)
    assert run.train_loss[-1] < 1e-3


def test_saved_weights_bring_the_history_along():
    nothing = torch.empty(0, dtype=torch.int64)
    model, other = history(), SVDpp(3, 5, 4, rated=(nothing, nothing))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(*PAIRS), model(*PAIRS))


def test_a_day_without_training_rows_changes_nothing():
    model = TimeSVDpp(3, 5, 4, rated=RATED, n_user_days=2)
    with torch.no_grad():
        model.day_bias.weight[1] = 1.0
    torch.testing.assert_close(model(*PAIRS, torch.zeros(4, dtype=torch.int64)), model(*PAIRS))
    assert (model(*PAIRS, torch.ones(4, dtype=torch.int64)) > model(*PAIRS)).all()


def test_training_leaves_the_unknown_day_at_zero():
    seed_everything(0)
    model = TimeSVDpp(3, 5, 4, rated=RATED, n_user_days=3)
    days, rating = torch.tensor([0, 1, 2, 0]), torch.tensor([5.0, 1.0, 3.0, 4.0])
    fit(model, (*PAIRS, days, rating), n_epochs=3, batch_size=4, lr=0.05)
    assert model.day_bias.weight[:, 0].ne(0).tolist() == [False, True, True]


def test_sums_over_sets_are_those_of_a_dense_product():
    seed_everything(0)
    flags = torch.rand(30, 20) < 0.2
    model = SVDpp(30, 20, 4, rated=flags.nonzero(as_tuple=True))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    users, items = model.tables()
    by_user = flags / flags.sum(dim=1, keepdim=True).clamp(min=1).sqrt()
    by_item = (flags / flags.sum(dim=0).clamp(min=1).sqrt()).T
    dense_users = model.user_factors.weight + by_user @ model.rated_factors.weight
    dense_items = model.item_factors.weight + by_item @ model.rater_factors.weight
    torch.testing.assert_close(users, dense_users)
    torch.testing.assert_close(items, dense_items)


def test_a_pair_given_twice_counts_once():
    twice = tuple(torch.cat([side, side]) for side in RATED)
    assert SVDpp(3, 5, 4, rated=twice).pair_keys.tolist() == history().pair_keys.tolist()


def test_memory_is_that_of_the_pairs_not_of_users_times_items():
    n_users, n_items = 300_000, 200_000  # dense flags would take 240 GB
    rated = torch.arange(1_000) * 200, torch.arange(1_000) * 100
    model = SVDpp(n_users, n_items, 1, rated=rated)
    pairs = rated[0][:3], rated[1][:3]
    held = sum(buffer.numel() for buffer in model.buffers())
    assert held <= 3 * 1_000 + n_users + n_items + 2
    assert model(*pairs).shape == (3,)
    assert model.score_users(torch.tensor([7])).shape == (1, n_items)
