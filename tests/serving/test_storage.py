import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nbhelpers.core import sealed_folder
from nbhelpers.core.sealed_folder import ModelFileError
from nbhelpers.data.features import item_features
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import ALS
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.genres import DotProductGenres
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import GMF
from nbhelpers.serving.storage import load_model, save_model

USERS, ITEMS = Vocabulary([30, 10, 20]), Vocabulary(["tt2", "tt10", "Amélie"])
IDS = {"users": USERS, "items": ITEMS}
SETTINGS = {"n_users": 3, "n_items": 3, "n_factors": 4}
EVERYONE = torch.arange(3)


@pytest.fixture
def model():
    return filled(MatrixFactorization(**SETTINGS))


def filled(model, seed=0):
    """The same model with tensors that no constructor draws."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture
def folder(model, tmp_path):
    save_model(model, tmp_path / "model", settings=SETTINGS, **IDS)
    return tmp_path / "model"


def tensor_file(folder):
    (path,) = folder.glob("*.safetensors")
    return path


def scores(folder, kind=MatrixFactorization):
    return load_model(folder, kind).model.score_users(EVERYONE).detach()


class Trap:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


class Dropped(nn.Module):
    """A layer after a dropout whose rate no tensor shows."""

    def __init__(self, rate, widths=(2, 2)):
        super().__init__()
        self.dropout, self.layer = nn.Dropout(rate), nn.Linear(*widths)
        self.widths = widths


def test_scores_after_loading_are_equal_to_the_last_bit(model, folder):
    assert torch.equal(scores(folder), model.score_users(EVERYONE))


def test_ids_come_back_with_their_type_in_their_order(folder):
    _, users, items, _ = load_model(folder, MatrixFactorization)
    assert users.ids.equals(USERS.ids)
    assert users.ids.dtype == np.int64
    assert items.ids.tolist() == ["Amélie", "tt10", "tt2"]
    assert items.ids.dtype == ITEMS.ids.dtype


def test_a_loaded_model_can_describe_and_score_a_film_that_came_later(tmp_path):
    """Its decade was never seen, and a genre of training has no column in the new table."""
    films = pd.DataFrame(
        {"item_id": ["tt2", "tt10", "Amélie"], "year": [1999, 1985, 2001]}
        | {"genre_Drama": [1, 0, 1], "genre_War": [0, 1, 0]}
    )
    known = item_features(films, vocabulary=ITEMS)
    settings = {**SETTINGS, "item_features": known.table}
    model = filled(LightFM(**settings))
    save_model(model, tmp_path, settings=settings, **IDS, feature_names={"item": known.names})
    loaded = load_model(tmp_path, LightFM)
    assert loaded.feature_names == {"item": known.names}
    new = pd.DataFrame({"item_id": ["tt99"], "year": [2030], "genre_Drama": [1]})
    described = item_features(
        new, vocabulary=Vocabulary(["tt99"]), names=loaded.feature_names["item"]
    )
    by_name = [float(name in ("genre: Drama", "decade: unknown")) for name in known.names]
    expected = model.score_new_items(EVERYONE, torch.tensor([by_name]))
    assert torch.equal(loaded.model.score_new_items(EVERYONE, described.table), expected)


def test_without_feature_names_there_are_none(folder):
    assert load_model(folder, MatrixFactorization).feature_names == {}


@pytest.mark.parametrize("names", [{"item": "genre: War"}, {"item": [1]}, {1: ["genre: War"]}])
def test_feature_names_that_are_no_text_are_refused(model, tmp_path, names):
    with pytest.raises(ValueError, match="feature_names must map text to sequences of text"):
        save_model(model, tmp_path, settings=SETTINGS, **IDS, feature_names=names)


@pytest.mark.parametrize("dtype", ["int32", "uint64", "Int64"])
def test_every_type_of_whole_number_comes_back(model, tmp_path, dtype):
    ids = Vocabulary(pd.Series([3, 1, 2], dtype=dtype))
    save_model(model, tmp_path, settings=SETTINGS, users=ids, items=ids)
    assert load_model(tmp_path, MatrixFactorization).users.ids.dtype == ids.ids.dtype


def test_text_that_looks_like_numbers_stays_text(model, tmp_path):
    ids = Vocabulary(["007", "10", "9"])
    save_model(model, tmp_path, settings=SETTINGS, users=ids, items=ids)
    assert load_model(tmp_path, MatrixFactorization).users.ids.tolist() == ["007", "10", "9"]


@pytest.mark.parametrize("ids", [[1.5, 2.5], pd.to_datetime(["2020-01-01"]), [True, False]])
def test_other_ids_are_refused(model, tmp_path, ids):
    with pytest.raises(ValueError, match="ids must be whole numbers or text"):
        save_model(model, tmp_path, settings=SETTINGS, users=Vocabulary(ids), items=ITEMS)


def test_a_range_and_a_tensor_of_the_settings_come_back(tmp_path):
    bags = torch.tensor([[1, 2], [2, 0], [0, 0]])
    settings = {**SETTINGS, "genres": bags, "genre_names": ("Drama", "War"), "y_range": (0, 5.5)}
    model = filled(DotProductGenres(**settings))
    save_model(model, tmp_path, settings=settings, **IDS)
    loaded = load_model(tmp_path, DotProductGenres).model
    assert loaded.y_range == (0, 5.5)
    assert loaded.genre_bias.names == ("Drama", "War")
    assert torch.equal(loaded(EVERYONE, EVERYONE), model(EVERYONE, EVERYONE))


def test_sequences_come_back_as_tuples_at_every_depth(tmp_path):
    class Nested(nn.Module):
        def __init__(self, widths):
            super().__init__()
            self.widths = widths

    save_model(Nested([[1, 2], []]), tmp_path, settings={"widths": [[1, 2], []]}, **IDS)
    assert load_model(tmp_path, Nested).model.widths == ((1, 2), ())


def test_numpy_numbers_are_settings_too(model, tmp_path):
    save_model(model, tmp_path, settings={**SETTINGS, "n_users": np.int64(3)}, **IDS)
    assert load_model(tmp_path, MatrixFactorization).model.user_factors.num_embeddings == 3


def test_loading_draws_no_random_number_and_gives_evaluation_mode(tmp_path):
    save_model(Dropped(0.5), tmp_path, settings={"rate": 0.5}, **IDS)
    before = torch.random.get_rng_state()
    loaded = load_model(tmp_path, Dropped).model
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not loaded.training
    assert not loaded.dropout.training


def test_saving_changes_neither_the_model_nor_the_random_numbers(model, tmp_path):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.random.get_rng_state()
    save_model(model, tmp_path, settings=SETTINGS, **IDS)
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_tied_weights_stay_tied(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
            self.second.weight = self.first.weight

    save_model(Tied(), tmp_path, settings={}, **IDS)
    loaded = load_model(tmp_path, Tied).model
    assert loaded.first.weight is loaded.second.weight


def test_the_same_model_gives_the_same_files(model, folder, tmp_path):
    save_model(model, tmp_path / "again", settings=SETTINGS, **IDS)
    for path in (tensor_file(folder), folder / "model.json"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_new_save_replaces_the_old_one_and_leaves_other_files_alone(folder):
    (folder / "notes.safetensors").write_text("mine")
    new = filled(MatrixFactorization(**SETTINGS), seed=1)
    save_model(new, folder, settings=SETTINGS, **IDS)
    assert torch.equal(scores(folder), new.score_users(EVERYONE))
    names = sorted(path.name for path in folder.iterdir() if path.name[0] != ".")
    assert [name[:8] for name in names] == ["model.js", "notes.sa", "tensors-"]


@pytest.mark.parametrize("step", range(6))
def test_an_interrupted_save_leaves_the_last_good_model(model, folder, monkeypatch, step):
    """Four waits for the disk and two renames: each of them fails once."""
    calls = iter(range(100))

    def failing(name, real):
        def call(*given, **named):
            if next(calls) == step:
                raise KeyboardInterrupt(name)
            return real(*given, **named)

        return call

    old, new = model, filled(MatrixFactorization(**SETTINGS), seed=1)
    monkeypatch.setattr("os.fsync", failing("fsync", os.fsync))
    monkeypatch.setattr("pathlib.Path.replace", failing("replace", type(folder).replace))
    with pytest.raises(KeyboardInterrupt):
        save_model(new, folder, settings=SETTINGS, **IDS)
    monkeypatch.undo()
    whole = new if step == 5 else old  # by then the description has its new name
    assert torch.equal(scores(folder), whole.score_users(EVERYONE))
    assert len(list(folder.glob("*.safetensors"))) == 1
    assert not list(folder.glob(".partial-*"))


def test_what_a_killed_save_left_is_cleared_by_the_next(model, folder):
    (folder / ".partial-model.json").write_text("{")
    (folder / "tensors-0123456789abcdef.safetensors").write_bytes(b"old")
    save_model(model, folder, settings=SETTINGS, **IDS)
    assert len(list(folder.glob("*.safetensors"))) == 1
    assert not list(folder.glob(".partial-*"))


def test_tensors_that_vanish_while_being_read_are_looked_for_again(model, folder, monkeypatch):
    """Another process saves between our reading of the description and of the tensors."""
    new, real = filled(MatrixFactorization(**SETTINGS), seed=1), type(folder).read_bytes

    def read_bytes(path):
        if path.suffix == ".safetensors":
            monkeypatch.undo()
            save_model(new, folder, settings=SETTINGS, **IDS)
        return real(path)

    monkeypatch.setattr("pathlib.Path.read_bytes", read_bytes)
    assert torch.equal(scores(folder), new.score_users(EVERYONE))


@pytest.mark.parametrize("name", ["model.json", "tensors"])
@pytest.mark.parametrize("damage", ["cut", "empty", "altered", "longer"])
def test_a_damaged_file_is_named_and_refused(folder, name, damage):
    path = folder / name if name == "model.json" else tensor_file(folder)
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    damaged = {"cut": content[:-7], "empty": b"", "altered": flipped, "longer": content + b" "}
    path.write_bytes(damaged[damage])
    with pytest.raises(ModelFileError, match=f"{path.name} was cut or altered"):
        load_model(folder, MatrixFactorization)


def test_every_single_byte_counts(folder):
    for path in (folder / "model.json", tensor_file(folder)):
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(ModelFileError):
                load_model(folder, MatrixFactorization)
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["model.json", "tensors"])
def test_a_missing_file_is_named(folder, name):
    path = folder / name if name == "model.json" else tensor_file(folder)
    path.unlink()
    with pytest.raises(ModelFileError, match=f"{path.name} is missing"):
        load_model(folder, MatrixFactorization)


@pytest.mark.parametrize("name", ["model.json", "tensors", "alone.pkl"])
@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_planted_pickle_is_refused_and_not_run(folder, tmp_path, name, how):
    path = tensor_file(folder) if name == "tensors" else folder / name
    trap = Trap(tmp_path / "sprung")
    with path.open("wb") as file:
        (pickle.dump if how == "pickle" else torch.save)(trap, file)
    with pytest.raises(ModelFileError, match=f"{path.name} is a pickle"):
        load_model(path if name == "alone.pkl" else folder, MatrixFactorization)
    assert not (tmp_path / "sprung").exists()


def test_ids_out_of_their_order_are_refused(folder):
    content = json.loads((folder / "model.json").read_text())
    content["users"]["ids"] = [30, 10, 20]
    (folder / "model.json").write_text(sealed_folder._sealed(content))
    with pytest.raises(ModelFileError, match="ids are not in the order of their rows"):
        load_model(folder, MatrixFactorization)


def test_a_pickle_with_forged_checksums_is_refused_and_not_run(folder, tmp_path):
    content = json.loads((folder / "model.json").read_text())
    kept = {key: content[key] for key in ("model", "settings", "users", "items")}
    sealed_folder.publish(folder, kept, pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_model(folder, MatrixFactorization)
    assert not (tmp_path / "sprung").exists()


def test_a_tensor_file_outside_the_folder_is_never_opened(folder):
    content = json.loads((folder / "model.json").read_text())
    content["tensors"]["sha256"] = "../../elsewhere"
    (folder / "model.json").write_text(sealed_folder._sealed(content))
    with pytest.raises(ModelFileError, match="names no tensor file"):
        load_model(folder, MatrixFactorization)


def test_a_later_format_is_refused_by_its_number(folder):
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(sealed_folder._sealed({**content, "format": 2}))
    with pytest.raises(ModelFileError, match="has format 2, and this version reads 1"):
        load_model(folder, MatrixFactorization)


def test_the_class_must_be_one_of_those_asked_for(folder):
    assert scores(folder, {"GMF": GMF, "MatrixFactorization": MatrixFactorization}).shape == (3, 3)
    with pytest.raises(ModelFileError, match=r"holds a MatrixFactorization, .* asks for GMF"):
        load_model(folder, GMF)


def test_a_path_without_a_model_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"model.json is missing"):
        load_model(tmp_path / "nowhere", GMF)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_users": 3, "n_items": 3, "n_factors": 5}, "size mismatch"),
        ({"n_users": 3}, "n_items"),
        ({**SETTINGS, "n_factor": 4}, "n_factor"),
        ({**SETTINGS, "n_factors": float("nan")}, "setting 'n_factors' must be a finite number"),
        ({**SETTINGS, "n_factors": {"a": 1}}, "setting 'n_factors' must be a finite number"),
    ],
)
def test_settings_that_build_another_model_are_refused_at_once(folder, model, settings, message):
    before = tensor_file(folder).read_bytes()
    with pytest.raises(ValueError, match=message):
        save_model(filled(model, seed=1), folder, settings=settings, **IDS)
    assert tensor_file(folder).read_bytes() == before


def test_a_forgotten_range_is_refused(tmp_path):
    model = DotProductBias(**SETTINGS, y_range=(0.5, 5.5))
    with pytest.raises(ValueError, match=r"y_range is \(0.5, 5.5\) in the model, and None"):
        save_model(model, tmp_path, settings=SETTINGS, **IDS)


def test_a_setting_that_changed_inside_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"dropout.p is 0.1 in the model, and 0.5"):
        save_model(Dropped(0.1), tmp_path, settings={"rate": 0.5}, **IDS)


def test_a_tensor_that_settings_do_not_build_is_refused(model, tmp_path):
    model.extra = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match=r"Unexpected key.*extra"):
        save_model(model, tmp_path, settings=SETTINGS, **IDS)


def test_a_sparse_tensor_is_refused_by_name(model, tmp_path):
    model.register_buffer("seen", torch.eye(3).to_sparse())
    with pytest.raises(ValueError, match="only dense tensors can be stored, and 'seen' is none"):
        save_model(model, tmp_path, settings=SETTINGS, **IDS)


def test_what_is_neither_stored_nor_plain_is_let_be(model, tmp_path):
    model.cached = [torch.zeros(2)]
    save_model(model, tmp_path, settings=SETTINGS, **IDS)
    assert torch.equal(scores(tmp_path), model.score_users(EVERYONE))


def test_other_precision_than_the_class_has_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"float64, and MatrixFactorization has torch.float32"):
        save_model(model.double(), tmp_path, settings=SETTINGS, **IDS)


def test_a_recommender_that_is_no_module_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(ValueError, match="torch module is required, got ALS: put what it learned"):
        save_model(ALS(), tmp_path, settings={}, **IDS)


def test_a_file_in_the_place_of_the_folder_is_left_alone(model, tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError):
        save_model(model, tmp_path / "model", settings=SETTINGS, **IDS)
    assert (tmp_path / "model").read_text() == "mine"
