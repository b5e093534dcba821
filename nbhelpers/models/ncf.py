"""Neural collaborative filtering: networks in place of the dot product, and beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from nbhelpers.models.embeddings import small_embedding
from nbhelpers.models.explicit import CollabNN, hidden_layers


class GMF(nn.Module):
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


class NeuMF(nn.Module):
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


class TwoTower(nn.Module):
    """A network for the user, a network for the item; their vectors meet in a dot product.

    The towers see nothing of each other, so the vectors of all items can be computed once and
    kept in an index. A network that reads both sides at once, such as ``MLP``, cannot be served
    that way.

    Parameters
    ----------
    n_users, n_items : int
        Rows of the tables; nobody is unknown.
    n_factors : int
        Columns of the tables, and length of the vectors.
    n_hidden : sequence of int
        Widths of each tower's hidden layers; without them a tower is a table.
    temperature : float, optional
        Without it, vectors have any length, and a popular item may get a long one. With it,
        vectors are scaled to length 1, and their cosine is divided by ``temperature``: the
        score then lies between -1 / temperature and 1 / temperature. Softmax needs scores
        further apart than cosines are, hence values far below 1, such as 0.1.

    References
    ----------
    Yi et al. (2019), Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations, sec. 3, https://doi.org/10.1145/3298689.3346996
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 32,
        *,
        n_hidden: Sequence[int] = (),
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        if temperature is not None and not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.user_tower = _tower(n_users, n_factors, n_hidden)
        self.item_tower = _tower(n_items, n_factors, n_hidden)
        self.n_items, self.temperature = n_items, temperature

    def user_vectors(self, user_idx: Tensor) -> Tensor:
        """Vectors of users, shape (batch, n_factors), already divided by the temperature."""
        vectors: Tensor = self.user_tower(user_idx)
        if self.temperature is None:
            return vectors
        return nn.functional.normalize(vectors, dim=1) / self.temperature

    def item_vectors(self, item_idx: Tensor) -> Tensor:
        """Vectors of items, shape (batch, n_factors); of length 1 if there is a temperature."""
        vectors: Tensor = self.item_tower(item_idx)
        return vectors if self.temperature is None else nn.functional.normalize(vectors, dim=1)

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Logits, shape (batch,), of pairs: two integer tensors of shape (batch,)."""
        return (self.user_vectors(user_idx) * self.item_vectors(item_idx)).sum(dim=1)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Logit of every item, shape (batch, n_items), of users, shape (batch,)."""
        items = torch.arange(self.n_items, device=user_idx.device)
        return self.user_vectors(user_idx) @ self.item_vectors(items).T


def _tower(n_rows: int, n_factors: int, n_hidden: Sequence[int]) -> nn.Sequential:
    """A table, and hidden layers (if any) that end in as many numbers as they start from."""
    table = small_embedding(n_rows, n_factors)
    if not n_hidden:
        return nn.Sequential(table)
    hidden = list(hidden_layers(n_factors, n_hidden))[:-1]
    return nn.Sequential(table, *hidden, nn.Linear(n_hidden[-1], n_factors))
