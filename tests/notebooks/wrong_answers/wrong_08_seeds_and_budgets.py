"""Wrong but plausible answers that the lab on seeds and budgets must refuse."""

import math

from nbhelpers.course.stored_tables import stored_table


def rounds_down(share, certainty):
    return int(math.log(1 - certainty) / math.log(1 - share))


def one_hit_on_average(share, certainty):
    return math.ceil(1 / share)


def takes_chances_as_sums(share, certainty):
    return math.ceil(certainty / share)


def swaps_share_and_certainty(share, certainty):
    return math.ceil(math.log(1 - share) / math.log(1 - certainty))


def context():
    trials = stored_table("08_seeds_and_budgets_trials")
    return {"valid": dict(list(trials.groupby("model")["valid"]))}


WRONG = {
    "my_trials_needed": [
        rounds_down,
        one_hit_on_average,
        takes_chances_as_sums,
        swaps_share_and_certainty,
    ],
    "my_races": [
        lambda: [0.0, 0.65],
        lambda: [0.35, 1.0],
        lambda: [0.40, 0.0],
        lambda: [0.65, 0.4375],
        lambda: [65, 0],
    ],
}
