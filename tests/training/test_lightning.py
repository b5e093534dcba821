"""Training in Lightning: what is learned, logged and kept, and going on after a stop."""

import os
import warnings

import pytest
import pytorch_lightning as pl
import torch

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.matrix_factorization import MatrixFactorization
from nbhelpers.models.ncf import MLP
from nbhelpers.models.two_tower import TwoTower
from nbhelpers.sampling.batches import InBatch, PairBatches
from nbhelpers.sampling.negatives import ExactNegatives
from nbhelpers.training.fit import seed_everything
from nbhelpers.training.lightning import InBatchModule, PairModule
from nbhelpers.training.lightning_trainer import (
    QUIET,
    RetrievalData,
    quiet_lightning,
    quiet_trainer,
    restore_best,
    training_log,
)
from nbhelpers.training.losses import softmax_loss
from nbhelpers.training.resume import ResumableBatches

# Even users like even items, odd users odd ones; one pair a user (user u, item u) is left out.
KNOWN = [(user, item) for user in range(8) for item in range(8) if (user + item) % 2 == 0]
TRAIN = Interactions(
    *torch.tensor([pair for pair in KNOWN if pair[0] != pair[1]]).T, n_users=8, n_items=8
)


@pytest.fixture(autouse=True)
def no_progress_bar(monkeypatch):
    monkeypatch.setenv("CI", "1")


def pair_batches(batch_size=6):
    generator = torch.Generator().manual_seed(1)
    sampler = ExactNegatives(TRAIN)
    return PairBatches(TRAIN, sampler, batch_size=batch_size, n_negatives=3, generator=generator)


def pair_module(seed=0, **settings):
    seed_everything(seed)
    return PairModule(MatrixFactorization(8, 8, 2), lr=0.03, **settings)


def trainer(folder, n_epochs, **settings):
    return quiet_trainer(folder, n_epochs=n_epochs, device="cpu", **settings)


def weights(module):
    return torch.cat([weight.detach().flatten() for weight in module.parameters()])


def finds_the_left_out_item(model):
    scores = model.score_users(torch.arange(8)).masked_fill(TRAIN.dense(torch.arange(8)), -99.0)
    return {"hit_rate": (scores.argmax(dim=1) == torch.arange(8)).float().mean().item()}


MODULES = {
    "logistic": (pair_module, pair_batches),
    "softmax": (lambda: pair_module(loss=softmax_loss), pair_batches),
    "network": (
        lambda: (seed_everything(0), PairModule(MLP(8, 8, 8), lr=0.03))[1],
        pair_batches,
    ),
    "two towers in batch": (
        lambda: (seed_everything(0), InBatchModule(TwoTower(8, 8, 4), TRAIN, lr=0.03))[1],
        lambda: InBatch(TRAIN, batch_size=6, generator=torch.Generator().manual_seed(1)),
    ),
    "factorization in batch": (
        lambda: InBatchModule(MatrixFactorization(8, 8, 2), TRAIN, lr=0.03),
        lambda: InBatch(TRAIN, batch_size=6, generator=torch.Generator().manual_seed(1)),
    ),
}


@pytest.mark.parametrize(("make", "batches"), MODULES.values(), ids=MODULES.keys())
def test_left_out_item_of_the_checkerboard_comes_first(make, batches, tmp_path):
    module = make()
    trainer(tmp_path, 25).fit(module, RetrievalData(batches()))
    assert finds_the_left_out_item(module.model) == {"hit_rate": 1.0}


def test_training_equals_a_plain_loop(tmp_path):
    module, data = pair_module(), RetrievalData(pair_batches())
    trainer(tmp_path, 2).fit(module, data)
    plain = pair_module().model
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.03)
    batches = pair_batches()
    for _ in range(2):
        for user_idx, item_idx, negatives in batches:
            scores = [plain(user_idx, column) for column in (item_idx, *negatives.T)]
            target = [torch.ones_like(scores[0]), *(torch.zeros_like(s) for s in scores[1:])]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                torch.stack(scores), torch.stack(target)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.testing.assert_close(weights(module), weights(plain), atol=1e-6, rtol=1e-5)


class StopWithin(pl.Callback):
    """Keeps a checkpoint after some steps, wherever that is in a pass."""

    def __init__(self, n_steps, path):
        self.n_steps, self.path = n_steps, path

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.n_steps:
            trainer.save_checkpoint(self.path)


def validated():
    return pair_module(validate=finds_the_left_out_item)


def test_resuming_from_the_end_of_an_epoch_changes_nothing(tmp_path):
    whole, halves, stopped = validated(), validated(), validated()
    trainer(tmp_path / "whole", 4).fit(whole, RetrievalData(pair_batches()))
    first = trainer(tmp_path / "halves", 2)
    first.fit(stopped, RetrievalData(pair_batches()))
    assert not torch.equal(weights(stopped), weights(whole))
    second, last = trainer(tmp_path / "halves", 4), first.checkpoint_callback.last_model_path
    second.fit(halves, RetrievalData(pair_batches()), ckpt_path=last)
    torch.testing.assert_close(weights(halves), weights(whole))
    assert training_log(second).index.tolist() == [3, 4]
    assert halves.history.train_loss == pytest.approx(whole.history.train_loss)
    assert halves.history.metrics == whole.history.metrics


@pytest.mark.parametrize("n_steps", [1, 3, 4, 6, 8, 9])  # a pass has 4
def test_resuming_from_within_a_pass_changes_nothing(n_steps, tmp_path):
    whole, resumed = pair_module(), pair_module(seed=5)
    path = tmp_path / "stop.ckpt"
    first = trainer(tmp_path, 3)
    first.callbacks.append(StopWithin(n_steps, path))
    first.fit(whole, RetrievalData(pair_batches()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = trainer(tmp_path, 3)
        second.fit(resumed, RetrievalData(pair_batches()), ckpt_path=path)
    assert second.global_step == first.global_step == 12
    assert resumed.history.train_loss == pytest.approx(whole.history.train_loss)
    torch.testing.assert_close(weights(resumed), weights(whole))


def test_negatives_are_redrawn_in_each_epoch():
    batches = ResumableBatches(pair_batches())
    first, second = ([batch[2].tolist() for batch in batches] for _ in range(2))
    assert first != second


def test_quiet_settings_leave_a_trainer_that_shows_nothing():
    quiet = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, **QUIET)
    assert quiet.progress_bar_callback is None
    assert not any(isinstance(one, pl.callbacks.ModelSummary) for one in quiet.callbacks)


def test_patience_ends_the_run_and_the_best_epoch_comes_back(tmp_path):
    values, seen = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9]), []

    def validate(model):
        seen.append(weights(model))
        return {"ndcg": next(values)}

    module = pair_module(validate=validate)
    run = trainer(tmp_path, 50, monitor="ndcg", mode="max", patience=3)
    run.fit(module, RetrievalData(pair_batches()))
    assert len(seen) == 5
    assert restore_best(run) == pytest.approx(0.5)
    torch.testing.assert_close(weights(module), seen[1])


def test_log_has_a_row_for_each_epoch(tmp_path):
    values = iter([0.25, 0.5])
    run = trainer(tmp_path, 2)
    module = pair_module(validate=lambda model: {"ndcg": next(values), "auc": 0.75})
    run.fit(module, RetrievalData(pair_batches()))
    log = training_log(run)
    assert log.index.tolist() == [1, 2]
    assert log["ndcg"].tolist() == [0.25, 0.5]
    assert log["auc"].tolist() == [0.75, 0.75]
    assert log["train_loss"].between(0.3, 0.8).all()


def test_model_is_validated_in_evaluation_mode_without_gradients(tmp_path):
    modes = []

    def validate(model):
        modes.append((model.training, torch.is_grad_enabled()))
        return {}

    module = pair_module(validate=validate)
    module.model.register_forward_pre_hook(lambda model, _: modes.append(model.training))
    trainer(tmp_path, 2).fit(module, RetrievalData(pair_batches(batch_size=24)))
    assert modes == [True, (False, False), True, (False, False)]
    assert not module.model.training


def test_loss_that_is_not_finite_ends_the_run(tmp_path):
    module = pair_module(loss=lambda positive, negative: positive.sum() * float("nan"))
    with pytest.raises(FloatingPointError, match=r"loss is nan, and the weights .* lower lr"):
        trainer(tmp_path, 3).fit(module, RetrievalData(pair_batches()))


def test_own_optimizer_is_used(tmp_path):
    module = pair_module(make_optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.0))
    before = weights(module).clone()
    trainer(tmp_path, 1).fit(module, RetrievalData(pair_batches()))
    assert torch.equal(weights(module), before)


def test_items_of_a_batch_that_a_user_likes_are_no_negatives():
    """Even users and even items alone: nothing is left to tell apart."""
    module = InBatchModule(TwoTower(8, 8, 4), TRAIN)
    even = torch.tensor([0, 2, 4]), torch.tensor([2, 4, 6])
    loss = module.batch_loss(even).item()
    # user 4 has never met item 4, user 2 never item 2: one negative each; user 0 has none
    with torch.no_grad():
        scores = module.model.score_users(even[0]) - module.log_q
    gaps = [scores[1, 2] - scores[1, 4], scores[2, 4] - scores[2, 6]]
    wanted = sum(torch.nn.functional.softplus(gap) for gap in gaps) / 3
    assert loss == pytest.approx(wanted.item(), rel=1e-5)


def test_default_correction_is_the_share_of_the_positives():
    lopsided = Interactions([0, 1, 2, 2], [0, 0, 0, 1], n_users=3, n_items=2)
    module = InBatchModule(TwoTower(3, 2, 4), lopsided)
    torch.testing.assert_close(module.log_q.exp(), torch.tensor([0.75, 0.25]))


def test_nothing_is_printed_and_nothing_warned(tmp_path, capfd, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for folder in (tmp_path, tmp_path):  # the second run meets the files of the first
            module, run = (
                validated(),
                trainer(folder, 2, monitor="hit_rate", mode="max", patience=1),
            )
            run.fit(module, RetrievalData(pair_batches()))
            restore_best(run)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_trainer_without_a_kept_epoch_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no epoch was kept"):
        restore_best(trainer(tmp_path, 1))


class KilledError(Exception):
    pass


class DiesAfter:
    """A callback that ends the process, so to speak, in the middle of everything."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, model, history):
        if len(history.train_loss) == self.n_epochs:
            raise KilledError


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    whole, killed, resumed = (pair_module() for _ in range(3))
    trainer(tmp_path / "whole", 4).fit(whole, RetrievalData(pair_batches()))
    killed.callbacks = [DiesAfter(3)]
    first = trainer(tmp_path / "killed", 4)
    with pytest.raises(KilledError):
        first.fit(killed, RetrievalData(pair_batches()))
    second, last = trainer(tmp_path / "killed", 4), first.checkpoint_callback.last_model_path
    second.fit(resumed, RetrievalData(pair_batches()), ckpt_path=last)
    torch.testing.assert_close(weights(resumed), weights(whole))
    assert resumed.history.train_loss == pytest.approx(whole.history.train_loss)


class StopsAfter(DiesAfter):
    def on_epoch_end(self, model, history):
        return len(history.train_loss) == self.n_epochs


def test_a_callback_ends_the_run_and_a_second_run_has_a_history_of_its_own(tmp_path):
    module = pair_module(callbacks=[StopsAfter(2)])
    for folder in ("first", "second"):
        trainer(tmp_path / folder, 9).fit(module, RetrievalData(pair_batches()))
        assert len(module.history.train_loss) == 2


def test_history_holds_what_was_measured(tmp_path):
    values = iter([0.25, 0.5])
    module = pair_module(validate=lambda model: {"ndcg": next(values)})
    trainer(tmp_path, 2).fit(module, RetrievalData(pair_batches(batch_size=20)))
    history = module.history
    assert history.metrics == {"ndcg": [0.25, 0.5]}
    assert (history.learning_rates, history.best_epoch) == ([(0.03,), (0.03,)], 2)
    assert len(history.seconds) == 2
    assert history.device == torch.device("cpu")


def test_loss_of_an_epoch_counts_rows_and_weights(tmp_path):
    """Two batches, of three rows and of one: mean losses 0 and 10."""

    def loss(positive, negative, **weights):
        return positive.sum() * 0 + (10.0 if len(positive) == 1 else 0.0)

    def rows(n):
        return (*(torch.zeros(n).long(),) * 2, torch.zeros(n, 1).long())

    batches = [rows(3), rows(1)]
    weighted = [(*rows(3), torch.ones(3)), (*rows(1), torch.tensor([7.0]))]
    for some_batches, wanted in ((batches, 10 / 4), (weighted, 70 / 10)):
        module = pair_module(loss=loss)
        trainer(tmp_path, 1).fit(module, torch.utils.data.DataLoader(some_batches, batch_size=None))
        assert module.history.train_loss == [pytest.approx(wanted)]


def test_rate_is_that_of_the_other_loops(tmp_path):
    module = PairModule(MatrixFactorization(8, 8, 2))
    assert module.configure_optimizers().param_groups[0]["lr"] == 5e-3


def test_weights_of_a_batch_reach_the_softmax_over_the_batch():
    torch.manual_seed(0)
    module = InBatchModule(TwoTower(8, 8, 4), TRAIN)
    users, items = torch.tensor([0, 1, 2]), torch.tensor([2, 3, 4])
    (first, size), twice = (
        module.sized_loss((users, items, torch.tensor([2.0, 1.0, 1.0]))),
        torch.tensor([2.0, 1.0, 1.0]),
    )
    scores = module.model.score_users(users)[:, items] - module.log_q[items]
    seen = TRAIN.dense(users)[:, items] & ~torch.eye(3, dtype=torch.bool)
    each = -scores.masked_fill(seen, -torch.inf).log_softmax(dim=1).diagonal()
    assert first.item() == pytest.approx(((twice * each).sum() / 4).item(), rel=1e-5)
    assert size == 4


class WithValidation(pl.LightningModule):
    """A module and its data as a page writes them, with a loader that has no workers."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("size", self.layer(batch[0]).abs().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_trainer_of_ones_own_is_quiet_too(tmp_path, capfd, caplog, monkeypatch):
    cores = set(range(16))  # on a small machine Lightning asks for no workers
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cores, raising=False)
    rows = torch.utils.data.TensorDataset(torch.ones(4, 1))
    loader = torch.utils.data.DataLoader(rows, batch_size=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet_lightning()
        own = pl.Trainer(
            default_root_dir=tmp_path,
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=0,
        )
        own.fit(WithValidation(), loader, loader)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_warning_of_ones_own_still_comes():
    with warnings.catch_warnings():
        quiet_lightning()
        with pytest.warns(UserWarning, match="look here"):
            warnings.warn("look here", UserWarning, stacklevel=1)
