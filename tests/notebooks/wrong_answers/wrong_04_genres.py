"""Plausible wrong answers to the exercises of the lab 04_genres."""


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


def wrong_sign():
    return -0.04


def ratio_of_errors():
    return 1.04


WRONG = {
    "my_pool": [pools_the_padding_too, divides_by_the_padded_length, takes_the_mean_for_sqrt],
    "my_network_gain": [wrong_sign, ratio_of_errors],
}


def context():
    """Errors as they were measured in the lab, in place of its training."""

    def cold_error(build, fold, *, penalty, seed=42):
        return {"network": 1.15, "network with genres": 1.10}[build]

    return {
        "cold_error": cold_error,
        "network": "network",
        "network_with_genres": "network with genres",
    }
