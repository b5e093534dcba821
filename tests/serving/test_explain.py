"""Contributions against formulas written out, and their sums against the scores."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import MLP
from nbhelpers.serving.explain import explain, explain_by_removal, parts_of_scores
from nbhelpers.serving.fold_in import fold_in_users
from nbhelpers.serving.ridge import Ridge

N_USERS, N_ITEMS = 12, 9
ITEMS = Vocabulary(range(100, 100 + N_ITEMS))
TITLES = pd.DataFrame({"item_id": ITEMS.ids[::-1], "title": list("IHGFEDCBA")})
DRAWN = np.random.default_rng(0).random((N_USERS, N_ITEMS)) < 0.4
TRAIN = Interactions(*np.nonzero(DRAWN), n_users=N_USERS, n_items=N_ITEMS)
POSITIVES = [107, 101, 104]  # indices 7, 1, 4


def generator():
    return torch.Generator().manual_seed(0)


def factorization(**settings):
    torch.manual_seed(0)
    model = MatrixFactorization(N_USERS, N_ITEMS, 3, **settings)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.7)
    return model


MODELS = {
    "ease": EASE(reg=2.0).fit(TRAIN),
    "knn": ItemKNN(n_neighbors=4).fit(TRAIN),
    "als": ALS(3, alpha=2.0, reg=0.5, generator=generator()).fit(TRAIN),
    "ials": IALS(3, reg=0.05, reg_power=0.5, generator=generator()).fit(TRAIN),
    "ridge": factorization(),
}


def by_id(explanation):
    frame = explanation.contributions
    return dict(zip(frame["item_id"], frame["contribution"], strict=True))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("item_id", ITEMS.ids)
def test_parts_add_up_to_the_score_of_fold_in(name, item_id):
    model = MODELS[name]
    explanation = explain(model, item_id, positives=POSITIVES, items=ITEMS)
    own = Interactions([0, 0, 0], [1, 4, 7], n_users=1, n_items=N_ITEMS)
    score = fold_in_users(model, own).score_users(torch.tensor([0]))[0, item_id - 100]
    assert explanation.score == pytest.approx(float(score), abs=1e-5)
    total = explanation.rest + explanation.contributions["contribution"].sum()
    assert total == pytest.approx(explanation.score)


@pytest.mark.parametrize("name", ["ease", "knn", "als", "ials"])
def test_nothing_is_left_over_where_positives_are_all_there_is(name):
    assert explain(MODELS[name], 102, positives=POSITIVES, items=ITEMS).rest == 0


def test_ease_contributions_are_its_weights():
    weights = MODELS["ease"].item_weights
    expected = {100 + i: pytest.approx(float(weights[i, 2])) for i in (1, 4, 7)}
    assert by_id(explain(MODELS["ease"], 102, positives=POSITIVES, items=ITEMS)) == expected


def test_neighbors_contribute_their_similarity():
    similarity = MODELS["knn"].similarity.toarray()  # row of the item, column of its neighbor
    expected = {100 + i: pytest.approx(float(similarity[2, i])) for i in (1, 4, 7)}
    assert by_id(explain(MODELS["knn"], 102, positives=POSITIVES, items=ITEMS)) == expected


def written_out(items, own, *, everywhere, extra, pull, damping):
    """For each positive: pull * item . inverse(matrix) . positive."""
    matrix = everywhere * items.T @ items + damping * np.eye(items.shape[1])
    for i in own:
        matrix = matrix + extra * np.outer(items[i], items[i])
    inverse = np.linalg.inv(matrix)
    return {100 + i: pytest.approx(pull * items[2] @ inverse @ items[i], abs=1e-5) for i in own}


def test_als_contributions_are_those_of_hu_koren_and_volinsky():
    items = MODELS["als"].item_factors.double().numpy()
    expected = written_out(items, [1, 4, 7], everywhere=1, extra=2.0, pull=3.0, damping=0.5)
    assert by_id(explain(MODELS["als"], 102, positives=POSITIVES, items=ITEMS)) == expected


def test_damping_of_ials_grows_with_the_number_of_positives():
    items = MODELS["ials"].item_factors.double().numpy()
    damping = 0.05 * (3 + 0.2 * N_ITEMS) ** 0.5
    expected = written_out(items, [1, 4, 7], everywhere=0.2, extra=1, pull=1, damping=damping)
    assert by_id(explain(MODELS["ials"], 102, positives=POSITIVES, items=ITEMS)) == expected


def test_ridge_contributions_stand_on_the_score_of_the_mean_user():
    model, ridge = MODELS["ridge"], Ridge(lift=2.0, reg=0.3, unobserved_weight=0.1)
    explanation = explain(model, 102, positives=POSITIVES, items=ITEMS, ridge=ridge)
    items = model.item_factors.weight.detach().double().numpy()
    expected = written_out(items, [1, 4, 7], everywhere=0.1, extra=1, pull=2.0, damping=0.3)
    assert by_id(explanation) == expected
    mean = model.score_users(torch.arange(N_USERS)).mean(dim=0)[2].item()
    assert explanation.rest == pytest.approx(mean, abs=1e-5)


def test_a_bounded_score_is_explained_before_its_range():
    free = explain(MODELS["ridge"], 102, positives=POSITIVES, items=ITEMS)
    bounded = explain(factorization(y_range=(0, 5)), 102, positives=POSITIVES, items=ITEMS)
    assert bounded.score == pytest.approx(free.score)


@pytest.mark.parametrize("name", MODELS)
def test_the_strongest_reason_comes_first_whatever_the_order_asked(name):
    first = explain(MODELS[name], 102, positives=POSITIVES, items=ITEMS).contributions
    again = explain(MODELS[name], 102, positives=POSITIVES[::-1], items=ITEMS).contributions
    assert first["contribution"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(first, again)


def test_reasons_have_titles_where_they_are_known():
    items = Interactions([0], [0], users=Vocabulary([1]), items=ITEMS, item_metadata=TITLES)
    frame = explain(MODELS["ease"], 102, positives=POSITIVES, items=items).contributions
    assert list(frame.columns) == ["item_id", "title", "contribution"]
    assert dict(zip(frame["item_id"], frame["title"], strict=True)) == {
        101: "B",
        104: "E",
        107: "H",
    }


@pytest.mark.parametrize("name", MODELS)
def test_several_items_at_once_are_explained_as_each_alone(name):
    own = Interactions([0, 0, 0], [1, 4, 7], n_users=1, n_items=N_ITEMS)
    together = parts_of_scores(MODELS[name], [2, 0, 8], own)
    assert together.parts.shape == (3, 3)
    for item, rest, parts in zip([102, 100, 108], *together, strict=True):
        alone = explain(MODELS[name], item, positives=POSITIVES, items=ITEMS)
        assert float(rest) == alone.rest
        assert dict(zip([101, 104, 107], parts.tolist(), strict=True)) == by_id(alone)


def test_no_item_has_no_parts():
    own = Interactions([0], [1], n_users=1, n_items=N_ITEMS)
    with pytest.raises(ValueError, match="at least one item is required, got none"):
        parts_of_scores(MODELS["ease"], [], own)


@pytest.mark.parametrize("name", ["ease", "knn"])
def test_removal_finds_what_a_linear_model_holds(name):
    exact = explain(MODELS[name], 102, positives=POSITIVES, items=ITEMS)
    fold = partial(fold_in_users, MODELS[name])
    removed = explain_by_removal(fold, 102, positives=POSITIVES, items=ITEMS)
    assert by_id(removed) == pytest.approx(by_id(exact), abs=1e-6)
    assert removed.score == pytest.approx(exact.score)
    assert removed.rest == pytest.approx(0, abs=1e-6)


class Either:
    """Item 102 scores 1 for who has 101 or 104 or both: each stands in for the other."""

    def __init__(self, interactions):
        self.seen = interactions.dense(torch.arange(interactions.n_users))

    def score_users(self, user_idx):
        scores = torch.zeros(len(user_idx), N_ITEMS)
        scores[:, 2] = (self.seen[user_idx][:, [1, 4]].any(dim=1)).float()
        return scores


def test_positives_that_stand_in_for_each_other_leave_a_rest():
    explanation = explain_by_removal(Either, 102, positives=POSITIVES, items=ITEMS)
    assert by_id(explanation) == {101: 0.0, 104: 0.0, 107: 0.0}
    assert (explanation.score, explanation.rest) == (1.0, 1.0)


def test_removal_blames_the_positive_that_is_needed():
    explanation = explain_by_removal(Either, 102, positives=[107, 104], items=ITEMS)
    assert by_id(explanation) == {104: 1.0, 107: 0.0}
    assert explanation.contributions["item_id"].tolist() == [104, 107]


@pytest.mark.parametrize(
    ("item_id", "positives", "error", "message"),
    [
        (102, [], ValueError, "positives is empty"),
        (102, [101, 101], ValueError, "got 101 again"),
        (102, [999], KeyError, "999"),
        (999, [101], KeyError, "999"),
    ],
)
def test_wrong_questions_are_refused(item_id, positives, error, message):
    with pytest.raises(error, match=message):
        explain(MODELS["ease"], item_id, positives=positives, items=ITEMS)


def test_removal_needs_something_to_keep():
    with pytest.raises(ValueError, match="at least two positives"):
        explain_by_removal(Either, 102, positives=[101], items=ITEMS)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Popularity().fit(TRAIN), "Popularity folds in new users and has no explain"),
        (MLP(N_USERS, N_ITEMS, 3), "MLP cannot fold in new users"),
    ],
    ids=["folds in", "does not"],
)
def test_a_model_that_cannot_explain_itself_is_told_another_way(model, message):
    with pytest.raises(ValueError, match=message):
        explain(model, 102, positives=POSITIVES, items=ITEMS)


@pytest.mark.parametrize("name", ["ease", "als"])
def test_a_ridge_for_a_model_that_explains_itself_is_refused(name):
    with pytest.raises(ValueError, match="explains itself: leave ridge out"):
        explain(MODELS[name], 102, positives=POSITIVES, items=ITEMS, ridge=Ridge())


def test_any_model_with_explain_is_asked_for_its_parts():
    class Halves:
        def score_users(self, user_idx):
            raise NotImplementedError

        def explain(self, item_idx, interactions):
            assert interactions.indices.tolist() == [1, 4, 7]
            return torch.tensor([item_idx, 0.5, 1.5])

    explanation = explain(Halves(), 102, positives=POSITIVES, items=ITEMS)
    assert by_id(explanation) == {101: 2.0, 107: 1.5, 104: 0.5}
    assert (explanation.score, explanation.rest) == (4.0, 0.0)


@pytest.mark.parametrize("name", MODELS)
def test_ids_of_another_catalog_are_refused(name):
    with pytest.raises(ValueError, match=r"items|score_users must give"):
        explain(MODELS[name], 102, positives=[101], items=Vocabulary(range(100, 105)))
