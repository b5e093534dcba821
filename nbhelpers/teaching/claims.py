"""What prose asserts about numbers, checked behind the page."""

from __future__ import annotations

from nbhelpers.data.datasets.load import default_dataset


class ClaimError(AssertionError):
    """A sentence of a notebook is not true of this run."""


def claim(sentence: str, holds: object, *, only_for: str | None = None) -> None:
    """Stop if a sentence of the page is not true of the numbers that stand above it.

    Claims stand in one folded cell at the end of a section, after the reader has seen the output.
    A claim that holds is silent.

    Parameters
    ----------
    sentence : str
        What the page says, in its words.
    holds : bool
        Whether it is true; also a NumPy boolean, or a tensor with one value. Leave a margin that is
        smaller than the effect: other processors round differently.
    only_for : str, optional
        The data set whose numbers the sentence states, such as "ml-100k". On another one, see
        ``default_dataset``, the claim is not judged, and a printed line says so. Left out, the
        claim is to hold on every data set.

    Raises
    ------
    ClaimError
        If it is not true.
    TypeError
        If ``holds`` is not one truth value: a list, a column or a number would pass unseen.

    Examples
    --------
    >>> gain = 0.022
    >>> claim("the dot product is better than the bias baseline, by a little", 0.01 < gain < 0.04)
    >>> claim("it is better by a whole star", gain > 1)
    Traceback (most recent call last):
        ...
    nbhelpers.teaching.claims.ClaimError: not true of this run: it is better by a whole star
    >>> from unittest.mock import patch
    >>> with patch.dict("os.environ", CF_DATASET="ml-1m"):
    ...     claim("it is 0.04 better", abs(gain - 0.04) < 0.001, only_for="ml-100k")
    skipped on ml-1m, stated for ml-100k: it is 0.04 better
    """
    value = getattr(holds, "item", lambda: holds)()  # of NumPy and of torch
    if not isinstance(value, bool):
        raise TypeError(f"a claim needs True or False, got {type(holds).__name__}: {sentence}")
    if only_for not in (None, default_dataset()):
        print(f"skipped on {default_dataset()}, stated for {only_for}: {sentence}")
    elif not value:
        raise ClaimError(f"not true of this run: {sentence}")
