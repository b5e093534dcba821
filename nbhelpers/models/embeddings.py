"""Tables of numbers from which rows are looked up."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Embedding(nn.Module):
    """Table of numbers from which rows are looked up, on a bare ``nn.Parameter``.

    A drop-in for ``nn.Embedding``: the same attribute ``weight``, hence the same ``state_dict``.

    Parameters
    ----------
    n_rows, n_columns : int

    Examples
    --------
    >>> import torch
    >>> table = Embedding(5, 3)
    >>> table(torch.tensor([4, 0])).shape
    torch.Size([2, 3])
    >>> list(table.state_dict())
    ['weight']
    """

    def __init__(self, n_rows: int, n_columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_rows, n_columns).normal_(0, 0.01))

    def forward(self, idx: Tensor) -> Tensor:
        """Rows ``idx``, shape (batch, n_columns)."""
        return self.weight[idx]


def small_embedding(n_rows: int, n_columns: int, *, sparse: bool = False) -> nn.Embedding:
    """An ``nn.Embedding`` that starts as small as ours: normal with deviation 0.01.

    Parameters
    ----------
    n_rows, n_columns : int
    sparse : bool
        As in ``nn.Embedding``: gradients that hold only the rows looked up. SparseAdam and SGD
        take them, Adam does not.

    Examples
    --------
    >>> table = small_embedding(944, 50)
    >>> table.weight.shape, round(table.weight.std().item(), 2)
    (torch.Size([944, 50]), 0.01)
    """
    table = _Table(n_rows, n_columns, sparse=sparse)
    nn.init.normal_(table.weight, 0, 0.01)
    return table


class _Table(nn.Embedding):
    """Looks rows up so that the backward pass takes half the time on the CPU; equal gradients."""

    def forward(self, idx: Tensor) -> Tensor:
        if self.sparse or self.weight.device.type != "cpu":  # elsewhere the sums would not repeat
            return super().forward(idx)
        rows = self.weight.index_select(0, idx.flatten())
        return rows.view(*idx.shape, self.embedding_dim)


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
