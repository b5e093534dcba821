"""The folder that keeps fetched data sets: one folder each, filled by one process at a time."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import platformdirs

from nbhelpers.data.datasets.fetching.errors import DataUnavailableError, say


def cache_home() -> Path:
    """The cache folder: ``CF_CACHE_HOME``, else a folder in the user's cache of the system."""
    named = os.environ.get("CF_CACHE_HOME")
    usual = platformdirs.user_cache_path("nbhelpers")
    return Path(named).expanduser().absolute() if named else usual


@contextmanager
def lock(folder: Path, *, seconds: float) -> Iterator[None]:
    """Hold the lock of a data set's folder; the operating system frees it when its owner dies.

    Parameters
    ----------
    folder : Path
        The folder of one data set in the cache; neither it nor the cache need exist yet.
    seconds : float
        How long to wait for another process.

    Raises
    ------
    DataUnavailableError
        If another process holds it for longer than ``seconds``.
    OSError
        If the cache cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    file_lock = _file_lock(folder)
    try:
        file_lock.acquire(timeout=0)
    except filelock.Timeout:
        say(f"{folder.name}: waiting for another process that is fetching it")
        try:
            file_lock.acquire(timeout=seconds)
        except filelock.Timeout:
            raise DataUnavailableError(
                f"{folder.name}: another process has been fetching it for {seconds:g} seconds.\n"
                "Let it finish or end it, then try again."
            ) from None
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def staging_dir(folder: Path) -> Iterator[Path]:
    """Make an empty folder for files that will be published in ``folder``, cleared away after.

    What a killed process left is cleared away, too.
    """
    _sweep(folder)
    unfinished = Path(tempfile.mkdtemp(prefix=_prefix(folder), dir=folder.parent))
    staging = unfinished / "files"
    staging.mkdir()
    try:
        yield staging
    finally:
        _sweep(folder)


def publish(staging: Path, folder: Path) -> None:
    """Rename a staging folder of complete files to ``folder``, whose old files go only now."""
    if folder.is_symlink() or folder.exists():
        folder.rename(staging.with_name("replaced"))
    staging.rename(folder)


def tidy(folder: Path) -> None:
    """Clear away what a killed process left beside ``folder``, unless another one is at work."""
    if any(folder.parent.glob(f"{_prefix(folder)}*")):
        with suppress(OSError, NotImplementedError), _file_lock(folder).acquire(timeout=0):
            _sweep(folder)


def _file_lock(folder: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(folder.with_name(f".{folder.name}.lock"))


def _prefix(folder: Path) -> str:
    return f".partial-{folder.name}-"


def _sweep(folder: Path) -> None:
    for left_over in folder.parent.glob(f"{_prefix(folder)}*"):
        shutil.rmtree(left_over, ignore_errors=True)
