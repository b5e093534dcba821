"""What is known about users and items before anyone rates, as columns of numbers matched by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbhelpers.data.datasets.movielens import GENRE_PREFIX, year_from_title
from nbhelpers.data.raw_ids import refuse_same_words
from nbhelpers.data.vocabulary import Vocabulary, align_metadata

UNKNOWN = "unknown"
YEARS = (1800, 2200)  # first one, and the one after the last
# From each age on, up to the next: the brackets in which ml-1m publishes its ages.
AGE_BANDS: Mapping[int, str] = MappingProxyType(
    {0: "under 18", 18: "18-24", 25: "25-34", 35: "35-44"}
    | {45: "45-49", 50: "50-55", 56: "56 and over"}
)
Readers = Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]


class Features:
    """A row of numbers for each id of a vocabulary; a column has a name such as "genre: Drama".

    Nothing of it can be changed: ``table`` is a copy, and every method gives a new object.

    Parameters
    ----------
    names : sequence of str
        Of the columns, each of the form "kind: value"; columns of a kind stand together.
    table : Tensor, shape (n_ids, n_features)
        Row k describes index k of the vocabulary; finite numbers or bools.
    vocabulary : Vocabulary

    Raises
    ------
    ValueError
        If a name comes twice or has no kind, a kind is torn apart, or the table does not fit.
    """

    def __init__(self, names: Sequence[str], table: Tensor, vocabulary: Vocabulary) -> None:
        _check(names, table, vocabulary)
        self._names, self._vocabulary = tuple(names), vocabulary
        self._table = table.detach().to(torch.float32, copy=True)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._names

    @property
    def vocabulary(self) -> Vocabulary:
        """The ids of the rows."""
        return self._vocabulary

    @property
    def table(self) -> Tensor:
        """A copy of the numbers, float32, shape (n_ids, n_features), free to change."""
        return self._table.clone()

    @property
    def kinds(self) -> dict[str, int]:
        """How many columns each kind has, in order: the fields of a ``DeepFM``."""
        counts: dict[str, int] = {}
        for name in self._names:
            counts[_kind(name)] = counts.get(_kind(name), 0) + 1
        return counts

    def of(self, ids: Iterable[Any]) -> Tensor:
        """Rows of some ids, shape (n, n_features), in their order.

        Raises
        ------
        KeyError
            If an id is unknown: nothing is known about it, which is not the same as zeros.

        Examples
        --------
        >>> features = Features(["age: old"], torch.tensor([[1], [0]]), Vocabulary([10, 20]))
        >>> features.of([20, 10])
        tensor([[0.],
                [1.]])
        """
        return self._table[torch.from_numpy(self._vocabulary.encode_known(ids))]

    def of_kind(self, *kinds: str) -> Features:
        """The columns of some kinds alone, such as ``"genre"``.

        Raises
        ------
        ValueError
            If there is no such kind.

        Examples
        --------
        >>> table = torch.eye(2)
        >>> Features(["age: old", "hair: red"], table, Vocabulary([1, 2])).of_kind("hair")
        Features(2 rows, 1 columns: 1 of hair)
        """
        strange = [kind for kind in kinds if kind not in self.kinds]
        if strange or not kinds:
            raise ValueError(f"kinds must be among {list(self.kinds)}, got {strange[:3]}")
        kept = [k for k, name in enumerate(self._names) if _kind(name) in kinds]
        return Features([self._names[k] for k in kept], self._table[:, kept], self._vocabulary)

    def shuffled(self, *, rng: np.random.Generator | int) -> Features:
        """The same rows dealt out to the ids at random: a placebo, as rich and without meaning.

        Examples
        --------
        >>> features = Features(["n: id"], torch.tensor([[1], [2], [3]]), Vocabulary([1, 2, 3]))
        >>> sorted(features.shuffled(rng=0).table.flatten().tolist())
        [1.0, 2.0, 3.0]
        """
        order = np.random.default_rng(rng).permutation(len(self))
        return Features(self._names, self._table[torch.from_numpy(order)], self._vocabulary)

    def frame(self) -> pd.DataFrame:
        """The table with its names, indexed by id.

        Examples
        --------
        >>> features = Features(["age: old"], torch.tensor([[1], [0]]), Vocabulary([10, 20]))
        >>> features.frame()["age: old"].to_dict()
        {10: 1.0, 20: 0.0}
        """
        ids = pd.Index(self._vocabulary.ids, name="id")
        return pd.DataFrame(self.table.numpy(), index=ids, columns=list(self._names))

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} of {kind}" for kind, count in self.kinds.items())
        return f"Features({len(self):,} rows, {len(self._names)} columns: {counts})"


def item_features(
    items: pd.DataFrame,
    *,
    vocabulary: Vocabulary,
    kinds: Sequence[str] = ("genre", "decade"),
    names: Sequence[str] | None = None,
) -> Features:
    """Genres and decade of release as zeros and ones, a row for each id, matched by id.

    A film has as many genres as it has, perhaps none, and one decade. A missing year is
    "decade: unknown", a column that is always there.

    Parameters
    ----------
    items : DataFrame
        One row for each id in any order, as ``load_items`` gives them: first ``item_id``, then
        ``year`` (without that column the year is read from ``title``) and ``genre_...``.
    vocabulary : Vocabulary
        The ids wanted; other rows are left out.
    kinds : sequence of str
        Which of ``"genre"`` and ``"decade"``, in this order.
    names : sequence of str, optional
        Columns that a model was trained with, to describe new items for it: these columns come
        back. A decade that is not among them is unknown, a genre that is not is left out, and
        one that ``items`` has no column for is a column of zeros.

    Returns
    -------
    Features

    Raises
    ------
    KeyError
        If an id of the vocabulary has no row: a film nobody described is no film without genres.
    ValueError
        If an id has two rows or another type than the vocabulary's, a column is missing, a genre
        is no 0 or 1 (missing included), two genres differ in case or blanks only, or a year is not
        between 1800 and 2199.

    Examples
    --------
    >>> films = pd.DataFrame({"item_id": [50, 7], "title": ["Up (2009)", "Heat (1995)"]})
    >>> films = films.assign(genre_Drama=[0, 1], genre_War=[0, 0])
    >>> features = item_features(films, vocabulary=Vocabulary([7, 50]))
    >>> features.names[:4]
    ('genre: Drama', 'genre: War', 'decade: 1990s', 'decade: 2000s')
    >>> features.of([7])
    tensor([[1., 0., 1., 0., 0.]])
    """
    return _features(items, vocabulary, _readers(_ITEM_KINDS, kinds), names)


def user_features(
    users: pd.DataFrame,
    *,
    vocabulary: Vocabulary,
    kinds: Sequence[str] = ("age", "gender", "occupation"),
    names: Sequence[str] | None = None,
) -> Features:
    """Age band, gender and occupation as zeros and ones, a row for each id, matched by id.

    Each kind has one 1 in a row. What is missing or an empty text is "age: unknown" and so on,
    columns that are always there.

    Parameters
    ----------
    users : DataFrame
        One row for each id in any order, as ``load_users`` gives them: first ``user_id``, then
        ``age`` in years, ``gender`` and ``occupation``.
    vocabulary : Vocabulary
        The ids wanted; other rows are left out.
    kinds : sequence of str
        Which of ``"age"``, ``"gender"`` and ``"occupation"``, in this order.
    names : sequence of str, optional
        Columns that a model was trained with: as in ``item_features``, and what is not among
        them is unknown.

    Returns
    -------
    Features

    Raises
    ------
    KeyError
        If an id of the vocabulary has no row.
    ValueError
        If an id has two rows or another type than the vocabulary's, a column is missing, two
        words differ in case only, or an age is negative.

    Examples
    --------
    >>> people = pd.DataFrame({"user_id": [1, 2], "gender": ["F", "M"]})
    >>> features = user_features(people, vocabulary=Vocabulary([1, 2]), kinds=["gender"])
    >>> features.names
    ('gender: F', 'gender: M', 'gender: unknown')
    >>> features.of([2])
    tensor([[0., 1., 0.]])
    """
    return _features(users, vocabulary, _readers(_USER_KINDS, kinds), names)


def _features(
    frame: pd.DataFrame, vocabulary: Vocabulary, readers: Readers, names: Sequence[str] | None
) -> Features:
    aligned = align_metadata(frame, vocabulary)
    flags = pd.concat([read(aligned) for read in readers.values()], axis=1)
    if names is not None:
        flags = _as_trained(flags, list(names), readers)
    table = torch.from_numpy(flags.to_numpy(dtype=np.float32, copy=True))
    return Features([str(name) for name in flags.columns], table, vocabulary)


def _as_trained(flags: pd.DataFrame, names: list[str], kinds: Iterable[str]) -> pd.DataFrame:
    """Exactly the columns ``names``; values outside them are counted as unknown."""
    strange = [name for name in names if _kind(name) not in kinds]
    if strange:
        raise ValueError(f"names must be of the kinds {list(kinds)}, got {strange[:3]}")
    kept = flags.reindex(columns=names, fill_value=False)
    for unknown in (name for name in names if name.endswith(f": {UNKNOWN}")):
        lost = [c for c in flags.columns.difference(names) if _kind(c) == _kind(unknown)]
        kept[unknown] = kept[unknown] | flags[lost].any(axis=1)
    return kept


def _genres(items: pd.DataFrame) -> pd.DataFrame:
    flags = items[sorted(name for name in items.columns if str(name).startswith(GENRE_PREFIX))]
    odd = flags.columns[~flags.isin([0, 1]).all()]
    if flags.empty or len(odd):
        found = f"{odd[0]} does not" if len(odd) else f"got {list(items.columns)[:3]}"
        raise ValueError(f"columns {GENRE_PREFIX}... that hold 0 and 1 are required, {found}")
    names = [name.removeprefix(GENRE_PREFIX).strip() for name in flags.columns]
    refuse_same_words(names, what="genres")
    return (flags == 1).set_axis([f"genre: {name}" for name in names], axis=1)


def _decades(items: pd.DataFrame) -> pd.DataFrame:
    year = items["year"] if "year" in items else year_from_title(_column(items, "title"))
    years = pd.to_numeric(year).astype("Float64")
    wrong = years[~years.between(YEARS[0], YEARS[1], inclusive="left").fillna(True)]
    if len(wrong):
        raise ValueError(f"years must be {YEARS[0]} to {YEARS[1] - 1}, got {wrong.iloc[0]:g}")
    decade = (years // 10 * 10).astype("Int64").astype("string") + "s"
    return _one_of(decade, "decade")


def _ages(users: pd.DataFrame) -> pd.DataFrame:
    age = pd.to_numeric(_column(users, "age")).astype("Float64").to_numpy(np.float64, na_value=-0.5)
    if (age[age != -0.5] < 0).any():
        raise ValueError(f"ages must be 0 or more years, got {age.min():g}: missing ones are None")
    words = np.array([UNKNOWN, *AGE_BANDS.values()], dtype=object)
    band = pd.Series(words[np.searchsorted(list(AGE_BANDS), age, side="right")], dtype="string")
    return _one_of(band, "age", values=tuple(AGE_BANDS.values()))


def _words(column: str, users: pd.DataFrame) -> pd.DataFrame:
    return _one_of(_column(users, column).astype("string").str.strip(), column)


def _one_of(words: pd.Series[str], kind: str, values: Sequence[str] = ()) -> pd.DataFrame:
    """One column for each value, the unknown last; a row has a single True."""
    known = words.replace("", UNKNOWN).fillna(UNKNOWN)
    found = values or sorted(set(known) - {UNKNOWN})
    refuse_same_words(found, what=f"values of {kind}")
    return pd.DataFrame(
        {f"{kind}: {value}": (known == value).astype(bool) for value in (*found, UNKNOWN)}
    )


_ITEM_KINDS = {"genre": _genres, "decade": _decades}
_USER_KINDS = {
    "age": _ages,
    "gender": lambda users: _words("gender", users),
    "occupation": lambda users: _words("occupation", users),
}


def _readers(known: Readers, kinds: Sequence[str]) -> Readers:
    strange = [kind for kind in kinds if kind not in known]
    if strange or not kinds or isinstance(kinds, str):
        raise ValueError(f"kinds must be a sequence from {list(known)}, got {kinds!r:.60}")
    return {kind: known[kind] for kind in kinds}


def _column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame:
        raise ValueError(f"column {name!r} is required, got {list(frame.columns)[:3]}")
    column: pd.Series[Any] = frame[name]
    return column


def _kind(name: str) -> str:
    return name.split(": ", 1)[0]


def _check(names: Sequence[str], table: Tensor, vocabulary: Vocabulary) -> None:
    kinds = [_kind(name) for name in names]
    turns = [kind for k, kind in enumerate(kinds) if k == 0 or kinds[k - 1] != kind]
    if len(set(names)) < len(names) or len(set(turns)) < len(turns):
        raise ValueError(f"names must differ, kinds stand together, got {list(names)[:3]}")
    if not names or not all(": " in name for name in names):
        raise ValueError(f"names must be like 'genre: Drama', at least one, got {list(names)[:3]}")
    wanted = (len(vocabulary), len(names))
    if tuple(table.shape) != wanted:
        raise ValueError(f"the table must have the shape {wanted}, got {tuple(table.shape)}")
    if not torch.isfinite(table).all():
        raise ValueError("the table must hold finite numbers, got NaN or infinity: fill it first")
