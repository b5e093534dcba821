"""Losses of ranking that torch lacks: positives against negatives, or against the catalog.

Losses of pairs take the scores of positives, shape (batch,), and of negatives, shape
(batch, n_negatives), row k holding those drawn for positive k; ``partial_credit`` wraps any of
these. ``weights``, shape (batch,), say how often each row counts in the mean: a row of weight 2
counts as two equal rows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nbhelpers.sampling.violators import rank_weights
from nbhelpers.training.weighted_losses import weighted_mean


def logistic_loss(
    positive_scores: Tensor, negative_scores: Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy of telling positives (1) from negatives (0), each pair by itself.

    It takes scores, not probabilities: a sigmoid first would round a score of 20 to exactly 1,
    and its logarithm or its gradient would be lost.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
        Logits.
    negative_scores : Tensor of float, shape (batch, n_negatives)
    weights : Tensor of float, shape (batch,), optional
        Of each positive with its negatives.

    Returns
    -------
    Tensor of float, shape ()
        Mean over all ``batch * (1 + n_negatives)`` pairs; 0.69 for scores of zero.

    References
    ----------
    He et al. (2017), Neural Collaborative Filtering, eq. 7, https://arxiv.org/abs/1708.05031
    """
    _check_rows(positive_scores)
    positive, negative = functional.softplus(-positive_scores), functional.softplus(negative_scores)
    if weights is None:
        return (positive.sum() + negative.sum()) / (positive.numel() + negative.numel())
    return weighted_mean(torch.cat([positive.unsqueeze(1), negative], dim=1), weights)


def softmax_loss(
    positive_scores: Tensor, negative_scores: Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy of picking each positive out of itself and its own negatives.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
    negative_scores : Tensor of float, shape (batch, n_negatives)
    weights : Tensor of float, shape (batch,), optional

    Returns
    -------
    Tensor of float, shape ()
        Mean over the positives; log(1 + n_negatives) for equal scores.
    """
    _check_rows(positive_scores)
    scores = torch.cat([positive_scores.unsqueeze(1), negative_scores], dim=1)
    return weighted_mean(scores.logsumexp(dim=1) - positive_scores, weights)


def bpr_loss(
    positive_scores: Tensor, negative_scores: Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """Mean of -log sigmoid(positive - negative): each positive should beat each of its negatives.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
    negative_scores : Tensor of float, shape (batch, n_negatives)
    weights : Tensor of float, shape (batch,), optional

    Returns
    -------
    Tensor of float, shape ()
        Mean over the ``batch * n_negatives`` pairs; 0.69 for equal scores.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or there is no pair.

    References
    ----------
    Rendle et al. (2009), BPR: Bayesian Personalized Ranking from Implicit Feedback, sec. 4.1,
    https://arxiv.org/abs/1205.2618. The criterion's norm of the parameters is left to ``wd``.

    Examples
    --------
    >>> import torch
    >>> positive, negative = torch.tensor([2.0]), torch.tensor([[2.0, -98.0]])
    >>> round(bpr_loss(positive, negative[:, :1]).item(), 2)  # no lead: log 2
    0.69
    >>> round(bpr_loss(positive, negative).item(), 2)  # the second negative is beaten by far
    0.35
    """
    leads = _leads(positive_scores, negative_scores)
    return weighted_mean(functional.softplus(-leads), weights)


def hinge_loss(
    positive_scores: Tensor,
    negative_scores: Tensor,
    *,
    margin: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean of what each positive lacks to lead each of its negatives by ``margin``.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
    negative_scores : Tensor of float, shape (batch, n_negatives)
    margin : float
        In units of the scores. A pair further apart costs nothing, and moves nothing.
    weights : Tensor of float, shape (batch,), optional

    Returns
    -------
    Tensor of float, shape ()
        Mean over the ``batch * n_negatives`` pairs; ``margin`` for equal scores.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or there is no pair.

    References
    ----------
    Joachims (2002), Optimizing Search Engines using Clickthrough Data, optimization problem 1
    (its slacks, without the norm), https://doi.org/10.1145/775047.775067
    """
    return weighted_mean((margin - _leads(positive_scores, negative_scores)).relu(), weights)


def adaptive_hinge_loss(
    positive_scores: Tensor,
    negative_scores: Tensor,
    *,
    margin: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """``hinge_loss`` against the hardest negative of each row alone, the one that scores highest.

    Parameters
    ----------
    positive_scores, negative_scores, margin, weights
        As for ``hinge_loss``. More negatives make the hardest harder.

    Returns
    -------
    Tensor of float, shape ()
        Mean over the positives.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or there is no pair.

    References
    ----------
    Kula (2017), Spotlight, adaptive hinge, https://maciejkula.github.io/spotlight/losses.html

    Examples
    --------
    >>> import torch
    >>> positive, negative = torch.tensor([2.0]), torch.tensor([[1.5, -5.0, 0.0]])
    >>> adaptive_hinge_loss(positive, negative).item()  # leads the hardest by 0.5, not by 1
    0.5
    """
    hardest = _leads(positive_scores, negative_scores).min(dim=1).values  # (batch,)
    return weighted_mean((margin - hardest).relu(), weights)


def warp_loss(
    positive_scores: Tensor,
    negative_scores: Tensor,
    *,
    n_items: int,
    margin: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean hinge of each row's first violator, weighted by the rank that its position suggests.

    Negatives are tried in their order, until one comes within ``margin`` of the positive. If that
    takes N tries, about ``(n_items - 1) / N`` items do so: the fewer tries, the worse the rank,
    and the higher the weight, L(rank) = 1 + 1/2 + ... + 1/rank.

    Parameters
    ----------
    positive_scores : Tensor of float, shape (batch,)
    negative_scores : Tensor of float, shape (batch, n_negatives)
        In the order drawn. A row without a violator costs nothing.
    n_items : int
        Size of the catalog, at least 2.
    margin : float
        In units of the scores.
    weights : Tensor of float, shape (batch,), optional

    Returns
    -------
    Tensor of float, shape ()
        Mean over the positives. A higher score of the positive can raise it: a harder violator
        may come first then.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, there is no pair, or ``n_items`` is below 2.

    References
    ----------
    Weston et al. (2011), WSABIE: Scaling Up To Large Vocabulary Image Annotation, algorithm 1,
    https://www.ijcai.org/Abstract/11/460. The paper draws up to ``n_items - 1`` negatives, here
    the search ends with those given: low ranks go unseen. It also bounds the norm of the vectors.
    """
    lacks = (margin - _leads(positive_scores, negative_scores)).relu()  # (batch, n_negatives)
    first = (lacks > 0).int().argmax(dim=1)  # (batch,): 0 where there is none, and lacks are 0
    tries = torch.arange(1, lacks.shape[1] + 1)  # (n_negatives,)
    costs = rank_weights(tries, n_items=n_items, dtype=lacks.dtype)  # (n_negatives,)
    costs = costs.to(lacks.device)[first]  # (batch,)
    return weighted_mean(costs * lacks.gather(1, first.unsqueeze(1)).squeeze(1), weights)


def sampled_softmax_loss(
    scores: Tensor,
    item_idx: Tensor,
    *,
    log_q: Tensor | None = None,
    seen: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of picking each user's item out of all items of the batch.

    The positives of the other rows serve as negatives: nothing has to be drawn. Three things
    have to be put right. A popular item is a negative more often than a rare one, which
    ``log_q`` makes up for. The same item may stand in several columns: a copy of a row's
    positive never counts as its negative. And a column may hold another item that the user is
    known to like, which ``seen`` takes out.

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
    seen : Tensor of bool, shape (batch, n_columns), optional
        Pairs that are no negatives; on a row's own positive it changes nothing.
    weights : Tensor of float, shape (batch,), optional
        Of each row as a positive. As a negative of the other rows it counts once all the same.

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
    copies of a positive and seen items among the negatives; here both are masked.
    """
    _check_shapes(scores, item_idx, log_q, seen)
    n_rows = len(scores)
    not_negative = item_idx[:n_rows].unsqueeze(1) == item_idx  # (batch, n_columns)
    if seen is not None:
        not_negative = not_negative | seen
    not_negative.fill_diagonal_(False)
    corrected = scores if log_q is None else scores - log_q
    corrected = corrected.masked_fill(not_negative, -torch.inf)
    own = torch.arange(n_rows, device=scores.device)
    if weights is None:
        return functional.cross_entropy(corrected, own)
    return weighted_mean(functional.cross_entropy(corrected, own, reduction="none"), weights)


def full_softmax_loss(scores: Tensor, positives: Tensor) -> Tensor:
    """Mean cross-entropy of picking each positive out of the whole catalog: nothing is sampled.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, n_items)
        Of every item, for each user of a batch.
    positives : Tensor of float, shape (batch, n_items)
        1 for each positive of the user, 0 elsewhere; other numbers are weights of the positives,
        as ``UserBatches`` of weighted interactions have them.

    Returns
    -------
    Tensor of float, shape ()
        Mean over the positives, by their weights; log(n_items) for equal scores.

    Raises
    ------
    ValueError
        If the shapes differ, or there is no positive.

    References
    ----------
    Liang et al. (2018), Variational Autoencoders for Collaborative Filtering, eq. 2,
    https://arxiv.org/abs/1802.05814

    Examples
    --------
    >>> import torch
    >>> scores, positives = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    >>> round(full_softmax_loss(scores, positives).item(), 2)  # log 4: four items alike
    1.39
    """
    if scores.shape != positives.shape:
        raise ValueError(
            f"scores and positives must have one shape, got {tuple(scores.shape)} and "
            f"{tuple(positives.shape)}"
        )
    total = positives.sum()
    if not total > 0:
        raise ValueError("at least one positive is required, got none")
    return -(positives * scores.log_softmax(dim=1)).sum() / total


def _check_rows(positive_scores: Tensor) -> None:
    if positive_scores.dim() != 1 or not len(positive_scores):
        raise ValueError(
            "positive_scores must have the shape (batch,), with at least one row, "
            f"got {tuple(positive_scores.shape)}"
        )


def _leads(positive_scores: Tensor, negative_scores: Tensor) -> Tensor:
    """Positive minus negative, shape (batch, n_negatives)."""
    _check_rows(positive_scores)
    shape, n_rows = tuple(negative_scores.shape), len(positive_scores)
    if len(shape) != 2 or shape[0] != n_rows or not shape[1]:
        raise ValueError(
            f"negative_scores must have the shape ({n_rows}, n_negatives), with at least one "
            f"negative for each of the {n_rows} positives, got {shape}"
        )
    return positive_scores.unsqueeze(1) - negative_scores


def _check_shapes(
    scores: Tensor, item_idx: Tensor, log_q: Tensor | None, seen: Tensor | None
) -> None:
    if scores.dim() != 2 or not 0 < scores.shape[0] <= scores.shape[1]:
        raise ValueError(
            "scores must have the shape (batch, n_columns), with a column for each row's "
            f"positive first, got {tuple(scores.shape)}"
        )
    columns = {"item_idx": item_idx, "log_q": log_q}
    wanted = dict.fromkeys(columns, (scores.shape[1],)) | {"seen": tuple(scores.shape)}
    for name, tensor in (columns | {"seen": seen}).items():
        if tensor is not None and tuple(tensor.shape) != wanted[name]:
            raise ValueError(
                f"{name} must have the shape {wanted[name]}, got {tuple(tensor.shape)}"
            )
