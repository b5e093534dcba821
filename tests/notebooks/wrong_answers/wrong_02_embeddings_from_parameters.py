"""Wrong but plausible answers to the exercises of lesson 02."""

from functools import cache

import torch
from torch import nn

from nbhelpers.core.folded import sigmoid_range
from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.ratings import rating_split
from nbhelpers.models.embeddings import Embedding
from nbhelpers.teaching.exercises import check_answer
from nbhelpers.training.optimizers import one_cycle


def sorted_values(values):
    return sorted(values)


def largest_first(values):
    return sorted(range(len(values)), key=lambda position: -values[position])


def ranks(values):
    return [sorted(values).index(value) for value in values]


def no_squeeze(score, table, idx):
    return score + table[idx]


def no_look_up(score, table, idx):
    return score + table.squeeze(1)[: len(idx)]


def a_row_instead(score, table, idx):
    return score + table[idx].T


class _Faulty(nn.Module):
    def __init__(self, n_users, n_items, *, holds):
        super().__init__()
        self.factors = holds([Embedding(n_users, 50), Embedding(n_items, 50)])
        self.user_bias, self.item_bias = Embedding(n_users, 1), Embedding(n_items, 1)

    def forward(self, user_idx, item_idx):
        users, items = self.factors
        product = (users(user_idx) * items(item_idx)).sum(dim=1)
        bias = self.user_bias(user_idx) + self.item_bias(item_idx)
        return sigmoid_range(self.added(product, bias), 0, 5.5)


class _Square(_Faulty):
    def added(self, product, bias):
        return product + bias


class _Flat(_Faulty):
    def added(self, product, bias):
        return product + bias.squeeze(1)


class _MeanInstead(_Faulty):
    """Of the right shape, but with the bias of the whole batch."""

    def added(self, product, bias):
        return (product + bias).mean(dim=0)


def as_it_was(n_users, n_items):
    return _Square(n_users, n_items, holds=list)


def only_the_list(n_users, n_items):
    return _Square(n_users, n_items, holds=nn.ModuleList)


def only_the_shape(n_users, n_items):
    return _Flat(n_users, n_items, holds=list)


def mean_of_the_square(n_users, n_items):
    return _MeanInstead(n_users, n_items, holds=nn.ModuleList)


WRONG = {
    "my_argsort": [sorted_values, largest_first, ranks],
    "my_biased": [no_squeeze, no_look_up, a_row_instead],
    "my_model": [as_it_was, only_the_list, only_the_shape, mean_of_the_square],
}


@cache
def context():
    torch.manual_seed(42)
    split = rating_split(load_ratings(), rng=42)
    return {
        "check_answer": check_answer,
        "split": split,
        "n_users": split.users.n_rows,
        "n_items": split.items.n_rows,
        "RECIPE": {"batch_size": 512, "lr": 0.01, "schedule": one_cycle},
    }
