import json
import re

import numpy as np
import pytest
import torch

from nbhelpers.app.export_html import export_html
from nbhelpers.app.service import Service
from nbhelpers.models.als import ALS
from tests.app.service_cases import ATTACK, make_service


@pytest.fixture(scope="module")
def service():
    return make_service()


def content_of(page):
    found = re.search(r'<script type="application/json" id="stored">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def test_the_file_holds_the_model_and_nothing_of_people(service, tmp_path):
    path = tmp_path / "app.html"
    size = export_html(service, path)
    page = path.read_text(encoding="utf-8")
    assert size == path.stat().st_size
    content = content_of(page)
    assert content["about"]["n_people"] == 0
    assert content["about"]["models"] == ["iALS"]
    assert content["titles"][2] == ATTACK
    assert "person-3" not in page
    assert "http://" not in page.replace("http://x", "").replace("http://www.w3.org", "")


def test_titles_cannot_end_the_script(service, tmp_path):
    export_html(service, tmp_path / "app.html")
    page = (tmp_path / "app.html").read_text(encoding="utf-8")
    assert ATTACK not in page
    assert page.count("</script>") == 3


def test_a_model_whose_fold_in_does_not_fit_is_refused_and_nothing_is_written(service, tmp_path):
    alone = Service(service.catalog, {"EASE": service.models["EASE"]})
    with pytest.raises(ValueError, match="needs the fold-in of ALS or IALS, 'EASE' is EASE"):
        export_html(alone, tmp_path / "app.html")
    assert list(tmp_path.iterdir()) == []


def test_factors_beyond_half_precision_are_refused(service, tmp_path):
    model = ALS(2, generator=torch.Generator().manual_seed(0)).fit(service.people)
    model.item_factors = model.item_factors * 1e6
    with pytest.raises(ValueError, match="half precision ends at 65,504"):
        export_html(Service(service.catalog, {"ALS": model}), tmp_path / "app.html")


def test_an_old_file_stays_when_the_new_one_cannot_be_written(service, tmp_path, monkeypatch):
    path = tmp_path / "app.html"
    path.write_text("old")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="no space left"):
        export_html(service, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.html"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("model", ["iALS", "ALS"])
def test_fold_in_weights_give_the_factors_of_fold_in(service, model):
    if model == "ALS":
        generator = torch.Generator().manual_seed(0)
        fitted = ALS(4, alpha=3.0, generator=generator).fit(service.people)
    else:
        fitted = service.models[model]
    weights = fitted.fold_in_weights(3)
    items = fitted.item_factors.double().numpy()
    own = items[[1, 3]]
    system = weights.unobserved_weight * items.T @ items + weights.square * own.T @ own
    system += weights.damping[2] * np.eye(len(system))
    expected = np.linalg.solve(system, weights.linear * own.sum(axis=0))
    from nbhelpers.serving.fold_in import interactions_of_new_user

    one = interactions_of_new_user([101, 103], service.catalog.items)
    np.testing.assert_allclose(fitted.fold_in_factors(one)[0], expected, rtol=1e-4, atol=1e-6)
