"""Wrong answers to the exercises of the lab on weight decay, which their checks must refuse."""

import torch

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.ratings import rating_split


def kept(wd, lr, batch_size, new_lr, new_batch_size):
    """The same decay, whatever else changes."""
    return wd


def without_batches(wd, lr, batch_size, new_lr, new_batch_size):
    return wd * lr / new_lr


def upside_down(wd, lr, batch_size, new_lr, new_batch_size):
    return wd * lr / new_lr * batch_size / new_batch_size


def context():
    """The first split of the lab, and the control with permuted ratings."""
    first = rating_split(rating_split(load_ratings(), rng=0).train_ratings, rng=0)
    user_idx, item_idx, rating = first.train
    order = torch.randperm(len(rating), generator=torch.Generator().manual_seed(42))
    return {"first": first, "permuted": first._replace(train=(user_idx, item_idx, rating[order]))}


WRONG = {
    "my_decay": [kept, without_batches, upside_down],
    # Without decay; with true ratings; the variance itself.
    "my_loss": [1.59, 0.88, 1.27],
}
