"""Training, validation and test rows: each split a pure function of the data and the seed.

Every function returns a list of frames: ``train, valid``, or ``train, valid, test`` if a
``test_frac`` is given. Rows keep their order and their columns, no row is lost (but for those that
``last_like_out`` leaves out), and none is in two parts. Which part a row falls into depends on its
ids (and time), never on its place in the frame: shuffled data give the same split. Hence no pair
may come twice, and what decides (ids, timestamps) must be complete; every split checks the same,
see ``split_checks``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbhelpers.core.csr import Ints, sort_with_order
from nbhelpers.data.split_checks import Pairs, require_columns, times_of

Rng = int | np.random.Generator


def random_split(
    ratings: pd.DataFrame, *, valid_frac: float = 0.2, test_frac: float | None = None, rng: Rng
) -> list[pd.DataFrame]:
    """Rows drawn at random, whoever's they are and whenever they were made.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``.
    valid_frac, test_frac : float
        Shares of all rows, between 0 and 1, rounded to whole rows.
    rng : int or Generator

    Returns
    -------
    list of DataFrame
        ``[train, valid]`` or ``[train, valid, test]``.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, an id is missing, a pair comes twice, or a part would
        be empty.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 2], "item_id": [7, 8, 7, 8, 9]})
    >>> train, valid = random_split(log, valid_frac=0.4, rng=0)
    >>> len(train), len(valid)
    (3, 2)
    """
    shares = _shares(valid_frac, test_frac)
    order = Pairs(ratings).order
    position = np.empty_like(order)
    position[order] = np.random.default_rng(rng).permutation(len(order))
    return _cut(ratings, _parts(position, len(order), shares), len(shares) + 1)


def stratified_split(
    ratings: pd.DataFrame, *, valid_frac: float = 0.2, test_frac: float | None = None, rng: Rng
) -> list[pd.DataFrame]:
    """The same share of each user's rows, drawn at random.

    A user with n rows gives ``round(n * share)`` of them to a held-out part, halves rounded to
    even, so users with few rows may give none; every user keeps at least one training row.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``.
    valid_frac, test_frac : float
        Shares of each user's rows, between 0 and 1.
    rng : int or Generator

    Returns
    -------
    list of DataFrame
        ``[train, valid]`` or ``[train, valid, test]``.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, an id is missing, a pair comes twice, or a part would
        be empty.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 2, 2], "item_id": [7, 8, 6, 7, 8, 9]})
    >>> train, valid = stratified_split(log, valid_frac=0.5, rng=0)
    >>> valid["user_id"].tolist()
    [1, 2, 2]
    """
    shares = _shares(valid_frac, test_frac)
    pairs = Pairs(ratings)
    rank, size = _ranks(pairs.codes["user_id"], np.argsort(_draw(pairs, rng)))
    return _cut(ratings, _parts(rank, size, shares), len(shares) + 1)


def leave_last_out(ratings: pd.DataFrame, *, n_parts: int = 2, rng: Rng) -> list[pd.DataFrame]:
    """Each user's latest row held out; with three parts, the two latest.

    Which of a user's rows of one second is the later is drawn at random. The order of the ids
    would decide it, too, but ids often follow popularity, and the held-out items would be the
    rare ones. A user with fewer rows than parts stays in training whole.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id``, ``item_id`` and ``timestamp``.
    n_parts : int
        2 for ``[train, valid]``; 3 for ``[train, valid, test]``, the last row being the test.
    rng : int or Generator
        Orders rows of equal time.

    Returns
    -------
    list of DataFrame

    Raises
    ------
    ValueError
        If ``n_parts`` is neither 2 nor 3, an id is missing, a timestamp is missing or no whole
        number, a pair comes twice, or a part would be empty.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9]})
    >>> log["timestamp"] = [30, 20, 10, 40]
    >>> train, valid = leave_last_out(log, rng=0)
    >>> valid["item_id"].tolist()
    [7, 9]
    """
    if n_parts not in (2, 3):
        raise ValueError(f"n_parts must be 2 or 3, got {n_parts}")
    pairs, time = Pairs(ratings), times_of(ratings)
    rank, size = _ranks(pairs.codes["user_id"], _by_time(time, _draw(pairs, rng)))
    from_end = size - 1 - rank  # 0 is the user's latest row
    held_out = (from_end < n_parts - 1) & (size >= n_parts)
    return _cut(ratings, np.where(held_out, n_parts - 1 - from_end, 0), n_parts)


def last_like_out(
    ratings: pd.DataFrame, *, least: float = 4.0, n_parts: int = 2, rng: Rng
) -> list[pd.DataFrame]:
    """Each user's latest like held out, and what was rated after it left out.

    A like is a rating of at least ``least``. With three parts the test is the latest like alone;
    the validation part is the like before it, and the low ratings between the two. So all parts
    before the test are what a service knew when the test came. Rows after the last like belong to
    no part. Rows of one second are ordered at random. A user with fewer likes than parts stays in
    training whole.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id``, ``item_id``, ``rating`` and ``timestamp``.
    least : float
        The lowest rating that is a like.
    n_parts : int
        2 for ``[train, valid]``; 3 for ``[train, valid, test]``.
    rng : int or Generator
        Orders rows of equal time.

    Returns
    -------
    list of DataFrame
        Each held-out part has one like of each user.

    Raises
    ------
    ValueError
        If ``n_parts`` is neither 2 nor 3, an id is missing, a timestamp is missing or no whole
        number, a pair comes twice, or a part would be empty.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1] * 5, "item_id": [5, 6, 7, 8, 9]})
    >>> log = log.assign(rating=[4.0, 5.0, 1.0, 4.0, 2.0], timestamp=[1, 2, 3, 4, 5])
    >>> train, valid = last_like_out(log, rng=0)
    >>> train["item_id"].tolist(), valid["item_id"].tolist()  # item 9 came after the last like
    ([5, 6, 7], [8])
    >>> [part["item_id"].tolist() for part in last_like_out(log, n_parts=3, rng=0)]
    [[5], [6, 7], [8]]
    """
    if n_parts not in (2, 3):
        raise ValueError(f"n_parts must be 2 or 3, got {n_parts}")
    require_columns(ratings, "rating")
    pairs, time = Pairs(ratings), times_of(ratings)
    order = _stable(pairs.codes["user_id"], _by_time(time, _draw(pairs, rng)))
    users = pairs.codes["user_id"][order]  # rows of a user together, in order of time
    liked = ratings["rating"].to_numpy()[order] >= least
    n_likes = np.bincount(users[liked], minlength=int(users.max(initial=-1)) + 1)
    to_come = n_likes.cumsum()[users] - (liked.cumsum() - liked)  # likes at or after each row
    number = (n_parts - 1 - to_come + liked).clip(min=0)  # a low rating goes with the like before
    number[to_come == 0] = n_parts  # after the last like
    number[n_likes[users] < n_parts] = 0
    part = np.empty_like(number)
    part[order] = number
    return _cut(ratings, part, n_parts)


def temporal_split(
    ratings: pd.DataFrame, *, valid_frac: float = 0.2, test_frac: float | None = None
) -> list[pd.DataFrame]:
    """The latest rows held out: every row of a part is later than every row before it.

    Rows of one second stay together in the later part, so a part may be a little larger than
    asked for.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id``, ``item_id`` and ``timestamp``.
    valid_frac, test_frac : float
        Shares of all rows, between 0 and 1.

    Returns
    -------
    list of DataFrame
        ``[train, valid]`` or ``[train, valid, test]``.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, an id is missing, a timestamp is missing or no whole
        number, a pair comes twice, or a part would be empty.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9]})
    >>> log["timestamp"] = [30, 20, 10, 40]
    >>> train, valid = temporal_split(log, valid_frac=0.25)
    >>> valid["timestamp"].tolist()
    [40]
    """
    shares = _shares(valid_frac, test_frac)
    Pairs(ratings)  # checks them
    time = times_of(ratings)
    # A second that straddles a cut goes to the later part: place each row after its equals.
    position = np.searchsorted(np.sort(time), time, side="right") - 1
    return _cut(ratings, _parts(position, len(time), shares), len(shares) + 1)


def cold_split(
    ratings: pd.DataFrame,
    *,
    by: str = "user_id",
    valid_frac: float = 0.2,
    test_frac: float | None = None,
    rng: Rng,
) -> list[pd.DataFrame]:
    """All rows of a random share of users (or items) held out, cold-start ones for the model.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_id`` and ``item_id``.
    by : {"user_id", "item_id"}
        Whose rows stay together.
    valid_frac, test_frac : float
        Shares of the users (or items), between 0 and 1.
    rng : int or Generator

    Returns
    -------
    list of DataFrame
        ``[train, valid]`` or ``[train, valid, test]``.

    Raises
    ------
    ValueError
        If ``by`` is another column, a share is not between 0 and 1, an id is missing, a pair
        comes twice, or a part would be empty.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [7, 8, 7, 7]})
    >>> train, valid = cold_split(log, by="user_id", valid_frac=0.34, rng=0)
    >>> set(train["user_id"]) & set(valid["user_id"])
    set()
    """
    if by not in ("user_id", "item_id"):
        raise ValueError(f"by must be 'user_id' or 'item_id', got {by!r}")
    shares = _shares(valid_frac, test_frac)
    codes = Pairs(ratings).codes[by]
    n_groups = int(codes.max(initial=-1)) + 1
    position = np.random.default_rng(rng).permutation(n_groups)
    part = _parts(position, n_groups, shares)
    return _cut(ratings, part[codes], len(shares) + 1)


def _parts(
    position: NDArray[np.int64], size: int | NDArray[np.int64], shares: list[float]
) -> NDArray[np.int64]:
    """Part number of each row from its place among ``size`` rows: the end is held out."""
    part = np.zeros(len(position), dtype=np.int64)
    taken = np.zeros_like(position) + 0 * size
    for number in range(len(shares), 0, -1):  # the test rows come last in every order
        wanted = np.rint(np.multiply(size, shares[number - 1])).astype(np.int64)
        wanted = np.minimum(wanted, size - 1 - taken)  # one row at least stays in training
        inside = (position < size - taken) & (position >= size - taken - wanted)
        part[inside] = number
        taken = taken + wanted
    return part


def _cut(ratings: pd.DataFrame, part: NDArray[np.int64], n_parts: int) -> list[pd.DataFrame]:
    """One frame for each part number below ``n_parts``; none may be empty."""
    counts = np.bincount(part, minlength=n_parts)[:n_parts]
    if not counts.all():
        name = ("train", "valid", "test")[int(np.argmin(counts))]
        raise ValueError(
            f"the {name} part would be empty: {len(ratings)} rows are too few for this split"
        )
    return [ratings.loc[part == number] for number in range(n_parts)]


def _shares(valid_frac: float, test_frac: float | None) -> list[float]:
    """The shares that are asked for, checked."""
    shares = [valid_frac] if test_frac is None else [valid_frac, test_frac]
    if not all(0 < share < 1 for share in shares) or sum(shares) >= 1:
        raise ValueError(
            f"valid_frac and test_frac must lie between 0 and 1 and leave rows to train on, "
            f"got {shares}"
        )
    return shares


def _draw(pairs: Pairs, rng: Rng) -> NDArray[np.float64]:
    """A random number for each row that its ids and the seed decide, not its position."""
    draw = np.empty(len(pairs.order))
    draw[pairs.order] = np.random.default_rng(rng).random(len(draw))
    return draw


def _by_time(time: Ints, draw: NDArray[np.float64]) -> Ints:
    """Rows in order of time, those of one time in order of their draw."""
    order = np.argsort(draw)
    if len(time) and int(time.max()) - int(time.min()) >= 2**63:  # the difference would overflow
        return order[np.argsort(time[order], kind="stable")]
    return _stable(time - time.min(initial=0), order)


def _stable(key: Ints, order: Ints) -> Ints:
    """An order of rows sorted again by a key, which is at least 0; equal ones stay as they are."""
    return order[sort_with_order(key[order])[1]]


def _ranks(codes: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Rank of each row among its user's rows in an order, from 0, and how many the user has."""
    by_user = _stable(codes, order)
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(codes), dtype=np.int64)
    rank[by_user] = np.arange(len(codes)) - np.repeat(starts, counts)
    return rank, counts[codes]
