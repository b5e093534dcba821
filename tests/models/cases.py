"""Every model of the package, small, and what trains it: what ``test_contract`` runs through."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.ratings import add_indices, rating_tensors
from nbhelpers.data.vocabulary import Vocabulary, align_metadata
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.baselines import BiasOnly, GlobalMean, Popularity
from nbhelpers.models.blend import Blend, ExplainingBlend, FoldingBlend
from nbhelpers.models.collab_nn import CollabNN, PairInput
from nbhelpers.models.dot_product import DotProduct, DotProductBias
from nbhelpers.models.embeddings import Embedding
from nbhelpers.models.fallback import WithFallback
from nbhelpers.models.feature_als import FeatureIALS
from nbhelpers.models.fm import DeepFM, FactorizationMachine
from nbhelpers.models.genres import (
    POOLING_POWER,
    CollabNNGenres,
    DotProductGenres,
    genre_bags,
    genre_names,
)
from nbhelpers.models.hybrid import Hybrid, HybridMF
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.metric_learning import MetricLearning
from nbhelpers.models.ncf import GMF, MLP, NeuMF
from nbhelpers.models.ordinal import CategoricalRating, LogProbabilities, OrdinalRating, StarsNLL
from nbhelpers.models.sequence_tower import SequenceTower
from nbhelpers.models.svdpp import SVDpp, TimeSVDpp
from nbhelpers.models.two_tower import TwoTower
from nbhelpers.training.fit import fit, seed_everything
from nbhelpers.training.fit_ranking import pair_loss
from nbhelpers.training.losses import hinge_loss, logistic_loss
from nbhelpers.training.optimizers import adam

STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
RANGE = (0.0, 5.5)
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
RATING = torch.tensor([5.0, 1.0, 3.0, 4.0])
NEGATIVES = torch.tensor([[1, 2], [4, 8], [4, 8], [0, 7]])
BATCH = (*PAIRS, NEGATIVES)


class Sizes(NamedTuple):
    """What a model is made for: rows of its tables, and the genres of the items."""

    n_users: int
    n_items: int
    genres: torch.Tensor
    genre_names: list[str]


# Item 0 has six genres, items 3 and 7 none, item 8 one.
_GENRES = [
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
FEW = Sizes(6, 9, torch.tensor(_GENRES), list("ABCDEF"))
EVERYONE = torch.arange(FEW.n_users)


def bold(model):
    """The model with large weights, so that no mistake stays small, in evaluation mode."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=generator)
    return model.eval()


class Rating(NamedTuple):
    """A model of stars; a view of it and a loss train it, and so many epochs find a taste."""

    make: Callable[[Sizes], nn.Module]
    view: Callable[[nn.Module], nn.Module] = lambda model: model
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = nn.functional.mse_loss
    n_epochs: int = 15

    def ready(self):
        return bold(self.make(FEW))

    def train(self, model, data=(*PAIRS, RATING), **settings):
        fit(self.view(model), data, loss=self.loss, lr=0.03, device="cpu", **settings)
        return model.eval()

    def few_steps(self, model):
        return self.train(model, n_epochs=3, batch_size=2)

    def by_heart(self, model):
        return self.train(model, n_epochs=400, batch_size=4)

    def batch_loss(self, model):
        return self.loss(self.view(model)(*PAIRS), RATING)

    def is_learned(self, model):
        return (model(*PAIRS) - RATING).abs().max() < 0.1

    def finds_structure(self, seed):
        """Whether the error on held-out rows is well below that of the biases."""
        sizes, train, valid, bias_mse = taste(seed)
        seed_everything(seed)
        model = self.make(sizes)
        self.train(model, train, n_epochs=self.n_epochs, batch_size=128, wd=0.1)
        return mse(model, valid) < 0.9 * bias_mse


class Ranking(NamedTuple):
    """A model of preference; a loss, and the steps of Adam in which it finds planted clubs."""

    make: Callable[[Sizes], nn.Module]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = logistic_loss
    n_steps: int = 60

    def ready(self):
        return bold(self.make(FEW))

    def descend(self, model, draw=lambda: BATCH, *, n_steps):
        optimizer = adam(model, lr=0.03)
        for _ in range(n_steps):
            optimizer.zero_grad()
            pair_loss(model, draw(), self.loss).backward()
            optimizer.step()
        return model.eval()

    def few_steps(self, model):
        return self.descend(model, n_steps=3)

    def by_heart(self, model):
        return self.descend(model, n_steps=400)

    def batch_loss(self, model):
        return pair_loss(model, BATCH, self.loss)

    def is_learned(self, model):
        return self.batch_loss(model) < 0.05

    def finds_structure(self, seed):
        own, liked = clubs(seed)
        seed_everything(seed)
        user_idx, item_idx = liked.nonzero(as_tuple=True)

        def draw():
            unseen = (~liked).float()[user_idx]
            return user_idx, item_idx, torch.multinomial(unseen, 4)

        model = self.make(Sizes(40, 40, None, None))
        self.descend(model, draw, n_steps=self.n_steps)
        return lists_the_club(model, own, liked)


class Solved(NamedTuple):
    """A model without gradients, fitted on positives."""

    fitted: Callable[[Interactions], Any]

    def ready(self):
        return self.fitted(train_rows())

    def finds_structure(self, seed):
        own, liked = clubs(seed)
        user_idx, item_idx = liked.nonzero(as_tuple=True)
        train = Interactions(user_idx, item_idx, n_users=40, n_items=40)
        torch.manual_seed(seed)
        return lists_the_club(self.fitted(train), own, liked)


def train_rows():
    """Positives of five of the six users; user 4 and item 6 have none."""
    pairs = [(0, 0), (0, 1), (0, 8), (1, 0), (1, 1), (2, 3), (2, 4), (3, 3), (3, 5), (5, 7), (5, 2)]
    user_idx, item_idx = zip(*pairs, strict=True)
    return Interactions(user_idx, item_idx, n_users=FEW.n_users, n_items=FEW.n_items)


def mse(model, data):
    user_idx, item_idx, rating = data
    with torch.no_grad():
        return (model(user_idx, item_idx) - rating).square().mean().item()


@functools.cache
def taste(seed):
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


@torch.no_grad()
def lists_the_club(model, own, liked):
    """Whether most of the two best unseen items are from the user's own club; by chance 6 % are.
    Not all: the unseen items of the club are drawn as negatives like any other."""
    scores = model.score_users(torch.arange(40)).masked_fill(liked, -torch.inf)
    return own.gather(1, scores.topk(2).indices).float().mean() > 0.6


def dot(kind, n_epochs=15, **settings):
    return Rating(lambda s: kind(s.n_users, s.n_items, 4, **settings), n_epochs=n_epochs)


def genre_dot(pooling):
    given = {"pooling": pooling, "y_range": RANGE}
    return Rating(
        lambda s: DotProductGenres(
            s.n_users, s.n_items, 4, genres=s.genres, genre_names=s.genre_names, **given
        )
    )


def network(n_hidden, n_epochs=15):
    widths = {"n_user_factors": 8, "n_item_factors": 6, "n_hidden": n_hidden}
    return Rating(lambda s: CollabNN(s.n_users, s.n_items, **widths), n_epochs=n_epochs)


def genre_network(sizes, **settings):
    widths = {"n_user_factors": 8, "n_item_factors": 6, "n_genre_factors": 3, "n_hidden": 32}
    genres = {"genres": sizes.genres, "genre_names": sizes.genre_names}
    return CollabNNGenres(sizes.n_users, sizes.n_items, **widths, **genres, **settings)


def distribution(make, n_epochs=15):
    return Rating(make, LogProbabilities, StarsNLL(STARS), n_epochs)


def ranking(kind, *, loss=logistic_loss, n_steps=60, **settings):
    return Ranking(lambda s: kind(s.n_users, s.n_items, **settings), loss, n_steps)


def rated(sizes):
    """Some training rows, which SVD++ wants to know."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(sizes.n_users, sizes.n_items, generator=generator) < 0.3).nonzero(
        as_tuple=True
    )


def feature_ials(rows):
    """IALS with a constant feature of items and two of users, fitted."""
    given = {"item_features": torch.ones(rows.n_items, 1)}
    given["user_features"] = torch.eye(2).repeat(rows.n_users // 2, 1)
    return FeatureIALS(8, **given, reg=0.01, generator=torch.Generator()).fit(rows)


near = functools.partial(hinge_loss, margin=0.5)  # of distances: no score is above 0
RATING_CASES = {  # more epochs where a model starts far from the mean or learns slowly
    "dot product": dot(DotProduct, n_epochs=20),
    "dot product in a range": dot(DotProduct, y_range=RANGE),
    "dot product on a bare table": dot(DotProduct, n_epochs=20, embedding=Embedding),
    "biases": dot(DotProductBias, y_range=RANGE),
    "biases without a range": dot(DotProductBias),
    "biases on a bare table": dot(DotProductBias, y_range=RANGE, embedding=Embedding),
    "network": network(32),
    "network of two layers": network((32, 16), n_epochs=30),
    **{f"genres, {pooling}": genre_dot(pooling) for pooling in POOLING_POWER},
    **{
        f"network with genres, {pooling}": Rating(functools.partial(genre_network, pooling=pooling))
        for pooling in POOLING_POWER
    },
    "categorical": distribution(lambda s: CategoricalRating(*s[:2], 4), n_epochs=25),
    "ordinal": distribution(lambda s: OrdinalRating(DotProductBias(*s[:2], 4))),
    "ordinal network with genres": distribution(
        lambda s: OrdinalRating(genre_network(s, y_range=None))
    ),
}
RANKING_CASES = {
    "factorization": ranking(MatrixFactorization, n_factors=8),
    "factorization, dropout": ranking(MatrixFactorization, n_factors=8, dropout=0.3),
    "factorization, sparse": ranking(MatrixFactorization, n_factors=8, sparse=True),
    "factorization in a range": ranking(MatrixFactorization, n_factors=8, y_range=(-6.0, 6.0)),
    "factorization, all": ranking(
        MatrixFactorization, n_factors=8, dropout=0.1, sparse=True, y_range=(-6.0, 6.0)
    ),
    "GMF": ranking(GMF),
    "MLP": ranking(MLP, n_factors=8, n_steps=200),
    "NeuMF": ranking(NeuMF, n_factors=4, n_mlp_factors=8),
    "two towers": ranking(TwoTower, n_factors=8),
    "two towers, hidden layers": ranking(TwoTower, n_factors=8, n_hidden=(16,), n_steps=150),
    "two towers, cosine": ranking(TwoTower, n_factors=8, temperature=0.2),
    "metric learning": ranking(MetricLearning, n_factors=8, loss=near),
    "features": ranking(LightFM, n_factors=8),
    "features, ids dropped": ranking(LightFM, n_factors=8, id_dropout=0.1),
    "factorization machine": ranking(FactorizationMachine, n_factors=8),
    "DeepFM": ranking(DeepFM, n_factors=8),
    "hybrid around a dot product": ranking(HybridMF, n_factors=8),
}
SOLVED_CASES = {
    "EASE": Solved(lambda rows: EASE(reg=2.0).fit(rows)),
    "ItemKNN": Solved(lambda rows: ItemKNN(n_neighbors=5, shrinkage=0.5).fit(rows)),
    "ALS": Solved(lambda rows: ALS(8, reg=1.0, generator=torch.Generator()).fit(rows)),
    "IALS": Solved(lambda rows: IALS(8, reg=0.01, generator=torch.Generator()).fit(rows)),
    "IALS with features": Solved(feature_ials),
    "fallback": Solved(lambda r: WithFallback(EASE(reg=2.0).fit(r), Popularity().fit(r))),
    **{
        kind.__name__: Solved(
            lambda r, kind=kind: kind({"EASE": EASE(reg=2.0).fit(r), "KNN": ItemKNN().fit(r)})
        )
        for kind in (Blend, FoldingBlend, ExplainingBlend)
    },
}
THIRDS = torch.eye(3).repeat(3, 1)
LATEST = torch.tensor([[8, 1], [3, 3], [0, 9], [9, 9], [2, 5], [7, 9]])  # 9 pads
MORE_STEPS = {  # take a first step with every loss besides
    "MLP of one layer": ranking(MLP, n_factors=8, n_hidden=(32,)),
    "NeuMF of three layers": ranking(NeuMF, n_hidden=(16, 8, 4)),
    "two towers, hidden layers, cosine": ranking(TwoTower, n_hidden=(16,), temperature=0.2),
    "features of items": ranking(LightFM, item_features=THIRDS),
    "hybrid of both": ranking(Hybrid, user_features=THIRDS[:6], item_features=THIRDS),
    "hybrid around a dot product, item side": ranking(HybridMF, item_features=THIRDS),
    "latest items": Ranking(lambda s: SequenceTower(s.n_items, LATEST, 8)),
    "latest items without dropout": Ranking(
        lambda s: SequenceTower(s.n_items, LATEST, item_dropout=0.0, dropout=0.0)
    ),
}


def _rated_few(kind):
    """A baseline of ratings, fitted."""
    return kind(*FEW[:2]).fit(*PAIRS, RATING)


class Fixed(NamedTuple):
    """A model that is only handled and scored here; tests of its own train it."""

    ready: Callable[[], Any]


MORE_MODELS = {
    "popularity": Fixed(lambda: Popularity().fit(train_rows())),
    "global mean": Fixed(lambda: _rated_few(GlobalMean)),
    "bias only": Fixed(lambda: _rated_few(BiasOnly)),
    "pairs in one tensor": Fixed(lambda: bold(PairInput(DotProduct(*FEW[:2], 4)))),
    "log-probabilities": Fixed(
        lambda: bold(LogProbabilities(OrdinalRating(DotProductBias(*FEW[:2], 4))))
    ),
    "SVD++": Fixed(lambda: bold(SVDpp(*FEW[:2], 4, rated=rated(FEW)))),
    "SVD++ with days": Fixed(lambda: bold(TimeSVDpp(*FEW[:2], 4, rated=rated(FEW), n_user_days=3))),
}
TRAINED = RATING_CASES | RANKING_CASES
STEPPING = RANKING_CASES | MORE_STEPS
EVERY = TRAINED | SOLVED_CASES | MORE_STEPS | MORE_MODELS
