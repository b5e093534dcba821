"""Wrong but plausible answers that the lab on the network's budget must refuse."""

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.ratings import rating_split


def best_even_at_an_end(trials, model):
    errors = {decay: error for name, decay, error in trials if name == model}
    return min(errors, key=errors.get)


def best_by_place_in_the_list(trials, model):
    own = [(decay, error) for name, decay, error in trials if name == model]
    place = min(range(len(own)), key=lambda k: own[k][1])
    return None if place in (0, len(own) - 1) else own[place][0]


def best_within_ends_of_all_models(trials, model):
    errors = {decay: error for name, decay, error in trials if name == model}
    best = min(errors, key=errors.get)
    decays = [decay for _, decay, _ in trials]
    return None if best in (min(decays), max(decays)) else best


def context():
    """What the last solution trains on."""
    return {"SEED": 42, "splits": [rating_split(load_ratings(), rng=0)]}


WRONG = {
    "my_best_decay": [
        best_even_at_an_end,
        best_by_place_in_the_list,
        best_within_ends_of_all_models,
    ],
    "my_error": [0.846, 0.87, 0.904],
}
