"""From a foreign file to a first list: five formats of public logs, at the sizes of those logs.

The rows are synthetic, with planted taste; only how they are written is that of the public file.
The title tells the clock seconds of the two commands for each file, in fresh processes: `train`
(read, compare, choose, refit, store) and `recommend` for one person. The cases read the files.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha1
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from nbhelpers.commands.model_folder import load_recommender
from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.ratings_file.read import read_ratings
from tests.benchmarks.measure import Benchmark, Case

SEED = 42
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Foreign:
    """A public log: how many users, items and rows it has, how a file of it looks, what to say."""

    name: str
    size: tuple[int, int, int]
    write: Callable[[pd.DataFrame, Path], Path]
    options: Sequence[str] = ()


def amazon(ratings: pd.DataFrame, folder: Path) -> Path:
    """Ratings only, without a header."""
    return _csv(_reviews(ratings), folder / "ratings_Beauty.csv", header=False)


def book_crossing(ratings: pd.DataFrame, folder: Path) -> Path:
    """Quoted fields between semicolons, in Latin-1; 0 stands for a book without a rating."""
    rng = np.random.default_rng(SEED)
    stars = np.where(rng.random(len(ratings)) < 0.6, 0, 2 * ratings["rating"]).astype(int)
    frame = pd.DataFrame(
        {
            "User-ID": ratings["user_id"].astype(str),
            "ISBN": ratings["item_id"].map("{:010d}".format),
            "Book-Rating": stars.astype(str),
        }
    )
    frame["ISBN"] = frame["ISBN"].mask(ratings["item_id"] == 7, "00000000é7")
    return _csv(frame, folder / "BX-Book-Ratings.csv", sep=";", quoting=1, encoding="latin-1")


def last_fm(ratings: pd.DataFrame, folder: Path) -> Path:
    """Users by hash, artists by id and name, and counts of plays."""
    rng = np.random.default_rng(SEED)
    plays = np.ceil(rng.lognormal(3, 1.5, len(ratings)) * ratings["rating"]).astype(int)
    names = {user: sha1(str(user).encode()).hexdigest() for user in ratings["user_id"].unique()}
    frame = pd.DataFrame(
        {
            "user": ratings["user_id"].map(names),
            "artist": ratings["item_id"].map("{:08x}-0000-4000-8000-000000000000".format),
            "name": ratings["item_id"].map("Artist {}".format),
            "plays": plays,
        }
    )
    return _csv(frame, folder / "usersha1-artmbid-artname-plays.tsv", sep="\t", header=False)


def retail_rocket(ratings: pd.DataFrame, folder: Path) -> Path:
    """Events in milliseconds: looks, things put into a cart, purchases."""
    event = ratings["rating"].map({5: "addtocart"}).fillna("view")
    event = event.mask((ratings["rating"] == 5) & (ratings["item_id"] % 2 == 0), "transaction")
    frame = pd.DataFrame(
        {
            "timestamp": ratings["timestamp"] * 1000,
            "visitorid": ratings["user_id"],
            "event": event,
            "itemid": ratings["item_id"],
            "transactionid": ratings["timestamp"].where(event == "transaction").astype("Int64"),
        }
    )
    return _csv(frame, folder / "events.csv")


def reviews(ratings: pd.DataFrame, folder: Path) -> Path:
    """Reviews as lines of JSON, packed."""
    path = folder / "reviews_Digital_Music_5.json.gz"
    records = _reviews(ratings).to_dict("records")
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(f"{json.dumps({**row, 'reviewText': 'Good.'})}\n" for row in records)
    return path


FOREIGN = (
    Foreign(
        "Amazon ratings, no header",
        (50_000, 12_000, 570_000),
        amazon,
        ("--user", "1", "--item", "2"),
    ),
    Foreign(
        "Book-Crossing, ; and Latin-1",
        (70_000, 30_000, 1_150_000),
        book_crossing,
        ("--zeros", "implicit"),
    ),
    Foreign(
        "Last.fm, hashes and counts",
        (1_892, 17_632, 92_834),
        last_fm,
        ("--user", "1", "--item", "2", "--title", "3", "--weight", "4"),
    ),
    Foreign("RetailRocket, events", (100_000, 50_000, 1_000_000), retail_rocket),
    Foreign("reviews, JSON lines in gzip", (5_541, 3_568, 64_706), reviews),
)


def benchmark() -> Benchmark:
    """Five foreign logs at their sizes."""
    return of(FOREIGN, tempfile.TemporaryDirectory(), first_list)


def of(
    foreign: Sequence[Foreign],
    folder: tempfile.TemporaryDirectory[str],
    first_list: Callable[[Path, Foreign], str],
) -> Benchmark:
    """The benchmark of any logs; ``first_list`` tells what two commands took."""
    paths = [log.write(_rows(log), Path(folder.name)) for log in foreign]
    told = "; ".join(
        f"{log.name} ({log.size[2]:,} rows): {first_list(path, log)}"
        for path, log in zip(paths, foreign, strict=True)
    )
    cases = [
        Case(log.name, partial(_reading, path, log, folder))
        for path, log in zip(paths, foreign, strict=True)
    ]
    return Benchmark(f"Reading foreign logs; to a first list, {told}", cases, "rows", float)


def first_list(path: Path, log: Foreign) -> str:
    """Train on a file and make a list for the first user, each in a fresh process."""
    model = path.with_suffix(".model")
    trained = _seconds("train", str(path), "--out", str(model), *log.options)
    user = load_recommender(model).users.ids[0]
    listed = _seconds("recommend", str(model), "--user", str(user))
    return f"train {trained:.0f} s, recommend {listed:.1f} s"


def _seconds(*arguments: str) -> float:
    command = [sys.executable, "-m", "nbhelpers", *arguments]
    started = perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-800:]}")
    print(f"{' '.join(arguments)}\n{done.stdout[-1500:]}", file=sys.stderr, flush=True)
    return perf_counter() - started


def _rows(log: Foreign) -> pd.DataFrame:
    n_users, n_items, n_rows = log.size
    return make_ratings(n_users, n_items, n_rows, rng=SEED).ratings


def _reviews(ratings: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "reviewerID": ratings["user_id"].map("A{:012d}X".format),
            "asin": ratings["item_id"].map("B{:09d}".format),
            "overall": ratings["rating"],
            "unixReviewTime": ratings["timestamp"] // 86_400 * 86_400,
        }
    )


def _csv(frame: pd.DataFrame, path: Path, **options: object) -> Path:
    frame.to_csv(path, index=False, **options)  # type: ignore[call-overload]
    return path


def _reading(
    path: Path, log: Foreign, folder: tempfile.TemporaryDirectory[str]
) -> Callable[[], int]:
    """Reads the file; the folder is removed with the last case."""
    said = {name: int(value) if value.isdigit() else value for name, value in _said(log)}
    return lambda: len(read_ratings(path, **said).frame) if folder else 0


def _said(log: Foreign) -> Iterator[tuple[str, str]]:
    names = (option.removeprefix("--") for option in log.options[::2])
    return zip(names, log.options[1::2], strict=True)
