"""A metric for those who do not know metrics: items found in a thousand lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbhelpers.evaluation.statistics import bootstrap_interval, paired_test


@dataclass(frozen=True)
class ItemsFound:
    """Items found in a thousand lists, with an interval; ``str`` says it in a sentence.

    Attributes
    ----------
    per_thousand : float
        Recommended items that the people turned out to want.
    interval : (float, float)
        Bootstrap interval over lists.
    n_lists : int
        Lists that were looked at.
    level : float
        Confidence of the interval.
    """

    per_thousand: float
    interval: tuple[float, float]
    n_lists: int
    level: float

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{_items(self.per_thousand)} found in a thousand lists "
            f"({_number(low)} to {_number(high)}, {self.level:.0%} interval over "
            f"{self.n_lists:,} lists)"
        )


@dataclass(frozen=True)
class MoreItemsFound:
    """What one model finds more than another in a thousand lists; ``str`` says it in a sentence.

    Attributes
    ----------
    per_thousand : float
        Of the first less those of the second.
    interval : (float, float)
        Bootstrap interval over lists.
    n_lists : int
        People who got a list of both.
    level : float
        Confidence of the interval.
    """

    per_thousand: float
    interval: tuple[float, float]
    n_lists: int
    level: float

    def __str__(self) -> str:
        low, high = self.interval
        lists = f"{self.level:.0%} interval over {self.n_lists:,} lists"
        if low <= 0 <= high:
            return (
                f"Undecided: a thousand lists may find anything from {_change(low)} to "
                f"{_change(high)} ({lists})"
            )
        ends = sorted((abs(low), abs(high)))
        word = "more" if low > 0 else "fewer"
        lists_an_item = 1000 / abs(self.per_thousand)
        every = (
            f"one {word} in every {_number(lists_an_item)} lists"
            if lists_an_item >= 1.5
            else f"about {1 / lists_an_item:.1f} {word} in every list"
        )
        return (
            f"{_change(self.per_thousand)} found in a thousand lists "
            f"({_number(ends[0])} to {_number(ends[1])} {word}, {lists}): {every}"
        )


def items_per_thousand(
    hits_per_list: ArrayLike, *, level: float = 0.95, rng: int | np.random.Generator = 0
) -> ItemsFound:
    """Items found in a thousand lists, with its interval.

    An item is found if it stands in a person's list and the person's held-out rows. With one
    held-out item for each person this is 1,000 times the hit rate; in general it is 1,000 times
    ``k`` times the precision, so that a precision@10 that is .01 higher finds 100 items more.

    Parameters
    ----------
    hits_per_list : array of float, shape (n_lists,)
        Items found in the list of each person, such as ``k * scores.per_user["precision"]``; a
        fraction where seeds were averaged.
    level : float
        Confidence, between 0 and 1.
    rng : int or Generator

    Returns
    -------
    ItemsFound

    Raises
    ------
    ValueError
        If there is no list, a number of hits is negative or not finite, or ``level`` is not
        between 0 and 1.

    Examples
    --------
    >>> found = items_per_thousand([0] * 150 + [1] * 40 + [2] * 10)
    >>> print(found)
    300 items found in a thousand lists (220 to 380, 95% interval over 200 lists)
    """
    hits = _checked_hits(hits_per_list)
    low, high = bootstrap_interval(hits, level=level, rng=rng)
    return ItemsFound(1000 * float(hits.mean()), (1000 * low, 1000 * high), len(hits), level)


def more_items_per_thousand(
    first: ArrayLike,
    second: ArrayLike,
    *,
    level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> MoreItemsFound:
    """Items that one model finds more than another in a thousand lists of the same people.

    A hit rate that is .01 higher is 10 items more in a thousand lists: one more in every 100.

    Parameters
    ----------
    first, second : array of float, shape (n_lists,)
        Items found in the lists of both models, row by row of the same person.
    level : float
        Confidence, between 0 and 1.
    rng : int or Generator

    Returns
    -------
    MoreItemsFound

    Raises
    ------
    ValueError
        As ``items_per_thousand``, or if the shapes differ.

    Examples
    --------
    >>> print(more_items_per_thousand([1] * 30 + [0] * 170, [1] * 10 + [0] * 190))
    100 more items found in a thousand lists (60 to 145 more, 95% interval over 200 lists): \
one more in every 10 lists
    >>> print(more_items_per_thousand([1, 0, 1, 0], [0, 1, 1, 0]))
    Undecided: a thousand lists may find anything from 750 fewer items to 750 more items \
(95% interval over 4 lists)
    """
    test = paired_test(_checked_hits(first), _checked_hits(second), level=level, rng=rng)
    low, high = test.interval
    return MoreItemsFound(1000 * test.difference, (1000 * low, 1000 * high), test.n_users, level)


def _checked_hits(hits_per_list: ArrayLike) -> NDArray[np.float64]:
    hits = np.asarray(hits_per_list, dtype=float)
    if hits.ndim != 1 or hits.size == 0:
        raise ValueError(f"one number of hits for each list is needed, got shape {hits.shape}")
    wrong = hits[~(np.isfinite(hits) & (hits >= 0))]
    if wrong.size:
        raise ValueError(
            f"{wrong.size} lists have hits that are negative or not finite, e.g. {wrong[0]}"
        )
    return hits


def _number(value: float) -> str:
    """A whole number, or one decimal where that would say too little."""
    return (
        f"{value:,.0f}" if abs(value) >= 10 or round(value, 1) == round(value) else f"{value:.1f}"
    )


def _items(value: float) -> str:
    return f"{_number(value)} item" + ("" if _number(value) == "1" else "s")


def _change(value: float) -> str:
    number = _number(abs(value))
    return f"{number} {'fewer' if value < 0 else 'more'} item" + ("" if number == "1" else "s")
