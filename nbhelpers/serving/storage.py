"""Models on disk: tensors as safetensors, all else as JSON, nothing that runs when it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from nbhelpers.core.recommender import Storable
from nbhelpers.core.sealed_folder import DESCRIPTION, ModelFileError, publish, read
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.serving.frame_json import frame_from_json, frame_to_json
from nbhelpers.serving.packing import check_same, pack, unpack


class StoredModel(NamedTuple):
    """A model, the ids of its rows, and what else was stored with it.

    Attributes
    ----------
    model : Recommender
        On the CPU and in evaluation mode.
    users, items : Vocabulary
    feature_names : mapping of str to tuple of str
        Names of the columns of its feature tables by side; empty if none were given.
    user_metadata, item_metadata : DataFrame or None
        Row k describes index k.
    """

    model: Any
    users: Vocabulary
    items: Vocabulary
    feature_names: Mapping[str, tuple[str, ...]]
    user_metadata: pd.DataFrame | None
    item_metadata: pd.DataFrame | None


def save_model(
    folder: str | Path,
    model: Storable,
    *,
    users: Vocabulary,
    items: Vocabulary,
    feature_names: Mapping[str, Sequence[str]] | None = None,
    user_metadata: pd.DataFrame | None = None,
    item_metadata: pd.DataFrame | None = None,
) -> None:
    """Store a model in a folder, in place of the one stored there before.

    The folder gets ``model.json`` (classes, settings, ids, metadata, checksums) and one
    safetensors file with everything the model learned. Models within the model are stored with
    it. The model is built once from what is going to be written, and compared, before anything is
    replaced; a save that is interrupted leaves the old model as it was.

    Parameters
    ----------
    folder : str or Path
        Made if there is none. Other files in it are left alone.
    model : Storable
        Any model of ``nbhelpers.models``, fitted or trained, or one of your own that inherits
        from ``nbhelpers.models.base.Model``. Its tensors are stored from wherever they are; it is
        not changed. A ``torch.Generator`` among its settings is left out.
    users, items : Vocabulary
        Of whole numbers or text: as many ids as the model has users and items, or of a rating
        model one fewer, since its tables have a row for the unknown.
    feature_names : mapping of str to sequence of str, optional
        Columns of feature tables, such as ``{"item": features.names}``: what ``item_features``
        needs to describe a new item for the model that comes back.
    user_metadata, item_metadata : DataFrame, optional
        As ``align_metadata`` returns it: row k describes index k, such as titles.

    Raises
    ------
    ValueError
        If the model is not fitted, the sizes of model and vocabularies differ, a setting, an id
        or a column cannot be stored, or the model is no longer the one that its settings build.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.data.vocabulary import Vocabulary
    >>> from nbhelpers.models.item_item import EASE
    >>> ids = {"users": Vocabulary(["Ann", "Bob"]), "items": Vocabulary([10, 20, 30])}
    >>> folder = mkdtemp()
    >>> save_model(folder, EASE(reg=2.0).fit(Interactions([0, 0, 1], [0, 1, 1], **ids)), **ids)
    >>> load_model(folder).model
    EASE(reg=2.0): 2 users, 3 items
    """
    packed = pack(model)
    content = {"model": packed.content, "users": users.to_json(), "items": items.to_json()}
    _check_sizes(model, users, items)
    if feature_names is not None:
        content["feature_names"] = _names(feature_names, model.settings())
    if user_metadata is not None:
        content["user_metadata"] = frame_to_json(user_metadata, users, name="user_metadata")
    if item_metadata is not None:
        content["item_metadata"] = frame_to_json(item_metadata, items, name="item_metadata")
    check_same(model, unpack(*packed[:2], kinds=packed.kinds))
    publish(Path(folder), content, tensors_to_bytes(packed.tensors))


def load_model(folder: str | Path, *, kinds: Mapping[str, type] | None = None) -> StoredModel:
    """The model in a folder, on the CPU and in evaluation mode; it scores as it did when saved.

    No file is unpickled, and no program comes from the folder. It names classes, such as
    ``nbhelpers.models.item_item:EASE``: they are imported only if a module of the package below
    ``nbhelpers.models`` defines them, and nothing else is imported, whatever the folder says.
    The checksums tell damage, not forgery: whoever can write the folder can put another model
    there, whose scores are then wrong.

    Parameters
    ----------
    folder : str or Path
        One that ``save_model`` wrote, with this version or an earlier one of the same format; or
        with a later one, as long as the first number of its format is the same.
    kinds : mapping of str to class, optional
        Classes of your own by name, such as ``{"MyModel": MyModel}``.

    Returns
    -------
    StoredModel
        ``model``, ``users``, ``items``, ``feature_names``, ``user_metadata``, ``item_metadata``.

    Raises
    ------
    ModelFileError
        If a file is missing, cut, altered, a pickle or of another format, or holds a class that
        is unknown. The message names the file.

    Examples
    --------
    >>> import tempfile
    >>> from nbhelpers.data.interactions import Interactions
    >>> from nbhelpers.models.item_item import EASE
    >>> ids = {"users": Vocabulary(["Ann", "Bob"]), "items": Vocabulary([10, 20, 30])}
    >>> model = EASE(reg=2.0).fit(Interactions([0, 0, 1], [0, 1, 1], **ids))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(folder, model, **ids)
    ...     stored = load_model(folder)
    >>> stored.model, stored.users.decode([1]).tolist()
    (EASE(reg=2.0): 2 users, 3 items, ['Bob'])
    """
    path = Path(folder)
    content, blob = read(path)
    try:
        model = unpack(content["model"], tensors_from_bytes(blob), kinds=kinds or {})
        names = {side: tuple(each) for side, each in content.get("feature_names", {}).items()}
        frames = [
            frame_from_json(content[name]) if name in content else None
            for name in ("user_metadata", "item_metadata")
        ]
        users, items = (Vocabulary.from_json(content[side]) for side in ("users", "items"))
        return StoredModel(model, users, items, names, *frames)
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelFileError(f"{path / DESCRIPTION} cannot be loaded: {error}") from error


def _check_sizes(model: Any, users: Vocabulary, items: Vocabulary) -> None:
    """Refuse vocabularies of another size, or of the other side."""
    try:
        sizes = model.n_users, model.n_items
    except AttributeError as error:
        raise ValueError(f"{type(model).__name__} says no n_users and n_items: {error}") from error
    if sizes not in ((len(users), len(items)), (users.n_rows, items.n_rows)):
        raise ValueError(
            f"the model has {sizes[0]:,} users and {sizes[1]:,} items, and there are "
            f"{len(users):,} ids of users and {len(items):,} of items: pass the vocabularies that "
            "it was trained with (of a rating model each table has one row more, the unknown)"
        )


def _names(
    feature_names: Mapping[str, Sequence[str]], settings: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Names of columns by side, as many as the tables among the settings have."""
    names = {side: list(each) for side, each in feature_names.items()}
    for side, each in names.items():
        strange = [name for name in (side, *each) if not isinstance(name, str)]
        if strange or isinstance(feature_names[side], str):
            raise ValueError(
                f"feature_names must map text to sequences of text, got {feature_names[side]!r:.60}"
            )
        table = settings.get(f"{side}_features")
        if isinstance(table, Tensor) and table.shape[1] != len(each):
            raise ValueError(
                f"the table of {side} features has {table.shape[1]} columns, got {len(each)} names"
            )
    return names
