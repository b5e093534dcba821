"""Fixtures that several test files use."""

import itertools

import numpy as np
import pandas as pd
import pytest


def pytest_ignore_collect(collection_path):
    """Examples are run in the package: of this folder only the test files are collected."""
    helper = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if helper and collection_path.name not in ("__init__.py", "conftest.py") else None


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def toy_ratings():
    """Three users, four items; user 30 has two ratings in the same second."""
    rows = [
        (10, 1, 5.0, 100),
        (10, 2, 3.0, 200),
        (10, 3, 4.0, 300),
        (20, 1, 2.0, 150),
        (20, 4, 1.0, 250),
        (30, 2, 4.0, 400),
        (30, 3, 5.0, 400),
        (30, 4, 3.0, 50),
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])


@pytest.fixture
def checkerboard():
    """Even users give even items 5 stars and odd ones 1; odd users the reverse."""
    pairs = itertools.product(range(8), range(8))
    rows = [(user, item, 5.0 if (user + item) % 2 == 0 else 1.0) for user, item in pairs]
    ratings = pd.DataFrame(rows, columns=["user_id", "item_id", "rating"])
    return ratings.assign(timestamp=np.arange(len(ratings)))
