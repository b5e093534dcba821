"""The mean loss of an epoch, gathered without a transfer in each step."""

import pytest
import torch

from nbhelpers.training.epoch_loss import MeanLoss


def test_mean_loss_counts_what_it_is_told():
    losses = MeanLoss()
    losses.add(torch.tensor(2.0), 3)
    losses.add(torch.tensor(10.0), 1)
    assert losses.mean() == 4.0


def test_mean_loss_takes_weights_on_a_device():
    losses = MeanLoss()
    losses.add(torch.tensor(2.0), torch.tensor(0.5))
    losses.add(torch.tensor(10.0), torch.tensor(1.5))
    assert losses.mean() == 8.0


def test_mean_of_many_losses_is_gathered_in_parts():
    losses = MeanLoss()
    for number in range(2_500):
        losses.add(torch.tensor(float(number), requires_grad=True), 1)
    assert [len(part) for part in losses.losses] == [1_000] * 3  # no tensor for each step
    assert losses.mean() == 2_499 / 2
    assert not any(part.requires_grad for part in losses.losses)


def test_mean_loss_goes_on_from_its_state():
    first, second = MeanLoss(), MeanLoss()
    first.add(torch.tensor(2.0), 3)
    second.load_state_dict(first.state_dict())
    second.add(torch.tensor(10.0), 1)
    assert second.mean() == 4.0


def test_no_batch_is_refused():
    with pytest.raises(ValueError, match="no batch to train on"):
        MeanLoss().mean()
