"""Options that every command with a file shares, and the file read as they say."""

from __future__ import annotations

import inspect
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

COLUMN_PANEL, POLICY_PANEL, OUTPUT_PANEL = (
    "Columns, by name or by number from 1",
    "Policies",
    "Output",
)
COLUMNS = ("user", "item", "rating", "weight", "time", "event", "title")
POLICIES = {
    "repeats": "A pair that comes again: keep, last, first, sum, count, max or refuse.",
    "zeros": "A rating of 0: implicit, drop or keep.",
    "missing_values": "Numbers that mean 'not rated', such as 99,-1.",
    "on_bad": "Rows that cannot be used: stop, or skip.",
}

File = Annotated[
    str, typer.Argument(metavar="FILE", help="A file of ratings, plays, purchases or clicks.")
]
ModelFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of nbhelpers train.")]
MinRating = Annotated[
    float | None,
    typer.Option(
        metavar="STARS",
        help="The lowest rating that is a positive; left out, 3/4 up the scale, such as 4 of 5.",
        rich_help_panel=POLICY_PANEL,
    ),
]
Split = Annotated[
    str,
    typer.Option(
        metavar="auto|time|last|random",
        help="What is held out; auto goes by what the file allows.",
        rich_help_panel=POLICY_PANEL,
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same table and lists.")]
Length = Annotated[int, typer.Option("-k", min=1, help="Length of a list.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT_PANEL)
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print the result alone.", rich_help_panel=OUTPUT_PANEL),
]


def reads_a_file(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a file, its columns and policies in place of its first argument.

    Parameters
    ----------
    command : callable
        ``command(log, ...)``, the others keyword-only, with ``quiet`` among them.

    Returns
    -------
    callable
        With the options of ``COLUMNS`` and ``POLICIES`` beside those of the command.
    """
    hints = get_type_hints(command, include_extras=True)
    _, *own = inspect.signature(command).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = {role: _option(role, COLUMN_PANEL, "COLUMN", f"The {role}.") for role in COLUMNS}
    added |= {name: _option(name, POLICY_PANEL, "POLICY", text) for name, text in POLICIES.items()}
    parameters = [
        inspect.Parameter("file", keyword, annotation=File),
        *(
            inspect.Parameter(name, keyword, default=None, annotation=each)
            for name, each in added.items()
        ),
        *(each.replace(annotation=hints[each.name]) for each in own),
    ]

    def reading(file: str, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in added}
        with on_error_stream(quiet=given["quiet"]):
            log = read_file(file, **chosen)
        command(log, **given)

    reading.__name__, reading.__doc__ = command.__name__, command.__doc__
    reading.__annotations__ = {each.name: each.annotation for each in parameters}
    reading.__dict__["__signature__"] = inspect.Signature(parameters)
    return reading


def _option(name: str, panel: str, metavar: str, text: str) -> Any:
    flag = f"--{name.replace('_', '-')}"
    option = typer.Option(flag, metavar=metavar, help=text, rich_help_panel=panel)
    return Annotated[str | None, option]


def read_file(path: str, **chosen: str | None) -> Any:
    """A log from a file, with columns and policies as they were typed.

    Parameters
    ----------
    path : str
    **chosen : str or None
        By role of a column or name of a policy; a column of digits is a number from 1.

    Returns
    -------
    RatingsLog

    Raises
    ------
    ValueError
        As of ``read_ratings``.
    """
    from nbhelpers.commands.own_log import read_source

    said: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    for role in COLUMNS:
        if said.get(role, "").isdecimal():
            said[role] = int(said[role])
    if "missing_values" in said:
        said["missing_values"] = _numbers(said["missing_values"])
    return read_source(path, **said)


@contextmanager
def on_error_stream(*, quiet: bool = False) -> Iterator[None]:
    """What is printed on the way goes to the error stream, so that the result stands alone."""
    with redirect_stdout(io.StringIO() if quiet else sys.stderr):
        yield


def show(result: Any, *, as_json: bool) -> None:
    """Print a result: its text, or one JSON object."""
    print(json.dumps(result.to_dict(), ensure_ascii=False, default=str) if as_json else result)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"--missing-values takes numbers with commas between, such as 99,-1, got {text!r}"
        ) from None
