"""Wrong but plausible answers to the exercises of the lab on reading embeddings."""

import numpy as np

from nbhelpers.teaching.exercises import check_answer


def signed(column, other):
    """The sign stays, so the level is that of 98 % of the sizes."""
    rng = np.random.default_rng(0)
    drawn = [np.corrcoef(column, rng.permutation(other))[0, 1] for _ in range(2000)]
    return np.quantile(drawn, 0.95)


def not_permuted(column, other):
    return abs(np.corrcoef(column, other)[0, 1])


def largest(column, other):
    rng = np.random.default_rng(0)
    return max(abs(np.corrcoef(column, rng.permutation(other))[0, 1]) for _ in range(2000))


def share_missing(listed_ids, table_ids):
    return (len(listed_ids) - len(table_ids)) / len(listed_ids)


def share_of_the_list(listed_ids, table_ids):
    moved = sum(one != other for one, other in zip(listed_ids, table_ids, strict=False))
    return moved / len(listed_ids)


WRONG = {
    "my_noise_level": [signed, not_permuted, largest],
    "my_share_moved": [share_missing, share_of_the_list],
}


def context():
    return {"check_answer": check_answer}
