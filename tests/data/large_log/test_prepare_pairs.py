"""Judged by pandas and plain loops: the same core, parts and counts, and not a row lost."""

import hashlib

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.large_log.part_rules import FromDate, LastRows, RandomShare
from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
from nbhelpers.data.large_log.prepared import load_prepared
from nbhelpers.data.splits import last_like_out, leave_last_out
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.streaming import StreamedPairs, scan_pairs

PAIR = ["user_id", "item_id"]


def make_log(n_rows=3_000, n_users=80, n_items=60, *, seed=0, distinct_times=True):
    rng = np.random.default_rng(seed)
    log = pd.DataFrame(
        {
            "user_id": (n_users * rng.random(n_rows) ** 2).astype(int) + 1,
            "item_id": (n_items * rng.random(n_rows) ** 2).astype(int) * 3,
            "rating": rng.integers(1, 6, n_rows).astype(float),
        }
    ).drop_duplicates(PAIR)
    n_times = len(log) if distinct_times else 5
    times = rng.permutation(len(log)) if distinct_times else rng.integers(n_times, size=len(log))
    return log.assign(timestamp=times).reset_index(drop=True)


def prepared_of(log, folder, **chosen):
    folder.mkdir(exist_ok=True)
    log.to_parquet(folder / "log.parquet")
    chosen = {"split": None, "n_threads": 1, **chosen}
    return prepare_pairs(folder / "log.parquet", folder / "pairs", **chosen)


def read(prepared, path):
    """Rows of a part with the ids that the folder itself names."""
    users, items = pd.read_parquet(prepared.users), pd.read_parquet(prepared.items)
    rows = pd.read_parquet(path)
    return rows.assign(
        user_id=users["user_id"].to_numpy()[rows["user_idx"]],
        item_id=items["item_id"].to_numpy()[rows["item_idx"]],
    )


def pairs_of(frame):
    return set(frame[PAIR].itertuples(index=False, name=None))


def core_by_loop(pairs, least_user, least_item):
    """Users and items leave one at a time, the first who may."""
    pairs = set(pairs)
    while True:
        users, items = zip(*pairs, strict=True) if pairs else ((), ())
        few_users = [user for user in set(users) if users.count(user) < least_user]
        few_items = [item for item in set(items) if items.count(item) < least_item]
        if not few_users and not few_items:
            return pairs
        gone = (0, few_users[0]) if few_users else (1, few_items[0])
        pairs = {pair for pair in pairs if pair[gone[0]] != gone[1]}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pairs=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=40),
    least=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_the_core_is_that_of_a_plain_loop(tmp_path_factory, pairs, least):
    log = pd.DataFrame(sorted(pairs), columns=PAIR)
    chosen = {"min_per_user": least[0], "min_per_item": least[1]}
    folder = tmp_path_factory.mktemp("core")
    expected = core_by_loop(pairs, *least)
    if not expected:
        with pytest.raises(ValueError, match="no row is left with"):
            prepared_of(log, folder, **chosen)
        return
    prepared = prepared_of(log, folder, **chosen)
    assert pairs_of(read(prepared, prepared.train)) == expected


def test_each_users_last_two_rows_are_those_of_leave_last_out(tmp_path):
    log = make_log()
    prepared = prepared_of(log, tmp_path, split=LastRows(3))
    parts = leave_last_out(log, n_parts=3, rng=0)
    for path, part in zip((prepared.train, prepared.valid, prepared.test), parts, strict=True):
        assert pairs_of(read(prepared, path)) == pairs_of(part)
        assert len(pd.read_parquet(path)) == len(part)


@pytest.mark.parametrize("n_parts", [2, 3])
def test_last_likes_and_what_was_seen_before_are_those_of_last_like_out(tmp_path, n_parts):
    log = make_log(seed=1)
    prepared = prepared_of(log, tmp_path, split=LastRows(n_parts), min_rating=4)
    parts = last_like_out(log, n_parts=n_parts, rng=0)
    liked = log.loc[log["rating"] >= 4]
    kept = log["user_id"].isin(liked["user_id"]) & log["item_id"].isin(liked["item_id"])
    by_user = read(prepared, prepared.by_user)
    assert len(by_user) == kept.sum()
    for number, part in enumerate(parts):
        part = part[part.index.isin(log.index[kept])]
        assert pairs_of(by_user[by_user["part"] == number]) == pairs_of(part)
        path = prepared.folder / ("train", "valid", "test")[number]
        assert pairs_of(read(prepared, path)) == pairs_of(part[part["rating"] >= 4])
    after = set(pairs_of(log[kept])) - set().union(*map(pairs_of, parts))
    assert pairs_of(by_user[by_user["part"] == 3]) == after


def test_among_rows_of_one_second_one_is_the_last_and_the_seed_says_which(tmp_path):
    log = make_log(distinct_times=False)
    held_out = []
    for seed in (0, 1):
        prepared = prepared_of(log, tmp_path / str(seed), split=LastRows(2), seed=seed)
        valid = read(prepared, prepared.valid).merge(log, on=PAIR)
        latest = log.groupby("user_id")["timestamp"].max()
        assert valid["user_id"].is_unique
        assert (valid["timestamp_y"] == latest[valid["user_id"]].to_numpy()).all()
        held_out.append(pairs_of(valid))
    assert held_out[0] != held_out[1]
    # ids in order of popularity do not decide it: as often the larger half as the smaller
    item_ids = np.array([item for pairs in held_out for _, item in pairs])
    assert 0.2 < (item_ids > log["item_id"].median()).mean() < 0.8


def test_rows_in_another_order_give_the_same_files(tmp_path):
    log = make_log(distinct_times=False)
    chosen = {"split": LastRows(3), "min_rating": 3, "min_per_user": 3, "weights": "rating"}
    first = prepared_of(log, tmp_path / "a", **chosen)
    shuffled = log.sample(frac=1, random_state=0)
    second = prepared_of(shuffled, tmp_path / "b", n_threads=4, **chosen)
    assert digest(first) == digest(second)
    other = prepared_of(log, tmp_path / "c", seed=1, **chosen)
    assert digest(first) != digest(other)


def digest(prepared):
    files = sorted(path for path in prepared.folder.rglob("*") if path.is_file())
    content = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


def test_random_parts_hold_every_row_once_in_about_the_shares(tmp_path):
    log = make_log(20_000, 300, 300)
    prepared = prepared_of(log, tmp_path, split=RandomShare(0.2, 0.1))
    parts = [read(prepared, path) for path in (prepared.train, prepared.valid, prepared.test)]
    together = pd.concat(parts)
    assert sum(map(len, parts)) == len(log)
    assert pairs_of(together) == pairs_of(log)
    shares = [len(part) / len(log) for part in parts]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.02)  # 4 standard errors


def test_a_row_stays_in_its_part_when_the_log_grows(tmp_path):
    log = make_log()
    before = prepared_of(log[:1000], tmp_path / "a", split=RandomShare(0.3))
    after = prepared_of(log, tmp_path / "b", split=RandomShare(0.3))
    grown = pairs_of(read(after, after.valid))
    assert pairs_of(read(before, before.valid)) == grown & pairs_of(log[:1000])


def test_one_date_splits_all_users(tmp_path):
    log = make_log()
    times = np.sort(log["timestamp"])
    prepared = prepared_of(log, tmp_path, split=FromDate(int(times[-500]), int(times[-200])))
    assert prepared.n_rows == {"train": len(log) - 500, "valid": 300, "test": 200}
    parts = [pd.read_parquet(path)["timestamp"] for path in (prepared.train, prepared.valid)]
    assert parts[0].max() < times[-500] == parts[1].min()
    assert parts[1].max() < times[-200]


def test_a_date_is_midnight_in_utc(tmp_path):
    log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 2]})
    log["timestamp"] = [86_399, 86_400, 0]
    prepared = prepared_of(log, tmp_path, split=FromDate("1970-01-02"))
    assert pairs_of(read(prepared, prepared.valid)) == {(1, 2)}


ODD = ["a b", "Ä", "ä", "日本", "'; DROP", 'q"uote', "007", "7", "😀", "z\\n", "-1", "é"]


@pytest.mark.parametrize(
    "ids", [[*range(12)], [10**15 + k for k in range(12)], [-5, *range(11)], ODD]
)
def test_ids_come_back_in_the_order_of_a_vocabulary(tmp_path, ids):
    log = pd.DataFrame({"user_id": ids, "item_id": ids[::-1]})
    prepared = prepared_of(log, tmp_path)
    users, items = prepared.vocabularies()
    assert pairs_of(read(prepared, prepared.train)) == pairs_of(log)
    assert users.fingerprint == Vocabulary(log["user_id"]).fingerprint
    assert items.ids.tolist() == Vocabulary(log["item_id"]).ids.tolist()
    assert pd.read_parquet(prepared.users)["user_id"].tolist() == users.ids.tolist()


def test_counts_are_those_of_interactions(tmp_path):
    log = make_log()
    prepared = prepared_of(log, tmp_path, split=LastRows(2), weights="rating")
    users, items = prepared.vocabularies()
    train, _ = leave_last_out(log, rng=0)
    known = Interactions.from_frame(train, users=users, items=items, weights="rating")
    every = Interactions.from_frame(log, users=users, items=items)
    scanned = scan_pairs(prepared.train, n_users=prepared.n_users, n_items=prepared.n_items)
    assert (prepared.n_users, prepared.n_items) == (every.n_users, every.n_items)
    for side, name in (("user_counts", "users"), ("item_counts", "items")):
        counts = getattr(known, side).tolist()
        assert prepared.train_counts(name).tolist() == counts
        assert getattr(scanned, side).tolist() == counts
        table = pd.read_parquet(getattr(prepared, name))
        assert table["count"].tolist() == getattr(every, side).tolist()
    assert scanned.item_weights.sum() == known.weights.sum()


def test_the_report_counts_each_step(tmp_path):
    # likes: 1-a 1-b 2-a 2-b 3-a; without user 3, who has one like, item a keeps two
    rows = [(1, "a", 5), (1, "b", 4), (2, "a", 4), (2, "b", 5), (3, "a", 4), (3, "b", 1)]
    log = pd.DataFrame([*rows, (4, "c", 2)], columns=[*PAIR, "rating"])
    prepared = prepared_of(log, tmp_path, min_rating=4, min_per_user=2)
    assert prepared.report.reset_index().to_numpy().tolist() == [
        ["rows of the log", 7, 4, 3],
        ["rated 4 or more", 5, 3, 2],
        ["2 or more a user, 1 or more an item", 4, 2, 2],
        ["train", 4, 2, 2],
    ]
    assert load_prepared(prepared.folder) == prepared


def test_row_groups_and_shards_have_the_lengths_asked_for(tmp_path):
    log = make_log()
    prepared = prepared_of(log, tmp_path, rows_per_group=100, groups_per_shard=3)
    files = sorted(prepared.train.iterdir())
    lengths = []
    for path in files:
        footer = pq.read_metadata(path)
        lengths.append([footer.row_group(n).num_rows for n in range(footer.num_row_groups)])
    flat = [length for shard in lengths for length in shard]
    assert [path.name for path in files][:2] == ["part-00000.parquet", "part-00001.parquet"]
    assert set(flat[:-1]) == {100}
    assert sum(flat) == len(log)
    assert {len(shard) for shard in lengths[:-1]} == {3}


def test_shards_are_in_no_order_of_the_log(tmp_path):
    log = make_log(20_000, 300, 300).sort_values(PAIR)
    prepared = prepared_of(log, tmp_path)
    rows = pd.read_parquet(prepared.train)
    position = np.arange(len(rows))
    for column in ("user_idx", "item_idx", "timestamp"):
        assert abs(np.corrcoef(position, rows[column])[0, 1]) < 0.05


def test_streamed_pairs_bring_each_training_row_once(tmp_path):
    log = make_log()
    prepared = prepared_of(log, tmp_path, split=LastRows(2), rows_per_group=64)
    batches = StreamedPairs(
        prepared.train,
        UniformNegatives(prepared.n_items),
        batch_size=100,
        n_negatives=1,
        generator=torch.Generator().manual_seed(0),
        n_users=prepared.n_users,
        n_items=prepared.n_items,
    )
    met = torch.cat([torch.stack([user, item], dim=1) for user, item, *_ in batches])
    written = pd.read_parquet(prepared.train)[["user_idx", "item_idx"]]
    assert sorted(met.tolist()) == sorted(written.to_numpy().tolist())


def test_text_and_folders_are_read_as_well(tmp_path):
    log = make_log()
    log.to_csv(tmp_path / "log.csv", index=False)
    from_text = prepare_pairs(tmp_path / "log.csv", tmp_path / "a", split=LastRows(2))
    (tmp_path / "several").mkdir()
    for number in range(3):
        log[number::3].to_parquet(tmp_path / "several" / f"{number}.parquet")
    from_folder = prepare_pairs(tmp_path / "several", tmp_path / "b", split=LastRows(2))
    assert digest(from_text) == digest(from_folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "log.csv", "several"]


def test_other_names_and_repeats_are_said_by_reading(tmp_path):
    log = pd.DataFrame({"who": [1, 1, 2], "what": [7, 7, 7], "when": [10, 20, 30]})
    log.to_parquet(tmp_path / "plays.parquet")
    reading = {"user": "who", "item": "what", "time": "when", "repeats": "last"}
    prepared = prepare_pairs(
        tmp_path / "plays.parquet", tmp_path / "pairs", split=None, reading=reading
    )
    assert sorted(pd.read_parquet(prepared.train)["timestamp"]) == [20, 30]


REFUSED = {
    "no times, last rows": (["timestamp"], {"split": LastRows(2)}, "the log has no times"),
    "no times, one date": (["timestamp"], {"split": FromDate(9)}, "the log has no times"),
    "no ratings": (["rating"], {"min_rating": 4}, r"needs columns \['rating'\]"),
    "no such weight": ([], {"weights": "plays"}, r"needs columns \['plays'\]"),
    "nobody left": ([], {"min_per_user": 9_999}, "no row is left with 9999"),
    "nothing after": ([], {"split": FromDate("2200-01-01")}, "valid part would be empty"),
    "no memory": ([], {"memory_limit": "much"}, "memory_limit='much' is no size"),
    "no thread": ([], {"n_threads": 0}, "n_threads must be at least 1"),
    "no rows in a group": ([], {"rows_per_group": 0}, "rows_per_group must be at least 1"),
}


@pytest.mark.parametrize(("dropped", "chosen", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_nothing_is_left(tmp_path, dropped, chosen, message):
    with pytest.raises(ValueError, match=message):
        prepared_of(make_log().drop(columns=dropped), tmp_path, **chosen)
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


CELLS = {
    "user": ("user_id", None, {}, "1 of 3 rows have no user_id"),
    "time": ("timestamp", None, {"split": LastRows(2)}, "1 of 3 rows have no timestamp"),
    "rating": ("rating", None, {"min_rating": 1}, "1 of 3 rows have no rating"),
    "weight": ("rating", -1.0, {"weights": "rating"}, "1 of 3 rows have no weight above 0"),
}


@pytest.mark.parametrize(("column", "value", "chosen", "message"), CELLS.values(), ids=CELLS)
def test_a_row_without_what_is_needed_is_refused(tmp_path, column, value, chosen, message):
    log = pd.DataFrame(
        {"user_id": [1, 1, 2], "item_id": [1, 2, 3], "rating": [1.0, 2, 3], "timestamp": [1, 2, 3]}
    )
    log[column] = log[column].astype("Int64" if value is None and column != "rating" else float)
    log.loc[1, column] = value
    with pytest.raises(ValueError, match=message):
        prepared_of(log, tmp_path, **chosen)


def test_a_pair_that_comes_twice_is_refused_by_name(tmp_path):
    log = pd.DataFrame({"user_id": ["ann", "bob", "ann"], "item_id": [7, 7, 7]})
    with pytest.raises(ValueError, match="user_id ann comes with item_id 7 more than once"):
        prepared_of(log, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


def test_times_of_another_type_are_refused(tmp_path):
    log = pd.DataFrame(
        {"user_id": [1], "item_id": [1], "timestamp": pd.to_datetime(["2020-01-01"])}
    )
    with pytest.raises(ValueError, match="timestamp must be whole seconds"):
        prepared_of(log, tmp_path)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something already"):
        prepared_of(make_log(), tmp_path)
    assert (tmp_path / "pairs" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("dates", [("2020-01-01", "2020-01-01"), (9, 5)])
def test_dates_in_the_wrong_order_are_refused(dates):
    with pytest.raises(ValueError, match="test_from must be later"):
        FromDate(*dates)


def test_what_is_no_date_is_refused():
    with pytest.raises(ValueError, match="a date such as"):
        FromDate("yesterdayish")


@pytest.mark.parametrize("shares", [(0.0,), (0.6, 0.4), (1.0,)])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        RandomShare(*shares)
