"""A log of your own as pairs of a user and an item, and the rule that says which are positives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbhelpers.data.ratings_file.read import RatingsLog, describe_counts, read_ratings
from nbhelpers.data.repeats import repeat_a_pair
from nbhelpers.data.vocabulary import Vocabulary

VALUES = ("user_id", "item_id", "rating", "weight", "event")
LIKE_SHARE = 0.75  # of the way from the lowest to the highest rating: 4 of 1 to 5, 8 of 1 to 10


@dataclass(frozen=True, eq=False)
class OwnLog:
    """What a file says, one row for each pair of a user and an item that stands in any row of it.

    Attributes
    ----------
    rows : DataFrame
        ``user_id``, ``item_id``, ``is_positive`` (bool) and, where known, ``timestamp`` (int64,
        Unix seconds) and ``weight`` (1 for the smallest in the file, and 1 more for each factor
        of e). A pair that came more than once has the time of its first row, since it is new only
        then, the rating of its latest, and the sum of its weights. A pair that stands only in
        rows that a policy left out is no positive: it is seen, and no more.
    catalog : DataFrame
        One row for each item: ``item_id`` and, where the file has titles, ``title``.
    rule : str
        Which rows are positives, in one sentence.
    min_rating : float or None
        The lowest rating that is a positive, where there are ratings.
    report : dict
        What the file was read as, and what was lost, merged or changed.
    report_text : str
        The same in words.
    values : DataFrame
        ``user_id``, ``item_id`` and, where known, ``rating``, ``weight`` and ``event`` as the file
        has them, of the rows that were not left out.
    n_also_had : int
        Rows that were left out, the last ones of ``rows``.
    """

    rows: pd.DataFrame
    catalog: pd.DataFrame
    rule: str
    min_rating: float | None
    report: dict[str, Any]
    report_text: str
    values: pd.DataFrame
    n_also_had: int = 0

    @property
    def n_users(self) -> int:
        """Users with at least one row."""
        return int(self.rows["user_id"].nunique())

    @property
    def n_positives(self) -> int:
        """Rows that are positives."""
        return int(self.rows["is_positive"].sum())

    @property
    def is_timed(self) -> bool:
        """Whether it is known when each row was made."""
        return "timestamp" in self.rows.columns

    def __repr__(self) -> str:
        return f"OwnLog({describe_counts(self.rows)}; {self.rule})"


def open_log(source: Any, *, min_rating: float | None = None) -> OwnLog:
    """A log from a file, from what ``read_ratings`` returned, or as it is.

    Parameters
    ----------
    source : path, DataFrame, RatingsLog or OwnLog
        To name columns or choose policies, call ``read_ratings`` and pass what it returns.
    min_rating : float, optional
        The lowest rating that is a positive; left out, the lowest one in the file that lies at
        least three quarters of the way from the lowest to the highest, such as 4 of 1 to 5.

    Returns
    -------
    OwnLog

    Raises
    ------
    ValueError
        If the file cannot be read, a threshold is given where there are no ratings, or no row is
        a positive.

    Examples
    --------
    >>> from nbhelpers.data.datasets.synthetic import make_ratings
    >>> log = open_log(make_ratings(30, 20, 200, rng=0).ratings)
    >>> log.rule
    'a rating of 4 or more is a positive (107 of 200 rows); every row counts as seen'
    """
    if isinstance(source, OwnLog):
        return source
    read = source if isinstance(source, RatingsLog) else read_ratings(source)
    rows, n_merged = _one_row_a_pair(read.frame)
    liked, rule, threshold = _positives(rows, min_rating)
    if not liked.any():
        raise ValueError(
            f"no row is a positive ({rule}): pass a lower min_rating (on the command line "
            "--min-rating)"
        )
    kept = ["user_id", "item_id", *(["timestamp"] if "timestamp" in rows.columns else [])]
    marked = rows[kept].assign(is_positive=liked)
    if "weight" in rows.columns:
        marked["weight"] = _confidence(rows["weight"].to_numpy(dtype=float), liked)
        rule += "; a positive weighs 1 + log(weight / smallest weight) where a model takes weights"
    report, text = read.report.to_dict(), str(read.report)
    notes = []
    if n_merged:
        notes.append(
            f"{repeat_a_pair(n_merged, len(read.frame))}, which counts once: from its first row "
            "on, with its latest rating"
        )
    if "rating" in rows.columns and len(rows) > 1 and rows["rating"].min() == rows["rating"].max():
        notes.append(
            f"all ratings are {rows['rating'].min():g}: they tell nothing apart, every rated row "
            "is a positive or none is"
        )
    report["notes"] = [*report["notes"], *notes]
    text = "\n".join([text, *(f"note            {note}" for note in notes)])
    if len(read.also_had):
        left_out = read.also_had.assign(is_positive=False)
        if "weight" in marked.columns:
            left_out["weight"] = 1.0
        marked = pd.concat([marked, left_out[list(marked.columns)]], ignore_index=True)
    return OwnLog(
        rows=marked,
        catalog=_catalog(marked["item_id"], read.titles),
        rule=rule,
        min_rating=threshold,
        report=report,
        report_text=text,
        values=rows[[name for name in VALUES if name in rows.columns]],
        n_also_had=len(read.also_had),
    )


def _one_row_a_pair(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """One row of each pair, see ``OwnLog.rows``, and how many rows that merged."""
    pair = ["user_id", "item_id"]
    n_repeated = int(frame.duplicated(pair).sum())
    if not n_repeated:
        return frame.reset_index(drop=True), 0
    if "weight" in frame.columns:
        frame = frame.assign(weight=frame.groupby(pair)["weight"].transform("sum"))
    if "timestamp" in frame.columns:
        frame = frame.sort_values("timestamp", kind="stable")
        frame = frame.assign(timestamp=frame.groupby(pair)["timestamp"].transform("min"))
    return frame.drop_duplicates(pair, keep="last").reset_index(drop=True), n_repeated


def _positives(
    rows: pd.DataFrame, min_rating: float | None
) -> tuple[NDArray[np.bool_], str, float | None]:
    """Which rows are positives, the rule in words, and the threshold if there is one."""
    if "rating" not in rows.columns:
        if min_rating is not None:
            raise ValueError(
                f"min_rating {min_rating:g} needs ratings, and the file has none: leave it out, or "
                "name the column of the ratings"
            )
        liked = (
            rows["weight"].to_numpy() > 0
            if "weight" in rows.columns
            else np.ones(len(rows), dtype=bool)
        )
        share = "every row" if liked.all() else f"every row with a weight above 0 ({liked.sum():,})"
        return liked, f"{share} is a positive, and every row counts as seen", None
    rating = rows["rating"].to_numpy(dtype=float)
    threshold = _threshold(rating) if min_rating is None else float(min_rating)
    unrated = np.isnan(rating)
    liked = (rating >= threshold) | unrated
    more = f", and so is a row without a rating ({unrated.sum():,})" if unrated.any() else ""
    rule = (
        f"a rating of {threshold:g} or more is a positive{more} ({liked.sum():,} of "
        f"{len(rows):,} rows); every row counts as seen"
    )
    return liked, rule, threshold


def _confidence(weight: NDArray[np.float64], liked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 for the smallest weight of a positive, and what is no positive; more for larger ones."""
    if not liked.any():
        return np.ones_like(weight)
    grown: NDArray[np.float64] = np.ones_like(weight)
    grown[liked] += np.log(weight[liked] / weight[liked].min())
    return grown


def _threshold(rating: NDArray[np.float64]) -> float:
    """The lowest rating there is that lies high enough on the scale of the file."""
    if np.isnan(rating).all():
        return 0.0
    low, high = np.nanmin(rating), np.nanmax(rating)
    wanted = low + LIKE_SHARE * (high - low)
    return float(np.nanmin(rating[rating >= wanted - 1e-9]))


def _catalog(item_ids: pd.Series[Any], titles: pd.DataFrame | None) -> pd.DataFrame:
    """One row for each item of the rows, with its title where one is known."""
    ids = pd.Series(Vocabulary(item_ids).ids, name="item_id")
    if titles is None:
        return ids.to_frame()
    title = titles.drop_duplicates("item_id").set_index("item_id")["title"]
    known = ids.map(title)
    return pd.DataFrame({"item_id": ids, "title": known.astype(object).where(known.notna(), None)})
