import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.recommend import (
    recommend,
    recommend_users,
    scores_by_item,
    scores_by_user,
    titled,
)

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


@pytest.mark.parametrize("chunk_size", [1, 5, 10, 2**24])
def test_blocks_change_nothing(model, seen, chunk_size):
    together = recommend(model, USERS.ids, seen=seen, k=3, chunk_size=chunk_size)
    alone = [recommend(model, [user], seen=seen, k=3) for user in USERS.ids]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))


def test_the_model_is_asked_for_no_more_scores_than_allowed(model, seen):
    asked = []

    class Watched:
        def score_users(self, user_idx):
            asked.append(user_idx.tolist())
            return model.score_users(user_idx)

    recommend(Watched(), [10, 20, 30], seen=seen, chunk_size=14)
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


def test_an_id_of_another_type_is_refused(model, seen):
    with pytest.raises(ValueError, match=r"got text \(e\.g\. '10'\), and .* int64 \(e\.g\. 10\)"):
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
        (10, {"k": 0}, "k must be a whole number of at least 1, got 0"),
        (10, {"chunk_size": 0}, "chunk_size must be at least 1, got 0"),
        ([], {}, "user_id is empty"),
    ],
)
def test_a_bad_request_is_refused(model, seen, user_id, settings, message):
    with pytest.raises(ValueError, match=message):
        recommend(model, user_id, seen=seen, **settings)


def test_scores_of_another_catalog_are_refused(seen):
    with pytest.raises(ValueError, match=r"score_users must give \(1, 5\), .* got shape \(1, 3\)"):
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


def looped_users(model, seen, item, k):
    """Rows of one item, by sorting all users who have not seen it."""
    place = ITEMS.ids.get_loc(item)
    had = set(seen.users_of(place).tolist())
    fresh = [user for user in range(len(USERS)) if user not in had]
    order = sorted(fresh, key=lambda user: (-model.rows[user, place].item(), user))[:k]
    scores = [model.rows[user, place].item() for user in order]
    return [
        (rank, USERS.ids[user], score)
        for rank, (user, score) in enumerate(zip(order, scores, strict=True), start=1)
    ]


def test_users_for_an_item_come_best_first_without_those_who_have_seen_it(model, seen):
    frame = recommend_users(model, 102, seen=seen)
    assert list(frame.columns) == ["rank", "user_id", "score"]
    assert rows(frame) == [(1, 30, 7.0), (2, 10, 4.0), (3, 20, 2.0)]
    assert rows(recommend_users(model, 102, seen=seen, k=1)) == [(1, 30, 7.0)]


@pytest.mark.parametrize("chunk_size", [1, 5, 10, 2**24])
@pytest.mark.parametrize("k", [1, 2, 99])
def test_users_for_many_items_agree_with_a_loop_in_any_block_size(model, seen, k, chunk_size):
    model.rows = torch.tensor([[1.0, 1.0, 0.0, 2.0, 1.0]] * 3 + [[0.0] * 5])  # full of ties
    asked = [105, 101, 102]
    frame = recommend_users(model, asked, seen=seen, k=k, chunk_size=chunk_size)
    assert list(frame.columns) == ["item_id", "rank", "user_id", "score"]
    expected = [(item, *row) for item in asked for row in looped_users(model, seen, item, k)]
    assert rows(frame) == expected


def test_an_item_that_everybody_has_seen_gets_no_users(model):
    pairs = pd.DataFrame({"user_id": USERS.ids, "item_id": 103})
    seen = Interactions.from_frame(pairs, users=USERS, items=ITEMS)
    frame = recommend_users(model, 103, seen=seen)
    assert list(frame.columns) == ["rank", "user_id", "score"]
    assert len(frame) == 0


@pytest.mark.parametrize(
    ("item_id", "settings", "message"),
    [
        ([], {}, "item_id is empty"),
        (101, {"k": 0}, "k must be a whole number of at least 1, got 0"),
        (101, {"chunk_size": 0}, "chunk_size must be at least 1, got 0"),
    ],
)
def test_a_bad_request_for_users_is_refused(model, seen, item_id, settings, message):
    with pytest.raises(ValueError, match=message):
        recommend_users(model, item_id, seen=seen, **settings)
    with pytest.raises(KeyError, match=r"1 ids are unknown, e\.g\. 999"):
        recommend_users(model, [101, 999], seen=seen)


def test_scores_of_a_user_name_every_item(model, seen):
    series = scores_by_item(model, 20, users=USERS, items=ITEMS)
    expected = {101: 1.0, 102: 2.0, 103: 3.0, 104: 4.0, 105: 5.0}
    assert series.to_dict() == expected
    assert (series.name, series.index.name) == ("score", "item_id")
    listed = recommend(model, 20, seen=seen)
    assert series[listed["item_id"]].tolist() == listed["score"].tolist()


@pytest.mark.parametrize("chunk_size", [1, 12, 2**24])
def test_scores_of_an_item_name_every_user(model, chunk_size):
    series = scores_by_user(model, 104, users=USERS, items=ITEMS, chunk_size=chunk_size)
    assert series.to_dict() == {10: 2.0, 20: 4.0, 30: 7.0, 40: 1.0}
    assert (series.name, series.index.name) == ("score", "user_id")


def test_scores_of_strangers_are_refused(model):
    with pytest.raises(KeyError, match=r"e\.g\. 99: .* 4 users, 10 to 40"):
        scores_by_item(model, 99, users=USERS, items=ITEMS)
    with pytest.raises(KeyError, match=r"1 ids are unknown, e\.g\. 999"):
        scores_by_user(model, 999, users=USERS, items=ITEMS)


def test_ids_of_a_vocabulary_keep_their_name(model):
    scores_by_item(model, 20, users=USERS, items=ITEMS)
    assert ITEMS.ids.name is None


def test_nothing_given_is_changed(model, seen):
    scores = model.rows.clone()
    recommend(model, USERS.ids, seen=seen)
    recommend_users(model, ITEMS.ids, seen=seen)
    assert model.rows.equal(scores)
