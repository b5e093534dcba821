from collections import Counter
from itertools import combinations

import pytest
import torch
from scipy.stats import chisquare

from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.candidates import evaluation_candidates
from tests.fake_gpu import DEVICE, FakeGenerator, fake_gpu


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def seen():
    return Interactions([0, 0, 1, 2, 2], [1, 2, 0, 5, 3], n_users=4, n_items=8)


@pytest.fixture
def held_out():
    """User 1 has nothing held out."""
    return Interactions([3, 0, 2], [7, 4, 0], n_users=4, n_items=8)


def test_the_positive_stands_first_in_the_row_of_its_user(held_out, seen):
    candidates = evaluation_candidates(held_out, seen=seen, n_negatives=3, generator=seeded())
    assert (candidates.shape, candidates.dtype) == ((3, 4), torch.int64)
    assert held_out.pairs()[0].tolist() == [0, 2, 3]
    assert candidates[:, 0].tolist() == [4, 0, 7]


def test_all_free_items_are_taken_once_when_all_are_asked_for(held_out, seen):
    candidates = evaluation_candidates(held_out, seen=seen, n_negatives=5, generator=seeded())
    assert sorted(candidates[0, 1:].tolist()) == [0, 3, 5, 6, 7]
    assert sorted(candidates[1, 1:].tolist()) == [1, 2, 4, 6, 7]
    assert set(candidates[2, 1:].tolist()) < {0, 1, 2, 3, 4, 5, 6}
    assert len(set(candidates[2].tolist())) == 6


def test_every_set_of_negatives_is_equally_likely():
    n_users = 6000
    users = torch.arange(n_users)
    seen = Interactions(users, users * 0 + 2, n_users=n_users, n_items=7)
    held_out = Interactions(users, users * 0 + 5, n_users=n_users, n_items=7)
    candidates = evaluation_candidates(held_out, seen=seen, n_negatives=3, generator=seeded())
    counts = Counter(tuple(sorted(row)) for row in candidates[:, 1:].tolist())
    assert set(counts) == set(combinations([0, 1, 3, 4, 6], 3))
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_the_seed_decides_the_candidates(held_out, seen):
    first, again, other = (
        evaluation_candidates(held_out, seen=seen, n_negatives=3, generator=seeded(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_user_with_two_held_out_is_refused(seen):
    two = Interactions([0, 0, 3], [4, 5, 7], n_users=4, n_items=8)
    with pytest.raises(ValueError, match=r"1 have more, e\.g\. user_idx 0 has 2"):
        evaluation_candidates(two, seen=seen, n_negatives=1, generator=seeded())


def test_a_held_out_item_that_is_known_is_refused(seen):
    leak = Interactions([0, 3], [1, 7], n_users=4, n_items=8)
    with pytest.raises(ValueError, match="1 held-out positives are also in seen"):
        evaluation_candidates(leak, seen=seen, n_negatives=1, generator=seeded())


def test_too_few_items_are_refused(held_out, seen):
    with pytest.raises(ValueError, match=r"6 negatives .* 2 users .* user_idx 0 has 5"):
        evaluation_candidates(held_out, seen=seen, n_negatives=6, generator=seeded())


def test_nothing_held_out_is_refused(seen):
    none = torch.tensor([], dtype=torch.int64)
    empty = Interactions(none, none, n_users=4, n_items=8)
    with pytest.raises(ValueError, match="held_out has no positive"):
        evaluation_candidates(empty, seen=seen, generator=seeded())


def test_no_negatives_are_refused(held_out, seen):
    with pytest.raises(ValueError, match="n_negatives must be at least 1, got 0"):
        evaluation_candidates(held_out, seen=seen, n_negatives=0, generator=seeded())


def test_weights_make_no_difference(held_out, seen):
    user_idx, item_idx = held_out.pairs()
    graded = Interactions(user_idx, item_idx, n_users=4, n_items=8, weights=[5, 1, 3])
    plain, same = (
        evaluation_candidates(part, seen=seen, n_negatives=3, generator=seeded())
        for part in (held_out, graded)
    )
    assert torch.equal(plain, same)


def test_candidates_are_on_the_device_of_the_generator(held_out, seen):
    with fake_gpu():
        candidates = evaluation_candidates(
            held_out, seen=seen, n_negatives=5, generator=FakeGenerator()
        )
        assert candidates.device == DEVICE
        assert sorted(candidates.tolist()[0][1:]) == [0, 3, 5, 6, 7]
