"""Lists that another library made: read, matched with the ids of a log, and made to score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.raw_ids import is_text
from nbhelpers.data.vocabulary import Vocabulary

# Spellings without case, blanks, - and _.
_SPELLINGS = {
    "user": ("user", "userid", "uid", "customer", "customerid"),
    "item": ("item", "itemid", "iid", "movie", "movieid", "product", "productid", "book", "bookid"),
    "rank": ("rank", "position", "place"),
    "score": ("score", "prediction", "pred", "predicted", "est", "estimate", "rating", "value"),
}


@dataclass(frozen=True, eq=False)
class ForeignLists:
    """Lists as a recommender: what stands first scores highest, what is not listed scores 0.

    Attributes
    ----------
    scores : csr_matrix of float, shape (n_users, n_items)
    lists : Tensor of int64, shape (n_users, k)
        -1 where a list ends early, or there is none.
    notes : list of str
        What was left out or put right, with counts.
    """

    scores: csr_matrix
    lists: Tensor
    notes: list[str]

    @property
    def n_users(self) -> int:
        """Rows."""
        return int(self.scores.shape[0])

    @property
    def n_items(self) -> int:
        """Columns."""
        return int(self.scores.shape[1])

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return torch.from_numpy(self.scores[user_idx.numpy()].toarray())


def read_lists(
    source: str | Path | pd.DataFrame,
    *,
    seen: Interactions,
    k: int,
    columns: Mapping[str, str] | None = None,
) -> ForeignLists:
    """Lists from a CSV or Parquet file with user, item, and score or rank.

    Parameters
    ----------
    source : path or DataFrame
        Ids as in the log. Without score and rank, the order of the rows is that of the list.
    seen : Interactions
        Of the log, with its ids: what a list may not hold.
    k : int
        Longer lists are cut.
    columns : mapping of str to str, optional
        Names of the columns by role: "user", "item", "rank", "score".

    Returns
    -------
    ForeignLists
        What a user already has, what comes twice and what is not in the log is taken out of a
        list, what stands behind moves up, and the counts are in ``notes``.

    Raises
    ------
    ValueError
        If a column is missing or holds no numbers, or no row is of a known user and item.

    Examples
    --------
    >>> users, items = Vocabulary([7, 8]), Vocabulary([1, 2, 3])
    >>> seen = Interactions([0], [0], users=users, items=items)
    >>> made = pd.DataFrame({"user": [7, 7, 8], "item": [1, 3, 2], "score": [0.9, 0.5, 0.7]})
    >>> lists = read_lists(made, seen=seen, k=2)
    >>> lists.lists.tolist()
    [[2, -1], [1, -1]]
    >>> lists.notes
    ['1 of 3 rows listed an item that the user already has: taken out']
    """
    users, items = seen.users, seen.items
    if users is None or items is None:
        raise ValueError("ids are needed to match lists with: build seen with vocabularies")
    named = _named(source, columns, users, items)
    frame = pd.DataFrame(
        {
            "user": users.encode(named["user"]),
            "item": items.encode(named["item"]),
            "order": _order(named),
        }
    )
    notes = (
        []
        if {"rank", "score"} & set(named)
        else ["no score and no rank: the order of the rows was taken"]
    )
    n_rows = len(frame)

    def taken_out(rows: pd.DataFrame, wrong: Any, what: str) -> pd.DataFrame:
        if wrong.any():
            notes.append(f"{int(wrong.sum()):,} of {n_rows:,} rows {what}: taken out")
        kept: pd.DataFrame = rows[~wrong]
        return kept

    unknown = (frame["user"] == users.unknown) | (frame["item"] == items.unknown)
    frame = taken_out(frame, unknown.to_numpy(), "have a user or an item that is not in the log")
    frame = frame.sort_values(["user", "order"], kind="stable")
    again = frame.duplicated(["user", "item"]).to_numpy()
    frame = taken_out(frame, again, "list an item again for the same user")
    pairs = (torch.tensor(frame[side].to_numpy()) for side in ("user", "item"))
    had = seen.contains(*pairs).numpy()
    frame = taken_out(frame, had, "listed an item that the user already has")
    if frame.empty:
        raise ValueError(
            "no listed item is left: ids must be those of the log, and items new to their user"
        )
    place = frame.groupby("user").cumcount().to_numpy()
    short = place < k
    user, item, place = (
        frame["user"].to_numpy()[short],
        frame["item"].to_numpy()[short],
        place[short],
    )
    lists = torch.full((len(users), k), -1)
    lists[torch.tensor(user), torch.tensor(place)] = torch.tensor(item)
    shape = len(users), len(items)
    return ForeignLists(csr_matrix((1.0 / (1 + place), (user, item)), shape=shape), lists, notes)


def _named(
    source: str | Path | pd.DataFrame,
    columns: Mapping[str, str] | None,
    users: Vocabulary,
    items: Vocabulary,
) -> dict[str, pd.Series[Any]]:
    """Columns by role; ids of the type that the log has."""
    raw = source if isinstance(source, pd.DataFrame) else read_table(Path(source))
    strange = set(columns or {}) - set(_SPELLINGS)
    if strange:
        raise ValueError(f"columns are named by {', '.join(_SPELLINGS)}, got {sorted(strange)}")
    named = {}
    for role, spellings in _SPELLINGS.items():
        wanted = (columns or {}).get(role)
        plain = {plain_name(str(name)): name for name in raw.columns}
        found = (
            wanted
            if wanted is not None
            else next((plain[each] for each in spellings if each in plain), None)
        )
        if found is not None and found in raw.columns:
            named[role] = raw[found]
        elif role in ("user", "item") or wanted is not None:
            raise ValueError(
                f"a column of the {role} is required, got {list(raw.columns)[:6]}: name it, for "
                f"example {role}=... in columns (--lists-columns)"
            )
    for role, vocabulary in (("user", users), ("item", items)):
        named[role] = same_type(named[role], vocabulary, role)
    return named


def plain_name(name: str) -> str:
    """A column name without case, blanks and dashes.

    Examples
    --------
    >>> plain_name("User_ID ")
    'userid'
    """
    return "".join(each for each in name.lower() if each.isalnum())


def read_table(path: Path) -> pd.DataFrame:
    """A CSV, TSV or Parquet file; text of the first two stays as it is written."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}: name a CSV, TSV or Parquet file")
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    separator = "\t" if ".tsv" in path.suffixes else ","
    return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)


def same_type(ids: pd.Series[Any], vocabulary: Vocabulary, role: str) -> pd.Series[Any]:
    """Ids as whole numbers or as text, as the vocabulary has them."""
    if is_text(vocabulary.ids):
        return ids.astype(str)
    numbers = pd.to_numeric(ids, errors="coerce")
    wrong = numbers.isna() | (numbers % 1 != 0)
    if wrong.any():
        raise ValueError(
            f"the log has whole numbers as {role} ids, and {int(wrong.sum()):,} of {len(ids):,} "
            f"rows of the lists do not, e.g. {ids[wrong].iloc[0]!r}"
        )
    return numbers.astype("int64")


def _order(named: Mapping[str, pd.Series[Any]]) -> Any:
    """A number for each row, small where it stands first."""
    if "rank" in named:
        return _numbers(named["rank"], "rank")
    if "score" in named:
        return -_numbers(named["score"], "score")
    return np.arange(len(named["user"]))


def _numbers(column: pd.Series[Any], role: str) -> Any:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise ValueError(
            f"the {role} must be a finite number in each row, and {int(wrong.sum()):,} are not, "
            f"e.g. {column[wrong].iloc[0]!r}"
        )
    return values
