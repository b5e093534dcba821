"""The table of a model's parameters that other tools print."""

from __future__ import annotations

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
        One row for each tensor of parameters, by name, with the columns ``type`` (of its
        layer), ``shape``, ``parameters`` (how many numbers) and ``trainable``. Two more rows end
        it: ``total``, and ``trainable``, the total of those that train. A tensor that two layers
        share has one row.

    Raises
    ------
    NotFittedError
        If a closed-form model has learned nothing yet.

    Examples
    --------
    >>> from nbhelpers.models.ncf import GMF
    >>> summary(GMF(943, 1682, n_factors=8))  # doctest: +NORMALIZE_WHITESPACE
                              type      shape  parameters trainable
    user_factors.weight  Embedding   (943, 8)        7544       yes
    item_factors.weight  Embedding  (1682, 8)       13456       yes
    output.weight           Linear     (1, 8)           8       yes
    output.bias             Linear       (1,)           1       yes
    total                        -          -       21009         -
    trainable                    -          -       21009         -
    """
    if isinstance(model, nn.Module):
        rows = [
            (name, _kind(model, name), tuple(weight.shape), weight.numel(), weight.requires_grad)
            for name, weight in model.named_parameters()
        ]
    else:
        state = model.state_dict().items()
        rows = [(name, "solved", tuple(each.shape), each.numel(), False) for name, each in state]
    frame = pd.DataFrame(rows, columns=COLUMNS).set_index("layer").rename_axis(None)
    n_all, n_trained = frame.parameters.sum(), frame.parameters[frame.trainable].sum()
    frame["trainable"] = frame.trainable.map({True: "yes", False: "no"})
    totals = {"type": "-", "shape": "-", "parameters": [n_all, n_trained], "trainable": "-"}
    return pd.concat([frame, pd.DataFrame(totals, index=["total", "trainable"])])


def _kind(model: nn.Module, name: str) -> str:
    """Class of the layer that a parameter belongs to; without a leading underscore."""
    path = name.rpartition(".")[0]
    kinds = [kind.__name__ for kind in type(model.get_submodule(path)).__mro__]
    return next(kind for kind in kinds if not kind.startswith("_"))
