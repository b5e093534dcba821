"""Wrong answers to the exercises of the lab on ordinal ratings."""

import torch

from nbhelpers.teaching.exercises import check_answer, satisfies


def context():
    """What the first check cell of the lab imports."""
    return {"check_answer": check_answer, "satisfies": satisfies}


def above_a_half(probabilities):
    total = 0
    for star, probability in enumerate(probabilities, start=1):
        total += probability
        if total > 0.5:  # exactly a half is enough
            return star
    return len(probabilities)


def counted_from_zero(probabilities):
    total = 0
    for star, probability in enumerate(probabilities):
        total += probability
        if total >= 0.5:
            return star
    return len(probabilities)


def rounded_mean(probabilities):
    return round(sum(star * chance for star, chance in enumerate(probabilities, start=1)))


def plain_sums(lowest, steps):
    return torch.cat([lowest, lowest + steps.cumsum(dim=0)])


def sorted_thresholds(lowest, steps):
    return torch.cat([lowest, steps]).sort().values


def without_sums(lowest, steps):
    return torch.cat([lowest, lowest + torch.nn.functional.softplus(steps)])


WRONG = {
    "my_median": [above_a_half, counted_from_zero, rounded_mean],
    "my_thresholds": [plain_sums, sorted_thresholds, without_sums],
}
