"""Wrong but plausible answers that the lab on dot product and network must refuse."""

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import last_like_out


def best_of_all(scores):
    return max(scores)


def mean_of_all(scores):
    return sum(scores) / len(scores)


def pairs_with_repetition(scores):
    better = [max(one, other) for one in scores for other in scores]
    return sum(better) / len(better)


def neighbors_only(scores):
    better = [max(scores[k], scores[k + 1]) for k in range(len(scores) - 1)]
    return sum(better) / len(better)


def no_lead():
    return [0.0, 0.0]


def the_whole_lead_is_the_models():
    return [0.010, 0.010]


def order_of_the_numbers():
    return [-0.007, 0.010]


def context():
    """What the last solution trains on."""
    parts = last_like_out(load_ratings(), n_parts=3, rng=0)
    split = positive_split(parts, items=load_items())
    user_idx, item_idx = split.train.pairs()
    train = Interactions(user_idx, item_idx, users=split.users, items=split.items)
    return {"split": split, "train": train}


WRONG = {
    "my_best_of_two": [best_of_all, mean_of_all, pairs_with_repetition, neighbors_only],
    "my_leads": [no_lead, the_whole_lead_is_the_models, order_of_the_numbers],
}
