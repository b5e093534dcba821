import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from nbhelpers.data.device_rows import DeviceRows
from nbhelpers.data.interactions import Interactions
from nbhelpers.sampling.negatives import (
    ExactNegatives,
    HardestNegatives,
    PairScores,
    PopularityNegatives,
    UniformNegatives,
    absent_items,
    sample_negatives,
)
from tests.fake_gpu import DEVICE, FakeGenerator, fake_gpu

N_ITEMS = 8


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def interactions():
    """User 0 has half of the items, user 1 one, user 2 all but item 5, user 3 none."""
    items = {0: [0, 2, 3, 7], 1: [4], 2: [0, 1, 2, 3, 4, 6, 7]}
    pairs = [(user, item) for user, chosen in items.items() for item in chosen]
    return Interactions(*zip(*pairs, strict=True), n_users=4, n_items=N_ITEMS)


def samplers(interactions):
    exact = ExactNegatives(interactions)
    return {
        "exact": exact,
        "uniform": UniformNegatives(N_ITEMS),
        "popularity": PopularityNegatives(interactions, power=0.75),
        "hardest": HardestNegatives(exact, lambda user_idx, items: items, n_candidates=3),
    }


NAMES = ["exact", "uniform", "popularity", "hardest"]


@pytest.mark.parametrize("name", NAMES)
def test_negatives_are_items_in_the_asked_shape(interactions, name):
    sampler = samplers(interactions)[name]
    drawn = sampler(torch.tensor([3, 0, 1]), n_negatives=5, generator=seeded())
    assert (drawn.shape, drawn.dtype) == ((3, 5), torch.int64)
    assert drawn.min() >= 0
    assert drawn.max() < N_ITEMS


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_and_of_none(interactions, name):
    sampler = samplers(interactions)[name]
    assert sampler(torch.tensor([2]), n_negatives=1, generator=seeded()).shape == (1, 1)
    none = torch.tensor([], dtype=torch.int64)
    assert sampler(none, n_negatives=3, generator=seeded()).shape == (0, 3)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_decides_every_draw(interactions, name):
    sampler, user_idx = samplers(interactions)[name], torch.tensor([0, 1, 3]).repeat(20)
    torch.manual_seed(1)
    generator = seeded()
    first = sampler(user_idx, n_negatives=4, generator=generator)
    redrawn = sampler(user_idx, n_negatives=4, generator=generator)
    torch.manual_seed(2)
    again = sampler(user_idx, n_negatives=4, generator=seeded())
    assert torch.equal(first, again)
    assert not torch.equal(first, redrawn)


@pytest.mark.parametrize("name", NAMES)
def test_sampling_leaves_global_state_and_data_alone(interactions, name):
    before, pairs = torch.get_rng_state(), interactions.pairs()
    user_idx = torch.tensor([0, 2])
    samplers(interactions)[name](user_idx, n_negatives=4, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)
    assert user_idx.tolist() == [0, 2]
    assert all(torch.equal(*sides) for sides in zip(pairs, interactions.pairs(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_no_negatives_at_all_are_refused(interactions, name):
    with pytest.raises(ValueError, match="n_negatives must be at least 1, got 0"):
        samplers(interactions)[name](torch.tensor([0]), n_negatives=0, generator=seeded())


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6))), st.integers(0, 2**31))
def test_exact_negatives_are_never_positives(pairs, seed):
    array = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    built = Interactions(array[:, 0], array[:, 1], n_users=5, n_items=7)
    users = torch.from_numpy(np.flatnonzero(built.user_counts < 7))
    drawn = ExactNegatives(built)(users, n_negatives=20, generator=seeded(seed))
    assert not any(
        (user, item) in pairs
        for user, row in zip(users.tolist(), drawn.tolist(), strict=True)
        for item in row
    )


def test_exact_negatives_at_the_size_of_movielens_1m(rng):
    keys = rng.choice(6040 * 3706, 1_000_000, replace=False)
    built = Interactions(keys // 3706, keys % 3706, n_users=6040, n_items=3706)
    user_idx, _ = built.pairs()
    drawn = ExactNegatives(built)(user_idx, n_negatives=4, generator=seeded())
    taken = np.zeros(6040 * 3706, dtype=bool)
    taken[keys] = True
    assert not taken[(user_idx.unsqueeze(1) * 3706 + drawn).numpy()].any()


@pytest.mark.parametrize(
    ("user", "allowed"), [(0, [1, 4, 5, 6]), (1, [0, 1, 2, 3, 5, 6, 7]), (3, list(range(8)))]
)
def test_exact_negatives_are_equally_likely(interactions, user, allowed):
    user_idx = torch.full((1000,), user)
    drawn = ExactNegatives(interactions)(user_idx, n_negatives=20, generator=seeded())
    counts = torch.bincount(drawn.flatten(), minlength=N_ITEMS)
    assert counts[allowed].sum() == 20_000
    assert chisquare(counts[allowed]).pvalue > 0.01


def test_exact_negatives_are_equally_likely_among_many_items(rng):
    positives = rng.choice(1000, 700, replace=False)
    built = Interactions(np.zeros(700, dtype=int), positives, n_users=1, n_items=1000)
    user_idx = torch.zeros(1000, dtype=torch.int64)
    drawn = ExactNegatives(built)(user_idx, n_negatives=100, generator=seeded())
    counts = torch.bincount(drawn.flatten(), minlength=1000).numpy()
    free = np.setdiff1d(np.arange(1000), positives)
    assert counts[free].sum() == 100_000
    assert chisquare(counts[free]).pvalue > 0.01


def test_negatives_of_a_row_are_independent(interactions):
    user_idx = torch.zeros(20_000, dtype=torch.int64)
    drawn = ExactNegatives(interactions)(user_idx, n_negatives=2, generator=seeded())
    cells = torch.bincount(drawn[:, 0] * N_ITEMS + drawn[:, 1]).numpy()
    assert chisquare(cells[cells > 0]).pvalue > 0.01
    assert (cells > 0).sum() == 16


def on_the_device(interactions, user_idx, n_negatives, seed=0):
    """What a GPU draws, drawn on the CPU."""
    rows = DeviceRows(interactions, "cpu")
    return absent_items(rows, user_idx, n_negatives=n_negatives, generator=seeded(seed))


@pytest.mark.parametrize(
    ("user", "allowed"), [(0, [1, 4, 5, 6]), (1, [0, 1, 2, 3, 5, 6, 7]), (3, list(range(8)))]
)
def test_the_device_draws_each_absent_item_as_often(interactions, user, allowed):
    drawn = on_the_device(interactions, torch.full((1000,), user), 20)
    counts = torch.bincount(drawn.flatten(), minlength=N_ITEMS)
    assert counts[allowed].sum() == 20_000
    assert chisquare(counts[allowed]).pvalue > 0.01


def test_both_ways_draw_from_one_distribution(rng):
    built = Interactions(*rng.random((6, 40)).round().nonzero(), n_users=6, n_items=40)
    user_idx = torch.arange(6).repeat_interleave(2000)
    ways = [
        ExactNegatives(built)(user_idx, n_negatives=5, generator=seeded()),
        on_the_device(built, user_idx, 5, seed=1),
    ]
    cells = [torch.bincount((user_idx.unsqueeze(1) * 40 + way).flatten()) for way in ways]
    assert torch.equal(*(each > 0 for each in cells))
    table = torch.stack(cells)[:, cells[0] > 0]
    assert chi2_contingency(table.numpy()).pvalue > 0.01


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6))), st.integers(0, 2**31))
def test_the_device_never_draws_a_positive(pairs, seed):
    array = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    built = Interactions(array[:, 0], array[:, 1], n_users=5, n_items=7)
    users = torch.from_numpy(np.flatnonzero(built.user_counts < 7))
    drawn = on_the_device(built, users, 20, seed)
    assert drawn.shape == (len(users), 20)
    assert not built.contains(users.unsqueeze(1), drawn).any()


def test_the_device_refuses_what_the_cpu_refuses(interactions):
    full = interactions | Interactions([2], [5], n_users=4, n_items=N_ITEMS)
    with pytest.raises(ValueError, match=r"1 users have chosen every item, e\.g\. user_idx 2"):
        on_the_device(full, torch.tensor([0, 2]), 3)
    assert on_the_device(full, torch.tensor([0, 1]), 3).shape == (2, 3)
    with pytest.raises(ValueError, match="user_idx must lie between 0 and 3, got 1 outside"):
        on_the_device(interactions, torch.tensor([4]), 1)


@pytest.mark.parametrize("name", NAMES)
def test_negatives_are_drawn_on_the_gpu_and_none_is_waited_for(interactions, name):
    with fake_gpu():
        sampler, generator = samplers(interactions)[name], FakeGenerator()
        user_idx = torch.tensor([3, 0, 1]).to(DEVICE)
        sampler(user_idx, n_negatives=5, generator=generator)  # what is copied is copied now
        with fake_gpu(waits=False):
            drawn = sampler(user_idx, n_negatives=5, generator=generator)
        assert (drawn.device, drawn.shape, drawn.dtype) == (DEVICE, (3, 5), torch.int64)
        assert 0 <= int(drawn.min()) <= int(drawn.max()) < N_ITEMS


def test_on_the_gpu_no_positive_is_drawn_either(interactions):
    with fake_gpu():
        user_idx = torch.tensor([0, 2, 1] * 50)
        drawn = ExactNegatives(interactions)(user_idx, n_negatives=9, generator=FakeGenerator())
        assert drawn.device == DEVICE
        drawn = drawn.cpu()
    assert not interactions.contains(user_idx.unsqueeze(1), drawn).any()


def test_the_last_free_item_is_found(interactions):
    drawn = ExactNegatives(interactions)(torch.tensor([2]), n_negatives=50, generator=seeded())
    assert drawn.tolist() == [[5] * 50]


def test_a_user_with_all_items_gets_a_clear_error(interactions):
    full = interactions | Interactions([2], [5], n_users=4, n_items=N_ITEMS)
    with pytest.raises(ValueError, match=r"1 users have chosen every item, e\.g\. user_idx 2"):
        ExactNegatives(full)(torch.tensor([0, 2]), n_negatives=1, generator=seeded())


def test_the_unknown_row_has_no_negatives(interactions):
    with pytest.raises(ValueError, match="user_idx must lie between 0 and 3, got 1 outside"):
        ExactNegatives(interactions)(torch.tensor([4]), n_negatives=1, generator=seeded())


def test_avoided_positives_are_not_drawn_either(interactions):
    held_out = Interactions([0, 1], [5, 0], n_users=4, n_items=N_ITEMS)
    exact = ExactNegatives(interactions, seen=held_out)
    drawn = exact(torch.tensor([0, 1]), n_negatives=500, generator=seeded())
    assert set(drawn[0].tolist()) == {1, 4, 6}
    assert set(drawn[1].tolist()) == {1, 2, 3, 5, 6, 7}


def test_avoiding_leaves_both_data_sets_alone(interactions):
    held_out = Interactions([0, 1], [5, 0], n_users=4, n_items=N_ITEMS)
    ExactNegatives(interactions, seen=held_out)
    drawn = ExactNegatives(interactions)(torch.tensor([0]), n_negatives=500, generator=seeded())
    assert set(drawn[0].tolist()) == {1, 4, 5, 6}
    assert (len(interactions), len(held_out)) == (12, 2)


def test_weights_and_times_have_no_part_in_what_a_user_has_chosen(interactions):
    more = Interactions([3], [0], n_users=4, n_items=N_ITEMS, weights=[2.5], timestamps=[9])
    for one, two in [(interactions, more), (more, interactions)]:
        sampler = ExactNegatives(one, seen=two)
        drawn = sampler(torch.tensor([3, 2]), n_negatives=50, generator=seeded())
        assert drawn[0].unique().tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert drawn[1].unique().tolist() == [5]


def test_the_function_draws_what_the_class_draws(interactions):
    user_idx = torch.tensor([0, 1, 2, 3])
    drawn = sample_negatives(interactions, user_idx, n_negatives=9, generator=seeded(5))
    exact = ExactNegatives(interactions)
    assert torch.equal(drawn, exact(user_idx, n_negatives=9, generator=seeded(5)))


def test_uniform_negatives_hit_positives_as_often_as_there_are_positives(interactions):
    user_idx = torch.zeros(5000, dtype=torch.int64)
    drawn = UniformNegatives(N_ITEMS)(user_idx, n_negatives=4, generator=seeded())
    assert chisquare(torch.bincount(drawn.flatten(), minlength=N_ITEMS)).pvalue > 0.01
    wrong = interactions.contains(user_idx.unsqueeze(1), drawn).double().mean().item()
    assert abs(wrong - 0.5) < 0.015  # four standard errors


def test_popularity_negatives_follow_the_counts():
    # items 0 to 3 were chosen 4, 1, 0 and 3 times
    built = Interactions([0, 1, 2, 3, 0, 0, 1, 2], [0, 0, 0, 0, 1, 3, 3, 3], n_users=4, n_items=4)
    popular = PopularityNegatives(built, power=1.0)
    drawn = popular(torch.zeros(4000, dtype=torch.int64), n_negatives=4, generator=seeded())
    counts = torch.bincount(drawn.flatten(), minlength=4).numpy()
    assert counts[2] == 0
    assert chisquare(counts[[0, 1, 3]], [8000, 2000, 6000]).pvalue > 0.01
    assert popular.log_q.exp().tolist() == pytest.approx([4 / 8, 1 / 8, 0, 3 / 8])
    assert popular.log_q[2] == -math.inf


def test_a_share_on_the_border_of_two_items_goes_to_the_upper_one(monkeypatch):
    # items 0 to 3 were chosen 0, 1, 0 and 1 times: item 1 has the shares from 0 to below 1/2
    built = Interactions([0, 1], [1, 3], n_users=2, n_items=4)
    shares = torch.tensor([[0.0, 0.25, 0.5, 0.75]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *shape, **settings: shares)
    popular = PopularityNegatives(built, power=1.0)
    drawn = popular(torch.tensor([0]), n_negatives=4, generator=seeded())
    assert drawn.tolist() == [[1, 1, 3, 3]]


def test_the_power_flattens_popularity():
    built = Interactions([0, 1, 2, 3, 0], [0, 0, 0, 0, 1], n_users=4, n_items=2)
    root = PopularityNegatives(built, power=0.5).log_q.exp().tolist()
    assert root == pytest.approx([2 / 3, 1 / 3])  # roots of 4 and 1


def test_power_zero_draws_any_item_alike(interactions):
    log_q = PopularityNegatives(interactions, power=0.0).log_q
    assert log_q.tolist() == pytest.approx([-math.log(8)] * 8)


@pytest.mark.parametrize("power", [-1.0, math.nan, math.inf])
def test_impossible_powers_are_refused(interactions, power):
    with pytest.raises(ValueError, match="power must be 0 or more"):
        PopularityNegatives(interactions, power=power)


def test_popularity_needs_something_to_count():
    none = np.array([], dtype=int)
    with pytest.raises(ValueError, match="at least one positive"):
        PopularityNegatives(Interactions(none, none, n_users=1, n_items=1), power=1.0)


def test_each_hardest_negative_is_the_best_of_its_own_candidates():
    def candidates(user_idx, *, n_negatives, generator):
        return torch.arange(len(user_idx) * n_negatives).view(len(user_idx), n_negatives)

    def score(user_idx, items):
        assert user_idx.tolist() == [7, 9]
        best = torch.tensor([1, 5, 6, 11])
        return torch.isin(items, best).float()

    hardest = HardestNegatives(candidates, score, n_candidates=3)
    drawn = hardest(torch.tensor([7, 9]), n_negatives=2, generator=seeded())
    assert drawn.tolist() == [[1, 5], [6, 11]]  # candidates 0-2, 3-5 and 6-8, 9-11


def test_one_candidate_changes_nothing(interactions):
    exact, user_idx = ExactNegatives(interactions), torch.tensor([0, 1, 3])
    same = HardestNegatives(exact, lambda user_idx, items: -items, n_candidates=1)
    drawn = same(user_idx, n_negatives=6, generator=seeded())
    assert torch.equal(drawn, exact(user_idx, n_negatives=6, generator=seeded()))


def test_hardest_negatives_score_without_gradients(interactions):
    weight = torch.ones(N_ITEMS, requires_grad=True)
    seen = []

    def score(user_idx, items):
        seen.append(weight[items].requires_grad)
        return weight[items]

    hardest = HardestNegatives(ExactNegatives(interactions), score, n_candidates=2)
    hardest(torch.tensor([0]), n_negatives=2, generator=seeded())
    assert seen == [False]


class Pairs(torch.nn.Module):
    """Scores 10 * user + item, and notes where it was asked."""

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(1))
        self.asked = []

    def forward(self, user_idx, item_idx):
        self.asked += [user_idx.device, item_idx.device]
        return 10 * user_idx + item_idx + self.bias


def test_pair_scores_are_those_of_the_model():
    items = torch.tensor([[1, 2], [5, 0]])
    scores = PairScores(Pairs())(torch.tensor([0, 3]), items)
    assert scores.tolist() == [[1.0, 2.0], [35.0, 30.0]]


@pytest.mark.parametrize("home", ["cpu", DEVICE], ids=["generator on CPU", "on GPU"])
def test_hardest_negatives_are_scored_where_the_model_is(interactions, home):
    with fake_gpu():
        model = Pairs().to(DEVICE)
        sampler = ExactNegatives(interactions)
        hardest = HardestNegatives(sampler, PairScores(model), n_candidates=100)
        generator = seeded() if home == "cpu" else FakeGenerator()
        drawn = hardest(torch.tensor([0, 2, 3]), n_negatives=2, generator=generator)
        assert set(model.asked) == {DEVICE}
        assert drawn.device == torch.device(home)
        # the best of a hundred: the highest item that the user does not have
        assert drawn.tolist() == [[6, 6], [5, 5], [7, 7]]


def test_scores_of_another_shape_are_refused(interactions):
    def score(user_idx, items):
        return items[:, 0]

    hardest = HardestNegatives(ExactNegatives(interactions), score, n_candidates=2)
    with pytest.raises(ValueError, match=r"score must return shape \(1, 4\), got \(1,\)"):
        hardest(torch.tensor([0]), n_negatives=2, generator=seeded())


def test_no_candidates_are_refused(interactions):
    with pytest.raises(ValueError, match="n_candidates must be at least 1, got 0"):
        HardestNegatives(ExactNegatives(interactions), lambda u, i: i, n_candidates=0)


def test_uniform_needs_an_item():
    with pytest.raises(ValueError, match="n_items must be at least 1, got 0"):
        UniformNegatives(0)
