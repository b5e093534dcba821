"""A model as JSON and named tensors, and back: models within models, no program among the data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from numbers import Integral, Real
from types import FunctionType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from nbhelpers.core.recommender import HasState, Storable

PACKAGE = "nbhelpers.models."
_NAME = re.compile(re.escape(PACKAGE) + r"(\w+):(\w+)")
Kinds = Mapping[str, type]


class Packed(NamedTuple):
    """A model taken apart.

    Attributes
    ----------
    content : dict
        ``class``, ``settings`` and ``state``, as JSON can hold them. Tensors stand there by name.
    tensors : dict of str to Tensor
        Copies on the CPU; one for all names that share a tensor.
    kinds : dict of str to class
        The classes among them that are not the package's.
    """

    content: dict[str, Any]
    tensors: dict[str, Tensor]
    kinds: dict[str, type]


def pack(model: Storable) -> Packed:
    """Take a model apart; it is not changed.

    Parameters
    ----------
    model : Storable

    Returns
    -------
    Packed

    Raises
    ------
    ValueError
        If the model has no settings or is not fitted, or a setting or tensor cannot be stored.
    """
    packer = _Packer()
    return Packed(packer.model(model, ""), packer.tensors, packer.kinds)


def unpack(content: Mapping[str, Any], tensors: Mapping[str, Tensor], *, kinds: Kinds) -> Any:
    """Put a model together, on the CPU and in evaluation mode; draws no random numbers.

    Parameters
    ----------
    content, tensors, kinds
        See ``Packed``.

    Returns
    -------
    Storable

    Raises
    ------
    ValueError
        If a class is unknown, or the settings and tensors do not fit it.
    """
    kind = _class(content["class"], kinds)
    settings = {
        name: _setting(value, tensors, kinds) for name, value in content["settings"].items()
    }
    state = {name: tensors[key] for name, key in content["state"].items()}
    try:
        with torch.random.fork_rng(devices=[]):
            model = kind(**settings)
        own = dict(model.state_dict()) if isinstance(model, nn.Module) else {}
        if isinstance(model, HasState):
            model.load_state_dict(state)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"settings do not build this {kind.__name__}: {error}") from error
    for name in own:
        if state[name].dtype != own[name].dtype:
            raise ValueError(
                f"{name} is {state[name].dtype}, and {kind.__name__} has {own[name].dtype}"
            )
    return model.eval() if isinstance(model, nn.Module) else model


def check_same(model: Storable, built: Storable) -> None:
    """Refuse settings that build a model which differs in what its state does not show.

    That is a plain attribute, such as the rate of a dropout, or a buffer that is not stored,
    such as a table of features: changed after the model was built, it would come back as it was.

    Parameters
    ----------
    model, built : Storable
        The model, and the one that its settings build.

    Raises
    ------
    ValueError
    """
    theirs = dict(_attributes(built))
    for name, value in _attributes(model):
        if name in theirs and not _equal(theirs[name], value):
            raise ValueError(
                f"{name} is {_shown(value)} in the model, and {_shown(theirs[name])} in one built "
                "from its settings: build the model with what it shall have"
            )


class _Packer:
    """Gives tensors their names in the file, and settings their form in JSON."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.kinds: dict[str, type] = {}
        self._named: dict[tuple[Any, ...], str] = {}
        self._alive: list[Tensor] = []  # so that no other tensor gets the address of one seen

    def model(self, model: Any, path: str) -> dict[str, Any]:
        """Class, settings and state; ``path`` leads to a model within another one."""
        if not isinstance(model, Storable):
            raise ValueError(
                f"{type(model).__name__} has no settings() to be built anew from: "
                "let its class inherit from nbhelpers.models.base.Model, before nn.Module"
            )
        state = model.state_dict() if isinstance(model, HasState) else {}
        settings = model.settings().items()
        name = _name_of(type(model))
        if ":" not in name:
            self.kinds[name] = type(model)
        return {
            "class": name,
            "settings": {name: self.setting(value, f"{path}{name}") for name, value in settings},
            "state": {name: self.tensor(value, f"{path}{name}") for name, value in state.items()},
        }

    def tensor(self, value: Any, name: str) -> str:
        """Name of a tensor in the file: an earlier one, if it is there already."""
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ValueError(f"only dense tensors can be stored, and {name!r} is none")
        shared = (value.data_ptr(), value.dtype, value.shape, value.stride(), value.device)
        if shared not in self._named:
            self._named[shared] = name
            self._alive.append(value)
            copy = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            self.tensors[name] = copy
        return self._named[shared]

    def setting(self, value: Any, name: str) -> Any:
        """A setting as JSON can hold it; what is neither number, text nor sequence gets a tag."""
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real) and abs(float(value)) < float("inf"):
            return float(value)
        if isinstance(value, list | tuple):
            return [self.setting(part, f"{name}/{k}") for k, part in enumerate(value)]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            parts = {key: self.setting(part, f"{name}/{key}") for key, part in value.items()}
            return {"mapping": parts}
        if isinstance(value, Tensor):
            return {"tensor": self.tensor(value, f"setting:{name}")}
        if isinstance(value, torch.Generator):
            return None  # drew what is learned by now; another fit draws from the global one
        if isinstance(value, Storable) and not isinstance(value, type):
            return {"model": self.model(value, f"{name}/")}
        if isinstance(value, type | FunctionType) and ":" in _name_of(value):
            return {"name": _name_of(value)}
        raise ValueError(
            f"setting {name!r} must be a finite number, text, bool, None, a tensor, a model with "
            f"settings, a class or function of {PACKAGE}*, or a sequence of these, "
            f"got {value!r:.60}"
        )


def _setting(value: Any, tensors: Mapping[str, Tensor], kinds: Kinds) -> Any:
    """A setting from its form in JSON; a sequence comes back as a tuple."""
    if isinstance(value, list):
        return tuple(_setting(part, tensors, kinds) for part in value)
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "mapping":
        return {key: _setting(part, tensors, kinds) for key, part in content.items()}
    if tag == "tensor":
        return tensors[content]
    if tag == "model":
        return unpack(content, tensors, kinds=kinds)
    if tag == "name":
        return _of_the_package(content)
    raise ValueError(f"a setting of kind {tag!r} is unknown to this version: update nbhelpers")


def _name_of(thing: type | FunctionType) -> str:
    """Module and name of what the package has; of a reader's own class the name alone."""
    if _NAME.fullmatch(name := f"{thing.__module__}:{thing.__qualname__}"):
        return name
    return thing.__name__


def _class(name: str, kinds: Kinds) -> type[Any]:
    if name in kinds:
        return kinds[name]
    if ":" in name:
        return cast("type[Any]", _of_the_package(name))
    raise ValueError(
        f"it holds a {name}, which is no model of the package: pass kinds={{{name!r}: {name}}}"
    )


def _of_the_package(name: str) -> Any:
    """A class or function that a module below ``nbhelpers.models`` defines.

    Nothing else is imported, whatever the folder says.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no name of a model of the package")
    try:
        module = import_module(PACKAGE + match[1])
        found = vars(module)[match[2]]
    except (ModuleNotFoundError, KeyError):
        found = None
    if not isinstance(found, type | FunctionType) or found.__module__ != PACKAGE + match[1]:
        raise ValueError(f"this version of nbhelpers has no {name}: update nbhelpers")
    return found


def _attributes(model: object) -> Iterator[tuple[str, object]]:
    """Plain attributes and all buffers of a model and its parts, by name."""
    parts = model.named_modules() if isinstance(model, nn.Module) else [("", model)]
    for path, part in parts:
        buffers = dict(part.named_buffers(recurse=False)) if isinstance(part, nn.Module) else {}
        for name, value in (vars(part) | buffers).items():
            if name != "training" and not name.startswith("_") and _is_plain(value):
                yield f"{path}.{name}".lstrip("."), value


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | int | float | Tensor)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.layout != torch.strided or torch.equal(one.cpu(), other.cpu())
    return bool(one == other)


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return repr(value)
