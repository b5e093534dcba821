"""Take named files out of a zip archive, and refuse archives that are not what they should be."""

import errno
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from nbhelpers.data.datasets.fetching.errors import SourceError, in_few_words
from nbhelpers.data.datasets.registry import Member

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises on damaged bytes, besides its own error.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, ValueError, NotImplementedError, RuntimeError, OverflowError),
)


def extract(archive: Path, folder: Path, members: Mapping[str, Member], *, inside: str) -> None:
    """Copy ``inside/name`` from a zip archive to ``folder/name`` for each named member.

    Parameters
    ----------
    archive : Path
        The zip archive.
    folder : Path
        An existing folder; nothing is written outside it.
    members : Mapping of str to Member
        The files to take, and the most bytes that each may have.
    inside : str
        The folder in the archive that holds the files, e.g. ``"ml-100k"``.

    Raises
    ------
    SourceError
        If the archive is damaged or hostile, or lacks a file.
    OSError
        If a file cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked_entries(opened)
            for name, member in members.items():
                entry = _find(entries, f"{inside}/{name}")
                with opened.open(entry) as source, (folder / name).open("wb") as target:
                    _copy(source, target, max_bytes=member.max_bytes, name=name)
    except _DAMAGE as err:
        raise SourceError(f"{archive.name} is damaged ({in_few_words(err)})") from err
    except OSError as err:
        if err.errno != errno.EINVAL:  # an offset that points before the file
            raise
        raise SourceError(f"{archive.name} is damaged (it points outside itself)") from err


def _checked_entries(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """All entries of an archive, none of which is dangerous to unpack."""
    entries = opened.infolist()
    for entry in entries:
        fault = _fault_of(entry)
        if fault:
            raise SourceError(f"the archive was refused: {entry.filename[:40]!r} {fault}")
    return entries


def _fault_of(entry: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or entry.filename[1:2] == ":":
        return "has an absolute path"
    if ".." in path.parts:
        return "leaves its folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return "is packed by another method than deflate"
    return None


def _find(entries: list[zipfile.ZipInfo], path: str) -> zipfile.ZipInfo:
    """The one entry at ``path``."""
    found = [entry for entry in entries if entry.filename == path]
    if not found:
        raise SourceError(f"the archive was refused: it has no {path!r}")
    if len(found) > 1:
        raise SourceError(f"the archive was refused: it has {path!r} {len(found)} times")
    return found[0]


def _copy(source: IO[bytes], target: IO[bytes], *, max_bytes: int, name: str) -> None:
    """Copy a stream, counting what is really read: the sizes in an archive may lie."""
    room = max_bytes
    while chunk := source.read(min(_CHUNK, room + 1)):
        room -= len(chunk)
        if room < 0:
            raise SourceError(f"the archive was refused: {name!r} exceeds {max_bytes:,} bytes")
        target.write(chunk)
