import json
import shutil

import pandas as pd
import pytest
import torch

from nbhelpers.commands.grade_lists import write_training
from nbhelpers.commands.model_folder import Covered, load_recommender, new_folder
from nbhelpers.commands.recommend_lists import recommend, recommend_all
from nbhelpers.commands.train_model import train
from nbhelpers.core.sealed_folder import ModelFileError
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.models.matrix_factorization import MatrixFactorization

FILES = {"history.parquet", "settings.json", "report.json", "model.json"}


def test_folder_holds_model_ids_titles_history_settings_and_report(ease):
    trained = load_recommender(ease)
    assert {path.name for path in ease.iterdir()} >= FILES
    assert trained.name == "EASE"
    assert (len(trained.users), len(trained.items)) == (81, 40)
    assert trained.titles["title"].iloc[6] == "Film 7"
    assert trained.settings["seed"] == 0
    assert trained.settings["rule"].startswith("a rating of 4 or more")
    assert trained.report["n_rows"] == 1503
    assert trained.settings["comparison"]["settings"]["EASE"] == trained.settings["settings"]


def test_a_notebook_shows_the_model_in_one_line_and_a_list_as_text(ease, titled):
    trained = load_recommender(ease)
    n_likes = int((titled["rating"] >= 4).sum())
    assert repr(trained) == (f"TrainedRecommender(EASE: 81 users, 40 items, {n_likes} positives)")
    found = recommend(trained, 1, k=2)
    assert repr(found) == str(found)


def test_history_has_every_pair_of_the_file_and_likes_the_positives(ease, titled):
    trained = load_recommender(ease)
    assert len(trained.seen) == 1503
    assert len(trained.likes) == (titled["rating"] >= 4).sum()
    assert trained.seen.contains(*trained.likes.pairs()).all()
    assert trained.seen.timestamps is not None


def test_model_was_refitted_on_everything(ease):
    trained = load_recommender(ease)
    fresh = type(trained.model)(**trained.model.settings()).fit(trained.likes)
    users = torch.arange(len(trained.users))
    assert torch.allclose(fresh.score_users(users), trained.model.score_users(users))


def test_the_honest_choice_is_trained_without_a_name(ratings, tmp_path):
    trained = train(ratings, tmp_path / "mine", n_trials=1, quiet=True, minutes=1)
    assert trained.name == trained.settings["comparison"]["choice"]


def test_an_earlier_comparison_spares_the_search(ratings, ease, tmp_path, monkeypatch):
    earlier = load_recommender(ease).settings["comparison"]
    rule = train(ratings, tmp_path / "a", model="EASE", n_trials=1, quiet=True).settings["rule"]
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps({**earlier, "rule": rule}))
    monkeypatch.setattr("nbhelpers.commands.train_model.compare", None)
    trained = train(ratings, tmp_path / "b", comparison=tmp_path, quiet=True)
    assert trained.settings["settings"] == earlier["settings"]["EASE"]
    with pytest.raises(ValueError, match="no settings of 'IALS'"):
        train(ratings, tmp_path / "c", model="IALS", comparison=path, quiet=True)
    with pytest.raises(ValueError, match="of another log"):
        train(ratings, tmp_path / "c", min_rating=5, comparison=path, quiet=True)
    path.write_text("[")
    with pytest.raises(ValueError, match="is no comparison"):
        train(ratings, tmp_path / "c", comparison=path, quiet=True)
    assert not (tmp_path / "c").exists()


def test_same_seed_same_lists(ratings, tmp_path):
    users = torch.arange(80)
    scores = [
        train(ratings, tmp_path / name, model="dot product", n_trials=1, quiet=True, seed=4)
        .model.score_users(users)
        .detach()
        for name in ("a", "b")
    ]
    assert torch.equal(*scores)


def test_a_folder_with_other_things_is_refused_before_work(ratings, tmp_path, monkeypatch):
    (tmp_path / "thesis.txt").write_text("mine")
    monkeypatch.setattr("nbhelpers.commands.train_model.open_log", None)
    with pytest.raises(ValueError, match="holds something else"):
        train(ratings, tmp_path, quiet=True)
    with pytest.raises(ValueError, match="holds something else"):
        train(ratings, tmp_path / "thesis.txt", quiet=True)


def test_a_model_folder_is_replaced_and_nothing_is_left_beside_it(ease, ratings, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(ease, folder)
    trained = train(ratings, folder, model="popularity", quiet=True)
    assert trained.name == "popularity"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def write_half_of(folder):
    with new_folder(folder) as staging:
        (staging / "settings.json").write_text("half")
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_the_old_folder(ease, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(ease, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        write_half_of(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(ease, tmp_path, name):
    folder = tmp_path / "mine"
    shutil.copytree(ease, folder)
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=name):
        load_recommender(folder)


def test_a_history_that_was_altered_is_refused(ease, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(ease, folder)
    rows = pd.read_parquet(folder / "history.parquet")
    rows.iloc[1:].to_parquet(folder / "history.parquet", index=False)
    with pytest.raises(ModelFileError, match="cut or altered"):
        load_recommender(folder)


def test_untrained_rows_of_a_model_that_does_not_say_so_are_not_served():
    likes = Interactions([0, 1], [0, 1], n_users=3, n_items=4)
    covered = Covered(MatrixFactorization(3, 4, 2), likes)
    assert covered.trained_users.tolist() == [True, True, False]
    assert covered.trained_items.tolist() == [True, True, False, False]


def test_text_ids_keep_their_zeros(tmp_path):
    rows = [(f"{user:03}", f"{item:02}") for user in range(30) for item in range(user % 3, 12, 2)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    trained = train(frame, tmp_path / "mine", model="popularity", quiet=True)
    assert trained.users.ids[0] == "000"
    assert trained.items.ids[1] == "01"


def test_titles_can_come_from_a_second_file(ratings, tmp_path):
    path = tmp_path / "movies.csv"
    path.write_text("movieId,title,genres\n" + "".join(f"{n},Film {n},x\n" for n in range(2, 99)))
    trained = train(ratings, tmp_path / "m", model="popularity", titles=path, quiet=True)
    assert trained.titles["title"].tolist() == [None, *(f"Film {n}" for n in range(2, 41))]


@pytest.mark.parametrize(
    ("frame", "part"),
    [
        ({"film": [1], "title": ["A"]}, "a column item is required among the titles"),
        ({"item": [1], "label": ["A"]}, "a column title is required among the titles"),
        ({"item": [1, 1], "title": ["A", "B"]}, "1 items have two titles, e.g. 1: 'A', 'B'"),
        ({"item": [999], "title": ["A"]}, "none of the 1 ids of titles is in the log"),
    ],
)
def test_titles_that_do_not_fit_are_refused(ratings, tmp_path, frame, part):
    with pytest.raises(ValueError, match=part):
        train(ratings, tmp_path / "m", titles=pd.DataFrame(frame), quiet=True)


@pytest.mark.parametrize(
    ("cell", "said"),
    [("n/a", {"on_bad": "skip"}), ("0", {"zeros": "drop"}), ("-1", {"missing_values": (-1,)})],
)
def test_no_list_holds_what_stands_in_a_row_that_was_left_out(ratings, tmp_path, cell, said):
    written = ratings.astype({"rating": object})
    left_out = ratings.index % 5 == 0
    written.loc[left_out, "rating"] = cell
    nobody = ratings[left_out].head(3).assign(user_id=900, rating=cell)
    written = pd.concat([written, nobody], ignore_index=True)
    written.to_csv(tmp_path / "log.csv", index=False)
    log = read_ratings(tmp_path / "log.csv", **said)
    trained = train(log, tmp_path / "mine", model="EASE", n_trials=1, quiet=True)
    lists = pd.read_parquet(recommend_all(trained, tmp_path / "all.parquet", quiet=True))
    everything = written[["user_id", "item_id"]].drop_duplicates()
    assert len(trained.seen) == len(everything)
    assert len(lists.merge(everything, on=["user_id", "item_id"])) == 0
    assert lists["user_id"].nunique() == 81, "who has left-out rows alone is no stranger"
    assert not set(recommend(trained, 900).items["item_id"]) & set(nobody["item_id"])
    known = pd.read_csv(write_training(log, tmp_path / "known.csv"))
    marked = known.merge(written[left_out.tolist() + [True] * 3], on=["user_id", "item_id"])
    assert len(marked) > 200, "rows left out before the test mask other lists, too"
    assert not marked["is_positive"].any()


def test_a_model_of_five_rows_is_called_untested(tmp_path):
    rows = pd.DataFrame({"user_id": [1] * 5, "item_id": range(5), "timestamp": range(1, 6)})
    trained = train(rows, tmp_path / "mine", quiet=True)
    assert trained.settings["is_tested"] is False
    assert "too small to rank models" in trained.settings["comparison"]["reason"]


def test_paths_that_are_not_there_are_named(ratings, ease, tmp_path):
    with pytest.raises(ValueError, match="there is no comparison"):
        train(ratings, tmp_path / "mine", comparison=tmp_path / "none", quiet=True)
    with pytest.raises(ValueError, match="there is no file"):
        train(ratings, tmp_path / "mine", titles=tmp_path / "none.csv", quiet=True)
    with pytest.raises(ValueError, match=r"there is no folder .*none for lists\.parquet"):
        recommend_all(ease, tmp_path / "none" / "lists.parquet", quiet=True)
