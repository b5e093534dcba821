"""Titles of items, gathered from the rows of a log."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from nbhelpers.data.ratings_file.parsed import clean_text
from nbhelpers.data.ratings_file.refusals import counted

MOST_CONFLICTS = 0.1  # share of the items that may have a second title


def titles_of(
    item_ids: pd.Series[Any], titles: Any, *, named: bool
) -> tuple[pd.DataFrame | None, list[str]]:
    """One title for each item: the first that its rows have.

    Parameters
    ----------
    item_ids : Series
    titles : pyarrow.ChunkedArray of text
        In the same rows.
    named : bool
        Whether the caller named the column; else it is left out where items have many titles, as
        with titles of reviews.

    Returns
    -------
    titles : DataFrame or None
        ``item_id`` and ``title``.
    notes : list of str
    """
    encoded = titles.dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    pairs = pd.DataFrame({"item_id": item_ids, "code": encoded.indices.to_numpy(False)})
    pairs = pairs.dropna().drop_duplicates()
    texts = clean_text(encoded.dictionary).take(pa.array(pairs["code"].astype("int64")))
    frame = pairs[["item_id"]].assign(title=texts.to_pandas().to_numpy()).dropna()
    frame = frame.drop_duplicates()
    if frame.empty:
        return None, []
    n_items = frame["item_id"].nunique()
    n_conflicts = int(frame.loc[frame["item_id"].duplicated(), "item_id"].nunique())
    if n_conflicts > MOST_CONFLICTS * n_items and not named:
        note = (
            f"titles are left out, since {counted(n_conflicts, 'item')} of {n_items:,} would have "
            "several: say title=... (--title NAME) to take the first of each"
        )
        return None, [note]
    notes = []
    if n_conflicts:
        notes.append(f"{counted(n_conflicts, 'item')} with several titles: the first is kept")
    return frame.drop_duplicates("item_id").reset_index(drop=True), notes
