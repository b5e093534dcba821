"""Largest inner products of queries and items, exactly; and without what a user has seen."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import checked_indices, require_one
from nbhelpers.core.recommender import (
    CHUNK_SIZE,
    HasSizes,
    HasVectors,
    device_of,
    evaluation_mode,
)
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.interactions import Interactions

QUERY_CHUNK = 256  # that share how many more than k are asked for


@runtime_checkable
class Index(Protocol):
    """What finds, for each query, the items with the largest inner product.

    It also says how many items it holds, in how many bytes of memory, and what their vectors are.
    """

    @property
    def n_items(self) -> int:
        """Number of vectors."""
        ...

    @property
    def n_bytes(self) -> int:
        """Bytes that it holds in memory."""
        ...

    def vectors_of(self, item_idx: Tensor) -> Tensor:
        """Vectors of some items, shape (n, d), as the index holds them."""
        ...

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and item indices of the best ``k`` items, best first."""
        ...


class ExactIndex:
    """Index that computes every inner product, in blocks of queries.

    For cosine pass ``unit_vectors`` here and to ``search``.

    Parameters
    ----------
    vectors : Tensor of float, shape (n_items, d), or model with vectors
        Row k is item k; copied, so later training leaves the index as it is. The search runs on
        their device.
    chunk_size : int
        Scores held at a time; at least those of one query are.

    Raises
    ------
    ValueError
        If the vectors are no matrix of finite numbers, or ``chunk_size`` is below 1.

    Examples
    --------
    >>> index = ExactIndex(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    >>> scores, item_idx = index.search(torch.tensor([[3.0, 1.0]]), k=2)
    >>> item_idx.tolist(), scores.tolist()
    ([[2, 0]], [[4.0, 3.0]])
    """

    def __init__(self, vectors: Tensor | HasVectors, *, chunk_size: int = CHUNK_SIZE) -> None:
        require_one(chunk_size=chunk_size)
        self.vectors = checked_vectors(vector_table(vectors, "item")).clone()
        self.chunk_size = chunk_size

    @property
    def n_items(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    @property
    def n_bytes(self) -> int:
        """Bytes of the vectors."""
        return self.vectors.nbytes

    def vectors_of(self, item_idx: Tensor) -> Tensor:
        """Vectors of some items, shape (n, d)."""
        return self.vectors[item_idx]

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and item indices of the best ``k`` items, of equal ones the smaller index first.

        Parameters
        ----------
        queries : Tensor of float, shape (batch, d)
        k : int
            At least 1; above ``n_items`` it counts as ``n_items``.

        Returns
        -------
        scores, item_idx : Tensor, shape (batch, min(k, n_items))
            On the device of ``queries``.

        Raises
        ------
        ValueError
            If ``k`` is below 1, or the queries are not finite or not of width d.
        """
        wanted = checked_queries(queries, self.vectors)
        blocks = wanted.split(max(1, self.chunk_size // len(self.vectors)))
        found = [top_k(block @ self.vectors.T, k) for block in blocks]
        scores, item_idx = (torch.cat(part) for part in zip(*found, strict=True))
        return scores.to(queries.device), item_idx.to(queries.device)


def search_unseen(
    index: Index, queries: Tensor, k: int, *, user_idx: Tensor, seen: Interactions
) -> tuple[Tensor, Tensor]:
    """Scores and item indices of the best ``k`` items that each user has not seen.

    An index cannot leave items out, so it is asked for more: ``k`` and as many as the busiest
    user of a block has seen. Users of similar activity share a block. What they have seen is
    looked up on the device of the queries.

    Parameters
    ----------
    index : ExactIndex, ApproximateIndex, CompressedIndex or RescoredIndex
    queries : Tensor of float, shape (batch, d)
    k : int
        At least 1.
    user_idx : Tensor of int, shape (batch,)
        The user behind each query.
    seen : Interactions

    Returns
    -------
    scores, item_idx : Tensor, shape (batch, min(k, n_items))
        Where fewer than ``k`` items remain, the rest of the row is -inf and -1.

    Raises
    ------
    ValueError
        If lengths or ``n_items`` differ, or ``search`` refuses.

    Examples
    --------
    >>> index = ExactIndex(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    >>> seen = Interactions([0], [2], n_users=1, n_items=3)
    >>> queries, user_idx = torch.tensor([[3.0, 1.0]]), torch.tensor([0])
    >>> search_unseen(index, queries, 2, user_idx=user_idx, seen=seen)[1].tolist()
    [[0, 1]]
    """
    n_items = index.n_items
    if len(queries) != len(user_idx) or n_items != seen.n_items:
        raise ValueError(
            f"one query a user and one vector an item are required, got {len(queries)} queries "
            f"of {len(user_idx)} users and {n_items} vectors of {seen.n_items} items"
        )
    users = checked_indices(user_idx, name="user_idx", size=seen.n_users)
    n_seen, width = seen.user_counts[users], min(checked_k(k), n_items)
    best = queries.new_full((len(queries), width), -torch.inf)
    best_idx = torch.full((len(queries), width), -1, device=queries.device)
    for block in torch.from_numpy(n_seen.argsort()).split(QUERY_CHUNK):
        rows = block.numpy()
        scores, item_idx = index.search(queries[block], k + int(n_seen[rows].max()))
        dropped = _were_seen(item_idx, users[rows], seen) | (item_idx < 0)
        first = dropped.int().argsort(dim=1, stable=True)[:, :width]
        best[block] = scores.masked_fill(dropped, -torch.inf).gather(1, first).to(best.dtype)
        best_idx[block] = item_idx.masked_fill(dropped, -1).gather(1, first)
    return best, best_idx


def _were_seen(item_idx: Tensor, users: NDArray[np.int64], seen: Interactions) -> Tensor:
    """Whether each listed item was seen by the user of its row, found on the items' device.

    A pair is the number row * n_items + item; those of the users are ascending.
    """
    counts = seen.user_counts[users]
    starts = seen.indptr[users] - counts.cumsum() + counts
    positions = np.arange(counts.sum()) + np.repeat(starts, counts)
    pairs = np.repeat(np.arange(len(users)), counts) * seen.n_items + seen.indices[positions]
    ends = np.append(pairs, len(users) * seen.n_items)  # one more than any pair
    known = torch.from_numpy(ends).to(item_idx.device)
    rows = torch.arange(len(users), device=item_idx.device).unsqueeze(1)
    wanted = rows * seen.n_items + item_idx  # (batch, n_listed)
    return known[torch.searchsorted(known, wanted)] == wanted


def exact_scores(
    vectors: Tensor, queries: Tensor, item_idx: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Scores of the candidates of each query from the vectors themselves, and the best ``k``.

    Parameters
    ----------
    vectors : Tensor of float, shape (n_items, d)
    queries : Tensor of float, shape (batch, d)
        Of the type and on the device of the vectors.
    item_idx : Tensor of int, shape (batch, n_candidates)
        In any order; -1 where there is none.
    k : int
        At most ``n_candidates``.

    Returns
    -------
    scores, item_idx : Tensor, shape (batch, k)
        Best first, of equal scores the smaller index first; -inf and -1 where there is none.

    Examples
    --------
    >>> candidates = torch.tensor([[2, 0, -1]])
    >>> exact_scores(torch.eye(3), torch.tensor([[3.0, 0.0, 1.0]]), candidates, 2)
    (tensor([[3., 1.]]), tensor([[0, 2]]))
    """
    blocks = max(1, CHUNK_SIZE // (item_idx.shape[1] * vectors.shape[1]))
    found = [
        _scored(vectors, *block, k)
        for block in zip(queries.split(blocks), item_idx.split(blocks), strict=True)
    ]
    scores, best_idx = (torch.cat(part) for part in zip(*found, strict=True))
    return scores, best_idx


def _scored(vectors: Tensor, queries: Tensor, item_idx: Tensor, k: int) -> tuple[Tensor, Tensor]:
    item_idx = item_idx.sort(dim=1).values
    rows = vectors[item_idx.clamp(min=0)]  # (batch, n_candidates, d)
    scores = (rows @ queries.unsqueeze(2)).squeeze(2).masked_fill(item_idx < 0, -torch.inf)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    return scores[:, :k], item_idx.gather(1, order[:, :k])


def recall_against(exact: Index, approximate: Index, queries: Tensor, k: int) -> float:
    """Share of the exact best ``k`` items that the approximate index lists too.

    Parameters
    ----------
    exact, approximate : Index
        Over the same vectors.
    queries : Tensor of float, shape (batch, d)
    k : int
        At least 1.

    Returns
    -------
    float
        Between 0 and 1, a mean over queries.

    Examples
    --------
    >>> exact = ExactIndex(torch.eye(3))
    >>> recall_against(exact, exact, torch.tensor([[3.0, 2.0, 1.0]]), k=2)
    1.0
    """
    expected, listed = exact.search(queries, k)[1], approximate.search(queries, k)[1]
    found = [(listed == column.unsqueeze(1)).any(dim=1) for column in expected.unbind(dim=1)]
    return torch.stack(found).double().mean().item()


def unit_vectors(vectors: Tensor) -> Tensor:
    """Vectors of length 1, whose inner product is the cosine; a zero vector stays zero.

    Parameters
    ----------
    vectors : Tensor of float, shape (n, d)

    Returns
    -------
    Tensor of float, shape (n, d)

    Examples
    --------
    >>> unit_vectors(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
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

    Examples
    --------
    >>> with_bias(torch.tensor([[1.0, 2.0]]), torch.tensor([0.5])).tolist()
    [[1.0, 2.0, 0.5]]
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


def vector_table(source: Tensor | HasVectors, side: Literal["user", "item"]) -> Tensor:
    """Vectors of all users or of all items: a tensor as it is, or those of a model.

    Parameters
    ----------
    source : Tensor of float, shape (n, d), or model with vectors
        A model is asked in evaluation mode; it says ``n_users`` and ``n_items``.
    side : {"user", "item"}

    Returns
    -------
    Tensor of float, shape (n, d)

    Raises
    ------
    ValueError
        If the model has no vectors, or no sizes.

    Examples
    --------
    >>> from nbhelpers.core.folded import FoldedVectors
    >>> vector_table(FoldedVectors(torch.ones(2, 1), torch.zeros(3, 1)), "item").shape
    torch.Size([3, 1])
    """
    if isinstance(source, Tensor):
        return source
    if not isinstance(source, HasVectors) or not isinstance(source, HasSizes):
        raise ValueError(
            f"a Tensor is required, or a model with user_vectors, item_vectors, n_users and "
            f"n_items, got {type(source).__name__}"
        )
    n_rows, look_up = (
        (source.n_users, source.user_vectors)
        if side == "user"
        else (source.n_items, source.item_vectors)
    )
    with evaluation_mode(source), torch.no_grad():
        return look_up(torch.arange(n_rows, device=device_of(source)))
