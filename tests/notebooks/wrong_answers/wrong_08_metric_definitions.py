"""Plausible wrong answers to the exercises of the lab 08_metric_definitions."""

import numpy as np


def divides_by_all_positives(places, k):
    precisions = [n / place for n, place in enumerate(places, 1) if place <= k]
    return sum(precisions) / len(places)


def divides_by_the_possible(places, k):
    precisions = [n / place for n, place in enumerate(places, 1) if place <= k]
    return sum(precisions) / min(k, len(places))


def mean_of_reciprocal_places(places, k):
    found = [1 / place for place in places if place <= k]
    return sum(found) / len(found) if found else 0.0


def looks_beyond_the_list(places, k):
    precisions = [n / place for n, place in enumerate(places, 1)]
    return sum(precisions) / len(precisions)


def all_places(hits, k):
    return len(hits) * k


def all_positives(hits, k):
    return hits.sum()


def all_people(hits, k):
    return len(hits)


def positives_in_the_lists(hits, k):
    return hits[:, :k].sum()


WRONG = {
    "my_hit_map": [
        divides_by_all_positives,
        divides_by_the_possible,
        mean_of_reciprocal_places,
        looks_beyond_the_list,
    ],
    "my_denominator": [all_places, all_positives, all_people, positives_in_the_lists],
}


def context():
    """The five lists of the lab."""
    hits = np.array(
        [
            [1, 0, 0, 0, 0, 0, 0, 0],
            [0, 1, 0, 0, 1, 0, 0, 0],
            [1, 0, 1, 1, 0, 1, 1, 0],
            [0, 0, 0, 0, 1, 0, 0, 1],
            [0, 0, 1, 0, 0, 0, 0, 0],
        ]
    )
    return {"hits": hits, "K": 3, "np": np}
