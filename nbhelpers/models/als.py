"""Matrix factorization of positives by alternating least squares."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.coverage import FittedOn
from nbhelpers.core.folded import FoldedVectors
from nbhelpers.core.padding import padded_blocks
from nbhelpers.core.recommender import Positives
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.conjugate_gradients import RowSystems


class Weights(NamedTuple):
    """What a squared-error problem over all pairs puts on its terms."""

    everywhere: float  # weight of score ** 2, on every pair
    extra: float  # further weight of score ** 2, on positives
    pull: float  # weight of the score itself, on positives: what draws it up


class ALS(FittedOn):
    """Weighted matrix factorization of positives by alternating least squares.

    Minimizes, over all pairs of a user and an item, confidence * (preference - score) ** 2 +
    reg * (squared length of all factors): preference is 1 for a positive and 0 elsewhere,
    confidence is 1 + alpha for a positive and 1 elsewhere, score is the dot product. Each sweep
    solves all users given the items, then all items given the users.

    Parameters
    ----------
    n_factors : int
    alpha : float
        Extra confidence in a positive, above 0. The library implicit calls 1 + alpha its alpha.
    reg : float
        Above 0.
    n_iterations : int
        Sweeps.
    n_cg_steps : int, optional
        Left out, each half of a sweep is solved exactly. Otherwise it takes this many steps of
        conjugate gradients from the factors of the sweep before: 3 do, and the more factors,
        the more time they save.
    generator : torch.Generator, optional
        Draws the first item factors; the only random choice. Left out, torch's global one does.

    Attributes
    ----------
    user_factors : Tensor of float32, shape (n_users, n_factors)
        A user without positives, for whom the formula gives zeros, has the mean of the others.
    item_factors : Tensor of float32, shape (n_items, n_factors)
        Zeros for an item without positives.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets,
    sec. 4, https://doi.org/10.1109/ICDM.2008.22; Takács, Pilászy and Tikk (2011), Applications
    of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering,
    https://doi.org/10.1145/2043932.2043987
    """

    user_factors: Tensor
    item_factors: Tensor
    weights: Weights

    def __init__(
        self,
        n_factors: int = 32,
        *,
        alpha: float = 1.0,
        reg: float = 10.0,
        n_iterations: int = 15,
        n_cg_steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        _check_above_zero(alpha=alpha, reg=reg, n_factors=n_factors, n_iterations=n_iterations)
        if n_cg_steps is not None:
            _check_above_zero(n_cg_steps=n_cg_steps)
        self.n_cg_steps = n_cg_steps
        self.n_factors, self.reg, self.n_iterations = n_factors, reg, n_iterations
        self.generator = generator
        self.weights = Weights(everywhere=1.0, extra=alpha, pull=1.0 + alpha)

    def fit(self, interactions: Interactions, *, item_factors: Tensor | None = None) -> Self:
        """Learn the factors.

        Parameters
        ----------
        interactions : Interactions
        item_factors : Tensor of float, shape (n_items, n_factors), optional
            Where to start instead of at random, such as the factors of an earlier fit. The work
            is done on its device.

        Returns
        -------
        ALS
            Itself.

        Raises
        ------
        ValueError
            If there is no positive, or ``item_factors`` has another shape.
        """
        if len(interactions) == 0:
            raise ValueError("at least one positive is needed, got none")
        by_user = interactions.to_scipy()
        by_item = by_user.T.tocsr()
        items = self._start(interactions.n_items) if item_factors is None else item_factors
        if items.shape != (interactions.n_items, self.n_factors):
            wanted = (interactions.n_items, self.n_factors)
            raise ValueError(f"item_factors must have shape {wanted}, got {tuple(items.shape)}")
        items = items.detach().float()
        users = items.new_zeros(interactions.n_users, self.n_factors)
        for _ in range(self.n_iterations):
            users = self._solve(by_user, items, users)
            items = self._solve(by_item, users, items)
        cold = torch.from_numpy(np.diff(by_user.indptr) == 0).to(users.device)
        users[cold] = users[~cold].mean(dim=0)
        self.user_factors, self.item_factors = users, items
        return self.remember(interactions)

    def fold_in(self, interactions: Positives) -> FoldedVectors:
        """Recommender for users from their positives, the items standing still: the exact answer.

        For users who came after training, or have new positives since: no retraining.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training.

        Returns
        -------
        FoldedVectors
            A user without positives has the mean factors of the users of training.

        Raises
        ------
        ValueError
            If the model is not fitted, or on other items.
        """
        self.check_items(interactions)
        users = self._solve(interactions.to_scipy(), self.item_factors)
        users[torch.from_numpy(interactions.user_counts == 0)] = self.user_factors.mean(dim=0)
        return FoldedVectors(users, self.item_factors, trained_items=self.trained_items)

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Part of each positive of row 0 in the score of an item, shape (n_positives,)."""
        self.check_items(interactions)
        own_idx = torch.from_numpy(interactions.indices[: interactions.indptr[1]].astype(np.int64))
        items = self.item_factors.double()
        own = items[own_idx.to(items.device)]  # (n_positives, n_factors)
        counts = torch.tensor([len(own)], device=items.device)
        left = self.weights.everywhere * items.T @ items + self.weights.extra * own.T @ own
        left.diagonal().add_(self._damping(counts, len(items)).double())
        parts: Tensor = self.weights.pull * own @ torch.linalg.solve(left, items[item_idx])
        return parts

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        scores: Tensor = self.user_factors[user_idx] @ self.item_factors.T
        return scores

    def _start(self, n_items: int) -> Tensor:
        """Item factors drawn so small that all first scores are near 0."""
        drawn = torch.randn(n_items, self.n_factors, generator=self.generator)
        return 0.1 / sqrt(self.n_factors) * drawn

    def _damping(self, counts: Tensor, n_others: int) -> Tensor:
        """What is added to the diagonal of each row's problem."""
        return torch.full(counts.shape, self.reg, device=counts.device)

    def _solve(self, positives: csr_matrix, others: Tensor, start: Tensor | None = None) -> Tensor:
        """Best factors of every row of ``positives``, given those of its columns.

        Row r minimizes a quadratic: (everywhere * all others' outer products + extra * those of
        its positives + damping) x = pull * sum of its positives. From ``start`` the answer is
        only neared, if ``n_cg_steps`` says so.
        """
        counts = np.diff(positives.indptr)
        damping = self._damping(torch.from_numpy(counts).to(others.device), positives.shape[1])
        shared = self.weights.everywhere * others.T @ others
        padded = torch.cat([others, others.new_zeros(1, self.n_factors)])  # last row: no positive
        solved = others.new_zeros(len(counts), self.n_factors)
        blocks = padded_blocks(
            positives.indptr,
            positives.indices,
            n_columns=positives.shape[1],
            n_factors=self.n_factors,
        )
        for rows, columns in blocks:
            systems = RowSystems(
                shared,
                padded[columns.to(others.device)],
                extra=self.weights.extra,
                pull=self.weights.pull,
                damping=damping[rows].unsqueeze(1),
            )
            if start is None or self.n_cg_steps is None:
                solved[rows] = systems.solve()
            else:
                solved[rows] = systems.near(start[rows], n_steps=self.n_cg_steps)
        solved[counts == 0] = 0  # wherever they started
        return solved


class IALS(ALS):
    """The same factorization with a weight on all pairs and damping that grows with the counts.

    Minimizes the sum of (1 - score) ** 2 over positives + unobserved_weight * the sum of
    score ** 2 over all pairs, positives too + for each user reg * (n_positives +
    unobserved_weight * n_items) ** reg_power * (squared length of the factors), and for each
    item the same with users in the place of items.

    Parameters
    ----------
    n_factors, n_iterations, n_cg_steps, generator
        As for ``ALS``.
    unobserved_weight : float
        Above 0; written alpha_0 in the paper.
    reg : float
        Above 0.
    reg_power : float
        Written nu: 0 damps everybody alike, 1 in proportion to the weight of their pairs.

    References
    ----------
    Rendle, Krichene, Zhang and Koren (2021), Revisiting the Performance of iALS on Item
    Recommendation Benchmarks, sec. 2, https://arxiv.org/abs/2110.14037
    """

    def __init__(
        self,
        n_factors: int = 32,
        *,
        unobserved_weight: float = 0.2,
        reg: float = 0.01,
        reg_power: float = 1.0,
        n_iterations: int = 15,
        n_cg_steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            n_factors,
            reg=reg,
            n_iterations=n_iterations,
            n_cg_steps=n_cg_steps,
            generator=generator,
        )
        _check_above_zero(unobserved_weight=unobserved_weight)
        self.weights = Weights(everywhere=unobserved_weight, extra=1.0, pull=1.0)
        self.reg_power = reg_power

    def _damping(self, counts: Tensor, n_others: int) -> Tensor:
        """Reg, times the weight of a row's pairs to the power of ``reg_power``."""
        weight: Tensor = counts + self.weights.everywhere * n_others
        return self.reg * weight**self.reg_power


def _check_above_zero(**settings: float) -> None:
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
