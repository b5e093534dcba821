"""Download one file over HTTP, within a time and a size, with failures in a few plain words."""

import errno
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from nbhelpers.data.datasets.fetching.errors import SourceError, say

CONNECT_SECONDS = 10.0
STALL_SECONDS = 15.0
_SLOWEST = 250_000  # bytes per second
_CHUNK = 1 << 16
_BIG = 20_000_000
_ZIP_START = b"PK"
_NO_NETWORK = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}


def download(url: str, target: Path, *, max_bytes: int, seconds: float) -> None:
    """Download a zip archive.

    Parameters
    ----------
    url : str
        Address of the archive.
    target : Path
        The file to write.
    max_bytes : int
        The download is cut off when it exceeds this size.
    seconds : float
        Limit on the whole download, in seconds. A server that sends nothing for
        ``STALL_SECONDS`` is given up earlier.

    Raises
    ------
    SourceError
        If the server does not deliver; the message says why.
    OSError
        If the file cannot be written.
    """
    quiet = max_bytes < _BIG or bool(os.environ.get("CI"))
    if not quiet:
        say("")
    bar = tqdm(total=max_bytes, unit="B", unit_scale=True, disable=quiet, file=sys.stderr)
    loader = pooch.HTTPDownloader(
        chunk_size=_CHUNK,
        timeout=(CONNECT_SECONDS, STALL_SECONDS),
        hooks={"response": _refuse_downgrade(url)},
    )
    with target.open("wb") as file, bar:
        sink = _Sink(file, bar, max_bytes=max_bytes)
        try:
            _within(seconds, lambda: loader(url, sink, None))
        except requests.RequestException as err:
            raise SourceError(in_words(err)) from err
    if not sink.start:
        raise SourceError("got an empty answer")


def time_limit(n_bytes: int) -> float:
    """Seconds that a download of ``n_bytes`` may take; ``CF_DOWNLOAD_TIMEOUT`` overrules it.

    Raises
    ------
    ValueError
        If ``CF_DOWNLOAD_TIMEOUT`` is no positive number.
    """
    named = os.environ.get("CF_DOWNLOAD_TIMEOUT")
    if not named:
        return max(60.0, n_bytes / _SLOWEST)
    try:
        seconds = float(named)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"CF_DOWNLOAD_TIMEOUT must be a positive number of seconds; got {named!r}")
    return seconds


class _Sink:
    """The file that pooch writes to: refuses web pages and endless answers while they arrive."""

    def __init__(self, file: IO[bytes], bar: "tqdm[Any]", *, max_bytes: int) -> None:
        self.file, self.bar, self.room = file, bar, max_bytes
        self.start = b""

    def write(self, chunk: bytes) -> int:
        if len(self.start) < len(_ZIP_START):
            self.start = (self.start + chunk)[:16]
            if not self.start.startswith(_ZIP_START[: len(self.start)]):
                page = self.start.lstrip().startswith(b"<")
                raise SourceError(
                    f"got {'a web page' if page else 'something else'}, not an archive"
                )
        self.room -= len(chunk)
        if self.room < 0:
            raise SourceError("the answer is larger than the archive should be")
        self.bar.update(len(chunk))
        return self.file.write(chunk)

    def flush(self) -> None:
        self.file.flush()


def _within(seconds: float, work: Callable[[], object]) -> None:
    """Do work in a thread and give up on it in time; a name look-up cannot be cut short otherwise.

    Work that was given up ends by itself when it next writes to the file, which is closed by then.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as err:
            failures.append(err)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise SourceError(f"not complete within {seconds:g} s")
    if failures:
        raise failures[0]


def _refuse_downgrade(url: str) -> Callable[..., None]:
    """Hook that refuses to be sent on from an encrypted to an open address."""

    def check(answer: requests.Response, *_: object, **__: object) -> None:
        if urlsplit(url).scheme == "https" and urlsplit(answer.url).scheme != "https":
            raise SourceError("sent on to an address without encryption")

    return check


def in_words(err: requests.RequestException) -> str:
    """Say in a few words why a request failed."""
    if isinstance(err, requests.HTTPError) and err.response is not None:
        return f"the server answered {err.response.status_code} {err.response.reason}".strip()
    for cause in _causes(err):
        if isinstance(cause, socket.gaierror):
            return "host name not found (is there a network?)"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"invalid certificate ({cause.verify_message})"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if isinstance(cause, ConnectionError):
            return "the connection broke off"
        if isinstance(cause, OSError) and cause.errno in _NO_NETWORK:
            return "no network"
    if isinstance(err, requests.Timeout):
        return "no answer in time"
    if isinstance(err, requests.exceptions.ProxyError):
        return "the proxy did not answer"
    if isinstance(err, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off before the end"
    if isinstance(err, requests.exceptions.SSLError):
        return "no secure connection"
    return "no connection"


def _causes(err: BaseException) -> Iterator[BaseException]:
    """The error and all that is behind it: causes, contexts, and errors inside arguments."""
    waiting: list[object] = [err]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [found.__cause__, found.__context__, getattr(found, "reason", None)]
            waiting += found.args
