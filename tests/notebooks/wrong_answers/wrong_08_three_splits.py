"""Plausible wrong answers to the exercises of the lab 08_three_splits."""

from types import SimpleNamespace

import pandas as pd
import torch

from nbhelpers.data.vocabulary import Vocabulary


def future_of_anybody(test, known):
    return sum(any(other > day for _, other in known) for _, day in test) / len(test)


def counts_the_same_day(test, known):
    hits = [any(p == person and other >= day for p, other in known) for person, day in test]
    return sum(hits) / len(test)


def share_of_pairs(test, known):
    pairs = [(day, other) for person, day in test for p, other in known if p == person]
    return sum(other > day for day, other in pairs) / len(pairs)


def divides_by_the_people_who_are_known(test, known):
    people = {person for person, _ in known}
    rows = [(person, day) for person, day in test if person in people]
    hits = [any(p == person and other > day for p, other in known) for person, day in rows]
    return sum(hits) / len(rows)


WRONG = {
    "my_share_with_future": [
        future_of_anybody,
        counts_the_same_day,
        share_of_pairs,
        divides_by_the_people_who_are_known,
    ],
    # The fresh list, popularity, and the list on training and validation rows with a share of 0.5.
    "my_old_list": [0.233, 0.153, 0.197],
}


def context():
    """One person who comes back for the sixth film of the old list and for one far below."""
    rows = pd.DataFrame({"user_id": 1, "rating": 5.0, "timestamp": range(4)})
    rows["item_id"] = [1, 2, 8, 30]
    scores = torch.arange(30, 0, -1.0).unsqueeze(0)
    old = SimpleNamespace(score_users=lambda user_idx: scores)
    return {
        "SEED": 42,
        "parts": {("one date", 0.9): [rows[:1], rows[1:2], rows[2:]]},
        "people": Vocabulary(rows["user_id"]),
        "catalog": Vocabulary(pd.Series(range(1, 31))),
        "contenders": {
            "recent popularity": SimpleNamespace(fitted=lambda likes, settings, seed: old)
        },
    }
