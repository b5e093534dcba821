"""What the app knows of the items: names, facts and how often each was chosen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nbhelpers.app.posters import film_facts
from nbhelpers.data.vocabulary import Vocabulary


class Catalog:
    """Items in the order of their vocabulary, ready to be searched and shown.

    Parameters
    ----------
    items : Vocabulary
    counts : array of int, shape (n_items,)
        Positives of each item.
    metadata : DataFrame, optional
        Row k describes item k, as ``align_metadata`` returns it: ``title``, and where there are
        any ``year`` and genres as for ``carousel``. Left out, an item is called by its id.

    Attributes
    ----------
    facts : tuple of Facts
        Of each item.
    genres : tuple of str
        All that occur, the most frequent first.
    counts : ndarray of int64, shape (n_items,)

    Raises
    ------
    ValueError
        If the lengths do not agree.

    Examples
    --------
    >>> films = pd.DataFrame({"item_id": [4, 9], "title": ["Iron Comet (1999)", "Amelie (2001)"]})
    >>> catalog = Catalog(Vocabulary([4, 9]), [3, 8], films)
    >>> [catalog.facts[k].title for k in catalog.search("amé")]
    ['Amelie']
    """

    def __init__(
        self, items: Vocabulary, counts: ArrayLike, metadata: pd.DataFrame | None = None
    ) -> None:
        self.items, self.counts = items, np.array(counts, dtype=np.int64)
        self.ids = [str(item_id) for item_id in items.ids.tolist()]
        n_rows = len(self.ids) if metadata is None else len(metadata)
        for what, number in (("counts", len(self.counts)), ("rows of metadata", n_rows)):
            if number != len(self.ids):
                raise ValueError(f"{len(self.ids):,} {what} are required, got {number:,}")
        self.facts = _facts(metadata, self.ids)
        self.genres = _by_frequency(self.facts)
        self._words = [searchable(facts.title) for facts in self.facts]
        self._famous_first = np.argsort(-self.counts, kind="stable")

    def search(self, text: str, k: int = 8) -> list[int]:
        """Items whose name holds a text, those that begin with it first, then by popularity.

        Parameters
        ----------
        text : str
            Case and accents do not matter.
        k : int
            How many at most.

        Returns
        -------
        list of int
        """
        wanted = searchable(text)
        if not wanted:
            return []
        found = [k for k in self._famous_first.tolist() if wanted in self._words[k]]
        return sorted(found, key=lambda k: not self._words[k].startswith(wanted))[:k]

    def of_genres(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Which items have one of some genres, shape (n_items,); all, where none is named."""
        wanted = set(names)
        if not wanted:
            return np.ones(len(self.facts), dtype=bool)
        return np.array([not wanted.isdisjoint(facts.genres) for facts in self.facts])


class Facts(NamedTuple):
    """What a card says of an item."""

    title: str
    year: str
    genres: tuple[str, ...]


def searchable(text: str) -> str:
    """Text in small letters and without accents, for search.

    Examples
    --------
    >>> searchable("  Amélie ")
    'amelie'
    """
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())


def _facts(metadata: pd.DataFrame | None, ids: list[str]) -> tuple[Facts, ...]:
    if metadata is None or "title" not in metadata.columns:
        return tuple(Facts(name, "", ()) for name in ids)
    titled = metadata.assign(title=_titles(metadata["title"], ids))
    return tuple(Facts(*facts) for facts in film_facts(titled))


def _titles(titles: pd.Series[Any], ids: list[str]) -> list[str]:
    """Titles, and the id where there is none."""
    return [
        title if isinstance(title, str) and title.strip() else name
        for title, name in zip(titles, ids, strict=True)
    ]


def _by_frequency(facts: Iterable[Facts]) -> tuple[str, ...]:
    names = pd.Series([name for item in facts for name in item.genres], dtype=object)
    counts = names.value_counts().sort_index()
    return tuple(counts.sort_values(ascending=False, kind="stable").index)
