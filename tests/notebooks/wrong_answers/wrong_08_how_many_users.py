"""Wrong but plausible answers that the lab on the number of users must refuse."""

import numpy as np


def limit_without_power(difference, spread):
    return round((1.96 * spread / difference) ** 2)


def forgets_the_square(difference, spread):
    return round(2.8 * spread / difference)


def takes_the_spread_for_a_variance(difference, spread):
    return round(2.8**2 * spread / difference**2)


def unpaired(first, second):
    first, second = np.array(first), np.array(second)
    variance = first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)
    return (first.mean() - second.mean()) / variance**0.5


def spread_of_one_person(first, second):
    gains = np.array(first) - np.array(second)
    return gains.mean() / gains.std(ddof=1)


def without_those_who_are_level(first, second):
    gains = np.array(first) - np.array(second)
    gains = gains[gains != 0]
    return gains.mean() / (gains.var(ddof=1) / len(gains)) ** 0.5


def other_way_round(first, second):
    gains = np.array(second) - np.array(first)
    return gains.mean() / (gains.var(ddof=1) / len(gains)) ** 0.5


WRONG = {
    "my_users": [limit_without_power, forgets_the_square, takes_the_spread_for_a_variance],
    "my_z": [unpaired, spread_of_one_person, without_those_who_are_level, other_way_round],
}
