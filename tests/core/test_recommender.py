import pytest
import torch
from torch import nn

from nbhelpers.core.recommender import evaluation_mode, score_blocks, scores_of

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


def test_scores_at_once_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk_size must be at least 1, got 0"):
        next(score_blocks(Table(SCORES), torch.tensor([0]), n_items=3, chunk_size=0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_users_go_to_the_device_of_the_model():
    assert scores_of(Network().cuda(), torch.tensor([2]), n_items=3).cpu().equal(SCORES[2:3])
