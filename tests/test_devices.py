"""The whole package on a GPU that is pretended: no tensor meets one of the other device."""

import sys

import numpy as np
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.evaluate import evaluate_ranking, evaluate_ratings, evaluate_unmasked
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.collab_nn import CollabNN
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.fm import FactorizationMachine
from nbhelpers.models.hybrid import Hybrid, HybridMF
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.metric_learning import MetricLearning
from nbhelpers.models.ncf import GMF, MLP, NeuMF
from nbhelpers.models.svdpp import SVDpp
from nbhelpers.models.two_tower import TwoTower
from nbhelpers.sampling.batches import InBatch, PairBatches, UserBatches
from nbhelpers.sampling.negatives import (
    ExactNegatives,
    HardestNegatives,
    PairScores,
    PopularityNegatives,
    UniformNegatives,
)
from nbhelpers.serving.fold_in import fold_in_user
from nbhelpers.serving.index import ExactIndex, search_unseen
from nbhelpers.serving.recommend import recommend, recommend_users, scores_by_item
from nbhelpers.serving.similar import similar_items, similar_users
from nbhelpers.training import losses
from nbhelpers.training.fit import fit
from nbhelpers.training.fit_ranking import fit_ranking, pair_loss
from nbhelpers.training.fit_stages import Stage, fit_stages
from nbhelpers.training.partial_credit import partial_credit
from tests.fake_gpu import DEVICE, FakeGenerator, fake_gpu

N_USERS, N_ITEMS = 8, 9
USERS, ITEMS = Vocabulary(range(1, N_USERS + 1)), Vocabulary(range(101, 101 + N_ITEMS))
# Even users like even items, odd users odd ones; user u's first own item is held out.
LIKED = [(u, i) for u in range(N_USERS) for i in range(N_ITEMS) if (u + i) % 2 == 0]
HELD_OUT = {(u, u % N_ITEMS) for u in range(N_USERS)}
PAIRS = np.array([pair for pair in LIKED if pair not in HELD_OUT])
TRAIN = Interactions(PAIRS[:, 0], PAIRS[:, 1], users=USERS, items=ITEMS)
TEST = Interactions(*np.array(sorted(HELD_OUT)).T, users=USERS, items=ITEMS)
FLAGS = torch.eye(3).repeat(3, 1)
ROWS = (*(torch.from_numpy(column) for column in PAIRS.T.copy()), torch.ones(len(PAIRS)) * 4)

FEATURES = {"user_features": torch.eye(2).repeat(4, 1), "item_features": FLAGS}
RANKING = {
    "MatrixFactorization": lambda: MatrixFactorization(N_USERS, N_ITEMS, 4, dropout=0.1),
    "MatrixFactorization in a range": lambda: MatrixFactorization(
        N_USERS, N_ITEMS, 4, y_range=(0, 5)
    ),
    "MetricLearning": lambda: MetricLearning(N_USERS, N_ITEMS, 4),
    "GMF": lambda: GMF(N_USERS, N_ITEMS, 4),
    "MLP": lambda: MLP(N_USERS, N_ITEMS, 4),
    "NeuMF": lambda: NeuMF(N_USERS, N_ITEMS, 4),
    "TwoTower": lambda: TwoTower(N_USERS, N_ITEMS, 4, n_hidden=(6,), temperature=0.2),
    "LightFM": lambda: LightFM(N_USERS, N_ITEMS, 4, **FEATURES),
    "FactorizationMachine": lambda: FactorizationMachine(N_USERS, N_ITEMS, 4, **FEATURES),
    "Hybrid": lambda: Hybrid(N_USERS, N_ITEMS, 4, item_features=FLAGS),
    "HybridMF": lambda: HybridMF(N_USERS, N_ITEMS, 4, item_features=FLAGS),
}


def gpu_generator(seed=0):
    generator = FakeGenerator()
    generator.manual_seed(seed)
    return generator


def batches(sampler=None, generator=None):
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    sampler = ExactNegatives(TRAIN) if sampler is None else sampler
    return PairBatches(TRAIN, sampler, batch_size=8, n_negatives=2, generator=generator)


@pytest.fixture(autouse=True)
def fused(monkeypatch):
    """The fast optimizer asks for a device that it knows by name."""
    adam = sys.modules[torch.optim.Adam.__module__]
    monkeypatch.setattr(adam, "_device_dtype_check_for_fused", lambda *_, **__: None)


by_model = pytest.mark.parametrize("make", RANKING.values(), ids=RANKING)


@by_model
@pytest.mark.parametrize(
    "make_generator", [lambda: torch.Generator().manual_seed(0), gpu_generator]
)
def test_ranking_models_train_and_are_judged_on_the_gpu(make, make_generator):
    with fake_gpu():
        model = make()
        history = fit_ranking(
            model,
            batches(generator=make_generator()),
            loss=losses.bpr_loss,
            n_epochs=2,
            validate=lambda model: {"map": evaluate_ranking(model, TEST, seen=TRAIN).mean("map")},
            device=DEVICE,
        )
        assert str(history.device) == str(DEVICE)
        model.to(DEVICE)
        assert evaluate_unmasked(model, TEST).mean("map") > 0
        assert len(recommend(model, [1, 2], seen=TRAIN, k=3)) == 6


@by_model
def test_scores_on_the_gpu_are_those_of_the_cpu(make):
    model = make()
    expected = model.eval().score_users(torch.arange(N_USERS)).detach()
    with fake_gpu():
        scores = model.to(DEVICE).score_users(torch.arange(N_USERS).to(DEVICE))
        assert scores.device == DEVICE
        torch.testing.assert_close(scores.detach().cpu(), expected)


PAIR_LOSSES = {
    "bpr": losses.bpr_loss,
    "hinge": losses.hinge_loss,
    "adaptive hinge": losses.adaptive_hinge_loss,
    "logistic": losses.logistic_loss,
    "softmax": losses.softmax_loss,
    "warp": lambda *scores, **weights: losses.warp_loss(*scores, n_items=N_ITEMS, **weights),
    "partial credit": partial_credit(losses.bpr_loss, {"kind": torch.arange(9) % 3}, {"kind": 0.4}),
}


@pytest.mark.parametrize("loss", PAIR_LOSSES.values(), ids=PAIR_LOSSES)
def test_losses_stay_on_the_gpu(loss):
    with fake_gpu():
        model = MatrixFactorization(N_USERS, N_ITEMS, 4)
        fit_ranking(model, batches(), loss=loss, n_epochs=1, device=DEVICE)


def test_a_full_softmax_trains_on_the_gpu_with_weights():
    weighted = Interactions(*PAIRS.T, users=USERS, items=ITEMS, weights=1.0 + PAIRS[:, 0])
    with fake_gpu():
        model = MatrixFactorization(N_USERS, N_ITEMS, 4)
        rows = UserBatches(weighted, batch_size=4, generator=torch.Generator().manual_seed(0))
        fit_ranking(model, rows, loss=losses.full_softmax_loss, n_epochs=1, device=DEVICE)


def test_stages_train_on_the_gpu():
    stages = [Stage("frozen", ("layers.*",), lr=0.01, n_epochs=1), Stage("all", ("*",), lr=0.01)]
    with fake_gpu():
        fit_stages(RANKING["Hybrid"](), batches(), stages, loss=losses.bpr_loss, device=DEVICE)


RATING = {
    "DotProductBias": lambda: DotProductBias(N_USERS, N_ITEMS, 4),
    "CollabNN": lambda: CollabNN(N_USERS, N_ITEMS, n_user_factors=4, n_item_factors=3),
    "SVDpp": lambda: SVDpp(N_USERS, N_ITEMS, 4, rated=ROWS[:2]),
}


@pytest.mark.parametrize("make", RATING.values(), ids=RATING)
def test_rating_models_train_and_are_judged_on_the_gpu(make):
    with fake_gpu():
        model = make()
        fit(model, ROWS, ROWS, n_epochs=2, batch_size=8, device=DEVICE, patience=1)
        assert evaluate_ratings(model.to(DEVICE), ROWS).mse >= 0
        assert len(scores_by_item(model, 1, users=USERS, items=ITEMS)) == N_ITEMS


SAMPLERS = {
    "exact": lambda model: ExactNegatives(TRAIN),
    "uniform": lambda model: UniformNegatives(N_ITEMS),
    "popularity": lambda model: PopularityNegatives(TRAIN, power=0.75),
    "hardest": lambda model: HardestNegatives(
        ExactNegatives(TRAIN), PairScores(model), n_candidates=3
    ),
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("make_generator", [torch.Generator, gpu_generator])
def test_samplers_serve_a_model_on_the_gpu(sampler, make_generator):
    with fake_gpu():
        model = MatrixFactorization(N_USERS, N_ITEMS, 4)
        drawn = batches(sampler(model), make_generator())
        fit_ranking(model, drawn, loss=losses.bpr_loss, n_epochs=1, device=DEVICE)


def test_a_step_does_not_wait_for_the_gpu():
    with fake_gpu():
        model = MatrixFactorization(N_USERS, N_ITEMS, 4).to(DEVICE)
        rows = list(batches(generator=gpu_generator()))
        with fake_gpu(waits=False):
            for batch in rows:
                pair_loss(model, batch, losses.bpr_loss).backward()


@pytest.mark.parametrize("model", [ALS(4), IALS(4, unobserved_weight=0.1, reg=0.1, n_cg_steps=3)])
def test_least_squares_run_where_their_factors_are(model):
    start = torch.randn(N_ITEMS, 4, generator=torch.Generator().manual_seed(0))
    with fake_gpu():
        model.fit(TRAIN, item_factors=start.to(DEVICE))
        assert model.user_factors.device == DEVICE
        assert evaluate_ranking(model, TEST, seen=TRAIN).mean("map") > 0
        assert len(fold_in_user(model, [101, 103], items=ITEMS, k=2)) == 2


def test_serving_runs_where_the_model_is():
    with fake_gpu():
        model = MatrixFactorization(N_USERS, N_ITEMS, 4).to(DEVICE)
        vectors = model.item_vectors(torch.arange(N_ITEMS).to(DEVICE)).detach()
        users = torch.arange(N_USERS).to(DEVICE)
        index = ExactIndex(vectors)
        queries = model.user_vectors(users).detach()
        assert search_unseen(index, queries, 2, user_idx=users, seen=TRAIN)[1].shape == (N_USERS, 2)
        assert len(recommend_users(model, [101], seen=TRAIN, k=2)) == 2
        assert len(similar_items(vectors, 101, items=ITEMS, k=3)) == 3
        assert len(similar_users(queries, 1, users=USERS, k=3)) == 3
        assert len(fold_in_user(model, [101, 103], items=ITEMS, k=2)) == 2


def test_batches_within_a_batch_are_drawn_on_the_gpu():
    with fake_gpu():
        for part in InBatch(TRAIN, batch_size=8, generator=gpu_generator()):
            assert all(tensor.device == DEVICE for tensor in part)
