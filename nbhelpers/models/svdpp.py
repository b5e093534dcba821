"""Rating model in which whom and what was rated counts, not only how it was rated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag

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
        Memory holds these pairs, 32 bytes each, and nothing of size users x items.
    y_range : (float, float), optional
        Range of the predicted rating in stars; ``None`` leaves the score unbounded.

    References
    ----------
    Koren (2008), Factorization Meets the Neighborhood, sec. 4 (SVD++, which has the user's half
    and keeps the pair's own rating in), https://doi.org/10.1145/1401890.1401944
    """

    pair_keys: Tensor
    rated_items: Tensor
    rated_starts: Tensor
    rater_users: Tensor
    rater_starts: Tensor
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
        user_idx, item_idx = (idx.long() for idx in rated)
        self._set_pairs(torch.unique(user_idx * n_items + item_idx))

    def _set_pairs(self, keys: Tensor) -> None:
        """Keep the pairs as numbers of cells, ascending, and both ways to walk through them."""
        user_idx, item_idx = keys // self.n_items, keys % self.n_items
        by_item = torch.argsort(item_idx, stable=True)
        self.register_buffer("pair_keys", keys)
        derived = {
            "rated_items": item_idx,
            "rated_starts": _starts(user_idx, self.n_users),
            "rater_users": user_idx[by_item],
            "rater_starts": _starts(item_idx, self.n_items),
        }
        for name, tensor in derived.items():
            self.register_buffer(name, tensor, persistent=False)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take as many pairs as were saved, and find the ways through them anew."""
        saved = state_dict.get(f"{prefix}pair_keys")
        if saved is not None:
            self.pair_keys = torch.empty_like(saved, device=self.pair_keys.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._set_pairs(self.pair_keys)

    def tables(self) -> tuple[Tensor, Tensor]:
        """Factors of all users and of all items, own and of their history together."""
        rated, raters = self.rated_factors.weight, self.rater_factors.weight
        users = self.user_factors.weight + _sums(rated, self.rated_items, self.rated_starts)
        items = self.item_factors.weight + _sums(raters, self.rater_users, self.rater_starts)
        return users, items  # (n_users, n_factors), (n_items, n_factors)

    def _shares(self, user_idx: Tensor, item_idx: Tensor) -> tuple[Tensor, Tensor]:
        """What a pair's own rating weighs in its user and in its item; 0 if it is not rated."""
        keys = user_idx * self.n_items + item_idx
        before, after = (
            torch.searchsorted(self.pair_keys, keys, right=right) for right in (False, True)
        )
        is_rated = (after - before).float()
        n_rated, n_raters = self.rated_starts.diff(), self.rater_starts.diff()
        return (
            is_rated / n_rated.clamp(min=1).sqrt()[user_idx],
            is_rated / n_raters.clamp(min=1).sqrt()[item_idx],
        )

    def score(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Score of pairs before ``y_range`` bounds it, shape (batch,)."""
        users, items = self.tables()
        share_of_user, share_of_item = self._shares(user_idx, item_idx)  # (batch,)
        own_user = share_of_user.unsqueeze(1) * self.rated_factors(item_idx)
        own_item = share_of_item.unsqueeze(1) * self.rater_factors(user_idx)
        user, item = embedding(user_idx, users) - own_user, embedding(item_idx, items) - own_item
        bias: Tensor = self.user_bias(user_idx) + self.item_bias(item_idx)  # (batch, 1)
        score: Tensor = (user * item).sum(dim=1) + bias.squeeze(1)  # (batch,)
        return score

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        users, items = self.tables()
        user, rater = users[user_idx], self.rater_factors(user_idx)  # (batch, n_factors)
        rated = self.rated_factors.weight  # (n_items, n_factors)
        everything = torch.arange(self.n_items, device=user_idx.device)
        a, b = self._shares(user_idx.unsqueeze(1), everything)  # (batch, n_items)
        # (user - a * rated) . (item - b * rater) for all pairs, multiplied out
        score = user @ items.T - a * (rated * items).sum(1)
        score = score - b * (user * rater).sum(1, keepdim=True) + a * b * (rater @ rated.T)
        bias: Tensor = self.user_bias(user_idx) + self.item_bias.weight.T  # (batch, n_items)
        return self.to_stars(score + bias)


def _starts(idx: Tensor, n_rows: int) -> Tensor:
    """Where the pairs of each row start, and where the last one's end, shape (n_rows + 1,)."""
    ends = torch.bincount(idx, minlength=n_rows).cumsum(0)
    return torch.cat([ends.new_zeros(1), ends])


def _sums(table: Tensor, idx: Tensor, starts: Tensor) -> Tensor:
    """Rows of a table added up over each set, over the root of its size: (n_sets, n_columns)."""
    root = starts.diff().clamp(min=1).sqrt().unsqueeze(1)
    return embedding_bag(idx, table, starts, mode="sum", include_last_offset=True) / root


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
