"""The table of a model's parameters that other tools print."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from torch import nn

from nbhelpers.core.recommender import HasState

COLUMNS = ["layer", "type", "shape", "parameters", "trainable"]


def summary(model: HasState) -> pd.DataFrame:
    """Every table and layer of a model: its type, shape, parameters, and whether they train.

    Parameters
    ----------
    model : nn.Module, or one that is solved in closed form
        What a closed-form model learned counts as not trainable: no gradient reaches it.

    Returns
    -------
    DataFrame
        Indexed by ``layer``, one row for each tensor of parameters, with the columns ``type``,
        ``shape``, ``parameters`` (how many numbers) and ``trainable``. Two more rows end it:
        ``total``, and ``trainable``, the total of those that train. A tensor that two layers
        share has one row.

    Raises
    ------
    NotFittedError
        If a closed-form model has learned nothing yet.

    Examples
    --------
    >>> from nbhelpers.models.ncf import GMF
    >>> summary(GMF(943, 1682, n_factors=8))
                              type      shape parameters trainable
    layer
    user_factors.weight  Embedding   (943, 8)      7,544       yes
    item_factors.weight  Embedding  (1682, 8)     13,456       yes
    output.weight           Linear     (1, 8)          8       yes
    output.bias             Linear       (1,)          1       yes
    total                                         21,009
    trainable                                     21,009
    """
