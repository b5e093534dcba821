import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from nbhelpers.core import sealed_folder
from nbhelpers.core.sealed_folder import ModelFileError
from nbhelpers.data.features import item_features
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import IALS
from nbhelpers.models.base import Model
from nbhelpers.models.baselines import GlobalMean, Popularity
from nbhelpers.models.dot_product import DotProduct, DotProductBias
from nbhelpers.models.embeddings import Embedding
from nbhelpers.models.genres import DotProductGenres
from nbhelpers.models.hybrid import HybridMF
from nbhelpers.models.item_item import EASE
from nbhelpers.models.lightfm import LightFM
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ordinal import OrdinalRating
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
    save_model(tmp_path / "model", model, **IDS)
    return tmp_path / "model"


def tensor_file(folder):
    (path,) = folder.glob("*.safetensors")
    return path


def scores(folder):
    return load_model(folder).model.score_users(EVERYONE).detach()


class Trap:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


class Own(Model, nn.Module):
    """A model of a reader's own, of three users and three items."""

    n_users = n_items = 3


class Dropped(Own):
    """A layer after a dropout whose rate no tensor shows."""

    def __init__(self, rate, widths=(2, 2)):
        super().__init__()
        self.dropout, self.layer = nn.Dropout(rate), nn.Linear(*widths)
        self.widths = widths


def test_scores_after_loading_are_those_before(model, folder):
    assert torch.equal(scores(folder), model.score_users(EVERYONE))


def test_ids_come_back_with_their_type_in_their_order(folder):
    users, items = load_model(folder)[1:3]
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
    save_model(tmp_path, model, **IDS, feature_names={"item": known.names})
    loaded = load_model(tmp_path)
    assert loaded.feature_names == {"item": known.names}
    new = pd.DataFrame({"item_id": ["tt99"], "year": [2030], "genre_Drama": [1]})
    described = item_features(
        new, vocabulary=Vocabulary(["tt99"]), names=loaded.feature_names["item"]
    )
    by_name = [float(name in ("genre: Drama", "decade: unknown")) for name in known.names]
    expected = model.score_new_items(EVERYONE, torch.tensor([by_name]))
    assert torch.equal(loaded.model.score_new_items(EVERYONE, described.table), expected)


def test_without_feature_names_there_are_none(folder):
    assert load_model(folder).feature_names == {}


@pytest.mark.parametrize("names", [{"item": "genre: War"}, {"item": [1]}, {1: ["genre: War"]}])
def test_feature_names_that_are_no_text_are_refused(model, tmp_path, names):
    with pytest.raises(ValueError, match="feature_names must map text to sequences of text"):
        save_model(tmp_path, model, **IDS, feature_names=names)


@pytest.mark.parametrize("dtype", ["int32", "uint64", "Int64"])
def test_every_type_of_whole_number_comes_back(model, tmp_path, dtype):
    ids = Vocabulary(pd.Series([3, 1, 2], dtype=dtype))
    save_model(tmp_path, model, users=ids, items=ids)
    assert load_model(tmp_path).users.ids.dtype == ids.ids.dtype


def test_text_that_looks_like_numbers_stays_text(model, tmp_path):
    ids = Vocabulary(["007", "10", "9"])
    save_model(tmp_path, model, users=ids, items=ids)
    assert load_model(tmp_path).users.ids.tolist() == ["007", "10", "9"]


@pytest.mark.parametrize("ids", [[1.5, 2.5], pd.to_datetime(["2020-01-01"]), [True, False]])
def test_other_ids_are_refused(model, tmp_path, ids):
    with pytest.raises(ValueError, match="ids must be whole numbers or text"):
        save_model(tmp_path, model, users=Vocabulary(ids), items=ITEMS)


def test_a_range_and_a_tensor_of_the_settings_come_back(tmp_path):
    bags = torch.tensor([[1, 2], [2, 0], [0, 0]])
    settings = {**SETTINGS, "genres": bags, "genre_names": ("Drama", "War"), "y_range": (0, 5.5)}
    model = filled(DotProductGenres(**settings))
    save_model(tmp_path, model, **IDS)
    loaded = load_model(tmp_path).model
    assert loaded.y_range == (0, 5.5)
    assert loaded.genre_bias.names == ("Drama", "War")
    assert torch.equal(loaded(EVERYONE, EVERYONE), model(EVERYONE, EVERYONE))


def test_sequences_come_back_as_tuples_at_every_depth(tmp_path):
    class Nested(Own):
        def __init__(self, widths):
            super().__init__()
            self.widths = widths

    save_model(tmp_path, Nested([[1, 2], []]), **IDS)
    assert load_model(tmp_path, kinds={"Nested": Nested}).model.widths == ((1, 2), ())


def test_numpy_numbers_are_settings_too(tmp_path):
    model = MatrixFactorization(np.int64(3), 3, dropout=np.float32(0.5))
    save_model(tmp_path, model, **IDS)
    assert load_model(tmp_path).model.user_factors.num_embeddings == 3


def test_loading_draws_no_random_number_and_gives_evaluation_mode(tmp_path):
    save_model(tmp_path, Dropped(0.5), **IDS)
    before = torch.random.get_rng_state()
    loaded = load_model(tmp_path, kinds={"Dropped": Dropped}).model
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not loaded.training
    assert not loaded.dropout.training


def test_saving_changes_neither_the_model_nor_the_random_numbers(model, tmp_path):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.random.get_rng_state()
    save_model(tmp_path, model, **IDS)
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_tied_weights_stay_tied(tmp_path):
    class Tied(Own):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
            self.second.weight = self.first.weight

    save_model(tmp_path, Tied(), **IDS)
    loaded = load_model(tmp_path, kinds={"Tied": Tied}).model
    assert loaded.first.weight is loaded.second.weight


def test_the_same_model_gives_the_same_files(model, folder, tmp_path):
    save_model(tmp_path / "again", model, **IDS)
    for path in (tensor_file(folder), folder / "model.json"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_new_save_replaces_the_old_one_and_leaves_other_files_alone(folder):
    (folder / "notes.safetensors").write_text("mine")
    new = filled(MatrixFactorization(**SETTINGS), seed=1)
    save_model(folder, new, **IDS)
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
        save_model(folder, new, **IDS)
    monkeypatch.undo()
    whole = new if step == 5 else old  # by then the description has its new name
    assert torch.equal(scores(folder), whole.score_users(EVERYONE))
    assert len(list(folder.glob("*.safetensors"))) == 1
    assert not list(folder.glob(".partial-*"))


def test_what_a_killed_save_left_is_cleared_by_the_next(model, folder):
    (folder / ".partial-model.json").write_text("{")
    (folder / "tensors-0123456789abcdef.safetensors").write_bytes(b"old")
    save_model(folder, model, **IDS)
    assert len(list(folder.glob("*.safetensors"))) == 1
    assert not list(folder.glob(".partial-*"))


def test_tensors_that_vanish_while_being_read_are_looked_for_again(model, folder, monkeypatch):
    """Another process saves between our reading of the description and of the tensors."""
    new, real = filled(MatrixFactorization(**SETTINGS), seed=1), type(folder).read_bytes

    def read_bytes(path):
        if path.suffix == ".safetensors":
            monkeypatch.undo()
            save_model(folder, new, **IDS)
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
        load_model(folder)


def test_every_single_byte_counts(folder):
    for path in (folder / "model.json", tensor_file(folder)):
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(ModelFileError):
                load_model(folder)
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["model.json", "tensors"])
def test_a_missing_file_is_named(folder, name):
    path = folder / name if name == "model.json" else tensor_file(folder)
    path.unlink()
    with pytest.raises(ModelFileError, match=f"{path.name} is missing"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.json", "tensors", "alone.pkl"])
@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_planted_pickle_is_refused_and_not_run(folder, tmp_path, name, how):
    path = tensor_file(folder) if name == "tensors" else folder / name
    trap = Trap(tmp_path / "sprung")
    with path.open("wb") as file:
        (pickle.dump if how == "pickle" else torch.save)(trap, file)
    with pytest.raises(ModelFileError, match=f"{path.name} is a pickle"):
        load_model(path if name == "alone.pkl" else folder)
    assert not (tmp_path / "sprung").exists()


def test_ids_out_of_their_order_are_refused(folder):
    content = json.loads((folder / "model.json").read_text())
    content["users"]["ids"] = [30, 10, 20]
    (folder / "model.json").write_text(sealed_folder._sealed(content))
    with pytest.raises(ModelFileError, match="ids are not in the order of their rows"):
        load_model(folder)


def test_a_pickle_with_forged_checksums_is_refused_and_not_run(folder, tmp_path):
    content = json.loads((folder / "model.json").read_text())
    kept = {key: content[key] for key in ("model", "users", "items")}
    sealed_folder.publish(folder, kept, pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_model(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_tensor_file_outside_the_folder_is_never_opened(folder):
    content = json.loads((folder / "model.json").read_text())
    content["tensors"]["sha256"] = "../../elsewhere"
    (folder / "model.json").write_text(sealed_folder._sealed(content))
    with pytest.raises(ModelFileError, match="names no tensor file"):
        load_model(folder)


def rewritten(folder, **changes):
    """The folder with other entries in its description, sealed anew."""
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(sealed_folder._sealed({**content, **changes}))
    return folder


@pytest.mark.parametrize(
    ("number", "cure"),
    [("3.0", "update nbhelpers"), ("10.1", "update"), (1, "save the model again")],
)
def test_another_major_format_is_refused_with_what_to_do(folder, number, cure):
    with pytest.raises(
        ModelFileError, match=rf"format {number}, and this version reads 2.x: {cure}"
    ):
        load_model(rewritten(folder, format=number))


def test_a_newer_minor_format_is_read_without_its_new_entries(model, folder):
    torch.testing.assert_close(
        scores(rewritten(folder, format="2.7", licence={"name": "CC"})), model.score_users(EVERYONE)
    )


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "nbhelpers.serving.storage:save_model",
        "nbhelpers.models.als:Tensor",
        "nbhelpers.models.als:NoSuchClass",
        "nbhelpers.models.no_such_module:ALS",
        "nbhelpers.models.als:ALS.fit",
        "nbhelpers.models.base:NotFittedError.__init__",
    ],
)
def test_nothing_is_imported_but_what_a_module_of_models_defines(folder, name):
    content = json.loads((folder / "model.json").read_text())["model"]
    with pytest.raises(ModelFileError, match=r"is no name of a model|this version .* has no"):
        load_model(rewritten(folder, model={**content, "class": name}))


def test_a_class_of_the_readers_own_is_asked_for_by_name(tmp_path):
    save_model(tmp_path, Dropped(0.5), **IDS)
    with pytest.raises(
        ModelFileError, match=r"holds a Dropped, .* pass kinds={'Dropped': Dropped}"
    ):
        load_model(tmp_path)


def test_models_within_models_come_back_whole(tmp_path):
    scorer = filled(DotProductBias(**SETTINGS))
    model = OrdinalRating(scorer, stars=(1.0, 2.0, 5.0))
    save_model(tmp_path, model, **IDS)
    loaded = load_model(tmp_path).model
    torch.testing.assert_close(loaded.score_users(EVERYONE), model.score_users(EVERYONE))
    assert loaded.settings()["scorer"] is loaded.scorer
    names = load_file(tensor_file(tmp_path)).keys()
    assert len(names) == len(model.state_dict()), "each tensor once, though two models have it"


class Sum(Model):
    """Models added up with weights: a model of a reader's own that holds others in a mapping."""

    def __init__(self, parts, weights):
        self.parts, self.weights = parts, weights

    n_users = n_items = 3

    def score_users(self, user_idx):
        parts = [part.score_users(user_idx) for part in self.parts.values()]
        return sum(weight * part for weight, part in zip(self.weights, parts, strict=True))


def test_a_mapping_of_models_comes_back(model, tmp_path):
    ease = EASE(reg=2.0).fit(Interactions([0, 0, 1, 2], [0, 1, 1, 2], n_users=3, n_items=3))
    both = Sum({"ease": ease, "factors": model, "own": Dropless(2.0)}, torch.tensor([0.5, 2.0, 1]))
    save_model(tmp_path, both, **IDS)
    loaded = load_model(tmp_path, kinds={"Sum": Sum, "Dropless": Dropless}).model
    assert list(loaded.parts) == ["ease", "factors", "own"]
    torch.testing.assert_close(loaded.score_users(EVERYONE), both.score_users(EVERYONE))


class Dropless(Own):
    """The same score everywhere."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def score_users(self, user_idx):
        return torch.full((len(user_idx), 3), self.score)


def test_a_function_of_the_package_is_stored_by_name(tmp_path):
    save_model(tmp_path, DotProduct(**SETTINGS, embedding=Embedding), **IDS)
    assert isinstance(load_model(tmp_path).model.user_factors, Embedding)


def test_a_generator_is_left_out(tmp_path):
    train = Interactions([0, 0, 1, 2], [0, 1, 1, 2], n_users=3, n_items=3)
    model = IALS(2, generator=torch.Generator().manual_seed(0)).fit(train)
    save_model(tmp_path, model, **IDS)
    loaded = load_model(tmp_path).model
    assert loaded.generator is None
    torch.testing.assert_close(loaded.score_users(EVERYONE), model.score_users(EVERYONE))


@pytest.mark.parametrize("sizes", [(99, 3), (3, 2), (4, 3), (2, 3), (3, 5)])
def test_vocabularies_of_other_sizes_are_refused(model, tmp_path, sizes):
    users, items = (Vocabulary(range(size)) for size in sizes)
    message = rf"3 users and 3 items, and there are {sizes[0]} ids of users and {sizes[1]} of items"
    with pytest.raises(ValueError, match=message):
        save_model(tmp_path, model, users=users, items=items)


def test_users_and_items_swapped_are_refused(tmp_path):
    users, items = Vocabulary(range(4)), Vocabulary(range(3))
    save_model(tmp_path, MatrixFactorization(4, 3), users=users, items=items)
    with pytest.raises(ValueError, match="there are 3 ids of users and 4 of items"):
        save_model(tmp_path, MatrixFactorization(4, 3), users=items, items=users)


def test_a_rating_model_has_a_row_for_the_unknown_on_both_sides(tmp_path):
    save_model(tmp_path, DotProduct(4, 4), **IDS)
    with pytest.raises(ValueError, match="4 users and 3 items"):
        save_model(tmp_path, DotProduct(4, 3), **IDS)


def test_metadata_come_back_with_their_types(model, tmp_path):
    items = pd.DataFrame(
        {
            "item_id": ITEMS.ids,
            "title": ["Amélie", "Heat (1995)", None],
            "year": [2001, 1995, 1990],
            "stars": [4.5, np.nan, 3.0],
            "released": pd.to_datetime(["2001-04-25", None, "1990-01-01"]),
            "genre_War": [False, True, False],
        }
    )
    users = pd.DataFrame({"user_id": USERS.ids, "age": np.array([1, 2, 3], dtype=np.int8)})
    save_model(tmp_path, model, **IDS, user_metadata=users, item_metadata=items)
    loaded = load_model(tmp_path)
    pd.testing.assert_frame_equal(loaded.item_metadata, items)
    pd.testing.assert_frame_equal(loaded.user_metadata, users)


def test_without_metadata_there_are_none(folder):
    assert load_model(folder).user_metadata is None
    assert load_model(folder).item_metadata is None


@pytest.mark.parametrize("ids", [[30, 10, 20], [10, 20], [10, 20, 40]])
def test_metadata_of_other_rows_are_refused(model, tmp_path, ids):
    frame = pd.DataFrame({"user_id": ids})
    with pytest.raises(ValueError, match=r"user_metadata must have one row .* align_metadata"):
        save_model(tmp_path, model, **IDS, user_metadata=frame)


def test_metadata_that_are_no_plain_values_are_named(model, tmp_path):
    frame = pd.DataFrame({"user_id": USERS.ids, "tags": [["a"], [], []]})
    with pytest.raises(ValueError, match=r"'tags' holds \['a'\]"):
        save_model(tmp_path, model, **IDS, user_metadata=frame)


def test_names_must_be_as_many_as_the_columns_of_the_table(tmp_path):
    model = LightFM(**SETTINGS, item_features=torch.eye(3)[:, :2])
    with pytest.raises(ValueError, match="item features has 2 columns, got 1 names"):
        save_model(tmp_path, model, **IDS, feature_names={"item": ["genre: War"]})


def test_a_path_without_a_model_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"model.json is missing"):
        load_model(tmp_path / "nowhere")


def test_a_setting_that_cannot_be_stored_is_refused_at_once(folder):
    before = tensor_file(folder).read_bytes()
    for rate in (float("nan"), lambda: 0.5, object()):
        with pytest.raises(ValueError, match="setting 'score' must be a finite number"):
            save_model(folder, Dropless(rate), **IDS)
    assert tensor_file(folder).read_bytes() == before


def test_a_range_changed_after_the_model_was_built_is_refused(tmp_path):
    model = DotProductBias(**SETTINGS)
    model.y_range = (0.5, 5.5)
    with pytest.raises(ValueError, match=r"y_range is \(0.5, 5.5\) in the model, and None"):
        save_model(tmp_path, model, **IDS)


def test_features_changed_after_the_model_was_built_are_refused(tmp_path):
    table = torch.eye(3)
    model = HybridMF(**SETTINGS, item_features=table)
    table[0, 0] = 5.0  # the model has a copy, its settings have the table itself
    with pytest.raises(ValueError, match=r"item_tower.features is a tensor"):
        save_model(tmp_path, model, **IDS)


def test_a_hybrid_comes_back_with_its_features_and_its_cold_rows(tmp_path):
    table, cold = torch.eye(3), torch.tensor([False, True, False])
    hybrid = HybridMF(**SETTINGS, item_features=table, cold_items=cold).eval()
    save_model(tmp_path, hybrid, **IDS, feature_names={"item": ["genre: A", "genre: B", "age: C"]})
    stored = load_model(tmp_path)
    assert torch.equal(stored.model.item_tower.features, table)
    assert torch.equal(stored.model.cold_items, cold)
    assert torch.equal(stored.model.score_users(EVERYONE), hybrid.score_users(EVERYONE))
    assert stored.feature_names == {"item": ("genre: A", "genre: B", "age: C")}


def test_a_setting_that_changed_inside_is_refused(tmp_path):
    model = Dropped(0.5)
    model.dropout.p = 0.1
    with pytest.raises(ValueError, match=r"dropout.p is 0.1 in the model, and 0.5"):
        save_model(tmp_path, model, **IDS)


def test_a_tensor_that_settings_do_not_build_is_refused(model, tmp_path):
    model.extra = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match=r"Unexpected key.*extra"):
        save_model(tmp_path, model, **IDS)


def test_a_sparse_tensor_is_refused_by_name(model, tmp_path):
    model.register_buffer("seen", torch.eye(3).to_sparse())
    with pytest.raises(ValueError, match="only dense tensors can be stored, and 'seen' is none"):
        save_model(tmp_path, model, **IDS)


def test_what_is_neither_stored_nor_plain_is_let_be(model, tmp_path):
    model.cached = [torch.zeros(2)]
    save_model(tmp_path, model, **IDS)
    assert torch.equal(scores(tmp_path), model.score_users(EVERYONE))


def test_other_precision_than_the_class_has_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"float64, and MatrixFactorization has torch.float32"):
        save_model(tmp_path, model.double(), **IDS)


@pytest.mark.parametrize("model", [EASE(), IALS(), Popularity(), GlobalMean(3, 3)])
def test_a_model_that_is_not_fitted_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="is it fitted"):
        save_model(tmp_path, model, **IDS)


def test_a_model_without_settings_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"Linear has no settings.* let its class inherit"):
        save_model(tmp_path, nn.Linear(2, 2), **IDS)


def test_a_file_in_the_place_of_the_folder_is_left_alone(model, tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError):
        save_model(tmp_path / "model", model, **IDS)
    assert (tmp_path / "model").read_text() == "mine"
