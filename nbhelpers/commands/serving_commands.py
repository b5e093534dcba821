"""Commands for a trained model: recommend, similar and fold-in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbhelpers.commands.reading_options import (
    AsJson,
    Length,
    ModelFolder,
    Quiet,
    as_one_line,
    on_error_stream,
    show,
)


def recommend(
    folder: ModelFolder,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Whose list.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="The lists of all users.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .parquet file for the lists of all.")
    ] = None,
    k: Length = 10,
    explain: Annotated[
        bool, typer.Option("--explain", help="Which of the user's items speak for each.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the best items for a user, or for all; never what a user already has.

    \b
    Examples:
      nbhelpers recommend mine --user 7 --explain
      nbhelpers recommend mine --user 7 -k 5 --json
      nbhelpers recommend mine --all --out lists.parquet
    """  # noqa: D301
    from nbhelpers.commands import recommend_lists

    if (user is None) != everyone or everyone != (out is not None):
        raise typer.BadParameter("one of --user ID and --all with --out FILE is required, not both")
    with on_error_stream(quiet=quiet):
        if out is not None:
            path = recommend_lists.recommend_all(folder, out, k=k, quiet=quiet)
        else:
            found = recommend_lists.recommend(folder, user, k=k, explain=explain)
    if out is None:
        show(found, as_json=as_json)
    else:
        print(as_one_line({"lists": str(path)}) if as_json else f"lists of all users: {path}")


def similar(
    folder: ModelFolder,
    item: Annotated[str, typer.Option(metavar="ID", help="The item to start from.")],
    k: Length = 10,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List items like an item.

    \b
    Examples:
      nbhelpers similar mine --item 50
      nbhelpers similar mine --item B000123 -k 5 --json
    """  # noqa: D301
    from nbhelpers.commands import similar_to

    with on_error_stream(quiet=quiet):
        found = similar_to.similar(folder, item, k=k)
    show(found, as_json=as_json)


def fold_in(
    folder: ModelFolder,
    likes: Annotated[
        list[str],
        typer.Option(metavar="ID,ID,...", help="Liked items; may be given again."),
    ],
    k: Length = 10,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List items for somebody who is not in the file, from a few likes.

    \b
    Examples:
      nbhelpers fold-in mine --likes 50,172,181
      nbhelpers fold-in mine --likes "an id, with a comma" --likes other
    """  # noqa: D301
    from nbhelpers.commands import fold_in_likes

    with on_error_stream(quiet=quiet):
        found = fold_in_likes.fold_in(folder, fold_in_likes.typed_likes(folder, likes), k=k)
    show(found, as_json=as_json)
