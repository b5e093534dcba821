"""Models on disk: tensors as safetensors, all else as JSON, nothing that runs when it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from nbhelpers.core.sealed_folder import DESCRIPTION, ModelFileError, publish, read
from nbhelpers.data.vocabulary import Vocabulary

_SETTING = "setting:"  # before the name of a tensor that belongs to the settings

Model = TypeVar("Model", bound=nn.Module)


class StoredModel(NamedTuple, Generic[Model]):
    """A model, the ids of its rows, and the names of its features' columns, if they were given."""

    model: Model
    users: Vocabulary
    items: Vocabulary
    feature_names: Mapping[str, tuple[str, ...]]


def save_model(
    model: nn.Module,
    path: str | Path,
    *,
    settings: Mapping[str, Any],
    users: Vocabulary,
    items: Vocabulary,
    feature_names: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Store a model in a folder, in place of the one stored there before.

    The folder gets ``model.json`` (class name, settings, ids, checksums) and one safetensors
    file. The model is built once from what is going to be written, and compared, before anything
    is replaced; a save that is interrupted leaves the old model as it was.

    Parameters
    ----------
    model : Module
        Its tensors are stored from wherever they are; it is not changed.
    path : str or Path
        The folder; made if there is none. Other files in it are left alone.
    settings : mapping of str to number, text, bool, None, tensor, or sequence of all but tensors
        Every argument that the model was built with, by name. Sequences come back as tuples.
    users, items : Vocabulary
        Of whole numbers or text.
    feature_names : mapping of str to sequence of str, optional
        Columns of feature tables, such as ``{"item": features.names}``: what ``item_features``
        needs to describe a new item for the model that comes back.

    Raises
    ------
    ValueError
        If the model holds something other than dense tensors, a setting or an id cannot be
        stored, or a model built from ``settings`` would be another one.
    OSError
        If the folder cannot be written.
    """
    tensors = _tensors(model, settings)
    plain = {
        name: _plain(value, name)
        for name, value in settings.items()
        if not isinstance(value, Tensor)
    }
    content = {
        "model": type(model).__name__,
        "settings": plain,
        "users": users.to_json(),
        "items": items.to_json(),
    }
    if feature_names is not None:
        content["feature_names"] = _names(feature_names)
    _check_same(model, _built(type(model), plain, tensors))
    publish(Path(path), content, tensors_to_bytes(tensors))


def load_model(
    path: str | Path, kind: type[Model] | Mapping[str, type[Model]]
) -> StoredModel[Model]:
    """The model in a folder, on the CPU and in evaluation mode; it scores as it did when saved.

    No file is unpickled and no program comes from the folder: the classes come from the caller.
    The checksums tell damage, not forgery: whoever can write the folder can put another model
    there, whose scores are then wrong.

    Parameters
    ----------
    path : str or Path
        A folder that ``save_model`` wrote.
    kind : class, or mapping of names to classes
        What may be in it.

    Returns
    -------
    StoredModel
        ``model``, ``users``, ``items``, ``feature_names``.

    Raises
    ------
    ModelFileError
        If a file is missing, cut, altered or a pickle, or holds none of the classes. The message
        names the file.
    """
    folder = Path(path)
    content, blob = read(folder)
    try:
        chosen = _chosen(kind, content["model"])
        model = _built(chosen, content["settings"], tensors_from_bytes(blob)).eval()
        names = {side: tuple(each) for side, each in content.get("feature_names", {}).items()}
        users, items = (
            Vocabulary.from_json(content["users"]),
            Vocabulary.from_json(content["items"]),
        )
        return StoredModel(model, users, items, names)
    except (ValueError, KeyError, SafetensorError) as error:
        raise ModelFileError(f"{folder / DESCRIPTION} cannot be loaded: {error}") from error


def _tensors(model: nn.Module, settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """Own copies of all tensors: of the model by name, of the settings behind a prefix."""
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"a torch module is required, got {type(model).__name__}: put what it learned into "
            "one, such as the factors of ALS into a MatrixFactorization with biases of 0"
        )
    given = {_SETTING + key: value for key, value in settings.items() if isinstance(value, Tensor)}
    found = model.state_dict() | given
    for name, value in found.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ValueError(f"only dense tensors can be stored, and {name!r} is none")
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in found.items()
    }


def _plain(value: object, name: str) -> object:
    """A setting as JSON can hold it; NumPy's numbers become Python's."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and abs(float(value)) < float("inf"):
        return float(value)
    if isinstance(value, list | tuple):
        return [_plain(part, name) for part in value]
    raise ValueError(
        f"setting {name!r} must be a finite number, text, bool, None, a tensor or a sequence of "
        f"these, got {value!r:.60}"
    )


def _names(feature_names: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    names = {side: list(each) for side, each in feature_names.items()}
    for side, each in names.items():
        strange = [name for name in (side, *each) if not isinstance(name, str)]
        if strange or isinstance(feature_names[side], str):
            raise ValueError(
                f"feature_names must map text to sequences of text, got {feature_names[side]!r:.60}"
            )
    return names


def _chosen(kind: type[Model] | Mapping[str, type[Model]], name: str) -> type[Model]:
    """The class of a name, from those that the caller allows."""
    allowed = kind if isinstance(kind, Mapping) else {kind.__name__: kind}
    if name not in allowed:
        raise ValueError(f"it holds a {name}, and the caller asks for {', '.join(allowed)}")
    return allowed[name]


def _built(kind: type[Model], settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Model:
    """A model built from its settings, with the tensors in it; draws no random numbers."""
    given = {name: _tuples(value) for name, value in settings.items()}
    state = {name: value for name, value in tensors.items() if not name.startswith(_SETTING)}
    for name in tensors.keys() - state.keys():
        given[name.removeprefix(_SETTING)] = tensors[name]
    try:
        with torch.random.fork_rng(devices=[]):
            model = kind(**given)
        own = model.state_dict()
        model.load_state_dict(state)
    except (TypeError, RuntimeError) as error:
        raise ValueError(
            f"settings do not build this {kind.__name__}, pass every argument it was built "
            f"with: {error}"
        ) from error
    for name, value in state.items():
        if value.dtype != own[name].dtype:
            raise ValueError(f"{name} is {value.dtype}, and {kind.__name__} has {own[name].dtype}")
    return model


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _check_same(model: nn.Module, built: nn.Module) -> None:
    """Refuse settings that build a model which differs in what no tensor shows, as a range."""
    theirs = dict(_attributes(built))
    for name, value in _attributes(model):
        if name in theirs and theirs[name] != value:
            raise ValueError(
                f"{name} is {value!r} in the model, and {theirs[name]!r} in one built from "
                "settings: pass every argument the model was built with"
            )


def _attributes(model: nn.Module) -> Iterator[tuple[str, object]]:
    """Plain attributes of a model and its parts, such as a range or the rate of a dropout."""
    for path, part in model.named_modules():
        for name, value in vars(part).items():
            if name != "training" and not name.startswith("_") and _is_plain(value):
                yield f"{path}.{name}".lstrip("."), _tuples(value)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | int | float)
