"""Largest inner products from vectors held in fewer bytes, and their exact scores if wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import require_one
from nbhelpers.core.recommender import HasVectors
from nbhelpers.core.topk import checked_k
from nbhelpers.serving.index import (
    Index,
    checked_queries,
    checked_vectors,
    exact_scores,
    vector_table,
)

Kind = Literal["float16", "int8"]
QUANTIZERS: dict[str, str] = {"float16": "QT_fp16", "int8": "QT_8bit_direct_signed"}
LEVELS = 256  # of int8
ROW_BLOCK = 65_536  # vectors compressed at a time


class CompressedIndex:
    """Index that holds each number of a vector in two bytes or in one, and looks at all items.

    Each column has a center and a scale of its own, and stored is
    ``(vector - center) / scale``. A score is then the inner product of the stored numbers and
    ``query * scale``, plus ``query @ center``, which is the same for all items. So nothing is
    unpacked. The products are those of faiss (``IndexScalarQuantizer``), in memory on the CPU.

    - ``"float16"``: the center is 0, and the scale a power of two, so that only rounding to the
      11 binary digits of float16 is lost.
    - ``"int8"``: the lowest number of a column becomes -128 and the highest 127. One range a
      column needs no number beside each vector, and on learned vectors it lost no more
      of the exact lists than one range a vector (``python -m tests.benchmarks serving``).

    Parameters
    ----------
    vectors : Tensor of float, shape (n_items, d), or model with vectors
        Row k is item k; not kept.
    kind : {"float16", "int8"}

    Attributes
    ----------
    center, scale : Tensor of float32, shape (1, d)

    Raises
    ------
    ImportError
        If faiss is not installed.
    ValueError
        If the vectors are no matrix of finite numbers, or the kind is unknown.

    Examples
    --------
    >>> index = CompressedIndex(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), kind="int8")
    >>> scores, item_idx = index.search(torch.tensor([[3.0, 1.0]]), k=2)
    >>> item_idx.tolist(), scores.round(decimals=1).tolist()
    ([[2, 0]], [[4.0, 3.0]])
    >>> index.n_bytes  # 3 items of 2 bytes; center and scale of 2 columns, 4 bytes each
    22
    """

    def __init__(self, vectors: Tensor | HasVectors, *, kind: Kind = "float16") -> None:
        if kind not in QUANTIZERS:
            raise ValueError(f"kind must be one of {list(QUANTIZERS)}, got {kind!r}")
        table = checked_vectors(vector_table(vectors, "item"))
        self.kind = kind
        self.center, self.scale = _columns(table, kind)
        self._codes = _empty_codes(table.shape[1], kind)
        for block in table.split(ROW_BLOCK):
            self._codes.add(self._packed(block).numpy())

    @property
    def n_items(self) -> int:
        """Number of vectors."""
        return int(self._codes.ntotal)

    @property
    def n_bytes(self) -> int:
        """Bytes of the stored numbers, centers and scales."""
        n_code_bytes = self.n_items * int(self._codes.code_size)
        return n_code_bytes + self.center.nbytes + self.scale.nbytes

    def vectors_of(self, item_idx: Tensor) -> Tensor:
        """Vectors of some items as they are stored, shape (n, d): near the true ones."""
        stored = self._codes.reconstruct_batch(item_idx.cpu().numpy())
        return torch.from_numpy(stored) * self.scale + self.center

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
            The inner products with the stored vectors, on the device of ``queries``.
            Equal are scores before ``query @ center`` is added.

        Raises
        ------
        ValueError
            If ``k`` is below 1, or the queries are not finite or not of width d.
        """
        k = min(checked_k(k), self.n_items)
        wanted = checked_queries(queries, self.scale)
        scores, item_idx = _best(self._codes, (wanted * self.scale).numpy(), k)
        scores += wanted @ self.center.T
        return scores.to(queries.device), item_idx.to(queries.device)

    def _packed(self, block: Tensor) -> Tensor:
        """What is stored of some vectors, as float32 numbers, which faiss packs."""
        shifted = (block.cpu().float() - self.center) / self.scale
        if self.kind == "float16":
            return shifted
        return shifted.round().clamp(-LEVELS // 2, LEVELS // 2 - 1)


class RescoredIndex:
    """Index that asks another one for more items, and scores those anew with the full vectors.

    The full vectors stay in memory and cost what ``ExactIndex`` costs, so that only time is
    saved; or they lie in a file, of which the system reads the rows that it is asked for.

    Parameters
    ----------
    index : CompressedIndex, or another index over the same vectors
    vectors : Tensor of float, shape (n_items, d), model with vectors, str or Path
        The full vectors, copied; or the path of them in a file of ``numpy.save``, which is read
        in place, so that it must stay as it is.
    oversampling : int
        Candidates a listed item, at least 1.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the vectors are no matrix of finite numbers, or not one for each item of the index;
        or ``oversampling`` is below 1.

    Examples
    --------
    >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    >>> index = RescoredIndex(CompressedIndex(vectors, kind="int8"), vectors)
    >>> index.search(torch.tensor([[3.0, 1.0]]), k=2)
    (tensor([[4., 3.]]), tensor([[2, 0]]))
    >>> index.n_bytes, index.n_mapped_bytes  # 22 of the compressed one and 3 * 2 * 4
    (46, 0)
    """

    def __init__(
        self, index: Index, vectors: Tensor | HasVectors | str | Path, *, oversampling: int = 4
    ) -> None:
        require_one(oversampling=oversampling)
        self.index, self.oversampling = index, oversampling
        self.is_mapped = isinstance(vectors, str | Path)
        self.vectors = _mapped(vectors) if isinstance(vectors, str | Path) else _copied(vectors)
        if len(self.vectors) != index.n_items:
            raise ValueError(
                f"one vector for each of {index.n_items} items is required, got {len(self.vectors)}"
            )

    @property
    def n_items(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    @property
    def n_bytes(self) -> int:
        """Bytes of the other index, and of the full vectors if they are held in memory."""
        return self.index.n_bytes + (0 if self.is_mapped else self.vectors.nbytes)

    @property
    def n_mapped_bytes(self) -> int:
        """Bytes of the full vectors in their file; 0 if they are held in memory."""
        return self.vectors.nbytes if self.is_mapped else 0

    def vectors_of(self, item_idx: Tensor) -> Tensor:
        """Full vectors of some items, shape (n, d)."""
        return self.vectors[item_idx]

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Exact scores and item indices of the best ``k`` of the other index's candidates.

        Parameters
        ----------
        queries : Tensor of float, shape (batch, d)
        k : int
            At least 1; above ``n_items`` it counts as ``n_items``.

        Returns
        -------
        scores, item_idx : Tensor, shape (batch, min(k, n_items))
            On the device of ``queries``; of equal scores the smaller index first.

        Raises
        ------
        ValueError
            If ``k`` is below 1, or the queries are not finite or not of width d.
        """
        k = min(checked_k(k), self.n_items)
        wanted = checked_queries(queries, self.vectors)
        candidates = self.index.search(queries, k * self.oversampling)[1]
        scores, item_idx = exact_scores(self.vectors, wanted, candidates.to(wanted.device), k)
        return scores.to(queries.device), item_idx.to(queries.device)


def _columns(table: Tensor, kind: Kind) -> tuple[Tensor, Tensor]:
    """Center and scale of each column; a scale of 0, as of a column of one value, becomes 1."""
    low, high = (edge.double().cpu() for edge in torch.aminmax(table, dim=0, keepdim=True))
    if kind == "float16":
        center = torch.zeros_like(low)
        scale = torch.ldexp(center + 1, torch.maximum(high, -low).frexp().exponent)
    else:
        scale = (high - low) / (LEVELS - 1)
        center = low + scale * LEVELS / 2
    scale = scale.float()
    return center.float(), scale.masked_fill(scale == 0, 1.0)


def _empty_codes(width: int, kind: Kind) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "CompressedIndex needs faiss: pip install faiss-cpu, or take ExactIndex"
        ) from error
    quantizer = getattr(faiss.ScalarQuantizer, QUANTIZERS[kind])
    return faiss.IndexScalarQuantizer(width, quantizer, faiss.METRIC_INNER_PRODUCT)


def _best(codes: Any, scaled: NDArray[np.float32], k: int) -> tuple[Tensor, Tensor]:
    """Best ``k`` stored items of each query; a tie across the end goes to the smaller index."""
    n_asked = min(k + 1, codes.ntotal)
    scores, item_idx = (torch.from_numpy(part) for part in codes.search(scaled, n_asked))
    cut = (scores[:, k:] == scores[:, k - 1 : k]).any(dim=1)
    scores, item_idx = _in_order(scores[:, :k], item_idx[:, :k])
    for row in cut.nonzero().squeeze(1).tolist():
        item_idx[row] = _smallest(codes, scaled[row : row + 1], scores[row])
    return scores, item_idx


def _in_order(scores: Tensor, item_idx: Tensor) -> tuple[Tensor, Tensor]:
    """Best first, of equal scores the smaller index first."""
    item_idx, order = item_idx.sort(dim=1)
    scores, best = scores.gather(1, order).sort(dim=1, descending=True, stable=True)
    return scores, item_idx.gather(1, best)


def _smallest(codes: Any, query: NDArray[np.float32], scores: Tensor) -> Tensor:
    """Items with the given best scores, of those as good as the last one the smallest indices."""
    below = np.nextafter(scores[-1].numpy(), np.float32(-np.inf))
    _, level, item_idx = codes.range_search(query, float(below))
    found = _in_order(*(torch.from_numpy(part).unsqueeze(0) for part in (level, item_idx)))
    return found[1][0, : len(scores)]


def _mapped(path: str | Path) -> Tensor:
    # "c": changes would stay in memory; a read-only array makes torch warn
    return checked_vectors(torch.from_numpy(np.load(path, mmap_mode="c")))


def _copied(vectors: Tensor | HasVectors) -> Tensor:
    return checked_vectors(vector_table(vectors, "item")).clone()
