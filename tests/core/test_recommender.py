import numpy as np
import pytest
import torch
from torch import nn

from nbhelpers.core.recommender import (
    Explains,
    FoldsIn,
    HasVectors,
    device_of,
    evaluation_mode,
    score_blocks,
    scores_of,
)

SCORES = torch.arange(12.0).reshape(4, 3)


class Table:
    """Fixed scores; remembers whom it was asked for."""

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def score_users(self, user_idx):
        self.asked.append(user_idx.tolist())
        return self.scores[user_idx]


class Network(nn.Module):
    """Parts in modes of their own; remembers the mode and the gradient when asked."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(SCORES, freeze=False)
        self.inner = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
        self.inner[1].eval()
        self.modes = []

    def score_users(self, user_idx):
        self.modes.append([module.training for module in self.modules()])
        if user_idx.numel() > 3:
            raise RuntimeError("too many")
        return self.inner(self.table(user_idx))


def test_scores_come_as_the_model_gives_them():
    assert scores_of(Table(SCORES), torch.tensor([2, 0]), n_items=3).equal(SCORES[[2, 0]])


def test_the_column_of_the_unknown_item_is_cut():
    assert scores_of(Table(SCORES), torch.tensor([1]), n_items=2).tolist() == [[3.0, 4.0]]


def test_a_model_is_asked_in_evaluation_mode_and_without_gradient():
    model = Network()
    before = [module.training for module in model.modules()]
    scores = scores_of(model, torch.tensor([1, 3]), n_items=3)
    assert scores.equal(SCORES[[1, 3]])
    assert not scores.requires_grad
    assert model.modes == [[False] * 5]
    assert [module.training for module in model.modules()] == before


def test_modes_come_back_when_the_model_fails():
    model = Network()
    with pytest.raises(RuntimeError, match="too many"):
        scores_of(model, torch.arange(4), n_items=3)
    assert [module.training for module in model.modules()] == [True, True, True, True, False]


def test_what_is_no_module_has_no_mode():
    with evaluation_mode(object()):
        pass


@pytest.mark.parametrize(
    ("chunk_size", "asked"),
    [(1, [[3], [0], [1]]), (5, [[3], [0], [1]]), (6, [[3, 0], [1]]), (99, [[3, 0, 1]])],
)
def test_blocks_hold_as_many_users_as_fit(chunk_size, asked):
    model, users = Table(SCORES), torch.tensor([3, 0, 1])
    blocks = list(score_blocks(model, users, n_items=3, chunk_size=chunk_size))
    assert model.asked == asked
    assert torch.cat([block for block, _ in blocks]).equal(users)
    assert torch.cat([scores for _, scores in blocks]).equal(SCORES[users])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (SCORES[:, :1], r"must give \(2, 3\), or one column more .* got shape \(2, 1\)"),
        (torch.ones(4, 5), r"got shape \(2, 5\)"),
        (SCORES[:, 0], r"got shape \(2,\)"),
        (SCORES.index_fill(1, torch.tensor([1]), torch.inf), "2 scores .* of 2 users"),
        (SCORES.index_fill(0, torch.tensor([3]), torch.nan), "3 scores .* 1 users.*user_idx 3"),
    ],
)
def test_bad_scores_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        scores_of(Table(wrong), torch.tensor([1, 3]), n_items=3)


def test_large_scores_whose_sum_overflows_are_fine():
    large = torch.full((1, 3), 3e38)
    assert scores_of(Table(large), torch.tensor([0]), n_items=3).equal(large)


def test_a_chunk_size_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk_size must be at least 1, got 0"):
        next(score_blocks(Table(SCORES), torch.tensor([0]), n_items=3, chunk_size=0))


def test_nobody_makes_no_block():
    model = Table(SCORES)
    assert list(score_blocks(model, torch.tensor([], dtype=torch.int64), n_items=3)) == []
    assert model.asked == []


class Giving:
    """Whatever it was made with, as scores."""

    def __init__(self, scores):
        self.scores = scores

    def score_users(self, user_idx):
        return self.scores


@pytest.mark.parametrize(
    "given",
    [
        torch.tensor([[1, 2, 2**53]]),
        torch.tensor([[1.0, 2.0, 2.0**53]], dtype=torch.float64),
        np.array([[1, 2, 2**53]]),
        np.array([[1.0, 2.0, 2.0**53]]),
        np.array([[1.0, 2.0, 2.0**53]])[:, ::-1][:, ::-1],
        [[1, 2, 2**53]],
    ],
    ids=["int64", "float64", "NumPy int64", "NumPy", "NumPy view", "list"],
)
def test_scores_of_any_numbers_are_converted_exactly(given):
    scores = scores_of(Giving(given), torch.tensor([0]), n_items=3)
    assert scores.dtype == torch.float64
    assert scores.tolist() == [[1.0, 2.0, 2.0**53]]


def test_half_scores_become_single_before_they_are_summed():
    given = torch.full((1, 3), 60_000.0, dtype=torch.float16)  # the sum is no half
    scores = scores_of(Giving(given), torch.tensor([0]), n_items=3)
    assert scores.dtype == torch.float32
    assert scores.tolist() == [[60_000.0] * 3]


@pytest.mark.parametrize(
    "given",
    [
        None,
        "1 2 3",
        [[1.0, None, 2.0]],
        [[1.0], [2.0, 3.0]],
        np.array([["1", "2", "3"]]),
        torch.ones(1, 3, dtype=torch.complex64),
        torch.ones(1, 3).to_sparse(),
    ],
    ids=["None", "text", "a gap", "ragged", "array of text", "complex", "sparse"],
)
def test_what_is_no_table_of_numbers_is_refused_by_the_name_of_the_model(given):
    with pytest.raises(ValueError, match="score_users of Giving must give a dense Tensor of float"):
        scores_of(Giving(given), torch.tensor([0]), n_items=3)


def test_users_go_to_the_device_of_the_model():
    class Elsewhere:
        device = torch.device("meta")

        def score_users(self, user_idx):
            assert user_idx.device == self.device
            return torch.zeros(1, 3)

    assert scores_of(Elsewhere(), torch.tensor([0]), n_items=3).tolist() == [[0.0] * 3]


def test_a_model_computes_where_its_tensors_are_or_where_it_says_or_on_the_cpu():
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")
    assert device_of(nn.BatchNorm1d(1, affine=False, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")
    assert device_of(Table(SCORES)) == torch.device("cpu")


def test_a_capability_is_a_method():
    class Able(Table):
        def fold_in(self, interactions):
            return self

        def user_vectors(self, user_idx):
            return self.scores

        def item_vectors(self, item_idx):
            return self.scores

    assert isinstance(Able(SCORES), FoldsIn)
    assert isinstance(Able(SCORES), HasVectors)
    assert not isinstance(Able(SCORES), Explains)
    assert not isinstance(Table(SCORES), FoldsIn)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_users_go_to_the_gpu_of_the_model():
    scores = scores_of(Network().cuda(), torch.tensor([2]), n_items=3)
    torch.testing.assert_close(scores.cpu(), SCORES[2:3])
