"""From raw ids to indices and back: whom a request is about, who can be served, and titles."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary

Unserved = Literal["error", "popular", "leave_out"]
_CHOICES = {
    "error": "refused",
    "popular": "listed by popularity",
    "leave_out": "left out",
}
_ADVICE = {
    "user": "fold_in_user and fold_in_users serve new users from their positives",
    "item": "train again with positives of theirs, or use a model of item features",
}


class Request(NamedTuple):
    """Users (or items) that something is asked for, in the order asked.

    Attributes
    ----------
    ids : pandas.Index
        Raw ids.
    idx : Tensor of int64, shape (n,)
        Their indices; of an unknown id the number of known ones.
    served : Tensor of bool, shape (n,)
        Whether the model can serve them: known, and trained on.
    """

    ids: pd.Index[Any]
    idx: Tensor
    served: Tensor


def required_ids(vocabulary: Vocabulary | None, name: str) -> Vocabulary:
    """The vocabulary of ``name``, "user" or "item", if there is one."""
    if vocabulary is None:
        raise ValueError(
            f"no {name} ids are known: build Interactions with Interactions.from_frame"
        )
    return vocabulary


def item_ids_of(items: Vocabulary | Interactions) -> Vocabulary:
    """The vocabulary of items, given itself or within interactions."""
    return items if isinstance(items, Vocabulary) else required_ids(items.items, "item")


def requested(
    raw_ids: Any, vocabulary: Vocabulary, trained: Tensor, *, unserved: Unserved, name: str
) -> Request:
    """Look up whom a request is about, and settle what becomes of those who cannot be served.

    Parameters
    ----------
    raw_ids : list-like of raw ids
    vocabulary : Vocabulary
    trained : Tensor of bool, shape (n_known,)
        Whom the model was trained on.
    unserved : {"error", "popular", "leave_out"}
        For those with an unknown id or without a positive in training. Unless it is "error",
        how many they are is printed in one line.
    name : {"user", "item"}

    Returns
    -------
    Request
        Without those left out.

    Raises
    ------
    KeyError
        If an id is unknown, and ``unserved`` is "error".
    ValueError
        If a known one was not trained on, and ``unserved`` is "error"; if there is no id, or
        ``unserved`` is none of the three.
    """
    if unserved not in _CHOICES:
        raise ValueError(f"unserved must be one of {', '.join(_CHOICES)}, got {unserved!r}")
    wanted = pd.Series(list(raw_ids))
    if not len(wanted):
        raise ValueError(f"{name}_id is empty: pass at least one {name}")
    idx = torch.from_numpy(vocabulary.encode(wanted))
    served = torch.cat([trained, torch.tensor([False])])[idx]  # the last row: unknown ids
    request = Request(pd.Index(wanted), idx, served)
    if served.all():
        return request
    if unserved == "error":
        raise _refusal(request, vocabulary, name)
    n_unknown = int((idx == vocabulary.unknown).sum())
    without = request.ids[~served.numpy()]
    print(
        f"{len(without):,} of {len(wanted):,} {name}s cannot be served ({n_unknown:,} unknown, "
        f"{len(without) - n_unknown:,} not trained on), e.g. {_shown(without[:1])}: "
        f"{_CHOICES[unserved]}"
    )
    if unserved == "popular":
        return request
    return Request(request.ids[served.numpy()], idx[served], served[served])


def _refusal(request: Request, vocabulary: Vocabulary, name: str) -> Exception:
    """Why a request cannot be served, and what else could be done."""
    advice = f"{_ADVICE[name]}, or choose unserved='popular' or 'leave_out'"
    unknown = request.ids[(request.idx == vocabulary.unknown).numpy()].unique()
    if len(unknown):
        first, last = vocabulary.ids[[0, -1]].tolist()
        return KeyError(
            f"{len(unknown):,} of the {name}s are unknown, e.g. {_shown(unknown)}: the model "
            f"knows {len(vocabulary):,} {name}s, {first!r} to {last!r}; {advice}"
        )
    cold = request.ids[~request.served.numpy()].unique()
    return ValueError(
        f"{len(cold):,} of the {name}s have no positive in training, e.g. {_shown(cold)}, so "
        f"their scores mean nothing: {advice}"
    )


def _shown(ids: pd.Index[Any]) -> str:
    return ", ".join(map(repr, ids[:3].tolist()))


def described_items(item_idx: NDArray[Any], items: Vocabulary | Interactions) -> pd.DataFrame:
    """Ids of items, and their titles where there is metadata with one.

    Parameters
    ----------
    item_idx : ndarray of int, shape (n,)
    items : Vocabulary or Interactions

    Returns
    -------
    DataFrame
        ``item_id``, and ``title`` if known, in the order given.

    Raises
    ------
    ValueError
        If Interactions lack the vocabulary.
    """
    metadata = None if isinstance(items, Vocabulary) else items.item_metadata
    frame = pd.DataFrame({"item_id": item_ids_of(items).ids.take(item_idx)})
    if metadata is None or "title" not in metadata.columns:
        return frame
    return frame.assign(title=metadata["title"].take(item_idx).reset_index(drop=True))
