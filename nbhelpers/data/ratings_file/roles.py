"""Which columns are user, item, rating and the rest: as said, by their names, by content."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nbhelpers.data.ratings_file.choices import ROLES, Choices, Column
from nbhelpers.data.ratings_file.column_looks import Look, look_at
from nbhelpers.data.ratings_file.opened import Opened
from nbhelpers.data.ratings_file.questions import (
    argument,
    ask_for_value,
    ask_user_and_item,
    same_role,
)
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError, some
from nbhelpers.data.ratings_file.spellings import VALUE_NAMES, plain_name, tier_of

# Files that were published under these names, with one meaning each.
PUBLISHED = (
    (re.compile(r"(u|u[1-5ab])\.(data|base|test)"), "tab", "MovieLens 100K"),
    (re.compile(r"ratings\.dat"), "::", "MovieLens 1M and 10M"),
)
PUBLISHED_ROLES = ("user", "item", "rating", "time")


@dataclass
class Roles:
    """Positions of columns by role, and what the reader should know about the choice.

    Attributes
    ----------
    positions : dict of str to int
    notes : list of str
    """

    positions: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def choose_roles(opened: Opened, choices: Choices) -> Roles:
    """The column of each role that is there.

    Parameters
    ----------
    opened : Opened
    choices : Choices
        Columns that the caller named.

    Returns
    -------
    Roles
        ``user`` and ``item`` at least.

    Raises
    ------
    InvalidRatingsError
        If a column that was named is not there, or no column is the user or the item.
    AmbiguousRatingsError
        If two columns could be the user or the item.
    """
    roles = Roles()
    for role in ROLES:
        column = choices.column(role)
        if column is not None and column is not False:
            roles.positions[role] = column_position(opened, column, role)
    _refuse_two_roles(roles, opened)
    wanted = [role for role in ROLES if choices.column(role) is None]
    if opened.has_header:
        _by_name(roles, opened, wanted)
    elif "user" not in roles.positions and "item" not in roles.positions:
        _as_published(roles, opened, wanted)
    _complete(roles, opened, wanted)
    _say_what_is_left(roles, opened)
    return roles


def _refuse_two_roles(roles: Roles, opened: Opened) -> None:
    by_column: dict[int, list[str]] = {}
    for role, k in roles.positions.items():
        by_column.setdefault(k, []).append(role)
    for k, played in by_column.items():
        if len(played) > 1:
            raise InvalidRatingsError(
                f"{' and '.join(played)} must be different columns, got {argument(opened, k)!r} "
                "for both"
            )


def column_position(opened: Opened, column: Column, role: str) -> int:
    """Position of a column that the caller named, or gave by its number from 1.

    Parameters
    ----------
    opened : Opened
    column : str or int
    role : str

    Returns
    -------
    int

    Raises
    ------
    InvalidRatingsError
        If there is none.
    """
    names, n_columns, asked = opened.names, len(opened.names), column
    if isinstance(column, str):
        found = [k for k, name in enumerate(names) if name == column] or [
            k for k, name in enumerate(names) if plain_name(name) == plain_name(column)
        ]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise InvalidRatingsError(
                f"{role}={column!r} names {len(found)} columns: give its number, "
                f"{role}={found[0] + 1}"
            )
        column = int(column) if column.isdecimal() else 0
    if isinstance(column, int) and 1 <= column <= n_columns:
        return column - 1
    given = some(names) if opened.has_header else f"1 to {n_columns}"
    raise InvalidRatingsError(f"{role}={asked!r} names no column: there are {given}")


def _by_name(roles: Roles, opened: Opened, wanted: list[str]) -> None:
    for role in wanted:
        found = _best_named(roles, opened, role)
        if role == "event":
            found = [k for k in found if look_at(opened.sample.columns[k]).kind != "number"]
        if not found:
            continue
        if len(found) > 1:
            same_role(opened, role, found, roles.positions)
        roles.positions[role] = found[0]
    if "item" not in roles.positions and "item" in wanted and "title" in roles.positions:
        roles.positions["item"] = roles.positions.pop("title")
        name = opened.names[roles.positions["item"]]
        roles.notes.append(f"no column holds item ids: {name} is taken for them")
    _name_value(roles, opened, wanted)
    if "weight" in wanted and "rating" in roles.positions and "weight" in roles.positions:
        name = opened.names[roles.positions.pop("weight")]
        roles.notes.append(
            f"beside a rating, {name} is left out: weight={name!r} (--weight {name}) keeps it"
        )


def _best_named(roles: Roles, opened: Opened, role: str) -> list[int]:
    """Free columns whose names fit a role best."""
    taken = roles.positions.values()
    tiers = {k: tier_of(name, role) for k, name in enumerate(opened.names) if k not in taken}
    known = {k: tier for k, tier in tiers.items() if tier is not None}
    return [k for k, tier in known.items() if tier == min(known.values())]


def _name_value(roles: Roles, opened: Opened, wanted: list[str]) -> None:
    """Take a column called "value" for ratings or weights, as its content says."""
    if {"rating", "weight"} & roles.positions.keys() or not {"rating", "weight"} <= set(wanted):
        return
    named = [k for k, name in enumerate(opened.names) if plain_name(name) in VALUE_NAMES]
    free = [k for k in named if k not in roles.positions.values()]
    if len(free) == 1 and look_at(opened.sample.columns[free[0]]).kind == "number":
        _take_value(roles, opened, free[0])


def _take_value(roles: Roles, opened: Opened, position: int) -> None:
    """Take a column of numbers for ratings or for weights, or ask which."""
    look, name = look_at(opened.sample.columns[position]), opened.names[position]
    if look.is_stars:
        role = "rating"
    elif look.is_counts:
        role = "weight"
    else:
        raise ask_for_value(opened, [position])
    span = f"{look.low:g} to {look.high:g}"
    roles.positions[role] = position
    roles.notes.append(f"column {name} is taken for the {role}: it holds {span}")


def _take_stars(roles: Roles, opened: Opened, looks: dict[int, Look]) -> None:
    """Without a header, take the only column of numbers for ratings if they are on a scale."""
    stars = [k for k, look in looks.items() if look.is_stars and look.n_distinct > 1]
    if stars and len(looks) == 1:
        _take_value(roles, opened, stars[0])
    elif stars or len(looks) == 1:
        raise ask_for_value(opened, list(looks))


def _as_published(roles: Roles, opened: Opened, wanted: list[str]) -> None:
    for pattern, delimiter, published in PUBLISHED:
        if (
            pattern.fullmatch(opened.file_name)
            and f"({delimiter})" in opened.kind
            and len(opened.names) == len(PUBLISHED_ROLES)
        ):
            found = {role: k for k, role in enumerate(PUBLISHED_ROLES) if role in wanted}
            roles.positions.update(found)
            roles.notes.append(f"columns are those of {opened.file_name} of {published}")


def _complete(roles: Roles, opened: Opened, wanted: list[str]) -> None:
    """Find what names did not tell: user and item, and without a header the rest, by content."""
    taken = roles.positions
    missing = [role for role in ("user", "item") if role not in taken]
    free = [k for k in range(len(opened.names)) if k not in taken.values()]
    if not missing and opened.has_header:
        return
    looks = {k: look_at(opened.sample.columns[k]) for k in free}
    times = [k for k in free if looks[k].kind == "time"]
    if not opened.has_header and "time" in wanted and len(times) == 1 and len(free) > len(missing):
        taken["time"] = times[0]
        roles.notes.append(f"column {opened.names[times[0]]} is taken for the time")
    rest = [k for k in free if k not in taken.values() and looks[k].kind != "empty"]
    if missing:
        _find_ids(roles, opened, missing, {k: looks[k] for k in rest})
        rest = [k for k in rest if k not in taken.values()]
    numbers = [k for k in rest if looks[k].kind == "number"]
    unnamed = {"rating", "weight"} <= set(wanted) and not {"rating", "weight"} & taken.keys()
    if not opened.has_header and unnamed and not opened.is_wide:
        _take_stars(roles, opened, {k: looks[k] for k in numbers})


def _find_ids(roles: Roles, opened: Opened, missing: list[str], looks: dict[int, Look]) -> None:
    """The columns of ids that are left, if only one reading is possible; else ask."""
    candidates = list(looks)
    if len(candidates) > len(missing):
        unlike_stars = [k for k in candidates if not looks[k].is_stars and looks[k].kind != "time"]
        if len(unlike_stars) >= len(missing):
            candidates = unlike_stars
        else:
            candidates = candidates[: max(len(missing), 2)]
    if len(missing) == 1 and len(candidates) == 1 and not opened.has_header:
        roles.positions[missing[0]] = candidates[0]
        roles.notes.append(f"column {opened.names[candidates[0]]} is taken for the {missing[0]}")
        return
    raise ask_user_and_item(opened, roles.positions, candidates)


def _say_what_is_left(roles: Roles, opened: Opened) -> None:
    taken = set(roles.positions.values())
    left = [name for k, name in enumerate(opened.names) if k not in taken]
    left = [name for name in left if not (opened.has_header and re.fullmatch(r"column \d+", name))]
    if left:
        roles.notes.append(f"left out: {some(left)}")
