"""Small steps on vectors that look-ups share."""

from __future__ import annotations

import torch
from torch import Tensor


def unit_vectors(vectors: Tensor) -> Tensor:
    """Vectors of length 1, whose inner product is the cosine; a zero vector stays zero."""
    return torch.nn.functional.normalize(vectors, dim=1)


def with_bias(vectors: Tensor, bias: Tensor | float) -> Tensor:
    """Vectors with one more coordinate, so that an inner product carries a bias.

    Parameters
    ----------
    vectors : Tensor of float, shape (n, d)
    bias : Tensor of float, shape (n,) or (n, 1), or float
        The bias of each item; for the queries 1.

    Returns
    -------
    Tensor of float, shape (n, d + 1)
    """
    column = torch.as_tensor(bias, dtype=vectors.dtype, device=vectors.device).reshape(-1, 1)
    return torch.cat([vectors, column.expand(len(vectors), 1)], dim=1)


def checked_vectors(vectors: Tensor, *, name: str = "vectors") -> Tensor:
    """Vectors without their gradient, if they are a matrix of finite numbers."""
    if vectors.dim() != 2 or 0 in vectors.shape:
        raise ValueError(f"{name} must have the shape (n, d), got {tuple(vectors.shape)}")
    bad = int((~vectors.isfinite()).any(dim=1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(vectors)} {name} hold NaN or infinity")
    return vectors.detach()


def checked_queries(queries: Tensor, vectors: Tensor) -> Tensor:
    """Queries as wide as the vectors, on their device and of their type."""
    checked = checked_vectors(queries, name="queries")
    if checked.shape[1] != vectors.shape[1]:
        raise ValueError(f"queries must have {vectors.shape[1]} columns, got {checked.shape[1]}")
    return checked.to(vectors)
