"""Titles from a second file: matched by id, so that lists can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nbhelpers.commands.foreign_lists import plain_name, read_table, same_type
from nbhelpers.data.vocabulary import Vocabulary

ITEM = ("item", "itemid", "movieid", "bookid", "productid", "artistid", "id", "asin")
TITLE = ("title", "name", "movietitle", "booktitle", "productname", "itemname")


def with_titles(catalog: pd.DataFrame, source: str | Path | pd.DataFrame) -> pd.DataFrame:
    """The catalog of a log with the titles of another file or frame.

    Parameters
    ----------
    catalog : DataFrame
        ``item_id`` of every item, and perhaps titles, which stay where the source has none.
    source : path or DataFrame
        CSV, TSV or Parquet with a column of item ids and one of titles; other columns and items
        are left alone.

    Returns
    -------
    DataFrame
        ``item_id`` and ``title``, in the order of the catalog; None where no title is known.

    Raises
    ------
    ValueError
        If a column is not found, an item has two different titles, or none of its ids is in the
        catalog.

    Examples
    --------
    >>> catalog = pd.DataFrame({"item_id": [7, 9]})
    >>> films = pd.DataFrame({"movieId": [9, 8], "title": ["Heat (1995)", "Up (2009)"]})
    >>> with_titles(catalog, films)["title"].tolist()
    [None, 'Heat (1995)']
    """
    frame = source if isinstance(source, pd.DataFrame) else read_table(Path(source))
    item, title = (_column(frame, names) for names in (ITEM, TITLE))
    vocabulary = Vocabulary(catalog["item_id"])
    rows = pd.DataFrame(
        {"id": same_type(frame[item], vocabulary, "item"), "title": frame[title].astype(str)}
    ).drop_duplicates()
    rows = rows[rows["id"].isin(catalog["item_id"])]
    twice = rows[rows["id"].duplicated(keep=False)]
    if len(twice):
        raise ValueError(
            f"{twice['id'].nunique():,} items have two titles, e.g. {twice['id'].iloc[0]}: "
            f"{', '.join(map(repr, twice['title'].iloc[:2]))}"
        )
    if rows.empty:
        raise ValueError(
            f"none of the {len(frame):,} ids of titles is in the log, e.g. {frame[item].iloc[0]!r} "
            f"here and {catalog['item_id'].iloc[0]!r} there: are the ids of the same kind?"
        )
    found = catalog["item_id"].map(rows.set_index("id")["title"]).astype(object)
    before: Any = catalog["title"] if "title" in catalog.columns else None
    return catalog.assign(title=found.where(found.notna(), before))


def _column(frame: pd.DataFrame, names: tuple[str, ...]) -> Any:
    plain = {plain_name(str(name)): name for name in frame.columns}
    for name in names:
        if name in plain:
            return plain[name]
    raise ValueError(
        f"a column {names[0]} is required among the titles, got {list(frame.columns)[:6]}: rename "
        "yours"
    )
