import numpy as np
import pandas as pd
import pytest

from nbhelpers.data.datasets.synthetic_stream import stream_pairs, stream_sizes


def frames_of(n_rows=20_000, **settings):
    return list(stream_pairs(n_rows, rows_per_frame=6_000, **{"rng": 0, **settings}))


def test_rows_are_as_many_as_asked_and_no_pair_comes_twice():
    frames = frames_of()
    assert [len(frame) for frame in frames] == [6_000, 6_000, 6_000, 2_000]
    assert not pd.concat(frames).duplicated(["user_id", "item_id"]).any()


def test_every_user_has_a_row_and_frames_share_no_user():
    frames = frames_of()
    assert np.unique(pd.concat(frames)["user_id"]).tolist() == list(range(1, 401))
    assert sum(frame["user_id"].nunique() for frame in frames) == 400


def test_ids_and_times_are_whole_numbers_within_their_range():
    rows = pd.concat(frames_of())
    assert set(map(str, rows.dtypes)) == {"int64"}
    assert rows["item_id"].between(1, stream_sizes(20_000).n_items).all()
    assert pd.to_datetime(rows["timestamp"], unit="s").dt.year.isin([2000, 2001]).all()


def test_popularity_is_steep_and_the_same_in_all_frames():
    first, second, *_ = (
        frame["item_id"].value_counts().reindex(range(1, 1_411), fill_value=0)
        for frame in frames_of()
    )
    # of 1,410 items the 141 most frequent: about 1 / 10 of the rows if all were alike
    assert 0.4 < first.nlargest(141).sum() / first.sum() < 0.9
    assert np.corrcoef(first, second)[0, 1] > 0.8


def test_activity_of_users_has_a_long_tail():
    (rows,) = stream_pairs(50_000, rng=0)
    counts = np.sort(rows["user_id"].value_counts())
    assert counts[-1] > 10 * np.median(counts)


def test_a_file_is_not_sorted_by_user():
    user_id = frames_of()[0]["user_id"].to_numpy()
    assert abs(np.mean(np.diff(user_id) > 0) - 0.5) < 0.05


def test_the_seed_decides():
    first, again, other = (pd.concat(frames_of(rng=seed)) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_a_frame_is_drawn_when_it_is_asked_for():
    first = next(stream_pairs(10**9, rows_per_frame=100_000, rng=0))
    assert (len(first), first["user_id"].nunique()) == (100_000, 2_000)


def test_users_grow_with_rows_and_items_with_their_root():
    assert stream_sizes(10**5) == (2_000, 3_160)
    assert stream_sizes(10**8) == (2_000_000, 100_000)


def test_too_few_pairs_or_rows_are_refused():
    with pytest.raises(ValueError, match=r"frame 1 has 100 rows for 10 users and 15 items"):
        stream_pairs(100, n_users=10, n_items=15, rng=0)
    with pytest.raises(ValueError, match="a row for each user"):
        stream_pairs(100, n_users=101, n_items=1500, rng=0)
    with pytest.raises(ValueError, match="n_rows must be at least 1"):
        stream_pairs(0, rng=0)
