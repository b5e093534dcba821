"""Commands for people: the app, and the app as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbhelpers.commands.reading_options import ModelFolder, Quiet, on_error_stream

Noun = Annotated[str, typer.Option(metavar="WORD", help="What an item is called, such as film.")]


def app(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A folder of nbhelpers train; MovieLens without it."),
    ] = None,
    beside: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A second model, to compare lists with.")
    ] = None,
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open a browser window.")] = False,
    noun: Noun = "item",
    quiet: Quiet = False,
) -> None:
    """Open a page on this machine that recommends as you choose; Ctrl-C ends it.

    \b
    Examples:
      nbhelpers app
      nbhelpers app mine --open
      nbhelpers app mine --beside other --noun book
    """  # noqa: D301
    from nbhelpers.app.server import serve

    with on_error_stream(quiet=quiet):
        if folder is None:
            from nbhelpers.app.movielens_demo import movielens_service

            service = movielens_service()
        else:
            from nbhelpers.commands.app_service import service_of

            service = service_of(folder, beside=beside, noun=noun)
    serve(service, port=port, open_browser=open_browser)


def export_html(
    folder: ModelFolder,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .html file to write.")],
    quiet: Quiet = False,
) -> None:
    """Write the app with an IALS model into one file that needs no server.

    \b
    Examples:
      nbhelpers export-html mine --out page.html
    """  # noqa: D301
    from nbhelpers.commands import app_service

    with on_error_stream(quiet=quiet):
        size = app_service.export_html(folder, out)
    print(f"{out}: {size / 1e6:.1f} MB, opens by itself")
