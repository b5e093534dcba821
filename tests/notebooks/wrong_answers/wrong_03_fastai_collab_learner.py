"""Plausible wrong answers to the exercises of lesson 03."""

import pandas as pd
from fastai.collab import CollabDataLoaders


def never_in_one_draw(n, k):
    return 1 - k / n


def drawn_at_least_once(n, k):
    return 1 - (1 - 1 / n) ** k


def without_repeats(n, k):
    return max(0.0, (n - k) / n)


def compared_as_text(classes, table):
    return {
        column: int((~table[column].astype(str).isin([str(each) for each in ids])).sum())
        for column, ids in classes.items()
    }


def distinct_ids(classes, table):
    return {column: len(set(table[column]) - set(ids)) for column, ids in classes.items()}


def rows_in_all(classes, table):
    return sum(int((~table[column].isin(ids)).sum()) for column, ids in classes.items())


def known_users(dls):
    return int(dls.valid.items["user_id"].isin(dls.train.items["user_id"]).sum())


def both_columns_known(dls):
    train, valid = dls.train.items, dls.valid.items
    known = [valid[column].isin(train[column]) for column in dls.cat_names]
    return int((known[0] & known[1]).sum())


def distinct_pairs(dls):
    pair = list(dls.cat_names)
    train, valid = (rows[pair].drop_duplicates() for rows in (dls.train.items, dls.valid.items))
    return len(valid.merge(train, on=pair))


WRONG = {
    "my_missed": [never_in_one_draw, drawn_at_least_once, without_repeats],
    "my_unknown_rows": [compared_as_text, distinct_ids, rows_in_all],
    "my_leaked_rows": [known_users, both_columns_known, distinct_pairs],
}


def context():
    """The toy table of the lesson, and small loaders in the place of the colleague's."""
    toy = pd.DataFrame(
        {
            "user_id": [7, 7, 9, 9, 12],
            "title": ["Alien", "Brazil", "Alien", "Brazil", "Dumbo"],
            "rating": [4.0, 5.0, 2.0, 3.0, 1.0],
        }
    )
    dls = CollabDataLoaders.from_df(toy, seed=0, bs=2)
    return {"toy": toy, "dls": dls, "colleague_dls": dls}
