"""Sums of models against sums written out."""

import math

import numpy as np
import pytest
import torch

from nbhelpers.core.recommender import Explains, FoldsIn
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.blend import Blend, ExplainingBlend, FoldingBlend, blend, choose_shares

TRAIN = Interactions([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 2], n_users=5, n_items=4)
NEW = Interactions([0, 0, 1], [0, 2, 1], n_users=2, n_items=4)


class Fixed:
    """A model that knows its scores by heart."""

    def __init__(self, scores):
        self.scores = torch.tensor(scores)
        self.n_users, self.n_items = self.scores.shape

    def score_users(self, user_idx):
        return self.scores[user_idx]


class Folding(Fixed):
    """The same, that gives every new user the scores of user 0."""

    def fold_in(self, interactions):
        return Fixed(self.scores[:1].expand(interactions.n_users, -1).tolist())


class Trained(Fixed):
    """The same, that knows whom it was trained on."""

    def __init__(self, scores, *, users, items):
        super().__init__(scores)
        self.trained_users, self.trained_items = torch.tensor(users), torch.tensor(items)


# Standardized: (-1, -1, 1, 1) and (1, -1, 1, -1); (sqrt 3, -1/sqrt 3 three times)
LEFT = Fixed([[1.0, 1.0, 3.0, 3.0], [5.0, 1.0, 1.0, 1.0]])
RIGHT = Fixed([[90.0, 10.0, 90.0, 10.0], [7.0, 7.0, 7.0, 7.0]])
ROOT = math.sqrt(3)


def fitted(kind, **settings):
    return kind(2, reg=0.1, generator=torch.Generator().manual_seed(0), **settings).fit(TRAIN)


@pytest.fixture(scope="module")
def parts():
    return {"ALS": fitted(ALS, alpha=2.0), "IALS": fitted(IALS)}


def scores(model, *users):
    return model.score_users(torch.tensor(users))


def test_standardized_scores_are_weighted_and_added():
    model = Blend({"left": LEFT, "right": RIGHT}, shares={"left": 0.75, "right": 0.25})
    torch.testing.assert_close(scores(model, 0)[0], torch.tensor([-0.5, -1.0, 1.0, 0.5]))


def test_without_shares_all_weigh_the_same():
    model = Blend({"left": LEFT, "right": RIGHT})
    assert model.shares == {"left": 0.5, "right": 0.5}
    torch.testing.assert_close(scores(model, 0)[0], torch.tensor([0.0, -1.0, 1.0, 0.0]))


def test_a_model_that_scores_all_items_of_a_user_alike_adds_nothing():
    model = Blend({"left": LEFT, "right": RIGHT}, shares={"left": 1, "right": 2})
    expected = torch.tensor([ROOT, -1 / ROOT, -1 / ROOT, -1 / ROOT])
    torch.testing.assert_close(scores(model, 1)[0], expected)


def test_rounding_errors_of_a_constant_row_add_nothing():
    noisy = Fixed([[0.1 + 0.2, 0.3, 0.3, np.nextafter(0.3, 1, dtype=np.float32)]])
    assert scores(Blend({"noisy": noisy}), 0)[0].tolist() == [0.0] * 4


def test_the_scale_of_a_model_does_not_matter(parts):
    plain = Blend({"left": LEFT, "right": RIGHT})
    scaled = Blend({"left": LEFT, "right": Fixed((1e-3 * RIGHT.scores - 4).tolist())})
    torch.testing.assert_close(scores(scaled, 0, 1), scores(plain, 0, 1), rtol=1e-4, atol=1e-4)


def test_shares_are_taken_by_name():
    model = Blend({"left": LEFT, "right": RIGHT}, shares={"right": 0.25, "left": 0.75})
    torch.testing.assert_close(scores(model, 0)[0], torch.tensor([-0.5, -1.0, 1.0, 0.5]))


def test_a_model_without_a_share_is_not_asked():
    class Broken(Fixed):
        def score_users(self, user_idx):
            raise AssertionError

    broken = Broken(LEFT.scores.tolist())
    model = Blend({"left": LEFT, "broken": broken}, shares={"left": 1, "broken": 0})
    torch.testing.assert_close(scores(model, 0)[0], torch.tensor([-1.0, -1.0, 1.0, 1.0]))


def test_modules_are_asked_in_evaluation_mode_and_without_gradient():
    class Dropping(torch.nn.Module):
        n_users, n_items = 2, 4

        def __init__(self):
            super().__init__()
            self.scores = torch.nn.Parameter(LEFT.scores)

        def score_users(self, user_idx):
            return self.scores[user_idx] * (0 if self.training else 1)

    blended = scores(Blend({"left": Dropping()}), 0)
    torch.testing.assert_close(blended[0], torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    assert not blended.requires_grad


def test_batch_equals_one_by_one(parts):
    model = blend(parts)
    for row, user in zip(scores(model, 4, 0, 0, 2), (4, 0, 0, 2), strict=True):
        torch.testing.assert_close(row, scores(model, user)[0])


def test_folded_users_have_the_sum_of_what_the_models_make_of_them(parts):
    shares = {"ALS": 0.2, "IALS": 0.8}
    folded = {
        name: Fixed(part.fold_in(NEW).score_users(torch.arange(2)).tolist())
        for name, part in parts.items()
    }
    expected = Blend(folded, shares=shares)
    found = blend(parts, shares=shares).fold_in(NEW)
    torch.testing.assert_close(scores(found, 1, 0), scores(expected, 1, 0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("item_idx", range(4))
def test_explained_parts_and_the_means_add_up_to_the_folded_score(item_idx, parts):
    shares = {"ALS": 0.2, "IALS": 0.8}
    model = blend(parts, shares=shares)
    means = 0.0
    for name, part in parts.items():
        row = scores(part.fold_in(NEW), 0)[0]
        means += shares[name] * (row.mean() / row.std(correction=0)).item()
    found = model.explain(item_idx, NEW)
    assert found.shape == (2,)
    expected = scores(model.fold_in(NEW), 0)[0, item_idx].item()
    assert found.sum().item() - means == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_an_explanation_weighs_the_parts_of_each_model(parts):
    alone = blend({"ALS": parts["ALS"]}).explain(1, NEW)
    other = blend({"IALS": parts["IALS"]}).explain(1, NEW)
    both = blend(parts, shares={"ALS": 0.2, "IALS": 0.8}).explain(1, NEW)
    torch.testing.assert_close(both, 0.2 * alone + 0.8 * other)


def test_a_blend_can_what_all_its_models_can(parts):
    folding = Folding([[1.0, 2.0, 3.0, 4.0]] * 5)
    fixed = Fixed([[1.0, 2.0, 3.0, 4.0]] * 5)
    kinds = [type(blend(parts | {"more": more})) for more in (parts["ALS"], folding, fixed)]
    assert kinds == [ExplainingBlend, FoldingBlend, Blend]


def test_the_types_say_what_a_blend_can(parts):
    everything, folding = blend(parts), FoldingBlend(parts)
    assert isinstance(everything, FoldsIn)
    assert isinstance(everything, Explains)
    assert isinstance(folding, FoldsIn)
    assert not isinstance(folding, Explains)
    assert not isinstance(Blend(parts), FoldsIn)


def test_a_blend_of_blends_is_a_blend(parts):
    inner = blend(parts, shares={"ALS": 0.2, "IALS": 0.8})
    outer = blend({"inner": inner})
    assert isinstance(outer, Explains)
    torch.testing.assert_close(
        scores(outer, 0), torch.nn.functional.layer_norm(scores(inner, 0), (4,), eps=1e-12)
    )


def test_a_class_that_promises_more_than_a_model_can_is_refused():
    parts = {"left": LEFT, "folding": Folding(RIGHT.scores.tolist())}
    with pytest.raises(ValueError, match=r"all models must fold in, \['left'\] cannot"):
        FoldingBlend(parts)
    with pytest.raises(ValueError, match=r"all models must explain, \['folding'\] cannot"):
        ExplainingBlend({"folding": parts["folding"]})


def test_trained_is_who_is_trained_in_every_model():
    one = Trained([[1.0, 2.0]] * 3, users=[True, True, False], items=[True, True])
    two = Trained([[1.0, 2.0]] * 3, users=[True, False, False], items=[False, True])
    model = Blend({"one": one, "two": two})
    assert model.trained_users.tolist() == [True, False, False]
    assert model.trained_items.tolist() == [False, True]


def test_a_model_that_does_not_say_who_is_trained_is_taken_at_its_word():
    knowing = Trained([[1.0, 2.0]] * 2, users=[True, False], items=[True, True])
    model = Blend({"knowing": knowing, "fixed": Fixed([[1.0, 2.0]] * 2)})
    assert model.trained_users.tolist() == [True, False]


def with_ids(users):
    pairs = {"user_idx": [0, 1], "item_idx": [0, 1]}
    ids = {"users": Vocabulary(users), "items": Vocabulary(["x", "y"])}
    return ALS(2, generator=torch.Generator().manual_seed(0)).fit(Interactions(**pairs, **ids))


def test_vocabularies_are_those_that_a_model_knows():
    known, unknown = with_ids(["a", "b"]), Fixed([[1.0, 2.0]] * 2)
    model = Blend({"unknown": unknown, "known": known})
    assert model.user_fingerprint == known.user_fingerprint
    assert model.item_fingerprint == known.item_fingerprint


def test_models_of_different_vocabularies_are_refused():
    with pytest.raises(ValueError, match="different vocabularies: train all on the same"):
        Blend({"one": with_ids(["a", "b"]), "two": with_ids(["b", "c"])})


def test_a_model_that_is_not_fitted_is_refused(parts):
    with pytest.raises(ValueError, match=r"say n_users and n_items, \['raw'\] do not: are they"):
        Blend(parts | {"raw": IALS(2)})


def test_settings_build_an_equal_model(parts):
    model = blend(parts, shares={"ALS": 2, "IALS": 3})
    again = type(model)(**model.settings())
    torch.testing.assert_close(scores(again, 0, 1), scores(model, 0, 1))


def test_repr_shows_shares_and_sizes(parts):
    model = blend(parts, shares={"ALS": 0.25, "IALS": 0.75})
    assert repr(model) == "ExplainingBlend(0.25 ALS, 0.75 IALS): 5 users, 4 items"


def test_no_model_is_refused():
    with pytest.raises(ValueError, match="at least one model is needed"):
        blend({})


def test_models_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"same numbers of users and items, got .*\(2, 4\)"):
        Blend({"left": LEFT, "small": Fixed([[1.0, 2.0]])})


@pytest.mark.parametrize("shares", [{"left": 1}, {"left": 1, "right": 1, "more": 1}])
def test_shares_of_other_models_are_refused(shares):
    with pytest.raises(ValueError, match=r"shares must name the models \['left', 'right'\]"):
        Blend({"left": LEFT, "right": RIGHT}, shares=shares)


@pytest.mark.parametrize("values", [(-1, 2), (0, 0), (math.nan, 1), (math.inf, 1)])
def test_shares_out_of_range_are_refused(values):
    shares = dict(zip(("left", "right"), values, strict=True))
    with pytest.raises(ValueError, match="shares must be at least 0 and one above 0"):
        Blend({"left": LEFT, "right": RIGHT}, shares=shares)


def asked(model):
    """How near the shares are to 0.25 of the left: the best is known."""
    return -abs(model.shares["left"] - 0.25)


def test_the_best_point_of_the_grid_is_chosen():
    chosen = choose_shares({"left": LEFT, "right": RIGHT}, asked, n_steps=4)
    assert chosen.shares == {"left": 0.25, "right": 0.75}
    assert chosen.value == 0.0


def test_the_grid_holds_every_way_to_share_out_the_steps():
    parts = {"left": LEFT, "right": RIGHT, "more": LEFT}
    trials = choose_shares(parts, asked, n_steps=2).trials
    assert trials[["left", "right", "more"]].to_numpy().tolist() == [
        [1.0, 0.0, 0.0],
        [0.5, 0.5, 0.0],
        [0.5, 0.0, 0.5],
        [0.0, 1.0, 0.0],
        [0.0, 0.5, 0.5],
        [0.0, 0.0, 1.0],
    ]
    assert trials["value"].tolist() == [-0.75, -0.25, -0.25, -0.25, -0.25, -0.25]


def test_of_equal_points_the_first_is_chosen():
    chosen = choose_shares({"left": LEFT, "right": RIGHT}, lambda model: 1.0, n_steps=3)
    assert chosen.shares == {"left": 1.0, "right": 0.0}


def test_one_model_has_one_point():
    assert choose_shares({"left": LEFT}, asked).shares == {"left": 1.0}


def test_a_metric_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="metric must give a finite value, got nan for"):
        choose_shares({"left": LEFT, "right": RIGHT}, lambda model: math.nan)


def test_no_step_is_refused():
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        choose_shares({"left": LEFT}, asked, n_steps=0)


def test_the_metric_sees_what_the_blend_can(parts):
    kinds = []
    choose_shares(parts, lambda model: kinds.append(type(model)) or 0.0, n_steps=1)
    assert kinds == [ExplainingBlend, ExplainingBlend]
