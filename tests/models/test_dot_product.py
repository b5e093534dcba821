import math

import pytest
import torch
from torch import nn

from nbhelpers.core.folded import sigmoid_range
from nbhelpers.models.dot_product import DotProduct, DotProductBias
from nbhelpers.models.embeddings import Embedding, small_embedding

PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])


def test_dot_product_by_hand():
    model = DotProduct(1, 2, 3)
    with torch.no_grad():
        model.user_factors.weight[:] = torch.tensor([[1.0, 2.0, -1.0]])
        model.item_factors.weight[:] = torch.tensor([[2.0, 0.5, 1.0], [0.0, 1.0, 3.0]])
    # 1*2 + 2*0.5 - 1*1 = 2 and 0 + 2 - 3 = -1
    assert model(torch.tensor([0, 0]), torch.tensor([0, 1])).tolist() == [2.0, -1.0]


def test_biases_by_hand():
    model = DotProductBias(1, 1, 2)
    with torch.no_grad():
        model.user_factors.weight[:] = torch.tensor([[1.0, 1.0]])
        model.item_factors.weight[:] = torch.tensor([[0.5, 0.25]])
        model.user_bias.weight.fill_(2.0)
        model.item_bias.weight.fill_(-0.5)
    assert model(torch.tensor([0]), torch.tensor([0])).tolist() == [2.25]


def test_predictions_stay_inside_the_range():
    model = DotProductBias(2, 2, 2, y_range=(1.0, 5.0))
    with torch.no_grad():
        model.user_bias.weight.fill_(8.0)
    pred = model(torch.tensor([0]), torch.tensor([0]))
    assert 4.9 < pred.item() < 5.0


def test_own_and_library_tables_share_their_weights():
    own = DotProductBias(6, 9, 4, embedding=Embedding)
    library = DotProductBias(6, 9, 4, embedding=small_embedding)
    assert isinstance(library.user_factors, nn.Embedding)
    library.load_state_dict(own.state_dict())
    torch.testing.assert_close(library(*PAIRS), own(*PAIRS))
    own.load_state_dict(library.state_dict())


def test_tables_start_small():
    for table in (Embedding(1000, 50), small_embedding(1000, 50)):
        assert table.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("score", "stars"), [(0.0, 2.75), (math.log(3), 5.5 * 0.75), (-math.log(3), 5.5 * 0.25)]
)
def test_sigmoid_range_by_hand(score, stars):
    assert sigmoid_range(torch.tensor(score), 0, 5.5).item() == pytest.approx(stars)


def test_range_upside_down_is_refused():
    with pytest.raises(ValueError, match="low must be below high, got 5 and 1"):
        sigmoid_range(torch.tensor(0.0), 5, 1)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4)], ids=["one row", "a batch", "two axes"])
def test_a_small_table_looks_up_and_learns_as_that_of_torch_does(shape):
    ours, theirs = small_embedding(7, 3), torch.nn.Embedding(7, 3)
    theirs.load_state_dict(ours.state_dict())
    idx = torch.randint(7, shape, generator=torch.Generator().manual_seed(0))
    scale = torch.rand(*shape, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(ours(idx), theirs(idx))
    for table in (ours, theirs):
        (table(idx) * scale).sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_a_small_table_refuses_a_row_that_is_not_there():
    with pytest.raises(IndexError):
        small_embedding(7, 3)(torch.tensor([7]))


def test_a_sparse_table_has_sparse_gradients():
    table = small_embedding(7, 3, sparse=True)
    table(torch.tensor([2])).sum().backward()
    assert table.weight.grad.is_sparse
