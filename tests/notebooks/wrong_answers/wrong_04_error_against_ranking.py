"""Wrong answers to the exercises of the lab on errors and rankings."""

from torch import nn

from nbhelpers.teaching.exercises import check_answer, satisfies


def context():
    """What the first check cell of the lab imports."""
    return {"check_answer": check_answer, "satisfies": satisfies}


def with_seen(scores, seen, k):
    return sorted(range(len(scores)), key=lambda film: scores[film], reverse=True)[:k]


def seen_set_to_zero(scores, seen, k):
    masked = [0 if film in seen else score for film, score in enumerate(scores)]
    return sorted(range(len(masked)), key=lambda film: masked[film], reverse=True)[:k]


def cut_before_the_mask(scores, seen, k):
    return [film for film in with_seen(scores, seen, k) if film not in seen]


def linear(d):
    return nn.Sequential(nn.Linear(2 * d, 1), nn.Flatten(0))


def wider_relu(d):
    return nn.Sequential(nn.Linear(2 * d, 128), nn.ReLU(), nn.Linear(128, 1), nn.Flatten(0))


WRONG = {
    "my_list": [with_seen, seen_set_to_zero, cut_before_the_mask],
    "my_network": [linear, wider_relu],
}
