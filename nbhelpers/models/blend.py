"""A sum of models as a model: standardized scores, weighted by shares that validation chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.core.coverage import trained_rows
from nbhelpers.core.recommender import (
    Explains,
    FoldsIn,
    HasSizes,
    KnowsIds,
    Positives,
    Recommender,
    device_of,
    scores_of,
)

ROUNDING = 1e-6  # a row that deviates by less than this share of its scores is constant


def blend(
    models: Mapping[str, Recommender], *, shares: Mapping[str, float] | None = None
) -> Blend | FoldingBlend | ExplainingBlend:
    """The sum of some models, of the class that can do what all of them can.

    Parameters
    ----------
    models : mapping of str to model
        Trained on the same users and items; not copied.
    shares : mapping of str to float, optional
        Weight of each model's standardized scores, at least 0; left out, all weigh the same.

    Returns
    -------
    Blend, FoldingBlend or ExplainingBlend
        The last two if every model can fold in, and explain, too.

    Raises
    ------
    ValueError
        As for ``Blend``.

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.als import ALS, IALS
    >>> likes = Interactions([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 2])
    >>> start = torch.Generator().manual_seed(0)
    >>> parts = {
    ...     "ALS": ALS(2, reg=0.1, generator=start).fit(likes),
    ...     "IALS": IALS(2, generator=start).fit(likes),
    ... }
    >>> model = blend(parts, shares={"ALS": 0.3, "IALS": 0.7})
    >>> model
    ExplainingBlend(0.3 ALS, 0.7 IALS): 4 users, 3 items
    >>> model.score_users(torch.tensor([2])).argsort(descending=True).tolist()
    [[0, 1, 2]]
    """
    kind = Blend
    if all(isinstance(model, FoldsIn) for model in models.values()):
        explains = all(isinstance(model, Explains) for model in models.values())
        kind = ExplainingBlend if explains else FoldingBlend
    return kind(models, shares=shares)


class Blend:
    """Sum of some models' scores, each user's first brought to mean 0 and deviation 1.

    The scales of two models have nothing in common, so each model's scores are standardized for
    each user, over all items, before they are weighted and added. A model that gives a user the
    same score for all items says nothing about them, and adds 0. ``blend`` makes the class that
    fits the models.

    Parameters
    ----------
    models : mapping of str to model
        Trained on the same users and items; not copied.
    shares : mapping of str to float, optional
        Weight of each model's standardized scores, at least 0; left out, all weigh the same.
        ``choose_shares`` finds good ones.

    Attributes
    ----------
    models : dict of str to model
    shares : dict of str to float
    n_users, n_items : int
    trained_users, trained_items : Tensor of bool, shape (n_users,) and (n_items,)
        True where every model was trained; one that does not say so is taken at its word.
    user_fingerprint, item_fingerprint : str or None
        Of the vocabularies that the models know.

    Raises
    ------
    ValueError
        If there is no model, one does not say its sizes (is it fitted?), the sizes or the
        vocabularies of two differ, or the shares are not one finite number of at least 0 for
        each model, with one above 0.
    """

    def __init__(
        self, models: Mapping[str, Recommender], *, shares: Mapping[str, float] | None = None
    ) -> None:
        self.models = dict(models)
        self.n_users, self.n_items = _common_size(self.models)
        self.shares = _checked_shares(self.models, shares)
        self.trained_users, self.trained_items = self._trained()
        self.user_fingerprint, self.item_fingerprint = _common_ids(self.models)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        total = torch.zeros(len(user_idx), self.n_items, device=self.device)
        for name, share in self.shares.items():
            if share > 0:
                scores = scores_of(self.models[name], user_idx, n_items=self.n_items).to(total)
                mean, deviation = _mean_and_deviation(scores)
                total += share * (scores - mean) / deviation
        return total

    @property
    def device(self) -> torch.device:
        """Where scores are added: the device of the first model."""
        return device_of(next(iter(self.models.values())))

    def settings(self) -> dict[str, Any]:
        """Arguments that build this model anew: ``models`` and ``shares``."""
        return {"models": self.models, "shares": self.shares}

    def __repr__(self) -> str:
        parts = ", ".join(f"{share:g} {name}" for name, share in self.shares.items())
        sizes = f"{self.n_users:,} users, {self.n_items:,} items"
        return f"{type(self).__name__}({parts}): {sizes}"

    def _trained(self) -> tuple[Tensor, Tensor]:
        """Users and items that every model was trained on."""
        size = {"n_users": self.n_users, "n_items": self.n_items}
        rows = [trained_rows(model, **size) for model in self.models.values()]
        users, items = zip(*rows, strict=True)
        return torch.stack(users).all(dim=0), torch.stack(items).all(dim=0)


class FoldingBlend(Blend):
    """A blend of models that all take in new users from their positives: see ``Blend``.

    Raises
    ------
    ValueError
        As for ``Blend``, or if a model cannot fold in.
    """

    def __init__(
        self, models: Mapping[str, Recommender], *, shares: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(models, shares=shares)
        self._folding = {
            name: model for name, model in self.models.items() if isinstance(model, FoldsIn)
        }
        _require_all(self._folding, self.models, "fold in")

    def fold_in(self, interactions: Positives) -> Blend:
        """Recommender for users from their positives, without training.

        Parameters
        ----------
        interactions : Interactions
            Of any users, with the items of training.

        Returns
        -------
        Blend
            Of what each model made of them; user k is user k of ``interactions``.

        Raises
        ------
        ValueError
            If it has another number of items.
        """
        folded = {name: model.fold_in(interactions) for name, model in self._folding.items()}
        return Blend(folded, shares=self.shares)


class ExplainingBlend(FoldingBlend):
    """A blend of models that all fold in and explain their scores: see ``Blend``.

    Raises
    ------
    ValueError
        As for ``Blend``, or if a model cannot fold in or explain.
    """

    def __init__(
        self, models: Mapping[str, Recommender], *, shares: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(models, shares=shares)
        self._explaining = {
            name: model for name, model in self.models.items() if isinstance(model, Explains)
        }
        _require_all(self._explaining, self.models, "explain")

    def explain(self, item_idx: int, interactions: Positives) -> Tensor:
        """Part of each positive of one user in the score of an item.

        Each model's parts over the deviation of its scores, times its share. What the score has
        beside their sum is the same for all items: the means that standardizing took off.

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
        """
        folded, parts = self.fold_in(interactions), torch.zeros(interactions.user_counts[0])
        parts = parts.double()
        for name, model in self._explaining.items():
            scores = scores_of(folded.models[name], torch.tensor([0]), n_items=self.n_items)
            _, deviation = _mean_and_deviation(scores)  # infinite if constant: no part
            of_model = model.explain(item_idx, interactions).cpu().double()
            parts += self.shares[name] / deviation.item() * of_model
        return parts


class ChosenShares(NamedTuple):
    """The best shares, and all that were tried.

    Attributes
    ----------
    shares : dict of str to float
        They sum to 1.
    value : float
        Of the metric.
    trials : DataFrame
        A row for each point of the grid: the share of each model, and ``value``.
    """

    shares: dict[str, float]
    value: float
    trials: pd.DataFrame


def choose_shares(
    models: Mapping[str, Recommender], metric: Callable[[Blend], float], *, n_steps: int = 10
) -> ChosenShares:
    """The shares of a blend that validation rows like best, from a grid.

    Parameters
    ----------
    models : mapping of str to model
        Trained without the validation rows.
    metric : callable
        Value of a blend, the higher the better, such as ``lambda model:
        evaluate_ranking(model, valid, seen=train).mean("ndcg")``. It is called once for each
        point of the grid.
    n_steps : int
        Shares are multiples of 1 / ``n_steps`` that sum to 1: 11 points for two models and 10
        steps, 66 for three.

    Returns
    -------
    ChosenShares
        Of equally good points the first: more of the models named first.

    Raises
    ------
    ValueError
        If ``n_steps`` is below 1, a value is not finite, or the models cannot be blended.

    Examples
    --------
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.als import ALS, IALS
    >>> likes = Interactions([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 2])
    >>> start = torch.Generator().manual_seed(0)
    >>> parts = {
    ...     "ALS": ALS(2, reg=0.1, generator=start).fit(likes),
    ...     "nothing": ALS(2, reg=1e9, generator=start).fit(likes),
    ... }
    >>> def lead(model):  # of item 1 over item 2, for user 2 who has item 0
    ...     scores = model.score_users(torch.tensor([2]))[0]
    ...     return (scores[1] - scores[2]).item()
    >>> chosen = choose_shares(parts, lead, n_steps=4)
    >>> chosen.shares
    {'ALS': 1.0, 'nothing': 0.0}
    >>> len(chosen.trials)
    5
    """
    require_one(n_steps=n_steps)
    grid = [dict(zip(models, point, strict=True)) for point in _grid(len(models), n_steps)]
    values = [_finite(metric(blend(models, shares=shares)), shares) for shares in grid]
    best = int(np.argmax(values))
    trials = pd.DataFrame(grid).assign(value=values)
    return ChosenShares(shares=grid[best], value=values[best], trials=trials)


def _finite(value: float, shares: dict[str, float]) -> float:
    """The value of a metric, if it can be compared."""
    if not isfinite(value):
        raise ValueError(f"metric must give a finite value, got {value} for {shares}")
    return value


def _grid(n_models: int, n_steps: int) -> Iterator[list[float]]:
    """Every way to share out ``n_steps`` steps, most to the first model first."""
    size = n_steps + n_models - 1  # steps in a line, and bars between the models
    for bars in reversed([*combinations(range(size), n_models - 1)]):
        steps = np.diff([-1, *bars, size]) - 1  # (n_models,)
        yield [int(step) / n_steps for step in steps]


def _mean_and_deviation(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row, shape (batch, 1); the deviation of a constant row is infinite."""
    mean = scores.mean(dim=1, keepdim=True)
    deviation = (scores - mean).square().mean(dim=1, keepdim=True).sqrt()
    constant = deviation <= ROUNDING * scores.abs().amax(dim=1, keepdim=True)
    return mean, deviation.masked_fill(constant, torch.inf)


def _common_size(models: Mapping[str, Recommender]) -> tuple[int, int]:
    """Users and items of all models."""
    if not models:
        raise ValueError("at least one model is needed, got none")
    sized = {name: model for name, model in models.items() if isinstance(model, HasSizes)}
    if len(sized) < len(models):
        silent = [name for name in models if name not in sized]
        raise ValueError(f"models must say n_users and n_items, {silent} do not: are they fitted?")
    sizes = {name: (model.n_users, model.n_items) for name, model in sized.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"models must have the same numbers of users and items, got {sizes}")
    return next(iter(sizes.values()))


def _common_ids(models: Mapping[str, Recommender]) -> tuple[str | None, str | None]:
    """Fingerprints of the vocabularies of users and items, as far as a model knows them."""
    knowing = [model for model in models.values() if isinstance(model, KnowsIds)]
    sides = (
        {model.user_fingerprint for model in knowing} - {None},
        {model.item_fingerprint for model in knowing} - {None},
    )
    if any(len(side) > 1 for side in sides):
        raise ValueError(
            "models were trained with different vocabularies: train all on the same interactions"
        )
    user, item = (next(iter(side), None) for side in sides)
    return user, item


def _checked_shares(
    models: Mapping[str, Recommender], shares: Mapping[str, float] | None
) -> dict[str, float]:
    """A share for each model, in the order of the models."""
    if shares is None:
        return dict.fromkeys(models, 1 / len(models))
    if shares.keys() != models.keys():
        raise ValueError(f"shares must name the models {list(models)}, got {list(shares)}")
    values = [float(shares[name]) for name in models]
    if not all(isfinite(value) and value >= 0 for value in values) or not any(values):
        raise ValueError(f"shares must be at least 0 and one above 0, got {dict(shares)}")
    return dict(zip(models, values, strict=True))


def _require_all(able: Mapping[str, object], models: Mapping[str, Recommender], what: str) -> None:
    """Refuse a class that promises more than its models can do."""
    unable = [name for name in models if name not in able]
    if unable:
        raise ValueError(
            f"all models must {what}, {unable} cannot: blend() chooses the class by what all can"
        )
