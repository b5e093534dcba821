"""Interactions that were saved and loaded, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from nbhelpers.core.sealed_folder import ModelFileError, publish
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary

USERS, ITEMS = Vocabulary(["007", "a", "é"]), Vocabulary([10, 30, 70])
USER_METADATA = pd.DataFrame(
    {
        "user_id": ["007", "a", "é"],
        "age": pd.array([30, None, 12], dtype="Int64"),
        "height": [1.8, np.nan, 0.1],
        "is_new": [True, False, True],
        "city": ["Oslo", None, ""],
        "note": np.array([1, "a", None], dtype=object),
    }
)
ITEM_METADATA = pd.DataFrame(
    {"item_id": [10, 30, 70], "title": list("abc"), "genre_War": np.array([0, 1, 1], np.int8)}
)


@pytest.fixture
def plays():
    return Interactions(
        [0, 2, 0],
        [2, 0, 1],
        users=USERS,
        items=ITEMS,
        weights=[0.1, 2, 3],
        timestamps=[5, -1, 2**60 + 1],
        user_metadata=USER_METADATA,
        item_metadata=ITEM_METADATA,
    )


def test_everything_comes_back(plays, tmp_path):
    plays.save(tmp_path)
    again = Interactions.load(tmp_path)
    pd.testing.assert_frame_equal(again.to_frame(), plays.to_frame())
    pd.testing.assert_frame_equal(again.user_metadata, USER_METADATA)
    pd.testing.assert_frame_equal(again.item_metadata, ITEM_METADATA)
    assert again.users.fingerprint == USERS.fingerprint
    assert again.items.ids.equals(ITEMS.ids)
    assert (again.n_users, again.n_items) == (3, 3)


def test_what_is_not_there_stays_so(tmp_path):
    folder = str(tmp_path / "deep" / "folder")
    Interactions([0], [1], n_users=np.int64(2), n_items=np.int32(4)).save(folder)
    again = Interactions.load(folder)
    assert again.weights is again.timestamps is again.users is again.item_metadata is None
    assert (again.n_users, again.n_items, again.items_of(0).tolist()) == (2, 4, [1])


def test_no_pairs_come_back(tmp_path):
    none = np.array([], dtype=int)
    Interactions(none, none, n_users=2, n_items=3, weights=none).save(tmp_path)
    assert len(Interactions.load(tmp_path)) == 0


def test_a_second_save_replaces_the_first(plays, tmp_path):
    plays.save(tmp_path)
    plays[[0]].save(tmp_path)
    assert len(Interactions.load(tmp_path)) == 1
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_a_save_that_cannot_be_finished_leaves_the_old(plays, tmp_path, monkeypatch):
    plays.save(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nbhelpers.core.sealed_folder._write", full)
    with pytest.raises(OSError, match="No space left"):
        plays[[0]].save(tmp_path)
    assert len(Interactions.load(tmp_path)) == 3


@pytest.mark.parametrize("pattern", ["*.json", "*.safetensors"])
@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b.replace(b"0", b"1"), None])
def test_a_damaged_file_is_named(plays, tmp_path, pattern, damage):
    plays.save(tmp_path)
    (file,) = tmp_path.glob(pattern)
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ModelFileError, match=file.name):
        Interactions.load(tmp_path)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.json is missing"):
        Interactions.load(tmp_path)


def test_a_later_format_is_refused(plays, tmp_path, monkeypatch):
    monkeypatch.setattr("nbhelpers.data.interactions_folder.INTERACTIONS_FORMAT", 2)
    plays.save(tmp_path)
    monkeypatch.undo()
    with pytest.raises(
        ModelFileError, match=r"holds interactions of format 2, and .* reads format"
    ):
        Interactions.load(tmp_path)


def test_a_folder_that_holds_something_else_is_left_alone(plays, tmp_path):
    publish(tmp_path, {"model": "ALS"}, b"")
    with pytest.raises(ValueError, match="holds something else than interactions"):
        plays.save(tmp_path)
    with pytest.raises(ModelFileError, match=r"model\.json holds no interactions"):
        Interactions.load(tmp_path)


def test_whole_files_that_contradict_each_other_are_refused(plays, tmp_path):
    plays.save(tmp_path)
    (tensors,) = tmp_path.glob("*.safetensors")
    content = json.loads((tmp_path / "model.json").read_text())
    content["n_users"] = 99
    publish(tmp_path, {k: v for k, v in content.items() if k != "seal"}, tensors.read_bytes())
    with pytest.raises(ModelFileError, match="n_users is 99, but the vocabulary has 3 ids"):
        Interactions.load(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.to_datetime(["2000-01-01"] * 3), r"got datetime64\[\w+\] in column 'x'"),
        ([[1], [2], [3]], r"got object in column 'x'"),
        (pd.Categorical(["a", "b", "a"]), r"got category in column 'x'"),
        ([1.0, np.inf, 2.0], r"column 'x' of item_metadata cannot be stored"),
        (np.array([np.int64(1), 2, "a"], dtype=object), r"'x' of item_metadata cannot be stored"),
    ],
)
def test_metadata_that_json_cannot_hold_are_refused(tmp_path, values, message):
    metadata = pd.DataFrame({"item_id": [10, 30, 70], "x": values})
    built = Interactions([0], [0], n_users=1, items=ITEMS, item_metadata=metadata)
    with pytest.raises(ValueError, match=message):
        built.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_columns_are_named_by_text_and_differ(tmp_path):
    metadata = pd.DataFrame({"item_id": [10, 30, 70], 7: [1, 2, 3], "x": [4, 5, 6]})
    with pytest.raises(ValueError, match="named by text, got 7"):
        Interactions([0], [0], n_users=1, items=ITEMS, item_metadata=metadata).save(tmp_path)
    twice = metadata.set_axis(["item_id", "x", "x"], axis=1)
    with pytest.raises(ValueError, match="columns of item_metadata must differ"):
        Interactions([0], [0], n_users=1, items=ITEMS, item_metadata=twice).save(tmp_path)
