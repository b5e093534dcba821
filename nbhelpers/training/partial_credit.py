"""Partial credit: a negative that resembles the positive is a smaller mistake."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

PairLoss = Callable[..., Tensor]


def partial_credit(
    loss: PairLoss, attributes: Mapping[str, Tensor], weights: Mapping[str, float]
) -> PartialCredit:
    """A loss that charges less for negatives that share metadata with their positive.

    The credit of a negative is the sum, over the attributes, of the weight times what the two
    items share of it (``shared``). It is subtracted from the negative's score before the loss
    sees it. So a hinge with margin 1 asks for a lead of 1 - credit, as in Collie, and every
    loss that grows with the scores of the negatives charges less for the pair. Weights of 0
    leave the loss as it is.

    Parameters
    ----------
    loss : callable
        Of ``(positive_scores (batch,), negative_scores (batch, n_negatives))``, such as
        ``bpr_loss``. One that needs more gets it first, as by ``functools.partial(warp_loss,
        n_items=...)``. It sees the negatives after the credit: the hardest, or the first
        violator, is chosen by what is left.
    attributes : mapping of str to Tensor, shape (n_items,) or (n_items, n_values)
        Row k describes item index k: a category as an integer, negative for unknown, or zeros
        and ones, one column for each value. Best kept on the device of the batches.
    weights : mapping of str to float
        For each attribute, at least 0; at most 1 in sum.

    Returns
    -------
    PartialCredit
        Called with ``(positive_scores, negative_scores, item_idx, negatives)``.

    Raises
    ------
    ValueError
        If names, weights or shapes do not fit.

    References
    ----------
    Collie (2021), Losses, partial credit, https://collie.readthedocs.io/en/latest/loss.html.
    There an attribute is one category, and the hardest negative is chosen before the credit.

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.training.losses import hinge_loss
    >>> genre = torch.tensor([0, 0, 1])  # of items 0, 1 and 2
    >>> loss = partial_credit(hinge_loss, {"genre": genre}, {"genre": 0.5})
    >>> positive, negatives = torch.tensor([0]), torch.tensor([[1], [2]])
    >>> for negative in negatives:  # of the same genre, then of another; all scores are equal
    ...     loss(torch.zeros(1), torch.zeros(1, 1), positive, negative.unsqueeze(0)).item()
    0.5
    1.0
    """
    _check_weights(attributes, weights)
    tables = {name: _checked_table(name, table) for name, table in attributes.items()}
    if len({len(table) for table in tables.values()}) > 1:
        sizes = {name: len(table) for name, table in list(tables.items())[:3]}
        raise ValueError(f"attributes must have one row for each item, got {sizes} rows")
    return PartialCredit(loss, tables, weights)


class PartialCredit:
    """A loss made by ``partial_credit``; it wants to know the items that the scores are of."""

    def __init__(
        self, loss: PairLoss, tables: Mapping[str, Tensor], weights: Mapping[str, float]
    ) -> None:
        self.loss, self.tables, self.weights = loss, dict(tables), dict(weights)

    def __call__(
        self,
        positive_scores: Tensor,
        negative_scores: Tensor,
        item_idx: Tensor,
        negatives: Tensor,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The loss, shape (), after the credit.

        Parameters
        ----------
        positive_scores, item_idx : Tensor, shape (batch,)
        negative_scores, negatives : Tensor, shape (batch, n_negatives)
        weights : Tensor of float, shape (batch,), optional
            How much each row counts; the loss must take ``weights`` then.

        Raises
        ------
        ValueError
            If items and scores do not fit.
        """
        _check_items(positive_scores, negative_scores, item_idx, negatives)
        credit = torch.zeros_like(negative_scores)  # (batch, n_negatives)
        for name, table in self.tables.items():
            credit += self.weights[name] * shared(table.to(item_idx.device), item_idx, negatives)
        if weights is None:
            return self.loss(positive_scores, negative_scores - credit)
        return self.loss(positive_scores, negative_scores - credit, weights=weights)


def shared(table: Tensor, item_idx: Tensor, negatives: Tensor) -> Tensor:
    """How much of an attribute each negative shares with its positive, between 0 and 1.

    Parameters
    ----------
    table : Tensor of int, shape (n_items,), or of bool, shape (n_items, n_values)
        Category of each item, negative for unknown; or which values it has.
    item_idx : Tensor of int, shape (batch,)
    negatives : Tensor of int, shape (batch, n_negatives)

    Returns
    -------
    Tensor of float32, shape (batch, n_negatives)
        Categories: 1 if equal and known, else 0. Values: how many both items have over how many
        either has (Jaccard), 0 if neither has any.
    """
    own, other = table[item_idx].unsqueeze(1), table[negatives]
    if table.dim() == 1:
        return ((own == other) & (own >= 0)).float()
    either = (own | other).sum(dim=2)  # (batch, n_negatives)
    return (own & other).sum(dim=2) / either.clamp(min=1)


def _check_weights(attributes: Mapping[str, Tensor], weights: Mapping[str, float]) -> None:
    if not attributes or attributes.keys() != weights.keys():
        raise ValueError(
            "attributes and weights must have the same names, at least one, "
            f"got {list(attributes)[:3]} and {list(weights)[:3]}"
        )
    bad = {name: weight for name, weight in weights.items() if not 0 <= weight < math.inf}
    if bad:
        raise ValueError(f"weights must be at least 0, got {dict(list(bad.items())[:3])}")
    total = math.fsum(weights.values())
    if total > 1 + 1e-9:  # 0.1 and its like are not exact
        raise ValueError(f"weights must be at most 1 in sum, got {total:g}: divide them by it")


def _checked_table(name: str, table: Tensor) -> Tensor:
    """A copy, as bool where it holds zeros and ones."""
    if table.dim() == 1 and not table.is_floating_point():
        return table.clone()
    if table.dim() != 2:
        raise ValueError(
            f"attribute {name!r} must hold integers of shape (n_items,), or zeros and ones of "
            f"shape (n_items, n_values), got {table.dtype} of shape {tuple(table.shape)}"
        )
    if not ((table == 0) | (table == 1)).all():
        raise ValueError(f"attribute {name!r} has two dimensions: it must hold 0 and 1 only")
    return table == 1


def _check_items(
    positive_scores: Tensor, negative_scores: Tensor, item_idx: Tensor, negatives: Tensor
) -> None:
    pairs = {"item_idx": (item_idx, positive_scores), "negatives": (negatives, negative_scores)}
    for name, (items, scores) in pairs.items():
        if items.shape != scores.shape:
            raise ValueError(
                f"{name} must have the shape of their scores, {tuple(scores.shape)}, "
                f"got {tuple(items.shape)}"
            )
