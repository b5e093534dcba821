"""Compare files with what is known of them: published checksums, counts, and their manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any

from nbhelpers.data.datasets.fetching.errors import SourceError
from nbhelpers.data.datasets.registry import Dataset

MANIFEST = "manifest.json"
_CHUNK = 1 << 20


def verify_checksum(path: Path, digest: str) -> None:
    """Raise `SourceError` if a file is not the one with ``digest``.

    Parameters
    ----------
    path : Path
        An archive, a wheel, or a file out of one.
    digest : str
        ``"sha256:..."`` or ``"md5:..."``; hexadecimal digits alone are a SHA-256.
    """
    algorithm, _, expected = digest.rpartition(":")
    if _checksum(path, algorithm or "sha256") != expected:
        raise SourceError(f"{path.name} differs from its checksum")


def verify_files(folder: Path, dataset: Dataset) -> str:
    """Edition of the files in a folder, refused if they cannot be those of a data set.

    A file is compared with its checksum. Where none is published, the ratings are counted, so
    that another edition is refused and not kept.

    Returns
    -------
    str
        E.g. ``"2018 edition"`` where there are several, else empty. Line ends are not compared:
        the same edition was published with LF and with CRLF.

    Raises
    ------
    SourceError
        If a file is larger than its limit, differs from its checksum or has another count.
    OSError
        If a file cannot be read.
    """
    for name, member in dataset.members.items():
        path = folder / name
        if path.stat().st_size > member.max_bytes:
            raise SourceError(f"{name} has more than {member.max_bytes:,} bytes")
        if member.sha256:
            verify_checksum(path, member.sha256)
    name, member = next(iter(dataset.members.items()))  # ratings come first
    if member.sha256 is None:
        n_found = _count_lines(folder / name) - name.endswith(".csv")  # a CSV has a header
        if n_found != dataset.n_ratings:
            raise SourceError(f"{name} holds {n_found:,} ratings, not {dataset.n_ratings:,}")
    return _edition_of(folder, dataset)


def write_manifest(folder: Path, dataset: Dataset, source: str) -> None:
    """Write down in a folder where its files came from, and their checksums."""
    files = {
        name: {"sha256": _checksum(folder / name), "bytes": (folder / name).stat().st_size}
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


def fault_in(folder: Path, dataset: Dataset) -> str | None:
    """What is wrong with the published files of a data set, or None if all are sound.

    Each file is compared with its published checksum or, where none is known, with the one
    written down in the manifest when it was fetched.
    """
    manifest = read_manifest(folder)
    written = manifest["files"] if manifest else {}
    for name, member in dataset.members.items():
        path = folder / name
        try:
            if not path.is_file():
                return f"{name} is missing"
            expected = member.sha256 or written[name]["sha256"]
            if path.stat().st_size > member.max_bytes or _checksum(path) != expected:
                return f"{name} differs from its checksum"
        except KeyError:
            return f"{MANIFEST} is missing or damaged"
        except OSError:
            return f"{name} cannot be read"
    return None


def _checksum(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return found.hexdigest()


def _edition_of(folder: Path, dataset: Dataset) -> str:
    if dataset.edition is None:
        return ""
    for name, expected in dataset.edition_sha256.items():
        text = (folder / name).read_bytes().replace(b"\r\n", b"\n")
        if hashlib.sha256(text).hexdigest() != expected:
            return "unknown edition"
    return f"{dataset.edition} edition"


def _sealed(manifest: dict[str, Any]) -> str:
    """Manifest as text, whose last entry is a checksum of all the others."""
    content = {key: value for key, value in manifest.items() if key != "seal"}
    seal = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps({**content, "seal": seal}, indent=1) + "\n"


def _count_lines(path: Path) -> int:
    """Number of lines, with or without a line end after the last one."""
    n_lines, chunk, last = 0, b"", b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            n_lines, last = n_lines + chunk.count(b"\n"), chunk[-1:]
    return n_lines + (last != b"\n")
