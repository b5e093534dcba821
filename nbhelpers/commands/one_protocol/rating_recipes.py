"""How the rating models of the course are fitted, from the simplest on."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from nbhelpers.commands.one_protocol.recipe import Recipe, Settings, Stars, generator
from nbhelpers.models.baselines import BiasOnly, GlobalMean
from nbhelpers.models.collab_nn import CollabNN
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.fm import FactorizationMachine
from nbhelpers.models.svdpp import SVDpp
from nbhelpers.training.fit import fit
from nbhelpers.training.optimizers import adam_l2, one_cycle

TOP = 5.5  # of the range of predictions, a little above five stars


def fit_mean(known: Stars, settings: Settings) -> GlobalMean:
    """The mean of all ratings, for everything."""
    return GlobalMean(known.n_users, known.n_items).fit(*known.rows)


def fit_biases(known: Stars, settings: Settings) -> BiasOnly:
    """Mean, user bias and item bias, each bias damped."""
    return BiasOnly(known.n_users, known.n_items, **settings).fit(*known.rows)


def fit_dot_product(known: Stars, settings: Settings) -> DotProductBias:
    """Dot product and biases, with a penalty on all of them in the loss."""
    model = DotProductBias(known.n_users, known.n_items, 50, y_range=(0, TOP))
    _train(model, known, lr=0.01, n_epochs=5, batch_size=512, **settings)
    return model


def fit_svdpp(known: Stars, settings: Settings) -> SVDpp:
    """The same, with what a user rated, and who rated an item, in the factors."""
    model = SVDpp(known.n_users, known.n_items, 20, rated=known.rows[:2], y_range=(0, TOP))
    _train(model, known, lr=0.02, n_epochs=10, batch_size=4_000, **settings)
    return model


def fit_network(known: Stars, settings: Settings) -> CollabNN:
    """A network that reads a user's and an item's factors side by side."""
    model = CollabNN(
        known.n_users, known.n_items, n_user_factors=20, n_item_factors=20, y_range=(0, TOP)
    )
    fit(
        model,
        known.rows,
        n_epochs=5,
        batch_size=1_024,
        lr=0.01,
        schedule=one_cycle,
        generator=generator(),
        **settings,
    )
    return model


class Around(nn.Module):
    """A model of what is above or below a mean."""

    def __init__(self, mean: float, model: nn.Module) -> None:
        super().__init__()
        self.mean, self.model = mean, model

    def forward(self, user_idx: Tensor, item_idx: Tensor) -> Tensor:
        """Predicted ratings, shape (batch,)."""
        above: Tensor = self.model(user_idx, item_idx)
        return self.mean + above


def fit_machine(known: Stars, settings: Settings) -> Around:
    """A factorization machine of ids and features, around the mean of all ratings."""
    machine = FactorizationMachine(
        known.n_users,
        known.n_items,
        32,
        user_features=known.user_features,
        item_features=known.item_features,
    )
    model = Around(float(known.rows[2].mean()), machine)
    _train(model, known, lr=0.02, n_epochs=8, batch_size=2_048, **settings)
    return model


def _train(
    model: nn.Module, known: Stars, *, lr: float, wd: float, n_epochs: int, batch_size: int
) -> None:
    fit(
        model,
        known.rows,
        n_epochs=n_epochs,
        batch_size=batch_size,
        make_optimizer=partial(adam_l2, lr=lr, wd=wd),
        schedule=one_cycle,
        generator=generator(),
    )


def _decays(*values: float) -> tuple[dict[str, float], ...]:
    return tuple({"wd": wd} for wd in values)


RATINGS = (
    Recipe("global mean", "01", fit_mean, ({},), 0.01, is_random=False),
    Recipe(
        "bias baseline",
        "01",
        fit_biases,
        (
            {"user_reg": 5.0, "item_reg": 3.0},
            {"user_reg": 10.0, "item_reg": 6.0},
            {"user_reg": 2.0, "item_reg": 10.0},
            {"user_reg": 20.0, "item_reg": 10.0},
        ),
        0.05,
        is_random=False,
    ),
    Recipe("dot product + biases", "01", fit_dot_product, _decays(2e-4, 1e-4, 4e-4, 8e-4), 0.7),
    Recipe("CollabNN", "04", fit_network, _decays(0.4, 0.1, 0.8, 1.6), 1.2),
    Recipe(
        "factorization machine", "07_lightfm", fit_machine, _decays(2e-4, 1e-4, 4e-4, 8e-4), 2.5
    ),
    Recipe("SVD++", "04_svdpp", fit_svdpp, _decays(1e-3, 6e-4, 3e-4, 2e-3), 6.0),
)
