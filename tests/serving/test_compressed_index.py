"""Vectors in fewer bytes: against the exact index, a plain loop and bounds by hand."""

import sys

import numpy as np
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.serving.approximate_index import ApproximateIndex
from nbhelpers.serving.compressed_index import CompressedIndex, RescoredIndex
from nbhelpers.serving.index import (
    ExactIndex,
    Index,
    exact_scores,
    recall_against,
    search_unseen,
    unit_vectors,
    vector_table,
)
from nbhelpers.serving.similar import similar_items
from tests.serving.test_index import brute_force, no_ties, whole_numbers

KINDS = ["float16", "int8"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


class Watched:
    """Codes that note how many queries ask for how many items."""

    def __init__(self, codes, asked):
        self.codes, self.ntotal, self.asked = codes, codes.ntotal, asked

    def search(self, queries, n_asked):
        self.asked.append((len(queries), n_asked))
        return self.codes.search(queries, n_asked)


def stored(index):
    """The vectors as the index has them, in float64."""
    return index.vectors_of(torch.arange(index.n_items)).double()


def test_three_numbers_quantized_by_hand():
    """The column runs from -1.28 to 1.27, so a step is 0.01, and 0.304 lies in step 158 above it.

    A number comes back as the middle of its step: -1.28 + 0.005, -1.28 + 1.58 + 0.005, and the
    highest one, in step 255, as 1.27 + 0.005.
    """
    index = CompressedIndex(torch.tensor([[-1.28], [0.304], [1.27]]), kind="int8")
    assert stored(index).squeeze(1).tolist() == pytest.approx([-1.275, 0.305, 1.275], abs=1e-6)
    scores, item_idx = index.search(torch.tensor([[2.0]]), 3)
    assert item_idx.tolist() == [[2, 1, 0]]
    assert scores[0].tolist() == pytest.approx([2.55, 0.61, -2.55], abs=1e-6)


@pytest.mark.parametrize("spread", [1e-30, 1.0, 1e30])
def test_no_number_is_farther_off_than_half_a_step(rng, kind, spread):
    vectors = no_ties(rng, 500, 7) * torch.logspace(-3, 3, 7) * spread + 0.5 * spread
    low, high = vectors.amin(dim=0).double(), vectors.amax(dim=0).double()
    error = (stored(CompressedIndex(vectors, kind=kind)) - vectors).abs()
    largest = vectors.abs().amax(dim=0).double()
    if kind == "int8":
        bound = (high - low) / 255 / 2 + largest * 1e-6
    else:
        bound = vectors.abs().double() * 2.0**-11 + largest * 2.0**-24
    assert (error <= bound * 1.001).all()
    assert (error.amax(dim=0) > bound.amin(dim=0) / 2).all()  # the bound is not idle


def test_a_score_is_off_by_no_more_than_half_a_step_of_each_column(rng):
    vectors, queries = no_ties(rng, 300, 8), no_ties(rng, 20, 8)
    index = CompressedIndex(vectors, kind="int8")
    scores, item_idx = index.search(queries, 300)
    exact = (queries @ vectors.T).gather(1, item_idx)
    steps = (vectors.amax(dim=0) - vectors.amin(dim=0)) / 255
    bound = queries.abs() @ steps.unsqueeze(1) / 2  # (20, 1)
    assert ((scores - exact).abs() <= bound * 1.001).all()


def test_search_equals_a_plain_loop_over_the_stored_vectors(rng, kind):
    index = CompressedIndex(no_ties(rng, 60, 5) + 3, kind=kind)
    queries = no_ties(rng, 9, 5)
    scores, item_idx = index.search(queries, 6)
    assert item_idx.tolist() == brute_force(stored(index), queries.double(), 6)
    expected = (queries.double() @ stored(index).T).gather(1, item_idx)
    torch.testing.assert_close(scores.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [3, 16, 64])
def test_what_is_held_exactly_is_searched_exactly(rng, width, kind):
    """Small whole numbers and halves lose nothing, so that equal scores remain equal."""
    vectors, queries = whole_numbers(rng, 200, width), whole_numbers(rng, 20, width)
    if kind == "int8":  # steps of 1 from -128.5 to 126.5, whose middles are whole
        vectors[0], vectors[1] = -128.5, 126.5
    twice = torch.cat([vectors, vectors])
    index = CompressedIndex(twice, kind=kind)
    exact = ExactIndex(stored(index).float())
    if kind == "float16":
        assert stored(index).equal(twice.double())
    for k in (1, 7, 400):
        expected_scores, expected = exact.search(queries, k)
        scores, item_idx = index.search(queries, k)
        torch.testing.assert_close(scores, expected_scores, rtol=1e-5, atol=1e-3)
        if kind == "float16":  # of whole numbers sums are exact in any order
            assert item_idx.equal(expected)


@pytest.mark.parametrize("width", [5, 16, 64])
def test_wide_vectors_are_searched_as_they_are_stored(rng, width, kind):
    """faiss takes another way for widths that are multiples of 16."""
    index = CompressedIndex(no_ties(rng, 300, width) * 1e-3, kind=kind)
    queries = no_ties(rng, 20, width) * 1e-3
    scores, item_idx = index.search(queries, 10)
    expected = (queries.double() @ stored(index).T).topk(10, dim=1)
    torch.testing.assert_close(scores.double(), expected.values, rtol=1e-5, atol=1e-12)
    assert item_idx.equal(expected.indices)


def test_queries_without_ties_are_searched_once(rng, kind):
    """And those with ties again, with eight times as many items asked for."""
    vectors = no_ties(rng, 300, 64)
    vectors[:200] = vectors[0]
    index, asked = CompressedIndex(vectors, kind=kind), []
    index._codes = Watched(index._codes, asked)
    _, item_idx = index.search(torch.stack([vectors[0], vectors[250]]), 3)
    assert item_idx[0].tolist() == [0, 1, 2]
    assert asked == [(2, 4), (1, 32), (1, 256)]


def test_equal_items_are_listed_by_index_across_the_end_of_the_list(kind):
    """Better items come late, so that a heap has to drop some of the equal ones."""
    vectors = torch.ones(1000, 4)
    vectors[1::2, 0] = -1.0
    vectors[[900, 950, 980], 0] = 2.0
    index = CompressedIndex(vectors, kind=kind)
    _, item_idx = index.search(torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 2), 6)
    assert item_idx.tolist() == [[900, 950, 980, 0, 2, 4]] * 2


def test_a_batch_gives_the_answers_of_single_queries(rng, kind):
    index, queries = CompressedIndex(no_ties(rng, 500, 16), kind=kind), no_ties(rng, 40, 16)
    scores, item_idx = index.search(queries, 10)
    singles = [index.search(query.unsqueeze(0), 10) for query in queries]
    assert item_idx.equal(torch.cat([found for _, found in singles]))
    torch.testing.assert_close(scores, torch.cat([best for best, _ in singles]))


def test_a_column_that_never_changes_and_a_column_of_zeros_are_kept(kind):
    vectors = torch.tensor([[5.0, 0.0, 1.0], [5.0, 0.0, 2.0]])
    index = CompressedIndex(vectors, kind=kind)
    assert stored(index)[:, :2].equal(vectors[:, :2].double())
    scores, item_idx = index.search(torch.ones(1, 3), 2)
    assert item_idx.tolist() == [[1, 0]]
    torch.testing.assert_close(scores, torch.tensor([[7.0, 6.0]]), rtol=0, atol=1 / 255)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_the_unit_of_the_vectors_changes_no_list(rng, kind, scale):
    vectors, queries = no_ties(rng, 300, 6), no_ties(rng, 10, 6)
    expected = CompressedIndex(vectors, kind=kind).search(queries, 5)[1]
    found = CompressedIndex(vectors * scale, kind=kind).search(queries, 5)[1]
    assert (found == expected).double().mean() > 0.95  # near ties may change places


def test_blocks_of_rows_are_packed_alike(rng, monkeypatch, kind):
    vectors = no_ties(rng, 50, 4)
    whole = stored(CompressedIndex(vectors, kind=kind))
    monkeypatch.setattr("nbhelpers.serving.compressed_index.ROW_BLOCK", 7)
    assert stored(CompressedIndex(vectors, kind=kind)).equal(whole)


def test_bytes_counted_by_hand(rng):
    vectors = no_ties(rng, 100, 8)
    assert ExactIndex(vectors).n_bytes == 100 * 8 * 4
    assert ExactIndex(vectors.double()).n_bytes == 100 * 8 * 8
    assert CompressedIndex(vectors).n_bytes == 100 * 8 * 2 + 8 * 4  # a power of two a column
    assert CompressedIndex(vectors, kind="int8").n_bytes == 100 * 8 + 8 * 4 + 2 * 8 * 4  # a range
    # vectors; copies with a column more and a number of 8 bytes; 5 centers
    expected = 100 * 8 * 4 + 100 * (9 * 4 + 8) + 5 * 9 * 4
    assert ApproximateIndex(vectors, n_lists=5, n_probe=1).n_bytes == expected


def test_faiss_writes_as_many_bytes_as_an_index_says(rng, kind):
    import faiss

    vectors = no_ties(rng, 1000, 16)
    for index, codes in (
        (compressed := CompressedIndex(vectors, kind=kind), compressed._codes),
        (lists := ApproximateIndex(vectors), lists._lists),
    ):
        kept = index.vectors.nbytes if isinstance(index, ApproximateIndex) else 128
        assert abs(len(faiss.serialize_index(codes)) + kept - index.n_bytes) < 600


@pytest.mark.parametrize("build", [CompressedIndex, ExactIndex, ApproximateIndex])
def test_each_index_has_what_an_index_needs(rng, build):
    vectors = no_ties(rng, 50, 4)
    index = build(vectors)
    assert isinstance(index, Index)
    assert index.n_items == 50
    torch.testing.assert_close(
        index.vectors_of(torch.tensor([3, 1])), vectors[[3, 1]], rtol=1e-3, atol=1e-3
    )


def test_k_above_the_catalog_lists_everything_once(rng, kind):
    vectors = whole_numbers(rng, 5, 3)
    scores, item_idx = CompressedIndex(vectors, kind=kind).search(whole_numbers(rng, 2, 3), 99)
    assert scores.shape == (2, 5)
    assert item_idx.sort(dim=1).values.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_vectors_may_change_later_and_have_a_gradient(rng, kind):
    vectors = no_ties(rng, 50, 3)
    index, queries = CompressedIndex(vectors.requires_grad_(), kind=kind), no_ties(rng, 4, 3)
    before = index.search(queries, 3)
    with torch.no_grad():
        vectors.zero_()
    after = index.search(queries, 3)
    assert before[0].equal(after[0])
    assert before[1].equal(after[1])
    assert not after[0].requires_grad


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (torch.ones(2, 3), 0, "k must be a whole number of at least 1, got 0"),
        (torch.ones(2, 4), 1, "queries must have 3 columns, got 4"),
        (torch.ones(3), 1, r"queries must have the shape \(n, d\), got \(3,\)"),
        (torch.tensor([[1.0, float("nan"), 0.0]]), 1, "1 of 1 queries hold NaN"),
    ],
)
def test_a_bad_search_is_refused(queries, k, message):
    compressed = CompressedIndex(torch.eye(3))
    for index in (compressed, RescoredIndex(compressed, torch.eye(3))):
        with pytest.raises(ValueError, match=message):
            index.search(queries, k)


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
        CompressedIndex(vectors, kind=kind)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"one of \['float16', 'int8'\], got 'int4'"):
        CompressedIndex(torch.eye(3), kind="int4")


def test_without_faiss_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="faiss-cpu"):
        CompressedIndex(torch.eye(3))


def test_a_model_with_vectors_is_indexed_by_those_of_its_items(kind):
    model = MatrixFactorization(4, 12, 3)
    index = CompressedIndex(model, kind=kind)
    torch.testing.assert_close(
        stored(index).float(), vector_table(model, "item"), rtol=1e-2, atol=1e-3
    )


def test_unseen_search_equals_brute_force_over_unseen_items(rng, kind):
    vectors, factors = no_ties(rng, 12, 4), no_ties(rng, 8, 4)
    positive = rng.random((8, 12)) < np.linspace(0, 1, 8)[:, None]  # from none to all
    seen = Interactions(*np.nonzero(positive), n_users=8, n_items=12)
    index, users = CompressedIndex(vectors, kind=kind), torch.arange(8)
    _, item_idx = search_unseen(index, factors, 5, user_idx=users, seen=seen)
    ranked = brute_force(stored(index), factors.double(), 12)
    for user, order in enumerate(ranked):
        expected = [item for item in order if not positive[user, item]][:5]
        assert item_idx[user].tolist() == expected + [-1] * (5 - len(expected))


def test_similar_items_come_from_a_compressed_index(rng, kind):
    vectors = unit_vectors(no_ties(rng, 30, 6))
    items, index = Vocabulary(range(30)), CompressedIndex(vectors, kind=kind)
    expected = similar_items(vectors, 4, items=items, k=5)["item_id"].tolist()
    for each in (index, RescoredIndex(index, vectors)):
        assert similar_items(each, 4, items=items, k=5)["item_id"].tolist() == expected


def test_rescoring_gives_exact_scores_and_nearly_all_of_the_exact_list(rng):
    vectors, queries = no_ties(rng, 3000, 16), no_ties(rng, 100, 16)
    compressed = CompressedIndex((vectors * 4).round() / 4, kind="int8")  # a coarse one
    exact = ExactIndex(vectors)
    index = RescoredIndex(compressed, vectors)
    scores, item_idx = index.search(queries, 10)
    expected = (queries @ vectors.T).gather(1, item_idx)
    torch.testing.assert_close(scores, expected)
    alone, again = (recall_against(exact, each, queries, 10) for each in (compressed, index))
    assert alone < 0.95 < 0.99 < again


def test_full_vectors_in_memory_are_a_copy(rng):
    vectors, queries = no_ties(rng, 50, 3), no_ties(rng, 4, 3)
    index = RescoredIndex(CompressedIndex(vectors), vectors)
    before = index.search(queries, 3)[0]
    vectors.zero_()
    assert index.search(queries, 3)[0].equal(before)


def test_without_oversampling_rescoring_changes_the_order_alone(rng):
    vectors, queries = no_ties(rng, 500, 8), no_ties(rng, 20, 8)
    compressed = CompressedIndex(vectors, kind="int8")
    found = RescoredIndex(compressed, vectors, oversampling=1).search(queries, 10)[1]
    assert found.sort(dim=1).values.equal(compressed.search(queries, 10)[1].sort(dim=1).values)


def test_full_vectors_in_a_file_give_the_same_lists_and_cost_no_memory(rng, tmp_path):
    vectors, queries = no_ties(rng, 200, 8), no_ties(rng, 20, 8)
    np.save(tmp_path / "items.npy", vectors.numpy())
    compressed = CompressedIndex(vectors, kind="int8")
    held, mapped = (RescoredIndex(compressed, each) for each in (vectors, tmp_path / "items.npy"))
    assert held.search(queries, 10)[1].equal(mapped.search(queries, 10)[1])
    assert (held.n_bytes - compressed.n_bytes, held.n_mapped_bytes) == (200 * 8 * 4, 0)
    assert (mapped.n_bytes - compressed.n_bytes, mapped.n_mapped_bytes) == (0, 200 * 8 * 4)


def test_rescoring_keeps_gaps_of_the_other_index():
    vectors = torch.tensor([[5.0, 0.0], [0.0, 5.0], [0.0, 5.0]])
    index = RescoredIndex(ApproximateIndex(vectors, n_lists=2, n_probe=1), vectors)
    scores, item_idx = index.search(vectors[:1], 3)
    assert item_idx.tolist() == [[0, -1, -1]]
    assert scores.tolist() == [[25.0, -torch.inf, -torch.inf]]


def test_other_vectors_than_those_of_the_index_are_refused(tmp_path):
    compressed = CompressedIndex(torch.eye(3))
    with pytest.raises(ValueError, match="one vector for each of 3 items is required, got 2"):
        RescoredIndex(compressed, torch.eye(2))
    with pytest.raises(ValueError, match="oversampling must be at least 1, got 0"):
        RescoredIndex(compressed, torch.eye(3), oversampling=0)
    with pytest.raises(FileNotFoundError):
        RescoredIndex(compressed, tmp_path / "none.npy")


def test_candidates_are_scored_in_any_block_size(rng, monkeypatch):
    vectors, queries = whole_numbers(rng, 30, 4), whole_numbers(rng, 9, 4)
    candidates = torch.stack([torch.randperm(30)[:12] for _ in range(9)])
    expected = [
        sorted(own, key=lambda item: (-float(query @ vectors[item]), item))[:5]
        for query, own in zip(queries, candidates.tolist(), strict=True)
    ]
    for chunk_size in (1, 100, 10_000):
        monkeypatch.setattr("nbhelpers.serving.index.CHUNK_SIZE", chunk_size)
        assert exact_scores(vectors, queries, candidates, 5)[1].tolist() == expected
