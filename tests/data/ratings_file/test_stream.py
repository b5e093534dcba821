"""A log larger than memory comes out as the same rows that reading it at once gives."""

import subprocess
import sys

import pandas as pd
import pytest

from nbhelpers.data.ratings_file import delimited, opened
from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import AmbiguousRatingsError, InvalidRatingsError
from nbhelpers.data.ratings_file.stream import stream_to_parquet
from tests.data.ratings_file.shapes import SHAPES

STREAMED = [
    name
    for name, shape in SHAPES.items()
    if not {"layout", "title"} & shape.said.keys() and "wide" not in name
]


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 256)
    monkeypatch.setattr(opened, "BATCH_ROWS", 4)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("name", STREAMED)
def test_streamed_rows_are_those_read_at_once(name, tmp_path):
    shape = SHAPES[name]
    (tmp_path / "again").mkdir()
    source = shape.write(tmp_path)
    report = stream_to_parquet(source, tmp_path / "out.parquet", **shape.said)
    streamed = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(streamed, pd.DataFrame(shape.expected), check_dtype=False)
    at_once = read_ratings(shape.write(tmp_path / "again"), **shape.said).report
    assert (report.n_users, report.n_items) == (at_once.n_users, at_once.n_items)
    assert report.n_rows == at_once.n_rows == len(streamed)
    assert report.dropped == at_once.dropped
    columns = {role: name for role, name in at_once.columns.items() if role != "title"}
    assert report.columns == columns
    assert report.ranges == at_once.ranges


REPEATED = (
    "user_id,item_id,weight,timestamp\n7,1,2,300\n8,1,1,100\n7,1,5,200\n7,2,1,100\n7,1,1,300\n"
)


@pytest.mark.parametrize("repeats", ["keep", "last", "first", "sum", "max"])
def test_repeats_are_merged_as_in_memory(repeats, tmp_path):
    (tmp_path / "log.csv").write_text(REPEATED)
    report = stream_to_parquet(tmp_path / "log.csv", tmp_path / "out.parquet", repeats=repeats)
    expected = read_ratings(tmp_path / "log.csv", repeats=repeats)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), expected.frame)
    assert report.policies == expected.report.policies
    assert report.n_rows == len(expected.frame)


def test_counted_rows_become_weights(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id\n7,1\n8,1\n7,1\n")
    stream_to_parquet(tmp_path / "log.csv", tmp_path / "out.parquet", repeats="count")
    assert pd.read_parquet(tmp_path / "out.parquet").to_dict("list") == {
        "user_id": [7, 8],
        "item_id": [1, 1],
        "weight": [2.0, 1.0],
    }


@pytest.mark.usefixtures("small_batches")
def test_one_id_with_a_leading_zero_keeps_all_of_them_text(tmp_path):
    lines = [f"{user},{user % 7}" for user in range(1000)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id", *lines, "007,3"]))
    stream_to_parquet(tmp_path / "log.csv", tmp_path / "out.parquet")
    streamed = pd.read_parquet(tmp_path / "out.parquet")
    assert streamed["user_id"].tolist() == [*map(str, range(1000)), "007"]
    assert streamed["item_id"].tolist() == [*(user % 7 for user in range(1000)), 3]


@pytest.mark.usefixtures("small_batches")
def test_bad_rows_have_their_numbers_in_the_file(tmp_path):
    lines = [f"{user},{user % 7},3" for user in range(1, 401)]
    lines[99] = "100,2"
    lines[249] = "250,,3"
    lines[349] = "350,2,good"
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,rating", *lines]))
    report = stream_to_parquet(tmp_path / "log.csv", tmp_path / "out.parquet", on_bad="skip")
    assert (report.n_rows_read, report.n_rows) == (400, 397)
    assert report.dropped == {"rejected as bad": 3}
    assert pd.read_csv(tmp_path / "log.rejected.csv")["row"].tolist() == [100, 250, 350]
    with pytest.raises(InvalidRatingsError, match="row 100 has 2 cells"):
        stream_to_parquet(tmp_path / "log.csv", tmp_path / "again.parquet")
    assert not (tmp_path / "again.parquet").exists()


def test_nothing_half_written_stays(tmp_path):
    zeros = [f"{k},1,{k % 2}" for k in range(10)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,rating", *zeros]))
    with pytest.raises(AmbiguousRatingsError, match="5 of 10 values of the rating are 0"):
        stream_to_parquet(tmp_path / "log.csv", tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_ids_that_look_alike_are_refused(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id\nann,1\nbob,1\nann\u200b,2\n")
    with pytest.raises(InvalidRatingsError, match=r"ids? (that )?look the same and are not"):
        stream_to_parquet(tmp_path / "log.csv", tmp_path / "out.parquet")


def test_unknown_event_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,event\n1,1,view\n")
    with pytest.raises(InvalidRatingsError, match="event_weights names 'buy': the events are view"):
        stream_to_parquet(
            tmp_path / "log.csv", tmp_path / "out.parquet", event_weights={"view": 1, "buy": 5}
        )


MEMORY = """
import sys
from nbhelpers.data.ratings_file.stream import stream_to_parquet
def peak():
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
started = peak()
stream_to_parquet(sys.argv[1], sys.argv[2], memory_limit="400MB")
print(peak() - started)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other units")
def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(n_rows):
        with (tmp_path / "log.csv").open("w") as file:
            file.write("user_id,item_id,timestamp\n")
            file.writelines(f"{k % 9973},{k % 997},{800_000_000 + k}\n" for k in range(n_rows))
        arguments = [sys.executable, "-c", MEMORY, tmp_path / "log.csv", tmp_path / "out.parquet"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert peak(8_000_000) < 3 * peak(2_000_000)
