"""How getting data can fail, and how it is said to the reader."""

import errno
import sys

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DataUnavailableError(OSError):
    """No source could give the data set; the message says how to place it by hand."""


class SourceError(Exception):
    """One source failed, for a reason in a few words; the next one may succeed."""


def say(text: str, end: str = "\n") -> None:
    """Print where data comes from, apart from what a notebook cell prints."""
    print(text, end=end, file=sys.stderr, flush=True)


def in_few_words(err: Exception) -> str:
    """What the disk refused, in a few words."""
    if isinstance(err, OSError) and err.errno in _FULL:
        return "the disk is full"
    if isinstance(err, OSError) and err.strerror:
        return err.strerror.lower()
    return (str(err).splitlines() or [type(err).__name__])[0][:60]
