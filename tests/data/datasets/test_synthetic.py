import numpy as np
import pandas as pd
import pytest

from nbhelpers.data.datasets.synthetic import make_ratings


@pytest.fixture(scope="module")
def default():
    return make_ratings(rng=0)


def planted(made):
    """Stars without noise and drift, one by one from the formula in the docstring."""
    return np.array(
        [
            made.mean
            + made.user_bias[user - 1]
            + made.item_bias[item - 1]
            + sum(made.user_factors[user - 1] * made.item_factors[item - 1])
            for user, item in made.ratings[["user_id", "item_id"]].itertuples(index=False)
        ]
    )


def share_of_top_tenth(ids):
    counts = ids.value_counts()
    return counts.head(len(counts) // 10).sum() / counts.sum()


def test_counts_are_exact(default):
    ratings = default.ratings
    assert len(ratings) == 100_000
    assert ratings["user_id"].nunique() == 943
    assert ratings["item_id"].nunique() == len(default.items) == 1_682


@pytest.mark.parametrize(
    "counts",
    [(1, 1, 1), (1, 10, 10), (10, 1, 10), (5, 4, 20), (5, 4, 10), (50, 40, 399), (943, 1682, 10)],
    ids=str,
)
def test_small_and_full_requests_are_met_without_repeats(counts):
    made = make_ratings(*counts, rng=3)
    assert len(made.ratings) == counts[2]
    assert not made.ratings.duplicated(["user_id", "item_id"]).any()
    assert made.ratings["user_id"].between(1, counts[0]).all()
    assert made.ratings["item_id"].between(1, counts[1]).all()


@pytest.mark.parametrize(
    "counts", [(30, 30, 30), (10, 100, 110), (10, 100, 210), (100, 10, 210)], ids=str
)
def test_every_user_and_item_is_rated_where_counts_allow(counts):
    ratings = make_ratings(*counts, rng=1).ratings
    assert (ratings["user_id"].nunique(), ratings["item_id"].nunique()) == counts[:2]


def test_no_pair_repeats(default):
    assert not default.ratings.duplicated(["user_id", "item_id"]).any()


def test_columns_and_types_are_those_of_a_loaded_data_set(default):
    types = {"user_id": "int64", "item_id": "int64", "rating": "float64", "timestamp": "int64"}
    assert default.ratings.dtypes.astype(str).to_dict() == types
    assert default.ratings["timestamp"].is_monotonic_increasing
    assert list(default.items.columns[:3]) == ["item_id", "title", "year"]
    assert default.items["year"].dtype == "Int64"
    genres = default.items.filter(like="genre_")
    assert (genres.dtypes == "int8").all()
    assert list(genres.columns) == sorted(genres.columns)


def test_titles_carry_number_and_year(default):
    film = default.items.iloc[11]
    assert film["title"] == f"Film 0012 ({film['year']})"
    assert default.items["title"].is_unique


def test_same_seed_gives_the_same_everything():
    first, again = make_ratings(50, 60, 500, rng=4), make_ratings(50, 60, 500, rng=4)
    for one, other in zip(first, again, strict=True):
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
        else:
            np.testing.assert_array_equal(one, other)


def test_generator_works_like_its_seed():
    by_seed = make_ratings(50, 60, 500, rng=4)
    by_generator = make_ratings(50, 60, 500, rng=np.random.default_rng(4))
    pd.testing.assert_frame_equal(by_seed.ratings, by_generator.ratings)


def test_other_seed_gives_other_ratings():
    first, other = make_ratings(50, 60, 500, rng=4), make_ratings(50, 60, 500, rng=5)
    assert not first.ratings["item_id"].equals(other.ratings["item_id"])


def test_global_generator_is_left_alone():
    np.random.seed(1)  # noqa: NPY002 - the global one is what we watch
    expected = np.random.RandomState(1).random_sample()
    make_ratings(5, 5, 10, rng=4)
    assert np.random.random_sample() == expected  # noqa: NPY002


def test_popularity_and_activity_have_heavy_tails(default):
    # Evenly spread, a tenth would hold about 12 %; in MovieLens-100K it holds 43 % and 32 %.
    assert 0.35 < share_of_top_tenth(default.ratings["item_id"]) < 0.55
    assert 0.25 < share_of_top_tenth(default.ratings["user_id"]) < 0.45


@pytest.mark.parametrize(
    ("star_step", "allowed"), [(1.0, [1, 2, 3, 4, 5]), (0.5, [k / 2 for k in range(1, 11)])]
)
def test_ratings_stand_on_the_steps(star_step, allowed):
    ratings = make_ratings(100, 100, 3000, star_step=star_step, rng=0).ratings
    assert sorted(ratings["rating"].unique()) == allowed


def test_unrounded_ratings_without_noise_are_the_planted_sum():
    made = make_ratings(20, 30, 200, noise=0, star_step=None, rng=2)
    np.testing.assert_allclose(made.ratings["rating"], planted(made))


def test_noise_has_the_asked_spread():
    made = make_ratings(100, 100, 5000, noise=0.3, star_step=None, rng=2)
    # 5,000 draws: the spread is known to about 1 %.
    assert np.std(made.ratings["rating"] - planted(made)) == pytest.approx(0.3, rel=0.05)


def test_planted_part_explains_the_stars(default):
    # Planted spread 0.85 beside noise 0.7 and rounding 0.3: correlation about 0.75.
    correlation = np.corrcoef(planted(default), default.ratings["rating"])[0, 1]
    assert 0.65 < correlation < 0.85


@pytest.mark.parametrize("n_factors", [0, 1, 3])
def test_rank_of_a_full_matrix_without_noise_is_the_number_of_factors(n_factors):
    made = make_ratings(40, 30, 1200, n_factors=n_factors, noise=0, star_step=None, rng=6)
    table = made.ratings.pivot_table(index="user_id", columns="item_id", values="rating").to_numpy()
    # Removing the means of rows and columns removes the biases and keeps the factors' rank.
    table = table - table.mean(axis=1, keepdims=True)
    table = table - table.mean(axis=0, keepdims=True)
    assert (np.linalg.svd(table, compute_uv=False) > 1e-9).sum() == n_factors


def test_genres_follow_the_factors(default):
    flags = default.items.filter(like="genre_").to_numpy()
    for genre in flags.T.astype(bool):
        inside = default.item_factors[genre].mean(axis=0)
        outside = default.item_factors[~genre].mean(axis=0)
        # Means over 400 and 1,200 films with spread 0.46: chance alone moves this by 0.075.
        assert np.linalg.norm(inside - outside) > 0.4
    assert flags.sum(axis=1).min() == 1


def test_without_drift_no_item_moves():
    made = make_ratings(300, 20, 5000, noise=0, star_step=None, drift=0, rng=8)
    np.testing.assert_allclose(made.ratings["rating"], planted(made))


def test_drift_lifts_the_stars_of_rising_items():
    made = make_ratings(300, 20, 5000, noise=0, star_step=None, drift=0.5, rng=8)
    moved = pd.Series(made.ratings["rating"] - planted(made))
    time = (made.ratings["timestamp"] - 946_684_800) / (2 * 365 * 86_400)
    trend = made.item_trend[made.ratings["item_id"] - 1]
    np.testing.assert_allclose(moved, 0.5 * trend * (time - 0.5), atol=1e-6)


def test_drift_brings_ratings_of_rising_items_late():
    made = make_ratings(300, 20, 4000, drift=0.5, rng=8)
    mean_time = made.ratings.groupby("item_id")["timestamp"].mean()
    assert np.corrcoef(mean_time, made.item_trend)[0, 1] > 0.8


def test_without_drift_time_says_nothing_about_an_item():
    made = make_ratings(300, 20, 4000, drift=0, rng=8)
    middle = made.ratings["timestamp"].median()
    late = (made.ratings["timestamp"] > middle).groupby(made.ratings["item_id"]).mean()
    counts = made.ratings["item_id"].value_counts().sort_index()
    # A fair coin's share over n ratings strays by 0.5 / sqrt(n); four times that is generous.
    assert (abs(late - 0.5) < 4 * 0.5 / np.sqrt(counts)).all()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((0, 5, 5), "n_users, n_items and n_ratings must be at least 1, got 0, 5 and 5"),
        ((5, 0, 5), "must be at least 1, got 5, 0 and 5"),
        ((5, 5, 0), "must be at least 1, got 5, 5 and 0"),
        ((5, 4, 21), "5 users and 4 items make 20 pairs, fewer than n_ratings, 21: ask for fewer"),
    ],
)
def test_impossible_counts_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        make_ratings(*counts, rng=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": -1}, "n_factors must be 0 or more, got -1"),
        ({"noise": -0.1}, "noise must be 0 or a positive number of stars, got -0.1"),
        ({"noise": float("nan")}, "noise must be 0 or a positive number of stars, got nan"),
        ({"drift": -1}, "drift must be 0 or a positive number of stars, got -1"),
        ({"star_step": 0}, "star_step must divide 5"),
        ({"star_step": 0.7}, "star_step must divide 5, such as 1 or 0.5, or be None; got 0.7"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_ratings(5, 5, 10, rng=0, **options)
