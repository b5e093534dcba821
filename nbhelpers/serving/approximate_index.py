"""Largest inner products, approximately: among the items that lie near the query."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nbhelpers.core.recommender import CHUNK_SIZE, HasVectors
from nbhelpers.core.topk import checked_k
from nbhelpers.serving.index import (
    checked_queries,
    checked_vectors,
    exact_scores,
    unit_vectors,
    vector_table,
    with_bias,
)

ROUNDS = 10  # of k-means: more of them find hardly anything more
NUMBER_BYTES = 8  # of an item's number in a list
SMALLEST_LIST = 39  # items on average: with fewer, k-means finds no stable centers


class ApproximateIndex:
    """Index that looks only into the lists of items whose centers lie closest to the query.

    Items are sorted into lists by k-means, in memory on the CPU (faiss, ``IndexIVFFlat``).
    Distances decide about lists, and inner products are no distances: a long vector may score
    high from afar. So each vector gets one more coordinate that makes all of them equally long;
    then closest and largest inner product are the same. Scores are exact; an item is missed if
    its list is not looked into, hence ``recall_against``.

    Parameters
    ----------
    vectors : Tensor of float, shape (n_items, d), or model with vectors
        Row k is item k; copied.
    n_lists : int, optional
        About 4 times the root of ``n_items``, but at least 39 items a list.
    n_probe : int, optional
        Lists looked into: an eighth, at least 16. With all lists the answer is the exact one.

    Raises
    ------
    ImportError
        If faiss is not installed.
    ValueError
        If the vectors are no matrix of finite numbers, ``n_lists`` is not within 1 to
        ``n_items``, or ``n_probe`` not within 1 to ``n_lists``.

    References
    ----------
    Bachrach et al. (2014), Speeding Up the Xbox Recommender System Using a Euclidean
    Transformation for Inner-Product Spaces, https://doi.org/10.1145/2645710.2645741

    Examples
    --------
    >>> index = ApproximateIndex(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    >>> index.search(torch.tensor([[3.0, 1.0]]), k=2)[1].tolist()
    [[2, 0]]
    """

    def __init__(
        self,
        vectors: Tensor | HasVectors,
        *,
        n_lists: int | None = None,
        n_probe: int | None = None,
    ) -> None:
        self.vectors = checked_vectors(vector_table(vectors, "item")).float().cpu().clone()
        n_items = len(self.vectors)
        usual = max(1, min(round(4 * n_items**0.5), n_items // SMALLEST_LIST))
        self.n_lists = _within(usual if n_lists is None else n_lists, n_items, "n_lists")
        usual = min(self.n_lists, max(16, self.n_lists // 8))
        self.n_probe = _within(usual if n_probe is None else n_probe, self.n_lists, "n_probe")
        lengths = self.vectors.norm(dim=1)
        self.radius = lengths.max()
        rest = (self.radius.square() - lengths.square()).clamp(min=0).sqrt()
        self._lists = _filled_lists(with_bias(self.vectors, rest).numpy(), self.n_lists)

    @property
    def n_items(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    @property
    def n_bytes(self) -> int:
        """Bytes of the vectors, of their copies in the lists, of the item numbers and centers."""
        width = self.vectors.shape[1] + 1
        in_lists = self.n_items * (int(self._lists.code_size) + NUMBER_BYTES)
        return self.vectors.nbytes + in_lists + self.n_lists * width * self.vectors.itemsize

    def vectors_of(self, item_idx: Tensor) -> Tensor:
        """Vectors of some items, shape (n, d)."""
        return self.vectors[item_idx]

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and item indices of about the best ``k`` items, best first.

        Parameters
        ----------
        queries : Tensor of float, shape (batch, d)
        k : int
            At least 1; above ``n_items`` it counts as ``n_items``.

        Returns
        -------
        scores, item_idx : Tensor, shape (batch, min(k, n_items))
            On the device of ``queries``. Where the lists hold fewer than ``k`` items, the rest
            of the row is -inf and -1.

        Raises
        ------
        ValueError
            If ``k`` is below 1, or the queries are not finite or not of width d.
        """
        k = min(checked_k(k), self.n_items)
        wanted = checked_queries(queries, self.vectors)
        blocks = wanted.split(max(1, CHUNK_SIZE // (k * self.vectors.shape[1])))
        found = [self._search(block, k) for block in blocks]
        scores, item_idx = (torch.cat(part) for part in zip(*found, strict=True))
        return scores.to(queries.device), item_idx.to(queries.device)

    def _search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        # A query's length changes no order of items; the radius gives each the same chance.
        scaled = with_bias(unit_vectors(queries) * self.radius, 0.0).numpy()
        self._lists.nprobe = self.n_probe
        listed = torch.from_numpy(self._lists.search(scaled, k)[1])
        return exact_scores(self.vectors, queries, listed, k)


def _filled_lists(vectors: Any, n_lists: int) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "ApproximateIndex needs faiss: pip install faiss-cpu, or take ExactIndex"
        ) from error
    width = vectors.shape[1]
    lists = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, n_lists)
    lists.cp.niter = ROUNDS
    lists.cp.min_points_per_centroid = 1  # a smaller n_lists is the caller's choice
    lists.train(vectors)
    lists.add(vectors)
    return lists


def _within(value: int, largest: int, name: str) -> int:
    if not 1 <= value <= largest:
        raise ValueError(f"{name} must be within 1 and {largest}, got {value}")
    return value
