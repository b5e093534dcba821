"""The command line: `nbhelpers`, or `python -m nbhelpers`. Each command imports what it needs."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from nbhelpers.commands import (
    app_commands,
    course_commands,
    large_log_commands,
    own_data_commands,
    pair_commands,
    serving_commands,
)

INTERRUPTED, TERMINATED = 130, 143
# Under which heading of the help a command stands, in the order in which they are used.
PANELS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Your own data": (
        own_data_commands.inspect,
        own_data_commands.compare,
        own_data_commands.train,
        serving_commands.recommend,
        serving_commands.similar,
        serving_commands.fold_in,
        own_data_commands.evaluate,
        large_log_commands.prepare,
        pair_commands.train_pairs,
        app_commands.app,
        app_commands.export_html,
    ),
    "The course": (
        course_commands.fetch,
        course_commands.doctor,
        course_commands.run,
        course_commands.run_one,
        course_commands.sync,
        course_commands.format_code,
        course_commands.cells,
        course_commands.copy,
        course_commands.pages,
        course_commands.results,
        course_commands.reproduce_table,
    ),
}
NAMES = {
    "fold_in": "fold-in",
    "export_html": "export-html",
    "train_pairs": "train-pairs",
    "run_one": "run-one",
    "format_code": "format",
    "reproduce_table": "reproduce-table",
}


class Commands(TyperGroup):
    """Commands that end with a line of their own where something is wrong with the input.

    Exit codes: 0 done, 1 refused or failed, 2 misspelt, 130 interrupted by Ctrl-C, 143 terminated.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command; faults of the input become one line on the error stream."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):  # a RuntimeError of Typer's own
            raise
        except KeyboardInterrupt:
            _tell("interrupted: nothing half-written was left")
            raise typer.Exit(INTERRUPTED) from None
        except ModuleNotFoundError as error:
            _tell(f"error: {_missing(error.name)}")
        except BrokenPipeError:  # whoever read the output has had enough
            sys.stderr.close()
        except KeyError as error:
            _tell(f"error: {error.args[0] if error.args else error}")
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            _tell(f"error: {error or type(error).__name__}")
        raise typer.Exit(1)


app = typer.Typer(
    name="nbhelpers",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _missing(module: str | None) -> str:
    extra = {"starlette": "app", "uvicorn": "app", "openpyxl": "excel"}.get(
        (module or "").split(".")[0], "course"
    )
    return (
        f"this command needs {module}, which is not installed: `make setup` makes the environment "
        f"of the course, or in one of your own: python -m pip install 'nbhelpers[{extra}]'"
    )


def _version(wanted: bool) -> None:
    if wanted:
        from nbhelpers import __version__

        print(f"nbhelpers {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """A recommender from a file of your own, and the commands of the course.

    \b
    From a file to a list:
      nbhelpers inspect ratings.csv
      nbhelpers compare ratings.csv
      nbhelpers train ratings.csv --out mine
      nbhelpers recommend mine --user 7
    """  # noqa: D301 - \b is Click's mark of lines that are kept as they are


for _panel, _commands in PANELS.items():
    for _command in _commands:
        _name = NAMES.get(_command.__name__, _command.__name__)
        app.command(_name, rich_help_panel=_panel)(_command)


def _clean_up_when_terminated() -> None:
    """A polite kill ends the command as Ctrl-C does: what is half written goes away."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, optional
        Left out, those of the command line.

    Returns
    -------
    int
        0 done, 1 refused or failed, 2 misspelt, 130 interrupted, 143 terminated.
    """
    _clean_up_when_terminated()
    try:
        app(args=arguments, prog_name="nbhelpers")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
