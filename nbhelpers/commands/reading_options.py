"""Options that every command with a file shares, and the file read as they say."""

from __future__ import annotations

import inspect
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

COLUMN_PANEL = "Columns, by name or by number from 1; - leaves one out"
POLICY_PANEL, FORMAT_PANEL, OUTPUT_PANEL = "Policies", "Format of the file", "Output"
COLUMNS = ("user", "item", "rating", "weight", "time", "event", "title")
POLICIES = {
    "repeats": "A pair that comes again: keep, last, first, sum, count, max or refuse.",
    "zeros": "A rating of 0: implicit, drop or keep.",
    "missing_values": "Numbers that mean 'not rated', such as 99,-1.",
    "unrated": "A row without a rating: refuse, drop or implicit.",
    "event_weights": "Events that count and how much, such as view=1,buy=5.",
    "look_alikes": "Ids that differ in what nobody sees: refuse or merge.",
    "on_bad": "Rows that cannot be used: stop, or skip and write them to a file.",
    "rejected": "The file for such rows.",
}
FORMATS = {
    "time_format": "s, ms, us, ns, ISO, DD/MM/YYYY, MM/DD/YYYY, or as of strptime.",
    "decimal": "The mark before decimals: . or ,",
    "delimiter": "What stands between columns.",
    "header": "Whether the first line names the columns: yes or no.",
    "encoding": "Such as latin-1.",
    "layout": "long, wide or lists.",
    "table": "Table of a database, sheet of a workbook, or member of a zip archive.",
    "rating_range": "Lowest and highest rating allowed, such as 1,5.",
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
        metavar="auto|time|last|random|one",
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


def reads_a_file(command: Callable[..., None], *, shows_report: bool = True) -> Callable[..., None]:
    """A command that takes a file, its columns and policies in place of its first argument.

    Parameters
    ----------
    command : callable
        ``command(log, ...)``, the others keyword-only, with ``quiet`` among them.
    shows_report : bool
        Print on the error stream what the file was read as.

    Returns
    -------
    callable
        With the options of ``COLUMNS``, ``POLICIES`` and ``FORMATS`` beside those of the command.
    """

    def reading(file: str, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in (*COLUMNS, *POLICIES, *FORMATS)}
        with on_error_stream(quiet=given["quiet"]):
            log = read_file(file, **chosen)
            if shows_report:
                print(log.report)
        command(log, **given)

    return _with_options(reading, command, left_out=())


def streams_a_file(command: Callable[..., None]) -> Callable[..., None]:
    """A command that is given the name of a file, and how to read it, and reads it itself.

    Parameters
    ----------
    command : callable
        ``command(file, *, reading, ...)``, where ``reading`` are arguments of
        ``stream_to_parquet``.

    Returns
    -------
    callable
        With the options of ``reads_a_file`` that a stream has.
    """
    left_out = ("title", "look_alikes")

    def streaming(file: str, **given: Any) -> None:
        names = [name for name in (*COLUMNS, *POLICIES, *FORMATS) if name not in left_out]
        chosen = {name: given.pop(name) for name in names}
        command(Path(file), reading=_as_said(chosen), **given)

    return _with_options(streaming, command, left_out=left_out)


def _with_options(
    call: Callable[..., None], command: Callable[..., None], *, left_out: Sequence[str]
) -> Callable[..., None]:
    """``call`` with the name, the help and the options of a command, and those of a file."""
    hints = get_type_hints(command, include_extras=True)
    _, *own = inspect.signature(command).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = {role: _option(role, COLUMN_PANEL, "COLUMN", f"The {role}.") for role in COLUMNS}
    added |= {name: _option(name, POLICY_PANEL, "POLICY", text) for name, text in POLICIES.items()}
    added |= {name: _option(name, FORMAT_PANEL, "FORMAT", text) for name, text in FORMATS.items()}
    parameters = [
        inspect.Parameter("file", keyword, annotation=File),
        *(
            inspect.Parameter(name, keyword, default=None, annotation=option)
            for name, option in added.items()
            if name not in left_out
        ),
        *(each.replace(annotation=hints[each.name]) for each in own if each.name != "reading"),
    ]
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    call.__dict__["__signature__"] = inspect.Signature(parameters)
    return call


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
        By role of a column or name of a policy. A dash leaves a column out; digits are its
        number, unless a column is called so.

    Returns
    -------
    RatingsLog

    Raises
    ------
    ValueError
        As of ``read_ratings``.
    """
    from nbhelpers.data.ratings_file.read import read_ratings

    return read_ratings(path, **_as_said(chosen))


def _as_said(chosen: Mapping[str, str | None]) -> dict[str, Any]:
    """Columns and policies as values, those that were typed."""
    return {
        name: _column(value) if name in COLUMNS else _PARSERS.get(name, str)(value)
        for name, value in chosen.items()
        if value is not None
    }


@contextmanager
def on_error_stream(*, quiet: bool = False) -> Iterator[None]:
    """What is printed on the way goes to the error stream, so that the result stands alone."""
    with redirect_stdout(io.StringIO() if quiet else sys.stderr):
        yield


def show(result: Any, *, as_json: bool) -> None:
    """Print a result: its text without control characters, or one JSON object."""
    print(as_one_line(result.to_dict()) if as_json else printable(str(result)))


def printable(text: str) -> str:
    """Text in which nothing but line breaks steers a terminal: titles are as files have them.

    Examples
    --------
    >>> printable("Heat" + chr(27) + "[31m") == "Heat" + chr(0xFFFD) + "[31m"
    True
    """
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def as_one_line(content: Any) -> str:
    """Values as JSON on one line; what is no number there (NaN) is null."""
    return json.dumps(_without_nan(content), ensure_ascii=False, allow_nan=False, default=str)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _column(text: str) -> str | bool:
    return False if text == "-" else text


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        raise ValueError(f"numbers with commas between are required, got {text!r}") from None


def _weights(text: str) -> dict[str, float]:
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return {event: float(weight) for event, _, weight in pairs}
    except ValueError:
        raise ValueError(f"events need a weight each, such as view=1,buy=5, got {text!r}") from None


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"header must be yes or no, got {text!r}")
    return text == "yes"


_PARSERS: dict[str, Callable[[str], Any]] = {
    "missing_values": lambda text: () if text == "none" else _numbers(text),
    "rating_range": _numbers,
    "event_weights": _weights,
    "header": _yes_or_no,
}
