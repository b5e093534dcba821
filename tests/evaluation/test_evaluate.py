import pytest
import torch

from nbhelpers.evaluation.evaluate import evaluate_ratings
from nbhelpers.models.dot_product import DotProduct

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


def test_module_is_put_into_evaluation_mode():
    model = DotProduct(5, 3, 2)
    model.train()
    evaluate_ratings(model, DATA)
    assert not model.training


def test_more_rows_than_one_block():
    n = 70_000
    data = torch.arange(n) % 7, torch.zeros(n, dtype=torch.int64), torch.full((n,), 2.0)
    assert evaluate_ratings(lambda user, item: torch.zeros(len(user)), data).mse == 4.0
