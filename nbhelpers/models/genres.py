"""Rating models that know the genres of a film."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from nbhelpers.core.folded import YRange
from nbhelpers.data.datasets.movielens import GENRE_PREFIX
from nbhelpers.models.collab_nn import CollabNN, hidden_layers
from nbhelpers.models.dot_product import DotProductBias

PADDING = 0
# A bag of n genres is the sum of its vectors over n to this power.
POOLING_POWER = {"sum": 0.0, "mean": 1.0, "sqrt": 0.5}


def genre_names(items: pd.DataFrame) -> list[str]:
    """Names of the genres in a frame of items, sorted; genre k of a bag is number k - 1 here.

    Parameters
    ----------
    items : DataFrame
        With one column of zeros and ones for each genre: ``genre_Action``, ...

    Returns
    -------
    list of str
        Without the prefix.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> import pandas as pd
    >>> genre_names(pd.DataFrame({"title": ["Heat"], "genre_Drama": [1], "genre_Action": [1]}))
    ['Action', 'Drama']
    """
    names = [name for name in map(str, items.columns) if name.startswith(GENRE_PREFIX)]
    if not names:
        raise ValueError(
            f"at least one column {GENRE_PREFIX}... is required, got {list(items.columns)[:3]}"
        )
    return sorted(name.removeprefix(GENRE_PREFIX) for name in names)


def genre_bags(items: pd.DataFrame) -> Tensor:
    """Genres of each item as numbers from 1, padded with 0, and an empty row for the unknown item.

    Parameters
    ----------
    items : DataFrame
        Row k describes item index k, as ``align_metadata`` returns it, with one column of zeros
        and ones for each genre.

    Returns
    -------
    Tensor of int64, shape (n_items + 1, max_genres)
        Between 0 and the number of genres. An item without a genre has a row of zeros.

    Raises
    ------
    ValueError
        If there is no genre column, or one holds anything but 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> genre_bags(pd.DataFrame({"genre_Action": [1, 0], "genre_Drama": [1, 1]}))
    tensor([[1, 2],
            [2, 0],
            [0, 0]])
    """
    flags = items[[GENRE_PREFIX + name for name in genre_names(items)]]
    odd = flags.columns[~flags.isin([0, 1]).all()]
    if len(odd):
        raise ValueError(f"genre columns must hold 0 and 1 only, {odd[0]} does not")
    rows, genres = np.nonzero(flags.to_numpy(dtype=np.int8))
    counts = np.bincount(rows, minlength=len(items) + 1)  # the last one is the unknown item
    places = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
    bags = np.full((len(counts), max(1, counts.max())), PADDING, dtype=np.int64)
    bags[rows, places] = genres + 1
    return torch.from_numpy(bags)


class GenreBag(nn.Module):
    """Table with a row for each genre, from which an item gets the pooled rows of its genres.

    The genres are a buffer: they travel with the weights, and an item's vector depends on its
    own genres alone, whatever else is in the batch. An item without a genre gets zeros.

    Parameters
    ----------
    genres : Tensor of int64, shape (n_items, max_genres)
        From ``genre_bags``, padded with 0.
    names : sequence of str
        From ``genre_names``.
    n_columns : int
    pooling : {"sum", "mean", "sqrt"}
        Sum of the n rows, the sum over n, or the sum over the root of n.

    Raises
    ------
    ValueError
        If ``pooling`` is another word, or ``genres`` is no table of genre numbers.
    """

    bags: Tensor

    def __init__(
        self, genres: Tensor, names: Sequence[str], n_columns: int, *, pooling: str = "mean"
    ) -> None:
        super().__init__()
        _check_bags(genres, len(names))
        if pooling not in POOLING_POWER:
            raise ValueError(f"pooling must be one of {list(POOLING_POWER)}, got {pooling!r}")
        self.register_buffer("bags", genres.clone())
        self.names, self.pooling = tuple(names), pooling
        self.table = nn.EmbeddingBag(len(names) + 1, n_columns, mode="sum", padding_idx=PADDING)
        with torch.no_grad():
            self.table.weight.normal_(0, 0.01)[PADDING] = 0

    def forward(self, item_idx: Tensor) -> Tensor:
        """Pooled rows of items, shape (batch, n_columns)."""
        bags = self.bags[item_idx]  # (batch, max_genres)
        counts = (bags != PADDING).sum(dim=1, keepdim=True).clamp(min=1)  # (batch, 1)
        total: Tensor = self.table(bags)  # (batch, n_columns): the padding adds nothing
        return total / counts.pow(POOLING_POWER[self.pooling])

    def frame(self) -> pd.DataFrame:
        """Rows of the table, one for each genre, indexed by its name."""
        rows = self.table.weight.detach().cpu().numpy()[PADDING + 1 :].copy()
        return pd.DataFrame(rows, index=pd.Index(self.names, name="genre"))


class DotProductGenres(DotProductBias):
    """``DotProductBias`` whose items share factors and biases with others of their genres.

    An item's factors are its own plus those of its genres, pooled, and likewise its bias. An
    item without a genre has exactly the prediction of ``DotProductBias``.

    Parameters
    ----------
    n_users, n_items, n_factors, y_range
        As for ``DotProductBias``.
    genres, genre_names, pooling
        As for ``GenreBag``; ``genres`` has ``n_items`` rows.

    Attributes
    ----------
    genre_factors, genre_bias : GenreBag
        ``genre_bias.frame()`` lists the bias of each genre by name.

    References
    ----------
    Kula (2015), Metadata Embeddings for User and Item Cold-start Recommendations, sec. 3.2
    (there always the sum), https://arxiv.org/abs/1507.08439

    Examples
    --------
    >>> import pandas as pd
    >>> import torch
    >>> films = pd.DataFrame({"genre_Action": [1, 0], "genre_Drama": [1, 1]})
    >>> genres, names = genre_bags(films), genre_names(films)
    >>> model = DotProductGenres(944, 3, n_factors=5, genres=genres, genre_names=names)
    >>> model.score_users(torch.tensor([1, 2])).shape
    torch.Size([2, 3])
    >>> model.genre_factors.frame().shape
    (2, 5)
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        genres: Tensor,
        genre_names: Sequence[str],
        pooling: str = "mean",
        y_range: YRange | None = None,
    ) -> None:
        super().__init__(n_users, n_items, n_factors, y_range=y_range)
        _check_rows(genres, n_items)
        self.genre_factors = GenreBag(genres, genre_names, n_factors, pooling=pooling)
        self.genre_bias = GenreBag(genres, genre_names, 1, pooling=pooling)

    def score(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Score of pairs before ``y_range`` bounds it, shape (batch,)."""
        item_factors = self.item_factors(item_idx) + self.genre_factors(item_idx)
        product: Tensor = self.user_factors(user_idx) * item_factors  # (batch, n_factors)
        bias: Tensor = self.user_bias(user_idx) + self.item_bias(item_idx)  # (batch, 1)
        bias = bias + self.genre_bias(item_idx)
        return product.sum(dim=1) + bias.squeeze(1)  # (batch,)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Predicted rating of every item, shape (batch, n_items), of users, shape (batch,)."""
        items = torch.arange(len(self.genre_bias.bags), device=self.genre_bias.bags.device)
        item_factors = self.item_factors(items) + self.genre_factors(items)
        item_bias = self.item_bias(items) + self.genre_bias(items)  # (n_items, 1)
        score = self.user_factors(user_idx) @ item_factors.T  # (batch, n_items)
        return self.to_stars(score + self.user_bias(user_idx) + item_bias.T)


class CollabNNGenres(CollabNN):
    """``CollabNN`` that also reads the pooled vector of an item's genres.

    Parameters
    ----------
    n_users, n_items, n_user_factors, n_item_factors, n_hidden, y_range
        As for ``CollabNN``.
    n_genre_factors : int
    genres, genre_names, pooling
        As for ``GenreBag``; ``genres`` has ``n_items`` rows.

    Examples
    --------
    >>> import pandas as pd
    >>> films = pd.DataFrame({"genre_Action": [1, 0], "genre_Drama": [1, 1]})
    >>> genres, names = genre_bags(films), genre_names(films)
    >>> widths = {"n_user_factors": 20, "n_item_factors": 10, "n_genre_factors": 4}
    >>> model = CollabNNGenres(944, 3, **widths, genres=genres, genre_names=names)
    >>> model.layers[0].in_features
    34
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        n_user_factors: int,
        n_item_factors: int,
        n_genre_factors: int,
        genres: Tensor,
        genre_names: Sequence[str],
        pooling: str = "mean",
        n_hidden: int | Sequence[int] = 100,
        y_range: YRange | None = (0, 5.5),
    ) -> None:
        widths = {"n_user_factors": n_user_factors, "n_item_factors": n_item_factors}
        super().__init__(n_users, n_items, **widths, n_hidden=n_hidden, y_range=y_range)
        _check_rows(genres, n_items)
        self.genre_factors = GenreBag(genres, genre_names, n_genre_factors, pooling=pooling)
        # The same layers anew, the first one wide enough for the genres.
        self.layers = hidden_layers(sum(widths.values()) + n_genre_factors, n_hidden)

    def item_features(self, item_idx: Tensor) -> Tensor:
        """What the network reads of items: their factors and their genres."""
        return torch.cat([self.item_factors(item_idx), self.genre_factors(item_idx)], dim=1)


def _check_bags(genres: Tensor, n_genres: int) -> None:
    if genres.dim() != 2 or genres.dtype != torch.int64:
        raise ValueError(
            "genres must be an int64 tensor of shape (n_items, max_genres), "
            f"got {genres.dtype} of shape {tuple(genres.shape)}"
        )
    if genres.numel() and not 0 <= int(genres.min()) <= int(genres.max()) <= n_genres:
        raise ValueError(
            f"genres must lie between 0 (padding) and {n_genres}, the number of names, "
            f"got {int(genres.min())} to {int(genres.max())}"
        )


def _check_rows(genres: Tensor, n_items: int) -> None:
    if len(genres) != n_items:
        raise ValueError(
            f"genres must have one row for each of the {n_items} items, got {len(genres)}: align "
            "the films with the vocabulary first; the unknown item has a row too"
        )
