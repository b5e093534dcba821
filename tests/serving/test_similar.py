import math

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.core.folded import FoldedVectors
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.approximate_index import ApproximateIndex
from nbhelpers.serving.index import ExactIndex, unit_vectors
from nbhelpers.serving.similar import neighbor_lists, similar_items, similar_users

USERS = Vocabulary([10, 20, 30, 40])
ITEMS = Vocabulary([101, 102, 103, 104, 105])
TITLES = pd.DataFrame({"item_id": [105, 104, 103, 102, 101], "title": list("EDCBA")})


@pytest.fixture
def seen():
    """Items 101 to 105 have 3, 1, 2, 1 and 1 users; users 10 to 40 have 2, 4, 0 and 2 items."""
    pairs = [(10, 101), (10, 103), *((20, item) for item in (101, 103, 104, 105))]
    pairs += [(40, 101), (40, 102)]
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    return Interactions.from_frame(frame, users=USERS, items=ITEMS, item_metadata=TITLES)


VECTORS = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0], [-5.0, 0.0], [30.0, 40.0]])


def test_similar_items_are_ordered_by_cosine_without_the_item_itself(seen):
    frame = similar_items(VECTORS, 102, items=seen, k=3)
    assert list(frame.columns) == ["rank", "item_id", "title", "score"]
    assert frame["rank"].tolist() == [1, 2, 3]
    assert frame["item_id"].tolist() == [105, 103, 101]
    assert frame["title"].tolist() == ["E", "C", "A"]
    assert frame["score"].tolist() == pytest.approx([1.0, 0.8, 0.6])


def test_similar_items_of_a_vocabulary_come_without_titles():
    frame = similar_items(VECTORS, 101, items=ITEMS, k=99)
    assert list(frame.columns) == ["rank", "item_id", "score"]
    assert frame["item_id"].tolist() == [102, 105, 103, 104]
    assert frame["score"].tolist() == pytest.approx([0.6, 0.6, 0.0, -1.0])


def test_items_equal_to_the_item_do_not_push_it_into_its_own_list():
    frame = similar_items(torch.ones(5, 2), 104, items=ITEMS, k=2)
    assert frame["item_id"].tolist() == [101, 102]


@pytest.mark.parametrize("kind", [ExactIndex, ApproximateIndex])
def test_an_index_of_unit_vectors_gives_the_same_items(kind):
    frame = similar_items(kind(unit_vectors(VECTORS)), 103, items=ITEMS, k=2)
    assert frame["item_id"].tolist() == [102, 105]
    assert frame["score"].tolist() == pytest.approx([0.8, 0.8])


def test_the_row_of_the_unknown_item_is_never_similar():
    table = torch.cat([VECTORS, VECTORS[1:2]])
    assert similar_items(table, 102, items=ITEMS, k=99)["item_id"].tolist() == [105, 103, 101, 104]


def test_an_unknown_item_is_named():
    with pytest.raises(KeyError, match=r"1 ids are unknown, e\.g\. 999"):
        similar_items(VECTORS, 999, items=ITEMS)


@pytest.mark.parametrize(
    ("vectors", "k", "message"),
    [
        (VECTORS[:3], 1, "one vector for each of 5 items is required, got 3"),
        (ExactIndex(torch.ones(6, 2)), 1, "one vector for each of 5 items is required, got 6"),
        (ExactIndex(VECTORS), 1, "vector of length 5: build it on unit_vectors"),
        (torch.zeros(5, 2), 1, "vector of item 102 is zero"),
        (VECTORS, 0, "k must be a whole number of at least 1, got 0"),
    ],
)
def test_vectors_that_cannot_answer_are_refused(vectors, k, message):
    with pytest.raises(ValueError, match=message):
        similar_items(vectors, 102, items=ITEMS, k=k)


def test_shrinkage_holds_back_neighbors_of_few(seen):
    frame = similar_items(VECTORS, 102, items=seen, shrinkage=2.0)
    # cosines 0.6, 0.8, -0.6 and 1, of items with 3, 2, 1 and 1 users: times 3/5, 1/2, 1/3, 1/3
    assert frame["item_id"].tolist() == [103, 101, 105, 104]
    assert frame["score"].tolist() == pytest.approx([0.4, 0.36, 1 / 3, -0.2])


def test_neighbors_of_too_few_are_left_out(seen):
    frame = similar_items(VECTORS, 102, items=seen, min_support=2)
    assert frame["item_id"].tolist() == [103, 101]  # 102 has one user, and may still ask
    assert frame["score"].tolist() == pytest.approx([0.8, 0.6])
    assert len(similar_items(VECTORS, 102, items=seen, min_support=4)) == 0


def test_counts_may_be_given_in_place_of_interactions(seen):
    counts = [0, 9, 0, 5, 1]
    frame = similar_items(VECTORS, 101, items=ITEMS, support=counts, min_support=1)
    assert frame["item_id"].tolist() == [102, 105, 104]
    other = similar_items(VECTORS, 101, items=seen, support=counts, min_support=1)
    assert other["item_id"].tolist() == [102, 105, 104]


def test_an_item_of_nobody_scores_zero_under_shrinkage():
    frame = similar_items(VECTORS, 102, items=ITEMS, support=[1, 1, 0, 1, 1], shrinkage=1.0)
    assert frame.set_index("item_id")["score"][103] == 0.0


def test_similar_users_follow_vectors_and_counts_of_users(seen):
    frame = similar_users(VECTORS[:4], 20, users=seen)
    assert list(frame.columns) == ["rank", "user_id", "score"]
    assert frame["user_id"].tolist() == [30, 10, 40]
    assert frame["score"].tolist() == pytest.approx([0.8, 0.6, -0.6])
    careful = similar_users(VECTORS[:4], 20, users=seen, shrinkage=2.0, min_support=1)
    assert careful["user_id"].tolist() == [10, 40]
    assert careful["score"].tolist() == pytest.approx([0.3, -0.3])


def test_similar_users_of_a_table_with_an_unknown_row_or_an_index(seen):
    for vectors in (VECTORS, ExactIndex(unit_vectors(VECTORS[:4]))):
        frame = similar_users(vectors, 40, users=USERS, k=2)
        assert frame["user_id"].tolist() == [30, 20]


def test_similar_users_name_what_is_wrong(seen):
    with pytest.raises(ValueError, match="one vector for each of 4 users is required, got 3"):
        similar_users(VECTORS[:3], 10, users=seen)
    with pytest.raises(ValueError, match="vector of user 10 is zero"):
        similar_users(torch.zeros(4, 2), 10, users=seen)
    with pytest.raises(KeyError, match=r"1 ids are unknown, e\.g\. 99"):
        similar_users(VECTORS, 99, users=seen)
    with pytest.raises(ValueError, match="no user ids are known"):
        similar_users(VECTORS, 10, users=Interactions([0], [0], n_users=4, n_items=5))


@pytest.mark.parametrize("care", [{"min_support": 1}, {"shrinkage": 5.0}])
def test_an_index_refuses_what_changes_its_order(seen, care):
    with pytest.raises(ValueError, match="pass the vectors for min_support or shrinkage"):
        similar_items(ExactIndex(unit_vectors(VECTORS)), 102, items=seen, **care)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shrinkage": 1.0}, "need counts: pass support or Interactions"),
        ({"min_support": 1}, "need counts: pass support or Interactions"),
        ({"shrinkage": -1.0}, "at least 0 and finite, got 0 and -1.0"),
        ({"shrinkage": math.inf}, "at least 0 and finite, got 0 and inf"),
        ({"min_support": math.nan}, "at least 0 and finite, got nan"),
        ({"min_support": 1, "support": [1, 2]}, r"support must hold 5 counts .* got \[1, 2\]"),
        ({"min_support": 1, "support": [1, 2, 3, 4, -1]}, "counts of 0 or more"),
        ({"min_support": 1, "support": [1, 2, 3, 4, math.nan]}, "counts of 0 or more"),
    ],
)
def test_support_that_is_missing_or_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        similar_items(VECTORS, 102, items=ITEMS, **settings)


def looped_neighbors(vectors, row, *, counts, k, min_support, shrinkage):
    """Neighbors of one row by the formula, pair by pair."""
    scored = []
    for other, n in enumerate(counts):
        lengths = np.linalg.norm(vectors[row]) * np.linalg.norm(vectors[other])
        if other != row and n >= min_support and vectors[row].any():
            cosine = vectors[row] @ vectors[other] / lengths if lengths else 0.0
            scored.append((-cosine * (n / (n + shrinkage) if shrinkage else 1), other))
    return [(other, -score) for score, other in sorted(scored)[:k]]


@pytest.mark.parametrize("chunk_size", [1, 100, 2**24])
@pytest.mark.parametrize(
    ("k", "min_support", "shrinkage"), [(5, 0, 0.0), (5, 3, 0.0), (30, 2, 4.0), (99, 0, 1.5)]
)
def test_lists_agree_with_a_loop_over_pairs(rng, k, min_support, shrinkage, chunk_size):
    vectors, counts = rng.normal(size=(30, 4)), rng.integers(0, 8, 30)
    vectors[7] = 0
    asked = torch.tensor([12, 7, 3, 29, 0])
    settings = {"k": k, "min_support": min_support, "shrinkage": shrinkage}
    scores, lists = neighbor_lists(
        torch.from_numpy(vectors), asked, support=counts, chunk_size=chunk_size, **settings
    )
    assert lists.shape == scores.shape == (5, min(k, 30))
    assert lists[1].eq(-1).all()  # a zero vector has no neighbors
    for row, found, score in zip(asked.tolist(), lists.tolist(), scores.tolist(), strict=True):
        expected = looped_neighbors(vectors, row, counts=counts, **settings)
        listed = [place for place in found if place >= 0]
        assert len(listed) == len(expected)
        assert score[: len(listed)] == pytest.approx([value for _, value in expected])
        assert listed == [place for place, _ in expected]


def test_lists_hold_what_one_item_gets(rng, seen):
    scores, lists = neighbor_lists(VECTORS, torch.arange(5), k=2)
    for row, item in enumerate(ITEMS.ids):
        frame = similar_items(VECTORS, item, items=seen, k=2)
        assert frame["item_id"].tolist() == ITEMS.ids[lists[row]].tolist()
        assert frame["score"].tolist() == pytest.approx(scores[row].tolist())


def test_parameters_may_be_asked_and_nothing_given_is_changed(seen):
    vectors = torch.nn.Parameter(VECTORS.clone())
    counts = np.array([3, 1, 2, 1, 1])
    similar_items(vectors, 102, items=seen, shrinkage=1.0, min_support=2, support=counts)
    scores, _ = neighbor_lists(vectors, torch.tensor([0]))
    assert not scores.requires_grad
    assert vectors.equal(VECTORS)
    assert counts.tolist() == [3, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"chunk_size": 0}, "chunk_size must be at least 1, got 0"),
        ({"shrinkage": 1.0}, "need counts"),
    ],
)
def test_bad_requests_for_lists_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        neighbor_lists(VECTORS, torch.tensor([0]), **settings)


def test_a_model_with_vectors_may_stand_for_them(seen):
    model = FoldedVectors(VECTORS[:4], VECTORS)
    pd.testing.assert_frame_equal(
        similar_items(model, 102, items=seen), similar_items(VECTORS, 102, items=seen)
    )
    pd.testing.assert_frame_equal(
        similar_users(model, 20, users=seen), similar_users(VECTORS[:4], 20, users=seen)
    )
