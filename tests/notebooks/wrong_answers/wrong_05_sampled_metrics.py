"""Wrong but plausible answers that the lab on sampled metrics must refuse."""

import numpy as np


def place_among_all(rank, n_others, n_drawn):
    return n_drawn * rank / n_others


def forgets_the_film_itself(rank, n_others, n_drawn):
    return n_drawn * (rank - 1) / n_others


def divides_by_the_catalog(rank, n_others, n_drawn):
    return 1 + n_drawn * (rank - 1) / (n_others + 1)


def context():
    """Made-up ranks for the last solution, about as good as those of EASE."""
    rng = np.random.default_rng(0)
    true_rank = np.arange(1, 1580)
    rank = np.exp(rng.normal(4.0, 1.8, 942)).astype(int).clip(1, 1579)
    return {
        "n_others": 1578,
        "true_rank": true_rank,
        "in_list": (true_rank <= 10).astype(float),
        "ranks": {"EASE": rank},
        "rng": rng,
    }


WRONG = {
    "my_mean_place": [place_among_all, forgets_the_film_itself, divides_by_the_catalog],
    "my_spread": [0.0145, 0.03, 0.0001],
}
