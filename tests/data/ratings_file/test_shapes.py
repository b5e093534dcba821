"""Logs in the formats of public data sets are read as what they are, or asked about."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbhelpers.data.ratings_file import formats
from nbhelpers.data.ratings_file.read import read_ratings
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError
from tests.data.ratings_file.shapes import SHAPES

ASKED = [name for name, shape in SHAPES.items() if shape.said]


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read(name, tmp_path):
    shape = SHAPES[name]
    read = read_ratings(shape.write(tmp_path), **shape.said).frame
    pd.testing.assert_frame_equal(read, pd.DataFrame(shape.expected), check_dtype=False)


@pytest.mark.parametrize("name", ASKED)
def test_shape_that_is_not_clear_is_asked_about(name, tmp_path):
    source = SHAPES[name].write(tmp_path)
    with pytest.raises(InvalidRatingsError) as caught:
        read_ratings(source)
    first = next(iter(SHAPES[name].said))
    assert f"{first}=" in str(caught.value)


@pytest.mark.parametrize("name", ASKED)
def test_question_is_answered_on_the_command_line_too(name, tmp_path):
    with pytest.raises(InvalidRatingsError, match="on the command line: --"):
        read_ratings(SHAPES[name].write(tmp_path))


def damaged(data, rng):
    """Bytes of a file that was cut, or in which some bytes changed, came or went."""
    at = int(rng.integers(len(data)))
    odd = [b'"', b",", b"\n", b"\x00", b"\xff", b"\t", bytes([int(rng.integers(256))])]
    piece = odd[int(rng.integers(len(odd)))]
    ways = [
        data[:at],
        data[:at] + piece + data[at:],
        data[:at] + piece + data[at + len(piece) :],
        data[:at] + data[at + int(rng.integers(1, 9)) :],
    ]
    return ways[int(rng.integers(len(ways)))]


@pytest.mark.parametrize("name", SHAPES)
def test_damaged_file_is_read_or_refused(name, tmp_path):
    source = SHAPES[name].write(tmp_path)
    if not isinstance(source, Path):
        return
    data, rng = source.read_bytes(), np.random.default_rng(0)
    for _ in range(8):
        source.write_bytes(damaged(data, rng))
        try:
            log = read_ratings(source, **SHAPES[name].said)
        except InvalidRatingsError:
            continue
        assert not log.frame[["user_id", "item_id"]].isna().to_numpy().any()
        assert len(log.frame) == log.report.n_rows


@pytest.mark.parametrize("suffix", [".csv.gz", ".zip"])
def test_bomb_is_refused(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "BOMB_BYTES", 1_000_000)
    path = tmp_path / f"mine{suffix}"
    text = b"user_id,item_id\n" + b"1,2\n" * 1_000_000
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mine.csv", text)
    else:
        path.write_bytes(gzip.compress(text))
    with pytest.raises(InvalidRatingsError, match="more than 300 times its size"):
        read_ratings(path)


def test_there_are_enough_shapes():
    assert len(SHAPES) >= 60
