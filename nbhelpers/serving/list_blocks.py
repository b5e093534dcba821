"""Lists of all users of a prepared folder in one Parquet file, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from nbhelpers.core.coverage import require_same_items, require_same_users, trained_rows
from nbhelpers.core.growing_parquet import growing_parquet
from nbhelpers.core.recommender import Recommender, scores_of
from nbhelpers.core.topk import checked_k, top_k
from nbhelpers.data.large_log.prepared import PreparedPairs
from nbhelpers.data.large_log.shards import row_groups
from nbhelpers.data.large_log.user_blocks import READ, UserBlock, user_blocks

SCORES_HELD = 1 << 22  # at a time: 16 MB of float32, and five times that while they are sorted


def write_lists(
    model: Recommender,
    prepared: PreparedPairs,
    out: str | Path,
    *,
    k: int = 10,
    chunk_size: int = SCORES_HELD,
) -> int:
    """Write the best items that each user has not had: memory holds one block of users.

    Parameters
    ----------
    model : Recommender
        Its users and items are those of ``prepared``.
    prepared : PreparedPairs
        Rows of all parts, liked or not, count as seen. Items without a training row are listed
        for nobody.
    out : str or Path
        Gets ``user_id``, ``rank`` from 1, ``item_id``, ``score`` and ``made_by``: "model", or
        "popularity" for users without a training row, whose score is the number of training rows.
        It appears when it is complete, a row group for each block.
    k : int
        Length of a list; it is shorter where fewer items are left.
    chunk_size : int
        Scores held at a time; at least those of one user are.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ValueError
        If ``k`` is below 1, ``out`` does not end in .parquet, the model has other sizes, or a
        score is not finite.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from nbhelpers.data.large_log.prepare_pairs import prepare_pairs
    >>> rows = [("ann", 1), ("ann", 2), ("bob", 2), ("bob", 3)]
    >>> log = pd.DataFrame(rows, columns=["user_id", "item_id"])
    >>> class Last:
    ...     def score_users(self, user_idx):
    ...         return torch.tensor([[0.0, 1.0, 2.0]]).expand(len(user_idx), -1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     log.to_parquet(f"{place}/log.parquet")
    ...     prepared = prepare_pairs(f"{place}/log.parquet", f"{place}/pairs", split=None)
    ...     n_rows = write_lists(Last(), prepared, f"{place}/lists.parquet")
    ...     lists = pd.read_parquet(f"{place}/lists.parquet")
    >>> lists[["user_id", "rank", "item_id"]].values.tolist()
    [['ann', 1, 3], ['bob', 1, 1]]
    """
    k, path = checked_k(k), Path(out)
    if path.suffix != ".parquet":
        raise ValueError(f"lists are written as Parquet: name a file .parquet, got {path.name!r}")
    require_same_users(model, prepared.n_users, None)
    require_same_items(model, prepared.n_items, None)
    makers = _Makers(model, prepared)
    n_rows, size = 0, max(1, chunk_size // prepared.n_items)
    with growing_parquet(path) as append:
        blocks = user_blocks(prepared, users_per_block=size)
        for block, user_ids in zip(blocks, _user_ids(prepared, size), strict=True):
            table = makers.lists(block, user_ids, k)
            append(table)
            n_rows += len(table)
    return n_rows


class _Makers:
    """A model, the popularity that stands in for it, and what both need of the catalog."""

    def __init__(self, model: Recommender, prepared: PreparedPairs) -> None:
        self.model, self.n_items = model, prepared.n_items
        sizes = {"n_users": prepared.n_users, "n_items": prepared.n_items}
        self.trained_users, trained_items = trained_rows(model, **sizes)
        self.popularity = torch.tensor(prepared.train_counts("items"), dtype=torch.float64)
        self.hidden = (self.popularity == 0) | ~trained_items  # (n_items,)
        self.item_ids = pq.read_table(prepared.items, columns=["item_id"])["item_id"]

    def lists(self, block: UserBlock, user_ids: Any, k: int) -> Any:
        """Lists of the users of a block as an Arrow table."""
        users = slice(block.first_user, block.first_user + len(block.n_trained))
        served = torch.from_numpy(block.n_trained > 0) & self.trained_users[users]
        scores = self._scores(users, served)
        hidden = block.seen.dense(torch.arange(len(served))) | self.hidden
        best, item_idx = top_k(scores.masked_fill(hidden.to(scores.device), -torch.inf), k)
        return self._table(best.cpu(), item_idx.cpu(), user_ids, served)

    def _scores(self, users: slice, served: Tensor) -> Tensor:
        """Scores of all users of a block, popularity where the model knows nothing of one."""
        user_idx = torch.arange(users.start, users.stop)
        if served.all():
            return scores_of(self.model, user_idx, n_items=self.n_items)
        scores = self.popularity.repeat(len(served), 1)
        if served.any():
            own = scores_of(self.model, user_idx[served], n_items=self.n_items)
            scores[served] = own.cpu().double()
        return scores

    def _table(self, best: Tensor, item_idx: Tensor, user_ids: Any, served: Tensor) -> Any:
        row, column = np.nonzero(best.numpy() > -np.inf)
        made_by = np.where(served.numpy()[row], "model", "popularity")
        return pa.table(
            {
                "user_id": user_ids.take(row),
                "rank": pa.array(column + 1, pa.int32()),
                "item_id": self.item_ids.take(item_idx.numpy()[row, column]),
                "score": best.double().numpy()[row, column],
                "made_by": pa.array(made_by).dictionary_encode(),
            }
        )


def _user_ids(prepared: PreparedPairs, size: int) -> Iterator[Any]:
    """Ids of the users of each block."""
    file = pq.ParquetFile(prepared.users, memory_map=True)
    batches = file.iter_batches(READ, columns=["user_id"], use_threads=False)
    yield from (table["user_id"] for table in row_groups(batches, size))
