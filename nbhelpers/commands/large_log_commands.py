"""Commands for a log that does not fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nbhelpers.commands.reading_options import (
    POLICY_PANEL,
    AsJson,
    Quiet,
    Seed,
    on_error_stream,
    show,
    streams_a_file,
)

Rule = Annotated[
    str,
    typer.Option(
        metavar="last|random|date|none",
        help="What is held out: each user's last rows, a random share, or rows from a date on.",
        rich_help_panel=POLICY_PANEL,
    ),
]
Parts = Annotated[
    int,
    typer.Option(
        min=2, max=3, help="With last: 2 for train and valid, 3 for a test.", show_default=False
    ),
]
Share = Annotated[
    float | None, typer.Option(metavar="SHARE", help="With random: such as 0.1 of the rows.")
]
Date = Annotated[
    str | None, typer.Option(metavar="DATE", help="With date: such as 2015-03-01 (UTC).")
]
Likes = Annotated[
    float | None,
    typer.Option(metavar="STARS", help="The lowest rating that counts; left out, every row does."),
]
Least = Annotated[int, typer.Option(min=1, help="Rows that each must have, of those kept.")]


@streams_a_file
def prepare(
    file: Path,
    *,
    reading: dict[str, Any],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder for shards and ids.")],
    split: Rule,
    parts: Parts = 3,
    valid_share: Share = None,
    test_share: Share = None,
    valid_from: Date = None,
    test_from: Date = None,
    min_rating: Likes = None,
    min_per_user: Least = 1,
    min_per_item: Least = 1,
    weights: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="rating or weight: kept with each pair.")
    ] = None,
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What may be held, such as 500MB or 4GB.")
    ] = "1GB",
    threads: Annotated[int, typer.Option(min=1, help="The files are the same.")] = 2,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count, filter, split and shuffle a log of any size, for training that streams it.

    \b
    Examples:
      nbhelpers prepare log.csv --out pairs --split last
      nbhelpers prepare log.parquet --out pairs --split date --valid-from 2015-03-01
      nbhelpers prepare plays.tsv.gz --out pairs --split random --valid-share 0.05 --memory 4GB
    """  # noqa: D301
    from nbhelpers.data.large_log.part_rules import rule_of
    from nbhelpers.data.large_log.prepare_pairs import prepare_pairs

    rule = rule_of(
        split,
        n_parts=parts,
        shares=(valid_share, test_share),
        dates=(valid_from, test_from),
    )
    with on_error_stream(quiet=quiet):
        prepared = prepare_pairs(
            file,
            out,
            split=rule,
            min_rating=min_rating,
            min_per_user=min_per_user,
            min_per_item=min_per_item,
            weights=weights,
            seed=seed,
            memory_limit=memory,
            n_threads=threads,
            reading=reading,
        )
    show(prepared, as_json=as_json)
