"""Wrong but plausible answers that the lab on negative sampling must refuse."""

from copy import copy, deepcopy
from functools import cache

import torch

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import stratified_split
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches
from nbhelpers.sampling.negatives import PopularityNegatives
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.fit_ranking import fit_ranking
from nbhelpers.training.losses import bpr_loss
from nbhelpers.training.optimizers import one_cycle


def alone_by_a_shallow_copy(make_loader, data):
    before = vars(data).copy()
    make_loader(data)
    return vars(data) == before


def alone_by_the_same_dict(make_loader, data):
    before = vars(data)
    make_loader(data)
    return vars(data) == before


def alone_by_a_copied_object(make_loader, data):
    before = copy(data)
    make_loader(data)
    return vars(data) == vars(before)


def alone_in_what_was_there(make_loader, data):
    before = deepcopy(vars(data))
    make_loader(data)
    return all(vars(data).get(name) == value for name, value in before.items())


@cache
def context():
    """What the last solution corrects: the lab's model of popularity draws."""
    ratings, films = load_ratings(), load_items()
    parts = stratified_split(ratings, valid_frac=0.1, test_frac=0.1, rng=42)
    split = positive_split(parts, items=films)
    sizes = {"n_users": len(split.users), "n_items": len(split.items)}
    train = Interactions(*split.train.pairs(), **sizes)
    seed_everything(0)
    model = MatrixFactorization(*sizes.values(), n_factors=16)
    batches = PairBatches(
        train,
        PopularityNegatives(train, power=1.0),
        batch_size=1024,
        n_negatives=5,
        generator=torch.Generator().manual_seed(0),
    )
    fit_ranking(model, batches, loss=bpr_loss, lr=0.1, wd=0.6, n_epochs=10, schedule=one_cycle)
    return {"split": split, "train": train, "by_popularity": model}


WRONG = {
    "my_leaves_alone": [
        alone_by_a_shallow_copy,
        alone_by_the_same_dict,
        alone_by_a_copied_object,
        alone_in_what_was_there,
    ],
    "my_map": [0.150, 0.067, 0.136, 0.17],
}
