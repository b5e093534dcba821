"""Wrong but plausible answers that lesson 06 must refuse."""


def precision_by_all_positives(ranks, k):
    hits = sorted(rank for rank in ranks if rank <= k)
    return sum(n / rank for n, rank in enumerate(hits, start=1)) / len(ranks)


def precision_in_the_order_given(ranks, k):
    total, n_hits = 0.0, 0
    for rank in ranks:
        if rank <= k:
            n_hits += 1
            total += n_hits / rank
    return total / min(k, len(ranks))


def precision_by_k(ranks, k):
    hits = sorted(rank for rank in ranks if rank <= k)
    return sum(n / rank for n, rank in enumerate(hits, start=1)) / k


def precision_by_hits(ranks, k):
    hits = sorted(rank for rank in ranks if rank <= k)
    return sum(n / rank for n, rank in enumerate(hits, start=1)) / max(len(hits), 1)


def weights_without_a_one(stars, extra):
    return extra * (stars == 5)


def weights_of_both(stars, extra):
    return 1 + extra * (stars >= 4)


def weights_by_star(stars, extra):
    return 1 + extra * (stars - 4) / 2


def context():
    """The order that the notebook draws."""
    return {"truth": TRUTH}


TRUTH = {"A": "id", "B": "distance", "C": "dot product"}

WRONG = {
    "my_average_precision": [
        precision_by_all_positives,
        precision_in_the_order_given,
        precision_by_k,
        precision_by_hits,
    ],
    "my_weights": [weights_without_a_one, weights_of_both, weights_by_star],
    "my_diagnosis": [
        {"A": TRUTH["B"], "B": TRUTH["A"], "C": TRUTH["C"]},
        {"A": TRUTH["A"], "B": TRUTH["C"], "C": TRUTH["B"]},
    ],
}
