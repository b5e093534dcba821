"""Wrong but plausible answers that the lab on two towers must refuse."""

import math

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import last_like_out


def uncorrected(scores, q, positive):
    return math.log(sum(math.exp(score) for score in scores)) - scores[positive]


def added_instead_of_subtracted(scores, q, positive):
    corrected = [score + math.log(share) for score, share in zip(scores, q, strict=True)]
    return math.log(sum(math.exp(score) for score in corrected)) - corrected[positive]


def all_but_the_positive(scores, q, positive):
    corrected = [
        score - math.log(share) if column != positive else score
        for column, (score, share) in enumerate(zip(scores, q, strict=True))
    ]
    return math.log(sum(math.exp(score) for score in corrected)) - corrected[positive]


def share_as_it_is():
    return 0.23


def share_corrected():
    return 0.87


def ndcg_instead_of_the_share():
    return 0.071


def context():
    """What the last solution trains on."""
    parts = last_like_out(load_ratings(), n_parts=3, rng=0)
    split = positive_split(parts, items=load_items())
    user_idx, item_idx = split.train.pairs()
    train = Interactions(user_idx, item_idx, users=split.users, items=split.items)
    return {"SEED": 42, "split": split, "train": train}


WRONG = {
    "my_loss": [uncorrected, added_instead_of_subtracted, all_but_the_positive],
    "my_popularity_share": [share_as_it_is, share_corrected, ndcg_instead_of_the_share],
}
