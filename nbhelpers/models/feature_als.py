"""IALS whose rows are drawn to what their features say, so that rows without positives rank."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from nbhelpers.core.folded import FoldedVectors
from nbhelpers.core.recommender import Positives
from nbhelpers.models.als import IALS
from nbhelpers.models.alternating import check_above_zero
from nbhelpers.models.conjugate_gradients import RowProblems
from nbhelpers.models.embeddings import check_features


class FeatureIALS(IALS):
    """IALS with a prior mean: factors are drawn to a linear function of the features, not to 0.

    With f the features of an item, W the ``item_weights`` and y the item's factors, the penalty
    of ``IALS`` on the squared length of y becomes

        reg * (its weight in ``IALS``) * (squared length of y - f W)
        + feature_reg * (sum of the squares of W, once for all items),

    and likewise for users, if they have features. So y is f W plus a residual, and both are
    penalized: an item with few positives stays near what its features say, and one with many
    goes where its positives are. Each sweep solves all users given the items, all items given
    the users, each around its prior mean, and then W by a weighted ridge regression of the
    factors on the features. W starts at zeros.

    An item without positives takes no part in training, since nobody could have chosen it, and
    gets f W afterwards. A user without positives gets f W as well, if there are user features.

    Parameters
    ----------
    n_factors, unobserved_weight, reg, reg_power, n_iterations, n_cg_steps, generator
        As for ``IALS``. More sweeps than there pay: W moves a part of the way in each.
    item_features, user_features : Tensor, shape (n_items, .) and (n_users, .), optional
        Row k describes index k, as ``Features.table`` does. A column of ones adds a mean of all
        rows; one-hot columns of one kind, such as a decade, hold it already.
    feature_reg : float
        Above 0.

    Attributes
    ----------
    user_factors : Tensor of float32, shape (n_users, n_factors)
        Without user features, a user without positives has the mean of the others.
    item_factors : Tensor of float32, shape (n_items, n_factors)
        Zeros for an item with neither positives nor features.
    item_weights, user_weights : Tensor of float32, shape (n_features, n_factors)
        W of each side; no rows without features.
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        True where there was a positive in training, or a feature that is not 0: all that can be
        listed.

    Raises
    ------
    ValueError
        If a setting is out of its range; in ``fit``, if the features have other rows than the
        interactions.

    References
    ----------
    Rendle, Krichene, Zhang and Koren (2021), Revisiting the Performance of iALS on Item
    Recommendation Benchmarks, sec. 2, https://arxiv.org/abs/2110.14037 (IALS); Agarwal and Chen
    (2009), Regression-based Latent Factor Models, sec. 2,
    https://doi.org/10.1145/1557019.1557029 (factors with a regression on features as their prior
    mean; theirs is fitted to ratings by Monte Carlo EM)

    Examples
    --------
    Nobody has item 4, which has the feature of items 0 and 1; user 2 has item 0:

    >>> from nbhelpers.data.interactions import Interactions
    >>> likes = Interactions([0, 0, 1, 1, 2, 3, 3], [0, 1, 0, 1, 0, 2, 3], n_users=4, n_items=6)
    >>> genres = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1]])
    >>> start = torch.Generator().manual_seed(0)
    >>> model = FeatureIALS(2, item_features=genres, generator=start).fit(likes)
    >>> scores = model.score_users(torch.tensor([2, 3]))
    >>> (scores[:, 4] > scores[:, 5]).tolist()
    [True, False]
    >>> torch.equal(model.new_item_vectors(torch.tensor([[1, 0]])), model.item_factors[4:5])
    True
    """

    learned: ClassVar[tuple[str, ...]] = (*IALS.learned, "user_weights", "item_weights")
    user_weights: Tensor
    item_weights: Tensor

    def __init__(
        self,
        n_factors: int = 32,
        *,
        item_features: Tensor | None = None,
        user_features: Tensor | None = None,
        feature_reg: float = 1.0,
        unobserved_weight: float = 0.2,
        reg: float = 0.01,
        reg_power: float = 1.0,
        n_iterations: int = 15,
        n_cg_steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            n_factors,
            unobserved_weight=unobserved_weight,
            reg=reg,
            reg_power=reg_power,
            n_iterations=n_iterations,
            n_cg_steps=n_cg_steps,
            generator=generator,
        )
        check_above_zero(feature_reg=feature_reg)
        self.feature_reg = feature_reg
        self.item_features, self.user_features = item_features, user_features

    def settings(self) -> dict[str, Any]:
        """Arguments that build this model anew; without the generator, whose state has moved."""
        return {
            **super().settings(),
            "item_features": self.item_features,
            "user_features": self.user_features,
            "feature_reg": self.feature_reg,
        }

    def fit(
        self,
        interactions: Positives,
        *,
        user_factors: Tensor | None = None,
        item_factors: Tensor | None = None,
    ) -> Self:
        """Learn factors and weights: see ``IALS``; the weights start at zeros in each fit.

        Raises
        ------
        ValueError
            As for ``IALS``; or if the features do not describe the rows of ``interactions``.
        """
        sides = {
            "user": (self.user_features, interactions.n_users),
            "item": (self.item_features, interactions.n_items),
        }
        for side, (features, n_rows) in sides.items():
            if features is not None:
                check_features(features, n_rows, name=f"{side}_features")
        self.user_weights = self._no_weights(self.user_features)
        self.item_weights = self._no_weights(self.item_features)
        return super().fit(interactions, user_factors=user_factors, item_factors=item_factors)

    def fold_in(
        self, interactions: Positives, *, user_features: Tensor | None = None
    ) -> FoldedVectors:
        """Recommender for users from their positives, and their features, without training.

        All items count, those without positives by what their features say.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training; weights count as in training.
        user_features : Tensor, shape (n_users, n_features), optional
            Of these users. Left out, they are folded in as by ``IALS``.

        Returns
        -------
        FoldedVectors
            Whose user k is user k of ``interactions``. A user without positives gets what the
            features say; without features, the mean of the trained users.

        Raises
        ------
        ValueError
            If there is another number of items, users or features.
        """
        if user_features is None:
            return super().fold_in(interactions)
        users = self.fold_in_factors(interactions, user_features=user_features)
        return FoldedVectors(users, self.item_factors, trained_items=self.trained_items)

    def fold_in_factors(
        self, interactions: Positives, *, user_features: Tensor | None = None
    ) -> Tensor:
        """Factors of users from their positives and features, the items fixed.

        Parameters
        ----------
        interactions, user_features
            As for ``fold_in``.

        Returns
        -------
        Tensor of float32, shape (n_users, n_factors)
            For a user without positives what the features say, or zeros.

        Raises
        ------
        ValueError
            If there is another number of items, users or features.
        """
        if user_features is None:
            return super().fold_in_factors(interactions)
        self.check_items(interactions)
        mean = self.new_user_vectors(user_features)
        if len(mean) != interactions.n_users:
            raise ValueError(
                f"user_features must have a row for each of {interactions.n_users:,} users, "
                f"got {len(mean):,}: align the metadata with the vocabulary first"
            )
        problems = self._problems(interactions.weighted_scipy(), self.item_factors.device)
        users = problems.solve(self.item_factors, mean=mean)
        return torch.where(problems.has_positives.unsqueeze(1), users, mean)

    def new_item_vectors(self, features: Tensor) -> Tensor:
        """Factors of items that came later, from features alone, shape (batch, n_features)."""
        return _prior_mean(features, self.item_weights, name="item")

    def new_user_vectors(self, features: Tensor) -> Tensor:
        """Factors of users that came later, from features alone, shape (batch, n_features)."""
        return _prior_mean(features, self.user_weights, name="user")

    def score_new_items(self, user_idx: Tensor, features: Tensor) -> Tensor:
        """Score of n items known by their features alone, shape (batch, n)."""
        return self.user_factors[user_idx] @ self.new_item_vectors(features).T

    def _no_weights(self, features: Tensor | None) -> Tensor:
        return torch.zeros(0 if features is None else features.shape[1], self.n_factors)

    def _sweep(
        self, of_users: RowProblems, of_items: RowProblems, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both halves of a sweep around the prior means, then the weights of the features."""
        users, self.user_weights = self._half(
            of_users, items, users, features=self.user_features, weights=self.user_weights
        )
        items, self.item_weights = self._half(
            of_items, users, items, features=self.item_features, weights=self.item_weights
        )
        return users, items

    def _half(
        self,
        problems: RowProblems,
        others: Tensor,
        start: Tensor,
        *,
        features: Tensor | None,
        weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One side's factors, and the weights that a ridge of them on the features gives."""
        if features is None:
            return self._next(problems, others, start), weights
        features = features.to(start)
        rows = self._next(problems, others, start, mean=features @ weights.to(start))
        known = problems.has_positives
        return rows, weighted_ridge(
            features[known], rows[known], weights=problems.damping[known], reg=self.feature_reg
        )

    def _fill_in(self) -> None:
        """Give rows without positives what their features say, and users else the mean."""
        super()._fill_in()
        if self.user_features is not None:
            _fill(self.user_factors, self.trained_users, self.user_features, self.user_weights)
            self.trained_users = self.trained_users | self.user_features.cpu().any(dim=1)
        if self.item_features is not None:
            _fill(self.item_factors, self.trained_items, self.item_features, self.item_weights)
            self.trained_items = self.trained_items | self.item_features.cpu().any(dim=1)


def weighted_ridge(features: Tensor, targets: Tensor, *, weights: Tensor, reg: float) -> Tensor:
    """Weights W that draw ``features @ W`` to the targets, more so for rows of more weight.

    W minimizes the sum over rows of weight * (squared length of target - feature row @ W), plus
    ``reg`` * the sum of the squares of W.

    Parameters
    ----------
    features : Tensor of float, shape (n_rows, n_features)
    targets : Tensor of float, shape (n_rows, n_factors)
    weights : Tensor of float, shape (n_rows,)
    reg : float
        Above 0.

    Returns
    -------
    Tensor, shape (n_features, n_factors)
        Of the type of ``targets``; solved in float64.

    Examples
    --------
    A mean of 2 and 6 in which the second row counts twice, and a little less for ``reg``:

    >>> targets = torch.tensor([[2.0], [6.0]])
    >>> weights = torch.tensor([1.0, 2.0])
    >>> weighted_ridge(torch.ones(2, 1), targets, weights=weights, reg=0.5)
    tensor([[4.]])
    """
    columns = features.double()
    weighted = (weights.double().unsqueeze(1) * columns).T  # (n_features, n_rows)
    left = weighted @ columns
    left.diagonal().add_(reg)
    solved: Tensor = torch.linalg.solve(
        left, weighted @ targets.double()
    )  # (n_features, n_factors)
    return solved.to(targets).contiguous()


def _fill(factors: Tensor, trained: Tensor, features: Tensor, weights: Tensor) -> None:
    """Put the prior mean in place of the factors of rows without positives."""
    missing = ~trained.to(factors.device)
    factors[missing] = features.to(factors)[missing] @ weights


def _prior_mean(features: Tensor, weights: Tensor, *, name: str) -> Tensor:
    """What the features of rows say, shape (batch, n_factors), if they have the right columns."""
    if features.dim() != 2 or features.shape[1] != len(weights):
        raise ValueError(
            f"{name} features must have the shape (batch, {len(weights)}), got "
            f"{tuple(features.shape)}: describe the new rows by the names of the old ones"
        )
    mean: Tensor = features.to(weights) @ weights
    return mean
