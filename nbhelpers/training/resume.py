"""Batches that a stopped training run can go on with, exactly where it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

Batch = tuple[Tensor, ...]


class Batches(Protocol):
    """Batches of positives, shuffled anew in each pass, such as ``PairBatches``."""

    generator: torch.Generator

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Batch]: ...


class ResumableBatches:
    """Batches that know how far a pass has come; Lightning keeps and restores their state."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.pass_start = batches.generator.get_state()
        self.n_done = self.n_to_skip = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        n_to_skip, self.n_to_skip = self.n_to_skip, 0
        self.pass_start = self.batches.generator.get_state()
        for number, batch in enumerate(self.batches, start=1):
            if number > n_to_skip:  # after a stop within a pass, draw its first batches again
                self.n_done = number
                yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where to go on: a state of the generator, and how many batches then to leave out."""
        if self.n_done == len(self):
            return {"generator": self.batches.generator.get_state(), "n_done": 0}
        return {"generator": self.pass_start, "n_done": self.n_done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.batches.generator.set_state(state["generator"])
        self.n_to_skip = state["n_done"]
