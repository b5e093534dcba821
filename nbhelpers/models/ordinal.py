"""Ratings as a choice among stars: models that give each star a probability."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from nbhelpers.models.base import Model, Wrapper
from nbhelpers.models.collab_nn import CHUNK_SIZE
from nbhelpers.models.embeddings import small_embedding

FIVE_STARS = (1.0, 2.0, 3.0, 4.0, 5.0)


class RatingDistribution(Model, nn.Module):
    """What models of the probability of each star share.

    Parameters
    ----------
    stars : sequence of float
        Every possible rating, ascending, such as 1 to 5, or 0.5 to 5 in halves.

    Raises
    ------
    ValueError
        If there are fewer than two stars, or they do not ascend.
    """

    stars: Tensor

    def __init__(self, stars: Sequence[float] = FIVE_STARS) -> None:
        super().__init__()
        self.register_buffer("stars", _star_tensor(stars))

    def log_probabilities(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logarithm of the probability of each star for pairs, shape (batch, n_stars)."""
        raise NotImplementedError

    def probabilities(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Probability of each star for pairs, shape (batch, n_stars); a row sums to 1."""
        return self.log_probabilities(user_idx, item_idx).exp()

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Expected ratings in stars, shape (batch,), of pairs: two integer tensors (batch,)."""
        return self.probabilities(user_idx, item_idx) @ self.stars


class CategoricalRating(RatingDistribution):
    """Each star a class of its own; nothing tells the model that 4 lies between 3 and 5.

    The logit of a star is a weighted sum of the products of user and item factors, plus a bias of
    the user, of the item and of all for that star.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables, the unknown rows included.
    n_factors : int
    stars : sequence of float
        Every possible rating, ascending.

    Examples
    --------
    >>> import torch
    >>> model = CategoricalRating(944, 1683, n_factors=5)
    >>> chances = model.probabilities(torch.tensor([1, 2]), torch.tensor([10, 20]))
    >>> chances.shape, chances.sum(dim=1).round(decimals=3).tolist()
    (torch.Size([2, 5]), [1.0, 1.0])
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        stars: Sequence[float] = FIVE_STARS,
    ) -> None:
        super().__init__(stars)
        self.n_users, self.n_items = n_users, n_items
        self.user_factors = small_embedding(n_users, n_factors)
        self.item_factors = small_embedding(n_items, n_factors)
        self.user_bias = small_embedding(n_users, len(stars))
        self.item_bias = small_embedding(n_items, len(stars))
        self.star_layer = nn.Linear(n_factors, len(stars))

    def logits(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Unbounded score of each star for pairs, shape (batch, n_stars)."""
        product = self.user_factors(user_idx) * self.item_factors(item_idx)  # (batch, n_factors)
        bias: Tensor = self.user_bias(user_idx) + self.item_bias(item_idx)  # (batch, n_stars)
        logits: Tensor = self.star_layer(product) + bias
        return logits

    def log_probabilities(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logarithm of the probability of each star for pairs, shape (batch, n_stars)."""
        return self.logits(user_idx, item_idx).log_softmax(dim=1)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Expected rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        blocks = user_idx.split(max(1, CHUNK_SIZE // self.item_bias.num_embeddings))
        return torch.cat([self._score_block(block) for block in blocks])

    def _score_block(self, user_idx: Tensor) -> Tensor:
        weight, bias = self.star_layer.parameters()
        users = self.user_factors(user_idx).unsqueeze(1) * weight  # (batch, n_stars, n_factors)
        logits: Tensor = users @ self.item_factors.weight.T  # (batch, n_stars, n_items)
        user_bias = (self.user_bias(user_idx) + bias).unsqueeze(2)  # (batch, n_stars, 1)
        logits = logits + user_bias + self.item_bias.weight.T
        return (logits.softmax(dim=1) * self.stars.unsqueeze(1)).sum(dim=1)  # (batch, n_items)


class OrdinalRating(Wrapper, RatingDistribution):
    """Stars as slices of one scale: a higher score moves probability to higher stars.

    The rating exceeds a star with the probability sigmoid(score - threshold of that star). The
    thresholds are learned; each is the one below plus a positive step, so they cannot cross.

    Parameters
    ----------
    scorer : nn.Module
        Any pair model with ``y_range=None``.
    stars : sequence of float
        Every possible rating, ascending. All are equally likely before training, at score 0.

    Raises
    ------
    ValueError
        If the scorer has a ``y_range``, which would keep the score from the outer thresholds.

    References
    ----------
    McCullagh (1980), Regression Models for Ordinal Data, sec. 2, the proportional odds model,
    https://doi.org/10.1111/j.2517-6161.1980.tb01109.x

    Examples
    --------
    >>> import torch
    >>> from nbhelpers.models.dot_product import DotProductBias
    >>> model = OrdinalRating(DotProductBias(944, 1683))
    >>> model.thresholds().detach()
    tensor([-1.3863, -0.4055,  0.4055,  1.3863])
    >>> model.probabilities(torch.tensor([1, 2]), torch.tensor([10, 20])).shape
    torch.Size([2, 5])
    """

    def __init__(self, scorer: nn.Module, *, stars: Sequence[float] = FIVE_STARS) -> None:
        super().__init__(stars)
        if getattr(scorer, "y_range", None) is not None:
            raise ValueError(f"the scorer needs y_range=None, got {scorer.y_range}")
        self.scorer = scorer
        start = torch.arange(1, len(stars)).div(len(stars)).logit()  # (n_stars - 1,)
        self.lowest = nn.Parameter(start[:1].clone())
        self.steps = nn.Parameter(start.diff().expm1().log())  # before softplus

    @property
    def within(self) -> Any:
        """The model within."""
        return self.scorer

    def thresholds(self) -> Tensor:
        """Scores at which the rating is as likely above a star as not, shape (n_stars - 1,)."""
        return torch.cat([self.lowest, self.lowest + F.softplus(self.steps).cumsum(dim=0)])

    def log_probabilities(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logarithm of the probability of each star for pairs, shape (batch, n_stars)."""
        score: Tensor = self.scorer(user_idx, item_idx)
        above = score.unsqueeze(1) - self.thresholds()  # (batch, n_stars - 1)
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): no difference of two
        # numbers near 1, so the logarithm stays exact. The outer stars have one threshold only.
        below_next = F.pad(F.logsigmoid(-above), (0, 1))
        above_last = F.pad(F.logsigmoid(above), (1, 0))
        gap = F.pad((-torch.expm1(-F.softplus(self.steps))).log(), (1, 1))  # (n_stars,)
        return below_next + above_last + gap

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Expected rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        score: Tensor = self.within.score_users(user_idx)
        stars = self.stars[0].expand_as(score)
        for threshold, step in zip(self.thresholds(), self.stars.diff(), strict=True):
            stars = stars + step * torch.sigmoid(score - threshold)  # a star more, if exceeded
        return stars


class LogProbabilities(Wrapper, nn.Module):
    """The view of a ``RatingDistribution`` that is trained, with ``StarsNLL`` as the loss.

    Training it trains the model within::

        fit(LogProbabilities(model), train, valid, loss=StarsNLL(model.stars.tolist()))

    Parameters
    ----------
    model : RatingDistribution

    Examples
    --------
    >>> import torch
    >>> view = LogProbabilities(CategoricalRating(944, 1683, n_factors=5))
    >>> log_probabilities = view(torch.tensor([1, 2]), torch.tensor([10, 20]))
    >>> log_probabilities.shape
    torch.Size([2, 5])
    """

    def __init__(self, model: RatingDistribution) -> None:
        super().__init__()
        self.model = model

    @property
    def within(self) -> Any:
        """The model within."""
        return self.model

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logarithm of the probability of each star for pairs, shape (batch, n_stars)."""
        return self.model.log_probabilities(user_idx, item_idx)


class StarsNLL:
    """Mean negative log-likelihood of ratings (log-loss): 0 is perfect.

    Parameters
    ----------
    stars : sequence of float
        Every possible rating, ascending: one for each column of the log-probabilities.

    Examples
    --------
    >>> import torch
    >>> loss = StarsNLL([1.0, 2.0, 3.0])
    >>> chances = torch.tensor([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    >>> loss(chances.log(), torch.tensor([2.0, 3.0]))  # the mean of -log 0.5 and -log 1
    tensor(0.3466)
    """

    def __init__(self, stars: Sequence[float] = FIVE_STARS) -> None:
        self.stars = _star_tensor(stars).tolist()

    def __call__(self, log_probabilities: Tensor, rating: Tensor) -> Tensor:
        """Loss of log-probabilities, shape (batch, n_stars), at ratings in stars, (batch,)."""
        return F.nll_loss(log_probabilities, star_classes(rating, rating.new_tensor(self.stars)))


def star_classes(rating: Tensor, stars: Tensor) -> Tensor:
    """Class of each rating: the place of its value among the stars.

    Parameters
    ----------
    rating : Tensor of float, shape (n,)
        In stars.
    stars : Tensor of float, shape (n_stars,)
        Every possible rating, ascending.

    Returns
    -------
    Tensor of int64, shape (n,)
        Between 0 and n_stars - 1.

    Raises
    ------
    ValueError
        If a rating is not among the stars.
    """
    classes = torch.searchsorted(stars, rating).clamp(max=len(stars) - 1)
    strange = rating[stars[classes] != rating]
    if len(strange):
        raise ValueError(f"a rating must be one of {stars.tolist()} stars, got {strange[0]:g}")
    return classes


def _star_tensor(stars: Sequence[float]) -> Tensor:
    if len(stars) < 2 or not all(low < high for low, high in pairwise(stars)):
        raise ValueError(f"stars must be two or more, ascending, got {list(stars)[:3]}")
    return torch.tensor(stars, dtype=torch.float32)
