import pytest
import torch

from nbhelpers.training.optimizers import one_cycle


def test_rate_climbs_for_a_quarter_then_falls_to_nearly_nothing():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=0.4)
    scheduler = one_cycle(optimizer, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(rates) < 100 else None
    assert rates[0] == pytest.approx(0.4 / 25)
    assert rates.index(max(rates)) == 24
    assert max(rates) == pytest.approx(0.4)
    assert rates[-1] < 1e-4
