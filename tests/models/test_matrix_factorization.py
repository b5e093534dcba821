"""Matrix factorization of implicit feedback."""

import pytest
import torch

from nbhelpers.models.matrix_factorization import MatrixFactorization


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
    torch.testing.assert_close(product, model.score_users(users)[:, items])


def test_it_has_one_number_for_each_factor_and_item_bias():
    assert sum(weight.numel() for weight in MatrixFactorization(5, 7, 3).parameters()) == 43


def drawn(**settings):
    """Four users, five items, eight factors, all weights far from 0; in training mode."""
    model = MatrixFactorization(4, 5, 8, **settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(generator=generator)
    return model


ALL = torch.arange(4).repeat_interleave(5), torch.arange(5).repeat(4)


def test_dropout_does_nothing_in_evaluation():
    model, plain = drawn(dropout=0.5).eval(), drawn()
    assert torch.equal(model(*ALL), plain(*ALL))
    assert torch.equal(model.score_users(torch.arange(4)), plain.score_users(torch.arange(4)))
    assert torch.equal(model.user_vectors(torch.arange(4)), plain.user_vectors(torch.arange(4)))
    assert torch.equal(model.item_vectors(torch.arange(5)), plain.item_vectors(torch.arange(5)))


def test_dropout_hides_its_share_of_both_sides_and_doubles_the_rest():
    """Factors of 1: a product of two survivors is 4, and a quarter survive on both sides."""
    torch.manual_seed(0)
    model = MatrixFactorization(1, 1, 10_000, dropout=0.5)
    with torch.no_grad():
        model.user_factors.weight.fill_(1)
        model.item_factors.weight.fill_(1)
        model.item_bias.weight.fill_(0)
    score = model(torch.tensor([0]), torch.tensor([0])).item()
    assert score % 4 == 0
    assert abs(score / 4 - 2500) < 250
    item = model.item_vectors(torch.tensor([0]))[0, :-1]
    assert sorted(set(item.tolist())) == [0, 2]


def test_dropout_spares_the_bias():
    model = drawn(dropout=0.99)
    for _ in range(5):
        assert torch.equal(model.user_vectors(ALL[0])[:, -1], torch.ones(20))
        assert torch.equal(model.item_vectors(ALL[1])[:, -1:], model.item_bias(ALL[1]))


def test_scores_of_users_in_training_hide_factors_of_the_users_alone():
    torch.manual_seed(0)
    model = MatrixFactorization(1, 3, 10_000, dropout=0.5)
    with torch.no_grad():
        model.user_factors.weight.fill_(1)
        model.item_factors.weight.fill_(1)
        model.item_bias.weight.fill_(0)
    scores = model.score_users(torch.tensor([0]))[0]
    assert scores.unique().numel() == 1
    assert abs(scores[0].item() / 2 - 5000) < 300


def test_each_training_step_hides_others():
    model = drawn(dropout=0.5)
    assert not torch.equal(model(*ALL), model(*ALL))


def test_sparse_gradients_hold_only_the_rows_looked_up():
    model, dense = drawn(sparse=True), drawn()
    pairs = torch.tensor([1, 1]), torch.tensor([4, 0])
    for each in (model, dense):
        each(*pairs).square().sum().backward()
    for (name, table), other in zip(model.named_parameters(), dense.parameters(), strict=True):
        assert table.grad.is_sparse
        torch.testing.assert_close(table.grad.to_dense(), other.grad)
        rows = [1] if name.startswith("user") else [0, 4]
        assert table.grad.coalesce().indices()[0].tolist() == rows


def test_scores_stay_in_their_range_and_keep_their_order():
    model, plain = drawn(y_range=(1.0, 5.0)), drawn()
    expected = 1 + 4 / (1 + torch.exp(-plain(*ALL)))
    torch.testing.assert_close(model(*ALL), expected)
    torch.testing.assert_close(model.score_users(torch.arange(4)).flatten(), expected)


def test_vectors_rank_as_the_scores_in_a_range_do():
    model = drawn(y_range=(0.0, 1.0))
    product = model.user_vectors(torch.arange(4)) @ model.item_vectors(torch.arange(5)).T
    torch.testing.assert_close(product.sigmoid(), model.score_users(torch.arange(4)))


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_dropout_out_of_range_is_refused(dropout):
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1"):
        MatrixFactorization(2, 3, dropout=dropout)
