"""Losses of ranking that torch lacks: positives against sampled negatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def logistic_loss(positive_scores: Tensor, negative_scores: Tensor) -> Tensor:
    """Mean cross-entropy of telling positives (1) from negatives (0), each pair by itself.

    It takes scores, not probabilities: a sigmoid first would round a score of 20 to exactly 1,
    and its logarithm or its gradient would be lost.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
        Logits.
    negative_scores : Tensor of float, shape (batch, n_negatives)

    Returns
    -------
    Tensor of float, shape ()
        Mean over all ``batch * (1 + n_negatives)`` pairs; 0.69 for scores of zero.

    References
    ----------
    He et al. (2017), Neural Collaborative Filtering, eq. 7, https://arxiv.org/abs/1708.05031
    """
    total = functional.softplus(-positive_scores).sum() + functional.softplus(negative_scores).sum()
    return total / (positive_scores.numel() + negative_scores.numel())


def softmax_loss(positive_scores: Tensor, negative_scores: Tensor) -> Tensor:
    """Mean cross-entropy of picking each positive out of itself and its own negatives.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
    negative_scores : Tensor of float, shape (batch, n_negatives)

    Returns
    -------
    Tensor of float, shape ()
        Mean over the positives; log(1 + n_negatives) for equal scores.
    """
    scores = torch.cat([positive_scores.unsqueeze(1), negative_scores], dim=1)
    return (scores.logsumexp(dim=1) - positive_scores).mean()


def sampled_softmax_loss(
    scores: Tensor,
    item_idx: Tensor,
    *,
    log_q: Tensor | None = None,
    known: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of picking each user's item out of all items of the batch.

    The positives of the other rows serve as negatives: nothing has to be drawn. Three things
    have to be put right. A popular item is a negative more often than a rare one, which
    ``log_q`` makes up for. The same item may stand in several columns: a copy of a row's
    positive never counts as its negative. And a column may hold another item that the user is
    known to like, which ``known`` takes out.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, n_columns)
        Score of each row's user for each column's item. The first ``batch`` columns hold the
        positives, row k's in column k; further columns are further negatives.
    item_idx : Tensor of int, shape (n_columns,)
        The item of each column.
    log_q : Tensor of float, shape (n_columns,), optional
        Log-probability that one draw brings the column's item: for the positives of a batch,
        the logarithm of its share of all positives. It is subtracted from the scores, those of
        the positives included, as in the paper. What is trained is the score before the
        subtraction, and that is the one to rank by.
    known : Tensor of bool, shape (batch, n_columns), optional
        Pairs that are no negatives; on a row's own positive it changes nothing.

    Returns
    -------
    Tensor of float, shape ()
        Mean over the rows. A batch of one has nothing to pick from: its loss is 0.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.

    References
    ----------
    Yi et al. (2019), Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations, eq. 3 and 4, https://doi.org/10.1145/3298689.3346996. The paper keeps
    copies of a positive and known items among the negatives; here both are masked.
    """
    _check_shapes(scores, item_idx, log_q, known)
    n_rows = len(scores)
    not_negative = item_idx[:n_rows].unsqueeze(1) == item_idx  # (batch, n_columns)
    if known is not None:
        not_negative = not_negative | known
    not_negative.fill_diagonal_(False)
    corrected = scores if log_q is None else scores - log_q
    corrected = corrected.masked_fill(not_negative, -torch.inf)
    return functional.cross_entropy(corrected, torch.arange(n_rows, device=scores.device))


def _check_shapes(
    scores: Tensor, item_idx: Tensor, log_q: Tensor | None, known: Tensor | None
) -> None:
    if scores.dim() != 2 or not 0 < scores.shape[0] <= scores.shape[1]:
        raise ValueError(
            "scores must have the shape (batch, n_columns), with a column for each row's "
            f"positive first, got {tuple(scores.shape)}"
        )
    columns = {"item_idx": item_idx, "log_q": log_q}
    wanted = dict.fromkeys(columns, (scores.shape[1],)) | {"known": tuple(scores.shape)}
    for name, tensor in (columns | {"known": known}).items():
        if tensor is not None and tuple(tensor.shape) != wanted[name]:
            raise ValueError(
                f"{name} must have the shape {wanted[name]}, got {tuple(tensor.shape)}"
            )
