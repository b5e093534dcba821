import json
import os

import pandas as pd
import pytest
import torch

from nbhelpers.commands.contenders import NAMES
from nbhelpers.commands.fold_in_likes import fold_in, typed_likes
from nbhelpers.commands.model_folder import load_recommender
from nbhelpers.commands.recommend_lists import recommend, recommend_all
from nbhelpers.commands.similar_to import similar
from nbhelpers.commands.train_model import train


@pytest.fixture(scope="module")
def folders(titled, tmp_path_factory):
    base = tmp_path_factory.mktemp("all")
    for name in NAMES:
        train(titled, base / name, model=name, n_trials=1, quiet=True)
    return {name: load_recommender(base / name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_lists_of_all_users_hold_nothing_that_is_in_the_file(folders, name, titled, tmp_path):
    path = recommend_all(folders[name], tmp_path / "lists.parquet", k=5, quiet=True)
    lists = pd.read_parquet(path)
    assert lists["user_id"].nunique() == 80
    had = lists.merge(titled[["user_id", "item_id"]].drop_duplicates())
    assert had.empty
    assert not lists.duplicated(["user_id", "item_id"]).any()
    n_left = 40 - titled.groupby("user_id")["item_id"].nunique()
    assert (lists.groupby("user_id").size() == n_left.clip(upper=5)).all()


@pytest.mark.parametrize("name", NAMES)
def test_list_of_one_is_that_of_all(folders, name, tmp_path):
    path = recommend_all(folders[name], tmp_path / "lists.parquet", k=4, quiet=True)
    of_all = pd.read_parquet(path).query("user_id == 7")
    one = recommend(folders[name], "7", k=4)
    assert one.items["item_id"].tolist() == of_all["item_id"].tolist()
    assert one.items["title"].tolist() == of_all["title"].tolist()
    assert one.user_id == 7


@pytest.mark.parametrize("name", NAMES)
def test_everything_can_be_asked_of_every_model(folders, name):
    one = recommend(folders[name], 7, k=3, explain=True)
    assert (len(one.reasons) == 3) == (name not in ("popularity", "recent popularity"))
    near = similar(folders[name], 9, k=3)
    assert 9 not in near.items["item_id"].tolist()
    assert near.items["score"].is_monotonic_decreasing
    new = fold_in(folders[name], ["9", "3"], k=3)
    assert not {9, 3} & set(new.items["item_id"])
    assert len(new.items) == 3
    for answer in (one, near, new):
        json.dumps(answer.to_dict())
        assert str(answer)


def test_json_has_rank_item_title_and_score(ease):
    answer = recommend(ease, 7, k=2).to_dict()
    assert answer["user_id"] == 7
    first = answer["items"][0]
    assert first["rank"] == 1
    assert first["title"] == f"Film {first['item_id']}"
    assert isinstance(first["score"], float)


def test_reasons_are_of_what_the_user_likes_and_add_to_the_score(ease, titled):
    answer = recommend(ease, 7, k=3, explain=True)
    liked = set(titled.query("user_id == 7 and rating >= 4")["item_id"])
    for because in answer.reasons.values():
        assert set(because["item_id"]) <= liked
        assert (because["contribution"] > 0).all()
    assert "because" in answer.to_dict()["items"][0]


@pytest.mark.parametrize("typed", ["12345", "x"])
def test_unknown_user_gets_the_popular_list_and_is_told(ease, titled, typed):
    answer = recommend(ease, typed, k=3)
    likes = titled[titled["rating"] >= 4]["item_id"].value_counts()
    assert answer.items["score"].tolist() == likes.head(3).tolist()
    assert answer.made_by == "popularity"
    assert answer.notes == (f"user {typed} is not in the file: this is the popular list",)


def test_user_without_a_like_gets_the_popular_list_without_what_they_had(ease, titled, tmp_path):
    answer = recommend(ease, 900, k=40)
    had = set(titled[titled["user_id"] == 1].head(3)["item_id"])
    assert answer.made_by == "popularity"
    assert "no positive in the file" in answer.notes[0]
    assert not had & set(answer.items["item_id"])
    lists = pd.read_parquet(recommend_all(ease, tmp_path / "all.parquet", k=2, quiet=True))
    assert lists.groupby("made_by")["user_id"].unique().loc["popularity"].tolist() == [900]


@pytest.mark.parametrize("name", ["popularity", "recent popularity"])
def test_a_list_that_is_the_same_for_everybody_is_no_list_of_a_model(folders, name, tmp_path):
    of_all = pd.read_parquet(recommend_all(folders[name], tmp_path / "all.parquet", quiet=True))
    assert set(of_all["made_by"]) == {name}
    assert recommend(folders[name], 7, k=3).made_by == name
    new = recommend(folders[name], "nobody", k=3)
    assert new.made_by == "popularity"
    counts = folders[name].likes.item_counts
    assert new.items["score"].tolist() == sorted(counts.tolist(), reverse=True)[:3]


def test_a_short_list_is_told(ease):
    answer = recommend(ease, 7, k=40)
    assert answer.notes == (f"only {len(answer.items)} items are left that user 7 does not have",)


def test_blocks_of_users_do_not_change_the_lists(ease, tmp_path, monkeypatch):
    whole = pd.read_parquet(recommend_all(ease, tmp_path / "a.parquet", quiet=True))
    monkeypatch.setattr("nbhelpers.commands.recommend_lists.MOST_USERS", 7)
    parts = pd.read_parquet(recommend_all(ease, tmp_path / "b.parquet", quiet=True))
    pd.testing.assert_frame_equal(whole, parts)


def test_a_failing_write_leaves_no_file(ease, tmp_path, monkeypatch):
    monkeypatch.setattr("nbhelpers.commands.recommend_lists.MOST_USERS", 7)
    ask, calls = recommend_all.__globals__["recommend_ids"], []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return ask(*args, **kwargs)

    monkeypatch.setattr("nbhelpers.commands.recommend_lists.recommend_ids", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recommend_all(ease, tmp_path / "lists.parquet", quiet=True)
    assert os.listdir(tmp_path) == []


def test_only_parquet_is_written(ease, tmp_path):
    with pytest.raises(ValueError, match=r"name a file \.parquet"):
        recommend_all(ease, tmp_path / "lists.csv")


def test_common_users_are_counted_by_hand(tmp_path):
    rows = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1), ("c", 3), ("d", 3), ("d", 4)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    more = pd.DataFrame([(f"u{k}", 5 + k % 2) for k in range(40)], columns=["user_id", "item_id"])
    many = pd.concat([frame, more, more.assign(item_id=7), more.assign(item_id=8)])
    trained = train(many, tmp_path / "m", model="popularity", quiet=True)
    near = similar(trained, "1")
    assert near.items["item_id"].tolist() == [2, 3]
    assert near.items["score"].tolist() == pytest.approx([2 / 6**0.5, 1 / 6**0.5])


@pytest.mark.parametrize("ask", [lambda m: similar(m, "99"), lambda m: fold_in(m, ["1", "99"])])
def test_unknown_item_is_refused_with_what_there_is(ease, ask):
    with pytest.raises(ValueError, match=r"items are unknown, e\.g\. 99: the file has 40"):
        ask(ease)


def test_fold_in_needs_likes_each_once(ease):
    with pytest.raises(ValueError, match="at least one like"):
        fold_in(ease, [])
    with pytest.raises(ValueError, match="each item can come once"):
        fold_in(ease, ["3", "3"])


def test_fold_in_of_ease_gives_what_training_gives(ease):
    trained = load_recommender(ease)
    likes = trained.items.decode(trained.likes.items_of(6)).tolist()
    folded = fold_in(trained, likes, k=40).items.set_index("item_id")["score"]
    own = trained.model.score_users(torch.tensor([6]))[0]
    assert folded.to_numpy() == pytest.approx(
        own[trained.items.encode_known(folded.index)].numpy(), abs=1e-6
    )


def test_fold_in_of_a_model_of_order_gives_what_training_gives(folders):
    trained = folders["sequence tower"]
    latest = [each for each in trained.model.latest[6].tolist() if each < 40]
    likes = trained.items.decode(latest[::-1]).tolist()  # the latest last
    folded = fold_in(trained, likes, k=40).items.set_index("item_id")["score"]
    own = trained.model.score_users(torch.tensor([6]))[0].detach()
    assert folded.to_numpy() == pytest.approx(
        own[trained.items.encode_known(folded.index)].numpy(), abs=1e-5
    )
    other = fold_in(trained, likes[::-1], k=40).items.set_index("item_id")["score"]
    assert not folded.sort_index().equals(other.sort_index())


def test_typed_likes_are_split_at_commas_unless_an_id_has_one(tmp_path):
    rows = [(user, item) for user in range(20) for item in ("a,b", "c", "d")[: 2 + user % 2]]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    trained = train(frame, tmp_path / "m", model="popularity", quiet=True)
    assert typed_likes(trained, ["a,b", "c, d"]) == ["a,b", "c", "d"]
