"""Lists block by block from disk, judged by those of ``recommend`` with all in memory."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.large_log.part_rules import FromDate
from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
from nbhelpers.models.item_item import EASE
from nbhelpers.serving.list_blocks import write_lists
from nbhelpers.serving.recommend import recommend

N_ROWS = 2_000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Ratings of 120 users, a third of whom come after the date of the split."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("lists")
    users = rng.integers(120, size=N_ROWS)
    log = pd.DataFrame(
        {
            "user_id": [f"user {user:03d}" for user in users],
            "item_id": (50 * rng.random(N_ROWS) ** 2).astype(int) * 7,
            "rating": rng.integers(1, 6, N_ROWS).astype(float),
            "timestamp": np.where(users < 80, rng.integers(0, 90, N_ROWS), 100),
        }
    ).drop_duplicates(["user_id", "item_id"])
    late = {"user_id": "user 100", "item_id": 700, "rating": 5.0, "timestamp": 100}
    log = pd.concat([log, pd.DataFrame([late])], ignore_index=True)  # an item of the test alone
    log.to_parquet(folder / "log.parquet")
    return log, prepare_pairs(
        folder / "log.parquet", folder / "pairs", split=FromDate(80), min_rating=3
    )


@pytest.fixture(scope="module")
def known(prepared):
    """Training likes, and all rows that users had, in memory."""
    log, folder = prepared
    users, items = folder.vocabularies()
    train = pd.read_parquet(folder.train)
    likes = Interactions(train["user_idx"], train["item_idx"], users=users, items=items)
    had = log[log["item_id"].isin(items.ids) & log["user_id"].isin(users.ids)]
    return likes, Interactions.from_frame(had, users=users, items=items)


@pytest.mark.parametrize("chunk_size", [1, 333, 100_000])
def test_lists_are_those_of_recommend(prepared, known, tmp_path, chunk_size):
    _, folder = prepared
    likes, had = known
    model = EASE(reg=5.0).fit(likes)
    path = tmp_path / "lists.parquet"
    n_rows = write_lists(model, folder, path, k=7, chunk_size=chunk_size)
    lists = pd.read_parquet(path)
    users, _ = folder.vocabularies()
    warm = users.ids[likes.user_counts > 0]
    expected = recommend(model, warm, seen=had, k=7)
    own = lists[lists["made_by"] == "model"].drop(columns="made_by").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, expected, check_dtype=False, rtol=1e-6)
    assert len(lists) == n_rows
    assert lists["user_id"].drop_duplicates().tolist() == users.ids.tolist()
    n_blocks = -(-len(users) // max(1, chunk_size // folder.n_items))
    assert pq.read_metadata(path).num_row_groups == n_blocks


def test_users_without_a_training_row_get_what_most_have(prepared, known, tmp_path):
    _, folder = prepared
    likes, had = known
    write_lists(EASE(reg=5.0).fit(likes), folder, tmp_path / "l.parquet", k=3)
    lists = pd.read_parquet(tmp_path / "l.parquet")
    cold = lists[lists["made_by"] == "popularity"]
    users, items = folder.vocabularies()
    assert set(cold["user_id"]) == set(users.ids[likes.user_counts == 0])
    for user_id, rows in cold.groupby("user_id"):
        own = set(had.items_of(int(users.encode_known([user_id])[0])))
        order = sorted(range(len(items)), key=lambda item: (-likes.item_counts[item], item))
        best = [items.ids[item] for item in order if item not in own][:3]
        assert rows["item_id"].tolist() == best


def test_an_item_without_a_training_row_is_listed_for_nobody(prepared, known, tmp_path):
    _, folder = prepared
    likes, _ = known
    untrained = torch.from_numpy(likes.item_counts == 0)
    assert untrained.any()

    class Favors:  # and does not say what it was trained on
        def score_users(self, user_idx):
            return untrained.double().repeat(len(user_idx), 1)

    write_lists(Favors(), folder, tmp_path / "l.parquet", k=50)
    _, items = folder.vocabularies()
    listed = set(pd.read_parquet(tmp_path / "l.parquet")["item_id"])
    assert not listed & set(items.ids[untrained.numpy()])


def test_an_error_on_the_way_leaves_no_file(prepared, tmp_path):
    _, folder = prepared

    class Broken:
        def score_users(self, user_idx):
            scores = torch.zeros(len(user_idx), folder.n_items)
            scores[user_idx == folder.n_users // 2] = torch.nan
            return scores

    with pytest.raises(ValueError, match="NaN or infinite"):
        write_lists(Broken(), folder, tmp_path / "l.parquet", chunk_size=200)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "k", "message"), [("l.csv", 5, "name a file .parquet"), ("l.parquet", 0, "k must be")]
)
def test_what_cannot_be_written_is_refused(prepared, tmp_path, name, k, message):
    model = EASE()
    with pytest.raises(ValueError, match=message):
        write_lists(model, prepared[1], tmp_path / name, k=k)
