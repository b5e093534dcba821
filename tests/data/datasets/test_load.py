import subprocess
import sys
from dataclasses import replace

import pytest

from nbhelpers.data.datasets import load
from nbhelpers.data.datasets.fetching.cache import cache_home
from nbhelpers.data.datasets.fetching.verify import fault_in
from nbhelpers.data.datasets.load import (
    default_dataset,
    load_items,
    load_ratings,
    load_users,
)
from nbhelpers.data.datasets.registry import DATASETS

U_DATA = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t302\t4\t891717742\n"
FLAGS = "|0" * 19


@pytest.fixture
def tiny_ml_100k(tmp_path, monkeypatch):
    """Three ratings by two users of two films, as if fetched."""
    (tmp_path / "u.data").write_text(U_DATA)
    (tmp_path / "u.item").write_text(f"242|Kolya (1996)|||{FLAGS}\n302|L.A. (1997)|||{FLAGS}\n")
    (tmp_path / "u.user").write_text("186|39|F|executive|00000\n196|49|M|writer|55105\n")
    known = replace(DATASETS["ml-100k"], n_ratings=3, n_users=2, n_items=2)
    monkeypatch.setattr(load, "DATASETS", {**DATASETS, "ml-100k": known})
    monkeypatch.setattr(load, "fetch", lambda name: tmp_path)
    monkeypatch.setattr(load, "source_of", lambda folder: "GroupLens archive")
    monkeypatch.delenv("CF_DATASET", raising=False)
    return tmp_path


@pytest.fixture
def cached_ml_100k():
    """The real files, where `make data` has put them; never fetched from here."""
    if fault_in(cache_home() / "ml-100k", DATASETS["ml-100k"]) is not None:
        pytest.skip("ml-100k is not in the cache: make data puts it there")


@pytest.mark.usefixtures("tiny_ml_100k")
def test_one_line_names_source_and_counts(capsys):
    load_ratings("ml-100k")
    assert capsys.readouterr().out == (
        "ml-100k (GroupLens archive, checked): 3 ratings by 2 users of 2 items\n"
    )


@pytest.mark.usefixtures("tiny_ml_100k")
def test_left_out_name_means_ml_100k():
    assert len(load_ratings()) == 3
    assert load_items()["title"].tolist() == ["Kolya (1996)", "L.A. (1997)"]
    assert load_users()["occupation"].tolist() == ["executive", "writer"]


@pytest.mark.usefixtures("tiny_ml_100k")
def test_items_and_users_print_nothing(capsys):
    load_items("ml-100k")
    load_users("ml-100k")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content", [U_DATA[: U_DATA.rindex("196")], U_DATA.replace("186", "196"), U_DATA + U_DATA]
)
def test_other_counts_than_published_are_refused(tiny_ml_100k, content):
    (tiny_ml_100k / "u.data").write_text(content)
    with pytest.raises(ValueError, match="ml-100k must have 3 ratings by 2 users of 2 items, its"):
        load_ratings("ml-100k")


@pytest.mark.parametrize("load", [load_ratings, load_items, load_users])
def test_unknown_name_is_refused_with_the_known_ones(load):
    with pytest.raises(ValueError, match=r"unknown data set 'ml-10k': choose one of ml-100k, ml-"):
        load("ml-10k")


@pytest.mark.parametrize("name", ["ml-latest-small", "ml-25m", "ml-32m", "synthetic"])
def test_sets_without_users_say_which_have_them(name):
    with pytest.raises(ValueError, match=f"{name} does not describe its users: .* ml-100k, ml-1m"):
        load_users(name)


def test_default_dataset_is_ml_100k(monkeypatch):
    monkeypatch.delenv("CF_DATASET", raising=False)
    assert default_dataset() == "ml-100k"


def test_default_dataset_follows_the_environment(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-1m")
    assert default_dataset() == "ml-1m"


def test_empty_environment_variable_means_ml_100k(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "")
    assert default_dataset() == "ml-100k"


def test_misspelt_environment_variable_is_refused(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml100k")
    with pytest.raises(ValueError, match="CF_DATASET is 'ml100k': set it to one of ml-100k, "):
        load_ratings()


def test_synthetic_ratings_and_items_belong_together(monkeypatch, capsys):
    monkeypatch.setenv("CF_DATASET", "synthetic")
    ratings, items = load_ratings(), load_items()
    assert set(ratings["item_id"]) <= set(items["item_id"])
    assert capsys.readouterr().out == (
        "synthetic (seed 0): 100,000 ratings by 943 users of 1,682 items\n"
    )


def test_importing_the_loaders_does_not_import_torch():
    code = "import sys, nbhelpers.data.datasets.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("cached_ml_100k")
def test_real_ml_100k(capsys):
    ratings = load_ratings("ml-100k")
    # The distribution of stars that GroupLens publishes.
    assert ratings["rating"].value_counts().sort_index().tolist() == [
        *(6_110, 11_370, 27_145, 34_174, 21_201)
    ]
    assert ratings.iloc[0].tolist() == [196, 242, 3, 881250949]
    printed = capsys.readouterr().out
    assert printed.endswith("checked): 100,000 ratings by 943 users of 1,682 items\n")


@pytest.mark.usefixtures("cached_ml_100k")
def test_real_ml_100k_items_and_users():
    items, users = load_items("ml-100k"), load_users("ml-100k")
    assert (len(items), items["title"].nunique()) == (1_682, 1_664)
    assert items.loc[items["year"].isna(), "title"].tolist() == ["unknown"]
    genres = items.filter(like="genre_")
    assert (genres.shape[1], genres.sum(axis=1).eq(0).sum()) == (18, 2)
    assert users["gender"].value_counts().to_dict() == {"M": 670, "F": 273}
    assert (users["age"].min(), users["age"].max()) == (7, 73)
    assert users["occupation"].nunique() == 21
