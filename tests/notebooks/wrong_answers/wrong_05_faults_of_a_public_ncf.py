"""Wrong but plausible answers that the lab on the faults of a public network must refuse."""


def counts_repeated_ids(ids):
    return max(ids) + 1 - len(ids)


def forgets_row_zero(ids):
    return max(ids) - len(set(ids))


def gaps_between_the_ends(ids):
    return max(ids) - min(ids) + 1 - len(set(ids))


WRONG = {
    "my_dead_rows": [counts_repeated_ids, forgets_row_zero, gaps_between_the_ends],
    "my_hit_rate": [0.608, 0.09, 0.65],
}
