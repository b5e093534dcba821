"""What is asked where two readings are possible: three rows, both readings, what to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from shlex import quote
from typing import NoReturn

from nbhelpers.data.ratings_file.column_looks import look_at
from nbhelpers.data.ratings_file.opened import Opened
from nbhelpers.data.ratings_file.refusals import (
    AmbiguousRatingsError,
    InvalidRatingsError,
    counted,
    some,
)

FEWEST_ITEMS = 3  # of a matrix
ROWS_SHOWN, MOST_READINGS, MOST_CELLS = 3, 6, 8


def ask_user_and_item(
    opened: Opened, known: Mapping[str, int], candidates: Sequence[int]
) -> InvalidRatingsError:
    """The question which columns are user and item.

    Parameters
    ----------
    opened : Opened
    known : mapping of str to int
        Roles that are clear.
    candidates : sequence of int
        Positions of columns that could be what is missing.

    Returns
    -------
    InvalidRatingsError
        An ``AmbiguousRatingsError`` if there is more than one reading.
    """
    missing = [role for role in ("user", "item") if role not in known]
    readings = [
        {**{role: known[role] for role in ("user", "item") if role in known}, **dict(pairs)}
        for chosen in permutations(candidates, len(missing))
        for pairs in [zip(missing, chosen, strict=True)]
    ]
    if not readings:
        name = f"{missing[0]}_id"
        raise InvalidRatingsError(
            f"no column {name} among {some(opened.names)}: name the one that holds the "
            f"{missing[0]}, {missing[0]}=... (on the command line: --{missing[0]} ...)"
        )
    if opened.has_header:
        head = f"no column {missing[0]}_id among {some(opened.names)}: say which it is"
    elif len(missing) == 2:
        head = "there is no header, and more than one column could be the user"
    else:
        head = f"there is no header, and more than one column could be the {missing[0]}"
    question = _question(opened, head, readings[:MOST_READINGS])
    looks = [look_at(opened.sample.columns[k]) for k in range(1, len(opened.names))]
    if len(looks) >= FEWEST_ITEMS and all(look.kind in ("number", "empty") for look in looks):
        question += (
            "\n  layout='wide': rows are users, columns are items (on the command line: "
            "--layout wide)"
        )
    return AmbiguousRatingsError(question)


def same_role(
    opened: Opened, role: str, found: Sequence[int], known: Mapping[str, int]
) -> NoReturn:
    """Ask which of several columns with fitting names is meant.

    Parameters
    ----------
    opened : Opened
    role : str
    found : sequence of int
        Positions of the columns.
    known : mapping of str to int
        Roles that are clear.

    Raises
    ------
    AmbiguousRatingsError
    """
    names = some([opened.names[k] for k in found])
    head = f"{len(found)} columns could be the {role}, {names}: say which"
    readings = [{role: k} for k in found]
    raise AmbiguousRatingsError(_question(opened, head, readings))


def ask_for_value(opened: Opened, positions: Sequence[int]) -> AmbiguousRatingsError:
    """The question which of some columns of numbers are ratings or counts, if any.

    Parameters
    ----------
    opened : Opened
    positions : sequence of int

    Returns
    -------
    AmbiguousRatingsError
    """
    spans = []
    for k in positions:
        look = look_at(opened.sample.columns[k])
        spans.append(f"column {opened.names[k]} holds {look.low:g} to {look.high:g}")
    head = f"{some(spans)}, which may be ratings, weights (counts) or neither: say which"
    readings = [{role: k} for k in positions[:2] for role in ("rating", "weight")]
    question = _question(opened, head, readings)
    return AmbiguousRatingsError(
        f"{question}\n  rating=False: neither (on the command line: --rating -)"
    )


def _question(opened: Opened, head: str, readings: Sequence[Mapping[str, int]]) -> str:
    lines = [f"{head}. The first rows:"]
    if opened.has_header:
        lines.append(_row(opened.names))
    columns = [
        opened.sample.columns[k].slice(0, ROWS_SHOWN).to_pylist() for k in range(len(opened.names))
    ]
    lines += [
        _row(["" if cell is None else str(cell) for cell in row])
        for row in zip(*columns, strict=True)
    ]
    where = "" if opened.is_whole else f" in the first {opened.sample.n_rows:,} rows"
    for reading in readings:
        python = ", ".join(f"{role}={argument(opened, k)!r}" for role, k in reading.items())
        command = " ".join(
            f"--{role} {quote(str(argument(opened, k)))}" for role, k in reading.items()
        )
        counts = ", ".join(_count(opened, role, k) for role, k in reading.items())
        lines.append(f"  {python}: {counts}{where} (on the command line: {command})")
    return "\n".join(lines)


def argument(opened: Opened, position: int) -> str | int:
    """How a caller names a column: by its name, or by its number where this is clearer.

    Parameters
    ----------
    opened : Opened
    position : int

    Returns
    -------
    str or int
    """
    name = opened.names[position]
    is_clear = opened.has_header and opened.names.count(name) == 1
    return name if is_clear and name != f"column {position + 1}" else position + 1


def _count(opened: Opened, role: str, position: int) -> str:
    n_distinct = look_at(opened.sample.columns[position]).n_distinct
    what = role if role in ("user", "item") else "different value"
    return counted(n_distinct, what)


def _row(cells: Sequence[str]) -> str:
    more = [f"and {len(cells) - MOST_CELLS} more"] if len(cells) > MOST_CELLS else []
    return "  " + " | ".join([*(cell[:24] for cell in cells[:MOST_CELLS]), *more])
