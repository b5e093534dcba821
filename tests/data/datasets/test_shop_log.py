import pandas as pd
import pytest

from nbhelpers.data.datasets.shop_log import COLUMNS, write_shop_log
from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    write_shop_log(path, rng=42)
    return path


@pytest.fixture(scope="module")
def text(path):
    return pd.read_csv(path, dtype=str)


def test_the_seed_decides_the_file(path, tmp_path):
    write_shop_log(tmp_path / "again.csv", rng=42)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_columns_and_events(text):
    assert text.columns.tolist() == COLUMNS
    assert set(text["event_type"].dropna()) == {"view", "add_to_cart", "purchase"}


def test_twelve_products_differ_by_leading_zeros_alone(text):
    skus = text.dropna(subset=["sku"]).drop_duplicates("sku")
    twins = skus.groupby(skus["sku"].str.lstrip("0"))["product_name"].nunique()
    assert (twins == 2).sum() == 12


def test_one_page_is_reloaded_by_one_customer(text):
    views = text[text["event_type"] == "view"].groupby(["customer_id", "sku"]).size()
    assert views.max() >= 1_500
    assert views.drop(views.idxmax()).max() < 50


def test_four_rows_cannot_be_used_and_the_user_is_asked_for(path):
    with pytest.raises(AmbiguousRatingsError, match="visitor_id, customer_id"):
        read_ratings(path)
    log = read_ratings(path, user="customer_id", on_bad="skip")
    assert log.rejected["column"].tolist() == ["customer_id", "event_time", "sku", ""]
    assert log.frame["timestamp"].between(1.70e9, 1.77e9).all()
