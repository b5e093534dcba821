import pytest
import torch
from torch import nn

from nbhelpers.data.interactions import Interactions
from nbhelpers.models.item_item import EASE
from nbhelpers.models.ncf import GMF
from nbhelpers.models.summary import summary


def test_every_tensor_of_parameters_has_a_row():
    table = summary(GMF(5, 7, n_factors=2))
    assert table.index.tolist() == [
        "user_factors.weight",
        "item_factors.weight",
        "output.weight",
        "output.bias",
        "total",
        "trainable",
    ]
    assert table["type"].tolist()[:4] == ["Embedding", "Embedding", "Linear", "Linear"]
    assert table["shape"].tolist()[:4] == [(5, 2), (7, 2), (1, 2), (1,)]
    assert table.parameters.tolist() == [10, 14, 2, 1, 27, 27]


def test_what_is_frozen_counts_in_the_total_alone():
    model = GMF(5, 7, n_factors=2)
    model.user_factors.requires_grad_(False)
    table = summary(model)
    assert table.trainable.tolist()[:4] == ["no", "yes", "yes", "yes"]
    assert table.parameters.tolist()[-2:] == [27, 17]


def test_a_tensor_that_two_layers_share_counts_once():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    assert summary(model).parameters.tolist() == [9, 9, 9]


def test_what_a_closed_form_model_learned_is_not_trainable():
    train = Interactions([0, 0, 1], [0, 1, 1], n_users=2, n_items=3)
    table = summary(EASE(reg=2.0).fit(train))
    assert table.loc["item_weights", "shape"] == (3, 3)
    assert table.parameters["trainable"] == 0


def test_a_model_that_is_not_fitted_has_no_summary():
    with pytest.raises(ValueError, match="is it fitted"):
        summary(EASE())


def test_precision_and_place_do_not_matter():
    assert summary(GMF(5, 7).to(torch.float64)).equals(summary(GMF(5, 7)))
