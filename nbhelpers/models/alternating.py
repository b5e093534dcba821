"""What ALS and IALS share: sweeps over users and items, new users, and reasons for a score."""

from __future__ import annotations

from abc import abstractmethod
from math import inf, sqrt
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.coverage import FittedOn
from nbhelpers.core.folded import FoldedVectors
from nbhelpers.core.recommender import Positives
from nbhelpers.models.base import FITTED, ClosedForm
from nbhelpers.models.conjugate_gradients import RowProblems, RowSystems


class FoldInWeights(NamedTuple):
    """Numbers of the system whose solution is a user's factors: see ``fold_in_weights``."""

    unobserved_weight: float
    square: float
    linear: float
    damping: list[float]


class AlternatingLeastSquares(FittedOn, ClosedForm):
    """Factors of users and items, solved in turn; a subclass says what they minimize.

    Attributes
    ----------
    user_factors : Tensor of float32, shape (n_users, n_factors)
        A user without positives, for whom the formula gives zeros, has the mean of the others.
    item_factors : Tensor of float32, shape (n_items, n_factors)
        Zeros for an item without positives.
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        True where there was a positive in training.
    """

    learned: ClassVar[tuple[str, ...]] = (*FITTED, "user_factors", "item_factors")
    user_factors: Tensor
    item_factors: Tensor

    def __init__(
        self,
        n_factors: int,
        *,
        reg: float,
        n_iterations: int,
        n_cg_steps: int | None,
        generator: torch.Generator | None,
    ) -> None:
        check_above_zero(reg=reg, n_factors=n_factors, n_iterations=n_iterations)
        if n_cg_steps is not None:
            check_above_zero(n_cg_steps=n_cg_steps)
        self.n_factors, self.reg, self.n_iterations = n_factors, reg, n_iterations
        self.n_cg_steps, self.generator = n_cg_steps, generator

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments that build this model anew; not the generator, which may be used up."""

    @abstractmethod
    def _unobserved_weight(self) -> float:
        """Weight of score ** 2 on every pair."""

    @abstractmethod
    def _positive_weights(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Further weight of score ** 2 on positives, and that of 2 * score, which draws it up."""

    @abstractmethod
    def _damping(self, row_weights: Tensor, n_columns: int) -> Tensor:
        """Weight of each row's squared length, from the sum of its positives' weights."""

    def fit(
        self,
        interactions: Positives,
        *,
        user_factors: Tensor | None = None,
        item_factors: Tensor | None = None,
    ) -> Self:
        """Learn the factors, from a random start or from where an earlier fit ended.

        Parameters
        ----------
        interactions : Interactions
            With their weights, where they have some; otherwise each positive weighs 1.
        user_factors : Tensor of float, shape (n_users, n_factors), optional
            Where users start. Exact sweeps solve users from the items alone, so it is conjugate
            gradients that gain by it. Given without ``item_factors``, the items are first
            solved from it.
        item_factors : Tensor of float, shape (n_items, n_factors), optional
            Where items start instead of at random. The work is done on its device.

        Returns
        -------
        AlternatingLeastSquares
            Itself.

        Raises
        ------
        ValueError
            If there is no positive, the factors have another shape or are not finite, or float32
            cannot hold a solution, since ``reg`` is too small for the weights.
        """
        if not len(interactions.indices):
            raise ValueError("at least one positive is needed, got none")
        device = _device_of(item_factors, user_factors)
        by_user = interactions.weighted_scipy()
        of_users = self._problems(by_user, device)
        of_items = self._problems(by_user.T.tocsr(), device)
        users = self._user_start(of_users, user_factors)
        items = self._item_start(of_items, item_factors, None if user_factors is None else users)
        for _ in range(self.n_iterations):
            users, items = self._sweep(of_users, of_items, users, items)
        self.remember(interactions)
        self.user_factors, self.item_factors = users, items
        self._fill_in()
        return self

    def fold_in(self, interactions: Positives) -> FoldedVectors:
        """Recommender for users from their positives, without training.

        For users who came after training, or have new positives since.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training; weights count as in training.

        Returns
        -------
        FoldedVectors
            Whose user k is user k of ``interactions``. A user without positives gets the mean
            of the trained users, as in training.

        Raises
        ------
        ValueError
            If it has another number of items.
        """
        users = self.fold_in_factors(interactions)
        cold = torch.from_numpy(interactions.user_counts == 0).to(users.device)
        users[cold] = self.user_factors[self.trained_users].mean(dim=0)
        return FoldedVectors(users, self.item_factors, trained_items=self.trained_items)

    def fold_in_factors(self, interactions: Positives) -> Tensor:
        """Factors of users from their positives, the items fixed: the exact solution.

        Parameters
        ----------
        interactions : Interactions
            As for ``fold_in``.

        Returns
        -------
        Tensor of float32, shape (n_users, n_factors)
            Zeros for a user without positives.

        Raises
        ------
        ValueError
            If it has another number of items.
        """
        self.check_items(interactions)
        problems = self._problems(interactions.weighted_scipy(), self.item_factors.device)
        return problems.solve(self.item_factors)

    def fold_in_weights(self, most_positives: int) -> FoldInWeights:
        """What a program without this class needs, beside the item factors, to fold in a user.

        The factors x of a user with positives of weight 1 solve ``(unobserved_weight * Y'Y +
        square * sum of y y' + damping[number of positives] * I) x = linear * sum of y``, where Y
        holds the factors of all items and the sums run over those of the positives.

        Parameters
        ----------
        most_positives : int
            How long a user's row may get.

        Returns
        -------
        FoldInWeights
        """
        square, linear = self._positive_weights(torch.ones(1))
        sizes = torch.arange(most_positives + 1, dtype=torch.float32)
        damping = self._damping(sizes, len(self.item_factors))
        return FoldInWeights(
            self._unobserved_weight(), float(square[0]), float(linear[0]), damping.tolist()
        )

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Part of each positive of one user in the score of an item; the parts add up to it.

        Of the score that ``fold_in`` gives. The user's factors are one matrix, the same for all
        positives, times the weighted sum of their factors: so each positive has its part.

        Parameters
        ----------
        item_idx : int
        interactions : Interactions
            Row 0 is the user, with the items of training.

        Returns
        -------
        Tensor of float64, shape (n_positives,)
            In the order of the user's row.

        Raises
        ------
        ValueError
            If it has another number of items.

        References
        ----------
        Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets,
        sec. 5, https://doi.org/10.1109/ICDM.2008.22
        """
        self.check_items(interactions)
        factors = self.item_factors.double()
        problem = self._problems(interactions.weighted_scipy()[:1], factors.device)
        own = factors[problem.columns]  # (n_positives, n_factors)
        systems = RowSystems(
            problem.unobserved_weight * factors.T @ factors,
            own.unsqueeze(0),
            square=problem.square.double().unsqueeze(0),
            linear=problem.linear.double().unsqueeze(0),
            damping=problem.damping.double().unsqueeze(1),
        )
        toward = torch.linalg.solve(systems.matrices()[0], factors[item_idx])  # (n_factors,)
        parts: Tensor = systems.linear[0] * (own @ toward)
        return parts

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        scores: Tensor = self.user_factors[user_idx] @ self.item_factors.T
        return scores

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Factors of users, shape (batch, n_factors)."""
        return self.user_factors[user_idx]

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Factors of items, shape (batch, n_factors)."""
        return self.item_factors[item_idx]

    def _user_start(self, of_users: RowProblems, given: Tensor | None) -> Tensor:
        """Factors of users before the first sweep; zeros for those without positives."""
        n_users, device = len(of_users.damping), of_users.damping.device
        if given is None:
            return torch.zeros(n_users, self.n_factors, device=device)
        start = self._checked_start(given.to(device), n_users, name="user_factors")
        return start * of_users.has_positives.unsqueeze(1)

    def _item_start(
        self, of_items: RowProblems, given: Tensor | None, users: Tensor | None
    ) -> Tensor:
        """Factors of items before the first sweep: given, solved from given users, or drawn."""
        n_items = len(of_items.damping)
        if given is not None:
            return self._checked_start(given, n_items, name="item_factors")
        return self._drawn(n_items) if users is None else of_items.solve(users)

    def _drawn(self, n_items: int) -> Tensor:
        """Item factors so small that all first scores are near 0."""
        drawn = torch.randn(n_items, self.n_factors, generator=self.generator)
        return 0.1 / sqrt(self.n_factors) * drawn

    def _sweep(
        self, of_users: RowProblems, of_items: RowProblems, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Factors of users and items after both halves of a sweep."""
        users = self._next(of_users, items, users)
        return users, self._next(of_items, users, items)

    def _fill_in(self) -> None:
        """Give the users without positives the mean of the others."""
        self.user_factors[~self.trained_users] = self.user_factors[self.trained_users].mean(dim=0)

    def _next(
        self, problems: RowProblems, others: Tensor, start: Tensor, *, mean: Tensor | None = None
    ) -> Tensor:
        """One side's factors after half a sweep; damped toward ``mean``, or toward 0."""
        if self.n_cg_steps is None:
            return problems.solve(others, mean=mean)
        return problems.near(others, start, n_steps=self.n_cg_steps, mean=mean)

    def _problems(self, positives: csr_matrix, device: torch.device) -> RowProblems:
        """What each row of positives, a matrix of weights, minimizes."""
        square, linear = self._positive_weights(torch.from_numpy(positives.data).to(device))
        row_weights = np.asarray(positives.sum(axis=1)).ravel()
        damping = self._damping(torch.from_numpy(row_weights).to(device), positives.shape[1])
        for name, values in (("weights times alpha", linear), ("the damping, by reg,", damping)):
            if not values.isfinite().all():
                raise ValueError(f"{name} must be finite in float32: choose a lower setting")
        return RowProblems(
            positives.indptr,
            torch.from_numpy(positives.indices).to(device),
            square=square,
            linear=linear,
            damping=damping,
            unobserved_weight=self._unobserved_weight(),
        )

    def _checked_start(self, factors: Tensor, n_rows: int, *, name: str) -> Tensor:
        """Factors to start from, as float32 without gradient, if they fit and are finite."""
        if factors.shape != (n_rows, self.n_factors):
            wanted = (n_rows, self.n_factors)
            raise ValueError(f"{name} must have shape {wanted}, got {tuple(factors.shape)}")
        factors = factors.detach().float()
        wrong = ~factors.isfinite().all(dim=1)
        if wrong.any():
            raise ValueError(
                f"{name} must be finite, got NaN or infinity in {int(wrong.sum()):,} of "
                f"{n_rows:,} rows, e.g. {int(wrong.nonzero()[0])}: start from a fit that converged"
            )
        return factors


def check_above_zero(**settings: float) -> None:
    """Refuse settings that are not positive finite numbers."""
    for name, value in settings.items():
        if not 0 < value < inf:
            raise ValueError(f"{name} must be above 0 and finite, got {value}")


def _device_of(*factors: Tensor | None) -> torch.device:
    """The device of the first factors given, or the CPU."""
    given = [each.device for each in factors if each is not None]
    return given[0] if given else torch.device("cpu")
