"""A main model that knows users 0 and 1 and items 0 to 2, of three users and five items."""

import pytest
import torch

from nbhelpers.core.recommender import FoldsIn, HasSizes, KnowsTraining
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import ALS
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.fallback import WithFallback
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.matrix_factorization import MatrixFactorization

EVERYBODY = torch.arange(3)


class Table:
    """Fixed scores, and what they were trained on."""

    def __init__(self, scores, *, users, items):
        self.scores = torch.tensor(scores)
        self.n_users, self.n_items = self.scores.shape
        self.trained_users, self.trained_items = torch.tensor(users), torch.tensor(items)

    def score_users(self, user_idx):
        return self.scores[user_idx]


@pytest.fixture
def main():
    rows = [[3.0, 1.0, 2.0, 0.0, 0.0], [-7.0, -5.0, -6.0, 0.0, 0.0], [0.0] * 5]
    return Table(rows, users=[True, True, False], items=[True, True, True, False, False])


@pytest.fixture
def fallback():
    row = [10.0, 20.0, 30.0, 40.0, 50.0]
    return Table([row] * 3, users=[True] * 3, items=[True] * 5)


def ranked(scores):
    return scores.argsort(dim=1, descending=True).tolist()


def test_a_user_whom_the_main_model_does_not_know_gets_the_scores_of_the_fallback(main, fallback):
    scores = WithFallback(main, fallback).score_users(torch.tensor([2]))
    assert scores.tolist() == [[10.0, 20.0, 30.0, 40.0, 50.0]]


def test_items_that_the_main_model_does_not_know_come_last_in_the_order_of_the_fallback(
    main, fallback
):
    scores = WithFallback(main, fallback).score_users(torch.tensor([0, 1]))
    assert ranked(scores) == [[0, 2, 1, 4, 3], [1, 2, 0, 4, 3]]
    assert scores[:, :3].tolist() == [[3.0, 1.0, 2.0], [-7.0, -5.0, -6.0]], "those it knows stay"


def test_they_come_below_the_worst_of_the_others_and_not_only_below_the_best(main, fallback):
    main.scores[0, 1] = -100.0
    scores = WithFallback(main, fallback).score_users(torch.tensor([0]))
    assert ranked(scores) == [[0, 2, 1, 4, 3]]


def test_users_of_both_kinds_may_come_together_in_any_order(main, fallback):
    model = WithFallback(main, fallback)
    together = model.score_users(torch.tensor([2, 0, 2, 1]))
    alone = [model.score_users(torch.tensor([user])) for user in (2, 0, 2, 1)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("lowest", [-3e30, -1.0, 0.0, 1e-30, 5e7])
def test_order_holds_whatever_the_level_of_the_scores(lowest):
    n = 1_000
    main = Table([[lowest] * (n + 1)], users=[True], items=[True] + [False] * n)
    fallback = Table([[0.0, *(k / n for k in range(n))]], users=[True], items=[True] * (n + 1))
    scores = WithFallback(main, fallback).score_users(torch.tensor([0]))[0]
    assert scores[0] == lowest
    assert (scores[1:] < lowest).all()
    assert (scores[2:] > scores[1:-1]).all()


def test_what_ties_in_the_fallback_ties_below(main, fallback):
    fallback.scores[:, 3:] = 7.0
    scores = WithFallback(main, fallback).score_users(torch.tensor([0]))[0]
    assert scores[3] == scores[4] < 1.0


def test_the_fallback_fills_only_what_the_main_model_does_not_know(main, fallback):
    main.trained_users[:], main.trained_items[:] = True, True
    scores = WithFallback(main, fallback).score_users(EVERYBODY)
    assert scores.tolist() == main.scores.tolist()


def test_it_serves_every_user_and_the_items_of_both(main, fallback):
    fallback.trained_users[:] = False
    fallback.trained_items = torch.tensor([False, False, False, True, False])
    model = WithFallback(main, fallback)
    assert isinstance(model, KnowsTraining)
    assert isinstance(model, HasSizes)
    assert (model.n_users, model.n_items) == (3, 5)
    assert model.trained_users.tolist() == [True, True, True]
    assert model.trained_items.tolist() == [True, True, True, True, False]


def test_a_main_model_that_says_nothing_of_its_training_is_never_replaced(fallback):
    main = MatrixFactorization(3, 5, 2)
    scores = WithFallback(main, fallback).score_users(EVERYBODY)
    torch.testing.assert_close(scores, main.score_users(EVERYBODY))


def test_a_main_module_is_asked_without_dropout_and_keeps_its_mode(fallback):
    main = MatrixFactorization(3, 5, 64, dropout=0.9)
    model = WithFallback(main, fallback)
    torch.testing.assert_close(model.score_users(EVERYBODY), model.score_users(EVERYBODY))
    assert main.training


def train():
    """User 2 has nothing, and nobody has item 3."""
    return Interactions([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], n_users=3, n_items=4)


@pytest.mark.parametrize("main", [EASE(reg=1.0), ItemKNN(), ALS(2, reg=0.1)])
def test_closed_form_models_leave_users_without_positives_to_the_fallback(main):
    model = WithFallback(main.fit(train()), Popularity().fit(train()))
    assert model.score_users(torch.tensor([2])).tolist() == [[2.0, 2.0, 1.0, 0.0]]
    scores = model.score_users(torch.tensor([0, 1]))
    torch.testing.assert_close(scores[:, :3], main.score_users(torch.tensor([0, 1]))[:, :3])
    assert (scores[:, 3] < scores[:, :3].amin(dim=1)).all()


@pytest.mark.parametrize("main", [EASE(reg=1.0), ALS(2, reg=0.1)])
def test_new_users_are_folded_into_the_main_model_and_others_get_the_fallback(main):
    model = WithFallback(main.fit(train()), Popularity().fit(train()))
    assert isinstance(model, FoldsIn)
    new = Interactions([1], [1], n_users=2, n_items=4)  # user 0 has nothing
    folded = model.fold_in(new)
    scores = folded.score_users(torch.tensor([0, 1]))
    assert scores[0].tolist() == [2.0, 2.0, 1.0, 0.0]
    expected = main.fold_in(new).score_users(torch.tensor([1]))[0, :3]
    torch.testing.assert_close(scores[1, :3], expected)
    assert scores[1, 3] < expected.min()
    assert folded.trained_users.tolist() == [True, True]
    assert folded.trained_items.tolist() == [True, True, True, False]


def test_models_that_cannot_fold_in_are_named(main):
    model = WithFallback(MatrixFactorization(3, 4, 2), Popularity().fit(train()))
    with pytest.raises(ValueError, match="MatrixFactorization has no fold_in"):
        model.fold_in(train())


def test_models_of_other_sizes_are_refused(main):
    with pytest.raises(ValueError, match=r"same users and items, got \(3, 5\) and \(3, 4\)"):
        WithFallback(main, Popularity().fit(train()))
    with pytest.raises(ValueError, match=r"Popularity does not say n_users .* is it fitted"):
        WithFallback(main, Popularity())


def test_ids_are_those_of_the_main_model():
    users, items = Vocabulary(range(3)), Vocabulary(list("abcd"))
    known = Interactions([0, 1], [0, 1], users=users, items=items)
    model = WithFallback(EASE().fit(known), Popularity().fit(train()))
    assert model.user_fingerprint == users.fingerprint
    assert model.item_fingerprint == items.fingerprint


def test_settings_build_it_anew_and_repr_shows_both(main, fallback):
    model = WithFallback(main, fallback)
    again = WithFallback(**model.settings())
    torch.testing.assert_close(again.score_users(EVERYBODY), model.score_users(EVERYBODY))
    assert repr(model).startswith("WithFallback(main=<")
    assert repr(model).endswith("3 users, 5 items")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_main_model_on_a_gpu_answers_there():
    main = MatrixFactorization(3, 4, 2).cuda()
    scores = WithFallback(main, Popularity().fit(train())).score_users(torch.arange(3))
    assert scores.is_cuda
