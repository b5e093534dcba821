import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear
from sklearn.metrics.pairwise import cosine_similarity

from nbhelpers.core.memory import TooLargeError
from nbhelpers.data.interactions import Interactions
from nbhelpers.models import item_item
from nbhelpers.models.item_item import EASE, ItemKNN, ease_bytes

# Users 0 to 4 over items A B C D: user 0 has A B, user 1 A B C, user 2 A, user 3 C, user 4 none;
# nobody has D.
USER, ITEM = [0, 0, 1, 1, 1, 2, 3], [0, 1, 0, 1, 2, 0, 2]


@pytest.fixture
def few():
    return Interactions(USER, ITEM, n_users=5, n_items=4)


@pytest.fixture
def many(rng):
    user_idx, item_idx = np.nonzero(rng.random((40, 15)) < np.linspace(0.1, 0.8, 15))
    return Interactions(user_idx, item_idx, n_users=40, n_items=15)


def test_likeness_by_hand(few):
    model = ItemKNN(n_neighbors=4, shrinkage=1.0, power=0.5).fit(few)
    # A has 3 users, B 2, C 2; A and B share 2, A and C 1, B and C 1
    a_b, a_c, b_c = 2 / (6**0.5 + 1), 1 / (6**0.5 + 1), 1 / (2 + 1)
    expected = [[0, a_b, a_c, 0], [a_b, 0, b_c, 0], [a_c, b_c, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-6)


def test_scores_add_up_the_likeness_to_the_users_items(few):
    scores = ItemKNN(n_neighbors=4, power=0.5).fit(few).score_users(torch.tensor([0]))
    a_b, a_c, b_c = 2 / 6**0.5, 1 / 6**0.5, 1 / 2
    np.testing.assert_allclose(scores, [[a_b, a_b, a_c + b_c, 0]], rtol=1e-6)


def test_likeness_is_the_cosine_of_the_library(many):
    model = ItemKNN(n_neighbors=15, power=0.5).fit(many)
    cosine = cosine_similarity(many.to_scipy().T.toarray())
    np.fill_diagonal(cosine, 0)
    np.testing.assert_allclose(model.similarity.toarray(), cosine, rtol=1e-5)


def test_power_and_shrink_as_in_a_plain_loop(many):
    model = ItemKNN(n_neighbors=15, shrinkage=3.0, power=0.4).fit(many)
    having = [set(many.users_of(item).tolist()) for item in range(15)]
    expected = np.zeros((15, 15))
    for i, first in enumerate(having):
        for j, second in enumerate(having):
            if i != j:
                expected[i, j] = len(first & second) / ((len(first) * len(second)) ** 0.4 + 3)
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-5)


def test_only_the_nearest_of_each_item_are_kept(many):
    everything = ItemKNN(n_neighbors=15, shrinkage=0.37, power=0.41).fit(many).similarity.toarray()
    nearest = ItemKNN(n_neighbors=3, shrinkage=0.37, power=0.41).fit(many).similarity.toarray()
    for row, kept in zip(everything, nearest, strict=True):
        assert kept.sum() == pytest.approx(np.sort(row)[-3:].sum())
        assert np.count_nonzero(kept) == 3
        assert set(kept[kept > 0]) <= set(row)


def test_the_neighbors_kept_are_those_of_the_scored_item():
    # A is with B twice and with C once; C is with A only: C keeps A, A keeps B and not C.
    few = Interactions([0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 1, 0, 2, 2], n_users=5, n_items=3)
    model = ItemKNN(n_neighbors=1, power=0.5).fit(few)
    score_of_a, _, _ = model.score_users(torch.tensor([3]))[0].tolist()  # of the user of C
    assert score_of_a == 0
    _, _, score_of_c = model.score_users(torch.tensor([0]))[0].tolist()  # of a user of A and B
    assert score_of_c == pytest.approx(1 / 6**0.5)


def test_items_in_blocks_give_the_same_neighbors(many, monkeypatch):
    whole = ItemKNN(n_neighbors=4, shrinkage=0.37, power=0.41).fit(many).similarity.toarray()
    monkeypatch.setattr(item_item, "CHUNK_SIZE", 4 * 15)
    in_blocks = ItemKNN(n_neighbors=4, shrinkage=0.37, power=0.41).fit(many).similarity.toarray()
    np.testing.assert_allclose(in_blocks, whole)


@pytest.mark.parametrize("chunk_size", [4 * 15, 2**22])
@pytest.mark.parametrize("n_neighbors", [1, 4, 100])
def test_sparse_pairs_give_the_neighbors_of_a_table(n_neighbors, chunk_size, many, monkeypatch):
    settings = {"n_neighbors": n_neighbors, "shrinkage": 0.37, "power": 0.41}
    monkeypatch.setattr(item_item, "FILLED", 0.0)
    table = ItemKNN(**settings).fit(many).similarity.toarray()
    monkeypatch.setattr(item_item, "FILLED", 2.0)
    monkeypatch.setattr(item_item, "CHUNK_SIZE", chunk_size)
    sparse = ItemKNN(**settings).fit(many).similarity.toarray()
    np.testing.assert_allclose(np.sort(sparse), np.sort(table))  # which of equals is left open
    agreed = (sparse > 0) & (table > 0)
    np.testing.assert_allclose(sparse[agreed], table[agreed])


def test_a_large_catalog_costs_what_its_pairs_cost(rng):
    """2,000 pairs of 10 ** 6 items: no table of a row's items would pass in time."""
    user_idx, item_idx = np.unique(rng.integers(0, [[200], [10**6]], size=(2, 2_000)), axis=1)
    train = Interactions(user_idx, item_idx, n_users=200, n_items=10**6)
    similarity = ItemKNN(n_neighbors=5).fit(train).similarity
    had, column = np.unique(item_idx, return_inverse=True)
    having = np.zeros((200, len(had)), np.float32)
    having[user_idx, column] = 1
    cosine = cosine_similarity(having.T)
    np.fill_diagonal(cosine, 0)
    nearest = -np.sort(-cosine, axis=1)[:, :5]
    found = similarity[had]
    padded = np.zeros_like(nearest)
    for row in range(len(had)):
        data = np.sort(found.data[found.indptr[row] : found.indptr[row + 1]])[::-1]
        padded[row, : len(data)] = data
    np.testing.assert_allclose(padded, nearest, rtol=1e-5)


def test_every_column_of_ease_is_the_constrained_least_squares(many):
    model = EASE(reg=7.0).fit(many)
    having = many.to_scipy().toarray().astype(float)
    for item in range(15):
        others = np.delete(np.arange(15), item)
        # ridge as plain least squares: reg ** 0.5 in extra rows, whose target is 0
        design = np.vstack([having[:, others], 7.0**0.5 * np.eye(14)])
        target = np.append(having[:, item], np.zeros(14))
        expected = np.insert(lsq_linear(design, target).x, item, 0.0)
        np.testing.assert_allclose(model.item_weights[:, item], expected, atol=1e-5)


def test_ease_scores_are_the_sum_over_the_users_items(few):
    model = EASE(reg=1.0).fit(few)
    scores = model.score_users(torch.tensor([1, 3]))
    torch.testing.assert_close(scores[0], model.item_weights[[0, 1, 2]].sum(dim=0))
    torch.testing.assert_close(scores[1], model.item_weights[2])


@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=2), EASE(reg=2.0)])
def test_users_without_positives_get_the_popular_items(model, few):
    assert model.fit(few).score_users(torch.tensor([4])).tolist() == [[3, 2, 2, 0]]


@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=3, shrinkage=0.1), EASE(reg=2.0)])
def test_batch_equals_one_by_one(model, few):
    batch = model.fit(few).score_users(torch.tensor([4, 1, 1, 0]))
    assert batch.shape == (4, 4)
    assert batch.dtype == torch.float32
    for row, user in zip(batch, (4, 1, 1, 0), strict=True):
        torch.testing.assert_close(row, model.score_users(torch.tensor([user]))[0])


@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=3), EASE(reg=0.5)])
def test_held_out_item_ranks_first_on_the_checkerboard(model):
    user, item = np.indices((8, 8)).reshape(2, -1)
    kept = ((user + item) % 2 == 0) & (user != item)  # held out: the item of the user's number
    train = Interactions(user[kept], item[kept], n_users=8, n_items=8)
    everybody = torch.arange(8)
    scores = model.fit(train).score_users(everybody).masked_fill(train.dense(everybody), -np.inf)
    assert scores.argmax(dim=1).tolist() == list(range(8))


@pytest.mark.parametrize("model", [ItemKNN(), EASE()])
def test_no_positives_are_refused(model):
    with pytest.raises(ValueError, match="at least one positive is needed"):
        model.fit(Interactions(np.zeros(0, int), np.zeros(0, int), n_users=2, n_items=2))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="n_neighbors must be at least 1 and shrinkage"):
        ItemKNN(n_neighbors=0)
    with pytest.raises(ValueError, match="shrinkage at least 0, got 5 and -1"):
        ItemKNN(n_neighbors=5, shrinkage=-1)
    with pytest.raises(ValueError, match="reg must be above 0, got 0"):
        EASE(reg=0)


def test_items_without_a_common_user_are_not_stored_as_neighbors(few):
    similarity = ItemKNN(n_neighbors=4).fit(few).similarity
    assert similarity.nnz == 6, "A, B and C have each other; nobody has D"
    assert (similarity.data > 0).all()


def test_no_more_item_pairs_are_compared_at_a_time_than_fit(many, monkeypatch):
    monkeypatch.setattr(item_item, "CHUNK_SIZE", 4 * 15 + 7)
    compared, neighbors = [], ItemKNN._neighbors

    def recorded(self, by_item, rows):
        compared.append(range(15)[rows])
        return neighbors(self, by_item, rows)

    monkeypatch.setattr(ItemKNN, "_neighbors", recorded)
    ItemKNN(n_neighbors=4).fit(many)
    assert compared == [range(0, 4), range(4, 8), range(8, 12), range(12, 15)]


def test_a_catalog_larger_than_a_block_is_compared_item_by_item(few, monkeypatch):
    whole = ItemKNN(n_neighbors=4).fit(few).similarity.toarray()
    monkeypatch.setattr(item_item, "CHUNK_SIZE", 3)  # of four items
    np.testing.assert_allclose(ItemKNN(n_neighbors=4).fit(few).similarity.toarray(), whole)


@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=2, shrinkage=0.3), EASE(reg=2.0)])
def test_users_folded_in_get_the_scores_of_training(model, few):
    everybody = torch.arange(5)
    folded = model.fit(few).fold_in(few)
    torch.testing.assert_close(folded.score_users(everybody), model.score_users(everybody))


@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=2, shrinkage=0.3), EASE(reg=2.0)])
def test_parts_of_the_positives_add_up_to_the_score(model, few):
    own = Interactions([0, 0, 1], [0, 2, 3], n_users=2, n_items=4)  # the parts are those of row 0
    folded = model.fit(few).fold_in(own).score_users(torch.tensor([0]))[0]
    for item in range(4):
        parts = model.explain(item, own)
        assert parts.shape == (2,)
        torch.testing.assert_close(parts.sum(), folded[item])


def test_a_part_is_the_weight_or_similarity_of_the_pair(few):
    own = Interactions([0, 0], [0, 2], n_users=1, n_items=4)
    ease, knn = EASE(reg=2.0).fit(few), ItemKNN(n_neighbors=4).fit(few)
    np.testing.assert_allclose(ease.explain(1, own), ease.item_weights[[0, 2], 1])
    np.testing.assert_allclose(knn.explain(1, own), knn.similarity.toarray()[1, [0, 2]])


@pytest.mark.parametrize("ask", ["fold_in", "explain"])
@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=2), EASE(reg=2.0)])
def test_interactions_of_another_catalog_are_refused(model, ask, few):
    other = Interactions([0], [0], n_users=1, n_items=6)
    given = (0, other) if ask == "explain" else (other,)
    with pytest.raises(ValueError, match="4 items were trained on, got 6"):
        getattr(model.fit(few), ask)(*given)


@pytest.mark.parametrize("kind", [ItemKNN, EASE])
def test_a_model_that_is_not_fitted_says_so(kind, few):
    assert repr(kind()).endswith(": not fitted")
    with pytest.raises(ValueError, match="not fitted: call fit first"):
        kind().fold_in(few)
    with pytest.raises(ValueError, match=r"is it fitted.*call fit first"):
        kind().score_users(torch.tensor([0]))


def test_who_was_trained_on_is_remembered(few):
    model = EASE(reg=2.0).fit(few)
    assert model.trained_users.tolist() == [True, True, True, True, False]
    assert model.trained_items.tolist() == [True, True, True, False]


def test_ease_that_does_not_fit_is_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr("nbhelpers.core.memory.free_memory", lambda: 10**9)

    def touched(*_):
        raise AssertionError("allocated")

    monkeypatch.setattr(Interactions, "to_scipy", touched)
    wide = Interactions([0, 1], [0, 59_999], n_users=2, n_items=60_000)
    with pytest.raises(TooLargeError) as caught:
        EASE().fit(wide)
    message = str(caught.value)
    # three matrices of 60,000 x 60,000 numbers of eight bytes
    assert "EASE of 60,000 items needs 86.4 GB of memory (86,400,000,000 bytes)" in message
    assert "1.0 GB are free" in message
    assert "ItemKNN" in message
    assert "IALS" in message


def test_ease_that_fits_exactly_is_fitted(monkeypatch):
    likes = Interactions([0, 0, 1], [0, 1, 0], n_users=2, n_items=2)
    monkeypatch.setattr("nbhelpers.core.memory.free_memory", lambda: ease_bytes(2))
    EASE().fit(likes)
    monkeypatch.setattr("nbhelpers.core.memory.free_memory", lambda: ease_bytes(2) - 1)
    with pytest.raises(TooLargeError):
        EASE().fit(likes)
