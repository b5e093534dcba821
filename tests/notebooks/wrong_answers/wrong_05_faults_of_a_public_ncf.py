"""Wrong but plausible answers that the lab on the faults of a public network must refuse."""

import pandas as pd

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import leave_last_out


def counts_repeated_ids(ids):
    return max(ids) + 1 - len(ids)


def forgets_row_zero(ids):
    return max(ids) - len(set(ids))


def gaps_between_the_ends(ids):
    return max(ids) - min(ids) + 1 - len(set(ids))


def context():
    """What the last solution trains on."""
    parts = leave_last_out(load_ratings(), n_parts=3, rng=0)
    split = positive_split(parts, items=load_items(), least=1)
    sizes = {"n_users": split.known.n_users, "n_items": split.known.n_items}
    runs = {"mended": [pd.DataFrame({"99 sampled": [0.608]})]}
    return {"split": split, "known": split.known, "best_epochs": 8, "runs": runs, **sizes}


WRONG = {
    "my_dead_rows": [counts_repeated_ids, forgets_row_zero, gaps_between_the_ends],
    "my_hit_rate": [0.608, 0.09, 0.65],
}
