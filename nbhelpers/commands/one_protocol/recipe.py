"""What takes part in the table: how a model is fitted, and which settings it may try."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nbhelpers.commands.contenders import Contender, seeded_fit
from nbhelpers.data.interactions import Interactions

Settings = Mapping[str, Any]


class Likes(NamedTuple):
    """What a ranking model may learn from.

    Attributes
    ----------
    positives : Interactions
        With timestamps, without weights.
    user_features, item_features : Tensor, shape (n_users, .) and (n_items, .), or None
        None where the data set describes nobody, or nothing.
    """

    positives: Interactions
    user_features: Tensor | None = None
    item_features: Tensor | None = None


class Stars(NamedTuple):
    """What a rating model may learn from.

    Attributes
    ----------
    rows : (user_idx, item_idx, rating)
        Tensors of shape (n,).
    n_users, n_items : int
        Of the data set; some have no training row.
    user_features, item_features : Tensor or None
    """

    rows: tuple[Tensor, Tensor, Tensor]
    n_users: int
    n_items: int
    user_features: Tensor | None = None
    item_features: Tensor | None = None


@dataclass(frozen=True)
class Recipe:
    """A model of the course: where it is taught, how it is fitted, what may be tried.

    Attributes
    ----------
    name : str
    taught_in : str
        Number of the lesson, or name of the lab.
    fit : callable
        ``fit(known, settings)`` gives a fitted model; ``known`` is ``Likes`` or ``Stars``.
    trials : sequence of dict
        Settings in the order in which they are tried.
    seconds : float
        Of one fit on MovieLens-100K on one core, roughly: what a forecast starts from.
    is_random : bool
        Whether the seed decides anything.
    """

    name: str
    taught_in: str
    fit: Callable[[Any, Settings], Any]
    trials: Sequence[Settings]
    seconds: float
    is_random: bool = True

    def fitted(self, known: Likes | Stars, settings: Settings, *, seed: int) -> Any:
        """A model of these settings; the seed decides it, and no global generator moves."""
        return seeded_fit(self.fit, known, settings, seed=seed)


def recipe_of(
    contender: Contender,
    taught_in: str,
    seconds: float,
    *,
    name: str | None = None,
    is_random: bool = False,
) -> Recipe:
    """A contender of ``nbhelpers compare`` as a recipe: the same fit, the same trials.

    Examples
    --------
    >>> from nbhelpers.commands.contenders import contenders_of
    >>> recipe_of(contenders_of(["EASE"], is_timed=False)[0], "05", 0.3).trials[0]
    {'reg': 250.0}
    """

    def fit(known: Likes, settings: Settings) -> Any:
        return contender.fit(known.positives, settings)

    return Recipe(
        name or contender.name, taught_in, fit, contender.trials, seconds, is_random=is_random
    )


def generator() -> torch.Generator:
    """A generator that follows torch's global one, which ``Recipe.fitted`` has seeded."""
    return torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))
