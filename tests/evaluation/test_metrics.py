import math

import pytest
import torch
from sklearn import metrics as sklearn_metrics

from nbhelpers.evaluation.metrics import mae, rmse

PRED, RATING = torch.tensor([3.0, 5.0, 1.0]), torch.tensor([4.0, 3.0, 1.0])


def test_errors_by_hand():
    assert rmse(PRED, RATING) == pytest.approx(math.sqrt(5 / 3))
    assert mae(PRED, RATING) == pytest.approx(1.0)


def test_perfect_prediction_has_no_error():
    assert rmse(RATING, RATING) == mae(RATING, RATING) == 0.0


def test_one_rating_is_enough():
    assert rmse(torch.tensor([2.0]), torch.tensor([5.0])) == 3.0


def test_errors_agree_with_scikit_learn(rng):
    pred, rating = rng.normal(3, 1, 500), rng.integers(1, 6, 500).astype(float)
    tensors = torch.tensor(pred), torch.tensor(rating)
    assert rmse(*tensors) == pytest.approx(sklearn_metrics.root_mean_squared_error(rating, pred))
    assert mae(*tensors) == pytest.approx(sklearn_metrics.mean_absolute_error(rating, pred))


@pytest.mark.parametrize("metric", [rmse, mae])
@pytest.mark.parametrize(
    ("pred", "rating", "message"),
    [
        (torch.zeros(3), torch.zeros(3, 1), r"got \(3,\) and \(3, 1\)"),
        (torch.zeros(3), torch.zeros(2), r"got \(3,\) and \(2,\)"),
        (torch.zeros(0), torch.zeros(0), "no rating to compare with"),
        (torch.tensor([math.nan, 1.0]), torch.ones(2), "1 predictions or ratings are not finite"),
    ],
)
def test_bad_input_is_refused(metric, pred, rating, message):
    with pytest.raises(ValueError, match=message):
        metric(pred, rating)
