"""Parquet files of pairs: which are refused, when, and by what message."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbhelpers.sampling.parquet_read import PairFiles


def write(path, user_idx, item_idx, weight=None, **settings):
    columns = {"user_idx": user_idx, "item_idx": item_idx}
    if weight is not None:
        columns["weight"] = weight
    pq.write_table(pa.table(columns), path, **settings)
    return path


def opened(path, n_users=None, n_items=None):
    return PairFiles(path, n_users=n_users, n_items=n_items)


def pieces_of(files):
    return list(files.pieces(range(len(files.groups))))


def rows_of(files):
    return np.concatenate([piece.pairs for piece in pieces_of(files)]).tolist()


def weights_of(files):
    return np.concatenate([piece.weights for piece in pieces_of(files)]).tolist()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pairs.parquet"


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint8()], ids=str)
def test_rows_of_any_integers_come_as_written(path, kind):
    write(path, pa.array([3, 0, 2], kind), pa.array([1, 4, 5], kind), row_group_size=2)
    assert rows_of(opened(path)) == [[3, 1], [0, 4], [2, 5]]


def test_other_columns_are_left_alone(path):
    columns = {"rating": [4.0, None], "item_idx": [1, 2], "user_idx": [7, 8]}
    pq.write_table(pa.table(columns), path)
    assert rows_of(opened(path)) == [[7, 1], [8, 2]]


def test_nothing_there_is_refused(path):
    with pytest.raises(ValueError, match=r"no such file or folder, looked for .*pairs\.parquet"):
        opened(path)


def test_a_folder_without_parquet_is_refused(tmp_path):
    (tmp_path / "pairs.csv").write_text("user_idx,item_idx\n0,0\n")
    with pytest.raises(ValueError, match=r"holds no file that ends in \.parquet or \.pq"):
        opened(tmp_path)


@pytest.mark.parametrize("content", [b"", b"user_idx,item_idx\n0,0\n", b"PAR1 PAR1"])
def test_another_kind_of_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"pairs\.parquet: no readable Parquet file"):
        opened(path)


def test_a_damaged_row_group_is_refused_when_it_is_read(path):
    rng = np.random.default_rng(0)
    write(path, rng.integers(1_000, size=5_000), rng.integers(1_000, size=5_000))
    content = bytearray(path.read_bytes())
    content[4:2_000] = bytes(1_996)
    path.write_bytes(content)
    files = opened(path)
    with pytest.raises(ValueError, match=r"pairs\.parquet: no readable Parquet file"):
        rows_of(files)


def test_a_missing_column_is_refused(path):
    pq.write_table(pa.table({"user_id": [1], "item_idx": [0]}), path)
    with pytest.raises(ValueError, match=r"columns \['user_idx'\] are required, got \['user_id'"):
        opened(path)


def test_categories_that_are_integers_are_read_by_value(path):
    write(path, [0, 1, 2], pa.array([5, 3, 5]).dictionary_encode())
    assert rows_of(opened(path)) == [[0, 5], [1, 3], [2, 5]]


@pytest.mark.parametrize(("values", "kind"), [([0.0, 1.0], "double"), (["0", "1"], "string")])
def test_indices_that_are_no_integers_are_refused(path, values, kind):
    write(path, [0, 1], values)
    with pytest.raises(ValueError, match=f"item_idx must be integers, got {kind}"):
        opened(path)


def test_no_row_is_refused(path):
    empty = pa.array([], pa.int64())
    write(path, empty, empty)
    with pytest.raises(ValueError, match="holds no pair to train on"):
        opened(path)


def test_files_are_opened_in_the_order_of_their_names(tmp_path):
    for name in "cab":
        write(tmp_path / f"{name}.parquet", [0], [0])
    assert [group.path.stem for group in opened(tmp_path).groups] == ["a", "b", "c"]


CASES = {
    "negative": ([0, -1], {}, r"user_idx must not be negative, got -1 in row group 0"),
    "negative, size known": (
        [0, -1],
        {"n_users": 9},
        r"user_idx must lie between 0 and 8, got -1 in row group 0",
    ),
    "beyond": ([0, 9], {"n_users": 9}, r"user_idx must lie between 0 and 8, got 9 in row group 0"),
    "missing": ([0, None], {}, r"row group 0: 1 rows have no user_idx"),
}


@pytest.mark.parametrize(("user_idx", "sizes", "message"), CASES.values(), ids=CASES.keys())
def test_statistics_refuse_a_bad_index_before_any_row_is_read(path, user_idx, sizes, message):
    with pytest.raises(ValueError, match=message):
        opened(write(path, user_idx, [0, 0]), **sizes)


@pytest.mark.parametrize(("user_idx", "sizes", "message"), CASES.values(), ids=CASES.keys())
def test_without_statistics_a_bad_index_is_refused_when_read(path, user_idx, sizes, message):
    files = opened(write(path, user_idx, [0, 0], write_statistics=False), **sizes)
    with pytest.raises(ValueError, match=message):
        rows_of(files)


def test_the_largest_index_allowed_passes(path):
    assert rows_of(opened(write(path, [8], [4]), n_users=9, n_items=5)) == [[8, 4]]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int32()], ids=str)
def test_weights_of_any_numbers_come_as_float32_beside_their_rows(path, kind):
    write(path, [3, 0, 2], [1, 4, 5], pa.array([2, 1, 7], kind), row_group_size=2)
    files = opened(path)
    assert files.weighted
    assert rows_of(files) == [[3, 1], [0, 4], [2, 5]]
    assert weights_of(files) == [2.0, 1.0, 7.0]
    assert {piece.weights.dtype for piece in pieces_of(files)} == {np.dtype("float32")}


def test_without_a_column_of_weights_there_are_none(path):
    files = opened(write(path, [0], [0]))
    assert not files.weighted
    assert [piece.weights for piece in pieces_of(files)] == [None]


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_weights_that_are_not_above_zero_are_refused_when_read(path, weight):
    files = opened(write(path, [0, 1], [0, 0], [1.0, weight]))
    with pytest.raises(ValueError, match=f"weight must be finite and above 0, got {weight:g} in"):
        rows_of(files)


@pytest.mark.parametrize("statistics", [True, False])
def test_a_missing_weight_is_refused(path, statistics):
    write(path, [0, 1], [0, 0], [1.0, None], write_statistics=statistics)
    with pytest.raises(ValueError, match="1 rows have no weight"):
        rows_of(opened(path))


def test_weights_that_are_no_numbers_are_refused(path):
    with pytest.raises(ValueError, match="weight must be numbers, got string"):
        opened(write(path, [0], [0], ["high"]))


def test_weights_in_some_files_only_are_refused(tmp_path):
    write(tmp_path / "a.parquet", [0], [0])
    write(tmp_path / "b.parquet", [0], [0], [2.0])
    with pytest.raises(ValueError, match=r"b\.parquet has a column weight, a\.parquet has none"):
        opened(tmp_path)
