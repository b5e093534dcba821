import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.app.catalog import Catalog
from nbhelpers.app.service import RequestError, Service
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import IALS
from nbhelpers.models.item_item import EASE
from nbhelpers.serving.explain import explain
from nbhelpers.serving.fold_in import fold_in_user
from tests.app.service_cases import make_service


@pytest.fixture(scope="module")
def service():
    return make_service()


def items_of(answer):
    return [card["item"] for card in answer["items"]]


@pytest.mark.parametrize("model", ["iALS", "EASE"])
def test_the_list_is_that_of_fold_in(service, model):
    answer = service.list_for([1, 3, 5], model=model)
    expected = fold_in_user(service.models[model], [101, 103, 105], items=service.catalog.items)
    assert [int(card["item_id"]) for card in answer["items"]] == expected["item_id"].tolist()
    assert [card["rank"] for card in answer["items"]] == list(range(1, 11))
    assert answer["basis"] == "likes"


def test_the_list_follows_the_taste_and_leaves_out_what_was_had(service):
    answer = service.list_for([0, 2, 4], seen=[6, 8])
    assert not {0, 2, 4, 6, 8} & set(items_of(answer))
    assert all(item % 2 == 0 for item in items_of(answer)[:8])


def test_reasons_are_the_largest_contributions(service):
    first = service.list_for([1, 3, 5], model="EASE")["items"][0]
    why = explain(
        service.models["EASE"],
        int(first["item_id"]),
        positives=[101, 103, 105],
        items=service.catalog.items,
    ).contributions
    titles = [service.catalog.facts[item_id - 100].title for item_id in why["item_id"][:2]]
    assert first["because"] == titles


def test_nobody_s_likes_give_the_popular_items(service):
    answer = service.list_for([], seen=[3])
    counts = service.catalog.counts.astype(float)
    counts[3] = -1
    assert answer["basis"] == "popular"
    assert items_of(answer) == np.argsort(-counts, kind="stable")[:10].tolist()


def test_a_first_list_keeps_to_the_genres_and_the_group(service):
    comedies = service.list_for([], genres=["Comedy"])
    assert all("Comedy" in card["genres"] for card in comedies["items"])
    odd = service.list_for([], group="odd people")
    assert all(item % 2 for item in items_of(odd))
    assert odd["basis"] == "group"


def test_the_dial_moves_the_list(service):
    plain, turned = service.list_for([1]), service.list_for([1], strength=2.0)
    counts = service.catalog.counts
    assert counts[items_of(turned)].mean() < counts[items_of(plain)].mean()


def test_similar_items_share_the_taste(service):
    answer = service.similar_to(2)
    assert answer["of"]["item"] == 2
    assert all(item % 2 == 0 for item in items_of(answer)[:5])
    assert 2 not in items_of(answer)


def test_similar_items_come_from_a_model_that_has_vectors(service):
    assert service.similar_to(2, model="EASE")["model"] == "iALS"


def test_a_history_is_what_the_person_had(service):
    answer = service.history_of("person-3")
    assert (
        items_of(answer)
        == service.people.items_of(service.people.users.encode(["person-3"])[0]).tolist()
    )


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda s: s.list_for([99]), "numbered 0 to 29, got 99"),
        (lambda s: s.list_for([-1]), "numbered 0 to 29, got -1"),
        (lambda s: s.list_for(["1"]), "asked for by number, got 1"),
        (lambda s: s.list_for([True]), "asked for by number"),
        (lambda s: s.list_for([1], strength=float("nan")), "between 0 and 2"),
        (lambda s: s.list_for([1], k=0), "between 1 and 50"),
        (lambda s: s.list_for([1], model="SVD"), "must be one of"),
        (lambda s: s.list_for([], genres=["Opera"]), "unknown genre 'Opera'"),
        (lambda s: s.list_for([], group="cats"), "group must be one of"),
        (lambda s: s.history_of("nobody"), "nobody has the id 'nobody'"),
        (lambda s: s.similar_to(30), "got 30"),
    ],
)
def test_questions_without_an_answer_say_what_was_required(service, ask, said):
    with pytest.raises(RequestError, match=said):
        ask(service)


def test_without_histories_or_vectors_that_is_said():
    service = make_service(people=None)
    with pytest.raises(RequestError, match="without people's histories"):
        service.history_of("person-3")
    alone = Service(service.catalog, {"EASE": service.models["EASE"]})
    with pytest.raises(RequestError, match="need a model with vectors"):
        alone.similar_to(2)


def test_models_of_another_catalog_are_refused(service):
    generator = torch.Generator().manual_seed(0)
    other = IALS(2, generator=generator).fit(Interactions([0, 1], [0, 1]))
    with pytest.raises(ValueError, match="items were trained on"):
        Service(service.catalog, {"other": other})
    with pytest.raises(ValueError, match="at least one model"):
        Service(service.catalog, {})


def test_an_item_that_the_model_was_not_trained_on_is_never_listed():
    service = make_service()
    everything = service.list_for([1], k=50)
    trained = service.served("iALS")
    assert trained[items_of(everything)].all()


@pytest.fixture(scope="module")
def with_an_unknown_item():
    """The last of five items is nobody's, so no model was trained on it."""
    train = Interactions([0, 0, 0, 1, 1, 2, 2], [0, 1, 2, 0, 1, 2, 3], n_items=5)
    items = Vocabulary(np.arange(5))
    titles = pd.DataFrame({"item_id": items.ids, "title": [f"Film {item}" for item in range(5)]})
    generator = torch.Generator().manual_seed(0)
    models = {"iALS": IALS(2, generator=generator).fit(train), "EASE": EASE(reg=1.0).fit(train)}
    return Service(Catalog(items, train.item_counts, titles), models)


@pytest.mark.parametrize("model", ["iALS", "EASE"])
def test_a_like_that_the_model_does_not_know_counts_for_nothing_and_is_named(
    with_an_unknown_item, model
):
    service = with_an_unknown_item
    alone = service.list_for([4], model=model)
    assert (alone["basis"], alone["unknown"]) == ("popular", ["Film 4"])
    assert items_of(alone) == [0, 1, 2, 3]
    beside = service.list_for([4, 0], model=model)
    assert (beside["basis"], beside["unknown"]) == ("likes", ["Film 4"])
    assert beside["items"] == service.list_for([0], model=model)["items"]
    assert service.list_for([0], model=model)["unknown"] == []


@pytest.mark.parametrize(
    ("noun", "said"), [("film", "seen it"), ("Book", "read it"), ("spare part", "had it")]
)
def test_what_somebody_had_is_named_after_the_noun(with_an_unknown_item, noun, said):
    service = with_an_unknown_item
    assert Service(service.catalog, service.models, noun=noun).describe()["had_it"] == said
