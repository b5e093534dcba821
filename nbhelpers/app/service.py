"""What the app answers: lists, reasons, similar items, somebody's history. No web in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.app.catalog import Catalog
from nbhelpers.app.dial import turned
from nbhelpers.core.checks import first_of
from nbhelpers.core.coverage import require_same_items, trained_rows
from nbhelpers.core.recommender import HasVectors, Recommender, scores_of
from nbhelpers.core.topk import top_k
from nbhelpers.data.interactions import Interactions
from nbhelpers.serving.explain import parts_of_scores
from nbhelpers.serving.fold_in import fold_in_users, interactions_of_new_user
from nbhelpers.serving.similar import neighbor_lists

LONGEST_LIST, MOST_LIKES = 50, 500
LEAST_SUPPORT = 5  # an item with fewer positives is nobody's neighbor
REASONS = 2  # likes named as the reason for an item
HAD = {  # what people say of something that they had and do not want again
    "film": "seen it",
    "movie": "seen it",
    "show": "seen it",
    "series": "seen it",
    "video": "seen it",
    "book": "read it",
    "article": "read it",
    "game": "played it",
    "song": "know it",
    "track": "know it",
    "album": "know it",
    "artist": "know it",
}


class Group(NamedTuple):
    """People of one kind, such as an age, and what they chose.

    Attributes
    ----------
    name : str
    counts : ndarray of int, shape (n_items,)
        Positives of each item among them.
    """

    name: str
    counts: NDArray[Any]


class RequestError(ValueError):
    """A question that cannot be answered; the message says what was required."""


class Service:
    """Answers for people who choose items, from models that fold them in.

    Parameters
    ----------
    catalog : Catalog
    models : mapping of str to Recommender
        By the name that people see, the best one first; all know the items of the catalog and
        can fold in new users, see ``fold_in_users``.
    people : Interactions, optional
        What users liked, for their histories; with vocabularies.
    had : Interactions, optional
        All that they had, liked or not, of the same users; left out, ``people``.
    groups : sequence of Group, optional
        People of one kind, for whoever has not chosen anything yet.
    price : DataFrame, optional
        Of the dial of the first model, as ``price_of_dial`` gives it.
    noun : str
        What an item is called.
    title, about : str
        Heading of the page, and what the lists stand on.

    Raises
    ------
    ValueError
        If there is no model, or one knows another number of items.
    """

    def __init__(
        self,
        catalog: Catalog,
        models: Mapping[str, Recommender],
        *,
        people: Interactions | None = None,
        had: Interactions | None = None,
        groups: Sequence[Group] = (),
        price: pd.DataFrame | None = None,
        noun: str = "film",
        title: str = "What next?",
        about: str = "",
    ) -> None:
        if not models:
            raise ValueError("at least one model is required, got none")
        self.catalog, self.models = catalog, dict(models)
        self.people, self.had = people, people if had is None else had
        self.groups = {group.name: group for group in groups}
        self.price, self.noun, self.title, self.about = price, noun, title, about
        self._counts = torch.tensor(catalog.counts)
        self._served = {name: self._items_served(name) for name in self.models}
        self._neighbors = {
            name: model.item_vectors(torch.arange(len(catalog.facts)))
            for name, model in self.models.items()
            if isinstance(model, HasVectors)
        }

    def describe(self) -> dict[str, Any]:
        """What the page has to know before anybody chooses."""
        price = None if self.price is None else self.price.round(4).to_dict("records")
        return {
            "title": self.title,
            "about": self.about,
            "noun": self.noun,
            "had_it": HAD.get(self.noun.casefold(), "had it"),
            "n_items": len(self.catalog.facts),
            "models": list(self.models),
            "genres": list(self.catalog.genres),
            "groups": list(self.groups),
            "n_people": 0 if self.people is None else self.people.n_users,
            "price": price,
        }

    def search(self, text: str) -> list[dict[str, Any]]:
        """Items whose name holds a text."""
        return [self._card(item) for item in self.catalog.search(text)]

    def cards(self, items: Sequence[int]) -> list[dict[str, Any]]:
        """What the page says of some items.

        Raises
        ------
        RequestError
            If an item is unknown.
        """
        return [self._card(item) for item in self._checked(items)]

    def list_for(
        self,
        liked: Sequence[int],
        *,
        seen: Sequence[int] = (),
        strength: float = 0.0,
        model: str | None = None,
        genres: Sequence[str] = (),
        group: str = "",
        k: int = 10,
    ) -> dict[str, Any]:
        """A list for somebody, by fold-in; popular items until they like something.

        Parameters
        ----------
        liked, seen : sequence of int
            Rows of the catalog: what speaks for a taste, and what else is not to be listed.
        strength : float
            Of the dial, 0 is accurate.
        model : str, optional
            Left out, the first.
        genres, group : sequence of str, str
            Only while nothing is liked that the model knows.
        k : int

        Returns
        -------
        dict
            ``basis`` ("likes", "group" or "popular"), ``model``, ``unknown`` (titles of likes that
            the model was not trained on; they count for nothing) and ``items``: ``rank``,
            ``item`` (row of the catalog), ``item_id`` (as text), ``title``, ``year``, ``genres``,
            ``score`` and ``because`` (titles of likes that speak for it).

        Raises
        ------
        RequestError
            If something is unknown or out of its range.
        """
        name = self._named(model)
        liked, seen = self._checked(liked), self._checked(seen)
        if not 1 <= k <= LONGEST_LIST:
            raise RequestError(f"k must lie between 1 and {LONGEST_LIST}, got {k}")
        if not 0 <= strength <= 2:
            raise RequestError(f"strength must lie between 0 and 2, got {strength}")
        telling = [item for item in liked if self._served[name][item]]
        had = [*liked, *seen]
        unknown = [self.catalog.facts[item].title for item in liked if item not in telling]
        if not telling:
            first = self._first_list(had, genres=genres, group=group, k=k)
            return {**first, "model": name, "unknown": unknown}
        one = interactions_of_new_user(self.catalog.items.decode(telling), self.catalog.items)
        folded = fold_in_users(self.models[name], one)
        scores = scores_of(folded, torch.tensor([0]), n_items=len(self.catalog.facts))
        dialed = turned(scores, self._counts, strength)
        ranked = scores if strength == 0 else dialed
        items = self._best(ranked[0], without=had, allowed=self._served[name], k=k)
        reasons = self._because(name, items, one)
        cards = [
            {**self._card(item), "rank": rank, "score": float(scores[0, item]), "because": because}
            for rank, (item, because) in enumerate(zip(items, reasons, strict=True), start=1)
        ]
        return {"basis": "likes", "model": name, "unknown": unknown, "items": cards}

    def similar_to(self, item: int, *, model: str | None = None, k: int = 10) -> dict[str, Any]:
        """Items whose vectors point the same way, the item itself left out.

        Raises
        ------
        RequestError
            If the item is unknown, or no model has vectors.
        """
        (item,) = self._checked([item])
        name = self._named(model)
        vectors = self._neighbors.get(name)
        if vectors is None:
            name, vectors = next(iter(self._neighbors.items()), ("", None))
        if vectors is None:
            raise RequestError("similar items need a model with vectors, such as IALS")
        _, found = neighbor_lists(
            vectors,
            torch.tensor([item]),
            k=k,
            support=self.catalog.counts,
            min_support=LEAST_SUPPORT,
        )
        return {
            "model": name,
            "of": self._card(item),
            "items": [self._card(other) for other in found[0].tolist() if other >= 0],
        }

    def history_of(self, person: str) -> dict[str, Any]:
        """What somebody of the log liked (``items``), and what else they had (``had``).

        Raises
        ------
        RequestError
            If there is no such person, or no histories.
        """
        if self.people is None or self.people.users is None:
            raise RequestError("this model was stored without people's histories")
        ids = self.people.users.ids
        by_text = pd.Series(np.arange(len(ids)), index=ids.astype(str))
        if person not in by_text.index:
            raise RequestError(f"nobody has the id {person!r}, e.g. {ids[0]} is known")
        row = int(by_text[person])
        liked = self.people.items_of(row).tolist()
        had = [] if self.had is None else self.had.items_of(row).tolist()
        return {
            "person": person,
            "items": [self._card(item) for item in liked],
            "had": [self._card(item) for item in sorted(set(had).difference(liked))],
        }

    def _first_list(
        self, seen: list[int], *, genres: Sequence[str], group: str, k: int
    ) -> dict[str, Any]:
        """Popular items, of some genres and among people of one kind if that was said."""
        if group and group not in self.groups:
            raise RequestError(f"group must be one of {list(self.groups)}, got {group!r}")
        unknown = set(genres).difference(self.catalog.genres)
        if unknown:
            raise RequestError(f"unknown genre {min(unknown)!r}: see the list of genres")
        counts = self.groups[group].counts if group else self.catalog.counts
        # Where a kind of people is small, its counts tie often; everybody's counts decide then.
        scores = counts + self.catalog.counts / (1.0 + self.catalog.counts.max())
        allowed = torch.from_numpy(self.catalog.of_genres(genres))
        items = self._best(torch.from_numpy(scores), without=seen, allowed=allowed, k=k)
        cards = [
            {**self._card(item), "rank": rank, "score": float(counts[item]), "because": []}
            for rank, item in enumerate(items, start=1)
        ]
        basis = "group" if group or genres else "popular"
        return {"basis": basis, "items": cards}

    def _best(
        self, scores: Tensor, *, without: Sequence[int], allowed: Tensor, k: int
    ) -> list[int]:
        listed = allowed.clone()
        listed[list(without)] = False
        _, columns = top_k(scores.double().masked_fill(~listed, -torch.inf).unsqueeze(0), k)
        return [item for item in columns[0].tolist() if item >= 0]

    def _because(self, name: str, items: list[int], own: Interactions) -> list[list[str]]:
        """Titles of the likes that speak most for each item; none if the model cannot say."""
        if not items:
            return []
        try:
            parts = parts_of_scores(self.models[name], items, own).parts  # (n_items, n_likes)
        except ValueError:  # a model that cannot take its scores apart
            return [[] for _ in items]
        most, columns = top_k(parts, REASONS)
        liked = own.indices[columns.numpy()]  # (n_items, at most REASONS)
        return [
            [self.catalog.facts[item].title for item in row[known].tolist()]
            for row, known in zip(liked, (most > 0).numpy(), strict=True)
        ]

    def served(self, name: str) -> Tensor:
        """Which items a model was trained on and may list: bool, shape (n_items,)."""
        return self._served[name]

    def _items_served(self, name: str) -> Tensor:
        n_items = len(self.catalog.facts)
        require_same_items(self.models[name], n_items, self.catalog.items)
        return trained_rows(self.models[name], n_users=1, n_items=n_items)[1]

    def _named(self, model: str | None) -> str:
        name = next(iter(self.models)) if model is None else model
        if name not in self.models:
            raise RequestError(f"model must be one of {list(self.models)}, got {name!r}")
        return name

    def _checked(self, items: Sequence[int]) -> list[int]:
        if not all(type(item) is int for item in items):
            raise RequestError(f"{self.noun}s are asked for by number, got {first_of(items)}")
        wanted = list(dict.fromkeys(items))
        if len(wanted) > MOST_LIKES:
            raise RequestError(f"at most {MOST_LIKES} {self.noun}s, got {len(wanted):,}")
        for item in wanted:
            if not 0 <= item < len(self.catalog.facts):
                raise RequestError(
                    f"{self.noun}s are numbered 0 to {len(self.catalog.facts) - 1:,}, got {item}"
                )
        return wanted

    def _card(self, item: int) -> dict[str, Any]:
        facts = self.catalog.facts[item]
        return {
            "item": item,
            "item_id": self.catalog.ids[item],
            "title": facts.title,
            "year": facts.year,
            "genres": list(facts.genres),
        }
