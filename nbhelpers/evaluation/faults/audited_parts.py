"""Training, validation and test rows in one form, whatever form they came in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbhelpers.core.checks import number_array
from nbhelpers.core.csr import pair_keys
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.raw_ids import checked_ids, is_text
from nbhelpers.data.vocabulary import Vocabulary

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows = pd.DataFrame | Interactions
Mapped = Vocabulary | Mapping[Any, int]
SIDES = ("user", "item")


class Part:
    """The rows of one part, with users and items numbered as in all the other parts.

    Attributes
    ----------
    name : str
    frame : DataFrame
        ``user_id`` and ``item_id`` (indices where no ids are known), and what else came.
    codes : dict of str to ndarray of int64, shape (n_rows,)
        Of ``"user"`` and ``"item"``: position among the ids of all parts.
    keys : ndarray of int64, shape (n_rows,)
        A number for each pair of a user and an item.
    """

    def __init__(self, name: str, frame: pd.DataFrame, ids: Mapping[str, pd.Index[Any]]) -> None:
        self.name, self.frame = name, frame
        self.codes = {
            side: ids[side].get_indexer(pd.Index(frame[f"{side}_id"])).astype(np.int64)
            for side in SIDES
        }
        sizes = len(ids["user"]), len(ids["item"])
        self.keys = pair_keys(
            self.codes["user"], self.codes["item"], n_rows=sizes[0], n_columns=sizes[1]
        )

    def __len__(self) -> int:
        return len(self.frame)

    def numbers(self, column: str) -> NDArray[Any] | None:
        """A column as numbers, or None where there is none."""
        if column not in self.frame.columns:
            return None
        return number_array(self.frame[column], name=f"{column} of {self.name}")

    def examples(self, rows: Bools | Ints, *columns: str) -> tuple[str, ...]:
        """Up to three rows in words."""
        shown = self.frame[["user_id", "item_id", *columns]][rows].head(3)
        return tuple(
            ", ".join(f"{name} {value}" for name, value in row.items())
            for row in shown.to_dict("records")
        )


class AuditedParts:
    """All parts together.

    Parameters
    ----------
    train, valid, test : DataFrame or Interactions
        ``valid`` may be None.
    repeats_allowed : bool
        Whether a pair may come again, as in logs of plays.

    Attributes
    ----------
    train, test : Part
    valid : Part or None
    ids : dict of str to Index
        Ids of all parts by side, sorted.
    type_clash : dict of str to str
        Side to the types of its ids, where they are text in one part and numbers in another.
    indexed : bool
        Whether ids are indices, since no ids came.

    Raises
    ------
    ValueError
        If a part lacks user or item columns, an id is missing, or train or test has no row.
    """

    def __init__(self, train: Rows, valid: Rows | None, test: Rows) -> None:
        given = {"train": train, "valid": valid, "test": test}
        self.given = {name: rows for name, rows in given.items() if rows is not None}
        named = {name: as_frame(rows, name=name) for name, rows in self.given.items()}
        for name in ("train", "test"):
            if not len(named[name][0]):
                raise ValueError(f"{name} must have at least one row, got none")
        kinds = [indexed for _, indexed in named.values()]
        if len(set(kinds)) > 1:
            raise ValueError("all parts must have ids, or none: some came with indices only")
        self.indexed = kinds[0]
        frames = {name: frame for name, (frame, _) in named.items()}
        self.type_clash = {side: _one_type(frames, side) for side in SIDES}
        self.ids = {
            side: checked_ids(
                pd.concat([frame[f"{side}_id"] for frame in frames.values()], ignore_index=True)
            )
            .unique()
            .sort_values()
            for side in SIDES
        }
        parts = {name: Part(name, frame, self.ids) for name, frame in frames.items()}
        self.train, self.test, self.valid = parts["train"], parts["test"], parts.get("valid")

    @property
    def all(self) -> list[Part]:
        """Training, validation if there is one, test."""
        return [part for part in (self.train, self.valid, self.test) if part is not None]

    @property
    def before_test(self) -> list[Part]:
        """Training, and validation if there is one."""
        return self.all[:-1]

    def counts(self, part: Part, side: str) -> Ints:
        """Rows of each id in a part."""
        return np.bincount(part.codes[side], minlength=len(self.ids[side])).astype(np.int64)

    def encoded(self, ids: Iterable[Any], side: str) -> Ints:
        """Position of ids among those of all parts, -1 for others."""
        values = checked_ids(ids, known=self.ids[side])
        return self.ids[side].get_indexer(values).astype(np.int64)

    def keys_of(self, users: Ints, items: Ints) -> Ints:
        """Number of each pair as ``Part.keys`` has it, -1 where an id is in no part."""
        known = (users >= 0) & (items >= 0)
        keys = np.full(len(users), -1, dtype=np.int64)
        n_users, n_items = len(self.ids["user"]), len(self.ids["item"])
        keys[known] = pair_keys(users[known], items[known], n_rows=n_users, n_columns=n_items)
        return keys

    def vocabulary(self, side: str, given: Mapped | None) -> Mapped | None:
        """The map from ids to indices: as given, or that of the training interactions."""
        if given is None and isinstance(self.given["train"], Interactions):
            return getattr(self.given["train"], f"{side}s")  # type: ignore[no-any-return]
        return given

    def indices(self, side: str, mapped: Mapped | None) -> Ints | None:
        """Index of each id in a model, -1 for unknown ones; None where no map is known."""
        ids = self.ids[side]
        if mapped is not None:
            return indices_of(ids, mapped)
        return np.asarray(ids, dtype=np.int64) if self.indexed else None


def as_frame(rows: Rows, *, name: str) -> tuple[pd.DataFrame, bool]:
    """Rows as a frame with ``user_id`` and ``item_id``, and whether these are indices.

    Parameters
    ----------
    rows : DataFrame or Interactions
    name : str
        What the message calls them.

    Returns
    -------
    frame : DataFrame
        A weight becomes the ``rating`` where there is none.
    indexed : bool

    Raises
    ------
    ValueError
        If a column is missing, or it is neither of the two.
    """
    if isinstance(rows, Interactions):
        rows = rows.to_frame()
    if not isinstance(rows, pd.DataFrame):
        raise ValueError(f"{name} must be a DataFrame or Interactions, got {type(rows).__name__}")
    columns = set(rows.columns)
    indexed = not {"user_id", "item_id"} <= columns
    if indexed and not {"user_idx", "item_idx"} <= columns:
        raise ValueError(
            f"{name} must have user_id and item_id (or user_idx and item_idx), got "
            f"{list(rows.columns)[:6]}"
        )
    if indexed:
        rows = rows.drop(columns=["user_id", "item_id"], errors="ignore")
        rows = rows.rename(columns={"user_idx": "user_id", "item_idx": "item_id"})
    if "rating" not in columns and "weight" in columns:
        rows = rows.rename(columns={"weight": "rating"})
    return rows.reset_index(drop=True), indexed


def indices_of(ids: pd.Index[Any], mapped: Mapped) -> Ints:
    """Index of each id, -1 for what a map does not know."""
    if isinstance(mapped, Vocabulary):
        indices = mapped.encode(ids)
        return np.where(indices == mapped.unknown, -1, indices)
    found = pd.Series(dict(mapped)).reindex(ids)
    return found.fillna(-1).to_numpy(dtype=np.int64)


def maps_of(given: Mapped | Sequence[Mapped] | None) -> list[Mapped]:
    """One map, or one for each part, as a list."""
    if given is None:
        return []
    return [given] if isinstance(given, Vocabulary | Mapping) else list(given)


def _one_type(frames: Mapping[str, pd.DataFrame], side: str) -> str:
    """What the types of ids are if they differ; the frames then hold text."""
    column = f"{side}_id"
    checked = {name: checked_ids(frame[column]) for name, frame in frames.items()}
    kinds = {
        name: "text" if is_text(ids) else "numbers" for name, ids in checked.items() if len(ids)
    }
    clash = len(set(kinds.values())) > 1
    for name, frame in frames.items():
        frame[column] = checked[name].astype(str) if clash else checked[name]
    return ", ".join(f"{kind} in {name}" for name, kind in kinds.items()) if clash else ""
