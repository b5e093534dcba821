"""Neural collaborative filtering: networks in place of the dot product, and beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from nbhelpers.models.base import Model
from nbhelpers.models.collab_nn import CollabNN
from nbhelpers.models.embeddings import small_embedding


class GMF(Model, nn.Module):
    """Generalized matrix factorization: a dot product whose factors have learned weights.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int

    References
    ----------
    He et al. (2017), Neural Collaborative Filtering, sec. 3.2, https://arxiv.org/abs/1708.05031.
    The output has a bias as in the authors' program, and no sigmoid: the score is a logit.
    """

    def __init__(self, n_users: int, n_items: int, n_factors: int = 8) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.user_factors = small_embedding(n_users, n_factors)
        self.item_factors = small_embedding(n_items, n_factors)
        self.output = nn.Linear(n_factors, 1)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        product = self.user_factors(user_idx) * self.item_factors(item_idx)
        logit: Tensor = self.output(product)  # (batch, 1)
        return logit.squeeze(1)  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,)."""
        weighted: Tensor = self.user_factors(user_idx) * self.output.weight  # (batch, n_factors)
        return weighted @ self.item_factors.weight.T + self.output.bias  # (batch, n_items)

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Weighted factors and the output's bias, shape (batch, n_factors + 1)."""
        weighted: Tensor = self.user_factors(user_idx) * self.output.weight
        return torch.cat([weighted, self.output.bias.expand(len(weighted), 1)], dim=1)

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Factors and a one, shape (batch, n_factors + 1): a dot product away from the score."""
        factors: Tensor = self.item_factors(item_idx)
        return torch.cat([factors, torch.ones_like(factors[:, :1])], dim=1)


class MLP(CollabNN):
    """A network that reads a user's and an item's factors side by side: ``CollabNN`` on logits.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
        Of a user, and of an item: the network reads twice as many numbers.
    n_hidden : sequence of int
        Width of each hidden layer; the paper halves it from layer to layer.

    References
    ----------
    He et al. (2017), Neural Collaborative Filtering, sec. 3.3, https://arxiv.org/abs/1708.05031

    Examples
    --------
    >>> import torch
    >>> model = MLP(943, 1682, n_factors=16)
    >>> model
    MLP(n_factors=16, n_hidden=(16, 8)): 943 users, 1,682 items
    >>> model.score_users(torch.tensor([0, 1])).shape
    torch.Size([2, 1682])
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 16,
        *,
        n_hidden: Sequence[int] = (16, 8),
    ) -> None:
        super().__init__(
            n_users,
            n_items,
            n_user_factors=n_factors,
            n_item_factors=n_factors,
            n_hidden=n_hidden,
            y_range=None,
        )


class NeuMF(Model, nn.Module):
    """Neural matrix factorization: the logits of a ``GMF`` and of an ``MLP``, added.

    The paper lays the product of the factors and the last hidden layer side by side and takes
    one linear layer over both. That layer is a sum of two parts, one over each: the output layer
    of the ``GMF`` and that of the ``MLP``. So the sum is the same model, and each part stays a
    model of its own.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
        Of the ``GMF``.
    n_mlp_factors, n_hidden
        Of the ``MLP``: see there. The two parts share no table.

    References
    ----------
    He et al. (2017), Neural Collaborative Filtering, sec. 3.4, https://arxiv.org/abs/1708.05031.
    Here each part has a bias; together they act as one.

    Examples
    --------
    >>> import torch
    >>> gmf, mlp = GMF(3, 4), MLP(3, 4)
    >>> model = NeuMF.from_pretrained(gmf, mlp)  # each has half a say
    >>> pairs = torch.tensor([0, 1, 2]), torch.tensor([3, 2, 1])
    >>> torch.allclose(model(*pairs), (gmf(*pairs) + mlp(*pairs)) / 2, atol=1e-6)
    True
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 8,
        *,
        n_mlp_factors: int = 16,
        n_hidden: Sequence[int] = (16, 8),
    ) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.gmf = GMF(n_users, n_items, n_factors)
        self.mlp = MLP(n_users, n_items, n_mlp_factors, n_hidden=n_hidden)

    @classmethod
    def from_pretrained(cls, gmf: GMF, mlp: MLP, *, alpha: float = 0.5) -> Self:
        """A model that starts from two trained ones; theirs stay as they are.

        Parameters
        ----------
        gmf, mlp : GMF, MLP
            For the same users and items.
        alpha : float
            Share of the ``GMF`` in the first logits, 0 to 1; the rest is the ``MLP``'s. At 0 or
            1 the part without a share starts with an output layer of zeros.

        Returns
        -------
        NeuMF
            Its logit is ``alpha`` times that of ``gmf`` plus ``1 - alpha`` times that of ``mlp``.

        Raises
        ------
        ValueError
            If the sizes differ or ``alpha`` is outside 0 to 1.

        References
        ----------
        He et al. (2017), sec. 3.4.1, eq. 13; they go on with plain gradient descent, because the
        moments of Adam are not carried over.
        """
        shapes = [
            (part.user_factors.num_embeddings, part.item_factors.num_embeddings)
            for part in (gmf, mlp)
        ]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"gmf and mlp must be for the same users and items, got {shapes[0]} and {shapes[1]}"
            )
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
        model = cls(
            *shapes[0],
            gmf.user_factors.embedding_dim,
            n_mlp_factors=mlp.user_factors.embedding_dim,
            n_hidden=[layer.out_features for layer in mlp.layers if isinstance(layer, nn.Linear)][
                :-1
            ],
        )
        model.gmf.load_state_dict(gmf.state_dict())
        model.mlp.load_state_dict(mlp.state_dict())
        with torch.no_grad():
            for weight in model.gmf.output.parameters():
                weight.mul_(alpha)
            for weight in model.mlp.layers[-1].parameters():
                weight.mul_(1 - alpha)
        return model

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        logit: Tensor = self.gmf(user_idx, item_idx) + self.mlp(user_idx, item_idx)
        return logit

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,), in blocks."""
        return self.gmf.score_users(user_idx) + self.mlp.score_users(user_idx)
