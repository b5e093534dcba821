"""How the ranking models of the course are fitted, from the simplest on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from nbhelpers.commands.contenders import CONTENDERS
from nbhelpers.commands.one_protocol.recipe import Likes, Recipe, Settings, generator, recipe_of
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.feature_als import FeatureIALS
from nbhelpers.models.fm import FactorizationMachine
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import GMF, MLP, NeuMF
from nbhelpers.models.two_tower import TwoTower
from nbhelpers.sampling.batches import InBatch, PairBatches, UserBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training import losses
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.optimizers import adam, descend, one_cycle

_SWEEPS: dict[str, Any] = {"n_iterations": 8, "n_cg_steps": 3}
STEPS_IN_EPOCH = 7  # of batches of users: 128 of the 942 users of MovieLens-100K


def fit_ials(known: Likes, settings: Settings) -> IALS:
    """Factors solved in turn, every pair of a user and an item counting a little."""
    model = IALS(32, **settings, **_SWEEPS, generator=generator())
    return model.fit(known.positives)


def fit_als(known: Likes, settings: Settings) -> ALS:
    """Weighted least squares as published: confidence 1 + alpha for a like, an equal penalty."""
    model = ALS(32, **settings, **_SWEEPS, generator=generator())
    return model.fit(known.positives)


def fit_feature_ials(known: Likes, settings: Settings) -> FeatureIALS:
    """IALS whose factors are drawn to what the features say."""
    model = FeatureIALS(
        32,
        **settings,
        **_SWEEPS,
        item_features=known.item_features,
        user_features=known.user_features,
        generator=generator(),
    )
    return model.fit(known.positives)


def fit_pairs(known: Likes, settings: Settings, *, loss: Any) -> MatrixFactorization:
    """A dot product with biases of items, trained on a like against four sampled negatives."""
    model = _factorization(known, 16)
    batches = _pair_batches(known)
    fit_ranking(model, batches, loss=loss, n_epochs=10, schedule=one_cycle, **settings)
    return model


def fit_warp(known: Likes, settings: Settings) -> MatrixFactorization:
    """The same with WARP's loss, whose tries are the four negatives."""
    loss = partial(losses.warp_loss, n_items=known.positives.n_items)
    return fit_pairs(known, settings, loss=loss)


def fit_ncf(known: Likes, settings: Settings, *, build: Callable[..., nn.Module]) -> nn.Module:
    """A network on pairs, with the logistic loss and four negatives for each like."""
    positives = known.positives
    model = build(positives.n_users, positives.n_items, 16)
    batches = _pair_batches(known)
    fit_ranking(model, batches, loss=losses.logistic_loss, n_epochs=10, **settings)
    return model


def fit_softmax(known: Likes, settings: Settings) -> MatrixFactorization:
    """A dot product with biases of items, trained with a softmax over the whole catalog."""
    model = _factorization(known, 32, dropout=0.3)
    _fit_softmax(model, known, n_epochs=20, **settings)
    return model


def fit_two_towers(known: Likes, settings: Settings) -> TwoTower:
    """Two towers with one hidden layer; the likes of others are negatives, corrected by log q."""
    positives = known.positives
    model = TwoTower(positives.n_users, positives.n_items, 32, n_hidden=(32,), **settings)
    batches = InBatch(positives, batch_size=512, generator=generator())
    log_q = batches.log_q.float()  # (n_items,)
    optimizer = adam(model, lr=0.01, wd=0.1)
    schedule = one_cycle(optimizer, 5 * len(batches))
    for _ in range(5):
        for user_idx, item_idx in batches:
            scores = model.user_vectors(user_idx) @ model.item_vectors(item_idx).T
            loss = losses.sampled_softmax_loss(scores, item_idx, log_q=log_q[item_idx])
            descend(loss, optimizer, schedule)
    return model.eval()


def fit_features(known: Likes, settings: Settings, *, build: Callable[..., nn.Module]) -> nn.Module:
    """A model of ids and features, trained with a softmax over the whole catalog."""
    positives = known.positives
    model = build(
        positives.n_users,
        positives.n_items,
        32,
        dropout=0.5,
        user_features=known.user_features,
        item_features=known.item_features,
    )
    _fit_softmax(model, known, n_epochs=15, **settings)
    return model


def _pair_batches(known: Likes) -> PairBatches:
    positives = known.positives
    n_rows = int(np.clip(len(positives) // 13, 16, 4096))  # a small log has many steps, too
    return PairBatches(
        positives,
        ExactNegatives(positives),
        batch_size=n_rows,
        n_negatives=4,
        generator=generator(),
    )


def _factorization(known: Likes, n_factors: int, *, dropout: float = 0.0) -> MatrixFactorization:
    positives = known.positives
    return MatrixFactorization(positives.n_users, positives.n_items, n_factors, dropout=dropout)


def _fit_softmax(model: nn.Module, known: Likes, *, n_epochs: int, lr: float, wd: float) -> None:
    n_active = int((known.positives.user_counts > 0).sum())
    batch_size = int(np.clip(n_active // STEPS_IN_EPOCH, 16, 128))
    batches = UserBatches(known.positives, batch_size=batch_size, generator=generator())
    fit_ranking(
        model,
        batches,
        loss=losses.full_softmax_loss,
        n_epochs=n_epochs,
        lr=lr,
        wd=wd,
        schedule=one_cycle,
    )


_COMPARED = {contender.name: contender for contender in CONTENDERS}
_IALS_TRIALS = (
    {"unobserved_weight": 0.3, "reg": 0.015},
    {"unobserved_weight": 0.5, "reg": 0.01},
    {"unobserved_weight": 0.8, "reg": 0.002},
    {"unobserved_weight": 0.1, "reg": 0.03},
)
_PAIR_TRIALS = (
    {"lr": 0.1, "wd": 0.3},
    {"lr": 0.05, "wd": 0.3},
    {"lr": 0.1, "wd": 0.1},
    {"lr": 0.2, "wd": 0.6},
)
_NCF_TRIALS = (
    {"lr": 0.05, "wd": 0.3},
    {"lr": 0.02, "wd": 0.0},
    {"lr": 0.05, "wd": 1.0},
    {"lr": 0.1, "wd": 0.1},
)
_FEATURE_TRIALS = (
    {"lr": 0.06, "wd": 0.5},
    {"lr": 0.12, "wd": 0.1},
    {"lr": 0.12, "wd": 0.5},
    {"lr": 0.03, "wd": 0.2},
)


def _of_pairs(name: str, loss: Any) -> Recipe:
    return Recipe(f"dot product, {name}", "06", partial(fit_pairs, loss=loss), _PAIR_TRIALS, 0.9)


def _ncf(build: type[nn.Module], seconds: float) -> Recipe:
    return Recipe(build.__name__, "05", partial(fit_ncf, build=build), _NCF_TRIALS, seconds)


def _of_features(name: str, build: type[nn.Module], seconds: float) -> Recipe:
    fit = partial(fit_features, build=build)
    return Recipe(name, "07_lightfm", fit, _FEATURE_TRIALS, seconds)


RANKING = (
    recipe_of(_COMPARED["popularity"], "00", 0.02),
    recipe_of(_COMPARED["recent popularity"], "10", 0.02),
    recipe_of(_COMPARED["last items"], "10", 0.3, is_random=True),  # ties in time are drawn
    recipe_of(_COMPARED["ItemKNN"], "10", 0.3),
    recipe_of(_COMPARED["EASE"], "05", 0.4),
    Recipe("IALS", "06", fit_ials, _IALS_TRIALS, 0.4),
    Recipe(
        "ALS, as published",
        "06_als",
        fit_als,
        (
            {"alpha": 4.0, "reg": 30.0},
            {"alpha": 1.0, "reg": 15.0},
            {"alpha": 8.0, "reg": 40.0},
            {"alpha": 2.0, "reg": 10.0},
        ),
        0.4,
    ),
    Recipe(
        "feature IALS",
        "07_cold_start",
        fit_feature_ials,
        tuple({**trial, "feature_reg": 10.0} for trial in _IALS_TRIALS),
        0.7,
    ),
    _of_pairs("BPR", losses.bpr_loss),
    _of_pairs("adaptive hinge", losses.adaptive_hinge_loss),
    Recipe("dot product, WARP", "06_losses", fit_warp, _PAIR_TRIALS, 0.9),
    Recipe(
        "dot product, full softmax",
        "05_dot_product_or_network",
        fit_softmax,
        (
            {"lr": 0.05, "wd": 0.3},
            {"lr": 0.03, "wd": 0.04},
            {"lr": 0.05, "wd": 0.1},
            {"lr": 0.1, "wd": 0.3},
        ),
        0.5,
    ),
    _ncf(GMF, 1.0),
    _ncf(MLP, 2.5),
    _ncf(NeuMF, 3.0),
    Recipe(
        "two towers",
        "05_two_towers",
        fit_two_towers,
        tuple({"temperature": temperature} for temperature in (0.1, 0.2, 0.05, 0.4)),
        1.5,
    ),
    _of_features("LightFM", LightFM, 1.0),
    _of_features("factorization machine", FactorizationMachine, 1.0),
    recipe_of(_COMPARED["sequence tower"], "05_sequential_models", 2.5, is_random=True),
)
