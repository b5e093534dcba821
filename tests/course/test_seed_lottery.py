import pandas as pd
import pytest

from nbhelpers.course import seed_lottery
from nbhelpers.course.seed_lottery import lottery
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.positives import positive_split
from nbhelpers.data.splits import stratified_split


@pytest.fixture
def split():
    made = make_ratings(n_users=40, n_items=30, n_ratings=800, rng=0)
    parts = stratified_split(made.ratings, valid_frac=0.2, test_frac=0.2, rng=0)
    return positive_split(parts, items=made.items)


def test_a_stopped_lottery_goes_on_where_it_was(split, tmp_path):
    whole = lottery(split, tmp_path / "whole.csv", n_seeds=2)
    lottery(split, tmp_path / "stopped.csv", n_seeds=1)
    lottery(split, tmp_path / "stopped.csv", n_seeds=2)
    stored = pd.read_csv(tmp_path / "stopped.csv")
    assert stored.equals(pd.read_csv(tmp_path / "whole.csv"))
    assert stored.equals(whole)


def test_each_seed_gives_another_model(split, tmp_path):
    table = lottery(split, tmp_path / "lottery.csv", n_seeds=2)
    assert table["seed"].tolist() == [0, 1]
    assert table["valid"].nunique() == table["test"].nunique() == 2


def test_main_writes_the_table(split, tmp_path, monkeypatch):
    monkeypatch.setattr(seed_lottery, "likes_split", lambda: split)
    monkeypatch.setattr(seed_lottery, "N_SEEDS", 1)
    monkeypatch.setattr(seed_lottery.torch, "set_num_threads", lambda n: None)
    assert seed_lottery.main([str(tmp_path)]) == 0
    assert (tmp_path / "08_seeds_and_budgets_lottery.csv").exists()
