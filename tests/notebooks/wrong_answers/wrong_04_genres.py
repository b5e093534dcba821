"""Plausible wrong answers to the exercises of the lab 04_genres."""

from functools import partial


def pools_the_padding_too(bag, table, pooling):
    divisor = {"sum": 1, "sqrt": len(bag) ** 0.5, "mean": len(bag)}[pooling]
    return [sum(table[genre][k] for genre in bag) / divisor for k in range(len(table[0]))]


def divides_by_the_padded_length(bag, table, pooling):
    genres = [genre for genre in bag if genre != 0]
    divisor = {"sum": 1, "sqrt": len(bag) ** 0.5, "mean": len(bag)}[pooling]
    return [sum(table[genre][k] for genre in genres) / divisor for k in range(len(table[0]))]


def takes_the_mean_for_sqrt(bag, table, pooling):
    genres = [genre for genre in bag if genre != 0]
    divisor = 1 if pooling == "sum" else max(len(genres), 1)
    return [sum(table[genre][k] for genre in genres) / divisor for k in range(len(table[0]))]


def pads_in_front(examples):
    longest = max(1, max(len(genres) for _, genres in examples))
    return [rating for rating, _ in examples], [
        [0] * (longest - len(genres)) + genres for _, genres in examples
    ]


def leaves_the_empty_list_empty(examples):
    longest = max(len(genres) for _, genres in examples)
    return [rating for rating, _ in examples], [
        genres + [0] * (longest - len(genres)) for _, genres in examples
    ]


def cuts_to_the_first_length(examples):
    longest = max(1, len(examples[0][1]))
    return [rating for rating, _ in examples], [
        (genres + [0] * longest)[:longest] for _, genres in examples
    ]


def wrong_sign():
    return -0.04


def ratio_of_errors():
    return 1.04


WRONG = {
    "my_pool": [pools_the_padding_too, divides_by_the_padded_length, takes_the_mean_for_sqrt],
    "my_collate": [pads_in_front, leaves_the_empty_list_empty, cuts_to_the_first_length],
    "my_network_gain": [wrong_sign, ratio_of_errors],
}


def context():
    """Errors as they were measured in the lab, in place of its training."""

    def cold_error(build, fold, *, penalty, seed=42):
        return (1.10 if isinstance(build, partial) else 1.15), 0.0

    return {"cold_error": cold_error, "genres": None}
