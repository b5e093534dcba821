"""The page of the app as one text: the same whether a server answers it or it stands alone."""

from __future__ import annotations

from html import escape
from importlib.resources import files

_PARTS = files("nbhelpers.app").joinpath("page")


def page_part(name: str) -> str:
    """A file of the page, such as ``"app.css"``."""
    return _PARTS.joinpath(name).read_text(encoding="utf-8")


def page_html(*, title: str, about: str, engine: str, policy: str) -> str:
    """The whole page, with style and script in it.

    Parameters
    ----------
    title, about : str
        Shown as text, whatever they hold.
    engine : str
        JavaScript that defines ``engine``, where the answers come from.
    policy : str
        Content security policy: what the page may reach.

    Returns
    -------
    str
    """
    parts = {
        "policy": escape(policy),
        "title": escape(title),
        "about": escape(about),
        "style": page_part("app.css"),
        "engine": engine,
        "script": page_part("app.js"),
    }
    whole, *rest = page_part("app.html").split("{{")
    for piece in rest:  # one pass, so that nothing that is put in is read again
        name, _, after = piece.partition("}}")
        whole += parts[name] + after
    return whole
