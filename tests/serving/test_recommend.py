import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.index import ApproximateIndex, ExactIndex
from nbhelpers.serving.recommend import recommend, similar_items, titled
from nbhelpers.serving.vectors import unit_vectors

USERS = Vocabulary([10, 20, 30, 40])
ITEMS = Vocabulary([101, 102, 103, 104, 105])
TITLES = pd.DataFrame({"item_id": [105, 104, 103, 102, 101], "title": list("EDCBA")})


class Table:
    """A model that is nothing but its table of scores."""

    def __init__(self, rows):
        self.rows = torch.tensor(rows)

    def score_users(self, user_idx):
        return self.rows[user_idx]


@pytest.fixture
def model():
    return Table(
        [
            [5.0, 4.0, 3.0, 2.0, 1.0],
            [1.0, 2.0, 3.0, 4.0, 5.0],
            [0.0, 7.0, 7.0, 7.0, 0.0],
            [1.0, 1.0, 1.0, 1.0, 1.0],
        ]
    )


@pytest.fixture
def seen():
    """User 10 has seen 101 and 103, user 20 all but 102, user 40 everything."""
    pairs = [(10, 101), (10, 103), *((20, item) for item in (101, 103, 104, 105))]
    pairs += [(40, item) for item in ITEMS.ids]
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    return Interactions.from_frame(frame, users=USERS, items=ITEMS, item_metadata=TITLES)


def rows(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


def test_a_list_holds_unseen_items_best_first(model, seen):
    frame = recommend(model, 10, seen=seen, k=2)
    assert list(frame.columns) == ["rank", "item_id", "title", "score"]
    assert rows(frame) == [(1, 102, "B", 4.0), (2, 104, "D", 2.0)]


def test_k_above_what_remains_gives_fewer_rows(model, seen):
    assert recommend(model, 10, seen=seen, k=99)["item_id"].tolist() == [102, 104, 105]
    assert rows(recommend(model, 20, seen=seen, k=99)) == [(1, 102, "B", 2.0)]


def test_a_user_who_has_seen_everything_gets_an_empty_list(model, seen):
    frame = recommend(model, 40, seen=seen)
    assert list(frame.columns) == ["rank", "item_id", "title", "score"]
    assert len(frame) == 0


def test_equal_scores_list_the_smaller_index_first(model, seen):
    assert recommend(model, 30, seen=seen, k=4)["item_id"].tolist() == [102, 103, 104, 101]


def test_many_users_come_in_one_long_frame_in_the_order_asked(model, seen):
    frame = recommend(model, [20, 40, 10], seen=seen, k=2)
    assert list(frame.columns) == ["user_id", "rank", "item_id", "title", "score"]
    assert rows(frame) == [
        (20, 1, 102, "B", 2.0),
        (10, 1, 102, "B", 4.0),
        (10, 2, 104, "D", 2.0),
    ]


@pytest.mark.parametrize("scores_at_once", [1, 5, 10, 2**24])
def test_blocks_change_nothing(model, seen, scores_at_once):
    together = recommend(model, USERS.ids, seen=seen, k=3, scores_at_once=scores_at_once)
    alone = [recommend(model, [user], seen=seen, k=3) for user in USERS.ids]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))


def test_the_model_is_asked_for_no_more_scores_than_allowed(model, seen):
    asked = []

    class Watched:
        def score_users(self, user_idx):
            asked.append(user_idx.tolist())
            return model.score_users(user_idx)

    recommend(Watched(), [10, 20, 30], seen=seen, scores_at_once=14)
    assert asked == [[0, 1], [2]]


def test_without_metadata_there_is_no_title(model):
    frame = pd.DataFrame({"user_id": [10], "item_id": [101]})
    seen = Interactions.from_frame(frame, users=USERS, items=ITEMS)
    assert list(recommend(model, 10, seen=seen, k=1).columns) == ["rank", "item_id", "score"]


def test_ids_may_be_text():
    frame = pd.DataFrame({"user_id": ["ann", "bob"], "item_id": ["x", "y"]})
    users, items = Vocabulary(frame["user_id"]), Vocabulary(frame["item_id"])
    seen = Interactions.from_frame(frame, users=users, items=items)
    model = Table([[1.0, 2.0], [3.0, 4.0]])
    assert rows(recommend(model, "bob", seen=seen)) == [(1, "x", 3.0)]
    assert rows(recommend(model, ["bob", "ann"], seen=seen)) == [
        ("bob", 1, "x", 3.0),
        ("ann", 1, "y", 2.0),
    ]


def test_the_column_of_the_unknown_item_is_never_listed(model, seen):
    wider = Table([[*row, 99.0] for row in model.rows.tolist()])
    pd.testing.assert_frame_equal(
        recommend(wider, USERS.ids, seen=seen), recommend(model, USERS.ids, seen=seen)
    )


def test_an_unknown_user_is_told_who_is_known_and_what_to_do(model, seen):
    with pytest.raises(KeyError, match=r"e\.g\. 99: .* 4 users, 10 to 40"):
        recommend(model, [10, 99], seen=seen)
    with pytest.raises(KeyError, match="popular"):
        recommend(model, 99, seen=seen)


def test_an_id_of_another_type_is_unknown(model, seen):
    with pytest.raises(KeyError, match=r"e\.g\. '10': .* 10 to 40"):
        recommend(model, "10", seen=seen)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_refused(model, seen, bad):
    model.rows[1, 0] = bad  # a seen item: hidden by the mask, wrong all the same
    with pytest.raises(ValueError, match="1 scores are NaN or infinite"):
        recommend(model, [10, 20], seen=seen)
    assert len(recommend(model, 10, seen=seen, k=1)) == 1


@pytest.mark.parametrize(
    ("user_id", "settings", "message"),
    [
        (10, {"k": 0}, "k must be at least 1, got 0"),
        (10, {"scores_at_once": 0}, "scores_at_once must be at least 1, got 0"),
        ([], {}, "user_id is empty"),
    ],
)
def test_a_bad_request_is_refused(model, seen, user_id, settings, message):
    with pytest.raises(ValueError, match=message):
        recommend(model, user_id, seen=seen, **settings)


def test_scores_of_another_catalog_are_refused(seen):
    with pytest.raises(
        ValueError, match=r"1 users and 5 items is required, got the shape \(1, 3\)"
    ):
        recommend(Table([[1.0, 2.0, 3.0]]), 10, seen=seen)


def test_interactions_without_ids_are_refused(model):
    with pytest.raises(ValueError, match="from_frame"):
        recommend(model, 0, seen=Interactions([0], [0], n_users=4, n_items=5))


def test_a_model_in_training_is_asked_without_dropout_and_left_in_training(seen):
    class Dropping(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = torch.nn.Parameter(torch.arange(20.0).reshape(4, 5))
            self.dropout = torch.nn.Dropout(0.9)
            self.frozen = torch.nn.BatchNorm1d(1).eval()

        def score_users(self, user_idx):
            return self.dropout(self.scores[user_idx])

    model = Dropping()
    assert recommend(model, 30, seen=seen)["score"].tolist() == [14.0, 13.0, 12.0, 11.0, 10.0]
    assert model.training
    assert model.dropout.training
    assert not model.frozen.training


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_on_a_gpu_gives_the_same_lists(seen):
    class Factors(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = torch.nn.Embedding.from_pretrained(torch.arange(20.0).reshape(4, 5))

        def score_users(self, user_idx):
            return self.scores(user_idx)

    expected = recommend(Factors(), USERS.ids, seen=seen)
    pd.testing.assert_frame_equal(recommend(Factors().cuda(), USERS.ids, seen=seen), expected)


def test_lists_of_a_search_get_titles_where_they_have_not_ended(seen):
    scores = torch.tensor([[3.0, -torch.inf], [2.0, 1.0]])
    item_idx = torch.tensor([[4, -1], [0, 2]])
    frame = titled(scores, item_idx, user_idx=torch.tensor([3, 0]), seen=seen)
    assert rows(frame) == [(40, 1, 105, "E", 3.0), (10, 1, 101, "A", 2.0), (10, 2, 103, "C", 1.0)]


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
        (VECTORS, 0, "k must be at least 1, got 0"),
    ],
)
def test_vectors_that_cannot_answer_are_refused(vectors, k, message):
    with pytest.raises(ValueError, match=message):
        similar_items(vectors, 102, items=ITEMS, k=k)


def test_nothing_given_is_changed(model, seen):
    scores, vectors = model.rows.clone(), VECTORS.clone()
    recommend(model, USERS.ids, seen=seen)
    similar_items(VECTORS, 102, items=seen)
    assert model.rows.equal(scores)
    assert VECTORS.equal(vectors)
