"""A folder with a trained recommender and all that lists need: ids, titles, history, settings."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from nbhelpers.commands.own_log import OwnLog
from nbhelpers.core.coverage import trained_rows
from nbhelpers.core.recommender import Recommender, device_of
from nbhelpers.core.sealed_folder import DESCRIPTION, ModelFileError
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.models.baselines import Popularity
from nbhelpers.models.fallback import WithFallback
from nbhelpers.serving.storage import load_model, save_model

HISTORY, SETTINGS, REPORT = "history.parquet", "settings.json", "report.json"


@dataclass(frozen=True, eq=False)
class TrainedRecommender:
    """What a model folder holds.

    Attributes
    ----------
    model : Recommender
        As it was trained.
    served : Recommender
        The model, with popularity behind it for users without a positive.
    users, items : Vocabulary
        Everybody and everything in the file.
    titles : DataFrame or None
        ``item_id`` and ``title``, row k of index k.
    seen : Interactions
        All pairs of the file: what a list never holds. With titles, where there are some.
    likes : Interactions
        The pairs that are positives: what the model was trained on.
    settings : dict
        Name and settings of the model, rule, split, seed, comparison.
    report : dict
        What the file was read as.
    """

    model: Any
    served: Recommender
    users: Vocabulary
    items: Vocabulary
    titles: pd.DataFrame | None
    seen: Interactions
    likes: Interactions
    settings: dict[str, Any]
    report: dict[str, Any]

    @property
    def name(self) -> str:
        """What the model is called in comparisons."""
        return str(self.settings["model"])

    def __repr__(self) -> str:
        return (
            f"TrainedRecommender({self.name}: {len(self.users):,} users, {len(self.items):,} "
            f"items, {len(self.likes):,} positives)"
        )


class Covered:
    """A model and whom it may serve: users with a positive, and items that somebody has.

    Parameters
    ----------
    model : Recommender
    likes : Interactions
        What it was trained on.
    """

    def __init__(self, model: Recommender, likes: Interactions) -> None:
        self.model = model
        self.n_users, self.n_items = likes.n_users, likes.n_items
        listed = trained_rows(model, n_users=likes.n_users, n_items=likes.n_items)[1]
        self.trained_users = torch.from_numpy(likes.user_counts > 0)
        self.trained_items = listed & torch.from_numpy(likes.item_counts > 0)
        self.device = device_of(model)

    def score_users(self, user_idx: Tensor) -> Tensor:
        """Score of every item, shape (batch, n_items), of users, shape (batch,)."""
        return self.model.score_users(user_idx)


def likes_of(log: OwnLog, users: Vocabulary, items: Vocabulary) -> Interactions:
    """Positives of a whole log, with their times and weights where they are known."""
    return _interactions(log.rows[log.rows["is_positive"]], users, items)


def save_recommender(
    folder: str | Path, model: Any, log: OwnLog, *, settings: Mapping[str, Any]
) -> None:
    """Write a model folder, complete or not at all, in place of the one there before.

    Parameters
    ----------
    folder : str or Path
        New, empty, or a model folder.
    model : Storable
        Fitted on ``likes_of(log, ...)`` with the vocabularies of the whole log.
    log : OwnLog
    settings : dict
        What JSON can hold; at least ``model``, its name.

    Raises
    ------
    ValueError
        If the folder holds something else, or the model cannot be stored.
    OSError
        If it cannot be written.
    """
    users, items = Vocabulary(log.rows["user_id"]), Vocabulary(log.rows["item_id"])
    titles = log.catalog if "title" in log.catalog.columns else None
    with new_folder(folder) as staging:
        save_model(staging, model, users=users, items=items, item_metadata=titles)
        log.rows.to_parquet(staging / HISTORY, index=False)
        digest = _digest(staging / HISTORY)
        _write_json(staging / SETTINGS, {**settings, "history_sha256": digest})
        _write_json(staging / REPORT, log.report)


def load_recommender(folder: str | Path) -> TrainedRecommender:
    """What ``nbhelpers train`` wrote.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    TrainedRecommender

    Raises
    ------
    ModelFileError
        If the folder is no model folder, or a file of it is missing or damaged.
    """
    path = Path(folder)
    stored = load_model(path)
    settings, report = (_read_json(path / name) for name in (SETTINGS, REPORT))
    try:
        if _digest(path / HISTORY) != settings.get("history_sha256"):
            raise ValueError("it was cut or altered")
        rows = pd.read_parquet(path / HISTORY)
        seen = _interactions(rows, stored.users, stored.items, titles=stored.item_metadata)
        likes = _interactions(rows[rows["is_positive"]], stored.users, stored.items)
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(
            f"{path / HISTORY} is missing or damaged ({error}): train the model again"
        ) from error
    served = WithFallback(Covered(stored.model, likes), Popularity().fit(likes))
    return TrainedRecommender(
        model=stored.model,
        served=served,
        users=stored.users,
        items=stored.items,
        titles=stored.item_metadata,
        seen=seen,
        likes=likes,
        settings=settings,
        report=report,
    )


def as_recommender(source: str | Path | TrainedRecommender) -> TrainedRecommender:
    """A recommender from its folder, or as it is."""
    return source if isinstance(source, TrainedRecommender) else load_recommender(source)


def check_target(folder: str | Path) -> None:
    """Refuse a folder that a model cannot take the place of, before any work is done.

    Raises
    ------
    ValueError
        If it is a file, or holds something other than a model.
    OSError
        If nothing can be written beside it.
    """
    path = Path(folder)
    is_model = (path / DESCRIPTION).is_file() and (path / SETTINGS).is_file()
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not is_model):
        raise ValueError(
            f"{path} must be new, empty or a model folder, and it holds something else: name "
            "another folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to fill, which takes its place when all is written, or goes away.

    Parameters
    ----------
    folder : str or Path
        New, empty, or a model folder, which is then replaced.
    """
    check_target(folder)
    path = Path(folder)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    try:
        yield staging
        staging.chmod(0o777 & ~_umask())
        _take_place(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _take_place(staging: Path, path: Path) -> None:
    """Put a complete folder where the old one is; if that fails the old one comes back."""
    if not path.exists():
        staging.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old-", dir=path.parent)) / path.name
    path.rename(old)
    try:
        staging.rename(path)
    except BaseException:
        with suppress(OSError):
            old.rename(path)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _interactions(
    rows: pd.DataFrame,
    users: Vocabulary,
    items: Vocabulary,
    *,
    titles: pd.DataFrame | None = None,
) -> Interactions:
    return Interactions.from_frame(
        rows,
        users=users,
        items=items,
        weights="weight" if "weight" in rows.columns else None,
        timestamps="timestamp" if "timestamp" in rows.columns else None,
        item_metadata=titles,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(
            f"{path} is missing or damaged: train the model again with nbhelpers train"
        ) from error
    return content
