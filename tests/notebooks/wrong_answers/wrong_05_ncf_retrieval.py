"""Wrong but plausible answers that lesson 05 must refuse."""

from math import log2


def ndcg_without_ideal(ranks, k):
    return sum(1 / log2(1 + rank) for rank in ranks if rank <= k)


def ndcg_with_ideal_beyond_k(ranks, k):
    gain = sum(1 / log2(1 + rank) for rank in ranks if rank <= k)
    return gain / sum(1 / log2(1 + place) for place in range(1, len(ranks) + 1))


def ndcg_without_cut(ranks, k):
    gain = sum(1 / log2(1 + rank) for rank in ranks)
    return gain / sum(1 / log2(1 + place) for place in range(1, min(len(ranks), k) + 1))


def list_length_without_the_hidden_film(k, n_drawn, n_unseen):
    return k / n_drawn * n_unseen


def list_length_of_the_sample(k, n_drawn, n_unseen):
    return k


def list_length_per_drawn_film(k, n_drawn, n_unseen):
    return n_unseen / (n_drawn + 1)


def context():
    """The order that the notebook draws."""
    order = ["sigmoid before the loss", "negatives drawn once", "validates on training films"]
    return {"truth": dict(zip("ABC", order, strict=True))}


WRONG = {
    "my_ndcg": [ndcg_without_ideal, ndcg_with_ideal_beyond_k, ndcg_without_cut],
    "my_list_length": [
        list_length_without_the_hidden_film,
        list_length_of_the_sample,
        list_length_per_drawn_film,
    ],
    "my_diagnosis": [
        {
            "A": "negatives drawn once",
            "B": "sigmoid before the loss",
            "C": "validates on training films",
        },
        {
            "A": "sigmoid before the loss",
            "B": "validates on training films",
            "C": "negatives drawn once",
        },
    ],
}
