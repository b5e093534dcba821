"""Answers checked on the spot."""

from __future__ import annotations

import dis
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

_SHOWN = 120
# All that a function does in which nothing was written yet.
_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


class WrongAnswerError(ValueError):
    """An answer failed a case; a notebook shows the one line that says so, and no traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback."""
        return [str(self)]


class Satisfies(NamedTuple):
    """An expectation that more than one value can meet; see ``satisfies``."""

    description: str
    test: Callable[[Any], Any]


def satisfies(description: str, test: Callable[[Any], Any]) -> Satisfies:
    """An expected value of ``check_answer`` that more than one answer can meet.

    Parameters
    ----------
    description : str
        What is asked for, such as "a validation error below 0.9".
    test : callable
        Whether a result meets it.

    Returns
    -------
    Satisfies

    Examples
    --------
    >>> check_answer(lambda: 0.85, [((), satisfies("an error below 0.9", lambda mse: mse < 0.9))])
    the case passes
    """
    return Satisfies(description, test)


def check_answer(answer: Any, cases: Sequence[tuple[tuple[Any, ...], Any]]) -> None:
    """Compare an answer with worked cases, and print how it did.

    Prints "not attempted yet" for an untouched stub: ``...``, or a function with nothing else in
    it. A function that computes and returns nothing is told that its ``return`` is missing.

    Parameters
    ----------
    answer : callable, or a value
        A function is called with the arguments of each case. A value is compared as it is; its
        cases have no arguments.
    cases : sequence of (arguments, expected)
        Expected values may be numbers, text, lists, arrays, tensors, frames, or ``satisfies(...)``.
        A NumPy number or boolean, or a tensor with one value, counts as the Python value; numbers
        may be off by 1e-6, or a millionth of the expected one.

    Raises
    ------
    WrongAnswerError
        At the first wrong case, with what was expected and what came; also if the answer raises.

    Examples
    --------
    >>> def double(number):
    ...     return 2 * number
    >>> check_answer(double, [((1,), 2), ((0.5,), 1.0)])
    all 2 cases pass
    >>> def stub(number): ...
    >>> check_answer(stub, [((1,), 2)])
    not attempted yet
    """
    if _is_untouched(answer):
        print("not attempted yet")
        return
    for number, (arguments, expected) in enumerate(cases, start=1):
        case = f"case {number} of {len(cases)}" if len(cases) > 1 else "your answer"
        call = _call(answer, arguments)
        try:
            got = answer(*arguments) if callable(answer) else answer
        except Exception as error:
            message = _cut(str(error).strip() or "no message")
            raise WrongAnswerError(
                f"{case}: {call} raised {type(error).__name__}: {message}"
            ) from None
        if got is None and expected is not None:
            raise WrongAnswerError(f"{case}: {call} gave None: is a `return` missing?")
        if not _meets(got, expected):
            raise WrongAnswerError(
                f"{case}: {call} should give {_wanted(expected)}, got {_shown(got)}"
            )
    print(f"all {len(cases)} cases pass" if len(cases) > 1 else "the case passes")


def _is_untouched(answer: Any) -> bool:
    """Whether an answer is still ``...``, or a function that does nothing at all."""
    code = getattr(answer, "__code__", None)
    if code is None:
        return answer is ...
    does_nothing = {step.opname for step in dis.get_instructions(code)} <= _NOTHING
    return does_nothing and all(x in (None, ..., answer.__doc__) for x in code.co_consts)


def _call(answer: Any, arguments: tuple[Any, ...]) -> str:
    if not callable(answer):
        return "it"
    name = getattr(answer, "__name__", type(answer).__name__)
    return _cut(f"{name}({', '.join(map(_shown, arguments))})")


def _meets(got: Any, expected: Any) -> bool:
    if isinstance(expected, Satisfies):
        try:
            return bool(expected.test(got))
        except Exception:  # a result of another kind does not meet it
            return False
    return _agree(_plain(got), _plain(expected))


def _agree(got: Any, expected: Any) -> bool:
    if isinstance(expected, bool | str) or isinstance(got, bool | str) or got is None:
        return bool(got == expected and type(got) is type(expected))
    if isinstance(expected, Mapping):
        return (
            isinstance(got, Mapping)
            and got.keys() == expected.keys()
            and all(_agree(_plain(got[key]), _plain(expected[key])) for key in expected)
        )
    if isinstance(got, pd.DataFrame) != isinstance(expected, pd.DataFrame):
        return False  # an array has no names of columns
    if isinstance(expected, pd.DataFrame) and list(got.columns) != list(expected.columns):
        return False
    if isinstance(expected, set | frozenset) or isinstance(got, set | frozenset):
        return bool(got == expected)
    return _agree_as_arrays(got, expected)


def _agree_as_arrays(got: Any, expected: Any) -> bool:
    try:
        left, right = _array(got), _array(expected)
    except (TypeError, ValueError):  # lists of unequal length
        return (
            isinstance(got, Sequence)
            and isinstance(expected, Sequence)
            and len(got) == len(expected)
            and all(_agree(_plain(a), _plain(b)) for a, b in zip(got, expected, strict=True))
        )
    if left.shape != right.shape or (left.dtype == bool) != (right.dtype == bool):
        return False
    if left.dtype.kind in "biuf" and right.dtype.kind in "biuf":
        return bool(np.allclose(left, right, rtol=1e-6, atol=1e-6, equal_nan=True))
    return bool(np.array_equal(left, right))


def _array(value: Any) -> np.ndarray[Any, np.dtype[Any]]:
    if isinstance(value, list | tuple):
        value = [_plain(item) for item in value]
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return np.asarray(array.tolist(), dtype=float)
    return array


def _plain(value: Any) -> Any:
    """A Python value in place of a NumPy scalar or a tensor with one value."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def _wanted(expected: Any) -> str:
    return expected.description if isinstance(expected, Satisfies) else _shown(expected)


def _shown(value: Any) -> str:
    """A value on one short line, floats as a person writes them."""
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_shown, value[:20])) + (", ..." if len(value) > 20 else "")
        return _cut(f"[{inside}]" if isinstance(value, list) else f"({inside})")
    return _cut(" ".join(repr(value).split()))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
