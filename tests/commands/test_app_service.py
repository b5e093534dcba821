from dataclasses import replace

import numpy as np
import pytest
import torch

from nbhelpers.commands.app_service import export_html, service_of
from nbhelpers.commands.model_folder import load_recommender
from nbhelpers.commands.recommend_lists import recommend
from nbhelpers.commands.train_model import train
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.models.baselines import GlobalMean


@pytest.fixture(scope="module")
def log():
    return make_ratings(80, 60, 2400, rng=0).ratings


@pytest.fixture(scope="module")
def folder(log, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ials"
    train(log, path, model="IALS", n_trials=1, quiet=True)
    return path


@pytest.fixture(scope="module")
def other(log, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ease"
    train(log, path, model="EASE", n_trials=1, quiet=True)
    return path


def test_somebody_of_the_file_gets_the_list_of_recommend(folder, log):
    service = service_of(folder)
    person = str(log["user_id"].iloc[0])
    history = service.history_of(person)
    liked, had = ([card["item"] for card in history[part]] for part in ("items", "had"))
    assert len(liked) + len(had) == (log["user_id"].astype(str) == person).sum()
    shown = [card["item_id"] for card in service.list_for(liked, seen=had)["items"]]
    expected = recommend(folder, person, k=10).to_dict()["items"]
    own = set(log.loc[log["user_id"].astype(str) == person, "item_id"].astype(str))
    assert not own & set(shown)
    # Folding in solves for the user once more, so near ties may change places.
    assert len(set(shown) & {str(row["item_id"]) for row in expected}) >= 8


def test_popularity_stands_beside_a_model_unless_another_is_named(folder, other):
    assert list(service_of(folder).models) == ["IALS", "popularity"]
    assert list(service_of(folder, beside=other).models) == ["IALS", "EASE"]
    assert list(service_of(folder, beside=folder).models) == ["IALS", "IALS (second)"]


def test_the_dial_is_measured_on_positives_that_the_model_did_not_know(folder):
    price = service_of(folder).price
    assert price["kept"].iloc[0] == 1
    assert np.isfinite(price["ndcg"]).all()


def test_models_of_other_items_are_refused(folder, tmp_path):
    few = make_ratings(80, 30, 1200, rng=1).ratings
    train(few, tmp_path / "few", model="EASE", n_trials=1, quiet=True)
    with pytest.raises(ValueError, match="same items, they have 60 and 30"):
        service_of(folder, beside=tmp_path / "few")


@pytest.mark.parametrize("name", ["popularity", "recent popularity", "last items", "ItemKNN"])
def test_every_model_of_a_comparison_serves_somebody_new(log, tmp_path, name):
    train(log, tmp_path / "model", model=name, n_trials=1, quiet=True)
    assert len(service_of(tmp_path / "model").list_for([0, 1])["items"]) == 10


def test_a_model_that_cannot_serve_somebody_new_says_which_can(folder):
    stars = GlobalMean(80, 60).fit(torch.tensor([0]), torch.tensor([0]), torch.tensor([3.0]))
    with pytest.raises(ValueError, match="train IALS, EASE or ItemKNN"):
        service_of(replace(load_recommender(folder), model=stars))


def test_the_page_by_itself_is_written_from_a_folder(folder, other, tmp_path):
    size = export_html(folder, tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size == size
    with pytest.raises(ValueError, match="fold-in of ALS or IALS"):
        export_html(other, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()
