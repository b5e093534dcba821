"""Metrics of ranks against hand counts, a plain walk down the list, ir-measures, scikit-learn."""

import itertools
import math

import ir_measures
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from nbhelpers.evaluation.metrics import (
    auc,
    hit_rate_at_k,
    map_at_k,
    mean_reciprocal_rank,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
)
from nbhelpers.evaluation.ranks import gains_of_ranks, ranks_of_positives

AT_K = [hit_rate_at_k, ndcg_at_k, map_at_k, recall_at_k, precision_at_k]


def map_of_the_possible(ranks, k):
    return map_at_k(ranks, k, denominator="min(k, positives)")


def walk(relevant, k):
    """Every metric of one list, told item by item which ones are relevant."""
    total, hits, gain, precisions, first = sum(relevant), 0, 0.0, 0.0, None
    for rank, is_relevant in enumerate(relevant, start=1):
        if not is_relevant:
            continue
        first = first or rank
        if rank <= k:
            hits += 1
            gain += math.log(2) / math.log(rank + 1)
            precisions += hits / rank
    ideal = sum(math.log(2) / math.log(rank + 1) for rank in range(1, min(total, k) + 1))
    pairs = [
        (one, two)
        for one, two in itertools.combinations(range(len(relevant)), 2)
        if relevant[one] != relevant[two]
    ]
    return {
        hit_rate_at_k: float(hits > 0),
        ndcg_at_k: gain / ideal,
        map_at_k: precisions / total,
        map_of_the_possible: precisions / min(total, k),
        recall_at_k: hits / total,
        precision_at_k: hits / k,
        mean_reciprocal_rank: 1 / first,
        auc: sum(relevant[one] for one, _ in pairs) / len(pairs) if pairs else math.nan,
    }


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_every_order_of_every_short_list(k):
    for n in (1, 2, 3, 4, 5):
        scores = torch.tensor(list(itertools.permutations(range(n))), dtype=torch.float64)
        for pattern in itertools.product([False, True], repeat=n):
            if not any(pattern):
                continue
            positives = torch.tensor(pattern).expand(len(scores), -1)
            ranks = ranks_of_positives(scores, positives)
            order = scores.argsort(dim=1, descending=True)
            lists = positives.gather(1, order).tolist()
            expected = [walk(relevant, k) for relevant in lists]
            for metric in expected[0]:
                values = metric(ranks, n) if metric is auc else _value(metric, ranks, k)
                wanted = [one[metric] for one in expected]
                np.testing.assert_allclose(values, wanted, rtol=1e-12, equal_nan=True)


def _value(metric, ranks, k):
    return metric(ranks) if metric is mean_reciprocal_rank else metric(ranks, k)


def random_lists(rng, n_users=40, n_items=30):
    scores = torch.tensor(rng.permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)).double()
    positives = torch.tensor(rng.random((n_users, n_items)) < rng.random((n_users, 1)))
    positives[:, 0] = True
    positives[:, 1] = False
    return scores, positives


@pytest.mark.parametrize("k", [1, 3, 10, 25])
def test_metrics_agree_with_ir_measures(rng, k):
    scores, positives = random_lists(rng)
    ranks = ranks_of_positives(scores, positives)
    pairs = {
        ir_measures.Success @ k: hit_rate_at_k(ranks, k),
        ir_measures.nDCG @ k: ndcg_at_k(ranks, k),
        ir_measures.AP @ k: map_at_k(ranks, k),
        ir_measures.R @ k: recall_at_k(ranks, k),
        ir_measures.P @ k: precision_at_k(ranks, k),
        ir_measures.RR: mean_reciprocal_rank(ranks),
    }
    qrels = {
        str(user): {str(item): 1 for item in row.nonzero()[:, 0].tolist()}
        for user, row in enumerate(positives)
    }
    run = {
        str(user): {str(item): score for item, score in enumerate(row)}
        for user, row in enumerate(scores.tolist())
    }
    for found in ir_measures.iter_calc(list(pairs), qrels, run):
        assert pairs[found.measure][int(found.query_id)].item() == pytest.approx(found.value)


def test_metrics_agree_with_scikit_learn(rng):
    scores, positives = random_lists(rng)
    ranks, n = ranks_of_positives(scores, positives), scores.shape[1]
    ours = auc(ranks, n), ndcg_at_k(ranks, 7), map_at_k(ranks, n)
    for user, (row, truth) in enumerate(zip(scores.numpy(), positives.numpy(), strict=True)):
        theirs = (
            sklearn_metrics.roc_auc_score(truth, row),
            sklearn_metrics.ndcg_score(truth[None], row[None], k=7),
            sklearn_metrics.average_precision_score(truth, row),
        )
        assert [values[user].item() for values in ours] == pytest.approx(theirs)


def graded_lists(rng):
    """Lists without ties, and gains of one to five for their positives."""
    scores, positives = random_lists(rng)
    return scores, torch.tensor(rng.integers(1, 6, scores.shape)).where(positives, 0)


@pytest.mark.parametrize("k", [1, 3, 10, 25])
def test_graded_ndcg_agrees_with_ir_measures(rng, k):
    scores, gains = graded_lists(rng)
    ranks = ranks_of_positives(scores, gains > 0)
    found = ndcg_at_k(ranks, k, gains=gains_of_ranks(scores, gains.double()))
    qrels = {
        str(user): {str(item): gain for item, gain in enumerate(row) if gain}
        for user, row in enumerate(gains.tolist())
    }
    run = {
        str(user): {str(item): score for item, score in enumerate(row)}
        for user, row in enumerate(scores.tolist())
    }
    for theirs in ir_measures.iter_calc([ir_measures.nDCG @ k], qrels, run):
        assert found[int(theirs.query_id)].item() == pytest.approx(theirs.value)


@pytest.mark.parametrize("worth", [lambda stars: stars, lambda stars: 2**stars - 1])
def test_graded_ndcg_agrees_with_scikit_learn(rng, worth):
    scores, stars = graded_lists(rng)
    gains = worth(stars.double())
    ranks = ranks_of_positives(scores, gains > 0)
    found = ndcg_at_k(ranks, 7, gains=gains_of_ranks(scores, gains))
    for user, (row, truth) in enumerate(zip(scores.numpy(), gains.numpy(), strict=True)):
        theirs = sklearn_metrics.ndcg_score(truth[None], row[None], k=7)
        assert found[user].item() == pytest.approx(theirs)


def test_graded_ndcg_by_hand():
    ranks, gains = torch.tensor([[1, 3, 0]]), torch.tensor([[1.0, 3.0, 99.0]])
    # found 1 / 1 + 3 / 2; best is 3 first, then 1
    expected = (1 + 3 / 2) / (3 + 1 / math.log2(3))
    assert ndcg_at_k(ranks, 10, gains=gains).item() == pytest.approx(expected)
    assert ndcg_at_k(ranks, 2, gains=gains).item() == pytest.approx(1 / (3 + 1 / math.log2(3)))
    assert ndcg_at_k(torch.tensor([2]), 2, gains=torch.tensor([7.0])).item() == pytest.approx(
        1 / math.log2(3)
    )


def test_gains_follow_their_ranks_in_any_order():
    ordered = ndcg_at_k(torch.tensor([[1, 2, 4]]), 3, gains=torch.tensor([[5.0, 1.0, 2.0]]))
    mixed = ndcg_at_k(torch.tensor([[4, 1, 0, 2]]), 3, gains=torch.tensor([[2.0, 5.0, 9.0, 1.0]]))
    torch.testing.assert_close(ordered, mixed)


def test_equal_gains_are_binary_gains(rng):
    scores, positives = random_lists(rng)
    ranks = ranks_of_positives(scores, positives)
    same = ndcg_at_k(ranks, 10, gains=torch.full(ranks.shape, 4.0))
    torch.testing.assert_close(same, ndcg_at_k(ranks, 10))


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        (torch.ones(2), r"must have the shape of ranks, \(1, 2\), got \(2,\)"),
        (torch.tensor([[1.0, 0.0]]), "finite and above 0, got 1 that are not"),
        (torch.tensor([[-1.0, math.nan]]), "finite and above 0, got 2 that are not"),
        (torch.tensor([[math.inf, 1.0]]), "finite and above 0, got 1 that are not"),
    ],
)
def test_bad_gains_are_refused(gains, message):
    with pytest.raises(ValueError, match=message):
        ndcg_at_k(torch.tensor([[1, 2]]), 5, gains=gains)


def test_twelve_positives_and_one_hit_in_five():
    # the hit stands first: average precision is 1 over 12 positives, or over the 5 listed items
    ranks = torch.tensor([[1, *range(20, 31)]])
    assert map_at_k(ranks, 5).item() == pytest.approx(1 / 12)
    assert map_of_the_possible(ranks, 5).item() == pytest.approx(1 / 5)


def test_one_positive_by_hand():
    ranks = torch.tensor([1, 3, 11])
    assert hit_rate_at_k(ranks, 10).tolist() == [1.0, 1.0, 0.0]
    assert ndcg_at_k(ranks, 10).tolist() == [1.0, 0.5, 0.0]  # log2(1 + 3) = 2
    assert precision_at_k(ranks, 10).tolist() == [0.1, 0.1, 0.0]
    assert mean_reciprocal_rank(ranks).tolist() == pytest.approx([1, 1 / 3, 1 / 11])
    assert auc(ranks, 101).tolist() == pytest.approx([1.0, 0.98, 0.9])


@pytest.mark.parametrize("metric", [*AT_K, map_of_the_possible, mean_reciprocal_rank])
def test_user_without_positives_has_no_value(metric):
    values = _value(metric, torch.tensor([[2, 5], [0, 0], [1, 0]]), 3)
    assert values.isnan().tolist() == [False, True, False]
    assert values.dtype == torch.float64
    assert _value(metric, torch.empty(2, 0, dtype=torch.int64), 3).isnan().all()
    assert _value(metric, torch.empty(0, dtype=torch.int64), 3).shape == (0,)


def test_auc_needs_a_positive_and_another_candidate():
    ranks = torch.tensor([[1, 2], [0, 0], [2, 0]])
    values = auc(ranks, torch.tensor([2, 5, 3]))
    assert values.isnan().tolist() == [True, True, False]
    assert values[2].item() == 0.5


def test_k_above_the_catalog_finds_all_but_precision_divides_by_k():
    ranks = torch.tensor([[1, 2, 4]])  # of four items
    assert hit_rate_at_k(ranks, 100).item() == recall_at_k(ranks, 100).item() == 1.0
    assert precision_at_k(ranks, 100).item() == 0.03
    for metric in (ndcg_at_k, map_at_k, map_of_the_possible):
        torch.testing.assert_close(metric(ranks, 100), metric(ranks, 4))


def test_order_of_the_ranks_does_not_matter():
    for metric in (*AT_K, map_of_the_possible):
        mixed, ordered = torch.tensor([[4, 1, 0, 2]]), torch.tensor([[1, 2, 4]])
        torch.testing.assert_close(metric(mixed, 3), metric(ordered, 3))


tables = st.lists(st.sets(st.integers(1, 20), max_size=8), min_size=1, max_size=6)


def as_ranks(users):
    width = max(map(len, users))
    rows = [[*sorted(user), *[0] * (width - len(user))] for user in users]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(users), width)


@settings(deadline=None, max_examples=50)
@given(tables, st.integers(1, 25))
def test_values_lie_between_zero_and_one(users, k):
    ranks = as_ranks(users)
    values = [metric(ranks, k) for metric in (*AT_K, map_of_the_possible)]
    for value in (*values, mean_reciprocal_rank(ranks), auc(ranks, 20)):
        present = value[~value.isnan()]
        assert ((present >= 0) & (present <= 1 + 1e-12)).all()


@settings(deadline=None, max_examples=50)
@given(tables, st.integers(1, 25))
def test_longer_lists_never_lose_hits(users, k):
    ranks = as_ranks(users)
    for metric in (hit_rate_at_k, recall_at_k, map_at_k):
        shorter, longer = metric(ranks, k).nan_to_num(), metric(ranks, k + 1).nan_to_num()
        assert (longer >= shorter - 1e-12).all()


@settings(deadline=None, max_examples=50)
@given(tables, st.integers(1, 25))
def test_batch_is_its_users_one_by_one(users, k):
    ranks = as_ranks(users)
    for metric in (*AT_K, map_of_the_possible):
        alone = torch.cat([metric(as_ranks([user]), k) for user in users])
        torch.testing.assert_close(metric(ranks, k), alone, rtol=1e-12, atol=0, equal_nan=True)


@settings(deadline=None, max_examples=50)
@given(tables, st.integers(1, 25), st.data())
def test_a_better_rank_never_lowers_a_metric(users, k, data):
    better = [set(user) for user in users]
    for user in better:
        free = [rank - 1 for rank in user if rank > 1 and rank - 1 not in user]
        if free:
            rank = data.draw(st.sampled_from(free))
            user.remove(rank + 1)
            user.add(rank)
    for metric in (*AT_K, map_of_the_possible):
        before, after = metric(as_ranks(users), k), metric(as_ranks(better), k)
        assert (after.nan_to_num() >= before.nan_to_num() - 1e-12).all()


@pytest.mark.parametrize("metric", [*AT_K, map_of_the_possible, mean_reciprocal_rank, auc])
@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        (torch.tensor([1.0]), "whole numbers"),
        (torch.tensor([True]), "whole numbers"),
        (torch.tensor(1), r"got torch.int64 of shape \(\)"),
        (torch.tensor([-1]), "start at 1, with 0 for no positive, got -1"),
        (torch.tensor([[2, 2, 0, 0]]), "1 ranks repeat"),
    ],
)
def test_what_is_no_rank_is_refused(metric, ranks, message):
    with pytest.raises(ValueError, match=message):
        _value(metric, ranks, 5)


@pytest.mark.parametrize("metric", [*AT_K, map_of_the_possible])
@pytest.mark.parametrize("k", [0, -3, 2.5, True])
def test_bad_k_is_refused(metric, k):
    with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
        metric(torch.tensor([1]), k)


def test_unknown_denominator_is_refused():
    with pytest.raises(ValueError, match="denominator must be one of"):
        map_at_k(torch.tensor([1]), 5, denominator="hits")


def test_rank_beyond_the_candidates_is_refused():
    with pytest.raises(ValueError, match="1 ranks exceed"):
        auc(torch.tensor([3, 4]), 3)
