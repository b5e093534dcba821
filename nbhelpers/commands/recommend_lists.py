"""`nbhelpers recommend`: a list for one user, or the lists of all in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from nbhelpers.commands.list_source import as_records, known_id, popular_list
from nbhelpers.commands.model_folder import TrainedRecommender, as_recommender
from nbhelpers.commands.progress import Progress
from nbhelpers.core.file_in_place import replacing
from nbhelpers.core.recommender import Explains, FoldsIn
from nbhelpers.core.topk import checked_k
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.item_item import EASE, ItemKNN
from nbhelpers.serving.explain import explain as explain_item
from nbhelpers.serving.recommend import recommend as recommend_ids

SCORES_IN_BLOCK = 2**23  # 64 MiB of scores and masks at a time, however many users there are
MOST_USERS = 4096
REASONS = 3


@dataclass(frozen=True, eq=False)
class UserList:
    """A list for one user.

    Attributes
    ----------
    user_id : object
        As it was asked for.
    items : DataFrame
        ``rank`` from 1, ``item_id``, ``title`` if known, ``score``.
    made_by : str
        "model"; or "popularity" where the user has no history to go by; or the name of a model
        that gives everybody the same list, such as "recent popularity".
    notes : tuple of str
    reasons : dict of item id to DataFrame
        For each item the user's items that speak for it most: ``item_id``, ``title`` if known,
        ``contribution``. Empty unless asked for.
    """

    user_id: Any
    items: pd.DataFrame
    made_by: str
    notes: tuple[str, ...]
    reasons: dict[Any, pd.DataFrame]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        items = as_records(self.items)
        for item in items:
            if item["item_id"] in self.reasons:
                because = self.reasons[item["item_id"]]
                item["because"] = [
                    {name: each[name] for name in ("item_id", "title", "contribution")}
                    for each in as_records(because)
                ]
        return {
            "user_id": self.user_id,
            "items": items,
            "made_by": self.made_by,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [*self.notes, self.items.to_string(index=False)]
        column = "title" if "title" in self.items.columns else "item_id"
        names = dict(zip(self.items["item_id"], self.items[column], strict=True))
        for item_id, because in self.reasons.items():
            named = because["title" if "title" in because.columns else "item_id"]
            parts = (
                f"{name} ({part:+.3f})"
                for name, part in zip(named, because["contribution"], strict=True)
            )
            reasons = ", ".join(parts) or "nothing in particular"
            lines.append(f"{names[item_id]}: because of {reasons}")
        return "\n".join(lines)

    __repr__ = __str__  # what a notebook shows


def recommend(
    source: str | Path | TrainedRecommender, user_id: Any, *, k: int = 10, explain: bool = False
) -> UserList:
    """Best items for a user, none of which they have in any row of the file.

    Parameters
    ----------
    source : path or TrainedRecommender
        A folder of ``nbhelpers train``.
    user_id : raw id
        As text or as in the file. One without a positive, or unknown, gets the popular list, and
        a note says so: what most users of all times have, whatever the model.
    k : int
    explain : bool
        Add the user's own items that speak for each listed one.

    Returns
    -------
    UserList

    Raises
    ------
    ValueError
        If ``k`` is below 1.
    ModelFileError
        If the folder cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nbhelpers.commands.train_model import train
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> with TemporaryDirectory() as folder:
    ...     trained = train(ratings, Path(folder, "mine"), model="EASE", n_trials=1, quiet=True)
    >>> recommend(trained, 7, k=3).items.shape
    (3, 3)
    >>> print(recommend(trained, "nobody", k=1))
    user nobody is not in the file: this is the popular list
     rank  item_id  score
        1        4   35.0
    """
    trained, k = as_recommender(source), checked_k(k)
    known = known_id(trained.users, user_id)
    if known is None:
        note = f"user {user_id} is not in the file: this is the popular list"
        return UserList(user_id, popular_list(trained, k), "popularity", (note,), {})
    items = recommend_ids(trained.served, known, seen=trained.seen, k=k)
    row = int(trained.users.encode_known([known])[0])
    if not trained.likes.user_counts[row]:
        note = f"user {user_id} has no positive in the file: this is the popular list"
        return UserList(known, items, "popularity", (note,), {})
    notes: list[str] = []
    if len(items) < k:
        notes.append(f"only {len(items)} items are left that user {user_id} does not have")
    reasons: dict[Any, pd.DataFrame] = {}
    if explain:
        reasons, note = _reasons(trained, row, items["item_id"].tolist())
        notes.append(note)
    return UserList(known, items, _maker(trained), tuple(notes), reasons)


def recommend_all(
    source: str | Path | TrainedRecommender,
    out: str | Path,
    *,
    k: int = 10,
    quiet: bool = False,
) -> Path:
    """Lists of all users of the file in one Parquet file, written block by block.

    Parameters
    ----------
    source : path or TrainedRecommender
    out : str or Path
        Gets ``user_id``, ``rank``, ``item_id``, ``title`` if known, ``score``, and ``made_by``:
        as in ``UserList``. It appears when it is complete.
    k : int
    quiet : bool

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If ``k`` is below 1, or ``out`` does not end in .parquet.
    OSError
        If ``out`` cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nbhelpers.commands.train_model import train
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> ratings = make_ratings(80, 40, 1500, rng=0).ratings
    >>> with TemporaryDirectory() as folder:
    ...     trained = train(ratings, Path(folder, "mine"), model="EASE", n_trials=1, quiet=True)
    ...     lists = pd.read_parquet(recommend_all(trained, Path(folder, "l.parquet"), quiet=True))
    >>> lists.columns.tolist(), lists["user_id"].nunique()
    (['user_id', 'rank', 'item_id', 'score', 'made_by'], 80)
    """
    trained, k, path = as_recommender(source), checked_k(k), Path(out)
    if path.suffix != ".parquet":
        raise ValueError(f"lists are written as Parquet: name a file .parquet, got {path.name!r}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} for {path.name}: make it first")
    n_block = max(1, min(MOST_USERS, SCORES_IN_BLOCK // len(trained.items)))
    writer: Any = None
    with replacing(path) as draft:
        try:
            with Progress(quiet=quiet).bar(len(trained.users), unit="user") as bar:
                for start in range(0, len(trained.users), n_block):
                    ids = trained.users.ids[start : start + n_block]
                    table = _block(trained, ids, start, k)
                    writer = writer or parquet.ParquetWriter(draft, table.schema)
                    writer.write_table(table)
                    bar.update(len(ids))
        finally:
            if writer is not None:
                writer.close()
    return path


def _maker(trained: TrainedRecommender) -> str:
    """What makes the list of a user with a positive."""
    return trained.name if isinstance(trained.model, Popularity) else "model"


def _block(trained: TrainedRecommender, ids: pd.Index[Any], start: int, k: int) -> Any:
    """Lists of some users as an Arrow table."""
    frame = recommend_ids(trained.served, ids, seen=trained.seen, k=k)
    has_history = trained.likes.user_counts[start : start + len(ids)] > 0
    by_user = pd.Series(has_history, index=ids)
    made_by = frame["user_id"].map(by_user).map({True: _maker(trained), False: "popularity"})
    listed = frame.assign(made_by=made_by)
    if "title" in listed.columns:  # a block without any title is still a block of text
        listed = listed.astype({"title": "string"})
    return pa.Table.from_pandas(listed, preserve_index=False)


def _reasons(
    trained: TrainedRecommender, row: int, item_ids: list[Any]
) -> tuple[dict[Any, pd.DataFrame], str]:
    """Which of a user's items speak for each listed one, and what kind of reasons these are."""
    model = trained.model
    own = trained.likes.items_of(row)
    if isinstance(model, ItemKNN | EASE):  # by what they score this user, such as the last items
        own = model.seen[row].indices
    if isinstance(model, FoldsIn) and not isinstance(model, Explains):
        return {}, f"{trained.name} gives everybody the same list, which no item of a user explains"
    positives = trained.items.decode(own)
    found = {
        item_id: _strongest(
            explain_item(model, item_id, positives=positives, items=trained.seen).contributions
        )
        for item_id in item_ids
    }
    if isinstance(model, Explains):
        return found, "contributions are parts of the score"
    return found, (
        "contributions are parts of the score that folding in the same items gives, not of that "
        f"of {trained.name} itself"
    )


def _strongest(contributions: pd.DataFrame) -> pd.DataFrame:
    return contributions[contributions["contribution"] > 0].head(REASONS)
