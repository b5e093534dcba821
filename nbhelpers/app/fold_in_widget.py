"""The fold-in inside a notebook: name what you like, and the list below follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import pandas as pd

from nbhelpers.app.posters import Carousel, carousel
from nbhelpers.app.service import Service


class FoldInWidget:
    """A field for titles, buttons for what was chosen, and a row of posters.

    A notebook that is only read, without a kernel, shows what ``listed`` gives for the first
    choices.

    Parameters
    ----------
    service : Service
    liked : sequence of raw ids
        Items that are liked at first.

    Attributes
    ----------
    liked : list of int
        Rows of the catalog.

    Raises
    ------
    KeyError
        If an id is unknown.
    """

    def __init__(self, service: Service, *, liked: Sequence[Any] = ()) -> None:
        self.service = service
        self.liked: list[int] = service.catalog.items.encode_known(list(liked)).tolist()
        self._names = _distinct_names(service)
        self._field = widgets.Combobox(
            placeholder=f"a {service.noun} that you like",
            options=list(self._names),
            ensure_option=False,
            description="I like",
        )
        self._field.observe(self._take, names="value")
        self._chosen, self._answer = widgets.HBox(), widgets.HTML()
        self._chosen.layout.flex_flow = "row wrap"
        self.box = widgets.VBox([self._field, self._chosen, self._answer])
        self._show()

    def like(self, item: int) -> None:
        """Add an item to what is liked."""
        if item not in self.liked:
            self.liked.append(item)
            self._show()

    def forget(self, item: int) -> None:
        """Take an item back."""
        self.liked.remove(item)
        self._show()

    def listed(self) -> Carousel:
        """The list for what is liked now, as a row of posters."""
        answer = self.service.list_for(self.liked)
        films = pd.DataFrame(answer["items"])[["rank", "title", "year", "genres"]]
        because = [" and ".join(card["because"]) for card in answer["items"]]
        marked = films.assign(mark=[f"because of {why}" if why else "popular" for why in because])
        n_likes = len(self.liked)
        heading = f"From {n_likes} like" + "s" * (n_likes != 1) if n_likes else "Popular"
        return carousel(marked, title=heading)

    def _take(self, change: dict[str, Any]) -> None:
        item = self._names.get(change["new"])
        if item is not None:
            self._field.value = ""
            self.like(item)

    def _show(self) -> None:
        self._chosen.children = tuple(self._button(item) for item in self.liked)
        self._answer.value = self.listed().html

    def _button(self, item: int) -> widgets.Button:
        title = self.service.catalog.facts[item].title
        button = widgets.Button(description=f"✕ {title}", tooltip=f"Remove {title}")
        button.layout.width = "auto"
        button.on_click(lambda _: self.forget(item))
        return button

    def _repr_mimebundle_(self, **settings: Any) -> Any:
        return self.box._repr_mimebundle_(**settings)


def _distinct_names(service: Service) -> dict[str, int]:
    """Title with its year for each item; where two agree, the id tells them apart."""
    named: dict[str, int] = {}
    for item, facts in enumerate(service.catalog.facts):
        name = f"{facts.title} ({facts.year})" if facts.year else facts.title
        if name in named:
            name = f"{name} [{service.catalog.ids[item]}]"
        named[name] = item
    return named
