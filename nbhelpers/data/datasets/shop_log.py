"""The log of a shop that does not exist, written as untidily as shops write theirs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from nbhelpers.data.datasets.movielens import GENRE_PREFIX
from nbhelpers.data.datasets.synthetic import make_ratings

N_CUSTOMERS, N_PRODUCTS, N_PAIRS = 1_200, 400, 60_000
LOOKED_AT, PUT_INTO_CART, BOUGHT = 0.6, 0.85, 0.93  # quantiles of how much a pair suits
DEPARTMENTS = ("Tea", "Coffee", "Mug", "Cookbook", "Candle", "Plant")
LATER = 24 * 365 * 86_400  # the synthetic ratings begin in 2000
WEEK = 7 * 86_400
N_OLD = 12  # products with the short number of an older catalog
N_RELOADS = 1_500  # of one page by one customer
COLUMNS = [
    "visitor_id",
    "customer_id",
    "sku",
    "product_name",
    "event_type",
    "event_time",
    "price",
]


def write_shop_log(path: str | Path, *, rng: int | Generator) -> None:
    """Write the events of a made-up shop as a CSV file with faults of many real ones.

    Customers look at products that suit them, look again, and some products end in the cart or
    are bought: which ones suit follows planted factors, and fashions change. Planted, too, are
    numbers with leading zeros, twelve old products whose number differs from another one by its
    zeros alone, times in milliseconds, several devices (visitors) of one customer, a page that one
    customer reloads all day, and four rows that cannot be used.

    Parameters
    ----------
    path : str or Path
        Of the file; one that is there is replaced.
    rng : int or numpy Generator
        Decides every random choice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_shop_log(Path(folder, "shop.csv"), rng=0)
    ...     print(Path(folder, "shop.csv").read_text().splitlines()[0])
    visitor_id,customer_id,sku,product_name,event_type,event_time,price
    """
    rng = np.random.default_rng(rng)
    made = make_ratings(
        N_CUSTOMERS, N_PRODUCTS, N_PAIRS, noise=0.3, drift=0.4, star_step=None, rng=rng
    )
    pairs = made.ratings
    suits = pairs["rating"].rank(pct=True)
    events = pd.concat(
        [
            _visits(pairs[suits > LOOKED_AT], rng),
            _steps(pairs[suits > PUT_INTO_CART], "add_to_cart", 600),
            _steps(pairs[suits > BOUGHT], "purchase", 900),
            _reloads(pairs),
        ]
    ).sort_values("timestamp", kind="stable")
    lines = _lines(events, _products(made.items, rng), rng)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_spoiled(lines))


def _visits(pairs: pd.DataFrame, rng: Generator) -> pd.DataFrame:
    """Each pair once, and for some the same again within a week."""
    again = pairs.loc[pairs.index.repeat(rng.geometric(0.6, len(pairs)) - 1)]
    later = again.assign(timestamp=again["timestamp"] + rng.integers(60, WEEK, len(again)))
    return pd.concat([pairs, later]).assign(event="view")


def _steps(pairs: pd.DataFrame, event: str, seconds: int) -> pd.DataFrame:
    return pairs.assign(event=event, timestamp=pairs["timestamp"] + seconds)


def _reloads(pairs: pd.DataFrame) -> pd.DataFrame:
    """One customer, one product of middling popularity, every twenty seconds."""
    counts = pairs["item_id"].value_counts()
    row = pairs[pairs["item_id"] == counts.index[len(counts) // 2]].iloc[-1:]
    many = row.loc[row.index.repeat(N_RELOADS)]
    times = many["timestamp"] + 20 * np.arange(N_RELOADS)
    reloads: pd.DataFrame = many.assign(event="view", timestamp=times)
    return reloads


def _products(items: pd.DataFrame, rng: Generator) -> pd.DataFrame:
    """Number, name and price of each product, by the id of the synthetic item."""
    flags = items.filter(like=GENRE_PREFIX)
    department = np.asarray(DEPARTMENTS)[flags.to_numpy().argmax(axis=1)]
    number = items["item_id"].to_numpy()
    sku = np.array([f"{k:04d}" for k in number], dtype=object)
    old = rng.choice(np.arange(100, N_PRODUCTS), N_OLD, replace=False)
    twins = rng.choice(np.arange(1, 100), N_OLD, replace=False)
    sku[old] = twins.astype(str)
    return pd.DataFrame(
        {
            "sku": sku,
            "name": [f"{kind} {k}" for kind, k in zip(department, number, strict=True)],
            "price": np.round(rng.gamma(3.0, 4.0, len(items)) + 0.9, 2),
        },
        index=number,
    )


def _lines(events: pd.DataFrame, products: pd.DataFrame, rng: Generator) -> list[list[Any]]:
    own = products.loc[events["item_id"]]
    customer = events["user_id"].to_numpy()
    # A customer's first device has their number, and some have one or two more.
    device = customer + N_CUSTOMERS * np.minimum(rng.geometric(0.7, len(events)) - 1, 2)
    milliseconds = (events["timestamp"] + LATER) * 1000 + rng.integers(0, 1000, len(events))
    columns = [
        [f"v{10_000 + number}" for number in device],
        [f"{number:05d}" for number in customer],
        own["sku"],
        own["name"],
        events["event"],
        milliseconds,
        own["price"].map("{:.2f}".format),
    ]
    return [list(line) for line in zip(*columns, strict=True)]


def _spoiled(lines: list[list[Any]]) -> list[list[Any]]:
    """Four rows as they stand where an export was cut, or a guest was not logged in."""
    n = len(lines)
    lines[n // 5][COLUMNS.index("customer_id")] = ""
    lines[2 * n // 5][COLUMNS.index("event_time")] = "n/a"
    lines[3 * n // 5][COLUMNS.index("sku")] = ""
    lines[4 * n // 5] = lines[4 * n // 5][:3]
    return lines
