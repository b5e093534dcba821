import pytest

from tests.app.service_cases import FORMULA, make_service

pytest.importorskip("ipywidgets")
from nbhelpers.app.fold_in_widget import FoldInWidget


@pytest.fixture
def widget():
    return FoldInWidget(make_service(), liked=[101])


def listed(widget):
    return widget.box.children[2].value


def test_the_row_is_the_list_of_the_service(widget):
    titles = [card["title"] for card in widget.service.list_for([1])["items"]]
    places = [listed(widget).index(f"Poster: {title}") for title in titles if "Film" in title]
    assert places == sorted(places)


def test_choosing_a_title_likes_it_and_empties_the_field(widget):
    before = listed(widget)
    field = widget.box.children[0]
    field.value = "Film 3 (1973)"
    assert widget.liked == [1, 3]
    assert field.value == ""
    assert listed(widget) != before


def test_an_id_that_nobody_knows_is_refused():
    with pytest.raises(KeyError, match="1 ids are unknown"):
        FoldInWidget(make_service(), liked=[1])


def test_a_title_that_nobody_knows_changes_nothing(widget):
    widget.box.children[0].value = "Film 3 (1"
    assert widget.liked == [1]


def test_a_button_takes_an_item_back(widget):
    widget.like(3)
    first, _ = widget.box.children[1].children
    first.click()
    assert widget.liked == [3]


def test_without_a_like_the_popular_items_are_listed(widget):
    widget.forget(1)
    assert "Popular" in listed(widget)


def test_two_items_of_one_name_can_both_be_chosen():
    service = make_service()
    twice = service.catalog.facts[1]._replace(title="Twice", year="")
    service.catalog.facts = (twice, twice, *service.catalog.facts[2:])
    widget = FoldInWidget(service)
    assert "Twice [101]" in widget.box.children[0].options


def test_titles_are_text(widget):
    widget.like(4)
    assert FORMULA in widget.box.children[1].children[1].description
    assert "<img src=x" not in listed(widget)
