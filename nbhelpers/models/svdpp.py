"""Rating model in which whom and what was rated counts, not only how it was rated."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from nbhelpers.core.folded import YRange
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.embeddings import small_embedding


class SVDpp(DotProductBias):
    """Dot product with biases, of a user who is what they rated and an item that is who rated it.

    A user's factors are their own plus those of the items they rated, over the root of how many;
    an item's factors likewise, from the users who rated it. A pair's own rating is left out of
    both: otherwise every training pair, and no new pair, would be told that it was rated.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, the unknown rows included.
    n_factors : int
    rated : (Tensor of int, Tensor of int), each of shape (n,)
        User and item indices of the training rows, and of no other: the ratings are not used.
    y_range : (float, float), optional
        Range of the predicted rating in stars; ``None`` leaves the score unbounded.

    References
    ----------
    Koren (2008), Factorization Meets the Neighborhood, sec. 4 (SVD++, which has the user's half
    and keeps the pair's own rating in), https://doi.org/10.1145/1401890.1401944
    """

    by_user: Tensor
    by_item: Tensor
    user_factors: nn.Embedding
    item_factors: nn.Embedding
    item_bias: nn.Embedding

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        rated: tuple[Tensor, Tensor],
        y_range: YRange | None = (0, 6),
    ) -> None:
        super().__init__(n_users, n_items, n_factors, y_range=y_range)
        self.rated_factors = small_embedding(n_items, n_factors)  # of an item, for its raters
        self.rater_factors = small_embedding(n_users, n_factors)  # of a user, for what they rated
        flags = torch.zeros(n_users, n_items)
        flags[rated] = 1
        n_rated, n_raters = flags.sum(1, keepdim=True), flags.sum(0, keepdim=True)
        self.register_buffer("by_user", flags / n_rated.clamp(min=1).sqrt())
        self.register_buffer("by_item", (flags / n_raters.clamp(min=1).sqrt()).T.contiguous())

    def tables(self) -> tuple[Tensor, Tensor]:
        """Factors of all users and of all items, own and of their history together."""
        users = self.user_factors.weight + self.by_user @ self.rated_factors.weight
        items = self.item_factors.weight + self.by_item @ self.rater_factors.weight
        return users, items  # (n_users, n_factors), (n_items, n_factors)

    def score(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Score of pairs before ``y_range`` bounds it, shape (batch,)."""
        users, items = self.tables()
        own_user = self.by_user[user_idx, item_idx].unsqueeze(1) * self.rated_factors(item_idx)
        own_item = self.by_item[item_idx, user_idx].unsqueeze(1) * self.rater_factors(user_idx)
        user, item = embedding(user_idx, users) - own_user, embedding(item_idx, items) - own_item
        bias: Tensor = self.user_bias(user_idx) + self.item_bias(item_idx)  # (batch, 1)
        score: Tensor = (user * item).sum(dim=1) + bias.squeeze(1)  # (batch,)
        return score

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        users, items = self.tables()
        user, rater = users[user_idx], self.rater_factors(user_idx)  # (batch, n_factors)
        rated = self.rated_factors.weight  # (n_items, n_factors)
        a, b = self.by_user[user_idx], self.by_item[:, user_idx].T  # (batch, n_items)
        # (user - a * rated) . (item - b * rater) for all pairs, multiplied out
        score = user @ items.T - a * (rated * items).sum(1)
        score = score - b * (user * rater).sum(1, keepdim=True) + a * b * (rater @ rated.T)
        bias: Tensor = self.user_bias(user_idx) + self.item_bias.weight.T  # (batch, n_items)
        return self.to_stars(score + bias)


class TimeSVDpp(SVDpp):
    """The same, with a bias for each day on which a user rated: moods, and shared accounts.

    Parameters
    ----------
    n_users, n_items, n_factors, rated, y_range
        As for ``SVDpp``.
    n_user_days : int
        Rows of the table of days. Row 0 stands for a day without training rows and stays 0.

    Examples
    --------
    >>> import torch
    >>> rated = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    >>> model = TimeSVDpp(2, 2, n_factors=4, rated=rated, n_user_days=3)
    >>> model.day_bias.weight.data[2] = 1.0  # a generous day
    >>> user, item, day = torch.tensor([[0], [1], [2]])
    >>> bool(model(user, item, day) > model(user, item))
    True
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        rated: tuple[Tensor, Tensor],
        n_user_days: int,
        y_range: YRange | None = (0, 6),
    ) -> None:
        super().__init__(n_users, n_items, n_factors, rated=rated, y_range=y_range)
        self.day_bias = nn.Embedding(n_user_days, 1, padding_idx=0)
        nn.init.zeros_(self.day_bias.weight)

    def forward(self, user_idx: Tensor, item_idx: Tensor, user_day: Tensor | None = None) -> Tensor:
        """Predicted ratings, shape (batch,); without days, of a day not seen before."""
        score = self.score(user_idx, item_idx)
        if user_day is not None:
            score = score + self.day_bias(user_day).squeeze(1)
        return self.to_stars(score)
