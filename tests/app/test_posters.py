import re
from html.parser import HTMLParser
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pandas as pd
import pytest

from nbhelpers.app import poster_text
from nbhelpers.app.poster_motifs import ART, INK, REEL, WIDTH, ground
from nbhelpers.app.poster_svg import HEIGHT, MARGIN, PALETTE, poster_svg
from nbhelpers.app.poster_text import fitted
from nbhelpers.app.posters import (
    LONGEST_TEXT,
    MARK_GROUND,
    MARK_INK,
    carousel,
    poster,
    readable_title,
)
from nbhelpers.data.datasets.movielens import ML_100K_FLAGS

SVG = "{http://www.w3.org/2000/svg}"
ITEMS = pd.DataFrame(
    {
        "item_id": [3, 1, 2],
        "title": ["Iron Comet, The (1999)", "Quiet Lake (1950)", "Paper Moths (2001)"],
        "year": pd.array([1999, 1950, None], dtype="Int64"),
        "genre_Comedy": [0, 0, 1],
        "genre_Sci-Fi": [1, 0, 1],
    }
)
FIRST = "#D55E00"  # see test_a_poster_is_the_same_on_every_machine
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


class Page(HTMLParser):
    """All tags with their attributes, whether each is closed, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def attributes(self, tag, name):
        return [attributes[name] for found, attributes in self.tags if found == tag]


def one_row(**columns):
    columns = {"title": ["Quiet Lake (1950)"], **columns}
    return carousel(pd.DataFrame(columns), title="Row")


def svg_texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def luminance(color):
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("written", "readable"),
    [
        ("Shawshank Redemption, The (1994)", "The Shawshank Redemption"),
        (
            "Seventh Seal, The (Sjunde inseglet, Det) (1957)",
            "The Seventh Seal (Det Sjunde inseglet)",
        ),
        ("Star Maker, The (Uomo delle stelle, L') (1995)", "The Star Maker (L'Uomo delle stelle)"),
        ("Land Before Time III (1995) (V)", "Land Before Time III"),
        ("Two Friends (1986) ", "Two Friends"),
        ("Paris, Texas (1984)", "Paris, Texas"),
        ("Murder, My Sweet (1944)", "Murder, My Sweet"),
        ("Queen of the Desert, The", "The Queen of the Desert"),
        ("Girls (2012-2017)", "Girls"),
        ("unknown", "unknown"),
        ("1984 (1984)", "1984"),
        ("(1963)", "(1963)"),
        ("Odd (bracket", "Odd (bracket"),
    ],
)
def test_titles_are_written_as_they_are_read(written, readable):
    assert readable_title(written) == readable


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("color", PALETTE)
def test_text_on_every_poster_has_the_contrast_of_wcag(color):
    assert contrast(INK, ground(color)) >= 4.5


def test_a_mark_has_the_contrast_of_wcag():
    assert contrast(MARK_INK, MARK_GROUND) >= 4.5


@pytest.mark.parametrize("art", [*ART.values(), REEL])
def test_a_picture_stands_out_from_its_background(art):
    assert contrast(art.color, ground(art.color)) >= 3


def test_colors_stay_apart_without_one_kind_of_cone():
    """Dichromat vision after Machado, Oliveira and Fernandes (2009), severity 1."""
    kinds = {
        "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
        "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
        "tritan": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
    }
    colors = {art.color for art in ART.values()} | {REEL.color}
    for matrix in kinds.values():
        seen = {
            color: [
                sum(w * int(color[i : i + 2], 16) for w, i in zip(row, (1, 3, 5), strict=True))
                for row in matrix
            ]
            for color in colors
        }
        for one, other in combinations(colors, 2):
            apart = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
            assert apart > 25, (one, other)


def test_every_genre_of_the_data_has_its_own_picture():
    genres = [name for name in ML_100K_FLAGS if name != "unknown"]
    assert set(genres) == set(ART)
    assert len({poster_svg("Lake", genres=[name]) for name in genres}) == len(genres)
    assert poster_svg("Lake", genres=["Children"]) == poster_svg("Lake", genres=["Children's"])


@pytest.mark.parametrize("genres", [["Polka"], [], ["(no genres listed)"]])
def test_an_unknown_genre_gets_the_reel(genres):
    reel = re.findall(r" d?=?r?x?y?=?\"[^\"{}]*\"", REEL.shapes)
    assert all(part in poster_svg("Lake", genres=genres) for part in reel)


def test_films_of_the_same_genres_look_different():
    titles = [f"Space Film {n}" for n in range(200)]
    assert len({poster_svg("", year=title, genres=["Sci-Fi"]) for title in titles}) == 200
    assert poster_svg("Lake", year="1950") != poster_svg("Lake", year="1951")


def test_a_poster_is_the_same_on_every_machine():
    """Choices come from the words alone; the colors are those of the first poster ever drawn."""
    svg = poster_svg("Quiet Lake", year="1950", genres=["Drama", "War"])
    assert svg == poster_svg("Quiet Lake", year="1950", genres=["Drama", "War"])
    assert re.findall('fill="(#[0-9A-F]{6})"', svg)[0] == ground(FIRST)


@pytest.mark.parametrize("n", range(40))
def test_letters_stand_on_a_plain_ground(n):
    """The last rectangle before the letters covers all of them."""
    root = ElementTree.fromstring(poster(f"Film number {n} of a longer name", genres=["Drama"]))
    shade = list(root.iter(f"{SVG}rect"))[-1]
    top, height = int(shade.get("y")), int(shade.get("height"))
    (letters,) = (group for group in root.iter(f"{SVG}g") if group.get("font-size"))
    size = int(letters.get("font-size"))
    for text in letters:
        assert top <= int(text.get("y")) - size
        assert int(text.get("y")) + size // 4 <= top + height
    assert (shade.get("width"), shade.get("fill")) == (
        str(WIDTH),
        root.find(f"{SVG}rect").get("fill"),
    )


@pytest.mark.parametrize("name", [*ART, "Polka"])
def test_a_poster_is_well_formed_and_draws_only_by_itself(name):
    root = ElementTree.fromstring(poster("Quiet Lake", year="1950", genres=[name, "Drama"]))
    tags = {part.tag.removeprefix(SVG) for part in root.iter()}
    drawn = {"svg", "g", "title", "text", "rect", "circle", "ellipse", "path", "polygon"}
    assert tags <= drawn
    names = {name for part in root.iter() for name in part.attrib}
    assert not {name for name in names if "href" in name or name in ("id", "style")}
    assert "{" not in ElementTree.tostring(root, encoding="unicode")


def test_a_poster_says_its_words_to_a_screen_reader():
    root = ElementTree.fromstring(poster("Quiet Lake", year="1950", genres=["Drama", "War"]))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Poster: Quiet Lake (1950), Drama, War"
    assert root.find(f"{SVG}title").text == "Quiet Lake (1950), Drama, War"


def test_a_poster_shows_the_title():
    svg = poster("Quiet Lake", year="1950", genres=["Drama", "War"])
    assert " ".join(svg_texts(svg)) == "Quiet Lake"


def test_a_card_shows_year_and_the_genres_that_tell_most():
    genres = "Comedy|Drama|Thriller|Western|Film-Noir"
    page = Page(one_row(year=[1950], genres=[genres]).html)
    start = page.texts.index("1950")
    assert "".join(page.texts[start : start + 7]) == "1950 Film-Noir, Western, Thriller"
    assert page.attributes("svg", "aria-label") == [
        "Poster: Quiet Lake (1950), Comedy, Drama, Thriller, Western, Film-Noir"
    ]


def test_a_genre_without_a_motif_is_shown_too():
    assert "Polka" in Page(one_row(genres=["Polka"]).html).texts


def test_a_film_without_year_and_genres_has_a_poster():
    assert " ".join(svg_texts(poster("Quiet Lake"))) == "Quiet Lake"


@pytest.mark.parametrize(
    "title",
    [
        "Don't Be a Menace to South Central While Drinking Your Juice in the Hood",
        "The Old Lady Who Walked in the Sea (La Vieille qui marchait dans la mer)",
        "W" * 400,
        "word " * 100,
        "漢" * 60,
        "Supercalifragilisticexpialidocious",
    ],
)
def test_long_text_stays_within_the_poster(title):
    root = ElementTree.fromstring(poster(title[:LONGEST_TEXT], genres=list(ART)[:6]))
    (letters,) = (group for group in root.iter(f"{SVG}g") if group.get("font-size"))
    size, feet = int(letters.get("font-size")), [int(text.get("y")) for text in letters]
    assert feet[-1] + size // 4 <= HEIGHT
    assert feet[0] - size >= 0
    for text in letters:
        assert poster_text._width(text.text) * size <= WIDTH - 2 * MARGIN
    assert all(below - above >= size + 2 for above, below in pairwise(feet))


def test_long_titles_lose_no_word():
    title = "Don't Be a Menace to South Central While Drinking Your Juice in the Hood"
    assert " ".join(svg_texts(poster(title))) == title


def test_what_cannot_fit_ends_with_dots():
    size, lines = fitted("one two three four", sizes=[(20, 1), (10, 2)], width=40)
    assert size == 10
    assert len(lines) == 2
    assert lines[-1].endswith("…")


def test_empty_text_has_no_lines():
    assert fitted("", sizes=[(12, 2)], width=100) == (12, [])


def test_markup_in_any_column_is_shown_and_not_run():
    films = pd.DataFrame(
        {"title": [ATTACK], "year": [ATTACK], "genres": [ATTACK], "mark": [ATTACK], "rating": [4]}
    )
    html = carousel(films, title=ATTACK).html
    page, harmless = Page(html), Page(one_row(genres="Polka", mark="seen", rating=4).html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in harmless.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert names == {name for _, attributes in harmless.tags for name in attributes}
    assert page.attributes("section", "aria-label") == [ATTACK]
    assert "".join(page.texts).count(ATTACK) >= 2  # heading and mark, in full


def test_control_characters_are_left_out():
    shown = one_row(title=["Quiet\x00\u202e\n Lake (1950)"]).text
    assert shown.splitlines()[1] == "  Quiet Lake (1950)"


def test_the_page_is_sound_and_fetches_nothing():
    html = carousel(ITEMS, title="Row").html
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "a"})
    assert "url(" not in html
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\"' ]+", html)) == {"http://www.w3.org/2000/svg"}


def test_a_row_can_be_scrolled_by_keyboard_and_has_a_name():
    page = Page(carousel(ITEMS, title="Liked").html)
    assert page.attributes("ul", "tabindex") == ["0"]
    assert page.attributes("ul", "aria-label") == ["Liked, 3 films"]
    assert page.attributes("section", "aria-label") == ["Liked"]


def test_films_stand_in_the_order_of_the_frame():
    assert carousel(ITEMS, title="Row").text.splitlines() == [
        "Row (3 films)",
        "  The Iron Comet (1999), Sci-Fi",
        "  Quiet Lake (1950)",
        "  Paper Moths (2001), Comedy, Sci-Fi",
    ]


def test_metadata_is_matched_by_id():
    films = pd.DataFrame({"rank": [1, 2], "item_id": [2, 3], "mark": ["rated 5 later", None]})
    assert carousel(films, title="Row", items=ITEMS).text.splitlines() == [
        "Row (2 films)",
        "  1. Paper Moths (2001), Comedy, Sci-Fi; rated 5 later",
        "  2. The Iron Comet (1999), Sci-Fi",
    ]


def test_what_the_frame_says_itself_comes_before_items():
    films = pd.DataFrame({"item_id": [2], "title": ["Other (1970)"], "year": [1971]}, index=[7])
    shown = carousel(films, title="Row", items=ITEMS).text
    assert shown.splitlines()[1] == "  Other (1971), Comedy, Sci-Fi"


def test_frames_are_not_changed():
    films = pd.DataFrame({"item_id": [2, 3]})
    before, items_before = films.copy(), ITEMS.copy()
    carousel(films, title="Row", items=ITEMS)
    pd.testing.assert_frame_equal(films, before)
    pd.testing.assert_frame_equal(ITEMS, items_before)


@pytest.mark.parametrize("rating", [4, 4.0, 4.5])
def test_ratings_and_ranks_are_shown_without_needless_zeros(rating):
    page = Page(one_row(rating=[rating], rank=[1.0]).html)
    assert f"★ {rating:g}" in page.texts
    assert "No. 1" in page.texts
    assert f"rated {rating:g}" in [attributes.get("aria-label") for _, attributes in page.tags]


def test_a_mark_is_a_sign_and_words_and_not_only_a_color():
    page = Page(one_row(mark=["rated 5 later"]).html)
    assert page.texts[page.texts.index("✓ ") + 1] == "rated 5 later"


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_missing_values_leave_no_trace(missing):
    bare = carousel(pd.DataFrame({"title": ["Lake"]}), title="Row")
    columns = {name: [missing] for name in ("year", "genres", "rank", "rating", "mark")}
    assert one_row(title=["Lake"], **columns) == bare


def test_genres_come_as_text_list_or_flags():
    texts = [
        one_row(genres=["Drama|War"]).text,
        one_row(genres=[["Drama", "War"]]).text,
        one_row(genre_Drama=[1], genre_War=[True], genre_Comedy=[0]).text,
    ]
    assert set(texts) == {"Row (1 film)\n  Quiet Lake (1950), Drama, War"}


@pytest.mark.parametrize("nobody_said", ["(no genres listed)", "unknown", ""])
def test_a_film_whose_genres_nobody_said_shows_none(nobody_said):
    assert one_row(genres=[nobody_said]) == one_row()


def test_two_rows_make_one_page_with_one_style():
    both = one_row() + carousel(ITEMS, title="Second")
    assert both.html.count("<style>") == 1
    assert Page(both.html).attributes("section", "aria-label") == ["Row", "Second"]
    assert both._repr_html_() == both.html
    assert repr(both).startswith("Row (1 film)\n  Quiet Lake (1950)\n\nSecond (3 films)")


def test_the_same_films_give_the_same_page():
    assert carousel(ITEMS, title="Row") == carousel(ITEMS.copy(), title="Row")


def test_an_empty_row_is_refused_by_its_title():
    with pytest.raises(ValueError, match="the row 'Liked' needs at least one film, got none"):
        carousel(ITEMS.head(0), title="Liked")


def test_a_film_twice_in_a_row_is_refused():
    with pytest.raises(ValueError, match="item 3 stands twice"):
        carousel(pd.concat([ITEMS, ITEMS.head(1)]), title="Row")


def test_an_item_with_two_descriptions_is_refused():
    with pytest.raises(ValueError, match="item 3 stands twice in items"):
        carousel(pd.DataFrame({"item_id": [1]}), title="R", items=pd.concat([ITEMS, ITEMS.head(1)]))


def test_films_of_the_same_title_are_two_films():
    films = pd.DataFrame({"item_id": [1, 2], "title": ["Lake (1950)"] * 2})
    assert carousel(films, title="Row").text.count("Lake (1950)") == 2


def test_a_film_that_items_do_not_know_is_named():
    with pytest.raises(KeyError, match=r"1 films have no row in items, e.g. 9"):
        carousel(pd.DataFrame({"item_id": [1, 9]}), title="Row", items=ITEMS)


@pytest.mark.parametrize("title", [None, float("nan"), 7, " "])
def test_a_film_without_a_title_is_refused(title):
    with pytest.raises(ValueError, match="every film needs a title in text"):
        carousel(pd.DataFrame({"title": [title]}, dtype=object), title="Row")


def test_a_frame_without_titles_asks_for_items():
    with pytest.raises(ValueError, match=r"column 'title' is required, got .*: pass items"):
        carousel(pd.DataFrame({"item_id": [1]}), title="Row")


FORBIDDEN = ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"]  # by XML 1.0, section 2.2


@pytest.mark.parametrize("letter", FORBIDDEN, ids=[f"U+{ord(letter):04X}" for letter in FORBIDDEN])
def test_a_poster_is_well_formed_with_what_xml_forbids_in_any_word(letter):
    word = f"one{letter}two"
    svg = poster(word, year=word, genres=[word, "Drama"])
    assert " ".join(svg_texts(svg)) == "one two"
    assert (
        ElementTree.fromstring(svg).get("aria-label") == "Poster: one two (one two), one two, Drama"
    )


@pytest.mark.parametrize("letters", ["x", "x ", " ", "(", "é\x00", "漢"])
def test_a_text_of_a_megabyte_is_cut_before_it_is_laid_out(letters, monkeypatch):
    measured = []
    width = poster_text._letter_width
    monkeypatch.setattr(
        poster_text, "_letter_width", lambda letter: measured.append(letter) or width(letter)
    )
    long = "A" + letters * (2**20 // len(letters))
    films = pd.DataFrame({"title": [long], "year": [long], "genres": ["|".join([long] * 3)]})
    shown = carousel(films.assign(mark=long), title=long)
    assert len(shown.html) < 20_000
    assert len(shown.text) < 5_000
    assert len(measured) < 200_000, "work that does not grow with the text"


def test_a_film_of_a_thousand_genres_names_the_first():
    names = [f"genre {n}" for n in range(1_000)]
    shown = one_row(genres=[names]).text
    assert "genre 0, genre 1" in shown
    assert "genre 99" not in shown


@pytest.mark.parametrize(
    "written", ["Drama|War", " Drama | War ", "Drama, War", "Drama,War", "Drama; War"]
)
def test_genres_of_other_data_are_told_apart_and_trimmed(written):
    assert one_row(genres=[written]).text.endswith("  Quiet Lake (1950), Drama, War")


def test_a_comma_within_a_genre_stays_where_another_separator_is():
    assert one_row(genres=["Film, TV|War"]).text.endswith(", Film, TV, War")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Quiet Lake (1950) (V)", "Quiet Lake (1950)"),
        ("Quiet Lake (1950)(TV)", "Quiet Lake (1950)"),
        ("Quiet Lake (1950) (V) ", "Quiet Lake (1950)"),
        ("Quiet Lake (V) (1950)", "Quiet Lake (V) (1950)"),
        ("Quiet Lake (1950-1952)", "Quiet Lake (1950)"),
        ("Quiet Lake (1950)\x00", "Quiet Lake (1950)"),
    ],
)
def test_the_year_is_found_before_a_note_on_the_format(title, shown):
    assert one_row(title=[title]).text.splitlines()[1] == f"  {shown}"


def test_dollars_in_a_title_are_no_formula():
    page = Page(one_row(title=["Ba$$in (2010)"]).html)
    assert "Ba$$in" in page.texts
    classes = page.attributes("section", "class")[0].split()
    assert {"tex2jax_ignore", "mathjax_ignore"} <= set(classes)


IMAGES = {3: "https://example.org/3.jpg?a=1&b=2"}


def shown_images(page):
    styles = [attributes.get("style", "") for tag, attributes in page.tags if tag == "div"]
    return [style for style in styles if style]


def test_without_images_a_page_asks_for_nothing():
    assert shown_images(Page(carousel(ITEMS, title="Row").html)) == []


def test_an_image_of_ones_own_covers_the_drawn_poster():
    page = Page(carousel(ITEMS, title="Row", images=IMAGES).html)
    assert shown_images(page) == [f"background-image:url({IMAGES[3]})"]
    assert len(page.attributes("svg", "role")) == 3


@pytest.mark.parametrize("kind", [dict, pd.Series])
def test_image_files_become_part_of_the_page(tmp_path, kind):
    file = tmp_path / "a.png"
    file.write_bytes(b"\x89PNG\r\n")
    page = Page(carousel(ITEMS, title="Row", images=kind({1: file, 99: file})).html)
    assert shown_images(page) == ["background-image:url(data:image/png;base64,iVBORw0K)"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("javascript:alert(1)", "a web address or a file that exists, got 'javascript:alert"),
        ("no_such_file.png", "a web address or a file that exists, got 'no_such_file.png'"),
        ("data:text/html,x", "a web address or a file"),
    ],
)
def test_other_images_are_refused(image, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        carousel(ITEMS, title="Row", images={3: image})


def test_files_that_are_no_images_or_too_large_are_refused(tmp_path):
    text, large = tmp_path / "a.png", tmp_path / "b.png"
    text.write_text("<script>")
    large.write_bytes(b"\x89PNG" * 200_000)
    with pytest.raises(ValueError, match="is no PNG, JPEG, GIF or WebP"):
        carousel(ITEMS, title="Row", images={3: text})
    with pytest.raises(ValueError, match="has 800,000 bytes: at most 500,000"):
        carousel(ITEMS, title="Row", images={3: large})


def test_images_need_ids_and_one_row_an_item():
    with pytest.raises(ValueError, match="images are matched by item_id, got columns"):
        carousel(pd.DataFrame({"title": ["Lake"]}), title="Row", images=IMAGES)
    twice = pd.Series(["https://a.org", "https://b.org"], index=[3, 3])
    with pytest.raises(ValueError, match="item 3 stands twice in images"):
        carousel(ITEMS, title="Row", images=twice)


def test_an_address_cannot_leave_its_place():
    images = {3: "https://example.org/\"'><script>);color:red;x:url(a b"}
    page = Page(carousel(ITEMS, title="Row", images=images).html)
    (style,) = shown_images(page)
    assert re.fullmatch(r"background-image:url\([^()\s\"']*\)", style)
    assert "script" not in {tag for tag, _ in page.tags}
