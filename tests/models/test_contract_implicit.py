"""What every model of implicit feedback that trains by gradients must do."""

import functools
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models import collab_nn, matrix_factorization, metric_learning, ncf, sequence_tower
from nbhelpers.models.collab_nn import CollabNN
from nbhelpers.models.fm import DeepFM, FactorizationMachine
from nbhelpers.models.hybrid import Hybrid, HybridMF
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.metric_learning import MetricLearning
from nbhelpers.models.ncf import GMF, MLP, NeuMF
from nbhelpers.models.sequence_tower import SequenceTower
from nbhelpers.models.two_tower import TwoTower
from nbhelpers.serving.storage import load_model, save_model
from nbhelpers.training import losses
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import hinge_loss, logistic_loss
from nbhelpers.training.optimizers import adam
from nbhelpers.training.partial_credit import partial_credit

N_USERS, N_ITEMS = 6, 9
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
NEGATIVES = torch.tensor([[1, 2], [4, 8], [4, 8], [0, 7]])
BATCH = (*PAIRS, NEGATIVES)
EVERYONE = torch.arange(N_USERS)
THIRDS = torch.eye(3).repeat(3, 1)
LATEST = torch.tensor([[8, 1], [3, 3], [0, 9], [9, 9], [2, 5], [7, 9]])  # 9 pads

SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))]


class Case(NamedTuple):
    """A model; a loss and the steps of Adam in which it finds a planted taste."""

    kind: type[nn.Module]
    settings: dict[str, Any] = {}  # noqa: RUF012, never changed
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = logistic_loss
    n_steps: int = 60
    sizes: tuple[str, ...] = ("n_users", "n_items")

    def arguments(self, n_users=N_USERS, n_items=N_ITEMS):
        given = {"n_users": n_users, "n_items": n_items}
        return {name: given[name] for name in self.sizes} | self.settings

    def make(self, **sizes):
        return self.kind(**self.arguments(**sizes))


def factorization(n_steps=60, **settings):
    return Case(MatrixFactorization, {"n_factors": 8, **settings}, n_steps=n_steps)


def two_towers(n_steps=60, **settings):
    return Case(TwoTower, {"n_factors": 8, **settings}, n_steps=n_steps)


near = functools.partial(hinge_loss, margin=0.5)  # of distances: no score is above 0
CASES = {
    "matrix factorization": factorization(),
    "matrix factorization, dropout": factorization(dropout=0.3),
    "matrix factorization, sparse": factorization(sparse=True),
    "matrix factorization in a range": factorization(y_range=(-6.0, 6.0)),
    "matrix factorization, all": factorization(dropout=0.1, sparse=True, y_range=(-6.0, 6.0)),
    "GMF": Case(GMF),
    "MLP": Case(MLP, {"n_factors": 8}, n_steps=200),
    "NeuMF": Case(NeuMF, {"n_factors": 4, "n_mlp_factors": 8}),
    "two towers": two_towers(),
    "two towers, hidden layers": two_towers(n_hidden=(16,), n_steps=150),
    "two towers, cosine": two_towers(temperature=0.2),
    "metric learning": Case(MetricLearning, {"n_factors": 8}, loss=near),
    "features": Case(LightFM, {"n_factors": 8}),
    "features, ids dropped": Case(LightFM, {"n_factors": 8, "id_dropout": 0.1}),
    "factorization machine": Case(FactorizationMachine, {"n_factors": 8}),
    "DeepFM": Case(DeepFM, {"n_factors": 8}),
    "hybrid around a dot product": Case(HybridMF, {"n_factors": 8}),
}
# What more takes its first step with every loss, and is stored.
STEPPING = CASES | {
    "MLP of one layer": Case(MLP, {"n_factors": 8, "n_hidden": (32,)}),
    "NeuMF of three layers": Case(NeuMF, {"n_hidden": (16, 8, 4)}),
    "two towers, hidden layers, cosine": two_towers(n_hidden=(16,), temperature=0.2),
    "features of items": Case(LightFM, {"item_features": THIRDS}),
    "hybrid of both": Case(Hybrid, {"user_features": THIRDS[:N_USERS], "item_features": THIRDS}),
    "hybrid around a dot product, item side": Case(HybridMF, {"item_features": THIRDS}),
    "history": Case(SequenceTower, {"latest": LATEST, "n_factors": 8}, sizes=("n_items",)),
    "history without dropout": Case(
        SequenceTower, {"latest": LATEST, "item_dropout": 0.0, "dropout": 0.0}, sizes=("n_items",)
    ),
}
by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
# A CollabNN has shown in test_contract.py that its scores have the right shape and order.
OWN_SCORES = {name: case for name, case in CASES.items() if not issubclass(case.kind, CollabNN)}
by_own_scores = pytest.mark.parametrize("case", OWN_SCORES.values(), ids=OWN_SCORES.keys())
by_stepping = pytest.mark.parametrize("case", STEPPING.values(), ids=STEPPING.keys())


def bold(case):
    """The model with large weights, so that no mistake stays small, in evaluation mode."""
    model = case.make()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model.eval()


def descend(case, model, draw, *, n_steps):
    """The model after some steps of Adam on batches that ``draw()`` makes."""
    optimizer = adam(model, lr=0.03)
    for _ in range(n_steps):
        optimizer.zero_grad()
        pair_loss(model, draw(), case.loss).backward()
        optimizer.step()
    return model.eval()


@by_own_scores
def test_one_number_for_each_pair(case):
    score = case.make()(*PAIRS)
    assert score.shape == (4,)
    assert score.is_floating_point()


@by_own_scores
def test_batch_of_one_works(case):
    assert case.make()(torch.tensor([1]), torch.tensor([2])).shape == (1,)


@by_own_scores
def test_batch_equals_one_by_one(case):
    model = bold(case)
    alone = [model(*(x[k : k + 1] for x in PAIRS)) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), model(*PAIRS))


@by_own_scores
def test_score_does_not_depend_on_batch_mates(case):
    model = bold(case)
    alone = model(torch.tensor([2]), torch.tensor([8]))
    for user, item in ((2, 3), (4, 8), (2, 8)):
        together = model(torch.tensor([2, user]), torch.tensor([8, item]))
        torch.testing.assert_close(together[:1], alone)


@by_case
def test_loss_reaches_every_parameter(case):
    model = case.make()
    pair_loss(model, BATCH, case.loss).backward()
    gradients = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None and gradient.to_dense().any() for gradient in gradients)


@by_case
def test_one_batch_can_be_learned_by_heart(case):
    seed_everything(0)
    model = descend(case, case.make(), lambda: BATCH, n_steps=400)
    assert pair_loss(model, BATCH, case.loss) < 0.05


def trained(case, seed):
    seed_everything(seed)
    return descend(case, case.make(), lambda: BATCH, n_steps=3).score_users(EVERYONE)


@by_case
def test_seed_decides_the_result(case):
    assert torch.equal(trained(case, seed=3), trained(case, seed=3))
    assert not torch.equal(trained(case, seed=3), trained(case, seed=4))


@by_own_scores
def test_copied_weights_give_the_same_scores(case):
    model, other = bold(case), case.make().eval()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(*PAIRS), model(*PAIRS))
    assert torch.equal(other.score_users(EVERYONE), model.score_users(EVERYONE))


@by_own_scores
@pytest.mark.parametrize("chunk_size", [1, 20, 65_536])
def test_score_users_agrees_with_pairs(case, chunk_size, monkeypatch):
    monkeypatch.setattr(collab_nn, "CHUNK_SIZE", chunk_size)
    model = bold(case)
    users = torch.tensor([5, 1, 1, 0, 3])
    scores = model.score_users(users)
    assert scores.shape == (5, N_ITEMS)
    one_by_one = model(users.repeat_interleave(N_ITEMS), torch.arange(N_ITEMS).repeat(5))
    torch.testing.assert_close(scores.flatten(), one_by_one)


@by_own_scores
def test_scores_of_nobody_are_an_empty_table(case):
    assert case.make().score_users(torch.tensor([], dtype=torch.int64)).shape == (0, N_ITEMS)


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
@pytest.mark.parametrize("seed", SEEDS)
def test_planted_clubs_are_found(case, seed):
    """Of the two best unseen items most are from the user's own club; by chance 6 % would be.
    Not all: the unseen items of the club are drawn as negatives like any other."""
    own, liked = clubs(seed)
    seed_everything(seed)
    user_idx, item_idx = liked.nonzero(as_tuple=True)

    def draw():
        unseen = (~liked).float()[user_idx]
        return user_idx, item_idx, torch.multinomial(unseen, 4)

    model = descend(case, case.make(n_users=40, n_items=40), draw, n_steps=case.n_steps)
    with torch.no_grad():
        scores = model.score_users(torch.arange(40)).masked_fill(liked, -torch.inf)
    found = own.gather(1, scores.topk(2).indices)
    assert found.float().mean() > 0.6


def in_batch_loss(model, batch):
    """Each row's user against the positives of all rows."""
    user_idx, item_idx, _ = batch
    n_rows = len(user_idx)
    scores = model(user_idx.repeat_interleave(n_rows), item_idx.repeat(n_rows))
    return losses.sampled_softmax_loss(scores.view(n_rows, n_rows), item_idx)


def on_negatives(loss):
    return functools.partial(pair_loss, loss=loss)


LOSSES = {
    "logistic_loss": on_negatives(logistic_loss),
    "softmax_loss": on_negatives(losses.softmax_loss),
    "bpr_loss": on_negatives(losses.bpr_loss),
    "hinge_loss": on_negatives(hinge_loss),
    "adaptive_hinge_loss": on_negatives(losses.adaptive_hinge_loss),
    "warp_loss": on_negatives(functools.partial(losses.warp_loss, n_items=N_ITEMS)),
    "sampled_softmax_loss": in_batch_loss,
    "partial_credit": on_negatives(
        partial_credit(losses.bpr_loss, {"decade": torch.arange(N_ITEMS) % 3}, {"decade": 1})
    ),
}
by_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def test_no_loss_is_left_out():
    public = {name for name in vars(losses) if name.endswith("_loss") and name[0] != "_"}
    assert (public | {"partial_credit"}) - {"full_softmax_loss"} == LOSSES.keys()


@pytest.mark.parametrize("module", [matrix_factorization, metric_learning, ncf, sequence_tower])
def test_no_model_is_left_out(module):
    kinds = {kind for kind in vars(module).values() if isinstance(kind, type)}
    own = {kind for kind in kinds if kind.__module__ == module.__name__}
    assert own <= {case.kind for case in STEPPING.values()}


def scorer(model):
    """The model as a function of pairs."""
    if not isinstance(model, SequenceTower):
        return model
    return lambda users, items: model.score_users(users).gather(1, items.unsqueeze(1)).squeeze(1)


def step(model, loss):
    """The model's loss before one step of Adam."""
    optimizer = adam(model, lr=0.03)
    value = loss(scorer(model), BATCH)
    value.backward()
    optimizer.step()
    return value.item()


def sides(model):
    """Copies of the weights of the users' side and of the items', all but the biases."""
    weights = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if "bias" not in name
    }
    users = [weight for name, weight in weights.items() if "user" in name or name == "log_weight"]
    return users, [weight for name, weight in weights.items() if "item" in name]


@by_stepping
@by_loss
def test_first_step_of_every_loss_moves_users_and_items(case, loss):
    seed_everything(0)
    model = case.make()
    before = sides(model)
    assert torch.tensor(step(model, loss)).isfinite()
    for old, new in zip(before, sides(model), strict=True):
        assert any(not torch.equal(*pair) for pair in zip(old, new, strict=True))
        assert all(weight.isfinite().all() for weight in new)


@by_stepping
def test_stored_and_loaded_models_give_the_same_scores(case, tmp_path):
    seed_everything(0)
    model = case.make()
    step(model, LOSSES["hinge_loss"])
    model.eval()
    ids = {"users": Vocabulary(range(N_USERS)), "items": Vocabulary(range(N_ITEMS))}
    save_model(model, tmp_path, settings=case.arguments(), **ids)
    loaded = load_model(tmp_path, case.kind).model
    assert torch.equal(loaded.score_users(EVERYONE), model.score_users(EVERYONE))
    assert torch.equal(scorer(loaded)(*PAIRS), scorer(model)(*PAIRS))
