"""Wrong answers to the exercises of lesson 01, which their checks must refuse."""

from functools import cache

from torch import nn

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.ratings import rating_split
from nbhelpers.models.dot_product import DotProduct, DotProductBias
from nbhelpers.models.embeddings import small_embedding


def products(left, right):
    """Forgets to add up."""
    return [left[k] * right[k] for k in range(len(left))]


def without_the_last(left, right):
    return sum(left[k] * right[k] for k in range(len(left) - 1))


def sum_of_sums(left, right):
    return sum(left) * sum(right)


def without_bias(n_users, n_items):
    return DotProduct(n_users, n_items, y_range=(0, 5.5))


def with_both(n_users, n_items):
    return DotProductBias(n_users, n_items, y_range=(0, 5.5))


class FilmBias(DotProduct):
    def __init__(self, n_users, n_items):
        super().__init__(n_users, n_items, y_range=(0, 5.5))
        self.item_bias = small_embedding(n_items, 1)

    def score(self, user_idx, item_idx):
        return super().score(user_idx, item_idx) + self.item_bias(item_idx).squeeze(1)


def as_it_was(n_users, n_items):
    model = item_factors_at_zero(n_users, n_items)
    nn.init.zeros_(model.user_factors.weight)
    return model


def item_factors_at_zero(n_users, n_items):
    """Learns, but the wrong table starts at zero."""
    model = DotProductBias(n_users, n_items, y_range=(0, 5.5))
    nn.init.zeros_(model.item_factors.weight)
    return model


@cache
def context():
    split = rating_split(load_ratings(), rng=42)
    n_users, n_items = split.users.n_rows, split.items.n_rows
    return {"SEED": 42, "split": split, "n_users": n_users, "n_items": n_items}


WRONG = {
    "my_dot": [products, without_the_last, sum_of_sums],
    "my_one_bias_model": [without_bias, with_both, FilmBias],
    "my_mended_model": [as_it_was, item_factors_at_zero, with_both],
}
