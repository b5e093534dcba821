"""Answers to the exercises of the lab on LightFM that look right and are wrong."""


def sum_minus_squares(values):
    return sum(values) - sum(value**2 for value in values)


def every_pair_twice(values):
    return sum(values) ** 2 - sum(value**2 for value in values)


def neighbors_alone(values):
    return sum(a * b for a, b in zip(values, values[1:], strict=False))


def own_squares_too(values):
    return sum(values) ** 2 / 2


def keeps_ids():
    return 0.9


def a_gain():
    return 1.4


WRONG = {
    "my_pairs": [sum_minus_squares, every_pair_twice, neighbors_alone, own_squares_too],
    "my_features_alone": [keeps_ids, a_gain],
}
