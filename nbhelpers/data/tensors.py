"""From indexed frames to tensors, the form that models take."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor


def rating_tensors(ratings: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
    """Users, items and ratings of an indexed frame, as three tensors.

    Parameters
    ----------
    ratings : DataFrame
        With ``user_idx``, ``item_idx`` (see ``add_indices``) and ``rating``.

    Returns
    -------
    user_idx, item_idx : Tensor of int64, shape (n,)
    rating : Tensor of float32, shape (n,)
        In stars.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [name for name in ("user_idx", "item_idx", "rating") if name not in ratings.columns]
    if missing:
        raise ValueError(f"columns {missing} are required: call add_indices(ratings, users, items)")
    return (
        torch.tensor(ratings["user_idx"].to_numpy(), dtype=torch.int64),
        torch.tensor(ratings["item_idx"].to_numpy(), dtype=torch.int64),
        torch.tensor(ratings["rating"].to_numpy(), dtype=torch.float32),
    )
