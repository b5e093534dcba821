"""Commands for pairs in Parquet: train-pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbhelpers.commands.reading_options import AsJson, Quiet, Seed, as_one_line, on_error_stream

SHARING, RUN = "Processes", "Model and run"


def train_pairs(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="Parquet file, or a folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    processes: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Start so many here.", rich_help_panel=SHARING),
    ] = None,
    shard_by: Annotated[
        str,
        typer.Option(
            metavar="rows|row-groups",
            help="rows: the result of one process; row-groups: each reads its part of the files.",
            rich_help_panel=SHARING,
        ),
    ] = "rows",
    gradients: Annotated[
        str,
        typer.Option(
            metavar="sparse|dense", help="Which gradients are sent.", rich_help_panel=SHARING
        ),
    ] = "sparse",
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="STEPS", help="Checkpoints within epochs.", rich_help_panel=SHARING
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            metavar="float32|bfloat16",
            help="bfloat16 pays on GPUs.",
            rich_help_panel=SHARING,
        ),
    ] = "float32",
    users: Annotated[
        int | None, typer.Option(min=1, help="Rows of the table.", rich_help_panel=RUN)
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="Rows of the table.", rich_help_panel=RUN)
    ] = None,
    factors: Annotated[int, typer.Option(min=1, rich_help_panel=RUN)] = 32,
    negatives: Annotated[int, typer.Option(min=1, help="Of each pair.", rich_help_panel=RUN)] = 4,
    epochs: Annotated[int, typer.Option(min=1, rich_help_panel=RUN)] = 5,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Of all processes together.", rich_help_panel=RUN)
    ] = 8_192,
    lr: Annotated[float, typer.Option(help="Learning rate of Adam.", rich_help_panel=RUN)] = 5e-3,
    loss: Annotated[
        str,
        typer.Option(metavar="bpr|logistic|softmax|hinge|adaptive-hinge|warp", rich_help_panel=RUN),
    ] = "bpr",
    buffer_rows: Annotated[
        int, typer.Option(min=1, help="Rows shuffled together.", rich_help_panel=RUN)
    ] = 1 << 20,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train matrix factorization on pairs in Parquet, in one process or in many.

    \b
    Examples:
      nbhelpers train-pairs shards --out mine
      nbhelpers train-pairs shards --out mine --processes 2
      torchrun --nproc-per-node 2 -m nbhelpers train-pairs shards --out mine
      (on each of two machines, N being 0 on the first and 1 on the other)
      torchrun --nnodes 2 --node-rank N --nproc-per-node 1 --master-addr FIRST \\
        --master-port 29500 -m nbhelpers train-pairs shards --out mine
    """  # noqa: D301 - \b is the mark of lines that are kept as they are
    from nbhelpers.commands import train_pairs as command
    from nbhelpers.training.distributed_launch import told_by_launcher

    with told_by_launcher(), on_error_stream(quiet=quiet):
        run = command.PairRun(
            pairs=str(pairs),
            out=str(out),
            users=users or 0,
            items=items or 0,
            factors=factors,
            negatives=negatives,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            loss=loss,
            gradients=gradients,
            shard_by=shard_by.replace("-", "_"),
            buffer_rows=buffer_rows,
            precision=precision,
            save_every=save_every,
            seed=seed,
        )
        written = command.train_pairs(run, n_processes=processes, quiet=quiet)
    if written is None:
        return
    if as_json:
        print(as_one_line(written))
    else:
        first, last = written["train_loss"][0], written["train_loss"][-1]
        print(
            f"train_loss {first:.5f} to {last:.5f} in {len(written['train_loss'])} epochs, "
            f"{written['processes']} processes: {out}"
        )
