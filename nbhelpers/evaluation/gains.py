"""What a held-out positive is worth in graded NDCG, by its weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from nbhelpers.data.interactions import Interactions

Gains = Literal["binary", "weights", "2**weights - 1"]

# Each takes weights, 0 where there is no positive, and leaves the zeros as they are.
GAINS: dict[Gains, Callable[[Tensor], Tensor]] = {
    "binary": torch.sign,
    "weights": torch.clone,
    "2**weights - 1": lambda weights: torch.exp2(weights) - 1,
}


def require_gains(held_out: Interactions, gains: Gains) -> None:
    """Refuse gains that do not exist, or that need weights where there are none.

    Parameters
    ----------
    held_out : Interactions
    gains : {"binary", "weights", "2**weights - 1"}

    Raises
    ------
    ValueError
    """
    if gains not in GAINS:
        raise ValueError(f"gains must be one of {list(GAINS)}, got {gains!r}")
    if gains != "binary" and held_out.weights is None:
        raise ValueError(
            f"gains={gains!r} needs held-out pairs with weights: build them with weights=..., or "
            f"leave gains at 'binary'"
        )
