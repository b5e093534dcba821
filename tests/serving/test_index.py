import sys

import numpy as np
import pytest
import torch

from nbhelpers.core.topk import top_k
from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import MLP
from nbhelpers.serving.approximate_index import ApproximateIndex
from nbhelpers.serving.index import (
    ExactIndex,
    recall_against,
    search_unseen,
    unit_vectors,
    vector_table,
    with_bias,
)


def whole_numbers(rng, *shape):
    """Floats whose products are exact in any order of summation."""
    return torch.from_numpy(rng.integers(-3, 4, shape)).float()


def no_ties(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape)).float()


def brute_force(vectors, queries, k):
    """Item indices by sorting (-score, index) pairs, one query at a time."""
    lists = []
    for query in queries.tolist():
        scores = [sum(a * b for a, b in zip(query, row, strict=True)) for row in vectors.tolist()]
        lists.append(sorted(range(len(scores)), key=lambda item: (-scores[item], item))[:k])
    return lists


def test_unit_vectors_have_length_one_and_zero_stays_zero():
    assert unit_vectors(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == [
        pytest.approx([0.6, 0.8]),
        [0.0, 0.0],
    ]


def test_a_bias_column_adds_the_bias_of_the_item():
    items = with_bias(torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[10.0], [20.0]]))
    query = with_bias(torch.tensor([[1.0, 1.0]]), 1.0)
    assert (query @ items.T).tolist() == [[13.0, 23.0]]


@pytest.mark.parametrize("chunk_size", [1, 100, 2**24])
def test_exact_search_equals_brute_force_in_any_block_size(rng, chunk_size):
    vectors, queries = whole_numbers(rng, 40, 5), whole_numbers(rng, 9, 5)
    scores, item_idx = ExactIndex(vectors, chunk_size=chunk_size).search(queries, 6)
    assert item_idx.tolist() == brute_force(vectors, queries, 6)
    assert scores.equal((queries @ vectors.T).gather(1, item_idx))


def test_exact_search_holds_no_more_scores_than_allowed(rng, monkeypatch):
    shapes = []

    def watched(scores, k):
        shapes.append(tuple(scores.shape))
        return top_k(scores, k)

    monkeypatch.setattr("nbhelpers.serving.index.top_k", watched)
    ExactIndex(whole_numbers(rng, 40, 5), chunk_size=130).search(whole_numbers(rng, 7, 5), 2)
    assert shapes == [(3, 40), (3, 40), (1, 40)]


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_k_above_the_catalog_lists_everything_once(rng, kind):
    vectors = whole_numbers(rng, 5, 3)
    scores, item_idx = kind(vectors).search(whole_numbers(rng, 2, 3), 99)
    assert scores.shape == (2, 5)
    assert item_idx.sort(dim=1).values.tolist() == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_an_index_keeps_the_vectors_it_was_built_on(rng, kind):
    vectors, queries = whole_numbers(rng, 50, 3), whole_numbers(rng, 4, 3)
    index = kind(vectors)
    before = index.search(queries, 3)
    vectors.zero_()
    after = index.search(queries, 3)
    assert before[0].equal(after[0])
    assert before[1].equal(after[1])


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_vectors_with_a_gradient_are_welcome(rng, kind):
    vectors = whole_numbers(rng, 50, 3).requires_grad_()
    assert not kind(vectors).search(vectors[:2], 3)[0].requires_grad


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (torch.ones(2, 3), 0, "k must be a whole number of at least 1, got 0"),
        (torch.ones(2, 4), 1, "queries must have 3 columns, got 4"),
        (torch.ones(3), 1, r"queries must have the shape \(n, d\), got \(3,\)"),
        (torch.tensor([[1.0, float("nan"), 0.0]]), 1, "1 of 1 queries hold NaN"),
    ],
)
def test_a_bad_search_is_refused(kind, queries, k, message):
    with pytest.raises(ValueError, match=message):
        kind(torch.eye(3)).search(queries, k)


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (torch.ones(0, 3), r"got \(0, 3\)"),
        (torch.ones(3), r"got \(3,\)"),
        (torch.tensor([[1.0], [float("inf")]]), "1 of 2 vectors hold NaN or infinity"),
    ],
)
def test_bad_vectors_are_refused(kind, vectors, message):
    with pytest.raises(ValueError, match=message):
        kind(vectors)


@pytest.mark.parametrize(
    "settings", [{"n_lists": 0}, {"n_lists": 4}, {"n_probe": 0}, {"n_lists": 2, "n_probe": 3}]
)
def test_impossible_lists_are_refused(settings):
    with pytest.raises(ValueError, match="must be within 1 and"):
        ApproximateIndex(torch.eye(3), **settings)


def test_a_chunk_size_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk_size must be at least 1, got 0"):
        ExactIndex(torch.eye(3), chunk_size=0)


def test_without_faiss_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="faiss-cpu"):
        ApproximateIndex(torch.eye(3))


@pytest.fixture
def uneven():
    """4,000 vectors in 16 dimensions, lengths falling as a power of their place, 200 queries."""
    generator = torch.Generator().manual_seed(5)
    vectors = unit_vectors(torch.randn(4000, 16, generator=generator))
    lengths = (torch.arange(4000) + 1.0).pow(-0.5)[torch.randperm(4000, generator=generator)]
    return vectors * lengths.unsqueeze(1), torch.randn(200, 16, generator=generator)


def test_looking_into_all_lists_gives_the_exact_answer(uneven):
    vectors, queries = uneven
    index = ApproximateIndex(vectors, n_lists=50, n_probe=50)
    scores, item_idx = index.search(queries, 10)
    expected = ExactIndex(vectors).search(queries, 10)
    torch.testing.assert_close(scores, expected[0])
    torch.testing.assert_close((vectors[item_idx] @ queries.unsqueeze(2)).squeeze(2), scores)
    assert (item_idx == expected[1]).double().mean() > 0.999  # near ties may change places


def test_default_index_finds_nine_of_ten_among_uneven_lengths(uneven):
    vectors, queries = uneven
    assert recall_against(ExactIndex(vectors), ApproximateIndex(vectors), queries, 10) > 0.9


def test_default_index_finds_nine_of_ten_where_long_vectors_score_worst():
    generator = torch.Generator().manual_seed(6)
    vectors = torch.rand(4000, 16, generator=generator).pow(3)
    queries = -torch.rand(200, 16, generator=generator)
    assert recall_against(ExactIndex(vectors), ApproximateIndex(vectors), queries, 10) > 0.9


def test_more_lists_looked_into_never_lower_recall(uneven):
    vectors, queries = uneven
    exact = ExactIndex(vectors)
    indexes = [ApproximateIndex(vectors, n_lists=50, n_probe=probe) for probe in (1, 5, 20, 50)]
    recall = [recall_against(exact, index, queries, 10) for index in indexes]
    assert recall == sorted(recall)
    assert recall[0] < 0.5
    assert recall[-1] > 0.999  # near ties may change places


def test_the_length_of_a_query_changes_no_list(uneven):
    vectors, queries = uneven
    index = ApproximateIndex(vectors)
    assert index.search(queries, 10)[1].equal(index.search(queries * 1024, 10)[1])


def test_building_twice_gives_the_same_answers(uneven):
    vectors, queries = uneven
    first, second = (ApproximateIndex(vectors, n_probe=2).search(queries, 10) for _ in range(2))
    assert first[1].equal(second[1])


def test_of_equal_scores_the_approximate_index_lists_the_smaller_index_first(rng):
    vectors, queries = whole_numbers(rng, 200, 3), whole_numbers(rng, 4, 3)
    index = ApproximateIndex(vectors, n_lists=5, n_probe=5)
    assert index.search(queries, 200)[1].tolist() == brute_force(vectors, queries, 200)


def test_a_list_that_holds_too_few_items_is_filled_up_with_minus_one():
    vectors = torch.tensor([[5.0, 0.0], [0.0, 5.0], [0.0, 5.0]])
    scores, item_idx = ApproximateIndex(vectors, n_lists=2, n_probe=1).search(vectors[:1], 3)
    assert item_idx.tolist() == [[0, -1, -1]]
    assert scores.tolist() == [[25.0, -torch.inf, -torch.inf]]


def test_recall_counts_what_both_list():
    class Fixed:
        def __init__(self, *lists):
            self.lists = torch.tensor(lists)

        def search(self, queries, k):
            return torch.zeros(self.lists.shape), self.lists

    exact, approximate = Fixed([1, 2, 3, 4], [5, 6, 7, 8]), Fixed([4, 3, 9, -1], [8, 7, 6, 5])
    assert recall_against(exact, approximate, torch.ones(2, 1), 4) == 0.75  # (2 + 4) / 8


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_unseen_search_equals_brute_force_over_unseen_items(rng, monkeypatch, kind):
    monkeypatch.setattr("nbhelpers.serving.index.QUERY_CHUNK", 3)
    vectors, factors = no_ties(rng, 12, 4), no_ties(rng, 8, 4)
    positive = rng.random((8, 12)) < np.linspace(0, 1, 8)[:, None]  # from none to all
    seen = Interactions(*np.nonzero(positive), n_users=8, n_items=12)
    user_idx = torch.tensor([6, 0, 7, 3, 3, 1])
    scores, item_idx = search_unseen(
        kind(vectors), factors[user_idx], 5, user_idx=user_idx, seen=seen
    )
    ranked = brute_force(vectors, factors[user_idx], 12)
    for row, (user, order) in enumerate(zip(user_idx.tolist(), ranked, strict=True)):
        expected = [item for item in order if not positive[user, item]][:5]
        assert item_idx[row].tolist() == expected + [-1] * (5 - len(expected))
        assert scores[row].isfinite().tolist() == [True] * len(expected) + [False] * (
            5 - len(expected)
        )


def test_unseen_search_refuses_queries_without_a_user():
    seen = Interactions([0], [0], n_users=2, n_items=3)
    with pytest.raises(ValueError, match="got 2 queries of 1 users and 3 vectors of 3 items"):
        search_unseen(
            ExactIndex(torch.eye(3)), torch.ones(2, 3), 1, user_idx=torch.tensor([0]), seen=seen
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_answers_come_back_on_the_device_of_the_queries(rng, kind):
    vectors, queries = no_ties(rng, 40, 5), no_ties(rng, 4, 5)
    seen = Interactions([0], [3], n_users=4, n_items=40)
    index = kind(vectors.cuda())
    scores, item_idx = index.search(queries.cuda(), 6)
    assert scores.device == item_idx.device == queries.cuda().device
    assert item_idx.tolist() == brute_force(vectors, queries, 6)
    found = search_unseen(index, queries.cuda(), 6, user_idx=torch.arange(4), seen=seen)
    assert found[1].is_cuda


def factorization():
    return MatrixFactorization(4, 12, 3)


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_a_model_with_vectors_is_indexed_by_those_of_its_items(kind):
    model = factorization()
    expected = model.score_users(torch.arange(4)).argsort(dim=1, descending=True)[:, :3]
    queries = vector_table(model, "user")
    assert kind(model).search(queries, 3)[1].tolist() == expected.tolist()


def test_vectors_of_a_model_come_without_dropout_and_its_mode_stays():
    model = MatrixFactorization(4, 12, 64, dropout=0.9)
    vectors = vector_table(model, "item")
    assert vectors.shape == (12, 65)
    assert not vectors.requires_grad
    assert (vectors != 0).all()
    assert model.training
    assert vector_table(model, "user").shape == (4, 65)


@pytest.mark.parametrize("source", [MLP(4, 12, 3), [[1.0]]])
def test_what_has_no_vectors_is_refused(source):
    with pytest.raises(ValueError, match=f"user_vectors, .* got {type(source).__name__}"):
        ExactIndex(source)


def test_a_user_twice_and_a_user_who_has_seen_nothing_share_a_block():
    seen = Interactions([0, 0, 2], [1, 2, 0], n_users=3, n_items=3)
    index, user_idx = ExactIndex(torch.eye(3)), torch.tensor([0, 1, 0, 2])
    queries = torch.tensor([[3.0, 2.0, 1.0]] * 4)
    found = search_unseen(index, queries, 2, user_idx=user_idx, seen=seen)[1]
    assert found.tolist() == [[0, -1], [0, 1], [0, -1], [1, 2]]


def test_users_who_have_seen_nothing_get_the_best_of_all():
    seen = Interactions([0], [1], n_users=2, n_items=3)
    queries, user_idx = torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([1])
    found = search_unseen(ExactIndex(torch.eye(3)), queries, 2, user_idx=user_idx, seen=seen)[1]
    assert found.tolist() == [[0, 1]]


def test_a_user_who_is_not_in_seen_is_refused():
    seen = Interactions([0], [0], n_users=2, n_items=3)
    with pytest.raises(ValueError, match="user_idx must lie between 0 and 1, got 1 outside"):
        search_unseen(
            ExactIndex(torch.eye(3)), torch.ones(1, 3), 1, user_idx=torch.tensor([2]), seen=seen
        )
