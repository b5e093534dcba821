"""The app on a model folder: its service, and the page by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from nbhelpers.app.catalog import Catalog
from nbhelpers.app.dial import price_of_dial
from nbhelpers.app.export_html import export_html as write_page
from nbhelpers.app.service import Service
from nbhelpers.commands.contenders import contenders_of
from nbhelpers.commands.model_folder import TrainedRecommender, as_recommender
from nbhelpers.core.recommender import scores_of
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import stratified_split
from nbhelpers.models.baselines import Popularity
from nbhelpers.serving.fold_in import fold_in_users

MOST_MEASURED = 300_000  # positives beyond which the dial is not measured at every start


def service_of(
    source: str | Path | TrainedRecommender,
    *,
    beside: str | Path | TrainedRecommender | None = None,
    noun: str = "item",
) -> Service:
    """Service of a trained recommender, for the app.

    What the dial costs is measured with a model of the same settings that knows four fifths of
    the positives, where there are at most 300,000 of them.

    Parameters
    ----------
    source : path or TrainedRecommender
        A folder of ``train``.
    beside : path or TrainedRecommender, optional
        Another model of the same items to compare with; left out, popularity.
    noun : str
        What an item is called.

    Returns
    -------
    Service

    Raises
    ------
    ValueError
        If the model cannot fold in somebody new, or the second one knows other items.
    """
    first = as_recommender(source)
    models = {first.name: _folding(first)}
    if beside is None:
        models.setdefault("popularity", Popularity().fit(first.likes))
    else:
        second = as_recommender(beside)
        if second.items.fingerprint != first.items.fingerprint:
            raise ValueError(
                f"both models must know the same items, they have {len(first.items.ids):,} and "
                f"{len(second.items.ids):,}: train them on the same file"
            )
        name = second.name if second.name != first.name else f"{second.name} (second)"
        models[name] = _folding(second)
    rule = str(first.settings.get("rule", "")).rstrip(".")
    return Service(
        Catalog(first.items, first.likes.item_counts, first.titles),
        models,
        people=first.likes,
        had=first.seen,
        price=_price(first),
        noun=noun,
        about=f"Learned from {len(first.likes):,} positives of {first.likes.n_users:,} users"
        + (f" ({rule})." if rule else "."),
    )


def export_html(source: str | Path | TrainedRecommender, out: str | Path) -> int:
    """Write the app of a model folder as one HTML file that needs no server.

    Parameters
    ----------
    source : path or TrainedRecommender
    out : str or Path
        The file, replaced as a whole or not at all.

    Returns
    -------
    int
        Its bytes.

    Raises
    ------
    ValueError
        If the model is no ALS or IALS.
    """
    return write_page(service_of(source), out)


def _folding(recommender: TrainedRecommender) -> Any:
    """The model, if it can make a list for somebody new."""
    one = Interactions([0], [0], n_users=1, n_items=len(recommender.items.ids))
    try:
        folded = fold_in_users(recommender.model, one)
        scores_of(folded, torch.tensor([0]), n_items=one.n_items)
    except ValueError as error:
        raise ValueError(
            f"the app makes lists for people who are not in the file, and {recommender.name} "
            f"cannot ({error}): train IALS, EASE or ItemKNN with --model"
        ) from error
    return recommender.model


def _price(recommender: TrainedRecommender) -> pd.DataFrame | None:
    """What the dial costs, measured on a fifth of the positives; None where that takes long."""
    likes = recommender.likes
    if len(likes) > MOST_MEASURED:
        return None
    log = likes.to_frame()
    times = "timestamp" if "timestamp" in log.columns else None
    (contender,) = contenders_of([recommender.name], is_timed=times is not None)
    users, items = recommender.users, recommender.items
    known, hidden = (
        Interactions.from_frame(part, users=users, items=items, timestamps=times)
        for part in stratified_split(log, valid_frac=0.2, rng=0)
    )
    settings = recommender.settings["settings"]
    model = contender.fitted(known, settings, seed=recommender.settings["seed"])
    return price_of_dial(model, hidden, seen=known)
