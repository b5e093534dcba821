"""Wrong but plausible answers that lesson 08 must refuse."""


def better_than_nothing(low, high, worth):
    if low > 0:
        return "ship"
    return "do not ship" if high < 0 else "undecided"


def by_the_middle(low, high, worth):
    return "ship" if (low + high) / 2 >= worth else "do not ship"


def more_than_worth(low, high, worth):
    if low > worth:
        return "ship"
    return "do not ship" if high <= worth else "undecided"


def later_rows_of_anybody(train, test):
    latest = max((time for _, _, time in train), default=0)
    return sorted({user for user, _, time in test if time < latest})


def earlier_than_all_own_rows(train, test):
    first = {}
    for user, _, time in train:
        first[user] = min(time, first.get(user, time))
    return sorted({user for user, _, time in test if time < first.get(user, time)})


def ties_count_too(train, test):
    return sorted({u for u, _, t in test if any(u == v and t <= s for v, _, s in train)})


def context():
    """The order that the notebook draws."""
    return {"truth": TRUTH}


TRUTH = {"A": "own_mapping", "B": "seen_unmasked", "C": "random_split"}
WRONG = {
    "my_decision": [better_than_nothing, by_the_middle, more_than_worth],
    "my_leaks": [later_rows_of_anybody, earlier_than_all_own_rows, ties_count_too],
    "my_diagnosis": [
        {"A": "seen_unmasked", "B": "own_mapping", "C": "random_split"},
        {"A": "random_split", "B": "seen_unmasked", "C": "own_mapping"},
    ],
}
