"""Learning rates that change from batch to batch."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR


def one_cycle(optimizer: Optimizer, n_steps: int) -> LRScheduler:
    """Learning rate that climbs for a quarter of the steps, then falls to nearly nothing.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rate becomes the maximum.
    n_steps : int
        Batches of the whole run.

    Returns
    -------
    LRScheduler

    References
    ----------
    Smith and Topin (2018), Super-Convergence, https://arxiv.org/abs/1708.07120
    """
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=n_steps,
        pct_start=0.25,
        final_div_factor=4000.0,
        cycle_momentum=not optimizer.defaults.keys().isdisjoint({"betas", "momentum"}),
    )
