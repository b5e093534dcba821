"""Rows of posters as a browser draws them."""

import io
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nbhelpers.app.posters import carousel, poster

TITLES = ["Iron Comet", "The Last Orbit", "Moon of Glass", "Signal", "Beyond Vega", "Cold Station"]
TITLES += ["A Planet for Two", "Rocket Summer", "The Long Silence of the Outer Worlds", "Zero G"]
SPACE = pd.DataFrame({"title": TITLES, "year": range(1980, 1990), "genres": "Sci-Fi|Adventure"})
MARKED = SPACE.assign(rank=range(1, 11), mark="rated 5 later", rating=4.5)


def cards(page):
    return page.locator("li.cf-film").evaluate_all(
        "cards => cards.map(c => {const b = c.getBoundingClientRect(); return [b.left, b.right]})"
    )


@pytest.mark.parametrize("width", [700, 760, 900, 1200])
def test_five_or_six_cards_are_in_view(open_page, width):
    page = open_page(carousel(MARKED, title="For you").html, width=width)
    whole = sum(right <= width for _, right in cards(page))
    assert whole in (5, 6)
    assert len(cards(page)) == 10


def test_on_a_phone_three_cards_are_in_view_and_the_page_does_not_scroll_sideways(open_page):
    page = open_page(carousel(MARKED, title="For you").html, width=390)
    assert 2 <= sum(right <= 390 for _, right in cards(page)) <= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_rest_is_a_scroll_away(open_page):
    page = open_page(carousel(MARKED, title="For you").html, width=390)
    row = page.locator("ul.cf-films")
    row.focus()
    assert row.evaluate("e => e.matches(':focus')")
    row.evaluate("e => e.scrollTo(e.scrollWidth, 0)")
    page.wait_for_timeout(100)
    assert cards(page)[-1][1] <= 390


@pytest.mark.parametrize("width", [390, 760])
@pytest.mark.parametrize("dark", [False, True])
def test_text_is_large_enough_and_stays_in_its_card(open_page, width, dark):
    page = open_page(carousel(MARKED, title="For you").html, width=width, dark=dark)
    facts = page.locator(".cf-facts, .cf-note > span")
    sizes = facts.evaluate_all("all => all.map(e => parseFloat(getComputedStyle(e).fontSize))")
    assert min(sizes) >= 13
    titles = page.locator(".cf-poster text").evaluate_all(
        "all => all.map(e => {const t = e.getBoundingClientRect(),"
        " p = e.closest('.cf-poster').getBoundingClientRect();"
        " return [t.left - p.left, p.right - t.right, t.top - p.top, p.bottom - t.bottom]})"
    )
    assert min(map(min, titles)) >= 0
    heights = page.locator(".cf-poster text").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) >= 9


def test_a_note_follows_the_ink_of_a_dark_page(open_page):
    page = open_page(carousel(MARKED, title="For you").html, dark=True)
    ink = page.locator(".cf-facts").first.evaluate("e => getComputedStyle(e).color")
    assert ink == "rgb(221, 221, 221)"


def pixels(locator):
    """A small copy of what is seen, as numbers from 0 to 255."""
    image = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    return np.asarray(image.resize((44, 64)), dtype=float)


def test_films_of_the_same_genres_look_different_without_a_letter(open_page):
    """Mean difference of a color over the picture; a mirrored copy alone would come to 10 or so."""
    drawn = [poster(title, genres=["Sci-Fi", "Adventure"]) for title in [*TITLES[:6], TITLES[0]]]
    page = open_page("".join(f'<div style="width:150px">{svg}</div>' for svg in drawn), width=200)
    page.locator("svg text").evaluate_all("all => all.forEach(e => e.remove())")
    pictures = [pixels(svg) for svg in page.locator("svg").all()]
    assert np.abs(pictures.pop() - pictures[0]).mean() < 1
    apart = [np.abs(one - other).mean() for one, other in combinations(pictures, 2)]
    assert min(apart) > 12


def test_nothing_is_asked_for_without_images(open_page):
    page = open_page(carousel(MARKED, title="For you").html)
    assert [url for url in page.asked if not url.startswith("about:")] == []


def test_an_image_that_does_not_load_leaves_the_drawn_poster(open_page):
    films = SPACE.assign(item_id=range(10))
    images = {0: "http://127.0.0.1:9/none.jpg"}
    page = open_page(carousel(films, title="For you", images=images).html)
    assert page.asked == ["http://127.0.0.1:9/none.jpg"]
    first = page.locator(".cf-poster").first
    assert first.locator("svg").is_visible()
    bare = open_page(carousel(films, title="For you").html).locator(".cf-poster").first
    assert np.abs(pixels(first) - pixels(bare)).mean() < 1
