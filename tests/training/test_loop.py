"""What all loops share: callbacks, the log, the bar, and the mean loss of an epoch."""

import logging
from functools import partial

import pytest
import torch
from torch import nn

from nbhelpers.training.fit import fit
from nbhelpers.training.history import History
from nbhelpers.training.loop import name_of, shows_progress, without_bars
from nbhelpers.training.losses import hinge_loss

X = torch.arange(4.0).unsqueeze(1)


class Notes:
    """Writes down what it is told, and ends the run after some epochs."""

    def __init__(self, n_epochs=None):
        self.n_epochs, self.seen = n_epochs, []

    def on_epoch_end(self, model, history):
        self.seen.append((len(history.train_loss), model.training))
        return len(history.train_loss) == self.n_epochs


def test_callbacks_are_called_after_each_epoch():
    notes = Notes(), Notes()
    fit(nn.Linear(1, 1), (X, X), n_epochs=3, callbacks=notes)
    assert notes[0].seen == notes[1].seen == [(1, True), (2, True), (3, True)]


def test_a_callback_ends_the_run_after_all_were_called():
    notes = Notes(2), Notes()
    history = fit(nn.Linear(1, 1), (X, X), n_epochs=9, callbacks=notes)
    assert len(history.train_loss) == 2
    assert len(notes[1].seen) == 2


def test_a_callback_without_an_answer_ends_nothing():
    class Silent:
        def on_epoch_end(self, model, history):
            pass

    assert len(fit(nn.Linear(1, 1), (X, X), n_epochs=3, callbacks=[Silent()]).train_loss) == 3


def test_a_model_is_left_where_it_was_when_a_callback_fails():
    class Fails:
        def on_epoch_end(self, model, history):
            raise KeyError("own fault")

    model = nn.Linear(1, 1)
    with pytest.raises(KeyError, match="own fault"):
        fit(model, (X, X), n_epochs=3, callbacks=[Fails()])
    assert not model.training


def test_log_has_a_line_for_each_epoch(caplog):
    with caplog.at_level(logging.INFO, logger="nbhelpers.training"):
        history = fit(nn.Linear(1, 1), (X, X), (X, X), n_epochs=2)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert caplog.messages[1].startswith(f"epoch 2 of 2: train_loss {history.train_loss[1]:.5g}, ")
    assert f"valid_loss {history.valid_loss[1]:.5g}, " in caplog.messages[1]


def test_log_is_quiet_unless_asked_for(caplog, capsys):
    fit(nn.Linear(1, 1), (X, X), n_epochs=2)
    assert caplog.messages == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("value", "shown"), [("true", False), ("1", False), ("", True)])
def test_bar_is_quiet_where_ci_is_set(value, shown, monkeypatch):
    monkeypatch.setenv("CI", value)
    assert shows_progress() == shown


def test_bar_is_left_to_a_caller_who_draws_one(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with without_bars():
        assert not shows_progress()
    assert shows_progress()


def test_a_loss_has_a_name_with_its_settings():
    assert name_of(hinge_loss) == "hinge_loss"
    assert name_of(partial(hinge_loss, margin=2.0)) == "hinge_loss(){'margin': 2.0}"
    assert name_of(nn.MSELoss()) == "MSELoss"


def test_no_step_waits_for_a_number(monkeypatch):
    """``item`` is asked for in the first step alone, where a bad start is noticed early."""
    asked, item = [], torch.Tensor.item

    def counted(tensor):
        asked.append(tensor)
        return item(tensor)

    monkeypatch.setattr(torch.Tensor, "item", counted)
    history = fit(nn.Linear(1, 1), (X, X), n_epochs=3, batch_size=1, device="cpu")
    assert isinstance(history, History)
    assert len(asked) <= 1
