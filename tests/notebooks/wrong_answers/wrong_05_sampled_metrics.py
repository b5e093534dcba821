"""Wrong but plausible answers that the lab on sampled metrics must refuse."""


def place_among_all(rank, n_others, n_drawn):
    return n_drawn * rank / n_others


def forgets_the_film_itself(rank, n_others, n_drawn):
    return n_drawn * (rank - 1) / n_others


def divides_by_the_catalog(rank, n_others, n_drawn):
    return 1 + n_drawn * (rank - 1) / (n_others + 1)


WRONG = {
    "my_mean_place": [place_among_all, forgets_the_film_itself, divides_by_the_catalog],
    "my_spread": [0.0145, 0.03, 0.0001],
}
