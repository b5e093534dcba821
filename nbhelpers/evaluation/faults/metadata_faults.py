"""Faults of metadata: those of another id, and features that were computed with the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.checks import off_torch
from nbhelpers.evaluation.faults.audited_parts import AuditedParts, Bools, Ints, Part
from nbhelpers.evaluation.faults.finding import Finding

Floats = NDArray[np.float64]
Table = pd.DataFrame | NDArray[Any] | Tensor
LEAST_CHANGED = 10


def by_id(metadata: pd.DataFrame, side: str) -> pd.DataFrame:
    """Metadata with the ids as index.

    Raises
    ------
    ValueError
        If there is no column of ids, or an id has two rows.
    """
    column = f"{side}_id"
    if column not in metadata.columns:
        raise ValueError(
            f"metadata of {side}s must have the column {column}, got {list(metadata.columns)[:6]}; "
            f"a table that is looked up by row number goes into features="
        )
    repeated = metadata.loc[metadata[column].duplicated(), column]
    if len(repeated):
        raise ValueError(f"{column} {repeated.iloc[0]} has more than one row of metadata")
    return metadata.set_index(column)


def rows_misaligned(
    features: Table, *, ids: pd.Index[Any], index: Ints, truth: pd.DataFrame | None
) -> Iterator[Finding]:
    """Rows that describe another item than the one whose index they have.

    Parameters
    ----------
    features : DataFrame, array or Tensor
        Row k is what the pipeline takes for index k.
    ids : Index
        Of items.
    index : ndarray of int64, shape (n_ids,)
        Of each id, -1 for unknown ones.
    truth : DataFrame, optional
        By id, see ``by_id``.
    """
    n_rows, known = len(features), index >= 0
    if index.max() >= n_rows:
        says = f"there are {n_rows:,} rows of features, but indices go up to {index.max():,}"
        yield Finding("metadata_misaligned", says, count=int((index >= n_rows).sum()))
        return
    ids, index = ids[known], index[known]
    if isinstance(features, pd.DataFrame) and "item_id" in features.columns:
        there = features["item_id"].to_numpy()[index]
        wrong = np.asarray(there != ids)
        shown = pd.DataFrame({"is": there, "should": ids})
    elif truth is None:
        return
    else:
        inside = ids.isin(truth.index)
        ids, index = ids[inside], index[inside]
        wrong, shown = _unlike(named_columns(features, truth), truth.loc[ids], index)
    if wrong.any():
        says = (
            f"{int(wrong.sum()):,} of {len(ids):,} rows describe another item than the one that "
            f"has their index"
        )
        examples = tuple(
            f"item_id {item}, row {row}: {is_} for {should}"
            for item, row, is_, should in zip(
                ids[wrong], index[wrong], shown["is"][wrong], shown["should"][wrong], strict=True
            )
        )[:3]
        yield Finding("metadata_misaligned", says, count=int(wrong.sum()), examples=examples)


def titles_misaligned(listed: pd.DataFrame, truth: pd.DataFrame) -> Iterator[Finding]:
    """Listed items that bear the title of another item.

    Parameters
    ----------
    listed : DataFrame
        With ``item_id`` and ``title``.
    truth : DataFrame
        By id, with ``title``.
    """
    rows = listed[listed["item_id"].isin(truth.index)].drop_duplicates(["item_id", "title"])
    right = truth["title"].reindex(rows["item_id"]).to_numpy()
    wrong = (rows["title"].to_numpy() != right) & rows["title"].isin(truth["title"]).to_numpy()
    if wrong.any():
        examples = tuple(
            f"item_id {item} is listed as {title}, its title is {own}"
            for item, title, own in zip(
                rows["item_id"][wrong][:3], rows["title"][wrong][:3], right[wrong][:3], strict=True
            )
        )
        says = f"{int(wrong.sum()):,} of {len(rows):,} listed items bear the title of another item"
        yield Finding("metadata_misaligned", says, count=int(wrong.sum()), examples=examples)


def features_with_test(
    parts: AuditedParts, side: str, described: pd.DataFrame
) -> Iterator[Finding]:
    """Columns that equal a count or a mean rating over all rows, the test's included.

    Parameters
    ----------
    parts : AuditedParts
    side : {"user", "item"}
    described : DataFrame
        Features by id.
    """
    ids = parts.ids[side]
    numbers = described.select_dtypes("number").reindex(ids)
    for column in numbers.columns:
        values = numbers[column].to_numpy(dtype=np.float64, na_value=np.nan)
        if np.unique(values[np.isfinite(values)]).size <= 2:
            continue  # a flag
        for what in ("rows", "mean rating"):
            whole = _aggregate(parts, side, what, parts.all)
            if whole is None:
                continue
            honest = [_aggregate(parts, side, what, parts.all[:n]) for n in (1, len(parts.all) - 1)]
            changed = np.isfinite(values) & np.isfinite(whole)
            for table in honest:
                if table is not None:
                    changed &= ~np.isclose(np.nan_to_num(table, nan=-1.0), whole, rtol=1e-9)
            if changed.sum() >= LEAST_CHANGED and _follows(values[changed], whole[changed]):
                says = (
                    f"column {column} of the {side}s follows the {what} of all parts exactly, "
                    f"test included, for {int(changed.sum()):,} {side}s where training rows give "
                    f"another number"
                )
                examples = tuple(f"{side}_id {value}" for value in ids[changed][:3])
                count = int(changed.sum())
                yield Finding("features_contain_test", says, count=count, examples=examples)
                break


def _aggregate(parts: AuditedParts, side: str, what: str, some: list[Part]) -> Floats | None:
    """Count of rows or mean rating of each id."""
    n_rows: Floats = np.zeros(len(parts.ids[side]))
    for part in some:
        n_rows += parts.counts(part, side)
    if what == "rows":
        return n_rows
    total = np.zeros(len(n_rows))
    for part in some:
        ratings = part.numbers("rating")
        if ratings is None:
            return None
        total += np.bincount(part.codes[side], weights=ratings, minlength=len(total))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / n_rows)


def _follows(values: Floats, whole: Floats) -> bool:
    """Whether a column is an aggregate, its logarithm, or either of them rescaled."""
    if not values.std() or not whole.std():
        return False
    forms = [whole, np.log1p(whole), np.log(whole)] if whole.min() > 0 else [whole]
    return any(abs(np.corrcoef(values, form)[0, 1]) > 1 - 1e-6 for form in forms)


def named_columns(features: Table, truth: pd.DataFrame | None) -> pd.DataFrame:
    """Features as a frame; columns of an array are those numeric ones of the truth, if as many."""
    if isinstance(features, pd.DataFrame):
        return features
    array = np.asarray(off_torch(features))
    array = array.reshape(len(array), -1)
    numeric = [] if truth is None else list(truth.select_dtypes("number").columns)
    names = numeric if array.shape[1] == len(numeric) else pd.RangeIndex(array.shape[1])
    return pd.DataFrame(array, columns=names)


def _unlike(features: pd.DataFrame, truth: pd.DataFrame, index: Ints) -> tuple[Bools, pd.DataFrame]:
    """Where columns that both have, on the same scale, differ; and both sides in words."""
    wrong = np.zeros(len(index), dtype=bool)
    shown = pd.DataFrame({"is": index, "should": index}, dtype=object)
    for column in features.columns.intersection(truth.columns):
        if not features[column].isin(truth[column]).mean() > 0.9:
            continue  # another form of it: nothing can be said
        there, own = _plain(features[column].iloc[index]), _plain(truth[column])
        new = (there != own) & ~wrong
        shown.loc[new, "is"], shown.loc[new, "should"] = there[new], own[new]
        wrong |= new
    return wrong, shown


def _plain(column: pd.Series[Any]) -> NDArray[Any]:
    """Values that can be compared, what is missing as an empty text."""
    return column.astype(object).where(column.notna(), "").to_numpy()
