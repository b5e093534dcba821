"""What kind of file this is, by its first bytes, and its bytes without their packing."""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, some

PARQUET_SUFFIXES = (".parquet", ".pq")
HEAD = 4096  # bytes that are looked at
CHUNK = 1 << 24
MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"PAR1": "parquet",
    b"ARROW1": "feather",
    b"FEA1": "feather",
    b"SQLite format 3\x00": "sqlite",
}
PACKED = ("gzip", "zip", "zstd", "bz2", "xz")
# Kinds that are not read, with what to do.
UNREAD = {
    b"\xd0\xcf\x11\xe0": "an old Excel file: save it as .xlsx or .csv",
    b"\x89HDF": "an HDF5 file: pass the table as a pandas frame, or write Parquet",
    b"\x93NUMPY": "a NumPy file: pass pandas.DataFrame(numpy.load(...)) with named columns",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"%PDF": "a PDF file: ratings are needed as a table",
}
# More than any table is made smaller by packing.
BOMB_RATIO, BOMB_BYTES = 300, 200_000_000


@dataclass(frozen=True)
class FileBytes:
    """The content of a file, unpacked.

    Attributes
    ----------
    name : str
        Of the file, or of the member of an archive.
    kind : str
        ``"text"``, ``"parquet"``, ``"feather"``, ``"sqlite"``, ``"duckdb"`` or ``"xlsx"``.
    packing : str
        Such as ``"gzip"``; empty where there is none.
    path : Path
    open : callable
        A fresh binary stream of the content.
    """

    name: str
    kind: str
    packing: str
    path: Path
    open: Callable[[], Any]

    def read(self) -> bytes:
        """All bytes."""
        with self.open() as stream:
            return bytes(stream.read())


def file_bytes(path: Path, *, member: str | None = None) -> FileBytes:
    """The content of a file, and what kind it is.

    Parameters
    ----------
    path : Path
    member : str, optional
        Which file of a zip archive.

    Returns
    -------
    FileBytes

    Raises
    ------
    InvalidRatingsError
        If there is no such file, it is empty, or of a kind that is not read; or if an archive
        holds several files and none is named.
    """
    if path.is_dir():
        raise InvalidRatingsError("this is a folder: name one file in it")
    if not path.exists():
        raise InvalidRatingsError(f"no such file, looked for {path}")
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise InvalidRatingsError(f"cannot be opened ({error.strerror})") from error
    kind = _kind(head, path.name)
    if kind == "zip":
        return _zip_member(path, member)
    if kind not in PACKED:
        return FileBytes(path.name, kind, "", path, lambda: path.open("rb"))
    unpack = _OPENERS[kind]

    def opened() -> Any:
        return _Guarded(unpack(path), packed_bytes=path.stat().st_size)

    with opened() as unpacked:
        head = unpacked.read(HEAD)
    if head[257:262] == b"ustar":
        raise InvalidRatingsError("a tar archive: unpack it, and name one file in it")
    return FileBytes(path.name, _kind(head, path.stem), kind, path, opened)


def _kind(head: bytes, name: str) -> str:
    if not head:
        raise InvalidRatingsError("the file is empty")
    for magic, problem in UNREAD.items():
        if head.startswith(magic):
            raise InvalidRatingsError(problem)
    if head[8:12] == b"DUCK":
        return "duckdb"
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    suffix = Path(name).suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        raise InvalidRatingsError("no readable Parquet file: write it again")
    if suffix in (".xlsx", ".feather", ".arrow"):
        raise InvalidRatingsError(f"no readable {suffix} file: write it again")
    if suffix in (".pkl", ".pickle", ".joblib"):
        raise InvalidRatingsError("a pickle may run code and is not opened: write Parquet or CSV")
    return "text"


def _zip_member(path: Path, member: str | None) -> FileBytes:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidRatingsError("no readable zip file: write it again") from error
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    names = [info.filename for info in infos]
    if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
        return FileBytes(path.name, "xlsx", "", path, lambda: path.open("rb"))
    chosen = [info for info in infos if info.filename == member] if member else _tables(infos)
    if len(chosen) != 1:
        shown = some(sorted(names if member else [info.filename for info in chosen]))
        found = f"no member {member!r}" if member else f"{len(chosen)} files that may be a table"
        example = shown.split(",")[0]
        raise InvalidRatingsError(
            f"the archive holds {found} ({shown}): name one, table={example!r} "
            f"(on the command line: --table {example!r})"
        )
    info = chosen[0]
    if info.flag_bits & 1:
        raise InvalidRatingsError("the archive asks for a password: unpack it first")
    if info.file_size > BOMB_BYTES and info.file_size > BOMB_RATIO * max(info.compress_size, 1):
        raise InvalidRatingsError(_bomb(info.file_size))

    def opened() -> Any:
        try:
            with zipfile.ZipFile(path) as again:  # the member keeps the file open
                return _Guarded(again.open(info), packed_bytes=max(info.compress_size, 1))
        except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
            raise InvalidRatingsError("the archive is damaged, or packed in a rare way") from error

    with opened() as stream:
        head = stream.read(HEAD)
    kind = _kind(head, info.filename)
    if kind in PACKED:
        raise InvalidRatingsError(f"{info.filename} is packed twice: unpack it first")
    return FileBytes(info.filename, kind, "zip", path, opened)


def _tables(infos: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Members that may be tables: no notes, nothing hidden."""
    beside = ("readme", "license", "licence")
    return [
        info
        for info in infos
        if not info.filename.startswith("__MACOSX")
        and not Path(info.filename).name.lower().startswith((".", *beside))
    ]


class _Guarded(io.RawIOBase):
    """Unpacked bytes; stops where far more come out than a table can hold."""

    def __init__(self, stream: Any, *, packed_bytes: int) -> None:
        self.stream, self.packed_bytes, self.n_bytes = stream, packed_bytes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        try:
            data = bytes(self.stream.read(size))
        except (OSError, EOFError, zipfile.BadZipFile, lzma.LZMAError, pa.ArrowException) as error:
            raise InvalidRatingsError("the packed file is cut or damaged: get it again") from error
        except Exception as error:  # zlib.error has no other base
            raise InvalidRatingsError("the packed file is damaged: get it again") from error
        self.n_bytes += len(data)
        if self.n_bytes > BOMB_BYTES and self.n_bytes > BOMB_RATIO * self.packed_bytes:
            raise InvalidRatingsError(_bomb(self.n_bytes))
        return data

    def readall(self) -> bytes:
        return self.read(-1)

    def close(self) -> None:
        self.stream.close()
        super().close()


def _bomb(n_bytes: int) -> str:
    return (
        f"unpacks to {n_bytes / 1e6:,.0f} MB, more than {BOMB_RATIO} times its size: unpack it "
        "yourself if you trust it"
    )


def _arrow_opener(codec: str) -> Callable[[Path], Any]:
    return lambda path: pa.CompressedInputStream(pa.OSFile(str(path)), codec)


_OPENERS: dict[str, Callable[[Path], Any]] = {
    "gzip": _arrow_opener("gzip"),
    "zstd": _arrow_opener("zstd"),
    "bz2": bz2.open,
    "xz": lzma.open,
}
