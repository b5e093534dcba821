"""Small logs in the formats of public data sets: how each is written, and what it must be read as.

Six rows are written by each generator in its own way; what must come back is what went in.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

USERS = [196, 186, 22, 244, 166, 196]
ITEMS = [242, 302, 377, 51, 346, 377]
STARS = [3.0, 3.0, 1.0, 2.0, 1.0, 4.0]
COUNTS = [2137.0, 1099.0, 897.0, 717.0, 12.0, 1.0]
TIMES = [881250949, 891717742, 878887116, 880606923, 886397596, 884182806]
SHA = [f"{user:040x}" for user in USERS]
ASIN = [f"0000{item:06d}" for item in ITEMS]
REVIEWER = [f"A{user:012d}X" for user in USERS]
TITLES = [f"Film {item}, The" for item in ITEMS]


@dataclass(frozen=True)
class Shape:
    """One way to write the log.

    Attributes
    ----------
    write : callable
        Given a folder, writes the file there and returns its path, or returns a table.
    expected : dict of str to list
        Columns of the frame that must be read.
    said : dict
        What a caller has to say; without it the shape must be refused.
    """

    write: Callable[[Path], Any]
    expected: dict[str, list[Any]]
    said: dict[str, Any] = field(default_factory=dict)


def log(user_id=USERS, item_id=ITEMS, **columns):
    return {"user_id": list(user_id), "item_id": list(item_id), **columns}


RATED = log(rating=STARS)
TIMED = log(rating=STARS, timestamp=TIMES)


def text(name, lines, encoding="utf-8", end="\n", pack=None):
    def write(folder):
        data = (end.join(lines) + end).encode(encoding)
        (folder / name).write_bytes(pack(data) if pack else data)
        return folder / name

    return write


def rows(delimiter, *columns, header=None):
    lines = [delimiter.join(map(str, row)) for row in zip(*columns, strict=True)]
    return [header, *lines] if header else lines


def dates(form, times=TIMES):
    return [datetime.fromtimestamp(time, UTC).strftime(form) for time in times]


def midnight(times=TIMES):
    return [time - time % 86_400 for time in times]


def json_lines(**columns):
    return [
        json.dumps(dict(zip(columns, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]


def whole(values):
    return [int(value) for value in values]


def zipped(*names, body):
    def write(folder):
        with zipfile.ZipFile(folder / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, body if name.endswith("ratings.csv") else "see the site\n")
        return folder / "archive.zip"

    return write


def zstd_file(name, lines):
    def write(folder):
        with pa.CompressedOutputStream(str(folder / name), "zstd") as stream:
            stream.write(("\n".join(lines) + "\n").encode())
        return folder / name

    return write


FRAME = pd.DataFrame({"user_id": USERS, "item_id": ITEMS, "rating": STARS, "timestamp": TIMES})
MOVIELENS = rows(",", USERS, ITEMS, STARS, TIMES, header="userId,movieId,rating,timestamp")


def frame_file(name, method, **options):
    def write(folder):
        getattr(FRAME, method)(folder / name, **options)
        return folder / name

    return write


def sqlite(folder):
    connection = sqlite3.connect(folder / "shop.db")
    FRAME.to_sql("ratings", connection, index=False)
    connection.close()
    return folder / "shop.db"


def sqlite_of_two(folder):
    path = sqlite(folder)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE films (id, title)")
    connection.close()
    return path


def duckdb_file(folder):
    frame = FRAME.assign(timestamp=pd.to_datetime(FRAME["timestamp"], unit="s"))
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.register("frame", frame)
        connection.execute("CREATE TABLE ratings AS SELECT * FROM frame")
    return folder / "shop.duckdb"


def netflix_blocks(folder):
    lines = []
    for item in dict.fromkeys(ITEMS):
        lines.append(f"{item}:")
        found = zip(USERS, ITEMS, whole(STARS), dates("%Y-%m-%d"), strict=True)
        lines += [f"{user},{star},{day}" for user, of, star, day in found if of == item]
    return text("combined_data_1.txt", lines)(folder)


IN_BLOCKS = [0, 1, 2, 5, 3, 4]  # rows in the order of their items


def blocks(values):
    return [values[k] for k in IN_BLOCKS]


LISTS = ["166 346", "22 377", "186 302", "196 242 377", "244 51"]
LISTED = {"user_id": [166, 22, 186, 196, 196, 244], "item_id": [346, 377, 302, 242, 377, 51]}
SVM = ["166 346:1", "22 377:1", "186 302:3", "196 242:3 377:4", "244 51:2"]
WIDE = [
    "user,Heat,Up,Big,Alien",
    "ann,5,,3,",
    "bob,,4,,2.5",
]
WIDE_LONG = {
    "user_id": ["ann", "ann", "bob", "bob"],
    "item_id": ["Heat", "Big", "Up", "Alien"],
    "rating": [5.0, 3.0, 4.0, 2.5],
}
JESTER = ["7.82,99,99,-9.17", "99,1.5,0.0,99", "4.08,-0.29,6.36,4.37"]
JESTER_LONG = {
    "user_id": [1, 1, 2, 2, 3, 3, 3, 3],
    "item_id": [1, 4, 2, 3, 1, 2, 3, 4],
    "rating": [7.82, -9.17, 1.5, 0.0, 4.08, -0.29, 6.36, 4.37],
}
EVENTS = ["view", "view", "addtocart", "view", "transaction", "view"]
ZEROED = [0.0, 3.0, 0.0, 2.0, 0.0, 4.0]
NAN = float("nan")

SHAPES: dict[str, Shape] = {
    "MovieLens 100K, u.data": Shape(
        text("u.data", rows("\t", USERS, ITEMS, whole(STARS), TIMES)), TIMED
    ),
    "MovieLens 1M, ratings.dat": Shape(
        text("ratings.dat", rows("::", USERS, ITEMS, whole(STARS), TIMES)), TIMED
    ),
    "MovieLens latest, ratings.csv": Shape(text("ratings.csv", MOVIELENS, end="\r\n"), TIMED),
    "CSV under gzip": Shape(text("ratings.csv.gz", MOVIELENS, pack=gzip.compress), TIMED),
    "CSV under bzip2": Shape(text("ratings.csv.bz2", MOVIELENS, pack=bz2.compress), TIMED),
    "CSV under xz": Shape(text("ratings.csv.xz", MOVIELENS, pack=lzma.compress), TIMED),
    "CSV under zstd": Shape(zstd_file("ratings.csv.zst", MOVIELENS), TIMED),
    "CSV under gzip with a plain name": Shape(
        text("ratings.csv", MOVIELENS, pack=gzip.compress), TIMED
    ),
    "zip of one table and a note": Shape(
        zipped("ml/README.txt", "ml/ratings.csv", body="\n".join(MOVIELENS)), TIMED
    ),
    "zip of two tables": Shape(
        zipped("ml/movies.csv", "ml/ratings.csv", body="\n".join(MOVIELENS)),
        TIMED,
        {"table": "ml/ratings.csv"},
    ),
    "MovieTweetings, items with leading zeros": Shape(
        text("ratings.dat", rows("::", USERS, ASIN, whole(STARS), TIMES)),
        log(item_id=ASIN, rating=STARS, timestamp=TIMES),
    ),
    "goodbooks ratings": Shape(
        text("ratings.csv", rows(",", USERS, ITEMS, whole(STARS), header="user_id,book_id,rating")),
        RATED,
    ),
    "goodbooks to_read": Shape(
        text("to_read.csv", rows(",", USERS, ITEMS, header="user_id,book_id")), log()
    ),
    "Netflix blocks": Shape(
        netflix_blocks,
        {
            "user_id": blocks(USERS),
            "item_id": blocks(ITEMS),
            "rating": blocks(STARS),
            "timestamp": blocks(midnight()),
        },
    ),
    "Netflix CSV": Shape(
        text(
            "netflix.csv",
            rows(",", USERS, ITEMS, STARS, dates("%Y-%m-%d"), header="CustId,MovieId,Rating,Date"),
        ),
        log(rating=STARS, timestamp=midnight()),
    ),
    "Amazon, item first, no header": Shape(
        text("ratings_Books.csv", rows(",", ASIN, REVIEWER, STARS, TIMES)),
        log(REVIEWER, ASIN, rating=STARS, timestamp=TIMES),
        {"user": 2},
    ),
    "Amazon 2014, JSON lines": Shape(
        text(
            "reviews.json.gz",
            json_lines(
                reviewerID=REVIEWER,
                asin=ASIN,
                reviewerName=SHA,
                helpful=[[0, 1]] * 6,
                reviewText=['A {curly} "quoted" text'] * 6,
                overall=STARS,
                summary=["fine"] * 6,
                unixReviewTime=TIMES,
                reviewTime=dates("%m %d, %Y"),
            ),
            pack=gzip.compress,
        ),
        log(REVIEWER, ASIN, rating=STARS, timestamp=TIMES),
    ),
    "Amazon 2023, CSV in ms": Shape(
        text(
            "Books.csv",
            rows(
                *(",", REVIEWER, ASIN, STARS, [time * 1000 + 7 for time in TIMES]),
                header="user_id,parent_asin,rating,timestamp",
            ),
        ),
        log(REVIEWER, ASIN, rating=STARS, timestamp=TIMES),
    ),
    "Amazon 2023, JSON lines with two ids of the item": Shape(
        text(
            "Books.jsonl",
            json_lines(
                rating=STARS,
                title=["Great", "Bad", "So so", "Great", "Why", "Never"],
                asin=SHA,
                parent_asin=ASIN,
                user_id=REVIEWER,
                timestamp=[time * 1000 for time in TIMES],
            ),
        ),
        log(REVIEWER, ASIN, rating=STARS, timestamp=TIMES),
        {"item": "parent_asin"},
    ),
    "Book-Crossing, zeros mean no stars": Shape(
        text(
            "BX-Book-Ratings.csv",
            [
                '"User-ID";"ISBN";"Book-Rating"',
                *(f'"{u}";"{i}é";"{s:.0f}"' for u, i, s in zip(USERS, ASIN, ZEROED, strict=True)),
            ],
            encoding="latin-1",
        ),
        log(item_id=[f"{item}é" for item in ASIN], rating=[NAN, 3.0, NAN, 2.0, NAN, 4.0]),
        {"zeros": "implicit"},
    ),
    "Last.fm HetRec, user_artists.dat": Shape(
        text(
            "user_artists.dat",
            rows("\t", USERS, ITEMS, whole(COUNTS), header="userID\tartistID\tweight"),
        ),
        log(weight=COUNTS),
    ),
    "Last.fm 360K, no header": Shape(
        text("usersha1-artmbid.tsv", rows("\t", SHA, REVIEWER, TITLES, whole(COUNTS))),
        log(SHA, REVIEWER, weight=COUNTS),
        {"user": 1, "item": 2, "weight": 4},
    ),
    "Last.fm 1K, no header": Shape(
        text(
            "userid-timestamp.tsv", rows("\t", REVIEWER, dates("%Y-%m-%dT%H:%M:%SZ"), SHA, TITLES)
        ),
        log(REVIEWER, SHA, timestamp=TIMES),
        {"user": 1, "item": 3},
    ),
    "RetailRocket events in ms": Shape(
        text(
            "events.csv",
            rows(
                *(",", [time * 1000 + 117 for time in TIMES], USERS, EVENTS, ITEMS, [""] * 6),
                header="timestamp,visitorid,event,itemid,transactionid",
            ),
        ),
        log(timestamp=TIMES, event=EVENTS),
    ),
    "Yoochoose clicks, no header": Shape(
        text(
            "yoochoose-clicks.dat",
            rows(",", USERS, dates("%Y-%m-%dT%H:%M:%S.277Z"), ITEMS, [0] * 6),
        ),
        log(timestamp=TIMES),
        {"user": 1, "item": 3, "rating": False},
    ),
    "Gowalla check-ins, no header": Shape(
        text(
            "Gowalla_totalCheckins.txt",
            rows("\t", USERS, dates("%Y-%m-%dT%H:%M:%SZ"), [30.2] * 6, [-97.7] * 6, ITEMS),
        ),
        log(timestamp=TIMES),
        {"user": 1, "item": 5},
    ),
    "Gowalla of LightGCN, lists of items": Shape(text("train.txt", LISTS), LISTED),
    "LibSVM-like lines with ratings": Shape(
        text("train.svm", SVM), {**LISTED, "rating": [1.0, 1.0, 3.0, 3.0, 4.0, 2.0]}
    ),
    "Epinions, spaces, no header": Shape(
        text("ratings_data.txt", rows(" ", USERS, ITEMS, whole(STARS))),
        RATED,
        {"user": 1, "item": 2},
    ),
    "KONECT network with remarks": Shape(
        text(
            "out.movielens",
            ["% bip weighted", "% 6 5 5", *rows(" ", USERS, ITEMS, whole(STARS), TIMES)],
        ),
        TIMED,
        {"user": 1, "item": 2},
    ),
    "CiaoDVD, six columns, no header": Shape(
        text(
            "movie-ratings.txt",
            rows(",", USERS, ITEMS, [12] * 6, USERS[::-1], whole(STARS), dates("%Y-%m-%d")),
        ),
        log(rating=STARS, timestamp=midnight()),
        {"user": 1, "item": 2, "rating": 5},
    ),
    "Anime, -1 means watched": Shape(
        text(
            "rating.csv",
            rows(",", USERS, ITEMS, [-1, 8, 10, -1, 7, 6], header="user_id,anime_id,rating"),
        ),
        {
            "user_id": [USERS[k] for k in (1, 2, 4, 5)],
            "item_id": [ITEMS[k] for k in (1, 2, 4, 5)],
            "rating": [8.0, 10.0, 7.0, 6.0],
        },
        {"missing_values": (-1,)},
    ),
    "MyAnimeList, user names": Shape(
        text(
            "animelists.csv",
            rows(",", SHA, ITEMS, whole(STARS), header="username,anime_id,my_score"),
        ),
        log(SHA, rating=STARS),
    ),
    "Steam 200K, no header, hours": Shape(
        text(
            "steam-200k.csv",
            [
                f'{user},"{title}",play,{count},0'
                for user, title, count in zip(USERS, TITLES, COUNTS, strict=True)
            ],
        ),
        log(item_id=TITLES, weight=COUNTS, event=["play"] * 6),
        {"user": 1, "item": 2, "event": 3, "weight": 4},
    ),
    "UCI Online Retail, American dates": Shape(
        text(
            "online_retail.csv",
            rows(
                *(",", [536365] * 6, ASIN, ['"MUG, RED"'] * 6, whole(COUNTS)),
                dates("%m/%d/%Y %H:%M"),
                *([2.55] * 6, USERS, ["United Kingdom"] * 6),
                header="InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,"
                "CustomerID,Country",
            ),
        ),
        log(item_id=ASIN, weight=COUNTS, timestamp=[time - time % 60 for time in TIMES]),
    ),
    "H&M transactions": Shape(
        text(
            "transactions_train.csv",
            rows(
                *(",", dates("%Y-%m-%d"), SHA, ASIN, [0.0508] * 6, [2] * 6),
                header="t_dat,customer_id,article_id,price,sales_channel_id",
            ),
        ),
        log(SHA, ASIN, timestamp=midnight()),
    ),
    "Taobao behavior, no header": Shape(
        text("UserBehavior.csv", rows(",", USERS, ITEMS, [4756105] * 6, ["pv"] * 6, TIMES)),
        log(timestamp=TIMES, event=["pv"] * 6),
        {"user": 1, "item": 2, "event": 4, "rating": False},
    ),
    "KuaiRec, watch ratio and three times": Shape(
        text(
            "small_matrix.csv",
            rows(
                *(",", USERS, ITEMS, [4381] * 6, dates("%Y-%m-%d %H:%M:%S.378"), dates("%Y%m%d")),
                *([f"{time}.378" for time in TIMES], STARS),
                header="user_id,video_id,play_duration,time,date,timestamp,watch_ratio",
            ),
        ),
        log(weight=STARS, timestamp=TIMES),
    ),
    "RecBole .inter": Shape(
        text(
            "ml-100k.inter",
            rows(
                *("\t", USERS, ITEMS, whole(STARS), TIMES),
                header="user_id:token\titem_id:token\trating:float\ttimestamp:float",
            ),
        ),
        TIMED,
    ),
    "Yelp, JSON lines": Shape(
        text(
            "yelp_academic_dataset_review.json",
            json_lines(
                review_id=SHA,
                user_id=REVIEWER,
                business_id=SHA,
                stars=STARS,
                useful=[0] * 6,
                text=['Nice,\n"really"'] * 6,
                date=dates("%Y-%m-%d %H:%M:%S"),
            ),
        ),
        log(REVIEWER, SHA, rating=STARS, timestamp=TIMES),
    ),
    "BeerAdvocate": Shape(
        text(
            "beer_reviews.csv",
            rows(
                *(",", [10325] * 6, TIMES, STARS, [2.0] * 6, REVIEWER, ["Ale"] * 6, ITEMS),
                header="brewery_id,review_time,review_overall,review_aroma,review_profilename,"
                "beer_style,beer_beerid",
            ),
        ),
        log(REVIEWER, rating=STARS, timestamp=TIMES),
    ),
    "Food.com": Shape(
        text(
            "RAW_interactions.csv",
            rows(
                *(",", USERS, ITEMS, dates("%Y-%m-%d"), whole(STARS), ['"Good, ""very"""'] * 6),
                header="user_id,recipe_id,date,rating,review",
            ),
        ),
        log(rating=STARS, timestamp=midnight()),
    ),
    "Goodreads, JSON lines, zeros and long dates": Shape(
        text(
            "goodreads_interactions.json",
            json_lines(
                user_id=SHA,
                book_id=[str(item) for item in ITEMS],
                is_read=[True] * 6,
                rating=whole(ZEROED),
                date_added=dates("%a %b %d %H:%M:%S -0000 %Y"),
            ),
        ),
        {
            "user_id": [SHA[k] for k in (1, 3, 5)],
            "item_id": [ITEMS[k] for k in (1, 3, 5)],
            "rating": [3.0, 2.0, 4.0],
            "timestamp": [TIMES[k] for k in (1, 3, 5)],
        },
        {"zeros": "drop"},
    ),
    "Million Song triplets, no header": Shape(
        text("train_triplets.txt", rows("\t", SHA, REVIEWER, whole(COUNTS))),
        log(SHA, REVIEWER, weight=COUNTS),
        {"user": 1, "item": 2, "weight": 3},
    ),
    "KKBox, repeated listening": Shape(
        text(
            "train.csv",
            rows(
                *(",", REVIEWER, SHA, ["discover"] * 6, [1, 0, 1, 0, 1, 1]),
                header="msno,song_id,source_system_tab,target",
            ),
        ),
        log(REVIEWER, SHA, rating=[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]),
        {"zeros": "keep"},
    ),
    "Foursquare, no header, long dates, latin-1": Shape(
        text(
            "dataset_TSMC2014_NYC.txt",
            rows(
                "\t", USERS, REVIEWER, ["Café"] * 6, [40.7] * 6, dates("%a %b %d %H:%M:%S +0000 %Y")
            ),
            encoding="latin-1",
        ),
        log(item_id=REVIEWER, timestamp=TIMES),
        {"user": 1, "item": 2, "rating": False},
    ),
    "Google Analytics, microseconds": Shape(
        text(
            "events.csv",
            rows(
                *(",", SHA, EVENTS, [time * 10**6 for time in TIMES], ITEMS),
                header="user_pseudo_id,event_name,event_timestamp,item_id",
            ),
        ),
        log(SHA, timestamp=TIMES, event=EVENTS),
    ),
    "REES46 shop events, UTC in words": Shape(
        text(
            "2019-Oct.csv",
            rows(
                *(
                    ",",
                    dates("%Y-%m-%d %H:%M:%S UTC"),
                    EVENTS,
                    ITEMS,
                    ["a.b"] * 6,
                    [9.5] * 6,
                    USERS,
                ),
                header="event_time,event_type,product_id,category_code,price,user_id",
            ),
        ),
        log(timestamp=TIMES, event=EVENTS),
    ),
    "dunnhumby, household and quantity": Shape(
        text(
            "transaction_data.csv",
            rows(
                *(",", USERS, [26984851472] * 6, range(1, 7), ITEMS, whole(COUNTS), [1.39] * 6),
                header="household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE",
            ),
        ),
        log(weight=COUNTS, timestamp=[1, 2, 3, 4, 5, 6]),
    ),
    "Jester, a matrix without a header": Shape(
        text("jester-data-1.csv", JESTER),
        JESTER_LONG,
        {"layout": "wide", "missing_values": (99,)},
    ),
    "wide matrix of names": Shape(text("matrix.csv", WIDE), WIDE_LONG),
    "wide pandas pivot": Shape(
        lambda folder: pd.DataFrame(WIDE_LONG).pivot(
            index="user_id", columns="item_id", values="rating"
        ),
        {
            "user_id": ["ann", "ann", "bob", "bob"],
            "item_id": ["Big", "Heat", "Alien", "Up"],
            "rating": [3.0, 5.0, 2.5, 4.0],
        },
    ),
    "R, write.csv with row names": Shape(
        text(
            "ratings.csv",
            [
                '"","user","item","rating"',
                *(
                    f'"{k}","u{user}","i{item}",{star:g}'
                    for k, (user, item, star) in enumerate(zip(USERS, ITEMS, STARS, strict=True), 1)
                ),
            ],
        ),
        log([f"u{user}" for user in USERS], [f"i{item}" for item in ITEMS], rating=STARS),
    ),
    "pandas to_csv with its index": Shape(frame_file("ratings.csv", "to_csv"), TIMED),
    "European Excel, decimal comma and dots in dates": Shape(
        text(
            "Bewertungen.csv",
            rows(
                *(";", USERS, ITEMS, [f"{star:.1f}".replace(".", ",") for star in STARS]),
                dates("%d.%m.%Y"),
                header="User;Item;Rating;Date",
            ),
            encoding="utf-8-sig",
        ),
        log(rating=STARS, timestamp=midnight()),
    ),
    "Excel as Unicode text": Shape(
        text(
            "ratings.txt",
            rows("\t", USERS, ITEMS, STARS, header="User ID\tItem ID\tRating"),
            encoding="utf-16",
        ),
        RATED,
    ),
    "Excel workbook": Shape(frame_file("ratings.xlsx", "to_excel", index=False), TIMED),
    "Parquet": Shape(frame_file("ratings.parquet", "to_parquet"), TIMED),
    "Feather": Shape(frame_file("ratings.feather", "to_feather"), TIMED),
    "JSON array": Shape(frame_file("ratings.json", "to_json", orient="records", indent=2), TIMED),
    "JSON by columns": Shape(frame_file("ratings.json", "to_json"), TIMED),
    "JSON lines of pandas": Shape(
        frame_file("ratings.jsonl", "to_json", orient="records", lines=True), TIMED
    ),
    "SQLite": Shape(sqlite, TIMED),
    "SQLite with two tables": Shape(sqlite_of_two, TIMED, {"table": "ratings"}),
    "DuckDB": Shape(duckdb_file, TIMED),
    "pandas frame": Shape(lambda folder: FRAME, TIMED),
    "pandas frame with ids in its index": Shape(
        lambda folder: FRAME.set_index(["user_id", "item_id"]), TIMED
    ),
    "Polars frame": Shape(lambda folder: pl.from_pandas(FRAME), TIMED),
    "Polars frame of text and categories": Shape(
        lambda folder: pl.DataFrame(
            {"user": SHA, "item": ASIN, "rating": STARS, "event": EVENTS, "title": TITLES}
        ).with_columns(pl.col("user").cast(pl.Categorical), pl.col("event").cast(pl.Categorical)),
        log(SHA, ASIN, rating=STARS, event=EVENTS),
    ),
    "pyarrow table of views": Shape(
        lambda folder: pa.table(
            {
                "user": pa.array(SHA, pa.string_view()),
                "item": pa.array(ASIN, pa.string_view()),
                "date": pa.array(TIMES, pa.timestamp("s", "Europe/Rome")),
            }
        ),
        log(SHA, ASIN, timestamp=TIMES),
    ),
    "pyarrow table": Shape(lambda folder: pa.Table.from_pandas(FRAME), TIMED),
    "DuckDB relation": Shape(lambda folder: duckdb.from_arrow(pa.Table.from_pandas(FRAME)), TIMED),
}
