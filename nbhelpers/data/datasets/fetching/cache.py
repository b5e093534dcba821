"""The folder that keeps fetched data sets: checked at each use, filled by one process at a time."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from nbhelpers.data.datasets.fetching.errors import DataUnavailableError, say
from nbhelpers.data.datasets.fetching.verify import file_digest
from nbhelpers.data.datasets.registry import Dataset

MANIFEST = "manifest.json"


def cache_home() -> Path:
    """The cache folder: ``CF_CACHE_HOME``, else the usual place of the operating system."""
    named = os.environ.get("CF_CACHE_HOME")
    usual = platformdirs.user_cache_path("nbhelpers")
    return Path(named).expanduser().absolute() if named else usual


def write_manifest(folder: Path, dataset: Dataset, source: str) -> None:
    """Write down in a folder where its files came from, and their checksums."""
    files = {
        name: {"sha256": file_digest(folder / name), "bytes": (folder / name).stat().st_size}
        for name in dataset.members
    }
    text = _sealed({"dataset": dataset.name, "source": source, "files": files})
    (folder / MANIFEST).write_bytes(text.encode())


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder, or None if there is none or any byte of it is damaged."""
    try:
        text = (folder / MANIFEST).read_bytes().decode()
        manifest = json.loads(text)
        whole = isinstance(manifest, dict) and text == _sealed(manifest)
    except (OSError, ValueError, RecursionError):
        return None
    return manifest if whole else None


def _sealed(manifest: dict[str, Any]) -> str:
    """Manifest as text, whose last entry is a checksum of all the others."""
    content = {key: value for key, value in manifest.items() if key != "seal"}
    seal = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps({**content, "seal": seal}, indent=1) + "\n"


def fault_in(folder: Path, dataset: Dataset) -> str | None:
    """What is wrong with the files of a data set in the cache, or None if all are sound.

    Each file is compared with its published checksum or, where none is known, with the one
    written down when it was fetched.
    """
    manifest = read_manifest(folder)
    written = manifest["files"] if manifest else {}
    for name, member in dataset.members.items():
        path = folder / name
        try:
            if not path.is_file():
                return f"{name} is missing"
            expected = member.sha256 or written[name]["sha256"]
            if path.stat().st_size > member.max_bytes or file_digest(path) != expected:
                return f"{name} differs from its checksum"
        except KeyError:
            return f"{MANIFEST} is missing or damaged"
        except OSError:
            return f"{name} cannot be read"
    return None


@contextmanager
def turn(dataset: Dataset, cache: Path, *, seconds: float) -> Iterator[None]:
    """Hold the lock of a data set; the operating system frees it when its owner dies.

    Raises
    ------
    DataUnavailableError
        If another process holds it for longer than ``seconds``.
    OSError
        If the cache cannot be written.
    """
    cache.mkdir(parents=True, exist_ok=True)
    lock = _lock(dataset, cache)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say(f"{dataset.name}: waiting for another process that is fetching it")
        try:
            lock.acquire(timeout=seconds)
        except filelock.Timeout:
            raise DataUnavailableError(
                f"{dataset.name}: another process has been fetching it for {seconds:g} seconds.\n"
                "Let it finish or end it, then try again."
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def workshop(dataset: Dataset, cache: Path) -> Iterator[Path]:
    """Make an empty folder in the cache for unfinished work, and clear all such away after."""
    _sweep(dataset, cache)
    folder = Path(tempfile.mkdtemp(prefix=_prefix(dataset), dir=cache))
    try:
        yield folder
    finally:
        _sweep(dataset, cache)


def publish(files: Path, folder: Path) -> None:
    """Put complete files in their place by renaming; what lay there goes only now.

    ``files`` lies in the workshop, which takes in the old copy and is then cleared away.
    """
    old = files.with_name("replaced")
    if folder.is_symlink() or folder.exists():
        folder.rename(old)
    files.rename(folder)


def tidy(dataset: Dataset, cache: Path) -> None:
    """Clear away what a killed process left, unless another one is at work there."""
    if any(cache.glob(f"{_prefix(dataset)}*")):
        with suppress(OSError, NotImplementedError), _lock(dataset, cache).acquire(timeout=0):
            _sweep(dataset, cache)


def _lock(dataset: Dataset, cache: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(cache / f".{dataset.name}.lock")


def _prefix(dataset: Dataset) -> str:
    return f".partial-{dataset.name}-"


def _sweep(dataset: Dataset, cache: Path) -> None:
    for left_over in cache.glob(f"{_prefix(dataset)}*"):
        shutil.rmtree(left_over, ignore_errors=True)
