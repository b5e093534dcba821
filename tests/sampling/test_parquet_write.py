"""A stream of frames becomes a Parquet file of indices, whole or not at all."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.sampling.parquet_write import vocabularies, write_pairs
from nbhelpers.sampling.streaming import scan_pairs


def frame(*pairs):
    return pd.DataFrame(pairs, columns=["user_id", "item_id"])


FRAMES = [frame(("u", 30), ("v", 10)), frame(), frame(("u", 20)), frame(("w", 10), ("u", 10))]
USERS, ITEMS = Vocabulary(["u", "v", "w"]), Vocabulary([10, 20, 30, 40])
ENCODED = {"user_idx": [0, 1, 0, 2, 0], "item_idx": [2, 0, 1, 0, 0]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pairs.parquet"


def written(path, frames=FRAMES, users=USERS, items=ITEMS, **settings):
    return write_pairs(iter(frames), path, users=users, items=items, **settings)


def test_pairs_are_written_as_indices_in_their_order(path):
    assert written(path) == 5
    assert pq.read_table(path).to_pydict() == ENCODED


@pytest.mark.parametrize(("rows_per_group", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (9, [5])])
def test_row_groups_have_their_size_however_long_the_frames_are(path, rows_per_group, sizes):
    written(path, rows_per_group=rows_per_group)
    footer = pq.read_metadata(path)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    assert [group.num_rows for group in groups] == sizes
    assert pq.read_table(path).to_pydict() == ENCODED


def test_frames_longer_than_a_group_are_cut(path):
    ids = range(7)
    write_pairs(
        [pd.DataFrame({"user_id": ids, "item_id": ids})] * 2,
        path,
        users=Vocabulary(ids),
        items=Vocabulary(ids),
        rows_per_group=3,
    )
    footer = pq.read_metadata(path)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    assert [group.num_rows for group in groups] == [3, 3, 3, 3, 2]
    assert pq.read_table(path).to_pydict()["user_idx"] == [*ids, *ids]


def test_a_csv_in_chunks_becomes_the_interactions_of_the_whole(path, tmp_path, toy_ratings):
    csv = tmp_path / "log.csv"
    toy_ratings.to_csv(csv, index=False)
    users, items = vocabularies(pd.read_csv(csv, chunksize=3))
    write_pairs(pd.read_csv(csv, chunksize=3), path, users=users, items=items)
    whole = Interactions.from_frame(toy_ratings, users=users, items=items)
    table = pq.read_table(path)
    streamed = Interactions(*(table[name].to_numpy() for name in ("user_idx", "item_idx")))
    assert all(map(torch.equal, streamed.pairs(), whole.pairs()))
    assert scan_pairs(path).item_counts.tolist() == whole.item_counts.tolist()


def test_vocabularies_are_those_of_all_frames_at_once():
    users, items = vocabularies(iter(FRAMES))
    whole = pd.concat(FRAMES)
    assert users.ids.equals(Vocabulary(whole.user_id).ids)
    assert items.ids.equals(Vocabulary(whole.item_id).ids)
    assert items.ids.tolist() == [10, 20, 30]


def test_frames_are_left_alone(path):
    before = [each.copy() for each in FRAMES]
    vocabularies(FRAMES)
    written(path)
    for each, copy in zip(FRAMES, before, strict=True):
        pd.testing.assert_frame_equal(each, copy)


def test_memory_holds_a_frame_and_a_row_group_not_the_stream(path):
    ids, held = Vocabulary(range(100)), []

    def frames():
        drawn = np.random.default_rng(0).integers(100, size=(20_000, 2))
        for _ in range(100):
            held.append(pa.total_allocated_bytes())
            yield pd.DataFrame(drawn, columns=["user_id", "item_id"])

    assert write_pairs(frames(), path, users=ids, items=ids, rows_per_group=50_000) == 2_000_000
    assert max(held) - held[0] < 2_000_000  # the pairs take 16 million bytes


def stopped_by(error):
    yield FRAMES[0]
    raise error


STREAMS = {
    "a broken source": (lambda: stopped_by(OSError("unplugged")), OSError, "unplugged"),
    "an unknown id": (
        lambda: [FRAMES[0], frame(("u", 10), ("u", 99), ("v", 98), ("w", 99))],
        KeyError,
        r"frame 2: 3 rows have an unknown item_id, 2 different ids, e\.g\. 99, 98",
    ),
    "a missing id": (
        lambda: [FRAMES[0], frame((None, 10), ("u", 10))],
        ValueError,
        r"frame 2: 1 of 2 rows have no user_id",
    ),
    "a missing column": (
        lambda: [FRAMES[0][["user_id"]]],
        ValueError,
        r"frame 1: columns \['item_id'\] are required",
    ),
    "no frame": (lambda: [], ValueError, "the frames hold no row"),
    "empty frames": (lambda: [frame(), frame()], ValueError, "the frames hold no row"),
    "a frame by itself": (lambda: FRAMES[0], ValueError, r"a single one: pass \[frame\]"),
    "an interruption": (lambda: stopped_by(KeyboardInterrupt()), KeyboardInterrupt, None),
}


@pytest.mark.parametrize(("frames", "error", "message"), STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("before", [None, b"the one before"], ids=["new", "replaced"])
def test_after_a_failure_all_is_as_before(path, before, frames, error, message):
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error, match=message):
        write_pairs(frames(), path, users=USERS, items=ITEMS, rows_per_group=1)
    assert [each.read_bytes() for each in path.parent.iterdir()] == ([before] if before else [])


def test_a_file_is_replaced_only_when_the_new_one_is_whole(path):
    written(path)

    def frames():
        for each in FRAMES[::-1]:
            assert pq.read_table(path).to_pydict() == ENCODED
            yield each

    write_pairs(frames(), path, users=USERS, items=ITEMS, rows_per_group=1)
    assert pq.read_table(path).to_pydict()["user_idx"] == [2, 0, 0, 0, 1]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_folders_on_the_way_are_made(tmp_path):
    assert written(tmp_path / "new" / "deep" / "pairs.parquet") == 5


def test_a_folder_as_the_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a folder: name a file in it"):
        written(tmp_path)


def test_row_groups_below_one_are_refused(path):
    with pytest.raises(ValueError, match="rows_per_group must be at least 1, got 0"):
        written(path, rows_per_group=0)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "the frames hold no row"),
        ([frame()], "the frames hold no row"),
        (FRAMES[0], r"a single one: pass \[frame\]"),
        ([FRAMES[0], FRAMES[0][["item_id"]]], "frame 2: user_id is required, got"),
        ([FRAMES[0], frame((None, 10))], "an id is missing"),
        ([FRAMES[0], frame(("u", "ten"))], r"item_id in all frames: .* \(int and str\)"),
    ],
    ids=["no frame", "empty frames", "a frame by itself", "no column", "no id", "mixed types"],
)
def test_streams_without_clear_ids_give_no_vocabularies(frames, message):
    with pytest.raises(ValueError, match=message):
        vocabularies(frames)


def test_indices_take_no_more_bytes_than_they_need(path):
    written(path)
    assert [str(kind) for kind in pq.read_schema(path).types] == ["int32", "int32"]


def played(*rows):
    return pd.DataFrame(rows, columns=["user_id", "item_id", "n_plays", "when"])


PLAYED = [played(("u", 30, 2, 50), ("v", 10, 1, 20)), played(("w", 10, 0.5, 10))]


def test_weights_and_timestamps_are_written_beside_their_pairs(path):
    written(path, PLAYED, weights="n_plays", timestamps="when", rows_per_group=2)
    table = pq.read_table(path)
    assert table.to_pydict() == {
        "user_idx": [0, 1, 2],
        "item_idx": [2, 0, 0],
        "weight": [2.0, 1.0, 0.5],
        "timestamp": [50, 20, 10],
    }
    assert [str(kind) for kind in table.schema.types] == ["int32", "int32", "float", "int64"]


def test_columns_that_are_not_named_are_left_out(path):
    written(path, PLAYED)
    assert pq.read_schema(path).names == ["user_idx", "item_idx"]
    written(path, PLAYED, timestamps="when")
    assert pq.read_schema(path).names == ["user_idx", "item_idx", "timestamp"]


@pytest.mark.parametrize(
    ("weights", "timestamps", "message"),
    [
        ("plays", None, "frame 1: weights='plays' names no column"),
        ("bad", None, "frame 1: .*weights must be finite"),
        (None, "bad", "frame 1: .*timestamps must be "),
    ],
)
def test_bad_weights_or_timestamps_are_refused_and_nothing_is_written(
    path, weights, timestamps, message
):
    frames = [each.assign(bad=np.nan) for each in PLAYED]
    with pytest.raises(ValueError, match=message):
        written(path, frames, weights=weights, timestamps=timestamps)
    assert not path.exists()
