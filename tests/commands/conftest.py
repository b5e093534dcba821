import pandas as pd
import pytest

from nbhelpers.commands.train_model import train
from nbhelpers.data.datasets.synthetic import make_ratings


@pytest.fixture(scope="session")
def ratings():
    return make_ratings(80, 40, 1500, rng=0).ratings


@pytest.fixture(scope="session")
def titled(ratings):
    return ratings.assign(title="Film " + ratings["item_id"].astype(str))


@pytest.fixture(scope="session")
def own_file(titled, tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine.csv"
    titled.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def ease(titled, tmp_path_factory):
    """A folder with EASE, and a user of it who liked nothing."""
    folder = tmp_path_factory.mktemp("models") / "ease"
    dull = titled[titled["user_id"] == 1].head(3).assign(user_id=900, rating=1.0)
    train(pd.concat([titled, dull]), folder, model="EASE", n_trials=1, quiet=True)
    return folder
