import numpy as np
import pandas as pd
import pytest

from nbhelpers.app.catalog import Catalog, searchable
from nbhelpers.data.vocabulary import Vocabulary

FILMS = pd.DataFrame(
    {
        "item_id": [1, 2, 3, 4],
        "title": ["Moon Star (1990)", "Star Light (1991)", "Starfish, The (1992)", None],
        "genres": ["Drama|War", "Drama", "Comedy", None],
    }
)


@pytest.fixture
def catalog():
    return Catalog(Vocabulary([1, 2, 3, 4]), [9, 1, 5, 2], FILMS)


def test_search_puts_titles_that_begin_so_first_then_the_popular(catalog):
    found = [catalog.facts[item].title for item in catalog.search("star")]
    assert found == ["Star Light", "Moon Star", "The Starfish"]


def test_search_knows_no_case_and_no_accents(catalog):
    assert catalog.search("STÄR LIGHT") == [1]
    assert catalog.search("  ") == []
    assert catalog.search("nothing of the kind") == []


def test_search_stops_at_k(catalog):
    assert len(catalog.search("star", k=2)) == 2


def test_an_item_without_a_title_is_called_by_its_id(catalog):
    assert catalog.facts[3].title == "4"


def test_without_metadata_every_item_is_called_by_its_id():
    catalog = Catalog(Vocabulary(["b", "a"]), [1, 2])
    assert [facts.title for facts in catalog.facts] == ["a", "b"]
    assert catalog.genres == ()


def test_genres_come_by_frequency_then_by_name(catalog):
    assert catalog.genres == ("Drama", "Comedy", "War")


def test_an_item_is_of_genres_if_it_has_one_of_them(catalog):
    assert catalog.of_genres(["War", "Comedy"]).tolist() == [True, False, True, False]
    assert catalog.of_genres([]).all()


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="4 counts are required, got 3"):
        Catalog(Vocabulary([1, 2, 3, 4]), [1, 2, 3], FILMS)
    with pytest.raises(ValueError, match="2 rows of metadata are required, got 4"):
        Catalog(Vocabulary([1, 2]), np.ones(2), FILMS)


def test_ligatures_and_spaces_are_searched_as_people_type_them():
    assert searchable("\ufb01lm\u00a0Noir") == "film noir"
