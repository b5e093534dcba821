"""What the tests of fetching share: a tiny data set, and how a failure is looked at."""

import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from nbhelpers.data.datasets.fetching import http
from nbhelpers.data.datasets.fetching.errors import DataUnavailableError
from nbhelpers.data.datasets.fetching.fetch import fetch_from
from nbhelpers.data.datasets.registry import Dataset
from tests.data.datasets.fetching.fault_server import (
    Answer,
    Pause,
    cut,
    endless,
    pack,
    reset,
    send,
    slow,
    stall,
    tiny_dataset,
    tiny_files,
)

FILES = tiny_files()
ARCHIVE = pack(FILES)
HTML = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"
CHILD = Path(__file__).with_name("fault_server.py")
NOWHERE = tiny_dataset("http://127.0.0.1:9")


class BadAnswer(NamedTuple):
    """An answer that must be refused with ``words``, and the limits under which it is met."""

    answer: Answer
    words: str
    stall_seconds: float = http.STALL_SECONDS
    download_timeout: str = ""

    @contextlib.contextmanager
    def limits(self) -> Iterator[None]:
        with (
            mock.patch.object(http, "STALL_SECONDS", self.stall_seconds),
            mock.patch.dict(os.environ, CF_DOWNLOAD_TIMEOUT=self.download_timeout),
        ):
            yield


BAD_ANSWERS = {
    "not found": BadAnswer(send(b"", status=404), "the server answered 404"),
    "busy": BadAnswer(send(HTML, status=503), "the server answered 503"),
    "web page": BadAnswer(send(HTML, kind="text/html"), "a web page, not an archive"),
    "web page called zip": BadAnswer(send(b"\n " + HTML), "a web page, not an archive"),
    "other file": BadAnswer(send(b"GIF89a" + ARCHIVE), "something else, not an archive"),
    "empty": BadAnswer(send(b""), "got an empty answer"),
    "other archive": BadAnswer(send(pack({"a": b"1"})), "tiny.zip differs from its checksum"),
    "cut at 1 %": BadAnswer(cut(ARCHIVE, 0.01), "the connection broke off"),
    "cut at 50 %": BadAnswer(cut(ARCHIVE, 0.5), "the connection broke off"),
    "cut at 99 %": BadAnswer(cut(ARCHIVE, 0.99), "the connection broke off"),
    "hung up": BadAnswer(reset, "the connection broke off"),
    "stall": BadAnswer(stall(ARCHIVE), "no answer in time", stall_seconds=0.3),
    "drip": BadAnswer(
        slow(ARCHIVE, n_pieces=5000, pause=0.01),
        "not complete within 0.3 s",
        download_timeout="0.3",
    ),
    "endless": BadAnswer(endless, "larger than the archive should be"),
}


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
        env={**os.environ, "CF_DOWNLOAD_TIMEOUT": "600"},
        text=True,
    )


def wait_until_reached(pause: Pause, child: "subprocess.Popen[str]") -> None:
    """Wait for a child's download to come to the pause; a child that ends before is an error."""
    while not pause.reached.wait(0.05):
        assert child.poll() is None, child.communicate()


def first_words(children: "list[subprocess.Popen[str]]") -> Counter[str]:
    """How many of the fetching processes said first "trying", and how many "waiting"."""
    said = Counter[str]()
    for child in children:
        assert child.stderr
        said[child.stderr.read(len("tiny: waiting"))[len("tiny: ") :][:6]] += 1
    return said


def refuse(err: Exception) -> Callable[..., None]:
    """A function that does nothing but raise."""

    def raise_it(*_: object, **__: object) -> None:
        raise err

    return raise_it


def place(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
