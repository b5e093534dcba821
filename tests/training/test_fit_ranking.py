"""The plain loop for positives and negatives: what is learned, when it stops, and its twin."""

from functools import partial

import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.sampling.batches import PairBatches, UserBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit_ranking import fit_ranking, pair_loss
from nbhelpers.training.lightning import PairModule
from nbhelpers.training.lightning_trainer import (
    RetrievalData,
    quiet_trainer,
    training_log,
)
from nbhelpers.training.losses import (
    bpr_loss,
    full_softmax_loss,
    hinge_loss,
    logistic_loss,
)
from nbhelpers.training.optimizers import factors_and_biases, one_cycle
from nbhelpers.training.partial_credit import partial_credit

# Even users like even items, odd users odd ones; one pair a user (user u, item u) is left out.
KNOWN = [(user, item) for user in range(8) for item in range(8) if (user + item) % 2 == 0]
TRAIN = Interactions(
    *torch.tensor([pair for pair in KNOWN if pair[0] != pair[1]]).T, n_users=8, n_items=8
)


@pytest.fixture(autouse=True)
def no_progress_bar(monkeypatch):
    monkeypatch.setenv("CI", "1")


class Sums(nn.Module):
    """Scores a pair by ten times the user plus the item: each score says whose it is."""

    def __init__(self):
        super().__init__()
        self.unit = nn.Parameter(torch.ones(1))

    def forward(self, user_idx, item_idx):
        return self.unit * (10.0 * user_idx + item_idx)


def pair_batches(seed=1):
    generator = torch.Generator().manual_seed(seed)
    sampler = ExactNegatives(TRAIN)
    return PairBatches(TRAIN, sampler, batch_size=6, n_negatives=3, generator=generator)


def weighted_batches(weights):
    """One batch of three positives, with two negatives each, and weights."""
    users, items = torch.tensor([0, 1, 2]), torch.tensor([2, 3, 4])
    return [(users, items, torch.tensor([[1, 3], [0, 2], [5, 7]]), torch.tensor(weights))]


def model(seed=0):
    torch.manual_seed(seed)
    return MatrixFactorization(8, 8, 2)


def finds_the_left_out_item(some_model):
    scores = some_model.score_users(torch.arange(8))
    scores = scores.masked_fill(TRAIN.dense(torch.arange(8)), -99.0)
    return {"hit_rate": (scores.argmax(dim=1) == torch.arange(8)).float().mean().item()}


def test_scores_reach_the_loss_in_the_rows_of_their_users():
    seen = []

    def loss(positive, negative):
        seen.extend([positive.tolist(), negative.tolist()])
        return positive.sum()

    batch = (torch.tensor([2, 5]), torch.tensor([1, 4]), torch.tensor([[3, 6, 0], [7, 8, 9]]))
    pair_loss(Sums(), batch, loss)
    assert seen == [[21, 54], [[23, 26, 20], [57, 58, 59]]]


def test_partial_credit_gets_the_items_of_the_batch():
    genres = torch.tensor([0, 0, 1, 1])
    batch = (torch.tensor([0]), torch.tensor([1]), torch.tensor([[0, 2]]))
    credited = partial_credit(hinge_loss, {"genre": genres}, {"genre": 0.5})
    # scores: positive 1, negatives 0 (same genre) and 2: hinges 0 and 2
    assert pair_loss(Sums(), batch, hinge_loss).item() == pytest.approx(1.0)
    assert pair_loss(Sums(), batch, credited).item() == pytest.approx(1.0)
    closer = (torch.tensor([0]), torch.tensor([0]), torch.tensor([[1, 2]]))
    # positive 0, negatives 1 (same genre: 1 + 1 - 0.5) and 2 (1 + 2)
    assert pair_loss(Sums(), closer, credited).item() == pytest.approx((1.5 + 3) / 2)


def test_taste_is_learned():
    some_model = model()
    history = fit_ranking(some_model, pair_batches(), n_epochs=20, lr=0.03)
    assert finds_the_left_out_item(some_model)["hit_rate"] == 1
    assert history.train_loss[-1] < history.train_loss[0] / 2


@pytest.mark.parametrize("loss", [logistic_loss, bpr_loss], ids=["logistic", "bpr"])
def test_lightning_runs_through_the_same_weights(loss, tmp_path):
    recipe = {"lr": 0.02, "wd": 0.1, "schedule": one_cycle}
    plain, module = model(), PairModule(model(), loss=loss, **recipe)
    history = fit_ranking(plain, pair_batches(), loss=loss, n_epochs=3, device="cpu", **recipe)
    trainer = quiet_trainer(tmp_path, n_epochs=3, device="cpu")
    trainer.fit(module, RetrievalData(pair_batches()))
    for got, wanted in zip(module.model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)
    logged = training_log(trainer)["train_loss"]
    assert logged.tolist() == pytest.approx(history.train_loss, rel=1e-5)


def test_two_optimizers_in_lightning_run_through_the_same_weights(tmp_path):
    two = {"make_optimizer": partial(factors_and_biases, lr=0.02, bias_lr=0.3)}
    plain, module = model(), PairModule(model(), schedule=one_cycle, **two)
    fit_ranking(plain, pair_batches(), n_epochs=3, schedule=one_cycle, device="cpu", **two)
    quiet_trainer(tmp_path, n_epochs=3, device="cpu").fit(module, RetrievalData(pair_batches()))
    for got, wanted in zip(module.model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_two_optimizers_go_on_after_a_stop_in_lightning(tmp_path):
    two = {"make_optimizer": partial(factors_and_biases, lr=0.02, bias_lr=0.3)}
    straight = PairModule(model(), **two)
    quiet_trainer(tmp_path / "a", n_epochs=4, device="cpu").fit(
        straight, RetrievalData(pair_batches())
    )
    first = quiet_trainer(tmp_path / "b", n_epochs=2, device="cpu")
    first.fit(PairModule(model(), **two), RetrievalData(pair_batches()))
    resumed = PairModule(model(seed=9), **two)
    second = quiet_trainer(tmp_path / "b", n_epochs=4, device="cpu")
    last = tmp_path / "b" / "checkpoints" / "last.ckpt"
    second.fit(resumed, RetrievalData(pair_batches(seed=7)), ckpt_path=last)
    for got, wanted in zip(resumed.parameters(), straight.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_loss_of_an_epoch_counts_rows_not_batches():
    batches = [
        (torch.zeros(3).long(), torch.zeros(3).long(), torch.zeros(3, 1).long()),
        (torch.ones(1).long(), torch.zeros(1).long(), torch.zeros(1, 1).long()),
    ]
    history = fit_ranking(
        Sums(), batches, n_epochs=1, lr=0.0, loss=lambda positive, _: positive.mean()
    )
    assert history.train_loss == [pytest.approx(10 / 4)]  # three rows of 0, one of 10


def test_best_epoch_comes_back_when_patience_is_over():
    values, kept = iter([0.1, 0.5, 0.3, 0.2, 0.9]), []

    def validate(some_model):
        kept.append([weight.detach().clone().cpu() for weight in some_model.parameters()])
        return {"recall": next(values), "other": 0.0}

    some_model = model()
    history = fit_ranking(some_model, pair_batches(), n_epochs=5, validate=validate, patience=2)
    assert history.metrics["recall"] == [0.1, 0.5, 0.3, 0.2]
    assert (history.best_epoch, len(history.train_loss)) == (2, 4)
    for got, wanted in zip(some_model.parameters(), kept[1], strict=True):
        torch.testing.assert_close(got.detach(), wanted)


def test_validation_sees_evaluation_mode_without_gradients_and_training_goes_on():
    seen, some_model = [], model()
    some_model.register_forward_hook(lambda module, *_: seen.append(module.training))

    def validate(some_model):
        seen.append((some_model.training, torch.is_grad_enabled()))
        return {}

    fit_ranking(some_model, pair_batches(), n_epochs=2, validate=validate)
    n_batches = len(pair_batches())
    assert seen == 2 * [*n_batches * [True], (False, False)]
    assert not some_model.training


def test_table_of_epochs_has_loss_and_metrics():
    history = fit_ranking(
        model(), pair_batches(), n_epochs=3, validate=lambda _: {"recall": 0.5, "ndcg": 0.25}
    )
    table = history.frame()
    assert table.columns.tolist() == ["train_loss", "recall", "ndcg"]
    assert table.index.tolist() == [1, 2, 3]
    assert len(history.seconds) == 3


def test_equal_seeds_give_equal_weights():
    first, second = model(), model()
    for some_model in (first, second):
        fit_ranking(some_model, pair_batches(), n_epochs=2)
    for got, wanted in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_cure():
    with pytest.raises(
        FloatingPointError, match=r"loss is nan: .* the prediction is too large; lower lr"
    ):
        fit_ranking(model(), pair_batches(), loss=lambda positive, _: positive.sum() * torch.nan)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_epochs": 0}, "n_epochs must be at least 1, got 0"),
        ({"patience": 2}, "patience needs validation: pass validate"),
        ({"patience": 0, "validate": finds_the_left_out_item}, "must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        fit_ranking(model(), pair_batches(), **settings)


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameter to train"):
        fit_ranking(nn.Identity(), pair_batches())


def user_batches(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return UserBatches(TRAIN, batch_size=3, generator=generator)


def test_batches_of_users_train_as_a_loop_by_hand_does():
    """Two epochs of three batches, each a step of Adam on the cross-entropy of every positive."""
    ours, by_hand = model(), model()
    history = fit_ranking(
        ours, user_batches(), loss=full_softmax_loss, n_epochs=2, lr=0.02, wd=0.1, device="cpu"
    )
    optimizer = torch.optim.AdamW(by_hand.parameters(), lr=0.02, weight_decay=0.1)
    batches, losses = user_batches(), []
    for _ in range(2):
        total = 0.0
        for users, positives in batches:
            rows, items = positives.nonzero().T
            scores = by_hand.user_factors(users) @ by_hand.item_factors.weight.T
            scores = scores + by_hand.item_bias.weight.T
            loss = nn.functional.cross_entropy(scores[rows], items)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(users)
        losses.append(total / 8)
    assert history.train_loss == pytest.approx(losses, rel=1e-5)
    for one, two in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)


def test_batches_of_users_find_what_was_left_out():
    some_model = model()
    fit_ranking(
        some_model, user_batches(), loss=full_softmax_loss, n_epochs=60, lr=0.05, device="cpu"
    )
    assert finds_the_left_out_item(some_model)["hit_rate"] > 0.8


def test_losses_of_pairs_are_refused_for_batches_of_users():
    for loss in (logistic_loss, bpr_loss):
        with pytest.raises(ValueError, match=r"positive_scores must have the shape \(batch,\)"):
            fit_ranking(model(), user_batches(), loss=loss, device="cpu")
    credit = partial_credit(hinge_loss, {"kind": torch.eye(2)[torch.arange(8) % 2]}, {"kind": 0.5})
    with pytest.raises(ValueError, match="needs batches of pairs with negatives, got users"):
        fit_ranking(model(), user_batches(), loss=credit, device="cpu")


def test_a_weight_of_two_is_a_positive_that_comes_twice_with_its_negatives():
    (users, items, negatives, weights), twice = (
        weighted_batches([1.0, 2.0, 1.0])[0],
        torch.tensor([0, 1, 1, 2]),
    )
    weighted, repeated = model(), model()
    recipe = {"n_epochs": 4, "lr": 0.05, "device": "cpu"}
    found = fit_ranking(weighted, [(users, items, negatives, weights)], **recipe)
    wanted = fit_ranking(repeated, [(users[twice], items[twice], negatives[twice])], **recipe)
    assert found.train_loss == pytest.approx(wanted.train_loss)
    for got, right in zip(weighted.parameters(), repeated.parameters(), strict=True):
        torch.testing.assert_close(got, right, rtol=1e-4, atol=1e-5)


def test_loss_of_an_epoch_counts_weights():
    batches = [
        (torch.zeros(2).long(), torch.tensor([0, 1]), torch.zeros(2, 1).long(), torch.ones(2)),
        (torch.ones(1).long(), torch.zeros(1).long(), torch.zeros(1, 1).long(), torch.ones(1) * 6),
    ]

    def loss(positive, _, *, weights):
        return (positive * weights).sum() / weights.sum()

    history = fit_ranking(Sums(), batches, n_epochs=1, lr=1e-9, loss=loss, device="cpu")
    assert history.train_loss == [pytest.approx((0 + 1 + 6 * 10) / 8)]


def test_partial_credit_passes_weights_on():
    genres = torch.tensor([0, 0, 1, 1])
    credited = partial_credit(hinge_loss, {"genre": genres}, {"genre": 0.5})
    weights = torch.tensor([1.0, 3.0])
    batch = torch.zeros(2).long(), torch.tensor([0, 2]), torch.tensor([[1], [1]]), weights
    # positive 0 against 1 of its genre: 1 + 1 - 0.5; positive 2 against 1 of another: 1 + 1 - 2
    assert pair_loss(Sums(), batch, credited).item() == pytest.approx((1 * 1.5 + 3 * 0) / 4)


def test_optimizers_record_the_rate_of_each_group():
    rates = partial(factors_and_biases, lr=0.02, bias_lr=0.3)
    history = fit_ranking(model(), pair_batches(), n_epochs=2, make_optimizer=rates)
    assert history.learning_rates == [(0.02, 0.3), (0.02, 0.3)]


def test_history_says_where_the_model_trained():
    history = fit_ranking(model(), pair_batches(), n_epochs=1, device="cpu")
    assert history.device == torch.device("cpu")
