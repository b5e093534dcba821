"""A table of scores as a model, so that it is judged and listed as any model is."""

from __future__ import annotations

from torch import Tensor


class FixedScores:
    """Scores that were computed elsewhere: a row for each user, a column for each item.

    Parameters
    ----------
    scores : Tensor, shape (n_users, n_items)
        Higher is better. Taken without gradients, not copied.

    Attributes
    ----------
    n_users, n_items : int

    Raises
    ------
    ValueError
        If the scores are no table.

    Examples
    --------
    >>> import torch
    >>> model = FixedScores(torch.tensor([[0.5, 2.0], [1.0, 0.0]]))
    >>> model.score_users(torch.tensor([1]))
    tensor([[1., 0.]])
    """

    def __init__(self, scores: Tensor) -> None:
        if scores.dim() != 2:
            raise ValueError(f"scores of shape (n_users, n_items) wanted, got {(*scores.shape,)}")
        self.scores = scores.detach()
        self.n_users, self.n_items = scores.shape

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return self.scores[user_idx]
