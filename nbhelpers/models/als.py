"""Matrix factorization of weighted positives by alternating least squares: ALS and IALS."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

import torch
from torch import Tensor

from nbhelpers.models.alternating import AlternatingLeastSquares, check_above_zero


class ALS(AlternatingLeastSquares):
    """Weighted matrix factorization of positives by alternating least squares.

    Minimizes, over all pairs of a user and an item,

        sum of c * (p - score) ** 2 + reg * (squared length of all factors).

    The score is the dot product of the factors. The preference p is 1 for a positive and 0
    elsewhere. The confidence c is 1 elsewhere, and for a positive of weight w

    - ``"linear"``: 1 + alpha * w
    - ``"log"``: 1 + alpha * log(1 + w / epsilon)

    so that a weight of 2 says that a pair was met twice. Interactions without weights have w = 1.
    Each sweep solves all users given the items, then all items given the users.

    Parameters
    ----------
    n_factors : int
    alpha : float
        Extra confidence in a positive of weight 1, above 0. For weights of 1 the library implicit
        calls 1 + alpha its alpha.
    confidence : "linear" or "log"
        How confidence grows with a weight; "log" for counts that range over orders of magnitude.
    epsilon : float
        Above 0, in units of a weight: well below it "log" is still linear.
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
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        True where there was a positive in training.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets,
    sec. 4 (both confidences), https://doi.org/10.1109/ICDM.2008.22; Takács, Pilászy and Tikk
    (2011), Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
    Filtering, https://doi.org/10.1145/2043932.2043987

    Examples
    --------
    Users 0 and 1 agree about items 0 and 1, so user 2, who has item 0, is led to item 1:

    >>> from nbhelpers.data.interactions import Interactions
    >>> likes = Interactions([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 2])
    >>> start = torch.Generator().manual_seed(0)
    >>> model = ALS(2, alpha=4.0, reg=0.1, generator=start).fit(likes)
    >>> model.score_users(torch.tensor([2])).argsort(descending=True).tolist()
    [[0, 1, 2]]

    User 3 watched item 2 eight times, which is a weight:

    >>> plays = Interactions([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 2], weights=[1, 1, 1, 1, 1, 8])
    >>> model = ALS(2, confidence="log", reg=0.1, generator=start).fit(plays)
    >>> new_user = Interactions([0], [0], n_users=1, n_items=3, weights=[2])
    >>> model.fold_in(new_user).score_users(torch.tensor([0])).argsort(descending=True).tolist()
    [[0, 1, 2]]
    >>> model.explain(1, new_user).shape  # one positive, one part
    torch.Size([1])
    """

    def __init__(
        self,
        n_factors: int = 32,
        *,
        alpha: float = 1.0,
        confidence: Literal["linear", "log"] = "linear",
        epsilon: float = 1.0,
        reg: float = 10.0,
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
        check_above_zero(alpha=alpha, epsilon=epsilon)
        if confidence not in ("linear", "log"):
            raise ValueError(f"confidence must be 'linear' or 'log', got {confidence!r}")
        self.alpha, self.confidence, self.epsilon = alpha, confidence, epsilon

    def settings(self) -> dict[str, Any]:
        """Arguments that build this model anew; without the generator, whose state has moved."""
        return {
            "n_factors": self.n_factors,
            "alpha": self.alpha,
            "confidence": self.confidence,
            "epsilon": self.epsilon,
            "reg": self.reg,
            "n_iterations": self.n_iterations,
            "n_cg_steps": self.n_cg_steps,
        }

    def _unobserved_weight(self) -> float:
        return 1.0

    def _positive_weights(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Confidence without and with the 1 that every pair has."""
        if self.confidence == "log":
            weights = torch.log1p(weights / self.epsilon)
        return self.alpha * weights, 1 + self.alpha * weights

    def _damping(self, row_weights: Tensor, n_columns: int) -> Tensor:
        return torch.full_like(row_weights, self.reg)


class IALS(AlternatingLeastSquares):
    """Factorization with a weight on all pairs, and damping that grows with a row's weight.

    Minimizes, with w the weight of a positive and the score the dot product of the factors,

        sum over positives of w * (1 - score) ** 2
        + unobserved_weight * sum over all pairs, positives too, of score ** 2
        + for each user reg * (W + unobserved_weight * n_items) ** reg_power * (squared length),

    where W is the sum of the weights of the user's positives, and the last line likewise for each
    item with users in the place of items. So a weight of 2 is a pair counted twice. Interactions
    without weights have w = 1. With ``reg_power`` 1, all weights times a number are the same as
    ``unobserved_weight`` divided by it: it is tuned to the scale of the weights.

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

    Attributes
    ----------
    user_factors, item_factors, trained_users, trained_items
        As for ``ALS``.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Rendle, Krichene, Zhang and Koren (2021), Revisiting the Performance of iALS on Item
    Recommendation Benchmarks, sec. 2, https://arxiv.org/abs/2110.14037

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> likes = Interactions([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 2])
    >>> model = IALS(2, generator=torch.Generator().manual_seed(0)).fit(likes)
    >>> model.score_users(torch.tensor([2])).argsort(descending=True).tolist()
    [[0, 1, 2]]
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
        check_above_zero(unobserved_weight=unobserved_weight)
        if not isfinite(reg_power):
            raise ValueError(f"reg_power must be finite, got {reg_power}")
        self.unobserved_weight, self.reg_power = unobserved_weight, reg_power

    def settings(self) -> dict[str, Any]:
        """Arguments that build this model anew; without the generator, whose state has moved."""
        return {
            "n_factors": self.n_factors,
            "unobserved_weight": self.unobserved_weight,
            "reg": self.reg,
            "reg_power": self.reg_power,
            "n_iterations": self.n_iterations,
            "n_cg_steps": self.n_cg_steps,
        }

    def _unobserved_weight(self) -> float:
        return self.unobserved_weight

    def _positive_weights(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        return weights, weights

    def _damping(self, row_weights: Tensor, n_columns: int) -> Tensor:
        """Reg, times the weight of a row's pairs to the power of ``reg_power``."""
        pairs = row_weights + self.unobserved_weight * n_columns
        return self.reg * pairs**self.reg_power
