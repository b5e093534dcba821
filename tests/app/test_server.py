import html
import ipaddress
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.service_cases import ATTACK, FORMULA, make_service

testclient = pytest.importorskip("starlette.testclient")
from nbhelpers.app import server  # noqa: E402
from nbhelpers.app.catalog import Facts  # noqa: E402
from nbhelpers.app.server import HOST, LARGEST_REQUEST, web_app  # noqa: E402


@pytest.fixture(scope="module")
def service():
    return make_service()


@pytest.fixture(scope="module")
def client(service):
    return testclient.TestClient(web_app(service), base_url=f"http://{HOST}:8000")


def test_the_page_shows_title_and_about_as_text(client):
    page = client.get("/")
    assert page.status_code == 200
    assert html.escape("Which <film> next?") in page.text
    assert "<film>" not in page.text
    assert "{{" not in page.text


def test_the_page_names_no_other_host(client):
    page = client.get("/").text
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src &#x27;none&#x27;" in page


def test_answers_are_those_of_the_service(client, service):
    question = {"liked": [1, 3], "seen": [5], "strength": 0.4, "model": "EASE"}
    expected = service.list_for([1, 3], seen=[5], strength=0.4, model="EASE")
    assert client.post("/api/list", json=question).json() == expected
    assert client.get("/api/describe").json() == service.describe()
    assert client.get("/api/search", params={"text": "film 1"}).json() == service.search("film 1")
    assert client.post("/api/similar", json={"item": 2}).json() == service.similar_to(2)
    assert client.post("/api/history", json={"person": "person-3"}).json() == service.history_of(
        "person-3"
    )


def test_a_poster_is_an_image_of_its_own(client):
    picture = client.get("/api/poster/2.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    assert "<img" not in picture.text
    assert client.get("/api/poster/999.svg").status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "Expecting"),
        (b"[]", "an object with the field 'liked'"),
        (b'{"seen": []}', "an object with the field 'liked'"),
        (b'{"liked": [1], "colour": 1}', "colour"),
        (b'{"liked": 7}', "not iterable"),
        (b'{"liked": [1e9]}', "asked for by number"),
        (b'{"liked": ' + b" " * LARGEST_REQUEST + b"[]}", "100,000 bytes"),
    ],
)
def test_a_bad_question_gets_a_message_and_no_traceback(client, body, said):
    answer = client.post("/api/list", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_a_page_of_another_name_is_refused(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_forty_people_at_once_get_what_each_gets_alone(client, service):
    wanted = [service.list_for([person % 30, (person + 2) % 30]) for person in range(40)]

    def ask(person):
        liked = [person % 30, (person + 2) % 30]
        return client.post("/api/list", json={"liked": liked}).json()

    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(ask, range(40))) == wanted


def test_the_server_listens_on_loopback_and_nowhere_else(service, monkeypatch, capsys):
    doors = []
    monkeypatch.setattr(server.uvicorn.Server, "run", lambda self, sockets: doors.extend(sockets))
    server.serve(service)
    (door,) = doors
    address, port = door.getsockname()
    door.close()
    assert ipaddress.ip_address(address).is_loopback
    assert f"http://127.0.0.1:{port}/ (Ctrl-C stops it)" in capsys.readouterr().out


@pytest.mark.parametrize(("item", "title"), [(2, ATTACK), (4, FORMULA)])
def test_a_stored_title_that_attacks_is_text_in_its_poster(client, item, title):
    picture = ET.fromstring(client.get(f"/api/poster/{item}.svg").text)
    names = {element.tag.rsplit("}")[-1] for element in picture.iter()}
    assert not names & {"img", "script", "foreignObject", "a", "image", "use"}
    assert not any(name.startswith("on") for part in picture.iter() for name in part.attrib)
    assert picture.find("{http://www.w3.org/2000/svg}title").text.startswith(title)


def test_an_item_without_genres_and_year_and_with_an_endless_title_has_a_poster():
    bare = make_service()
    long = "Saga " * 2000
    bare.catalog.facts = (Facts(long, "", ()), *bare.catalog.facts[1:])
    client = testclient.TestClient(web_app(bare), base_url=f"http://{HOST}:8000")
    picture = client.get("/api/poster/0.svg")
    assert picture.status_code == 200
    assert len(picture.text) < 20_000
    ET.fromstring(picture.text)
