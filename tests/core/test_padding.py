import numpy as np
import pytest

from nbhelpers.core import padding
from nbhelpers.core.padding import padded_blocks, padded_positions

# Rows of 2, 0, 3 and 1 columns among five.
INDPTR, INDICES = np.array([0, 2, 2, 5, 6]), np.array([1, 4, 0, 2, 3, 4], dtype=np.int32)
ROWS = {0: [1, 4], 1: [], 2: [0, 2, 3], 3: [4]}


def blocks(n_factors=2):
    return list(padded_blocks(INDPTR, INDICES, n_columns=5, n_factors=n_factors))


def test_one_block_holds_the_longest_row_first_and_fills_the_others_up():
    ((rows, columns),) = blocks()
    assert rows.tolist() == [2, 0, 3, 1]
    assert columns.tolist() == [[0, 2, 3], [1, 4, 5], [4, 5, 5], [5, 5, 5]]


@pytest.mark.parametrize(("at_once", "sizes"), [(1, [1, 1, 1, 1]), (12, [2, 2]), (6, [1, 1, 1, 1])])
def test_blocks_are_as_large_as_their_first_row_allows(monkeypatch, at_once, sizes):
    """Three columns of two factors are six values; rows of one column count as two, for a matrix
    of 2 x 2."""
    monkeypatch.setattr(padding, "CHUNK_SIZE", at_once)
    found = blocks()
    assert [len(rows) for rows, _ in found] == sizes
    real = {
        int(row): [column for column in own.tolist() if column < 5]
        for rows, columns in found
        for row, own in zip(rows, columns, strict=True)
    }
    assert real == ROWS


def test_positions_lead_to_whatever_belongs_to_the_columns():
    ((rows, positions),) = padded_positions(INDPTR, n_factors=2)
    assert rows.tolist() == [2, 0, 3, 1]
    weights = np.array([10, 14, 20, 22, 23, 34, -1])  # the last one pads
    assert weights[positions].tolist() == [[20, 22, 23], [10, 14, -1], [34, -1, -1], [-1, -1, -1]]


def test_no_rows_make_no_block():
    empty = np.array([], dtype=np.int64)
    assert list(padded_blocks(np.array([0]), empty, n_columns=3, n_factors=2)) == []
