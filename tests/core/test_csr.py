import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbhelpers.core.csr import (
    PairFilter,
    compress,
    dense_rows,
    grid_of,
    has_pairs,
    nth_absent,
    pair_keys,
    positions_of_rows,
    row_of,
    sort_with_order,
)

SHAPE = (6, 9)
CELLS = [(row, column) for row in range(SHAPE[0]) for column in range(SHAPE[1])]


def compressed(pairs):
    array = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return compress(array[:, 0] * SHAPE[1] + array[:, 1], n_rows=SHAPE[0], n_columns=SHAPE[1])


@given(st.sets(st.sampled_from(CELLS)))
def test_nth_absent_walks_through_all_columns_that_a_row_lacks(pairs):
    absent = [cell for cell in CELLS if cell not in pairs]
    rows = np.array([row for row, _ in absent], dtype=np.int64)
    nth = np.array([sum(a < b and a[0] == b[0] for a in absent) for b in absent], dtype=np.int64)
    found = nth_absent(*compressed(pairs), rows, nth)
    assert found.tolist() == [column for _, column in absent]


@given(
    st.sets(st.sampled_from(CELLS)),
    st.lists(st.integers(0, SHAPE[0] - 1), max_size=4),
    st.lists(st.integers(0, SHAPE[1] - 1), max_size=5),
)
def test_a_grid_is_true_at_the_pairs(pairs, rows, columns):
    grid = grid_of(*compressed(pairs), ints(*rows), ints(*columns))
    assert grid.shape == (len(rows), len(columns))
    assert grid.tolist() == [[(row, column) in pairs for column in columns] for row in rows]


@given(st.sets(st.sampled_from(CELLS)))
def test_the_filter_suspects_every_pair_that_is_there(pairs):
    rows, columns = (np.array(side, dtype=np.int64) for side in zip(*CELLS, strict=True))
    suspects = PairFilter(*compressed(pairs), n_columns=SHAPE[1]).suspects(rows, columns)
    assert pairs <= {CELLS[place] for place in suspects}


def test_the_filter_clears_most_pairs_that_are_absent(rng):
    keys = np.sort(rng.choice(400 * 3000, 20_000, replace=False))
    matrix = compress(keys, n_rows=400, n_columns=3000)
    rows, columns = rng.integers(400, size=50_000), rng.integers(3000, size=50_000)
    suspects = PairFilter(*matrix, n_columns=3000).suspects(rows, columns)
    wrong = ~has_pairs(*matrix, rows[suspects], columns[suspects])
    assert wrong.sum() < 50_000 / 16


# Sizes at which 32 bits do not suffice, with few pairs in them.
WIDE = 2**31 + 5


def ints(*values):
    return np.array(values, dtype=np.int64)


def test_cells_beyond_32_bits_are_numbered_exactly():
    keys = pair_keys(ints(2_999_999, 0), ints(1, 7), n_rows=3_000_000, n_columns=3_000_000)
    assert keys.tolist() == [8_999_997_000_001, 7]
    assert keys.dtype == np.int64


def test_more_cells_than_64_bits_number_are_refused():
    assert pair_keys(ints(0), ints(0), n_rows=2**31, n_columns=2**31 - 1).tolist() == [0]
    with pytest.raises(
        ValueError, match=r"fewer than 2\*\*63 cells .* 4,294,967,296 x 2,147,483,648"
    ):
        pair_keys(ints(0), ints(0), n_rows=2**32, n_columns=2**31)


@pytest.mark.parametrize(
    ("n_columns", "dtype"), [(2**31 - 1, np.int32), (2**31, np.int64), (WIDE, np.int64)]
)
def test_columns_take_64_bits_from_two_to_the_31_on(n_columns, dtype):
    last = n_columns - 1
    indptr, indices = compress(ints(1, last, n_columns + last), n_rows=2, n_columns=n_columns)
    assert (indptr.tolist(), indices.tolist()) == ([0, 2, 3], [1, last, last])
    assert (indptr.dtype, indices.dtype) == (np.int64, dtype)


def test_questions_to_a_wide_matrix():
    """Row 0 holds columns 1 and the last, row 1 holds the last but one."""
    last = WIDE - 1
    matrix = compress(ints(1, last, WIDE + last - 1), n_rows=2, n_columns=WIDE)
    rows, columns = ints(0, 0, 1, 1), ints(last, last - 1, last - 1, last)
    assert has_pairs(*matrix, rows, columns).tolist() == [True, False, True, False]
    assert nth_absent(*matrix, ints(0, 0, 1), ints(0, last - 2, 7)).tolist() == [0, last - 1, 7]
    assert PairFilter(*matrix, n_columns=WIDE).suspects(ints(0, 1), ints(last, last - 1)).size == 2


@pytest.mark.parametrize("offset", [0, 2**31, 2**62 - 9])  # the last leaves no bits for positions
@given(st.lists(st.integers(0, 8)))
def test_keys_are_sorted_and_equal_ones_keep_their_order(offset, small):
    keys = ints(*small) + offset
    before = keys.copy()
    sorted_keys, order = sort_with_order(keys)
    expected = sorted(range(len(small)), key=lambda k: (small[k], k))
    assert order.tolist() == expected
    assert sorted_keys.tolist() == [before[k] for k in expected]
    assert (keys == before).all()


@given(st.sets(st.sampled_from(CELLS)), st.lists(st.integers(0, SHAPE[0] - 1)))
def test_positions_and_rows_are_those_of_a_loop(pairs, rows):
    indptr, indices = compressed(pairs)
    listed = sorted(pairs)
    expected = [k for row in rows for k, pair in enumerate(listed) if pair[0] == row]
    assert positions_of_rows(indptr, ints(*rows)).tolist() == expected
    assert row_of(indptr, np.arange(len(listed))).tolist() == [row for row, _ in listed]
    dense = dense_rows(indptr, indices, ints(*rows), n_columns=SHAPE[1])
    assert dense.tolist() == [[(row, c) in pairs for c in range(SHAPE[1])] for row in rows]
