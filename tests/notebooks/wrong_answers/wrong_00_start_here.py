"""Answers to the exercises of lesson 00 that look right and are wrong."""

import numpy as np

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.splits import leave_last_out


def context():
    ratings = load_ratings()
    hidden = leave_last_out(ratings[ratings["rating"] >= 4], rng=0)[1]
    return {"HIDDEN": hidden, "KNOWN_RATINGS": ratings.drop(hidden.index)}


def zeros_for_empty_cells(log):
    table = log.pivot_table(index="user_id", columns="item_id", values="rating")
    return table.fillna(0).to_numpy()


def films_in_rows(log):
    table = log.pivot_table(index="item_id", columns="user_id", values="rating")
    return table.to_numpy()


def ids_in_order_of_appearance(log):
    users, films = log["user_id"].unique(), log["item_id"].unique()
    cells = np.full((len(users), len(films)), np.nan)
    for user, film, rating in zip(log["user_id"], log["item_id"], log["rating"], strict=True):
        cells[list(users).index(user), list(films).index(film)] = rating
    return cells


def as_many_as_on_the_left(left, right):
    return len(left)


def each_shared_key_once(left, right):
    return len(set(left) & set(right))


def left_rows_that_are_found(left, right):
    return sum(key in right for key in left)


def by_mean(known_ratings):
    means = known_ratings.groupby("item_id")["rating"].mean()
    return means.sort_values(ascending=False).index


def by_likes(known_ratings):
    likes = known_ratings[known_ratings["rating"] >= 4]
    return likes["item_id"].value_counts().index


def by_damped_mean(known_ratings):
    stars = known_ratings.groupby("item_id")["rating"].agg(["sum", "count"])
    damped = (stars["sum"] + 50 * 3.53) / (stars["count"] + 50)
    return damped.sort_values(ascending=False).index


def least_rated_first(known_ratings):
    return known_ratings["item_id"].value_counts(ascending=True).index


WRONG = {
    "my_crosstab": [zeros_for_empty_cells, films_in_rows, ids_in_order_of_appearance],
    "my_merged_rows": [as_many_as_on_the_left, each_shared_key_once, left_rows_that_are_found],
    "my_order": [by_mean, by_likes, by_damped_mean, least_rated_first],
}
