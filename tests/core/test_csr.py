import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nbhelpers.core.csr import PairFilter, compress, has_pairs, nth_absent

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
