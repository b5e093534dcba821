"""The app as people meet it: a real browser, with the server and with the page by itself."""

import csv
import io
import socket
import threading
import time

import numpy as np
import pytest
import torch

from nbhelpers.app.catalog import Catalog
from nbhelpers.app.export_html import export_html
from nbhelpers.app.service import Service
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import IALS
from tests.app.service_cases import ATTACK, FORMULA, checkerboard, make_service

uvicorn = pytest.importorskip("uvicorn")
from nbhelpers.app.server import HOST, web_app  # noqa: E402

WIDTHS = [390, 760, 1280]


@pytest.fixture(scope="module")
def service():
    return make_service()


@pytest.fixture(scope="module")
def address(service):
    door = socket.socket()
    door.bind((HOST, 0))
    server = uvicorn.Server(uvicorn.Config(web_app(service), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://{HOST}:{door.getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def file(service, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "app.html"
    export_html(service, path)
    return path.as_uri()


@pytest.fixture(params=["server", "file"])
def where(request, address, file):
    return address if request.param == "server" else file


@pytest.fixture
def visit(browser):
    contexts = []

    def visited(where, *, width=1000, dark=False):
        theme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.asked, page.problems = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("dialog", lambda dialog: page.problems.append(dialog.message))
        page.goto(where)
        page.wait_for_selector("body[data-ready]")
        return page

    yield visited
    for context in contexts:
        context.close()


def titles(page, where="#lists"):
    return page.locator(f"{where} .card > b").all_inner_texts()


def like(page, text):
    before = titles(page)
    page.locator("#search").fill(text)
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "old => [...document.querySelectorAll('#lists .card > b')]"
        ".map(b => b.innerText).join() !== old",
        arg=",".join(before),
    )


def test_a_like_by_keyboard_gives_the_list_of_the_service(visit, where, service):
    page = visit(where)
    like(page, "Film 3")
    (item,) = service.catalog.search("Film 3", k=1)
    expected = service.list_for([item])["items"]
    assert titles(page) == [f"{card['rank']}. {card['title']}" for card in expected]
    shown = page.locator("#lists .because").all_inner_texts()
    assert shown == [f"because you liked {card['because'][0]}" for card in expected]
    assert page.problems == []


def test_no_request_leaves_the_machine(visit, where):
    page = visit(where)
    like(page, "Film 3")
    own = where.rsplit("/", 1)[0]
    assert [url for url in page.asked if not url.startswith((own, "data:", "blob:"))] == []


def test_titles_are_text_and_nothing_in_them_runs(visit, where):
    page = visit(where)
    like(page, "onerror")
    assert ATTACK in page.locator("#chosen").inner_text()
    assert page.locator("#chosen img, #lists b img").count() == 0
    assert page.problems == []


def test_seen_it_takes_an_item_off_the_list(visit, where):
    page = visit(where)
    like(page, "Film 3")
    first = titles(page)[0]
    page.locator("#lists .card").first.get_by_role("button", name="seen it").click()
    page.wait_for_function(f"() => !document.querySelector('#lists').innerText.includes({first!r})")
    assert "(seen it)" in page.locator("#chosen").inner_text()


def test_similar_items_are_shown_and_get_the_focus(visit, where, service):
    page = visit(where)
    like(page, "Film 3")
    page.locator("#lists .card").first.get_by_role("button", name="similar").click()
    page.wait_for_selector("#similar:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "similar-head"
    assert len(titles(page, "#similar-cards")) == 10


def test_the_dial_changes_the_list_and_says_its_price(visit, where, service):
    page = visit(where)
    like(page, "Film 3")
    before = titles(page)
    page.locator("#dial").fill("1")
    page.wait_for_function(
        "old => [...document.querySelectorAll('#lists .card > b')]"
        ".map(b => b.innerText).join() !== old",
        arg=",".join(before),
    )
    (item,) = service.catalog.search("Film 3", k=1)
    expected = service.list_for([item], strength=1.0)["items"]
    assert titles(page) == [f"{card['rank']}. {card['title']}" for card in expected]
    assert "80 % of its accuracy" in page.locator("#price").inner_text()


def test_genres_and_groups_shape_the_first_list(visit, where, service):
    page = visit(where)
    page.get_by_label("Comedy").check()
    page.locator("#group").select_option("odd people")
    expected = service.list_for([], genres=["Comedy"], group="odd people")["items"]
    page.wait_for_function(
        "() => document.querySelector('#lists h3').innerText.includes('odd people')"
    )
    assert titles(page) == [f"{card['rank']}. {card['title']}" for card in expected]
    like(page, "Film 3")
    assert page.locator("#first").is_hidden()


def test_the_download_is_the_list_with_formulas_made_text(visit, where):
    page = visit(where)
    like(page, "HYPERLINK")
    page.locator("#chosen li").first.get_by_role("button", name="seen it").click()
    page.locator("#chosen li").first.get_by_role("button", name="Remove").click()
    like(page, "Film 6")
    with page.expect_download() as waiting:
        page.locator("#download").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, 11)]
    listed = [title.split(". ", 1)[1] for title in titles(page)]
    assert [row["title"].removeprefix("'") for row in rows] == listed
    formulas = [row["title"] for row in rows if FORMULA in row["title"]]
    assert all(title.startswith("'=") for title in formulas)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_serious_and_the_page_does_not_scroll_sideways(visit, where, width, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(where, width=width, dark=dark)
    like(page, "Film 3")
    page.locator("#search").fill("Film")
    page.wait_for_selector("[role=option]")
    found = axe.run(page).response["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_two_models_stand_beside_each_other(visit, address, service):
    page = visit(address)
    like(page, "Film 3")
    page.locator("#second").select_option("EASE")
    page.wait_for_function("() => document.querySelectorAll('#lists ol').length === 2")
    (item,) = service.catalog.search("Film 3", k=1)
    for place, name in enumerate(["iALS", "EASE"]):
        shown = page.locator("#lists ol").nth(place).locator("b").all_inner_texts()
        expected = service.list_for([item], model=name)["items"]
        assert shown == [f"{card['rank']}. {card['title']}" for card in expected]


def test_a_person_of_the_log_shows_history_and_list(visit, address, service):
    page = visit(address)
    page.locator("#person").fill("person-3")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector("#history:not([hidden])")
    history = service.history_of("person-3")["items"]
    assert titles(page, "#history-cards") == [card["title"] for card in history]
    expected = service.list_for([card["item"] for card in history])["items"]
    page.wait_for_function("() => document.querySelector('#lists h3').innerText.includes('likes')")
    assert titles(page) == [f"{card['rank']}. {card['title']}" for card in expected]
    page.locator("#person").fill("nobody")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector("#status.error")
    assert "nobody has the id" in page.locator("#status").inner_text()


def test_a_long_history_shows_the_rest_when_asked(visit, address, service):
    page = visit(address)
    (card, *_) = service.history_of("person-3")["items"]
    cards = [{**card, "item": item, "title": f"Film {item}"} for item in range(30)]
    answer = {"person": "person-3", "items": cards, "had": []}
    page.route("**/api/history", lambda route: route.fulfill(json=answer))
    page.locator("#person").fill("person-3")
    page.get_by_role("button", name="Show", exact=True).click()
    more = page.get_by_role("button", name="Show 6 more")
    more.wait_for()
    assert titles(page, "#history-cards") == [f"Film {item}" for item in range(24)]
    more.click()
    assert titles(page, "#history-cards") == [f"Film {item}" for item in range(30)]
    assert more.count() == 0
    assert page.evaluate("document.activeElement.id") == "history-head"


def test_a_turn_of_the_dial_asks_for_one_list(visit, address):
    page = visit(address)
    like(page, "Film 3")
    asked = []
    page.on("request", lambda request: asked.append(request.url.endswith("/api/list")))
    with page.expect_response("**/api/list"):
        page.evaluate(
            "for (const step of [0.2, 0.4, 0.6]) {"
            " $('dial').value = step; $('dial').dispatchEvent(new Event('input')); }"
        )
    page.wait_for_load_state("networkidle")
    assert sum(asked) == 1


def test_the_page_by_itself_gives_the_top_ten_of_python(visit, file, service):
    page = visit(file)
    rng = np.random.default_rng(0)
    questions = [rng.choice(30, rng.integers(1, 6), replace=False).tolist() for _ in range(50)]
    same = 0
    for liked in questions:
        asked = {"liked": liked, "seen": [], "strength": 0, "genres": [], "group": ""}
        shown = page.evaluate("question => engine.list(question)", asked)["items"]
        expected = service.list_for(liked)["items"]
        same += [card["item"] for card in shown] == [card["item"] for card in expected]
        # Half precision has eleven bits: only scores that are nearly equal may change places.
        scores = [[card["score"] for card in cards] for cards in (shown, expected)]
        np.testing.assert_allclose(*scores, atol=2e-3)
    assert same >= 40


def test_the_keyboard_alone_leads_from_the_start_to_the_download(visit, where):
    page = visit(where)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("Film 3")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#lists .because")
    met = []
    while "download" not in met:
        page.keyboard.press("Tab")
        met.append(page.evaluate("document.activeElement.id"))
        assert len(met) < 12
    places = [met.index(name) for name in ("start-over", "dial", "download")]
    assert places == sorted(places)
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "list.csv"


def test_the_focus_stays_where_a_button_was_drawn_anew(visit, where):
    page = visit(where)
    like(page, "Film 3")
    second = page.locator("#lists .card").nth(1)
    name = second.locator("b").inner_text()
    second.get_by_role("button", name="seen it").press("Enter")
    page.wait_for_function(f"() => !document.querySelector('#lists').innerText.includes({name!r})")
    focused = "document.activeElement.closest('.card') === document.querySelectorAll('.card')[1]"
    assert page.evaluate(focused)
    assert page.evaluate("document.activeElement.innerText") == "seen it"
    page.locator("#chosen li").last.get_by_role("button", name="Remove").press("Enter")
    assert page.evaluate("document.activeElement.closest('#chosen') !== null")
    page.locator("#start-over").press("Enter")
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.locator("#choices").is_hidden()


def test_a_new_list_is_announced_once_whatever_was_clicked_meanwhile(visit, where):
    page = visit(where)
    page.evaluate(
        """() => { window.said = []; new MutationObserver(() =>
        said.push(document.querySelector('#status').textContent)).observe(
        document.querySelector('#status'), { childList: true, subtree: true }); }"""
    )
    like(page, "Film 3")
    assert len(page.evaluate("said")) == 1
    page.evaluate(
        "document.querySelectorAll('#lists .card button').forEach((b, k) => k < 6 && b.click())"
    )
    page.wait_for_selector("#lists[aria-busy=false]")
    assert len(page.evaluate("said")) == 2
    assert page.problems == []


def test_a_search_that_finds_nothing_says_so(visit, where):
    page = visit(where)
    page.locator("#search").fill("zzz")
    page.wait_for_function("() => document.querySelector('#search-note').innerText !== ''")
    assert page.locator("#search-note").inner_text() == "No film has “zzz” in its title."
    assert page.locator("#found").is_hidden()


def test_likes_of_similar_items_are_pressed_and_taken_back(visit, where):
    page = visit(where)
    like(page, "Film 3")
    page.locator("#lists .card").first.get_by_role("button", name="similar").click()
    page.wait_for_selector("#similar:not([hidden])")
    button = page.locator("#similar-cards button").first
    pressed = button.get_attribute("aria-pressed")
    button.click()
    assert button.get_attribute("aria-pressed") != pressed
    button.click()
    assert button.get_attribute("aria-pressed") == pressed


def test_a_server_that_is_gone_is_said_and_the_list_stays(visit, address):
    page = visit(address)
    like(page, "Film 3")
    before = titles(page)
    page.context.set_offline(True)
    page.locator("#dial").fill("1")
    page.wait_for_selector("#status.error")
    assert "does not answer" in page.locator("#status").inner_text()
    page.locator("#search").fill("Film")
    page.wait_for_function("() => document.querySelector('#search-note').innerText !== ''")
    assert "does not answer" in page.locator("#search-note").inner_text()
    assert titles(page) == before
    page.context.set_offline(False)
    page.locator("#dial").fill("0.6")
    page.wait_for_selector("#status:not(.error)", state="attached")


def test_a_server_that_fails_without_json_is_said(visit, address):
    page = visit(address)
    page.route("**/api/list", lambda route: route.fulfill(status=500, body="Internal Server Error"))
    like_nothing = page.locator("#group")
    like_nothing.select_option("odd people")
    page.wait_for_selector("#status.error")
    assert "could not answer" in page.locator("#status").inner_text()


def test_the_page_by_itself_names_likes_that_the_model_does_not_know(visit, tmp_path):
    log = checkerboard()
    known = log[log["item_id"] != 129]  # the last item is in nobody's history
    users, items = Vocabulary(log["user_id"]), Vocabulary(np.arange(100, 130))
    train = Interactions.from_frame(known, users=users, items=items)
    model = IALS(2, reg=0.01, generator=torch.Generator().manual_seed(0)).fit(train)
    service = Service(Catalog(items, train.item_counts), {"iALS": model})
    export_html(service, tmp_path / "app.html")
    page = visit((tmp_path / "app.html").as_uri())
    assert page.problems == []
    assert page.locator("#first").is_hidden()  # without genres and groups
    for liked in ([29], [29, 3]):
        asked = {"liked": liked, "seen": [], "strength": 0, "genres": [], "group": ""}
        shown = page.evaluate("question => engine.list(question)", asked)
        expected = service.list_for(liked)
        for part in ("basis", "unknown"):
            assert shown[part] == expected[part]
        assert expected["unknown"] == ["129"]
        assert [card["item"] for card in shown["items"]] == [
            card["item"] for card in expected["items"]
        ]
    like(page, "3")
    page.evaluate("choose({item: 29, title: '129', year: '', genres: []}, 'liked')")
    page.wait_for_selector("#lists .soft")
    assert page.locator("#lists .soft").inner_text() == (
        "Too few people chose 129 for the model to know it."
    )
