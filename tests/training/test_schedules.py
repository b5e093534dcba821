from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.training.fit import fit
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.lightning import PairModule
from nbhelpers.training.loop import Recipe, train_epochs
from nbhelpers.training.optimizers import adam, factors_and_biases, on_plateau, one_cycle

X = torch.arange(4.0).unsqueeze(1)


def test_rate_climbs_for_a_quarter_then_falls_to_nearly_nothing():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=0.4)
    scheduler = one_cycle(optimizer, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(rates) < 100 else None
    assert rates[0] == pytest.approx(0.4 / 25)
    assert rates.index(max(rates)) == 24
    assert max(rates) == pytest.approx(0.4)
    assert rates[-1] < 1e-4


def rates_under(metrics, **settings):
    """Learning rate of each epoch of a run whose validation finds these metrics."""
    metrics = list(metrics)
    left = iter(metrics)
    history = fit_by(lambda model: {"map": next(left)}, n_epochs=len(metrics), **settings)
    return [rates[0] for rates in history.learning_rates]


def fit_by(validate, *, n_epochs, mode="max", schedule_mode="max", factor=0.5, patience=1):
    recipe = Recipe(
        n_epochs=n_epochs,
        make_optimizer=partial(adam, lr=0.8),
        schedule=partial(on_plateau, factor=factor, patience=patience, mode=schedule_mode),
        validate=validate,
        mode=mode,
        device="cpu",
    )
    batches = [(X,), (X,), (X,)]  # several steps an epoch, none of which may move the rate
    return train_epochs(nn.Linear(1, 1), batches, squares, recipe=recipe)


def squares(model, batch):
    return model(batch[0]).square().mean(), len(batch[0])


def test_rate_falls_after_the_epochs_that_are_waited_for():
    metrics = [0.1, 0.2, 0.2, 0.15, 0.19, 0.1, 0.3, 0.3, 0.2, 0.1]
    # One bad epoch is waited for; the second halves the rate, and the count starts anew.
    assert rates_under(metrics, patience=1) == [0.8] * 4 + [0.4] * 2 + [0.2] * 3 + [0.1]


def test_no_patience_halves_at_each_epoch_that_is_no_better():
    assert rates_under([0.1, 0.1, 0.1, 0.2, 0.2], patience=0) == [0.8, 0.8, 0.4, 0.2, 0.2]


def test_a_tiny_gain_is_a_gain():
    assert rates_under([0.1, 0.1 + 1e-9, 0.1 + 2e-9, 0.1 + 3e-9], patience=0) == [0.8] * 4


def test_a_low_loss_is_good_where_the_loop_says_so():
    def validate(model):
        return {"valid_loss": next(losses)}

    losses = iter([3.0, 2.0, 1.0, 1.5, 1.5])
    history = fit_by(validate, n_epochs=5, mode="min", schedule_mode="min", patience=0)
    assert [rates[0] for rates in history.learning_rates] == [0.8] * 4 + [0.4]


def test_fit_follows_its_validation_rows():
    slow = partial(on_plateau, factor=0.5, patience=0, mode="min")
    rows, wrong = (X, X.squeeze(1)), (X, -X.squeeze(1))  # what is learned makes the other worse
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0))
    nn.init.zeros_(model[0].weight)
    history = fit(model, rows, wrong, n_epochs=4, lr=0.01, schedule=slow, device="cpu")
    assert history.valid_loss == sorted(history.valid_loss)
    assert [rates[0] for rates in history.learning_rates] == [0.01, 0.01, 0.005, 0.0025]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validate": None}, "needs validation"),
        ({"validate": lambda model: {"map": 1.0}, "schedule_mode": "min"}, "set mode='max'"),
        ({"validate": lambda model: {"map": 1.0}, "factor": 1.0}, "between 0 and 1, got 1.0"),
        ({"validate": lambda model: {"map": 1.0}, "patience": -1}, "at least 0, got -1"),
    ],
)
def test_a_plateau_that_cannot_be_seen_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        fit_by(n_epochs=2, **settings)


def test_lightning_refuses_a_plateau():
    module = PairModule(nn.Linear(1, 1), schedule=on_plateau)
    module.trainer = SimpleNamespace(estimated_stepping_batches=3)
    with pytest.raises(ValueError, match="fit_ranking"):
        module.configure_optimizers()


def test_a_run_that_was_stopped_goes_on_with_its_plateau(tmp_path):
    metrics = [0.1, 0.2, 0.1, 0.1, 0.1, 0.1]

    def run(values, **settings):
        left = iter(values)
        rows = (torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64))
        model = MatrixFactorization(1, 3, 2)
        batches = [(*rows, torch.tensor([[2], [2]]))]
        return fit_ranking(
            model,
            batches,
            lr=0.8,
            n_epochs=len(metrics),
            schedule=partial(on_plateau, factor=0.5, patience=1),
            validate=lambda model: {"map": next(left)},
            device="cpu",
            **settings,
        )

    class Stops:
        def on_epoch_end(self, model, history):
            if len(history.train_loss) == 4:  # in the middle of a wait
                raise KeyboardInterrupt

    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        run(metrics, checkpoint=path, callbacks=[Stops()])
    history = run(metrics[3:], checkpoint=path)
    assert history.learning_rates == run(metrics).learning_rates == [(0.8,)] * 4 + [(0.4,)] * 2


def test_every_group_of_a_joint_optimizer_slows_down():
    class Biased(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    optimizer = factors_and_biases(Biased(), lr=0.4, bias_lr=0.2)
    scheduler = on_plateau(optimizer, 0, factor=0.5, patience=0)
    scheduler.step(1.0)
    scheduler.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.1]
