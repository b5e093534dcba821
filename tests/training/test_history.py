"""The record of a run: what it says, and which weights it brings back."""

import pytest
import torch
from torch import nn

from nbhelpers.training.history import BestWeights, History


def history_of(*values, mode="max"):
    return History(
        [1.0] * len(values), {"map": list(values), "auc": [0.5] * len(values)}, mode=mode
    )


def test_table_has_loss_and_metrics_by_epoch():
    table = history_of(0.25, 0.5).frame()
    assert table.index.tolist() == [1, 2]
    assert table.index.name == "epoch"
    assert table.columns.tolist() == ["train_loss", "map", "auc"]
    assert table["map"].tolist() == [0.25, 0.5]


def test_full_table_has_seconds_and_rates():
    one = History([3.0, 2.0], {}, [0.5, 0.25], [(0.1,), (0.2,)]).full_frame()
    assert one.columns.tolist() == ["train_loss", "seconds", "lr"]
    assert one["lr"].tolist() == [0.1, 0.2]
    two = History([3.0, 2.0], {}, [0.5, 0.25], [(0.1, 1.0), (0.2, 2.0)]).full_frame()
    assert two[["lr_0", "lr_1"]].to_numpy().tolist() == [[0.1, 1.0], [0.2, 2.0]]


def test_best_epoch_is_the_first_of_the_highest_first_metric():
    assert history_of(0.1, 0.5, 0.5, 0.2).best_epoch == 2


def test_best_epoch_of_a_loss_is_the_lowest():
    assert history_of(3.0, 1.0, 2.0, mode="min").best_epoch == 2


def test_without_metrics_the_last_epoch_counts_as_best():
    assert History([1.0, 1.0]).best_epoch == 2


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_metric_that_is_not_a_number_is_never_best(mode):
    nan = float("nan")
    assert history_of(nan, 0.5, nan, mode=mode).best_epoch == 2
    assert history_of(nan, nan, mode=mode).best_epoch == 1


def test_valid_loss_is_empty_without_validation_rows():
    assert history_of(0.5).valid_loss == []
    assert History([1.0], {"valid_loss": [2.0]}).valid_loss == [2.0]


def test_repr_says_what_was_reached():
    assert repr(history_of(0.25, 0.5, 0.125)) == (
        "History(3 epochs on cpu: train_loss 1 to 1, map 0.125, best 0.5 in epoch 2)"
    )
    assert repr(History([0.5])) == "History(1 epoch on cpu: train_loss 0.5 to 0.5)"
    assert repr(History()) == "History(0 epochs on cpu)"


def test_other_metrics_than_before_are_refused():
    history = history_of(0.5)
    with pytest.raises(ValueError, match=r"same metrics .* got \['ndcg'\] after \['map', 'auc'\]"):
        history.add(1.0, metrics={"ndcg": 0.5}, seconds=1.0, learning_rates=[0.1])
    assert history.train_loss == [1.0]


def test_state_brings_everything_back():
    history = History([3.0], {"map": [0.5]}, [0.25], [(0.1, 1.0)], "min", torch.device("cuda:1"))
    state = history.state_dict()
    history.train_loss.append(9.0)  # the state is a copy
    other = History()
    other.load_state_dict(state)
    other.train_loss.append(2.0)
    assert state["train_loss"] == [3.0]
    assert (other.metrics, other.seconds, other.mode) == ({"map": [0.5]}, [0.25], "min")
    assert (other.learning_rates, other.device) == ([(0.1, 1.0)], torch.device("cuda:1"))
    assert state["device"] == "cuda:1"


def test_best_weights_are_those_of_the_best_epoch():
    model, history = nn.Linear(1, 1, bias=False), history_of()
    best = BestWeights(model, patience=2)
    for number, value in enumerate([0.1, 0.5, 0.3, 0.2], start=1):
        nn.init.constant_(model.weight, float(number))
        metrics = {"map": value, "auc": 0.5}
        history.add(1.0, metrics=metrics, seconds=0.1, learning_rates=[0.1])
        best.update(history)
        assert best.is_over(history) == (number == 4)
    best.restore()
    assert model.weight.item() == 2


def test_without_patience_nothing_is_kept():
    model, history = nn.Linear(1, 1, bias=False), history_of(0.1, 0.5)
    best = BestWeights(model, patience=None)
    best.update(history)
    nn.init.constant_(model.weight, 7.0)
    best.restore()
    assert model.weight.item() == 7
    assert not best.is_over(history)


def test_device_is_that_of_the_run():
    assert "on cuda:1" in repr(History([1.0], device=torch.device("cuda:1")))
