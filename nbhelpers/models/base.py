"""What every model of the package has: its settings back, a line that shows it, its sizes."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from nbhelpers.core.folded import YRange

SIZES = ("n_users", "n_items")
# What a closed-form model remembers of its training rows; of interactions (FittedOn) also the ids.
TRAINING = (*SIZES, "trained_users", "trained_items")
FITTED = (*TRAINING, "user_fingerprint", "item_fingerprint")
_CSR_PARTS = ("data", "indices", "indptr", "shape")
_SHOWN = 6  # entries of a sequence in a repr


class NotFittedError(ValueError, AttributeError):
    """A closed-form model was asked for what it learns in ``fit``."""


class Model:
    """A model that remembers the arguments of its constructor and shows them in one line.

    ``__new__`` receives the same arguments as ``__init__``, so a class inherits from ``Model``
    and has nothing else to do: ``class GMF(Model, nn.Module)``. It sets ``n_users`` and
    ``n_items``, of a rating model the rows of its tables, the unknown rows included.

    Attributes
    ----------
    n_users, n_items : int
    y_range : (float, float) or None
        Range of the scores; ``None`` where they have none.

    Examples
    --------
    >>> from nbhelpers.models.ncf import GMF
    >>> model = GMF(943, 1682, n_factors=16)
    >>> model
    GMF(n_factors=16): 943 users, 1,682 items
    >>> model.settings()
    {'n_users': 943, 'n_items': 1682, 'n_factors': 16}
    >>> type(model)(**model.settings())
    GMF(n_factors=16): 943 users, 1,682 items
    """

    y_range: YRange | None = None
    _settings: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remember the arguments, which ``__init__`` then gets."""
        model = super().__new__(cls)
        model.__dict__["_settings"] = _named(cls.__init__, args, kwargs)
        return model

    def settings(self) -> dict[str, Any]:
        """Every argument of the constructor by name, defaults included.

        ``type(model)(**model.settings())`` builds the model anew, untrained.
        """
        return dict(self._settings)

    def __repr__(self) -> str:
        sized: Any = self  # each class sets its sizes, or takes those of the model within
        try:
            sizes = f"{sized.n_users:,} users, {sized.n_items:,} items"
        except NotFittedError:
            sizes = "not fitted"
        except AttributeError:
            sizes = "of unknown size"
        return f"{_call(self)}: {sizes}"


class Wrapper(Model):
    """A model around another one, whose sizes it has."""

    @property
    @abstractmethod
    def within(self) -> Any:
        """The other one."""

    @property
    def n_users(self) -> int:
        """Users of the model within."""
        return int(self.within.n_users)

    @property
    def n_items(self) -> int:
        """Items of the model within."""
        return int(self.within.n_items)


class ClosedForm(Model):
    """A model that ``fit`` solves. What it learned comes and goes as tensors, as in ``nn.Module``.

    Attributes
    ----------
    learned : tuple of str
        Names of the attributes that ``fit`` sets: tensors, CSR matrices, numbers or text. Before
        ``fit`` there are none of them, and asking for one is a ``NotFittedError``.

    Examples
    --------
    >>> from nbhelpers.models.item_item import EASE
    >>> EASE(reg=100.0)
    EASE(reg=100.0): not fitted
    """

    learned: ClassVar[tuple[str, ...]] = ()

    def state_dict(self) -> dict[str, Tensor]:
        """Everything learned, as tensors by name; a CSR matrix is four of them.

        Raises
        ------
        NotFittedError
            If there is nothing yet.
        """
        state: dict[str, Tensor] = {}
        for name in self.learned:
            state |= _to_tensors(name, getattr(self, name))
        return state

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Take what another model of the same settings learned.

        Parameters
        ----------
        state_dict : mapping of str to Tensor
            From ``state_dict``.

        Raises
        ------
        ValueError
            If a name is missing, or is not one of this model.
        """
        names = {name.split(".")[0] for name in state_dict}
        if names != set(self.learned):
            raise ValueError(
                f"{type(self).__name__} learns {', '.join(sorted(self.learned))}, "
                f"got {', '.join(sorted(names)) or 'nothing'}"
            )
        for name in self.learned:
            setattr(self, name, _from_tensors(name, state_dict))

    def __getattr__(self, name: str) -> Any:
        """Asked only for what is not there."""
        if name in (*self.learned, *SIZES):
            raise NotFittedError(
                f"{type(self).__name__} has no {name} yet (is it fitted?): call fit first"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _named(
    constructor: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Arguments of a constructor by name, defaults included.

    Missing ones are left to the constructor to refuse: a copy or an unpickled model is made
    without any, and gets its attributes afterwards.
    """
    try:
        bound = inspect.signature(constructor).bind_partial(None, *args, **kwargs)
    except TypeError:
        return {}  # the constructor says it with its own name
    bound.apply_defaults()
    _, *own = bound.signature.parameters.values()
    named: dict[str, Any] = {}
    for parameter in own:
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= bound.arguments[parameter.name]
        elif parameter.name in bound.arguments and parameter.kind is not parameter.VAR_POSITIONAL:
            named[parameter.name] = bound.arguments[parameter.name]
    return named


def _call(model: Model) -> str:
    """How a model was built, without its sizes."""
    parts = [f"{k}={_short(v)}" for k, v in model.settings().items() if k not in SIZES]
    return f"{type(model).__name__}({', '.join(parts)})"


def _short(value: object) -> str:
    """A setting in a few characters, the same in every run."""
    if isinstance(value, Tensor):
        return f"Tensor{tuple(value.shape)}"
    if isinstance(value, Model):
        return _call(value)
    if isinstance(value, list | tuple):
        more = ", ..." if len(value) > _SHOWN else "," if len(value) == 1 else ""
        return f"({', '.join(map(_short, value[:_SHOWN]))}{more})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_short(each)}" for key, each in value.items()) + "}"
    if callable(value) or isinstance(value, torch.Generator):
        return str(getattr(value, "__name__", type(value).__name__))
    return repr(value)


def _to_tensors(name: str, value: Any) -> dict[str, Tensor]:
    """A learned attribute as tensors.

    A number has no axis, a CSR matrix is four arrays, and text is its bytes, none without text.
    """
    if isinstance(value, Tensor):
        return {name: value.detach()}
    if isinstance(value, csr_matrix):
        return {f"{name}.{part}": torch.tensor(getattr(value, part)) for part in _CSR_PARTS}
    if value is None or isinstance(value, str):
        return {f"{name}.text": torch.tensor(list((value or "").encode()), dtype=torch.uint8)}
    return {name: torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)}


def _from_tensors(name: str, state: Mapping[str, Tensor]) -> Any:
    """What ``_to_tensors`` took apart."""
    if name in state:
        value = state[name]
        return value.detach() if value.dim() else value.item()
    if f"{name}.text" in state:
        return bytes(state[f"{name}.text"].tolist()).decode() or None
    data, indices, indptr, shape = (state[f"{name}.{part}"].numpy() for part in _CSR_PARTS)
    return csr_matrix((data, indices, indptr), shape=tuple(shape.tolist()))
