"""Bytes of a text file as pyarrow wants them: UTF-8, one character between cells, rows only."""

from __future__ import annotations

import codecs
import io
import re
from typing import Any

from nbhelpers.data.ratings_file.dialect import SAMPLE_BYTES, not_in
from nbhelpers.data.ratings_file.formats import FileBytes

# Stands for "::" inside, since pyarrow splits at one character.
UNIT_SEPARATOR = "\x1f"


class Utf8Stream(io.RawIOBase):
    """Bytes of a text file as UTF-8, from its first row on, with a last row of our own.

    Parameters
    ----------
    stream : binary file
    encoding : str
    n_lines_before : int
        Lines that are left out at the beginning.
    replaces : str
        A delimiter; one of two characters is replaced by the unit separator.
    end : str
        What stands after the last row.
    named : bool
        Whether the caller named the encoding.
    """

    def __init__(
        self,
        stream: Any,
        encoding: str,
        *,
        n_lines_before: int,
        replaces: str,
        end: str,
        named: bool,
    ) -> None:
        self.stream, self.encoding, self.named = stream, encoding, named
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.replaces = replaces.encode() if len(replaces) > 1 else b""
        self.n_lines_before, self.end = n_lines_before, end.encode()
        self.waiting, self.ended = b"", False
        self.n_bytes = self.n_lines = 0
        self.plain = encoding in ("utf-8", "latin-1", "cp1252")

    def readable(self) -> bool:
        """Whether bytes can be read: always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most ``size``, none at the end."""
        while len(self.waiting) < max(size, 1) and not self.ended:
            self.waiting += self._next(max(size, 1 << 16))
        if size < 0:
            size = len(self.waiting)
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def close(self) -> None:
        """Close the file, too."""
        self.stream.close()
        super().close()

    def _next(self, size: int) -> bytes:
        data = self.stream.read(size)
        if not data:
            self.ended = True
            return self._decoded(b"", final=True) + self.end
        while self.replaces and data.endswith(self.replaces[:1]):
            more = self.stream.read(1)
            data += more
            if not more:
                break
        data = self._decoded(data)
        if self.replaces:
            data = data.replace(self.replaces, UNIT_SEPARATOR.encode())
        if self.n_lines_before:
            data = self._without_first_lines(data)
        return data

    def _decoded(self, data: bytes, *, final: bool = False) -> bytes:
        if self.plain and data.isascii() and not final and not self.decoder.getstate()[0]:
            self._count(data)
            return data
        try:
            text = self.decoder.decode(data, final)
        except UnicodeDecodeError as error:
            # the decoder may hold the beginning of a character of the part before
            raise not_in(
                self.encoding,
                error,
                data,
                named=self.named,
                row=self.n_lines,
                at=self.n_bytes,
            ) from error
        self._count(data)
        return text.encode()

    def _count(self, data: bytes) -> None:
        self.n_bytes += len(data)
        self.n_lines += data.count(b"\n")

    def _without_first_lines(self, data: bytes) -> bytes:
        for match in re.finditer(rb"\r\n|\n|\r", data):
            self.n_lines_before -= 1
            if not self.n_lines_before:
                return data[match.end() :]
        return b""


def first_text(source: FileBytes) -> tuple[bytes, bool]:
    """The first bytes of a text file, and whether these are all.

    Parameters
    ----------
    source : FileBytes

    Returns
    -------
    bytes, bool
    """
    with source.open() as stream:
        data = stream.read(SAMPLE_BYTES)
        while len(data) < SAMPLE_BYTES:
            more = stream.read(SAMPLE_BYTES - len(data))
            if not more:
                return data, True
            data += more
        return data, not stream.read(1)
