"""The interval over overlapping splits; that it covers the truth is tested in test_coverage."""

import pytest

from nbhelpers.evaluation.repeated_splits import split_interval
from nbhelpers.evaluation.statistics import seed_interval


def test_interval_by_hand():
    # mean 2, deviation 1; error sqrt(1/3 + 20/80), t with 2 degrees of freedom 4.30265
    half = 4.30265 * (1 / 3 + 1 / 4) ** 0.5
    interval = split_interval([1.0, 2.0, 3.0], n_train=80, n_test=20)
    assert interval == pytest.approx((2 - half, 2 + half), abs=1e-4)


def test_a_tiny_test_set_overlaps_little():
    scores = [0.41, 0.43, 0.42, 0.40]
    plain = seed_interval(scores, level=0.9)
    tiny = split_interval(scores, n_train=10**9, n_test=1, level=0.9)
    assert tiny == pytest.approx(plain, abs=1e-6)


def test_more_splits_do_not_make_certainty():
    scores = [1.0, 2.0, 3.0] * 400
    low, high = split_interval(scores, n_train=75, n_test=25)
    deviation = (2 / 3) ** 0.5
    assert high - low > 2 * 1.96 * deviation * (1 / 3) ** 0.5
    low, high = seed_interval(scores)
    assert high - low < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [0.4]}, r"at least two splits are needed, got shape \(1,\)"),
        ({"values": [[0.4, 0.5]]}, r"got shape \(1, 2\)"),
        ({"values": [0.4, float("nan")]}, "1 splits have no finite score"),
        ({"n_train": 0}, "both parts need a row, got n_train=0 and n_test=20"),
        ({"n_test": 0}, "got n_train=80 and n_test=0"),
        ({"level": 1}, "level must lie between 0 and 1, got 1"),
    ],
)
def test_bad_input_is_refused(change, message):
    settings = {"values": [0.4, 0.5], "n_train": 80, "n_test": 20, **change}
    with pytest.raises(ValueError, match=message):
        split_interval(settings.pop("values"), **settings)
