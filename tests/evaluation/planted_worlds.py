"""Populations of users whose true means are known, from which tests draw as many as they like."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class World:
    """A finite population: each outcome is what one user gives to two models.

    ``values`` has shape (2, n_outcomes), ``share`` says how common each outcome is.
    """

    values: np.ndarray
    share: np.ndarray

    @property
    def gains(self):
        return self.values[0] - self.values[1]  # (n_outcomes,)

    @property
    def means(self):
        return self.values @ self.share  # (2,)

    @property
    def difference(self):
        return float(self.gains @ self.share)

    @property
    def spread(self):
        return float(np.sqrt((self.gains - self.difference) ** 2 @ self.share))

    def draw(self, n_users, rng):
        outcome = rng.choice(len(self.share), size=n_users, p=self.share)
        return self.values[:, outcome]  # (2, n_users)


def lists_world(gains_by_rank, *, found, agree):
    """Two models that list one held-out item each at a random rank, or miss it, which is worth 0.

    ``found`` are the shares of users whose item each model lists, ``agree`` is the share of users
    in whom both draw the same rank, by the chances of the second.
    """
    gains = np.append(gains_by_rank, 0.0)
    chances = [np.append(np.full(len(gains) - 1, hit / (len(gains) - 1)), 1 - hit) for hit in found]
    joint = (1 - agree) * np.outer(*chances) + agree * np.diag(chances[1])
    first, second = np.meshgrid(gains, gains, indexing="ij")
    return World(np.stack([first.ravel(), second.ravel()]), joint.ravel())


def normal_world(difference):
    """Gains that are close to a Gaussian with deviation 1 (a fine grid of it)."""
    grid = np.linspace(-5, 5, 2001)
    share = np.exp(-(grid**2) / 2)
    values = np.stack([grid + difference, np.zeros_like(grid)])
    return World(values, share / share.sum())


NDCG_AT_10 = 1 / np.log2(1 + np.arange(1, 11))
# The NDCG of 78 and 85 of 100 users is 0; hits are 0 or 1; errors reach twenty times the smallest.
WORLDS = {
    "normal": normal_world(0.2),
    "ndcg with zeros": lists_world(NDCG_AT_10, found=(0.25, 0.15), agree=0.3),
    "hits": lists_world(np.ones(10), found=(0.25, 0.15), agree=0.3),
    "skewed errors": lists_world(np.geomspace(0.3, 6, 12), found=(0.99, 0.8), agree=0.4),
}
