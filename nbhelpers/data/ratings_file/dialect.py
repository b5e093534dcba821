"""How a text file is written: its encoding, its delimiter, and whether it has a header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.refusals import (
    AmbiguousRatingsError,
    InvalidRatingsError,
    NotUtf8Error,
)
from nbhelpers.data.ratings_file.spellings import SPELLINGS, is_known, tier_of

# The earlier one is taken where two split the lines equally well.
DELIMITERS = ("::", "\t", ";", "|", ",", " ")
DELIMITER_WORDS = {"\t": "tab", " ": "space", ",": "comma", ";": "semicolon"}
SAMPLE_BYTES = 1 << 22
LOOKED_AT = 200  # lines
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
_COMMENT = re.compile(r"[#%]")


@dataclass(frozen=True)
class Dialect:
    """How the lines of a text file are split.

    Attributes
    ----------
    delimiter : str
        One character, or ``"::"``.
    n_columns : int
    names : tuple of str
        ``"1"``, ``"2"``, ... where there is no header.
    has_header : bool
    n_lines_before : int
        Lines before the first row: comments, blank lines and the header.
    """

    delimiter: str
    n_columns: int
    names: tuple[str, ...]
    has_header: bool
    n_lines_before: int


def decoded(data: bytes, encoding: str | None) -> tuple[str, str]:
    """The text of the first bytes of a file, and the encoding that was used.

    Parameters
    ----------
    data : bytes
        May end in the middle of a character.
    encoding : str, optional
        As named by the caller; a byte order mark outvotes it.

    Returns
    -------
    text, encoding : str

    Raises
    ------
    NotUtf8Error
        If no encoding was named and the bytes are no UTF-8.
    InvalidRatingsError
        If they are not in the encoding that was named, or there is no such encoding.
    """
    used = next((name for mark, name in MARKS.items() if data.startswith(mark)), encoding)
    if used is None and len(data) > 3 and data[1:200:2].count(0) > len(data[1:200:2]) // 2:
        used = "utf-16-le"
    used = used or "utf-8"
    try:
        decoder = codecs.getincrementaldecoder(used)()
        text = decoder.decode(data)
        text.encode()
    except UnicodeDecodeError as error:
        raise not_in(used, error, data, named=encoding is not None) from error
    except (LookupError, ValueError, AssertionError) as error:
        raise InvalidRatingsError(
            f'encoding {encoding!r} cannot be used: try "utf-8" or "latin-1"'
        ) from error
    if not isinstance(text, str):
        raise InvalidRatingsError(f'encoding {encoding!r} cannot be used: try "utf-8"')
    return text, used


def not_in(
    encoding: str, error: UnicodeDecodeError, data: bytes, *, named: bool, row: int = 0, at: int = 0
) -> InvalidRatingsError:
    """What to raise for bytes that are not in an encoding.

    Parameters
    ----------
    encoding : str
    error : UnicodeDecodeError
    data : bytes
        A part of the file.
    named : bool
        Whether the caller named the encoding.
    row, at : int
        Line breaks and bytes before this part.

    Returns
    -------
    InvalidRatingsError
    """
    row += data.count(b"\n", 0, error.start)
    where = f"byte {at + error.start} ({f'row {row}' if row else 'in the header'})"
    if not named and encoding == "utf-8":
        return NotUtf8Error(f"{where} is not utf-8")
    cure = "utf-8" if encoding == "latin-1" else "latin-1"
    return InvalidRatingsError(
        f'{where} is not {encoding}: try encoding="{cure}" (--encoding {cure})'
    )


def find_dialect(text: str, choices: Choices) -> Dialect:
    """How the lines of a text are split, found from its first lines.

    Parameters
    ----------
    text : str
    choices : Choices
        ``delimiter`` and ``header`` where the caller named them.

    Returns
    -------
    Dialect

    Raises
    ------
    InvalidRatingsError
        If there is no line.
    AmbiguousRatingsError
        If the first line may be a header or a row.
    """
    lines = re.split(r"\r\n|\n|\r", text[: LOOKED_AT * 2000])
    start = next(
        (k for k, line in enumerate(lines) if line.strip() and not _is_comment(line)), None
    )
    if start is None:
        raise InvalidRatingsError("the file is empty")
    body = [line for line in lines[start : start + LOOKED_AT] if line.strip()]
    delimiter = choices.delimiter or _delimiter(body)
    rows = [split_line(line, delimiter) for line in body]
    n_columns = len(rows[0])
    has_header = choices.header
    if has_header is None:
        has_header = _is_header(rows, n_columns)
    names = [name.strip().lstrip("#% ") for name in rows[0]] if has_header else []
    names = [name or f"column {k + 1}" for k, name in enumerate(names)]
    return Dialect(
        delimiter=delimiter,
        n_columns=n_columns,
        names=tuple(names or map(str, range(1, n_columns + 1))),
        has_header=has_header,
        n_lines_before=start + has_header,
    )


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of one line.

    Parameters
    ----------
    line, delimiter : str

    Returns
    -------
    list of str
    """
    if delimiter == "::":
        return line.split("::")
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return line.split(delimiter)


def is_number(cell: str) -> bool:
    """Whether a cell spells a number."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_comment(line: str) -> bool:
    """Whether a line before the table is a remark, as network data have them."""
    return _COMMENT.match(line) is not None and not any(
        is_known(word) for word in re.split(r"[\s,;|]+", line[1:])
    )


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter under which the header has known names, or most lines have as many cells."""
    known = {each: _n_known(split_line(lines[0], each)) for each in DELIMITERS}
    best = max(known.values())
    if best:
        return next(each for each in DELIMITERS if known[each] == best)
    shares = {each: _share_of_most_common_width(lines, each) for each in DELIMITERS}
    return max(DELIMITERS, key=lambda each: shares[each])


def _n_known(cells: Sequence[str]) -> int:
    return sum(is_known(cell) for cell in cells) if len(cells) > 1 or is_known(cells[0]) else 0


def _share_of_most_common_width(lines: Sequence[str], delimiter: str) -> float:
    widths = Counter(len(split_line(line, delimiter)) for line in lines)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    if width > 1:
        return count / len(lines)
    return 0.01 if len(widths) > 1 else 0.0


def _is_header(rows: Sequence[Sequence[str]], n_columns: int) -> bool:
    first = rows[0]
    if any(tier_of(cell, role) is not None for cell in first for role in SPELLINGS):
        return True
    body = [row for row in rows[1:] if len(row) == n_columns]
    if not body:
        return not any(is_value(cell) for cell in first)
    columns = list(zip(*body, strict=True))
    values = [all(is_value(cell) for cell in column if cell.strip()) for column in columns]
    if any(
        all_values and not is_value(cell) for all_values, cell in zip(values, first, strict=True)
    ):
        return True
    if any(is_value(cell) for cell in first if cell.strip()):
        return False
    shown = ", ".join(first)[:80]
    raise AmbiguousRatingsError(
        f"the first line ({shown}) may be a header or a row: say header=True or header=False "
        "(on the command line: --header yes or --header no)"
    )


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a date, which no header is made of."""
    return is_number(cell) or _DATE.fullmatch(cell.strip()) is not None
