import pytest
import torch

from nbhelpers.evaluation.evaluate import evaluate_ratings
from tests.fake_gpu import DEVICE, fake_gpu

DATA = torch.tensor([0, 0, 4]), torch.tensor([1, 2, 1]), torch.tensor([4.0, 2.0, 5.0])


def test_errors_of_a_constant_by_hand():
    scores = evaluate_ratings(lambda user, item: torch.full(user.shape, 3.0), DATA)
    assert scores.mse == pytest.approx((1 + 1 + 4) / 3)
    assert scores.rmse == pytest.approx(2**0.5)
    assert scores.mae == pytest.approx(4 / 3)


def test_interval_resamples_users():
    # user 0 has two errors of 1, user 4 one of 4: resamples give 1, 2 or 4
    scores = evaluate_ratings(lambda user, item: torch.full(user.shape, 3.0), DATA)
    assert scores.interval == pytest.approx((1.0, 4.0))


class Modes(torch.nn.Module):
    """Stars of three; notes the modes of its parts, and where it was asked."""

    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor([3.0]))
        self.frozen = torch.nn.Dropout(0.5).eval()
        self.noted = []

    def forward(self, user_idx, item_idx):
        self.noted.append((self.training, self.frozen.training, user_idx.device, item_idx.device))
        return self.level.expand(len(user_idx))


def test_each_part_of_a_module_gets_its_own_mode_back():
    model = Modes()
    evaluate_ratings(model, DATA)
    cpu = torch.device("cpu")
    assert model.noted == [(False, False, cpu, cpu)]
    assert (model.training, model.frozen.training) == (True, False)


def test_modes_come_back_after_an_error_too():
    model = Modes()
    with torch.no_grad():
        model.level.fill_(torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        evaluate_ratings(model, DATA)
    assert (model.training, model.frozen.training) == (True, False)


def test_rows_are_predicted_and_measured_where_the_model_is():
    with fake_gpu():
        model = Modes().to(DEVICE)
        scores = evaluate_ratings(model, DATA)
        again = evaluate_ratings(model, tuple(column.to(DEVICE) for column in DATA))
    assert model.noted == [(False, False, DEVICE, DEVICE)] * 2
    assert scores.mse == pytest.approx((1 + 1 + 4) / 3)
    assert scores.interval == again.interval == pytest.approx((1.0, 4.0))


def test_more_rows_than_one_block():
    n = 70_000
    data = torch.arange(n) % 7, torch.zeros(n, dtype=torch.int64), torch.full((n,), 2.0)
    assert evaluate_ratings(lambda user, item: torch.zeros(len(user)), data).mse == 4.0
