"""Faults of a published notebook: each test is green on our code, and red on a copy of a fault."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from nbhelpers.data.datasets.movielens import parse_ratings
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.ratings import add_indices, rating_tensors
from nbhelpers.data.splits import random_split
from nbhelpers.data.vocabulary import Vocabulary, align_metadata
from nbhelpers.evaluation.evaluate import evaluate_ratings
from nbhelpers.models.baselines import BiasOnly, GlobalMean
from nbhelpers.models.collab_nn import CollabNN
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.genres import (
    CollabNNGenres,
    DotProductGenres,
    GenreBag,
    genre_bags,
    genre_names,
)
from nbhelpers.training.fit import fit, mean_loss, seed_everything
from nbhelpers.training.optimizers import one_cycle

IDS = {"user_id": "user_idx", "item_id": "item_idx"}
PLANTED = make_ratings(100, 40, 2_400, n_factors=2, noise=0.7, rng=0)
PARTS = random_split(PLANTED.ratings, valid_frac=0.25, rng=0)
USERS, ITEMS = Vocabulary(PARTS[0].user_id), Vocabulary(PARTS[0].item_id)
TRAIN, VALID = [rating_tensors(add_indices(part, USERS, ITEMS)) for part in PARTS]
SIZES = USERS.n_rows, ITEMS.n_rows

# Films 0 to 7 with 1, 2, 3, 0, 1, 1, 2 and 1 genres; row 8 is the unknown film.
BAGS = torch.tensor(
    [
        *([1, 0, 0], [1, 2, 0], [1, 2, 3], [0, 0, 0], [2, 0, 0]),
        *([3, 0, 0], [2, 3, 0], [3, 0, 0], [0, 0, 0]),
    ]
)
GENRES = {"genres": BAGS, "genre_names": ["Action", "Drama", "War"], "pooling": "sum"}
WIDTHS = {"n_user_factors": 3, "n_item_factors": 4}
PAIRS = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3]), torch.arange(9)
ONE_GENRE = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 4, 5, 7])

LATEST_SMALL = Path(__file__).parents[3] / "shared" / "data" / "ml-latest-small"


def large(model):
    """The model with weights that a fault cannot hide behind; a bag keeps its padding at zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
        for module in model.modules():
            if isinstance(module, GenreBag):
                module.table.weight[0] = 0
    return model.eval()


@torch.no_grad()
def predict(model, pairs, batch_size):
    batches = zip(*(tensor.split(batch_size) for tensor in pairs), strict=True)
    return torch.cat([model(*batch) for batch in batches])


# Separate id maps


def own_maps(part):
    """The fault: indices in the order in which a part of the data meets its ids."""
    return part.assign(**{idx: pd.factorize(part[raw])[0] for raw, idx in IDS.items()})


def check_one_map(*parts):
    for raw, idx in IDS.items():
        pairs = pd.concat(parts)[[raw, idx]].drop_duplicates()
        assert not pairs[raw].duplicated().any()
        assert not pairs.loc[~pairs[idx].isin([USERS.unknown, ITEMS.unknown]), idx].empty


def test_an_id_has_one_index_in_every_part():
    check_one_map(*(add_indices(part, USERS, ITEMS) for part in PARTS))


def test_separate_maps_are_caught():
    with pytest.raises(AssertionError):
        check_one_map(*map(own_maps, PARTS))


def test_film_without_training_rows_gets_the_unknown_row_and_a_finite_score():
    stranger = PARTS[1].head(1).assign(item_id=10**9)
    user_idx, item_idx, _ = rating_tensors(add_indices(stranger, USERS, ITEMS))
    assert item_idx.tolist() == [ITEMS.unknown]
    assert large(DotProductBias(*SIZES, 4))(user_idx, item_idx).isfinite().all()


# A real genre as padding


class PaddedWithAGenre(DotProductGenres):
    """The fault: lists are filled up to the longest one of the batch with the first genre."""

    def score(self, user_idx, item_idx):
        counts = (self.genre_bias.bags[item_idx] > 0).sum(dim=1)
        factors, bias = self.genre_factors.table.weight[1], self.genre_bias.table.weight[1]
        pad = self.user_factors(user_idx) @ factors + bias
        return super().score(user_idx, item_idx) + (counts.max() - counts) * pad


class BareSqueeze(DotProductGenres):
    """The fault: in a batch of films with one genre each, the sum runs over the films."""

    def score(self, user_idx, item_idx):
        lists = self.genre_bias.bags[item_idx]
        found = self.genre_bias.table.weight[lists[:, : (lists > 0).sum(dim=1).max()]]
        right, wrong = found.squeeze(2).sum(dim=1), found.squeeze().sum(dim=-1)
        return super().score(user_idx, item_idx) - right + wrong


class BareNetwork(CollabNN):
    """The fault: a batch of one row loses its only dimension."""

    def forward(self, user_idx, item_idx):
        return super().forward(user_idx, item_idx).squeeze()


def check_batch_mates(model, pairs):
    torch.testing.assert_close(predict(model, pairs, 64), predict(model, pairs, 1))


def check_one_row(model):
    assert model(PAIRS[0][:1], PAIRS[1][:1]).shape == (1,)


MODELS = {
    "DotProductBias": lambda: DotProductBias(6, 9, 4),
    "DotProductGenres": lambda: DotProductGenres(6, 9, 4, **GENRES),
    "CollabNN": lambda: CollabNN(6, 9, **WIDTHS),
    "CollabNNGenres": lambda: CollabNNGenres(6, 9, **WIDTHS, n_genre_factors=2, **GENRES),
}


@pytest.mark.parametrize("pairs", [PAIRS, ONE_GENRE], ids=["mixed", "one genre each"])
@pytest.mark.parametrize("name", MODELS)
def test_prediction_does_not_depend_on_batch_mates(name, pairs):
    check_batch_mates(large(MODELS[name]()), pairs)


@pytest.mark.parametrize("name", MODELS)
def test_batch_of_one_keeps_its_dimension(name):
    check_one_row(large(MODELS[name]()))


def test_padding_with_a_genre_is_caught():
    with pytest.raises(AssertionError):
        check_batch_mates(large(PaddedWithAGenre(6, 9, 4, **GENRES)), PAIRS)


def test_bare_squeeze_over_films_of_one_genre_is_caught():
    with pytest.raises(AssertionError):
        check_batch_mates(large(BareSqueeze(6, 9, 4, **GENRES)), ONE_GENRE)


def test_bare_squeeze_hides_among_films_of_several_genres():
    check_batch_mates(large(BareSqueeze(6, 9, 4, **GENRES)), tuple(x[:3] for x in PAIRS))


def test_bare_squeeze_of_one_row_is_caught():
    with pytest.raises(AssertionError):
        check_one_row(large(BareNetwork(6, 9, **WIDTHS)))


# Unordered genres

OUR_NAMES = (
    "import pandas as pd; from nbhelpers.models.genres import genre_names; "
    "words = set(['genre_War', 'genre_Drama', 'genre_Action', 'genre_Comedy']); "
    "print(genre_names(pd.DataFrame(columns=['item_id', *words])))"
)
NAMES_OF_A_SET = "print(list({'War', 'Drama', 'Action', 'Comedy'}))"


def check_every_run(program):
    answers = set()
    for salt in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": salt}
        answers.add(subprocess.check_output([sys.executable, "-c", program], env=environment))
    assert len(answers) == 1


def test_genres_have_the_same_numbers_in_every_run():
    check_every_run(OUR_NAMES)


def test_numbers_from_a_set_are_caught():
    with pytest.raises(AssertionError):
        check_every_run(NAMES_OF_A_SET)


TWO_PARTS = (
    "words = [*map(str, range(18))]; "
    "maps = [{word: k for k, word in enumerate(ORDER(part))} for part in (words, words[::-1])]; "
    "print(maps[0] == maps[1])"
)


def one_map_for_both_parts(order):
    answers = set()
    for salt in range(8):
        program = TWO_PARTS.replace("ORDER", order)
        environment = os.environ | {"PYTHONHASHSEED": str(salt)}
        answers.add(subprocess.check_output([sys.executable, "-c", program], env=environment))
    return all(answer.strip() == b"True" for answer in answers)


def test_a_set_of_each_part_gives_numbers_that_differ_within_one_process():
    assert not one_map_for_both_parts("set")
    assert one_map_for_both_parts("sorted")


def test_genres_of_a_film_do_not_depend_on_the_order_of_the_films():
    films = align_metadata(PLANTED.items, ITEMS)
    shuffled = align_metadata(PLANTED.items.sample(frac=1, random_state=1), ITEMS)
    assert genre_names(films) == genre_names(shuffled)
    assert torch.equal(genre_bags(films), genre_bags(shuffled))


# No early stopping, no baseline, rounded stars


def train(**settings):
    seed_everything(0)
    model = DotProductBias(*SIZES, 30, y_range=(0, 5.5))
    return model, fit(model, TRAIN, VALID, n_epochs=15, lr=0.05, **settings)


def check_best_weights(model, history):
    assert mean_loss(model, VALID) == pytest.approx(min(history.valid_loss), abs=1e-6)


def test_patience_brings_the_best_weights_back():
    check_best_weights(*train(patience=2))


def test_training_to_the_end_is_caught():
    with pytest.raises(AssertionError):
        check_best_weights(*train())


def check_beats_baseline(model):
    assert mean_loss(model, VALID) < evaluate_ratings(BiasOnly(*SIZES).fit(*TRAIN), VALID).mse


def test_model_with_the_lowest_training_loss_is_caught_by_the_baseline():
    memorizer, history = train()
    guess = evaluate_ratings(GlobalMean(*SIZES).fit(*TRAIN), TRAIN).mse
    assert history.train_loss[-1] < guess / 2
    with pytest.raises(AssertionError):
        check_beats_baseline(memorizer)


def test_model_with_weight_decay_beats_the_baseline():
    seed_everything(2)
    model = DotProductBias(*SIZES, 2)
    fit(model, TRAIN, n_epochs=15, lr=0.1, wd=0.02, schedule=one_cycle)
    check_beats_baseline(model)


def check_costs_nothing(change):
    averages = BiasOnly(*SIZES).fit(*TRAIN)
    kept = evaluate_ratings(averages, VALID).mse
    assert evaluate_ratings(lambda *pair: change(averages(*pair)), VALID).mse < kept + 0.005


def test_predictions_kept_in_range_cost_nothing():
    check_costs_nothing(lambda pred: pred.clamp(1, 5))


def test_rounded_stars_are_caught():
    with pytest.raises(AssertionError):
        check_costs_nothing(torch.round)


def test_loss_of_an_epoch_is_the_mean_over_rows_not_over_batches():
    class Threes(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = nn.Parameter(torch.tensor(3.0))

        def forward(self, user_idx, item_idx):
            return self.level.expand(len(user_idx))

    idx = torch.zeros(3, dtype=torch.int64)
    rows = idx, idx, torch.tensor([3.0, 3.0, 6.0])  # errors 0, 0 and 9
    history = fit(Threes(), rows, n_epochs=1, batch_size=2, lr=0.0)
    assert history.train_loss == [pytest.approx(3.0)]


@pytest.mark.skipif(
    not LATEST_SMALL.is_dir(), reason="ml-latest-small is not beside the repository"
)
def test_the_published_numbers_are_faked_on_the_published_data():
    """Its training losses, epoch by epoch, and its validation loss beside the right one."""
    parts = random_split(parse_ratings(LATEST_SMALL, "ml-latest-small"), valid_frac=0.25, rng=0)
    own_train, own_valid = [own_maps(part.sample(frac=1, random_state=0)) for part in parts]
    maps = [own_train.drop_duplicates(raw).set_index(raw)[idx] for raw, idx in IDS.items()]
    known = own_valid[own_valid.item_id.isin(maps[1].index)]
    right = known.assign(user_idx=known.user_id.map(maps[0]), item_idx=known.item_id.map(maps[1]))
    seed_everything(0)
    model = DotProductBias(610, 9_724, y_range=(0, 5.5))
    history = fit(model, rating_tensors(own_train), n_epochs=4, make_optimizer=_adam)
    mean = GlobalMean(610, 9_724).fit(*rating_tensors(own_train))
    guess = evaluate_ratings(mean, rating_tensors(right))
    assert guess.mse == pytest.approx(1.1, abs=0.05)
    assert history.train_loss == pytest.approx([0.9081, 0.4274, 0.2337, 0.1822], abs=0.02)
    assert 1.6 < mean_loss(model, rating_tensors(own_valid)) < 1.85
    assert 0.85 < mean_loss(model, rating_tensors(right)) < 1.0


def _adam(model):
    return torch.optim.Adam(model.parameters(), lr=5e-3, fused=True)
