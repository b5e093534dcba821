"""Metric learning: a user's items lie near the user."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nbhelpers.models.base import Model
from nbhelpers.models.embeddings import small_embedding


class MetricLearning(Model, nn.Module):
    """Score of a pair: minus the squared distance between the user's point and the item's.

    The best score is 0, of an item where the user is. All points lie in the ball of radius 1, so
    no score is below -4. Distances obey the triangle inequality, which dot products need not: two
    items near one user are near each other. There is no bias: to be near many, an item has to
    lie amid them.

    Train it with ``hinge_loss`` or ``warp_loss``, and a ``margin`` of about 0.5: no lead can be
    longer than 4. The logistic loss does not fit, since no score is above 0, and against the
    hardest negative alone, ``adaptive_hinge_loss``, a fast start draws all points to one.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
        Dimensions of the ball.

    Notes
    -----
    A training step may move points out of the ball. The next one first draws them in, each to
    the nearest point of the ball, and so does ``state_dict``. Scores are those of points drawn
    in, whenever they are asked for.

    References
    ----------
    Hsieh et al. (2017), Collaborative Metric Learning, sec. 3,
    https://doi.org/10.1145/3038912.3052639. The paper's loss is a hinge on squared distances,
    weighted by an estimate of the positive's rank, as ``warp_loss`` is by another. Its map from
    item features and its penalty on covariances are left out.

    Examples
    --------
    >>> import torch
    >>> model = MetricLearning(1, 2, n_factors=2)
    >>> model.user_factors.weight.data = torch.tensor([[0.5, 0.0]])
    >>> model.item_factors.weight.data = torch.tensor([[0.5, 0.0], [-0.5, 0.0]])
    >>> model.score_users(torch.tensor([0])).tolist()
    [[0.0, -1.0]]
    """

    def __init__(self, n_users: int, n_items: int, n_factors: int = 32) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.user_factors = small_embedding(n_users, n_factors)
        self.item_factors = small_embedding(n_items, n_factors)
        self.register_state_dict_pre_hook(_draw_all_in)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Scores, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        way = self.user_points(user_idx) - self.item_points(item_idx)  # (batch, n_factors)
        return -way.square().sum(dim=1)  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        items = torch.arange(self.item_factors.num_embeddings, device=user_idx.device)
        return self.user_vectors(user_idx) @ self.item_vectors(items).T

    def user_points(self, user_idx: Tensor) -> Tensor:
        """Where users are in the ball, shape (batch, n_factors)."""
        return self._points(self.user_factors, user_idx)

    def item_points(self, item_idx: Tensor) -> Tensor:
        """Where items are in the ball, shape (batch, n_factors)."""
        return self._points(self.item_factors, item_idx)

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Vectors, shape (batch, n_factors + 2), whose product with those of items is the score.

        The squared distance, multiplied out, has three parts: twice the dot product, and two
        squared lengths. For what lies near a point take ``user_points``.
        """
        points = self.user_points(user_idx)
        length = points.square().sum(dim=1, keepdim=True)  # squared
        return torch.cat([2 * points, -length, torch.ones_like(length)], dim=1)

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Vectors of items, shape (batch, n_factors + 2): see ``user_vectors``."""
        points = self.item_points(item_idx)
        length = points.square().sum(dim=1, keepdim=True)
        return torch.cat([points, torch.ones_like(length), -length], dim=1)

    def _points(self, table: nn.Embedding, idx: Tensor) -> Tensor:
        if self.training:
            _draw_in(table)
        return _in_ball(table(idx))


def _in_ball(points: Tensor) -> Tensor:
    """Points, and for one outside the ball the nearest within.

    That is a rounding error inside the edge, so that doing it again changes nothing.
    """
    length = torch.linalg.vector_norm(points, dim=1, keepdim=True)  # (batch, 1)
    return torch.where(length > 1, points / (length.clamp(min=1) * (1 + 1e-6)), points)


@torch.no_grad()
def _draw_in(table: nn.Embedding) -> None:
    table.weight.copy_(_in_ball(table.weight))


def _draw_all_in(model: nn.Module, prefix: str, keep_vars: bool) -> None:
    """What ``state_dict`` does first."""
    for table in model.children():
        if isinstance(table, nn.Embedding):
            _draw_in(table)
