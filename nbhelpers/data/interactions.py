"""Who had to do with what: the positives of implicit feedback, a sparse users x items matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nbhelpers.core.checks import checked_indices, integer_array
from nbhelpers.core.csr import (
    Indices,
    compress,
    frozen,
    pair_keys,
    positions_of_rows,
    row_of,
    summary,
)
from nbhelpers.core.sealed_folder import ModelFileError
from nbhelpers.data.interaction_checks import (
    aligned,
    column_of,
    decoded_pairs,
    encoded_pairs,
    positions_in,
    require_same_columns,
    require_same_ids,
    side_of,
    subset_of_users,
    timestamps_of_pairs,
    weights_of_pairs,
)
from nbhelpers.data.interactions_folder import read_interactions, write_interactions
from nbhelpers.data.repeats import Pairs, check_repeats, sorted_pairs, without_repeats
from nbhelpers.data.sparse_rows import SparseRows
from nbhelpers.data.vocabulary import Vocabulary


class Interactions(SparseRows):
    """Pairs of a user and an item that belong together, checked once and never changed.

    Stored as a compressed sparse matrix: the items of user u are
    ``indices[indptr[u]:indptr[u + 1]]``, in ascending order. Every array is read-only.

    Parameters
    ----------
    user_idx, item_idx : array or Tensor of int, shape (n_rows,)
        One entry a pair, in any order.
    n_users, n_items : int, optional
        Size of the matrix; users and items without a pair are then welcome. Left out, it is the
        largest index + 1, and each index below must occur: a gap hints at raw ids.
    users, items : Vocabulary, optional
        The ids behind the indices; they fix the size.
    weights : array or Tensor of numbers, shape (n_rows,), optional
        Of each row, finite and above 0: counts, stars, confidence.
    timestamps : array or Tensor of int, shape (n_rows,), optional
        Of each row, usually Unix seconds.
    repeats : {"refuse", "last", "first", "sum", "count", "max"}
        What it means that a pair comes more than once. "last" and "first" keep that row, by time
        where there are timestamps (rows of one time in their order), else by the order of the
        rows. "sum" and "max" need weights, "count" makes the number of rows the weight; with
        these three the time of a pair is its latest. What was done is printed in one line.
    user_metadata, item_metadata : DataFrame, optional
        One row for each id in any order, see ``align_metadata``; needs the vocabulary.

    Attributes
    ----------
    n_users, n_items, n_positives : int
    density : float
        Share of all cells of the matrix that are positive.
    indptr : ndarray of int64, shape (n_users + 1,)
    indices : ndarray of int32 (int64 from 2**31 items on), shape (n_positives,)
    user_counts, item_counts : ndarray of int64, shapes (n_users,) and (n_items,)
        Positives of each user and of each item.
    users, items : Vocabulary or None
    weights : ndarray of float32, shape (n_positives,), or None
        Aligned with ``indices``.
    timestamps : ndarray of int64, shape (n_positives,), or None
        Aligned with ``indices``.

    Raises
    ------
    ValueError
        If the indices are no integers, differ in length, leave gaps, lie outside the matrix, or
        a pair comes twice and ``repeats`` does not say what that means; if weights are not
        finite and above 0, or timestamps no whole numbers. The message says how many.
    KeyError
        If an id has no row of metadata.

    Examples
    --------
    >>> plays = Interactions([0, 0, 1], [1, 1, 0], weights=[2, 3, 1], repeats="sum")
    1 of 3 rows repeats a pair: the weights of each pair are added up
    >>> plays
    Interactions(2 users, 2 items, 2 positives, with weights)
    >>> plays.items_of(0), plays.weights
    (array([1], dtype=int32), array([5., 1.], dtype=float32))
    """

    users: Vocabulary | None
    items: Vocabulary | None
    _user_metadata: pd.DataFrame | None
    _item_metadata: pd.DataFrame | None

    def __init__(
        self,
        user_idx: ArrayLike | Tensor,
        item_idx: ArrayLike | Tensor,
        *,
        n_users: int | None = None,
        n_items: int | None = None,
        users: Vocabulary | None = None,
        items: Vocabulary | None = None,
        weights: ArrayLike | Tensor | None = None,
        timestamps: ArrayLike | Tensor | None = None,
        repeats: str = "refuse",
        user_metadata: pd.DataFrame | None = None,
        item_metadata: pd.DataFrame | None = None,
    ) -> None:
        rows = integer_array(user_idx, name="user_idx")
        columns = integer_array(item_idx, name="item_idx")
        if len(rows) != len(columns):
            raise ValueError(f"one item for each user, got {len(rows):,} and {len(columns):,}")
        n_users = side_of(rows, n_users, vocabulary=users, name="user")
        n_items = side_of(columns, n_items, vocabulary=items, name="item")
        check_repeats(repeats, weighted=weights is not None)
        keys = pair_keys(rows, columns, n_rows=n_users, n_columns=n_items)
        given = Pairs(
            keys,
            weights_of_pairs(weights, n_rows=len(keys)),
            timestamps_of_pairs(timestamps, n_rows=len(keys)),
        )
        pairs = without_repeats(sorted_pairs(given), n_columns=n_items, repeats=repeats)
        indptr, indices = compress(pairs.keys, n_rows=n_users, n_columns=n_items)
        vars(self).update(
            n_users=n_users,
            n_items=n_items,
            n_positives=len(indices),
            density=len(indices) / (n_users * n_items),
            indptr=indptr,
            indices=indices,
            user_counts=frozen(np.diff(indptr)),
            item_counts=frozen(np.bincount(indices, minlength=n_items).astype(np.int64)),
            users=users,
            items=items,
            weights=None if pairs.weights is None else frozen(pairs.weights),
            timestamps=None if pairs.timestamps is None else frozen(pairs.timestamps),
            _user_metadata=aligned(user_metadata, users, name="user"),
            _item_metadata=aligned(item_metadata, items, name="item"),
        )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        users: Vocabulary,
        items: Vocabulary,
        weights: str | None = None,
        timestamps: str | None = None,
        repeats: str = "refuse",
        user_metadata: pd.DataFrame | None = None,
        item_metadata: pd.DataFrame | None = None,
    ) -> Self:
        """Interactions of a frame: each row is a positive, whatever its stars.

        Parameters
        ----------
        frame : DataFrame
            With ``user_id`` and ``item_id``. For a threshold pass ``frame[frame.rating >= 4]``.
        users, items : Vocabulary
            An id of theirs without a row in the frame is an empty row or column.
        weights, timestamps : str, optional
            Names of the columns that hold them; without a name there are none.
        repeats : {"refuse", "last", "first", "sum", "count", "max"}
            What it means that a pair comes more than once, see ``Interactions``.
        user_metadata, item_metadata : DataFrame, optional

        Returns
        -------
        Interactions

        Raises
        ------
        ValueError
            If a column or an id is missing, weights are not finite and above 0, timestamps no
            whole numbers, or a pair comes twice and ``repeats`` does not say what that means.
        KeyError
            If an id is unknown, or has no row of metadata.

        Examples
        --------
        >>> rows = [("ann", 70, 4), ("ann", 10, 1), ("bob", 10, 2)]
        >>> plays = pd.DataFrame(rows, columns=["user_id", "item_id", "n_plays"])
        >>> users, items = Vocabulary(plays.user_id), Vocabulary(plays.item_id)
        >>> Interactions.from_frame(plays, users=users, items=items, weights="n_plays").head()
          user_id  item_id  weight
        0     ann       10     1.0
        1     ann       70     4.0
        2     bob       10     2.0
        """
        user_idx, item_idx = encoded_pairs(frame, users=users, items=items)
        return cls(
            user_idx,
            item_idx,
            users=users,
            items=items,
            weights=column_of(frame, weights, name="weights"),
            timestamps=column_of(frame, timestamps, name="timestamps"),
            repeats=repeats,
            user_metadata=user_metadata,
            item_metadata=item_metadata,
        )

    @property
    def user_metadata(self) -> pd.DataFrame | None:
        """A copy of what is known about the users, row k for index k."""
        return None if self._user_metadata is None else self._user_metadata.copy()

    @property
    def item_metadata(self) -> pd.DataFrame | None:
        """A copy of what is known about the items, row k for index k."""
        return None if self._item_metadata is None else self._item_metadata.copy()

    def to_frame(self) -> pd.DataFrame:
        """All pairs by user and then by item, with ``weight`` and ``timestamp`` if there are any.

        Returns
        -------
        DataFrame
            ``user_id`` (or ``user_idx`` without a vocabulary), ``item_id`` (or ``item_idx``),
            ``weight`` (float32), ``timestamp`` (int64).

        Examples
        --------
        >>> Interactions([1, 0], [0, 0], timestamps=[20, 30]).to_frame()
           user_idx  item_idx  timestamp
        0         0         0         30
        1         1         0         20
        """
        return self._frame(0, len(self))

    def save(self, folder: str | Path) -> None:
        """Store everything in a folder, in place of the interactions stored there before.

        The folder gets a JSON file (ids, metadata, checksums) and one safetensors file. A save
        that is interrupted leaves what was there.

        Parameters
        ----------
        folder : str or Path
            Made if there is none. Other files in it are left alone.

        Raises
        ------
        ValueError
            If metadata hold something other than numbers, text, bools and missing values, or
            the folder holds a model.
        OSError
            If the folder cannot be written.
        """
        write_interactions(Path(folder), self.__getstate__())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The interactions that ``save`` put into a folder; nothing is unpickled.

        Parameters
        ----------
        folder : str or Path

        Returns
        -------
        Interactions

        Raises
        ------
        ModelFileError
            If a file is missing, cut, altered, or holds something else; the message names it.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Interactions([0, 1], [0, 0], weights=[2, 5]).save(folder)
        ...     again = Interactions.load(folder)
        >>> again.to_frame()
           user_idx  item_idx  weight
        0         0         0     2.0
        1         1         0     5.0
        """
        fields = read_interactions(Path(folder))
        try:
            return cls(**fields)
        except (ValueError, KeyError) as error:
            raise ModelFileError(f"{folder} cannot be loaded: {error}") from error

    def head(self, n: int = 5) -> pd.DataFrame:
        """The first pairs by user and then by item, as ``to_frame`` shows them.

        Examples
        --------
        >>> Interactions([1, 0], [0, 1]).head(1)
           user_idx  item_idx
        0         0         1
        """
        return self._frame(0, min(n, len(self)))

    def tail(self, n: int = 5) -> pd.DataFrame:
        """The last pairs by user and then by item, as ``to_frame`` shows them."""
        return self._frame(max(len(self) - n, 0), len(self))

    def _frame(self, start: int, stop: int) -> pd.DataFrame:
        positions = torch.arange(start, stop)
        frame = decoded_pairs(*self.pairs_at(positions), users=self.users, items=self.items)
        if self.weights is not None:
            frame["weight"] = self.weights[start:stop]
        if self.timestamps is not None:
            frame["timestamp"] = self.timestamps[start:stop]
        return frame

    def __getitem__(self, which: ArrayLike | Tensor) -> Interactions:
        """Some of the pairs, of the same users and items.

        Parameters
        ----------
        which : array or Tensor, of bool, shape (n_positives,), or of int, shape (n,)
            In the order by user and then by item: a mask, or positions, none of them twice.

        Returns
        -------
        Interactions

        Raises
        ------
        ValueError
            If the mask has another length, or a position is out of range or comes twice.

        Examples
        --------
        >>> stars = Interactions([0, 0, 1], [0, 1, 0], weights=[5, 2, 4])
        >>> stars[stars.weights >= 4].to_frame()
           user_idx  item_idx  weight
        0         0         0     5.0
        1         1         0     4.0
        """
        positions = positions_in(which, n=len(self))
        return self._with_pairs(
            row_of(self.indptr, positions),
            self.indices[positions],
            weights=None if self.weights is None else self.weights[positions],
            timestamps=None if self.timestamps is None else self.timestamps[positions],
        )

    __iter__ = None  # a container of pairs, not of users: use pairs() or items_of()

    def for_users(self, user_idx: ArrayLike | Tensor) -> Interactions:
        """Rows of some users: user k of the result is user ``user_idx[k]``, the items are the same.

        Parameters
        ----------
        user_idx : array or Tensor of int, shape (n,)
            At least one. Where users have ids, in ascending order and none twice, as a
            vocabulary has them.

        Returns
        -------
        Interactions
            With the vocabulary and the metadata of these users.

        Raises
        ------
        ValueError
            If there is no user, one is out of range, or they have ids and are not in order.

        Examples
        --------
        >>> Interactions([0, 1, 2], [0, 1, 1]).for_users([2, 0]).to_frame()
           user_idx  item_idx
        0         0         1
        1         1         0
        """
        rows = checked_indices(user_idx, name="user_idx", size=self.n_users)
        positions = positions_of_rows(self.indptr, rows)
        return Interactions(
            np.repeat(np.arange(len(rows)), self.user_counts[rows]),
            self.indices[positions],
            n_users=len(rows),
            n_items=self.n_items,
            users=subset_of_users(rows, self.users),
            items=self.items,
            weights=None if self.weights is None else self.weights[positions],
            timestamps=None if self.timestamps is None else self.timestamps[positions],
            user_metadata=self._user_metadata,
            item_metadata=self._item_metadata,
        )

    def __or__(self, other: Interactions) -> Interactions:
        """The pairs of either; of a pair in both, weight and time are those of the first.

        Vocabularies and metadata come from the first, too.

        Raises
        ------
        ValueError
            If users or items differ, or only one of the two has weights (or timestamps).

        Examples
        --------
        >>> Interactions([0, 1], [0, 1]) | Interactions([0, 1], [1, 0])
        Interactions(2 users, 2 items, 4 positives)
        """
        sizes = (self.n_users, other.n_users), (self.n_items, other.n_items)
        require_same_ids(self.users, other.users, sizes=sizes[0], name="user")
        require_same_ids(self.items, other.items, sizes=sizes[1], name="item")
        require_same_columns(self.weights, other.weights, name="weights")
        require_same_columns(self.timestamps, other.timestamps, name="timestamps")
        user_idx, item_idx = other.pairs()
        fresh = (~self.contains(user_idx, item_idx)).numpy()
        ours_user, ours_item = self.pairs()
        return self._with_pairs(
            np.concatenate([ours_user, user_idx[fresh]]),
            np.concatenate([ours_item, item_idx[fresh]]),
            weights=_joined(self.weights, other.weights, fresh),
            timestamps=_joined(self.timestamps, other.timestamps, fresh),
        )

    def _with_pairs(
        self,
        user_idx: NDArray[np.int64],
        item_idx: Indices,
        *,
        weights: NDArray[np.float32] | None,
        timestamps: NDArray[np.int64] | None,
    ) -> Interactions:
        """Other pairs of the same users and items."""
        return Interactions(
            user_idx,
            item_idx,
            n_users=self.n_users,
            n_items=self.n_items,
            users=self.users,
            items=self.items,
            weights=weights,
            timestamps=timestamps,
            user_metadata=self._user_metadata,
            item_metadata=self._item_metadata,
        )

    def __repr__(self) -> str:
        sizes = f"{self.n_users:,} users, {self.n_items:,} items, {len(self):,} positives"
        columns = {"weights": self.weights, "timestamps": self.timestamps}
        present = " and ".join(name for name, values in columns.items() if values is not None)
        return f"Interactions({sizes}{', with ' + present if present else ''})"

    def __str__(self) -> str:
        return summary(self.user_counts, self.item_counts)

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: the fields, without what follows from them."""
        fields = (*SparseRows.__annotations__, *Interactions.__annotations__)
        return {name: vars(self)[name] for name in fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                frozen(value)  # a pickle forgets that an array is read-only


def _joined(
    first: NDArray[Any] | None, second: NDArray[Any] | None, fresh: NDArray[np.bool_]
) -> NDArray[Any] | None:
    """Values of the first, then those of the second that are new; both have them or neither."""
    if first is None or second is None:
        return None
    return np.concatenate([first, second[fresh]])
