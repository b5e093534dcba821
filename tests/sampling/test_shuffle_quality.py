"""Against draws, SciPy and the orders whose values are known."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from nbhelpers.sampling.negatives import UniformNegatives
from nbhelpers.sampling.shuffle_quality import expected_users, shuffle_quality
from nbhelpers.sampling.streaming import StreamedPairs


def sorted_pairs(n_rows=4_000, n_users=100, n_items=500, *, seed=0):
    rng = np.random.default_rng(seed)
    cells = np.sort(rng.choice(n_users * n_items, n_rows, replace=False))
    return torch.from_numpy(cells // n_items), torch.from_numpy(cells % n_items)


def batches_of(order, size=100):
    pairs = sorted_pairs()
    return zip(*(side[order].split(size) for side in pairs), strict=True)


def test_a_full_shuffle_has_the_values_of_the_docstring():
    order = torch.randperm(4_000, generator=torch.Generator().manual_seed(0))
    quality = shuffle_quality(batches_of(order))
    assert quality.mixing == pytest.approx(1, abs=0.02)
    assert quality.rank_correlation == pytest.approx(0, abs=0.05)
    assert quality.displacement == pytest.approx(1 / 3, abs=0.02)


def test_correlation_and_displacement_are_those_of_scipy_and_of_a_loop():
    order = torch.randperm(4_000, generator=torch.Generator().manual_seed(1))
    order = torch.cat([torch.sort(order[:2_000])[0], order[2_000:]])
    quality = shuffle_quality(batches_of(order))
    places = np.arange(4_000)
    assert quality.rank_correlation == pytest.approx(spearmanr(places, order).statistic)
    by_loop = sum(abs(place - int(rank)) for place, rank in enumerate(order)) / 4_000**2
    assert quality.displacement == pytest.approx(by_loop)


def test_the_file_backwards_is_no_shuffle():
    quality = shuffle_quality(batches_of(torch.arange(4_000).flip(0)))
    assert quality.rank_correlation == pytest.approx(-1)
    assert quality.mixing < 0.1


@pytest.mark.parametrize("batch_size", [1, 7, 100, 400])
def test_expected_users_are_those_of_many_draws(batch_size):
    counts = np.array([1, 2, 5, 0, 100, 292])
    rng, users = np.random.default_rng(0), np.repeat(np.arange(6), [1, 2, 5, 0, 100, 292])
    drawn = [len(np.unique(rng.choice(users, batch_size, replace=False))) for _ in range(3_000)]
    error = 4 * np.std(drawn) / 3_000**0.5 + 1e-9
    assert expected_users(counts, batch_size) == pytest.approx(np.mean(drawn), abs=error)


@pytest.mark.parametrize("buffer_rows", [200, 1_000, 4_000])
def test_a_larger_buffer_mixes_a_sorted_file_better(tmp_path, buffer_rows):
    users, items = (side.numpy() for side in sorted_pairs())
    frame = pd.DataFrame({"user_idx": users, "item_idx": items})
    frame.to_parquet(tmp_path / "pairs.parquet", row_group_size=100)
    batches = StreamedPairs(
        tmp_path / "pairs.parquet",
        UniformNegatives(500),
        batch_size=100,
        n_negatives=1,
        generator=torch.Generator().manual_seed(0),
        buffer_rows=buffer_rows,
    )
    mixing = shuffle_quality(batches).mixing
    low, high = {200: (0.05, 0.3), 1_000: (0.4, 0.9), 4_000: (0.97, 1.03)}[buffer_rows]
    assert low < mixing < high


def test_a_pass_without_pairs_is_refused():
    with pytest.raises(ValueError, match="two pairs at least"):
        shuffle_quality([])
