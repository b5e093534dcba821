"""What every pair model must do, whatever is inside it."""

import functools
import io
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import nn

from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.ratings import add_indices, rating_tensors
from nbhelpers.data.vocabulary import Vocabulary, align_metadata
from nbhelpers.models import collab_nn, ordinal
from nbhelpers.models.baselines import BiasOnly
from nbhelpers.models.collab_nn import CollabNN, PairInput
from nbhelpers.models.dot_product import DotProduct, DotProductBias
from nbhelpers.models.embeddings import Embedding
from nbhelpers.models.genres import (
    POOLING_POWER,
    CollabNNGenres,
    DotProductGenres,
    genre_bags,
    genre_names,
)
from nbhelpers.models.ordinal import (
    CategoricalRating,
    LogProbabilities,
    OrdinalRating,
    StarsNLL,
)
from nbhelpers.training.fit import fit, seed_everything

STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
RANGE = (0.0, 5.5)
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))]


class Sizes(NamedTuple):
    """What a model is made for: rows of its tables, and the genres of the items."""

    n_users: int
    n_items: int
    genres: torch.Tensor
    genre_names: list[str]


# Item 0 has six genres, item 3 none, item 8 one.
FEW = Sizes(
    6,
    9,
    torch.tensor(
        [
            [1, 2, 3, 4, 5, 6],
            [1, 2, 0, 0, 0, 0],
            [5, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [1, 6, 0, 0, 0, 0],
            [2, 3, 4, 0, 0, 0],
            [6, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [4, 0, 0, 0, 0, 0],
        ]
    ),
    list("ABCDEF"),
)
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
RATING = torch.tensor([5.0, 1.0, 3.0, 4.0])


class Case(NamedTuple):
    """A model, and what trains it: a view of it, a loss, and epochs to find a planted taste."""

    make: Callable[[Sizes], nn.Module]
    view: Callable[[nn.Module], nn.Module] = lambda model: model
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = nn.functional.mse_loss
    n_epochs: int = 15

    def train(self, model, data, **settings):
        return fit(self.view(model), data, loss=self.loss, lr=0.03, device="cpu", **settings)


def dot(kind, n_epochs=15, **settings):
    def make(sizes):
        return kind(sizes.n_users, sizes.n_items, 4, **settings)

    return Case(make, n_epochs=n_epochs)


def genre_dot(pooling):
    return Case(
        lambda s: DotProductGenres(
            s.n_users,
            s.n_items,
            4,
            genres=s.genres,
            genre_names=s.genre_names,
            pooling=pooling,
            y_range=RANGE,
        )
    )


def network(n_hidden, n_epochs=15):
    widths = {"n_user_factors": 8, "n_item_factors": 6, "n_hidden": n_hidden}

    def make(sizes):
        return CollabNN(sizes.n_users, sizes.n_items, **widths)

    return Case(make, n_epochs=n_epochs)


def genre_network(pooling):
    widths = {"n_user_factors": 8, "n_item_factors": 6, "n_genre_factors": 3, "n_hidden": 32}
    return Case(
        lambda s: CollabNNGenres(
            s.n_users,
            s.n_items,
            **widths,
            genres=s.genres,
            genre_names=s.genre_names,
            pooling=pooling,
        )
    )


def head(make, n_epochs=15):
    return Case(make, LogProbabilities, StarsNLL(STARS), n_epochs)


CASES = {  # more epochs where a model starts far from the mean or learns slowly
    "dot product": dot(DotProduct, n_epochs=20),
    "dot product in a range": dot(DotProduct, y_range=RANGE),
    "dot product on a bare table": dot(DotProduct, n_epochs=20, embedding=Embedding),
    "biases": dot(DotProductBias, y_range=RANGE),
    "biases without a range": dot(DotProductBias),
    "biases on a bare table": dot(DotProductBias, y_range=RANGE, embedding=Embedding),
    "network": network(32),
    "network of two layers": network((32, 16), n_epochs=30),
    **{f"genres, {pooling}": genre_dot(pooling) for pooling in POOLING_POWER},
    **{f"network with genres, {pooling}": genre_network(pooling) for pooling in POOLING_POWER},
    "categorical": head(lambda s: CategoricalRating(s.n_users, s.n_items, 4), n_epochs=25),
    "ordinal": head(lambda s: OrdinalRating(DotProductBias(s.n_users, s.n_items, 4))),
    "ordinal network with genres": head(
        lambda s: OrdinalRating(
            CollabNNGenres(
                s.n_users,
                s.n_items,
                n_user_factors=8,
                n_item_factors=6,
                n_genre_factors=3,
                n_hidden=32,
                genres=s.genres,
                genre_names=s.genre_names,
                y_range=None,
            )
        )
    ),
}
by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def bold(case):
    """The model with large weights, the padding rows included, so that no mistake stays small."""
    model = case.make(FEW)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model


@by_case
def test_one_number_for_each_pair(case):
    pred = case.make(FEW)(*PAIRS)
    assert pred.shape == (4,)
    assert pred.is_floating_point()


@by_case
def test_batch_of_one_works(case):
    assert case.make(FEW)(torch.tensor([1]), torch.tensor([2])).shape == (1,)


@by_case
def test_batch_equals_one_by_one(case):
    model = bold(case)
    alone = [model(*(x[k : k + 1] for x in PAIRS)) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), model(*PAIRS))


@by_case
def test_prediction_does_not_depend_on_batch_mates(case):
    model = bold(case)
    alone = model(torch.tensor([2]), torch.tensor([8]))
    for mate in (0, 3, 8):  # of six genres, of none, of one
        together = model(torch.tensor([2, 4, 4]), torch.tensor([8, mate, mate]))
        torch.testing.assert_close(together[:1], alone)


@by_case
def test_gradients_reach_every_parameter(case):
    model = case.make(FEW)
    model(*PAIRS).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@by_case
def test_training_loss_reaches_every_parameter(case):
    model = case.make(FEW)
    case.loss(case.view(model)(*PAIRS), RATING).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@by_case
def test_one_batch_can_be_learned_by_heart(case):
    seed_everything(0)
    model = case.make(FEW)
    case.train(model, (*PAIRS, RATING), n_epochs=400, batch_size=4)
    assert (model(*PAIRS) - RATING).abs().max() < 0.1


def trained(case, seed):
    seed_everything(seed)
    model = case.make(FEW)
    case.train(model, (*PAIRS, RATING), n_epochs=3, batch_size=2)
    return model.score_users(torch.arange(6))


@by_case
def test_seed_decides_the_result(case):
    assert torch.equal(trained(case, seed=3), trained(case, seed=3))
    assert not torch.equal(trained(case, seed=3), trained(case, seed=4))


@by_case
def test_saved_and_loaded_weights_give_the_same_scores(case):
    model, other = bold(case), case.make(FEW)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    everyone = torch.arange(6)
    assert torch.equal(other(*PAIRS), model(*PAIRS))
    assert torch.equal(other.score_users(everyone), model.score_users(everyone))


@by_case
@pytest.mark.parametrize("chunk_size", [1, 20, 65_536])
def test_score_users_agrees_with_pairs(case, chunk_size, monkeypatch):
    for module in (collab_nn, ordinal):
        monkeypatch.setattr(module, "CHUNK_SIZE", chunk_size)
    model = bold(case)
    users = torch.tensor([5, 1, 1, 0, 3])
    scores = model.score_users(users)
    assert scores.shape == (5, 9)
    one_by_one = model(users.repeat_interleave(9), torch.arange(9).repeat(5))
    torch.testing.assert_close(scores.flatten(), one_by_one)


@by_case
def test_scores_of_nobody_are_an_empty_table(case):
    assert case.make(FEW).score_users(torch.tensor([], dtype=torch.int64)).shape == (0, 9)


@by_case
def test_pairs_in_one_tensor_give_the_same_predictions(case):
    model = bold(case)
    assert torch.equal(PairInput(model)(torch.stack(PAIRS, dim=1)), model(*PAIRS))


@functools.cache
def planted(seed):
    """Sizes, training and held-out rows of ratings with two planted factors, and the error of
    the biases on the held-out rows."""
    truth = make_ratings(100, 60, 3000, n_factors=2, noise=0.2, rng=seed)
    ratings = truth.ratings.sample(frac=1, random_state=seed)
    train, valid = ratings[:2400], ratings[2400:]
    users, items = Vocabulary(train["user_id"]), Vocabulary(train["item_id"])
    films = align_metadata(truth.items, items)
    sizes = Sizes(users.n_rows, items.n_rows, genre_bags(films), genre_names(films))
    train, valid = (rating_tensors(add_indices(rows, users, items)) for rows in (train, valid))
    return sizes, train, valid, mse(BiasOnly(*sizes[:2]).fit(*train), valid)


def mse(model, data):
    user_idx, item_idx, rating = data
    with torch.no_grad():
        return (model(user_idx, item_idx) - rating).square().mean().item()


@by_case
@pytest.mark.parametrize("seed", SEEDS)
def test_planted_taste_is_found(case, seed):
    sizes, train, valid, bias_mse = planted(seed)
    seed_everything(seed)
    model = case.make(sizes)
    case.train(model, train, n_epochs=case.n_epochs, batch_size=128, wd=0.1)
    assert mse(model, valid) < 0.9 * bias_mse
