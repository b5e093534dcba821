"""Small steps on vectors and scores that look-ups share."""

from __future__ import annotations

import torch
from torch import Tensor


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Best scores of each row and their columns; of equal scores, smaller columns come first.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, n_items)
    k : int
        At least 1; above ``n_items`` it counts as ``n_items``.

    Returns
    -------
    scores, item_idx : Tensor, shape (batch, min(k, n_items))
        In descending order of score.

    Raises
    ------
    ValueError
        If ``k`` is below 1.
    """
    k = min(checked_k(k), scores.shape[1])
    best, item_idx = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    tied = (best[:, k:] == best[:, k - 1 : k]).any(dim=1)  # any of them could have come k-th
    item_idx = item_idx[:, :k]  # (batch, k)
    if tied.any():
        sorted_rows = scores[tied].sort(dim=1, descending=True, stable=True)
        item_idx[tied] = sorted_rows.indices[:, :k]
    item_idx = item_idx.sort(dim=1).values
    best, order = scores.gather(1, item_idx).sort(dim=1, descending=True, stable=True)
    return best, item_idx.gather(1, order)


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


def checked_k(k: int) -> int:
    """The length of a list, at least 1."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return k


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
