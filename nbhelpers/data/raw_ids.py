"""Raw ids as whole numbers or as text, and ids that only look alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nbhelpers.core.checks import first_of, off_torch

FLOAT_LIMIT = 2**53  # from here on one float stands for several whole numbers
_NO_UNICODE = "an id holds text that is no Unicode: repair it first"
_PLAIN = r"\A[!-~]+(?: [!-~]+)*\z"  # nothing in it is invisible
_INVISIBLE = r"[\p{Cf}\p{Cc}]"  # zero width space, byte order mark, control characters
_BLANKS = r"[\s\p{Z}\x{0085}]+"  # the no-break space, too


def checked_ids(ids: Iterable[Any], *, known: pd.Index[Any] | None = None) -> pd.Index[Any]:
    """Ids as an index of integers or of text, repeats included.

    Parameters
    ----------
    ids : iterable of int or str
        Whole numbers written as floats become integers, below 2**53.
    known : Index, optional
        Checked ids that these will be compared with: both must be integers, or both text.

    Returns
    -------
    Index
        Of an integer dtype, or of text.

    Raises
    ------
    ValueError
        If an id is missing, they are neither all whole numbers nor all text, a number is not
        exact, or they are of another type than ``known``; the message names both types.
    """
    values = _series(ids)
    name = values.name if isinstance(values.name, str) else "ids"
    beside = "" if known is None else f", and the vocabulary holds {_type(known)}"
    n_missing = int(values.isna().sum())
    if n_missing:
        raise ValueError(
            f"{name}: an id is missing (NaN) in {n_missing:,} of {len(values):,} rows, drop or "
            "repair them first"
        )
    index: pd.Index[Any] = pd.Index(_integers_or_text(values, name, beside))
    if known is not None and len(index) and is_text(index) != is_text(known):
        raise ValueError(
            f"{name} must have the type of the vocabulary, got {_type(index)}{beside}: read both "
            "as one type, since '007' and 7 may be one id or two"
        )
    return index


def refuse_twins(ids: pd.Index[Any]) -> None:
    """Refuse text ids that differ only in what nobody sees.

    Parameters
    ----------
    ids : Index
        None twice.

    Raises
    ------
    ValueError
        If two differ only by invisible characters, blanks at an end, the kind of blank, or the
        Unicode normal form.
    """
    if not is_text(ids):
        return
    plain = visible_form(ids)
    twins = ids[plain.duplicated(keep=False)]
    if len(twins):
        first = visible_form(twins)
        raise ValueError(_twins(twins[0], twins[1:][first[1:] == first[0]][0]))


def refuse_twins_of(
    unknown: pd.Index[Any], known: pd.Index[Any], *, visible: pd.Index[Any]
) -> None:
    """Refuse unknown text ids that differ from a known one only in what nobody sees.

    Parameters
    ----------
    unknown, known : Index of text
    visible : Index
        ``visible_form(known)``.

    Raises
    ------
    ValueError
    """
    at = visible.get_indexer_for(visible_form(unknown))
    if (at >= 0).any():
        first = int((at >= 0).argmax())
        raise ValueError(_twins(unknown[first], known[at[first]]))


def refuse_same_words(words: Sequence[str], *, what: str) -> None:
    """Refuse words that differ only in upper and lower case, or in what nobody sees.

    Parameters
    ----------
    words : sequence of str
        None twice.
    what : str
        What the message calls them.

    Raises
    ------
    ValueError
    """
    index = pd.Index(list(words), dtype=object)
    folded = visible_form(index).str.casefold()
    twins = index[folded.duplicated(keep=False)]
    if len(twins):
        raise ValueError(f"{what} must differ in more than case or blanks, got {first_of(twins)}")


def visible_form(ids: pd.Index[Any]) -> pd.Index[Any]:
    """Text without invisible characters and outer blanks, in one normal form.

    Parameters
    ----------
    ids : Index of text

    Returns
    -------
    Index
    """
    try:
        text = pa.array(ids.to_numpy(dtype=object), type=pa.large_string())
    except UnicodeEncodeError:
        raise ValueError(_NO_UNICODE) from None
    if pc.all(pc.match_substring_regex(text, pattern=_PLAIN)).as_py():
        return ids
    text = pc.replace_substring_regex(text, pattern=_BLANKS, replacement=" ")
    text = pc.replace_substring_regex(text, pattern=_INVISIBLE, replacement="")
    text = pc.utf8_normalize(pc.utf8_trim_whitespace(text), form="NFC")
    index: pd.Index[Any] = pd.Index(np.asarray(text))
    return index


def is_text(ids: pd.Index[Any]) -> bool:
    """Whether these ids, of ``checked_ids``, are text."""
    return not pd.api.types.is_integer_dtype(ids.dtype)


def _series(ids: Iterable[Any]) -> pd.Series[Any]:
    """Any collection of ids as one column."""
    ids = off_torch(ids)
    if isinstance(ids, str | bytes | pd.DataFrame) or not isinstance(ids, Iterable):
        raise ValueError(f"ids must be a flat collection, got {type(ids).__name__}")
    if isinstance(ids, np.ndarray) and ids.ndim != 1:
        raise ValueError(f"ids must have one axis, got shape {ids.shape}")
    if not isinstance(ids, pd.Series | pd.Index | np.ndarray | pd.api.extensions.ExtensionArray):
        ids = list(ids)  # a set, too: the vocabulary sorts
    try:
        column: pd.Series[Any] = pd.Series(ids)
    except UnicodeEncodeError:
        raise ValueError(_NO_UNICODE) from None
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    return column


def _integers_or_text(
    values: pd.Series[Any], name: str, beside: str
) -> NDArray[Any] | pd.Series[Any]:
    """Values as a NumPy integer dtype or as text."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    if pd.api.types.is_integer_dtype(values.dtype):
        return np.asarray(values)
    kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind == "string":
        return values if values.dtype in (object, "str") else values.astype(str)
    if kind in ("integer", "floating", "mixed-integer-float"):
        return _whole_numbers(values, name, beside)
    raise ValueError(f"{name} {_neither(values, kind)}{beside}")


def _whole_numbers(values: pd.Series[Any], name: str, beside: str) -> NDArray[Any]:
    """Numbers of any type as integers."""
    exact = values.infer_objects().to_numpy()
    if exact.dtype.kind in "iu":
        return exact
    if pd.api.types.infer_dtype(values) == "integer":
        raise ValueError(f"{name} must fit 64 bits, got {values.max()}: write them as text")
    floats = values.to_numpy(dtype=np.float64)
    wrong = floats[(np.floor(floats) != floats) | ~(np.abs(floats) < FLOAT_LIMIT)]
    if wrong.size:
        raise ValueError(
            f"{name} must be whole numbers or text, and floats are exact below 2**53 only, got "
            f"{wrong.size:,} other floats, e.g. {first_of(wrong)}{beside}: read the column as "
            "integers or text"
        )
    return floats.astype(np.int64)


def _neither(values: pd.Series[Any], kind: str) -> str:
    """Why a column holds neither whole numbers nor text."""
    names = values.map(lambda value: type(value).__name__)
    firsts = values[~names.duplicated()].tolist()
    found = " and ".join(names.unique()[:3])
    shown = ", ".join(f"{value!r:.40}" for value in firsts[:3])
    kind = "mixed" if kind.startswith("mixed") and len(firsts) > 1 else kind
    return (
        f"must be whole numbers or text, all of one type: convert the column first, for "
        f"example with astype(str), got {kind} ones ({found}), e.g. {shown}"
    )


def _twins(first: str, second: str) -> str:
    return (
        f"two ids look the same and are not: {first!a} and {second!a}. Clean the column "
        f"first, for example with .str.strip().str.normalize('NFC')"
    )


def _type(ids: pd.Index[Any]) -> str:
    """Type and an example, such as ``int64 (e.g. 7)``."""
    kind = "text" if is_text(ids) else str(ids.dtype)
    return f"{kind} (e.g. {ids[:1].tolist()[0]!r})"
