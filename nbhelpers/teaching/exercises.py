"""Answers checked on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def check_answer(
    answer: Callable[..., Any], cases: Sequence[tuple[tuple[Any, ...], Any]], *, atol: float = 1e-6
) -> None:
    """Compare a function with worked cases, and print how it did.

    Prints "not attempted yet" while the function returns ``None`` for the first case.

    Parameters
    ----------
    answer : callable
    cases : sequence of (arguments, expected)
        Expected values may be numbers, text, lists, arrays or tensors.
    atol : float
        How far a number may be off.

    Raises
    ------
    ValueError
        At the first wrong case, with what was expected and what came.

    Examples
    --------
    >>> def double(number):
    ...     return 2 * number
    >>> check_answer(double, [((1,), 2), ((0.5,), 1.0)])
    all 2 cases pass
    """
    for number, (arguments, expected) in enumerate(cases, start=1):
        got = answer(*arguments)
        if got is None and number == 1 and expected is not None:
            print("not attempted yet")
            return
        if not _agree(got, expected, atol):
            shown = ", ".join(map(repr, arguments))
            raise ValueError(
                f"case {number} of {len(cases)}: {answer.__name__}({shown}) should give "
                f"{expected!r}, got {got!r}"
            )
    print(f"all {len(cases)} cases pass")


def _agree(got: Any, expected: Any, atol: float) -> bool:
    if got is None or isinstance(expected, str | bool) or isinstance(got, str):
        return bool(got == expected and type(got) is type(expected))
    try:
        left, right = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    except (TypeError, ValueError):
        return bool(np.array_equal(np.asarray(got), np.asarray(expected)))
    return left.shape == right.shape and np.allclose(left, right, rtol=0, atol=atol, equal_nan=True)
