import pytest
import torch

from nbhelpers.core.recommender import Recommender
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.evaluate import evaluate_unmasked
from nbhelpers.models.fixed_scores import FixedScores

TABLE = torch.tensor([[0.0, 1.0, 2.0], [2.0, 0.0, 1.0]])


def test_rows_come_in_the_order_asked():
    model: Recommender = FixedScores(TABLE)
    assert model.score_users(torch.tensor([1, 0, 1])).tolist() == TABLE[[1, 0, 1]].tolist()


def test_sizes_are_those_of_the_table():
    model = FixedScores(TABLE)
    assert (model.n_users, model.n_items) == (2, 3)


def test_gradients_do_not_travel():
    assert not FixedScores(TABLE.clone().requires_grad_()).scores.requires_grad


def test_evaluation_takes_it_as_a_model():
    held_out = Interactions([0, 1], [2, 2], n_users=2, n_items=3)
    found = evaluate_unmasked(FixedScores(TABLE), held_out, k=1)
    assert found.per_user["hit_rate"].tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3)])
def test_what_is_no_table_is_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        FixedScores(torch.zeros(shape))
