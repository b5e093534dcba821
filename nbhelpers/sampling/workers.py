"""A pass over batches inside the workers of a ``DataLoader``: shared out, and new each time.

Each worker holds a copy of the batches, generator included. Left alone, all copies would draw the
same: every batch would come once from each worker, and in every epoch again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.data import get_worker_info


@dataclass(frozen=True)
class Share:
    """What one process draws of a pass, and with which generators.

    Attributes
    ----------
    order : torch.Generator
        For what all processes have to agree on: the order of the pass.
    own : torch.Generator
        For everything else.
    number, n_shares : int
        This process takes every ``n_shares``-th part, from ``number`` on.
    """

    order: torch.Generator
    own: torch.Generator
    number: int
    n_shares: int

    @property
    def parts(self) -> slice:
        """Which parts of a sequence are this process's."""
        return slice(self.number, None, self.n_shares)


def share_of(generator: torch.Generator) -> Share:
    """The whole pass, or within a worker of a ``DataLoader`` the worker's share of it.

    Outside of workers all is drawn from ``generator``. In a worker it is drawn from generators
    seeded by ``generator`` and the base seed of the ``DataLoader``, which changes with each
    epoch; PyTorch draws that one from the loader's own generator, or from its global one.

    Parameters
    ----------
    generator : torch.Generator

    Returns
    -------
    Share

    Raises
    ------
    ValueError
        If a worker would draw on a GPU.
    """
    worker = get_worker_info()
    if worker is None:
        return Share(generator, generator, 0, 1)
    if generator.device.type != "cpu":
        raise ValueError(
            f"in the workers of a DataLoader the generator must be on the CPU, got "
            f"{generator.device}: use num_workers=0, which is fast where batches are drawn on "
            f"the device"
        )
    drawn = int(torch.randint(2**62, (1,), generator=generator))
    common = (drawn + worker.seed - worker.id) % 2**62  # the same in all workers
    return Share(_seeded(common), _seeded(common + 1 + worker.id), worker.id, worker.num_workers)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
