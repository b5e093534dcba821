import random

import numpy as np
import pytest
import torch
from torch import nn

from nbhelpers.data.ratings import add_indices, rating_tensors
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.training.fit import fit, mean_loss, seed_everything
from nbhelpers.training.weighted_losses import with_weights


class Line(nn.Module):
    """y = w x, one weight."""

    def __init__(self, weight=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(float(weight)))

    def forward(self, x):
        return self.weight * x


X = torch.arange(1.0, 9.0)


def sgd(lr):
    return lambda model: torch.optim.SGD(model.parameters(), lr=lr)


def test_one_step_by_hand():
    model = Line()
    fit(model, (X[:1], 3 * X[:1]), n_epochs=1, batch_size=1, make_optimizer=sgd(0.1))
    # loss (0 - 3)², gradient -6, step 0.1
    assert model.weight.item() == pytest.approx(0.6)


def test_loop_equals_a_plain_loop():
    model, plain = Line(), Line()
    fit(
        model,
        (X, 2 * X),
        n_epochs=3,
        batch_size=3,
        make_optimizer=sgd(0.01),
        generator=torch.Generator().manual_seed(5),
    )
    generator, weight = torch.Generator().manual_seed(5), 0.0
    for _ in range(3):
        order = torch.randperm(8, generator=generator).tolist()
        for start in (0, 3, 6):
            rows = [float(X[k]) for k in order[start : start + 3]]
            gradient = sum(2 * (weight * x - 2 * x) * x for x in rows) / len(rows)
            weight -= 0.01 * gradient
    assert model.weight.item() == pytest.approx(weight, abs=1e-6)
    assert plain.weight.item() == 0.0


def test_training_loss_weighs_rows_not_batches():
    # with lr 0 the loss is (0 - y)²: rows 1, 1, 1, 1, 5 in batches of 4 and 1
    y = torch.tensor([1.0, 1.0, 1.0, 1.0, 5.0])
    history = fit(Line(), (y, y), n_epochs=1, batch_size=4, make_optimizer=sgd(0.0))
    assert history.train_loss == [pytest.approx((4 + 25) / 5)]


def test_validation_loss_is_measured_each_epoch():
    history = fit(Line(1.0), (X, X), (X, 2 * X), n_epochs=3, batch_size=8, make_optimizer=sgd(0.0))
    assert history.valid_loss == [pytest.approx(float((X**2).mean()))] * 3


def test_early_stopping_restores_the_best_weights():
    # training pulls the weight from 0 to 3, validation wants 1: it gets better, then worse
    model = Line()
    history = fit(
        model,
        (X[:1], 3 * X[:1]),
        (X[:1], X[:1]),
        n_epochs=50,
        batch_size=1,
        make_optimizer=sgd(0.1),
        patience=2,
    )
    assert len(history.valid_loss) == history.best_epoch + 2
    assert mean_loss(model, (X[:1], X[:1])) == pytest.approx(min(history.valid_loss))


def test_without_patience_the_last_weights_stay():
    model = Line()
    history = fit(model, (X[:1], 3 * X[:1]), (X[:1], X[:1]), n_epochs=9, make_optimizer=sgd(0.1))
    assert len(history.valid_loss) == 9
    assert mean_loss(model, (X[:1], X[:1])) == pytest.approx(history.valid_loss[-1])
    assert history.best_epoch < 9


def test_any_loss_can_be_used():
    model = Line()
    fit(model, (X, -2 * X), n_epochs=300, batch_size=8, lr=0.05, loss=nn.functional.l1_loss)
    assert model.weight.item() == pytest.approx(-2, abs=0.1)


def test_generator_decides_the_run(checkerboard):
    users, items = Vocabulary(checkerboard.user_id), Vocabulary(checkerboard.item_id)
    data = rating_tensors(add_indices(checkerboard, users, items))

    def run(seed):
        seed_everything(0)
        model = DotProductBias(users.n_rows, items.n_rows, 3)
        generator = torch.Generator().manual_seed(seed)
        return fit(model, data, n_epochs=2, batch_size=7, generator=generator).train_loss

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_checkerboard_is_learned(checkerboard):
    seed_everything(1)
    held_out = checkerboard.user_id == checkerboard.item_id  # one five-star pair a user
    users, items = Vocabulary(checkerboard.user_id), Vocabulary(checkerboard.item_id)
    train, valid = (
        rating_tensors(add_indices(checkerboard[rows], users, items))
        for rows in (~held_out, held_out)
    )
    model = DotProductBias(users.n_rows, items.n_rows, 2, y_range=(0, 6))
    fit(model, train, n_epochs=60, batch_size=16, lr=0.1)
    scores = model.score_users(torch.arange(8))[:, :8]
    unseen = scores.gather(1, torch.arange(8).unsqueeze(1)).squeeze(1)
    disliked = scores[(torch.arange(8).unsqueeze(1) + torch.arange(8)) % 2 == 1]
    assert unseen.min() > disliked.max()
    assert valid[2].tolist() == [5.0] * 8


def test_model_is_left_in_evaluation_mode():
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    fit(model, (X.unsqueeze(1), X.unsqueeze(1)), n_epochs=1)
    assert not model.training


def test_inputs_are_not_changed():
    x, y = X.clone(), 2 * X
    fit(Line(), (x, y), n_epochs=2)
    assert torch.equal(x, X)
    assert torch.equal(y, 2 * X)


@pytest.mark.parametrize("batch_size", [8, 1])  # met in the first step, or in a later one
@pytest.mark.parametrize(("name", "column"), [("target", 1), ("input 0", 0)])
def test_nan_in_the_data_is_named(name, column, batch_size):
    rows = [X.clone(), X.clone()]
    rows[column][3] = float("nan")
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(FloatingPointError, match=f"loss is nan: the {name} holds values that are"):
        fit(Line(), rows, n_epochs=1, batch_size=batch_size, generator=generator)


def test_exploding_weights_are_named():
    with pytest.raises(FloatingPointError, match=r"the loss is inf: .*lower lr"):
        fit(Line(), (X, 2 * X), n_epochs=200, make_optimizer=sgd(1e6))


@pytest.mark.parametrize("lr", [float("inf"), 1e38])
def test_weights_ruined_by_the_only_step_are_refused(lr):
    with pytest.raises(FloatingPointError, match=r"the weights weight are no longer .*; lower lr"):
        fit(Line(), (X, 2 * X), n_epochs=1, make_optimizer=sgd(lr))


def test_an_infinite_prediction_is_told_from_bad_data():
    with pytest.raises(FloatingPointError, match="inf: data and weights are finite, the pred"):
        fit(Line(1e30), (X, X), n_epochs=1)


def test_best_weights_survive_an_explosion():
    model = Line()
    makes = sgd(1.9)
    with pytest.raises(FloatingPointError):
        fit(model, (X, X), (X, X), n_epochs=500, make_optimizer=makes, patience=499)
    assert model.weight.isfinite()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": (X, X[:3])}, r"train must hold inputs and a target .* lengths \[8, 3\]"),
        ({"train": (X[:0], X[:0])}, r"lengths \[0, 0\]"),
        ({"train": (X,)}, r"lengths \[8\]"),
        ({"valid": (X, X[:2])}, r"valid must hold .* \[8, 2\]"),
        ({"n_epochs": 0}, "n_epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"patience": 1}, "patience needs validation: pass validate, or validation rows"),
        ({"patience": 0, "valid": (X, X)}, "patience must be at least 1, got 0"),
        ({"weights": X[:3]}, r"weights must have the shape \(8,\), .* got \(3,\)"),
        ({"weights": X - 2}, "finite and above 0, got 2 others, e.g. -1"),
        ({"weights": X / 0}, "finite and above 0, got 8 others, e.g. inf"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {"train": (X, X)} | change
    with pytest.raises(ValueError, match=message):
        fit(Line(), **arguments)


def test_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match=r"no parameter to train: make its tensors nn\.Parameter"):
        fit(nn.ReLU(), (X, X))


def test_misspelt_argument_is_refused():
    with pytest.raises(TypeError, match="epochs"):
        fit(Line(), (X, X), epochs=3)


def test_seed_everything_seeds_all_three():
    def draw():
        seed_everything(11)
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    assert draw() == draw()


def test_progress_bar_is_quiet_in_ci(monkeypatch, capsys):
    monkeypatch.setenv("CI", "true")
    fit(Line(), (X, X), n_epochs=3)
    assert capsys.readouterr() == ("", "")


def test_a_weight_of_two_is_a_row_that_comes_twice():
    weighted, repeated = Line(), Line()
    x, y = X[:3], torch.tensor([1.0, 5.0, -2.0])
    twice = torch.tensor([0, 1, 1, 2])
    recipe = {"n_epochs": 5, "batch_size": 8, "make_optimizer": sgd(0.01)}
    found = fit(weighted, (x, y), weights=torch.tensor([1.0, 2.0, 1.0]), **recipe)
    wanted = fit(repeated, (x[twice], y[twice]), **recipe)
    assert weighted.weight.item() == pytest.approx(repeated.weight.item(), abs=1e-6)
    assert found.train_loss == pytest.approx(wanted.train_loss)


def test_weights_follow_their_rows_into_batches_and_into_the_mean_of_an_epoch():
    # with lr 0 the loss is y²: batches of two in any order, weighted mean of 1, 4, 9 and 16
    y, weights = X[:4], torch.tensor([8.0, 1.0, 1.0, 1.0])
    found = fit(Line(), (y, y), weights=weights, n_epochs=3, batch_size=2, make_optimizer=sgd(0.0))
    assert found.train_loss == [pytest.approx((8 * 1 + 4 + 9 + 16) / 11)] * 3


def test_a_loss_of_torch_takes_weights_with_an_adapter():
    y, weights = X[:2], torch.tensor([3.0, 1.0])
    loss = with_weights(nn.functional.l1_loss)
    found = fit(Line(), (y, y), weights=weights, loss=loss, n_epochs=1, make_optimizer=sgd(0.0))
    assert found.train_loss == [pytest.approx((3 * 1 + 1 * 2) / 4)]


def test_any_metric_can_decide_and_a_high_value_is_good():
    values = iter([0.1, 0.4, 0.3, 0.2])
    model, kept = Line(), []

    def validate(some_model):
        kept.append(some_model.weight.item())
        return {"map": next(values)}

    history = fit(model, (X, 2 * X), n_epochs=9, lr=0.1, validate=validate, patience=2)
    assert history.metrics == {"map": [0.1, 0.4, 0.3, 0.2]}
    assert history.best_epoch == 2
    assert model.weight.item() == pytest.approx(kept[1])


def test_own_metric_comes_before_the_loss_of_validation_rows():
    history = fit(
        Line(1.0),
        (X, X),
        (X[:1], 3 * X[:1]),
        n_epochs=2,
        make_optimizer=sgd(0.0),
        validate=lambda _: {"map": 0.5},
    )
    assert history.metrics == {"map": [0.5, 0.5], "valid_loss": [4.0, 4.0]}
    assert history.valid_loss == [4.0, 4.0]
    assert history.mode == "max"


def test_optimizer_is_made_from_the_model():
    made = []

    def make(model):
        made.append(model)
        return torch.optim.SGD(model.parameters(), lr=0.1)

    model = Line()
    fit(model, (X, X), n_epochs=1, make_optimizer=make)
    assert made == [model]


def test_mean_loss_leaves_each_part_in_its_mode():
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    model.train()
    model[1].eval()  # a part that is frozen
    mean_loss(model, (X.unsqueeze(1), X.unsqueeze(1)))
    assert [part.training for part in model.modules()] == [True, True, False]


def test_a_frozen_part_stays_in_evaluation_mode_after_validation():
    modes = []

    class Freeze:
        def on_epoch_end(self, model, history):
            modes.append(model[1].training)
            model[1].eval()

    model, rows = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5)), (X.unsqueeze(1), X.unsqueeze(1))
    fit(model, rows, rows, n_epochs=3, callbacks=[Freeze()])
    assert modes == [True, False, False]
