"""Which columns of a table are the ratings: found by name, under well-known spellings."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nbhelpers.data.ratings_file.columns import InvalidRatingsError

# Other spellings, in lower case, that are accepted and printed.
KNOWN_SPELLINGS = {
    "user_id": ("user_id", "userid", "user"),
    "item_id": ("item_id", "itemid", "item", "movie_id", "movieid", "movie"),
    "rating": ("rating",),
    "timestamp": ("timestamp",),
}
REQUIRED = ("user_id", "item_id")


class ColumnChoice(NamedTuple):
    """Which of a table's columns are read, under which name, and which are left out."""

    positions: dict[str, int]
    renamed: dict[str, str]
    dropped: list[str]

    def remark(self) -> str:
        """What the reader should know about names, in words; empty where nothing changed."""
        parts = [f"{theirs} read as {ours}" for theirs, ours in self.renamed.items()]
        if self.dropped:
            parts.append(f"left out: {_some(self.dropped)}")
        return ", ".join(parts)


def choose_columns(names: Sequence[str]) -> ColumnChoice:
    """Find the fixed columns among ``names``, under their own or another well-known spelling.

    Parameters
    ----------
    names : sequence of str
        Column names of a table.

    Returns
    -------
    ColumnChoice
        Position of each fixed column that is there.

    Raises
    ------
    InvalidRatingsError
        If ``user_id`` or ``item_id`` is not there, or a column is there twice.
    """
    positions: dict[str, int] = {}
    for ours, spellings in KNOWN_SPELLINGS.items():
        found = [k for k, name in enumerate(names) if name == ours] or [
            k for k, name in enumerate(names) if name.strip().lower() in spellings
        ]
        if len(found) > 1:
            doubles = _some([names[k] for k in found])
            raise InvalidRatingsError(f"{len(found)} columns stand for {ours}, {doubles}: keep one")
        if found:
            positions[ours] = found[0]
    _require(positions, names)
    renamed = {names[k]: ours for ours, k in positions.items() if names[k] != ours}
    taken = set(positions.values())
    dropped = [name for k, name in enumerate(names) if k not in taken and name]
    return ColumnChoice(positions, renamed, dropped)


def _require(positions: dict[str, int], names: Sequence[str]) -> None:
    absent = [ours for ours in REQUIRED if ours not in positions]
    if not absent:
        return
    if names and all(re.fullmatch(r"[\d.\s:-]+", name) for name in names):
        raise InvalidRatingsError(
            f"no header, the first line is {_some(names)}: "
            "write user_id,item_id,rating,timestamp above it"
        )
    spare = [name for k, name in enumerate(names) if k not in positions.values()]
    example = spare[0] if spare else "yours"
    raise InvalidRatingsError(
        f"no column {absent[0]} among {_some(names)}: rename the one that holds it, "
        f'frame.rename(columns={{"{example}": "{absent[0]}"}}), and pass it to check_ratings'
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
