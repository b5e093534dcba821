"""Wrong but plausible answers that the lab on serving must refuse."""

import torch

from nbhelpers.data.datasets.load import load_items, load_ratings
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import last_like_out
from nbhelpers.models.als import IALS
from nbhelpers.serving.index import with_bias


def rounds(numbers):
    step = (max(numbers) - min(numbers)) / 255
    return [round((number - min(numbers)) / step) for number in numbers]


def around_zero(numbers):
    step = max(abs(number) for number in numbers) / 127
    return [round(number / step) for number in numbers]


def cuts_into_256(numbers):
    step = (max(numbers) - min(numbers)) / 256
    return [min(255, int((number - min(numbers)) / step)) for number in numbers]


def forgets_the_additions(n_users, n_items, n_factors, billions):
    return n_users * n_items * n_factors / (billions * 1e9) / 3_600


def in_seconds(n_users, n_items, n_factors, billions):
    return 2 * n_users * n_items * n_factors / (billions * 1e9)


def one_range_for_all(vectors):
    scale = (vectors.max() - vectors.min()) / 255
    return ((vectors - vectors.min()) / scale).round() * scale + vectors.min()


def one_range_around_zero(vectors):
    scale = vectors.abs().max() / 127
    return (vectors / scale).round() * scale


def not_quantized(vectors):
    return vectors


def context():
    """The models whose vectors the last exercise packs."""
    parts = last_like_out(load_ratings(), n_parts=3, rng=42)
    split = positive_split(parts, items=load_items())
    settings = {"unobserved_weight": 1.0, "reg": 0.015, "n_iterations": 4, "n_cg_steps": 3}
    model = IALS(64, **settings, generator=torch.Generator().manual_seed(0))
    model.fit(split.known)
    return {
        "biased": with_bias(model.item_factors, 40 + torch.arange(1682) % 41 / 200),
        "biased_people": with_bias(model.user_factors, 1.0),
    }


WRONG = {
    "my_codes": [rounds, around_zero, cuts_into_256],
    "my_hours": [forgets_the_additions, in_seconds],
    "my_pack": [one_range_for_all, one_range_around_zero, not_quantized],
}
