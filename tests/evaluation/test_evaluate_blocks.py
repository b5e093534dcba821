"""Block by block from disk, judged by the evaluation that holds everything in memory."""

import pandas as pd
import pytest
import torch

from nbhelpers.data.datasets.load import load_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.large_log.part_rules import FromDate, LastRows
from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
from nbhelpers.evaluation.evaluate import evaluate_ranking
from nbhelpers.evaluation.evaluate_blocks import evaluate_blocks
from nbhelpers.evaluation.report import METRICS
from nbhelpers.models.matrix_factorization import MatrixFactorization


@pytest.fixture(scope="module")
def movielens(tmp_path_factory):
    """ML-100K prepared in two ways, and all of its rows."""
    folder, ratings = tmp_path_factory.mktemp("ml"), load_ratings()
    ratings.to_parquet(folder / "log.parquet")
    rules = {"last": LastRows(3), "date": FromDate("1998-03-01", "1998-04-01")}
    return ratings, {
        name: prepare_pairs(folder / "log.parquet", folder / name, split=rule, min_rating=4)
        for name, rule in rules.items()
    }


def model_of(prepared):
    torch.manual_seed(0)
    model = MatrixFactorization(prepared.n_users, prepared.n_items, 8)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    return model


def in_memory(ratings, prepared, part):
    """Held-out likes and all rows of the parts before, encoded from the raw log."""
    users, items = prepared.vocabularies()
    shard = pd.read_parquet(prepared.folder / part)
    sizes = {"n_users": len(users), "n_items": len(items)}
    held_out = Interactions(shard["user_idx"], shard["item_idx"], **sizes)
    parts = ("train", "valid", "test")
    before = [pd.read_parquet(prepared.folder / name) for name in parts[: parts.index(part)]]
    liked = pd.concat(before)
    low = ratings[(ratings["rating"] < 4) & ratings["item_id"].isin(items.ids)]
    low = low[low["user_id"].isin(users.ids)]
    return held_out, Interactions(liked["user_idx"], liked["item_idx"], **sizes), low, users, items


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("chunk_size", [70_000, 10_000_000])
def test_one_date_gives_what_evaluate_ranking_gives(movielens, tmp_path, part, chunk_size):
    ratings, prepared = movielens[0], movielens[1]["date"]
    held_out, liked, low, users, items = in_memory(ratings, prepared, part)
    until = pd.Timestamp({"valid": "1998-03-01", "test": "1998-04-01"}[part]).timestamp()
    low = low[low["timestamp"] < until]
    seen = liked | Interactions(
        users.encode_known(low["user_id"]),
        items.encode_known(low["item_id"]),
        n_users=len(users),
        n_items=len(items),
    )
    model = model_of(prepared)
    expected = evaluate_ranking(model, held_out, seen=seen)
    scores = evaluate_blocks(
        model, prepared, part=part, chunk_size=chunk_size, per_user=tmp_path / "u.parquet"
    )
    per_user = pd.read_parquet(tmp_path / "u.parquet")
    pd.testing.assert_frame_equal(per_user, expected.per_user, rtol=0, atol=1e-12)
    assert (scores.n_users, scores.n_cold) == (len(expected.per_user), expected.n_cold)
    for metric in METRICS:
        assert scores.mean(metric) == pytest.approx(expected.mean(metric), abs=1e-12)
        values = expected.per_user[metric].dropna()
        half = 1.96 * values.std() / len(values) ** 0.5
        low_end, high_end = scores.interval(metric)
        assert high_end - low_end == pytest.approx(2 * half, rel=1e-4)


def test_last_likes_are_ranked_without_what_was_seen_before(movielens):
    prepared = movielens[1]["last"]
    rows = pd.read_parquet(prepared.by_user)
    sizes = {"n_users": prepared.n_users, "n_items": prepared.n_items}
    test, before = rows[rows["part"] == 2], rows[rows["part"] < 2]
    expected = evaluate_ranking(
        model_of(prepared),
        Interactions(test["user_idx"], test["item_idx"], **sizes),
        seen=Interactions(before["user_idx"], before["item_idx"], **sizes),
    )
    assert (before["liked"] == 0).any()
    own = evaluate_blocks(model_of(prepared), prepared, chunk_size=200_000)
    assert own.mean("ndcg") == pytest.approx(expected.mean("ndcg"), abs=1e-12)


def test_a_part_that_was_not_held_out_is_refused(movielens):
    prepared = movielens[1]["date"]
    for part in ("train", "late"):
        with pytest.raises(ValueError, match=r"a held-out part, of \['valid', 'test'\]"):
            evaluate_blocks(model_of(prepared), prepared, part=part)


def test_a_model_of_other_sizes_is_refused(movielens):
    prepared = movielens[1]["date"]
    other = MatrixFactorization(prepared.n_users - 2, prepared.n_items, 2)
    with pytest.raises(ValueError, match="users were trained on"):
        evaluate_blocks(other, prepared)


def test_an_error_on_the_way_leaves_no_file(movielens, tmp_path):
    prepared = movielens[1]["date"]
    model = model_of(prepared)
    with torch.no_grad():
        model.user_factors.weight[-200:] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        evaluate_blocks(model, prepared, chunk_size=50_000, per_user=tmp_path / "u.parquet")
    assert list(tmp_path.iterdir()) == []
