"""Synthetic ratings whose truth is known, to test whether a model finds it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from nbhelpers.data.datasets.movielens import GENRE_PREFIX

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi")
GENRE_SHARE = 0.25
# Spreads in stars: together with noise 0.7 they give ratings as wide as MovieLens, about 1.1.
MEAN, USER_SPREAD, ITEM_SPREAD, TASTE_SPREAD = 3.5, 0.4, 0.45, 0.6
HIGHEST_STAR = 5.0
# Weight of rank r is (r + shift) ** -exponent: a straight tail, a rounded head.
USER_TAIL, ITEM_TAIL = (20, 1.0), (40, 1.3)
TIME_START, TIME_SPAN = 946_684_800, 2 * 365 * 86_400  # two years from 2000-01-01
# How many times more often an item of trend 1 is rated at the end than at the start, as a log.
TREND_GROWTH = 4.0
DENSE_SHARE = 0.2
CHUNK = 1_000_000


class SyntheticRatings(NamedTuple):
    """Synthetic ratings and the truth behind them; row k of the truth is id k + 1.

    Without noise, stars are ``mean + user_bias + item_bias + user_factors . item_factors +
    drift * item_trend * (t - 1/2)``, where ``t`` runs from 0 (first day) to 1 (last day).
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    mean: float
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats
    item_trend: Floats


def make_ratings(
    n_users: int = 943,
    n_items: int = 1682,
    n_ratings: int = 100_000,
    *,
    n_factors: int = 8,
    noise: float = 0.7,
    drift: float = 0.0,
    star_step: float | None = 1.0,
    rng: int | Generator,
) -> SyntheticRatings:
    """Ratings drawn from planted factors, biases and trends, with power-law popularity.

    Parameters
    ----------
    n_users, n_items, n_ratings : int
        Counts, at least 1; every user and item is rated where ``n_ratings`` allows it, and no
        pair occurs twice.
    n_factors : int, default 8
        Length of the planted factors; 0 plants biases only.
    noise : float, default 0.7
        Standard deviation of what no model can predict, in stars.
    drift : float, default 0
        How far an item of trend 1 rises over the whole period, in stars; its ratings also come
        ``exp(4 * drift)`` times as often at the end as at the start.
    star_step : float, optional
        Distance between two ratings: 1 gives 1, 2, ... 5; 0.5 gives 0.5, 1, ... 5; ``None``
        leaves the sum as it is, neither rounded nor clipped.
    rng : int or numpy Generator
        Decides every random choice.

    Returns
    -------
    SyntheticRatings
        ``ratings`` with the fixed columns, in order of time; ``items`` with title, year and
        genres that follow the item factors; and the planted truth.

    Raises
    ------
    ValueError
        If a count, spread or step is impossible.

    Examples
    --------
    >>> made = make_ratings(n_users=20, n_items=10, n_ratings=50, rng=0)
    >>> made.ratings.columns.tolist(), len(made.ratings)
    (['user_id', 'item_id', 'rating', 'timestamp'], 50)
    >>> made.item_factors.shape
    (10, 8)
    """
    _check_counts(n_users, n_items, n_ratings)
    _check_spreads(n_factors, noise, drift, star_step)
    rng = np.random.default_rng(rng)
    scale = np.sqrt(TASTE_SPREAD / np.sqrt(max(n_factors, 1)))
    user_factors = rng.normal(0, scale, (n_users, n_factors))
    item_factors = rng.normal(0, scale, (n_items, n_factors))
    user_bias, item_bias = rng.normal(0, USER_SPREAD, n_users), rng.normal(0, ITEM_SPREAD, n_items)
    item_trend = rng.normal(0, 1, n_items)
    items = _make_items(item_factors, rng)
    truth = SyntheticRatings(
        pd.DataFrame(), items, MEAN, user_bias, item_bias, user_factors, item_factors, item_trend
    )
    user_idx, item_idx = _draw_pairs(n_users, n_items, n_ratings, rng)
    time = _draw_times(drift * item_trend[item_idx], rng)
    order = np.argsort(time, kind="stable")
    user_idx, item_idx, time = user_idx[order], item_idx[order], time[order]
    stars = _planted_stars(truth, user_idx, item_idx, trend_stars=drift * (time - 0.5))
    stars += rng.normal(0, noise, n_ratings)
    ratings = pd.DataFrame(
        {
            "user_id": user_idx + 1,
            "item_id": item_idx + 1,
            "rating": _to_steps(stars, star_step),
            "timestamp": TIME_START + (time * TIME_SPAN).astype(np.int64),
        }
    )
    return truth._replace(ratings=ratings)


def _planted_stars(
    truth: SyntheticRatings, user_idx: Indices, item_idx: Indices, *, trend_stars: Floats
) -> Floats:
    stars = truth.mean + truth.user_bias[user_idx] + truth.item_bias[item_idx]
    stars += truth.item_trend[item_idx] * trend_stars
    for start in range(0, len(stars), CHUNK):  # keeps the gathered factors small
        part = slice(start, start + CHUNK)
        users, items = truth.user_factors[user_idx[part]], truth.item_factors[item_idx[part]]
        stars[part] += np.einsum("nf,nf->n", users, items)
    return stars


def _to_steps(stars: Floats, star_step: float | None) -> Floats:
    if star_step is None:
        return stars
    steps = np.round(stars / star_step)
    return np.clip(steps, 1, np.round(HIGHEST_STAR / star_step)) * star_step


def _draw_times(growth: Floats, rng: Generator) -> Floats:
    """Times between 0 and 1 with density rising as exp(TREND_GROWTH * growth * time)."""
    rate = TREND_GROWTH * growth
    uniform = rng.random(len(rate))
    safe = np.where(np.abs(rate) < 1e-6, 1.0, rate)
    # The inverse of the cumulative density; a rate near 0 leaves the times uniform.
    tilted = np.log1p(uniform * np.expm1(safe)) / safe
    return np.where(np.abs(rate) < 1e-6, uniform, tilted)


def _draw_pairs(
    n_users: int, n_items: int, n_ratings: int, rng: Generator
) -> tuple[Indices, Indices]:
    """Distinct (user, item) pairs with power-law counts on both sides."""
    user_weight = _tail_weights(n_users, USER_TAIL, rng)
    item_weight = _tail_weights(n_items, ITEM_TAIL, rng)
    n_cover = min(n_ratings, max(n_users, n_items))
    step = np.arange(n_cover)  # meets every user and every item, and no pair twice
    users, items = (
        rng.permutation(n_users)[step % n_users],
        rng.permutation(n_items)[step % n_items],
    )
    cover = np.sort(users * n_items + items)
    if n_ratings > DENSE_SHARE * n_users * n_items:
        codes = _fill_dense(cover, n_ratings, user_weight, item_weight, rng=rng)
    else:
        codes = _fill_sparse(cover, n_ratings, user_weight, item_weight, rng=rng)
    return codes // n_items, codes % n_items


def _fill_sparse(
    cover: Indices, n_ratings: int, user_weight: Floats, item_weight: Floats, *, rng: Generator
) -> Indices:
    """Add pairs drawn by weight until enough are distinct, then drop some of the surplus."""
    user_steps, item_steps = np.cumsum(user_weight), np.cumsum(item_weight)
    held, n_drawn = cover, n_ratings
    while len(held) < n_ratings:
        users = np.searchsorted(user_steps, rng.random(n_drawn) * user_steps[-1], side="right")
        items = np.searchsorted(item_steps, rng.random(n_drawn) * item_steps[-1], side="right")
        n_before = len(held)
        held = _distinct(np.concatenate([held, users * len(item_weight) + items]))
        # Favorites fill up, so the next draw finds new pairs half as often as this one.
        gain = max(len(held) - n_before, 1) / n_drawn
        n_drawn = min(int(2 * (n_ratings - len(held)) / gain) + 100, 2 * n_ratings + 100)
    spare = np.flatnonzero(~np.isin(held, cover, assume_unique=True))
    return np.delete(held, rng.choice(spare, len(held) - n_ratings, replace=False))


def _distinct(codes: Indices) -> Indices:
    codes = np.sort(codes)  # np.unique hashes first, which is ten times slower here
    return codes[np.diff(codes, prepend=-1) > 0]


def _fill_dense(
    cover: Indices, n_ratings: int, user_weight: Floats, item_weight: Floats, *, rng: Generator
) -> Indices:
    """Add the pairs of highest log weight plus Gumbel noise: weighted, without replacement."""
    keys = np.log(np.outer(user_weight, item_weight)).ravel()
    keys += rng.gumbel(size=len(keys))
    keys[cover] = np.inf
    return np.sort(np.argpartition(keys, len(keys) - n_ratings)[len(keys) - n_ratings :])


def _tail_weights(count: int, tail: tuple[float, float], rng: Generator) -> Floats:
    shift, exponent = tail
    weights = (np.arange(1, count + 1) + shift) ** -exponent
    return rng.permutation(weights)  # so that an id says nothing about popularity


def _make_items(item_factors: Floats, rng: Generator) -> pd.DataFrame:
    n_items, n_factors = item_factors.shape
    width = max(4, len(str(n_items)))
    number = pd.Series(np.arange(1, n_items + 1))
    age = rng.exponential(12, size=n_items)
    year = pd.Series(np.maximum(1930, 1999 - np.floor(age)), dtype=np.int64)
    title = "Film " + number.astype(str).str.zfill(width) + " (" + year.astype(str) + ")"
    # A genre is a direction among the factors: films far along it belong to it.
    directions = rng.normal(0, 1, (n_factors, len(GENRES)))
    lean = item_factors @ directions + rng.normal(0, 0.1, (n_items, len(GENRES)))
    flags = lean >= np.quantile(lean, 1 - GENRE_SHARE, axis=0)
    flags[np.arange(n_items), lean.argmax(axis=1)] = True  # every film has one at least
    genres = pd.DataFrame(flags.astype(np.int8), columns=[GENRE_PREFIX + g for g in GENRES])
    films = pd.DataFrame({"item_id": number, "title": title, "year": year.astype("Int64")})
    return pd.concat([films, genres], axis=1)


def _check_counts(n_users: int, n_items: int, n_ratings: int) -> None:
    if min(n_users, n_items, n_ratings) < 1:
        raise ValueError(
            "n_users, n_items and n_ratings must be at least 1, "
            f"got {n_users}, {n_items} and {n_ratings}"
        )
    if n_ratings > n_users * n_items:
        raise ValueError(
            f"{n_users:,} users and {n_items:,} items make {n_users * n_items:,} pairs, "
            f"fewer than n_ratings, {n_ratings:,}: ask for fewer ratings"
        )


def _check_spreads(n_factors: int, noise: float, drift: float, star_step: float | None) -> None:
    if n_factors < 0:
        raise ValueError(f"n_factors must be 0 or more, got {n_factors}")
    for name, value in (("noise", noise), ("drift", drift)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} must be 0 or a positive number of stars, got {value}")
    if star_step is not None and not (star_step > 0 and (HIGHEST_STAR / star_step).is_integer()):
        raise ValueError(
            f"star_step must divide {HIGHEST_STAR:g}, such as 1 or 0.5, or be None; got {star_step}"
        )
