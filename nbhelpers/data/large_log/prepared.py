"""What ``prepare_pairs`` wrote: where the parts lie, and what was counted on the way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nbhelpers.data.large_log.part_rules import NAMES
from nbhelpers.data.vocabulary import Vocabulary

DESCRIPTION = "prepared.json"


@dataclass(frozen=True)
class PreparedPairs:
    """A folder of shuffled shards, ids and counts.

    Attributes
    ----------
    folder : Path
    n_users, n_items : int
        Rows that a model's tables need.
    n_rows : dict of str to int
        Rows of each part, "train" first.
    steps : tuple of dict
        ``step``, ``rows``, ``users`` and ``items`` after each step: see ``report``.
    settings : dict
        What was asked for.
    """

    folder: Path
    n_users: int
    n_items: int
    n_rows: dict[str, int]
    steps: tuple[dict[str, Any], ...]
    settings: dict[str, Any]

    @property
    def train(self) -> Path:
        """Folder of the training shards, for ``StreamedPairs`` and ``scan_pairs``."""
        return self.folder / "train"

    @property
    def valid(self) -> Path | None:
        """Folder of the validation shards, if rows were held out."""
        return self._part("valid")

    @property
    def test(self) -> Path | None:
        """Folder of the test shards, if there is a third part."""
        return self._part("test")

    def _part(self, name: str) -> Path | None:
        return self.folder / name if name in self.n_rows else None

    @property
    def users(self) -> Path:
        """Parquet of ``user_idx``, ``user_id``, ``count`` and ``n_train``, in order of index."""
        return self.folder / "users.parquet"

    @property
    def items(self) -> Path:
        """Parquet of ``item_idx``, ``item_id``, ``count`` and ``n_train``, in order of index."""
        return self.folder / "items.parquet"

    @property
    def by_user(self) -> Path:
        """Parquet of all rows by user and item, ``part`` and ``liked``: see ``user_blocks``."""
        return self.folder / "by_user.parquet"

    @cached_property
    def report(self) -> pd.DataFrame:
        """Rows, users and items after each step."""
        return pd.DataFrame(self.steps).set_index("step")

    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Users and items as ``Vocabulary``; memory then holds each id."""
        return (
            Vocabulary(pq.read_table(self.users, columns=["user_id"])["user_id"].to_pandas()),
            Vocabulary(pq.read_table(self.items, columns=["item_id"])["item_id"].to_pandas()),
        )

    def train_counts(self, side: str) -> NDArray[np.int64]:
        """Training rows of each user or item.

        Parameters
        ----------
        side : {"users", "items"}

        Returns
        -------
        ndarray of int64, shape (n_users,) or (n_items,)
        """
        path = {"users": self.users, "items": self.items}[side]
        counts: NDArray[np.int64] = pq.read_table(path, columns=["n_train"])["n_train"].to_numpy()
        return counts

    def held_out(self, part: str) -> str:
        """The name of a part that holds rows back, refused if there is none of that name."""
        if part not in self.n_rows or part == NAMES[0]:
            there = [name for name in self.n_rows if name != NAMES[0]] or "none"
            raise ValueError(f"part must be a held-out part, of {there}, got {part!r}")
        return part

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {**asdict(self), "folder": str(self.folder)}

    def __str__(self) -> str:
        return f"{self.report.to_string()}\nwritten to {self.folder}"


def write_description(prepared: PreparedPairs) -> None:
    """Keep it beside the shards."""
    content = {name: value for name, value in asdict(prepared).items() if name != "folder"}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (prepared.folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def load_prepared(folder: str | Path) -> PreparedPairs:
    """What ``prepare_pairs`` wrote to a folder.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    PreparedPairs

    Raises
    ------
    ValueError
        If the folder is none of ``prepare_pairs``.
    """
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise ValueError(f"{folder} has no {DESCRIPTION}: name a folder of prepare_pairs")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["steps"] = tuple(content["steps"])
    return PreparedPairs(folder=Path(folder), **content)
