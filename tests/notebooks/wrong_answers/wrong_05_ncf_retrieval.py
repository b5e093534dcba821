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


def share_of_the_mean_person(n_positives, n_items):
    return sum(n_positives) / len(n_positives) / n_items


def share_by_mean_of_squares(n_positives, n_items):
    return sum((count / n_items) ** 2 for count in n_positives) / len(n_positives)


def context():
    """The order that the notebook draws."""
    order = ["sigmoid before the loss", "negatives drawn once", "validates on training films"]
    return {"truth": dict(zip("ABC", order, strict=True)), "log2": log2}


WRONG = {
    "my_ndcg": [ndcg_without_ideal, ndcg_with_ideal_beyond_k, ndcg_without_cut],
    "my_share": [share_of_the_mean_person, share_by_mean_of_squares],
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
