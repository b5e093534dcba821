import math

import pytest
import torch
from torch import nn

from nbhelpers.models.dot_product import DotProduct, DotProductBias
from nbhelpers.models.ordinal import (
    CategoricalRating,
    LogProbabilities,
    OrdinalRating,
    StarsNLL,
    star_classes,
)
from nbhelpers.training.fit import fit, mean_loss

STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
HALVES = tuple(k / 2 for k in range(1, 11))
PAIRS = torch.tensor([0, 5, 5, 2]), torch.tensor([8, 0, 3, 3])
ONE = torch.tensor([0]), torch.tensor([0])
HEADS = {
    "categorical": lambda stars: CategoricalRating(6, 9, 4, stars=stars),
    "ordinal": lambda stars: OrdinalRating(DotProductBias(6, 9, 4), stars=stars),
}
by_head = pytest.mark.parametrize("make", HEADS.values(), ids=HEADS.keys())


def large(model):
    torch.manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    return model


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


class Constant(nn.Module):
    """A scorer with the same score for every pair."""

    def __init__(self, score):
        super().__init__()
        self.score = nn.Parameter(torch.tensor(score))

    def forward(self, user_idx, item_idx):
        return self.score.expand(len(user_idx))


@by_head
@pytest.mark.parametrize("stars", [STARS, HALVES, (0.0, 1.0)], ids=["five", "halves", "two"])
def test_probabilities_sum_to_one_and_give_the_expected_stars(make, stars):
    model = large(make(stars))
    probabilities = model.probabilities(*PAIRS)
    assert probabilities.shape == (4, len(stars))
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))
    for pred, row in zip(model(*PAIRS).tolist(), probabilities.tolist(), strict=True):
        expected = sum(star * share for star, share in zip(stars, row, strict=True))
        assert pred == pytest.approx(expected, abs=1e-5)


@by_head
def test_expected_stars_stay_between_the_outer_stars(make):
    model = make(STARS)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(300)
    pred = model.score_users(torch.arange(6))
    assert pred.min() >= 1 - 1e-5
    assert pred.max() <= 5 + 1e-5


@by_head
def test_every_star_is_about_as_likely_at_the_start(make):
    torch.manual_seed(0)
    torch.testing.assert_close(
        make(HALVES).probabilities(*PAIRS), torch.full((4, 10), 0.1), atol=0.08, rtol=0
    )


def test_categorical_loss_is_that_of_cross_entropy():
    model = large(CategoricalRating(6, 9, 4, stars=HALVES))
    rating = torch.tensor([0.5, 5.0, 3.5, 1.0])
    ours = StarsNLL(HALVES)(LogProbabilities(model)(*PAIRS), rating)
    theirs = nn.functional.cross_entropy(model.logits(*PAIRS), torch.tensor([0, 9, 6, 1]))
    torch.testing.assert_close(ours, theirs)


def test_categorical_logits_by_hand():
    model = CategoricalRating(1, 1, 2, stars=(1, 2))
    with torch.no_grad():
        model.user_factors.weight[:] = torch.tensor([[1.0, 2.0]])
        model.item_factors.weight[:] = torch.tensor([[3.0, -1.0]])  # products 3 and -2
        model.star_layer.weight[:] = torch.tensor([[1.0, 1.0], [0.0, 2.0]])  # 1 and -4
        model.star_layer.bias[:] = torch.tensor([0.5, 0.0])
        model.user_bias.weight[:] = torch.tensor([[0.0, 1.0]])
        model.item_bias.weight[:] = torch.tensor([[10.0, 0.0]])
    assert model.logits(*ONE).tolist() == [[11.5, -3.0]]


def test_ordinal_likelihood_by_hand():
    model = OrdinalRating(Constant(0.2), stars=(1, 2, 3))
    with torch.no_grad():
        model.lowest.fill_(-1.0)
        model.steps.fill_(math.log(math.expm1(1.5)))  # softplus gives 1.5: thresholds -1, 0.5
    # P(star > 1) = sigmoid(0.2 + 1) = 0.768525, P(star > 2) = sigmoid(0.2 - 0.5) = 0.425557
    expected = [1 - 0.768525, 0.768525 - 0.425557, 0.425557]
    assert model.probabilities(*ONE)[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert model(*ONE).item() == pytest.approx(1 + 0.768525 + 0.425557, abs=1e-5)
    losses = [
        StarsNLL((1, 2, 3))(model.log_probabilities(*ONE), torch.tensor([star])).item()
        for star in (1.0, 2.0, 3.0)
    ]
    assert losses == pytest.approx([1.463283, 1.070118, 0.854356], abs=1e-4)


def test_ordinal_starts_with_equal_shares_at_score_zero():
    model = OrdinalRating(Constant(0.0), stars=HALVES)
    torch.testing.assert_close(model.probabilities(*ONE), torch.full((1, 10), 0.1))


@pytest.mark.parametrize("score", [-90.0, -30.0, 30.0, 90.0])
def test_ordinal_log_likelihood_stays_exact_at_extreme_scores(score):
    model = OrdinalRating(Constant(score), stars=(1, 2, 3)).double()
    edges = model.thresholds().tolist()
    # Far out the slices fall off exponentially: log P = -distance to the slice + its width's part
    low, high = edges
    width = math.log(-math.expm1(low - high))
    if score < 0:
        expected = [0, score - low + width, score - high]
    else:
        expected = [low - score, high - score + width, 0]
    assert model.log_probabilities(*ONE)[0].tolist() == pytest.approx(expected, abs=1e-8)


def test_gradients_are_finite_at_extreme_scores():
    model = OrdinalRating(Constant(200.0))
    model.log_probabilities(*ONE).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("steps", [-20.0, 0.0, 20.0])
def test_thresholds_never_cross(steps):
    model = OrdinalRating(Constant(0.0))
    with torch.no_grad():
        model.lowest.zero_()
        model.steps.fill_(steps)
    assert (model.thresholds().diff() > 0).all()


def test_higher_score_means_more_stars():
    model = large(OrdinalRating(DotProduct(6, 9, 4)))
    scores, stars = model.scorer(*PAIRS), model(*PAIRS)
    assert scores.argsort().tolist() == stars.argsort().tolist()


def test_training_finds_the_observed_shares():
    # Pair by pair nothing is known, so the best a model can say is how often each star came.
    rating = torch.tensor([1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0])
    pair = torch.zeros(10, dtype=torch.int64)
    model = OrdinalRating(Constant(0.0))
    view, loss = LogProbabilities(model), StarsNLL()
    fit(view, (pair, pair, rating), loss=loss, n_epochs=400, lr=0.05, device="cpu")
    shares = [0.1, 0.2, 0.3, 0.2, 0.2]
    assert model.probabilities(*ONE)[0].tolist() == pytest.approx(shares, abs=1e-3)
    entropy = -sum(share * math.log(share) for share in shares)
    assert mean_loss(view, (pair, pair, rating), loss=loss) == pytest.approx(entropy, abs=1e-3)


def test_scorer_with_a_range_is_refused():
    with pytest.raises(ValueError, match=r"the scorer needs y_range=None, got \(0, 5.5\)"):
        OrdinalRating(DotProductBias(6, 9, 4, y_range=(0, 5.5)))


@by_head
@pytest.mark.parametrize("stars", [(), (3,), (1, 2, 2), (5, 4, 3, 2, 1), (1, math.nan)])
def test_stars_that_do_not_ascend_are_refused(make, stars):
    with pytest.raises(ValueError, match="stars must be two or more, ascending, got"):
        make(stars)


def test_classes_are_places_among_the_stars():
    rating = torch.tensor([5.0, 0.5, 3.5])
    assert star_classes(rating, torch.tensor(HALVES)).tolist() == [9, 0, 6]


@pytest.mark.parametrize("stranger", [0.0, 3.5, 6.0, math.nan])
def test_rating_that_is_no_star_is_refused(stranger):
    with pytest.raises(ValueError, match=f"must be one of .* stars, got {stranger:g}"):
        StarsNLL(STARS)(torch.zeros(2, 5), torch.tensor([1.0, stranger]))


def test_view_shares_the_weights_of_the_model():
    model = CategoricalRating(6, 9, 4)
    before = model(*PAIRS).detach()
    rating = torch.tensor([5.0, 1.0, 3.0, 4.0])
    fit(LogProbabilities(model), (*PAIRS, rating), loss=StarsNLL(), device="cpu")
    assert not torch.equal(model(*PAIRS), before)
