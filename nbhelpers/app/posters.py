"""Films as cards in a row that scrolls: posters drawn from title, year and genres, no images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd

from nbhelpers.app.poster_images import checked_images, image_source
from nbhelpers.app.poster_motifs import WIDTH, known_genres
from nbhelpers.app.poster_svg import HEIGHT, poster_svg
from nbhelpers.data.datasets.movielens import GENRE_PREFIX, NOT_A_GENRE, YEAR_IN_TITLE

LONGEST_TEXT, MOST_GENRES = 300, 12  # characters, and genres, beyond which a text is cut
MOST_SHOWN = 3  # genres below a poster; its label has them all
MARK_INK, MARK_GROUND = "#FFFFFF", "#005A8C"
_ARTICLES = "A|An|The|La|Le|Les|L'|Il|Lo|Gli|El|Los|Las|Der|Die|Das|Den|Det|Ein|Eine|Un|Une|Una|De"
_TRAILING_ARTICLE = re.compile(rf"(.+), ({_ARTICLES})", re.IGNORECASE)
_NO_MATH = "tex2jax_ignore mathjax_ignore"  # a notebook would read $ in a title as a formula
# Six cards fill a row where there is room for them; below that they keep a size that reads.
_STYLE = """<style>
.cf-row { margin: 0 0 1.2em; font-family: system-ui, -apple-system, "Segoe UI", sans-serif; }
.cf-row p.cf-head { margin: 0 0 .4em; font-size: 18px; font-weight: 700; line-height: 1.3; }
.cf-row p.cf-head small { font-size: 14px; font-weight: 400; margin-left: .5em; }
.cf-row ul.cf-films { display: flex; gap: 12px; margin: 0; padding: 4px 4px 12px; list-style: none;
  overflow-x: auto; scroll-snap-type: x proximity; scroll-padding: 4px; }
.cf-row ul.cf-films:focus-visible { outline: 3px solid #56B4E9; outline-offset: 2px; }
.cf-row li.cf-film { flex: 0 0 auto; width: clamp(116px, calc((100% - 60px) / 6), 160px); margin: 0;
  scroll-snap-align: start; font-size: 13px; line-height: 1.35; }
.cf-row .cf-poster { position: relative; border-radius: 9px; overflow: hidden; }
.cf-row .cf-poster svg { display: block; width: 100%; height: auto; forced-color-adjust: none; }
.cf-row .cf-image { position: absolute; inset: 0; background-size: cover;
  background-position: center; }
.cf-row .cf-facts { margin-top: 6px; }
.cf-row .cf-facts b { font-size: 14px; }
.cf-row .cf-facts span { white-space: nowrap; }
.cf-row .cf-note { display: flex; flex-wrap: wrap; gap: 5px; margin-top: 5px; }
.cf-row .cf-note > span { padding: 1px 7px; border-radius: 9px; border: 1px solid currentColor; }
.cf-row .cf-note > .cf-mark { color: MARK_INK; background: MARK_GROUND;
  border-color: MARK_INK; font-weight: 600; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
@media print {
  .cf-row ul.cf-films { flex-wrap: wrap; overflow: visible; }
  .cf-row li.cf-film { break-inside: avoid; }
}
</style>
""".replace("MARK_INK", MARK_INK).replace("MARK_GROUND", MARK_GROUND)


class Film(NamedTuple):
    """What a card shows."""

    title: str
    year: str
    genres: tuple[str, ...]
    rank: str
    rating: str
    mark: str
    image: str

    def label(self) -> str:
        """Title, year and genres in words."""
        name = f"{self.title} ({self.year})" if self.year else self.title
        return ", ".join((name, *self.genres))


@dataclass(frozen=True)
class Carousel:
    """Rows of film cards. A notebook shows them as pictures, a terminal as a list.

    Attributes
    ----------
    body : str
        HTML of the rows without their style.
    text : str
        The same in plain text.
    """

    body: str
    text: str

    @property
    def html(self) -> str:
        """HTML that stands for itself: style and rows, no script, nothing to fetch."""
        return _STYLE + self.body

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Carousel) -> Carousel:
        """Both, one below the other."""
        if not isinstance(other, Carousel):
            return NotImplemented
        return Carousel(f"{self.body}\n{other.body}", f"{self.text}\n\n{other.text}")


def carousel(
    films: pd.DataFrame,
    *,
    title: str,
    items: pd.DataFrame | None = None,
    images: Mapping[Any, str | Path] | pd.Series[Any] | None = None,
) -> Carousel:
    """Row of film cards, in the order of the frame: five or six in view, the rest by scrolling.

    A poster is drawn from the title, the year and the genres of a film, so it needs no network and
    no film looks like another.

    Parameters
    ----------
    films : DataFrame
        One row a film, such as ``recommend`` returns. ``title`` is required, here or in
        ``items``. Shown where there are any: ``year`` (else that at the end of the title), genres
        (columns ``genre_...`` of zeros and ones, or one column ``genres`` such as
        ``"Comedy|Drama"`` or ``"Comedy, Drama"``), ``rank``, ``rating`` in stars, and ``mark``, a
        few words on the film such as ``"rated 5 later"``. Text beyond 300 characters is cut.
    title : str
        Heading of the row.
    items : DataFrame, optional
        Films by ``item_id``, as ``load_items`` returns them, for the columns that ``films`` lacks.
    images : mapping or Series of item id to str or Path, optional
        Posters of your own: web addresses, which the reader's browser then asks for, or image
        files, which become part of the page. Nothing is fetched without them. A film without an
        image, or whose image does not load, has its drawn poster.

    Returns
    -------
    Carousel
        ``a + b`` puts one row below the other.

    Raises
    ------
    ValueError
        If there is no film, a film stands twice, a title is missing, there are images but no
        ``item_id``, or an image is neither a web address nor an image file.
    KeyError
        If ``items`` lacks a film; the message names up to three.

    Examples
    --------
    >>> films = pd.DataFrame({"title": ["Quiet Lake (1950)"], "genres": ["Drama|War"]})
    >>> carousel(films, title="For you")  # a notebook shows a row of posters
    For you (1 film)
      Quiet Lake (1950), Drama, War
    """
    if films.empty:
        raise ValueError(f"the row {title!r} needs at least one film, got none")
    described = _described(films, items)
    if "title" not in described.columns:
        raise ValueError(f"column 'title' is required, got {list(films.columns)[:3]}: pass items")
    described = described.assign(image=checked_images(described, images))
    shown = [_film(row) for row in described.to_dict("records")]
    count = f"{len(shown)} film" + "s" * (len(shown) > 1)
    name = escape(_clean(title))
    cards = "\n".join(map(_card, shown))
    body = (
        f'<section class="cf-row {_NO_MATH}" aria-label="{name}">\n'
        f'<p class="cf-head">{name}<small>{count}</small></p>\n'
        f'<ul class="cf-films" role="list" tabindex="0" aria-label="{name}, {count}">\n'
        f"{cards}\n</ul>\n</section>"
    )
    return Carousel(body, "\n".join([f"{_clean(title)} ({count})", *map(_line, shown)]))


def poster(title: str, *, year: str = "", genres: Sequence[str] = ()) -> str:
    """Poster of a film as SVG, the same for the same words on any machine.

    Parameters
    ----------
    title : str
        As it is to be read; long ones are set smaller, and cut with "…" where nothing else helps.
        Together with the year it chooses colors, backdrop and lettering.
    year : str
    genres : sequence of str
        They choose what is drawn.

    Returns
    -------
    str
        An ``<svg>`` element with the words as its label: well-formed XML whatever the words.

    Examples
    --------
    >>> svg = poster("Quiet Lake", year="1950", genres=["Drama"])
    >>> svg[:4], 'aria-label="Poster: Quiet Lake (1950), Drama"' in svg
    ('<svg', True)
    """
    film = Film(_clean(title), _clean(year), _clean_genres(genres), "", "", "", "")
    label = escape(film.label())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="Poster: {label}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}"><title>{label}</title>'
        f"{poster_svg(film.title, year=film.year, genres=film.genres)}</svg>"
    )


def readable_title(title: str) -> str:
    """Title with its article in front and without its year.

    Parameters
    ----------
    title : str
        As MovieLens writes it: ``"Seventh Seal, The (Sjunde inseglet, Det) (1957)"``.

    Returns
    -------
    str
        ``"The Seventh Seal (Det Sjunde inseglet)"``.

    Examples
    --------
    >>> readable_title("Iron Comet, The (1999)")
    'The Iron Comet'
    """
    cleaned = _clean(title)
    bare = re.sub(YEAR_IN_TITLE, "", cleaned).strip() or cleaned
    main, *others = re.split(r"\s+\((?=[^()]*\))", bare)
    moved = [_article_first(main)]
    for other in others:
        inside, _, rest = other.partition(")")
        moved.append(f"({_article_first(inside)}){rest}")
    return " ".join(moved)


def film_facts(films: pd.DataFrame) -> list[tuple[str, str, tuple[str, ...]]]:
    """Title, year and genres of films as their cards say them, cleaned for the eye.

    Parameters
    ----------
    films : DataFrame
        As for ``carousel``.

    Returns
    -------
    list of (str, str, tuple of str)
        One for each row; the year is empty where none is known.

    Raises
    ------
    ValueError
        If a title is missing.

    Examples
    --------
    >>> film_facts(pd.DataFrame({"title": ["Iron Comet, The (1999)"], "genres": ["Sci-Fi"]}))
    [('The Iron Comet', '1999', ('Sci-Fi',))]
    """
    shown = [_film(row) for row in films.to_dict("records")]
    return [(film.title, film.year, film.genres) for film in shown]


def _article_first(title: str) -> str:
    found = _TRAILING_ARTICLE.fullmatch(title)
    if not found:
        return title
    gap = "" if found[2].endswith("'") else " "
    return f"{found[2]}{gap}{found[1]}"


def _described(films: pd.DataFrame, items: pd.DataFrame | None) -> pd.DataFrame:
    """Films with the columns of ``items`` that they lack, matched by id."""
    if "item_id" in films.columns:
        _check_once(films["item_id"], "the row")
    if items is None:
        return films
    _check_once(items["item_id"], "items")
    rows = pd.Index(items["item_id"]).get_indexer(films["item_id"])
    missing = films["item_id"][rows < 0].tolist()
    if missing:
        shown = ", ".join(map(str, missing[:3]))
        raise KeyError(f"{len(missing)} films have no row in items, e.g. {shown}")
    more = items.drop(columns=items.columns.intersection(films.columns)).iloc[rows]
    described: pd.DataFrame = films.reset_index(drop=True).join(more.reset_index(drop=True))
    return described


def _check_once(item_ids: pd.Series[Any], where: str) -> None:
    if item_ids.duplicated().any():
        twice = item_ids[item_ids.duplicated()].iloc[0]
        raise ValueError(f"item {twice} stands twice in {where}: drop its repeats first")


def _film(row: dict[Any, Any]) -> Film:
    if not isinstance(row["title"], str) or not _clean(row["title"]):
        raise ValueError(f"every film needs a title in text, got {row['title']!r}")
    known = {name: value for name, value in row.items() if _is_there(value)}
    year = known.get("year") or _year(row["title"])
    return Film(
        title=readable_title(row["title"]),
        year=f"{year:.0f}" if isinstance(year, int | float) else _clean(str(year)),
        genres=_genres(known),
        rank=f"{known['rank']:.0f}" if "rank" in known else "",
        rating=f"{float(known['rating']):g}" if "rating" in known else "",
        mark=_clean(str(known.get("mark", ""))),
        image=known.get("image", ""),
    )


def _is_there(value: Any) -> bool:
    return not pd.api.types.is_scalar(value) or not pd.isna(value)


def _year(title: str) -> str:
    found = re.search(YEAR_IN_TITLE, _clean(title))
    return found[1] if found else ""


def _genres(row: dict[Any, Any]) -> tuple[str, ...]:
    if "genres" in row:
        given = row["genres"]
        named = _split(given) if isinstance(given, str) else [str(name) for name in given]
    else:
        flags = [str(name) for name, value in row.items() if value == 1]
        named = [name.removeprefix(GENRE_PREFIX) for name in flags if name.startswith(GENRE_PREFIX)]
    return _clean_genres(named)


def _split(genres: str) -> list[str]:
    """Names of genres in one text, by the separator that it has: | before ; before a comma."""
    separator = next((mark for mark in "|;," if mark in genres), "|")
    return genres[: MOST_GENRES * LONGEST_TEXT].split(separator)


def _clean_genres(names: Sequence[str]) -> tuple[str, ...]:
    cleaned = map(_clean, names[:MOST_GENRES])
    return tuple(name for name in cleaned if name not in NOT_A_GENRE)


def _clean(text: str) -> str:
    """Text on one line, without characters that cannot be seen, cut where nobody reads on.

    What cannot be seen includes all that XML forbids, such as NUL and lone surrogates. A text of
    a megabyte would take seconds to lay out.
    """
    start = text[: 4 * LONGEST_TEXT]  # the rest would be cut whatever it holds
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    return line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + "…"


def _card(film: Film) -> str:
    drawn = poster(film.title, year=film.year, genres=film.genres)
    image = _image(film.image) if film.image else ""
    telling = [*known_genres(film.genres), *film.genres][:MOST_SHOWN]
    named = [f"<span>{escape(name)}</span>" for name in dict.fromkeys(telling)]
    year = f"<b>{escape(film.year)}</b> " if film.year else ""
    facts = (year + ", ".join(named)).strip()
    rank = f"<span>No. {film.rank}</span>" if film.rank else ""
    stars = f'<span role="img" aria-label="rated {film.rating}">★ {film.rating}</span>'
    mark = f'<span class="cf-mark"><span aria-hidden="true">✓ </span>{escape(film.mark)}</span>'
    notes = rank + stars * bool(film.rating) + mark * bool(film.mark)
    return (
        f'<li class="cf-film"><div class="cf-poster">{drawn}{image}</div>'
        + (f'<div class="cf-facts">{facts}</div>' if facts else "")
        + (f'<div class="cf-note">{notes}</div>' if notes else "")
        + "</li>"
    )


def _image(image: str) -> str:
    """An image over the drawn poster; as a background, since one that fails then shows nothing."""
    address = quote(image_source(image), safe=":/?&=%#@!,;~+$*-._")
    return f'<div class="cf-image" style="background-image:url({escape(address)})"></div>'


def _line(film: Film) -> str:
    notes = [f"rated {film.rating}"] * bool(film.rating) + [film.mark] * bool(film.mark)
    return "  " + "; ".join([f"{film.rank}. {film.label()}" if film.rank else film.label(), *notes])
