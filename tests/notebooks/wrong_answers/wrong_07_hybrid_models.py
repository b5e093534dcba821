"""Wrong but plausible answers that lesson 07 must refuse."""


def rows_in_the_order_of_the_dictionary(genres_of, ids, names):
    return [[int(n in genres) for n in names] for key, genres in genres_of.items() if key in ids]


def missing_film_without_genres(genres_of, ids, names):
    return [[int(name in genres_of.get(key, [])) for name in names] for key in ids]


def first_genre_alone(genres_of, ids, names):
    return [
        [int(name in genres_of[key][:1]) for name in names] if key in genres_of else None
        for key in ids
    ]


def without_a_control(true_gain, planted_gain):
    if true_gain[0] > 0:
        return "help"
    return "hurt" if true_gain[1] < 0 else "no gain found"


def control_before_all(true_gain, planted_gain):
    if planted_gain[0] <= 0:
        return "the test is blind"
    return without_a_control(true_gain, planted_gain)


def by_the_middle(true_gain, planted_gain):
    if sum(true_gain) > 0:
        return "help"
    if sum(true_gain) < 0:
        return "hurt"
    return "no gain found" if planted_gain[0] > 0 else "the test is blind"


def context():
    """The order that the notebook draws."""
    return {"truth": TRUTH}


TRUTH = {"A": "two factorizations", "B": "never unfrozen", "C": "misaligned rows"}
WRONG = {
    "my_rows": [
        rows_in_the_order_of_the_dictionary,
        missing_film_without_genres,
        first_genre_alone,
    ],
    "my_verdict": [without_a_control, control_before_all, by_the_middle],
    "my_diagnosis": [
        {"A": "two factorizations", "B": "misaligned rows", "C": "never unfrozen"},
        {"A": "misaligned rows", "B": "never unfrozen", "C": "two factorizations"},
    ],
}
