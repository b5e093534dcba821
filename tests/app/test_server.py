import html
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.service_cases import make_service

testclient = pytest.importorskip("starlette.testclient")
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
