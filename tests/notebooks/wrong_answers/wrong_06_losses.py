"""Wrong but plausible answers that the lab on losses must refuse."""

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import stratified_split


def weight_of(rank):
    return sum(1 / place for place in range(1, rank + 1))


def warp_of_the_hardest(positive, drawn, n_items):
    missing = 1 - (positive - max(drawn))
    rank = (n_items - 1) // (drawn.index(max(drawn)) + 1)
    return max(missing, 0.0) * weight_of(rank)


def warp_that_counts_tries_from_zero(positive, drawn, n_items):
    for tries, score in enumerate(drawn):
        if 1 - (positive - score) > 0:
            return (1 - (positive - score)) * weight_of((n_items - 1) // max(tries, 1))
    return 0.0


def warp_with_the_positive_in_the_catalog(positive, drawn, n_items):
    for tries, score in enumerate(drawn, start=1):
        if 1 - (positive - score) > 0:
            return (1 - (positive - score)) * weight_of(n_items // tries)
    return 0.0


def warp_weighted_by_the_rank_itself(positive, drawn, n_items):
    for tries, score in enumerate(drawn, start=1):
        if 1 - (positive - score) > 0:
            return (1 - (positive - score)) * ((n_items - 1) // tries)
    return 0.0


def warp_that_waits_for_a_higher_score(positive, drawn, n_items):
    for tries, score in enumerate(drawn, start=1):
        if score > positive:
            return (1 - (positive - score)) * weight_of((n_items - 1) // tries)
    return 0.0


def context():
    """What the last solution trains on."""
    ratings, films = load_ratings(), load_items()
    parts = stratified_split(ratings, valid_frac=0.1, test_frac=0.1, rng=42)
    split = positive_split(parts, items=films)
    n_users, n_items = len(split.users), len(split.items)
    names = {"split": split, "n_users": n_users, "n_items": n_items}
    user_idx, item_idx = split.train.pairs()
    return names | {"train": Interactions(user_idx, item_idx, n_users=n_users, n_items=n_items)}


WRONG = {
    "my_warp": [
        warp_of_the_hardest,
        warp_that_counts_tries_from_zero,
        warp_with_the_positive_in_the_catalog,
        warp_weighted_by_the_rank_itself,
        warp_that_waits_for_a_higher_score,
    ],
    "my_map": [0.148, 0.114, 0.2],
}
