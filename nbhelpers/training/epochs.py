"""The epochs of a training run: a bar over them, and the weights of the best one."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable

from torch import Tensor, nn
from tqdm import tqdm


def epochs(n_epochs: int) -> Iterable[int]:
    """Epochs from 1, under a bar that shows up after a second and stays quiet in CI."""
    quiet = "CI" in os.environ
    return tqdm(range(1, n_epochs + 1), unit="epoch", delay=1, leave=False, disable=quiet)


class BestWeights:
    """Keeps the weights of the best epoch, and knows when patience is over.

    Parameters
    ----------
    model : nn.Module
    patience : int, optional
        Epochs without a better one before it is over. Without it nothing is kept.
    """

    def __init__(self, model: nn.Module, patience: int | None) -> None:
        self.model, self.patience = model, patience
        self.weights: dict[str, Tensor] | None = None

    def is_over(self, *, epoch: int, best_epoch: int) -> bool:
        """Whether to stop after an epoch; if it is the best so far, its weights are kept."""
        if self.patience is None:
            return False
        if best_epoch == epoch:
            self.weights = copy.deepcopy(self.model.state_dict())
        return epoch - best_epoch >= self.patience

    def restore(self) -> None:
        """Put back what was kept, if anything was."""
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
