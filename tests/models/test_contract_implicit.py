"""What every model of implicit feedback that trains by gradients must do."""

import functools
import io
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import nn

from nbhelpers.models import explicit
from nbhelpers.models.implicit import MatrixFactorization
from nbhelpers.models.ncf import GMF, MLP, NeuMF, TwoTower
from nbhelpers.training.loop import seed_everything
from nbhelpers.training.losses import logistic_loss

N_USERS, N_ITEMS = 6, 9
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
NEGATIVES = torch.tensor([[1, 2], [4, 8], [4, 8], [0, 7]])
EVERYONE = torch.arange(N_USERS)


class Case(NamedTuple):
    """A model, and the steps of Adam that it needs for a planted taste."""

    make: Callable[[int, int], nn.Module]
    n_steps: int = 60


CASES = {
    "matrix factorization": Case(lambda u, i: MatrixFactorization(u, i, 8)),
    "GMF": Case(GMF),
    "MLP": Case(lambda u, i: MLP(u, i, 8), n_steps=200),
    "MLP of one layer": Case(lambda u, i: MLP(u, i, 8, n_hidden=(32,)), n_steps=250),
    "NeuMF": Case(lambda u, i: NeuMF(u, i, 4, n_mlp_factors=8)),
    "two towers": Case(lambda u, i: TwoTower(u, i, 8)),
    "two towers, hidden layers": Case(lambda u, i: TwoTower(u, i, 8, n_hidden=(16,)), n_steps=150),
    "two towers, cosine": Case(lambda u, i: TwoTower(u, i, 8, temperature=0.2)),
}
by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def small(case):
    return case.make(N_USERS, N_ITEMS)


def bold(case):
    """The model with large weights, so that no mistake stays small."""
    model = small(case)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model


def pair_loss(model, user_idx, item_idx, negatives):
    users = user_idx.repeat_interleave(negatives.shape[1])
    negative_scores = model(users, negatives.flatten()).view(negatives.shape)
    return logistic_loss(model(user_idx, item_idx), negative_scores)


def descend(model, draw, *, n_steps):
    """The model after some steps of Adam on batches that ``draw()`` makes."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03, fused=True)
    for _ in range(n_steps):
        optimizer.zero_grad()
        pair_loss(model, *draw()).backward()
        optimizer.step()
    return model


@by_case
def test_one_number_for_each_pair(case):
    score = small(case)(*PAIRS)
    assert score.shape == (4,)
    assert score.is_floating_point()


@by_case
def test_batch_of_one_works(case):
    assert small(case)(torch.tensor([1]), torch.tensor([2])).shape == (1,)


@by_case
def test_batch_equals_one_by_one(case):
    model = bold(case)
    alone = [model(*(x[k : k + 1] for x in PAIRS)) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), model(*PAIRS))


@by_case
def test_score_does_not_depend_on_batch_mates(case):
    model = bold(case)
    alone = model(torch.tensor([2]), torch.tensor([8]))
    for user, item in ((2, 3), (4, 8), (2, 8)):
        together = model(torch.tensor([2, user]), torch.tensor([8, item]))
        torch.testing.assert_close(together[:1], alone)


@by_case
def test_loss_reaches_every_parameter(case):
    model = small(case)
    pair_loss(model, *PAIRS, NEGATIVES).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@by_case
def test_one_batch_can_be_learned_by_heart(case):
    seed_everything(0)
    model = descend(small(case), lambda: (*PAIRS, NEGATIVES), n_steps=400)
    assert pair_loss(model, *PAIRS, NEGATIVES) < 0.05


def trained(case, seed):
    seed_everything(seed)
    return descend(small(case), lambda: (*PAIRS, NEGATIVES), n_steps=3).score_users(EVERYONE)


@by_case
def test_seed_decides_the_result(case):
    assert torch.equal(trained(case, seed=3), trained(case, seed=3))
    assert not torch.equal(trained(case, seed=3), trained(case, seed=4))


@by_case
def test_saved_and_loaded_weights_give_the_same_scores(case):
    model, other = bold(case), small(case)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(*PAIRS), model(*PAIRS))
    assert torch.equal(other.score_users(EVERYONE), model.score_users(EVERYONE))


@by_case
@pytest.mark.parametrize("pairs_at_once", [1, 20, 65_536])
def test_score_users_agrees_with_pairs(case, pairs_at_once, monkeypatch):
    monkeypatch.setattr(explicit, "PAIRS_AT_ONCE", pairs_at_once)
    model = bold(case)
    users = torch.tensor([5, 1, 1, 0, 3])
    scores = model.score_users(users)
    assert scores.shape == (5, N_ITEMS)
    one_by_one = model(users.repeat_interleave(N_ITEMS), torch.arange(N_ITEMS).repeat(5))
    torch.testing.assert_close(scores.flatten(), one_by_one)


@by_case
def test_scores_of_nobody_are_an_empty_table(case):
    assert small(case).score_users(torch.tensor([], dtype=torch.int64)).shape == (0, N_ITEMS)


@functools.cache
def clubs(seed):
    """Forty users and forty items, each of one of four clubs; users like eight of their club's
    ten items. Gives the clubs of both sides, and who likes what, a bool table."""
    generator = torch.Generator().manual_seed(seed)
    user_club = torch.arange(40)[torch.randperm(40, generator=generator)] % 4
    item_club = torch.arange(40)[torch.randperm(40, generator=generator)] % 4
    own = user_club.unsqueeze(1) == item_club  # (40, 40)
    chance = torch.rand(40, 40, generator=generator).masked_fill(~own, -1)
    liked = torch.zeros(40, 40, dtype=torch.bool).scatter(1, chance.topk(8).indices, True)
    return own, liked


@by_case
def test_planted_clubs_are_found_for_every_seed(case):
    """Of the two best unseen items most are from the user's own club; by chance 6 % would be.
    Not all: the unseen items of the club are drawn as negatives like any other."""
    for seed in range(10):
        own, liked = clubs(seed)
        seed_everything(seed)
        user_idx, item_idx = liked.nonzero(as_tuple=True)

        def draw(liked=liked, pairs=(user_idx, item_idx)):
            unseen = (~liked).float()[pairs[0]]
            return *pairs, torch.multinomial(unseen, 4)

        model = descend(case.make(40, 40), draw, n_steps=case.n_steps)
        with torch.no_grad():
            scores = model.score_users(torch.arange(40)).masked_fill(liked, -torch.inf)
        found = own.gather(1, scores.topk(2).indices)
        assert found.float().mean() > 0.6, f"seed {seed}"
