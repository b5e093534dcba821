"""The loss that needs no negatives: every item that a user did not choose is one."""

from __future__ import annotations

from torch import Tensor


def full_softmax_loss(scores: Tensor, positives: Tensor) -> Tensor:
    """Mean cross-entropy of picking each positive out of the whole catalog: nothing is sampled.

    Parameters
    ----------
    scores : Tensor of float, shape (batch, n_items)
        Of every item, for each user of a batch.
    positives : Tensor of float, shape (batch, n_items)
        1 for each positive of the user, 0 elsewhere; other numbers weight positives.

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
