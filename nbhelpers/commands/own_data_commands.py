"""Commands for a file of your own: inspect, compare, train and evaluate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from nbhelpers.commands.reading_options import (
    AsJson,
    Length,
    MinRating,
    Quiet,
    Seed,
    Split,
    as_one_line,
    on_error_stream,
    reads_a_file,
    show,
)

Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="Only this model; may be given again."),
]
Trials = Annotated[int, typer.Option("--trials", min=1, help="Settings that each model may try.")]
Memory = Annotated[
    float | None,
    typer.Option("--memory-gb", help="Most memory of a model; left out, 4/5 of what is free."),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes", help="Most time of a model; left out, 10, or any time if it was named."
    ),
]


@partial(reads_a_file, shows_report=False)
def inspect(
    log: Any,
    *,
    min_rating: MinRating = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what a file was read as, what is odd, and which split fits.

    \b
    Examples:
      nbhelpers inspect ratings.csv
      nbhelpers inspect events.tsv --user 1 --item 3 --time 2
      nbhelpers inspect log.parquet --json
    """  # noqa: D301 - \b is the mark of lines that are kept as they are
    from nbhelpers.commands import inspect_file

    with on_error_stream(quiet=quiet):
        found = inspect_file.inspect(log, min_rating=min_rating, seed=seed)
    show(found, as_json=as_json)


@reads_a_file
def compare(
    log: Any,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write comparison.json and comparison.csv there."),
    ] = None,
    model: Models = None,
    k: Length = 10,
    trials: Trials = 6,
    split: Split = "auto",
    min_rating: MinRating = None,
    memory_gb: Memory = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare baselines and models: equal budgets, one test, the honest choice.

    \b
    Examples:
      nbhelpers compare ratings.csv
      nbhelpers compare ratings.csv --model popularity --model EASE --trials 3
      nbhelpers compare plays.tsv.gz --weight plays --out compared
    """  # noqa: D301
    from nbhelpers.commands import compare_models

    with on_error_stream(quiet=quiet):
        found = compare_models.compare(
            log,
            models=model,
            k=k,
            n_trials=trials,
            split=split,  # type: ignore[arg-type]
            min_rating=min_rating,
            memory_gb=memory_gb,
            minutes=minutes,
            seed=seed,
            quiet=quiet,
        )
        if out is not None:
            compare_models.write_comparison(found, out)
    show(found, as_json=as_json)


@reads_a_file
def train(
    log: Any,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to write.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Left out, the honest choice.")
    ] = None,
    titles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ids and titles of items, as movies.csv.")
    ] = None,
    comparison: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What compare --out wrote: no new search.")
    ] = None,
    trials: Trials = 6,
    split: Split = "auto",
    min_rating: MinRating = None,
    memory_gb: Memory = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Refit the chosen or a named model on everything, and store it.

    \b
    Examples:
      nbhelpers train ratings.csv --out mine
      nbhelpers train ratings.csv --out mine --model EASE --titles movies.csv
      nbhelpers train ratings.csv --out mine --comparison compared
    """  # noqa: D301
    from nbhelpers.commands import train_model

    with on_error_stream(quiet=quiet):
        trained = train_model.train(
            log,
            out,
            model=model,
            titles=titles,
            comparison=comparison,
            n_trials=trials,
            split=split,  # type: ignore[arg-type]
            min_rating=min_rating,
            memory_gb=memory_gb,
            minutes=minutes,
            seed=seed,
            quiet=quiet,
        )
    if as_json:
        print(as_one_line({"out": str(out), **trained.settings}))
    else:
        if not trained.settings["is_tested"]:
            print(f"untested: {trained.settings['comparison']['reason']}")
        print(f"{trained.name} in {out}: nbhelpers recommend {out} --user ID")


@reads_a_file
def evaluate(
    log: Any,
    *,
    lists: Annotated[
        Path | None,
        typer.Option(metavar="LISTS", help="CSV or Parquet: user, item, and score or rank."),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(metavar="ROWS", help="Write the rows that lists may be made from, and stop."),
    ] = None,
    lists_columns: Annotated[
        str,
        typer.Option(metavar="ROLE=NAME,...", help="Such as user=uid,item=iid,score=est."),
    ] = "",
    k: Length = 10,
    trials: Trials = 6,
    split: Split = "auto",
    min_rating: MinRating = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Grade lists of any other library under our protocol, beside our baselines.

    \b
    Examples:
      nbhelpers evaluate ratings.csv --training known.csv
      (let the other library learn from known.csv and write lists.csv)
      nbhelpers evaluate ratings.csv --lists lists.csv
    """  # noqa: D301
    from nbhelpers.commands import grade_lists

    if (lists is None) == (training is None):
        raise typer.BadParameter("one of --training ROWS and --lists LISTS is required, not both")
    protocol: dict[str, Any] = {"split": split, "min_rating": min_rating, "seed": seed}
    if training is not None:
        with on_error_stream(quiet=quiet):
            path = grade_lists.write_training(log, training, **protocol)
        print(as_one_line({"training": str(path)}) if as_json else f"rows before the test: {path}")
        return
    with on_error_stream(quiet=quiet):
        columns = dict(part.partition("=")[::2] for part in lists_columns.split(",") if part)
        graded = grade_lists.evaluate(
            log, str(lists), columns=columns, k=k, n_trials=trials, quiet=quiet, **protocol
        )
    show(graded, as_json=as_json)
