"""A door for tables of features: a row for each index, and numbers that can be added up."""

from __future__ import annotations

from torch import Tensor


def check_features(features: Tensor, n_rows: int, *, name: str) -> None:
    """Refuse a table that does not describe the rows of a model.

    Parameters
    ----------
    features : Tensor
        Of shape (n_rows, n_features), with at least one column of finite numbers or bools.
    n_rows : int
    name : str
        Of the argument, for the message.

    Raises
    ------
    ValueError
    """
    if features.dim() != 2 or len(features) != n_rows or not features.shape[1]:
        raise ValueError(
            f"{name} must have one row for each of the {n_rows} indices and at least one column, "
            f"got shape {tuple(features.shape)}: align the metadata with the vocabulary first"
        )
    if not features.isfinite().all():
        wrong = (~features.isfinite()).any(dim=1).nonzero().flatten().tolist()
        raise ValueError(
            f"{name} must be finite, {len(wrong)} rows are not, e.g. {wrong[:3]}: give what is "
            "unknown a column of its own"
        )
