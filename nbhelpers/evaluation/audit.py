"""One call that looks for the known faults of an evaluation in the pipeline of a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.recommender import Recommender
from nbhelpers.data.interactions import Interactions
from nbhelpers.evaluation.faults import (
    score_faults,
    split_faults,
)
from nbhelpers.evaluation.faults.audited_parts import (
    SIDES,
    AuditedParts,
    Mapped,
    Rows,
    maps_of,
)
from nbhelpers.evaluation.faults.checklist import Checklist
from nbhelpers.evaluation.faults.finding import Audit, report_of
from nbhelpers.evaluation.report import RankingScores


def audit(
    train: Rows,
    valid: Rows | None,
    test: Rows,
    model: Recommender | None = None,
    *,
    users: Mapped | Sequence[Mapped] | None = None,
    items: Mapped | Sequence[Mapped] | None = None,
    lists: pd.DataFrame | RankingScores | None = None,
    seen: Rows | None = None,
    per_user: pd.DataFrame | RankingScores | None = None,
    candidates: pd.DataFrame | Tensor | NDArray[Any] | None = None,
    evaluate: score_faults.Evaluate | None = None,
    refit: Callable[[], Recommender] | None = None,
    k: int = 10,
    item_metadata: pd.DataFrame | None = None,
    user_metadata: pd.DataFrame | None = None,
    features: pd.DataFrame | NDArray[Any] | Tensor | None = None,
    split: split_faults.Split = "per_user",
    repeats_allowed: bool = False,
) -> Audit:
    """Which known faults of an evaluation these data, lists and scores show.

    Pass what there is: each argument opens further checks, and the notes of the result name what
    could not be checked. A finding is certain, or a *suspect* that says why it may be innocent.
    No finding is no proof: faults that leave no trace in what was passed stay unseen.

    Parameters
    ----------
    train, valid, test : DataFrame or Interactions
        As the pipeline uses them. Frames have ``user_id`` and ``item_id``, and perhaps ``rating``,
        ``timestamp`` (numbers or dates), ``user_idx`` and ``item_idx``. ``valid`` is whatever
        epochs or settings were chosen on; None if nothing was chosen.
    model : Recommender, optional
        Scores up to 2,000 test users.
    users, items : Vocabulary or mapping of id to index, or a sequence of these, optional
        From ids to the rows of the model; several, one for each part, if there are several.
        Left out, those of ``train`` if it is an ``Interactions``.
    lists : DataFrame or RankingScores, optional
        What was recommended for the test: ``user_id``, ``item_id``, and perhaps ``rank``,
        ``score`` and ``title``.
    seen : DataFrame or Interactions, optional
        More that users had before the test, such as low ratings.
    per_user : DataFrame or RankingScores, optional
        A row for each user in the mean, with ``user_id``.
    candidates : DataFrame or Tensor, optional
        What a sampled metric ranks, test items included: pairs of ids, or a row of item indices
        for each user with a test row, by ascending user.
    evaluate : callable, optional
        ``evaluate(model)`` gives a hit rate, recall, NDCG or MAP in the first ``k``. It is called
        with a model whose scores are all equal.
    refit : callable, optional
        ``refit()`` gives the same model, trained anew on the rows before the test alone. Nothing
        else can tell whether test rows were among the training rows of ``model``.
    k : int
        Length of the lists that ``evaluate`` looks at.
    item_metadata, user_metadata : DataFrame, optional
        By ``item_id`` and ``user_id``, in any order: the truth.
    features : DataFrame, array or Tensor, optional
        What is looked up by row number: row k for item index k.
    split : {"per_user", "global_time"}
        What the split claims: that each user's test rows are that user's latest, or that the test
        is later than all rows before, of anybody.
    repeats_allowed : bool
        Whether a pair may come again, as in logs of plays.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If a column is missing, an id is missing, train or test is empty, or a setting is unknown.

    Examples
    --------
    The later rating of user 1 is in training, and their list shows it again:

    >>> columns = ["user_id", "item_id", "rating", "timestamp"]
    >>> train = pd.DataFrame([(1, 7, 5.0, 30), (2, 7, 4.0, 10), (2, 8, 3.0, 20)], columns=columns)
    >>> test = pd.DataFrame([(1, 8, 2.0, 20), (2, 9, 4.0, 40)], columns=columns)
    >>> lists = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 9]})
    >>> found = audit(train, None, test, lists=lists)
    >>> found.names
    ['random_split', 'seen_listed']
    >>> print(found.findings[1])
    fault seen_listed: 1 of 3 places, in lists of 1 of 2 users, hold what the user had in training.
      E.g. user_id 1, item_id 7.
      Cure: mask what the user had in training and validation before the list is cut.
    >>> found.findings[0].count
    1
    """
    if split not in ("per_user", "global_time"):
        raise ValueError(f"split must be 'per_user' or 'global_time', got {split!r}")
    parts = AuditedParts(train, valid, test)
    maps = {"user": maps_of(users), "item": maps_of(items)}
    one = {side: parts.vocabulary(side, next(iter(maps[side]), None)) for side in SIDES}
    checks = Checklist(parts, one)
    checks.rows(maps, split=split, repeats_allowed=repeats_allowed)
    checks.metadata(_described(train, item_metadata), user_metadata, features)
    checks.lists(lists, per_user, seen, metadata=item_metadata, masked=not repeats_allowed)
    drawn = checks.candidates(candidates, seen)
    checks.scores(model, evaluate, refit, k=k, candidates=drawn)
    return report_of(checks.findings, checked=checks.checked, notes=checks.notes)


def _described(train: Rows, item_metadata: pd.DataFrame | None) -> pd.DataFrame | None:
    """Metadata as given, or those of the training interactions."""
    if item_metadata is None and isinstance(train, Interactions):
        return train.item_metadata
    return item_metadata
