"""What the tests of fetching share: a tiny data set, and how a failure is looked at."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nbhelpers.data.datasets.fetching.errors import DataUnavailableError
from nbhelpers.data.datasets.fetching.fetch import fetch_from
from nbhelpers.data.datasets.registry import Dataset
from tests.data.datasets.fetching.fault_server import pack, tiny_dataset, tiny_files

FILES = tiny_files()
ARCHIVE = pack(FILES)
HTML = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"
CHILD = Path(__file__).with_name("fault_server.py")
NOWHERE = tiny_dataset("http://127.0.0.1:9")


def files_in(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def left_in(cache: Path) -> set[str]:
    """Names of all that lies in the cache, but for the lock."""
    return {path.name for path in cache.iterdir()} - {".tiny.lock"}


def failure_of(dataset: Dataset, cache: Path, home: Path | None = None) -> str:
    """The message of a fetch that must fail; no message is longer than six lines."""
    with pytest.raises(DataUnavailableError) as caught:
        fetch_from(dataset, cache=cache, home=home)
    message = str(caught.value)
    assert len(message.splitlines()) <= 6
    return message


def start_child(address: str, cache: Path, *more: str) -> "subprocess.Popen[str]":
    """Fetch the tiny data set in another process."""
    return subprocess.Popen(
        [sys.executable, str(CHILD), address, str(cache), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refuse(err: Exception) -> Callable[..., None]:
    """A function that does nothing but raise."""

    def raise_it(*_: object, **__: object) -> None:
        raise err

    return raise_it


def place(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
