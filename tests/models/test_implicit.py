"""Matrix factorization of implicit feedback."""

import torch

from nbhelpers.models.implicit import MatrixFactorization


def model_by_hand():
    """Two users, three items, two factors."""
    model = MatrixFactorization(2, 3, 2)
    with torch.no_grad():
        model.user_factors.weight.copy_(torch.tensor([[1.0, 2.0], [0.0, -1.0]]))
        model.item_factors.weight.copy_(torch.tensor([[3.0, 1.0], [0.0, 0.0], [-1.0, 4.0]]))
        model.item_bias.weight.copy_(torch.tensor([[0.5], [0.25], [0.0]]))
    return model


def test_score_is_dot_product_plus_item_bias():
    scores = model_by_hand().score_users(torch.tensor([0, 1]))
    assert scores.tolist() == [[5.5, 0.25, 7.0], [-0.5, 0.25, -4.0]]


def test_vectors_carry_the_bias_into_the_dot_product():
    model = model_by_hand()
    users, items = torch.tensor([1, 0]), torch.tensor([2, 0])
    assert model.user_vectors(users).tolist() == [[0.0, -1.0, 1.0], [1.0, 2.0, 1.0]]
    assert model.item_vectors(items).tolist() == [[-1.0, 4.0, 0.0], [3.0, 1.0, 0.5]]
    product = model.user_vectors(users) @ model.item_vectors(items).T
    assert torch.equal(product, model.score_users(users)[:, items])


def test_it_has_one_number_for_each_factor_and_item_bias():
    assert sum(weight.numel() for weight in MatrixFactorization(5, 7, 3).parameters()) == 43
