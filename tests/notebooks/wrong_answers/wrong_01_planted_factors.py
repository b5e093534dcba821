"""Wrong answers to the exercises of the lab on planted factors, which their checks must refuse."""

import torch

from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.ratings import rating_split


def mean(stars):
    """What the squared error asks for."""
    return sum(stars) / len(stars)


def unsorted_middle(stars):
    return stars[len(stars) // 2]


def upper_middle(stars):
    """Not the middle of the two in the middle."""
    return sorted(stars)[len(stars) // 2]


def equal_factors(one, other):
    return torch.allclose(one, other)


def equal_norms(one, other):
    """Norms agree, and angles may differ."""
    return torch.allclose(one.norm(dim=1), other.norm(dim=1))


def between_factors(one, other):
    """Dot products between factors, which a rotation changes."""
    return torch.allclose(one.T @ one, other.T @ other)


def context():
    """The world of the lab."""
    world = make_ratings(300, 60, 9_000, n_factors=2, noise=0.3, star_step=None, rng=42)
    return {"SEED": 42, "world": world, "split": rating_split(world.ratings, rng=42)}


WRONG = {
    "my_number": [mean, unsorted_middle, upper_middle],
    "my_same_arrangement": [equal_factors, equal_norms, between_factors],
    # With the noise of the lab; without a rotation.
    "my_share": [0.008, 1.8],
}
