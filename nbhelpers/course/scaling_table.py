"""What each stage costs at each size, as `python -m tests.benchmarks scaling` has measured it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbhelpers.core.file_in_place import replacing
from nbhelpers.course.stored_tables import stored_table

NAME = "scaling_table.csv"
KEY = ["stage", "rows"]
COLUMNS = [
    *KEY,
    "n_users",
    "n_items",
    "seconds",  # wall clock
    "cpu_seconds",  # of all threads of the process
    "peak_mb",  # of the fresh process, with the interpreter and the data that the stage needs
    "kind",
    "machine",
    "note",  # what was timed where it was a part; why a stage was refused
]
STAGES = (
    "read",
    "split",
    "epoch, sparse gradients",
    "epoch, dense gradients",
    "ALS sweep",
    "evaluate",
    "lists",
    "streamed pass",
    "streamed training",
)
MEASURED, PART, REFUSED, CARRIED = "measured", "part carried", "refused", "extrapolated"
KINDS = (MEASURED, PART, REFUSED, CARRIED)
SLOPES = ("exponent", "low", "high")


def scaling_table() -> pd.DataFrame:
    """The table as it was published with the course: one row a stage and size.

    Returns
    -------
    DataFrame
        ``stage``, ``rows``, ``n_users``, ``n_items``, ``seconds``, ``cpu_seconds``, ``peak_mb``,
        ``kind``, ``machine``, ``note``. Of kind "measured" the whole stage was timed; of
        "part carried" a part, which ``note`` names, and its time was multiplied; of "refused"
        nothing was run, and the numbers are those that kept it from being run.

    Raises
    ------
    ValueError
        If it is not found.

    Examples
    --------
    >>> scaling_table().columns.tolist()[:5]
    ['stage', 'rows', 'n_users', 'n_items', 'seconds']
    """
    return _checked(stored_table("scaling_table"))


def read_scaling_table(path: Path) -> pd.DataFrame:
    """The table of a file, empty if there is none yet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If it has other columns, or an unknown stage or kind.
    """
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    return _checked(pd.read_csv(path))


def store_row(path: Path, row: dict[str, Any]) -> None:
    """Put one row into the file, in the place of an older one of the same stage and size.

    Parameters
    ----------
    path : Path
    row : dict
        All of ``COLUMNS``.

    Raises
    ------
    ValueError
        If a column is missing, or the stage or the kind is unknown.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> row = dict.fromkeys(COLUMNS, 1) | {"stage": "read", "kind": "measured", "note": ""}
    >>> with TemporaryDirectory() as folder:
    ...     store_row(Path(folder, "table.csv"), row | {"seconds": 3.0})
    ...     store_row(Path(folder, "table.csv"), row | {"seconds": 2.0})  # in the place of it
    ...     read_scaling_table(Path(folder, "table.csv"))[["stage", "rows", "seconds"]]
      stage  rows  seconds
    0  read     1      2.0
    """
    new = _checked(pd.DataFrame([row]))
    table = read_scaling_table(path)
    others = table[~(table[KEY] == [row[name] for name in KEY]).all(axis=1)]
    table = new if others.empty else pd.concat([others, new])
    order = {stage: number for number, stage in enumerate(STAGES)}
    table = table.sort_values("rows", kind="stable")
    table = table.sort_values("stage", key=lambda stages: stages.map(order), kind="stable")
    with replacing(path) as draft:
        table[COLUMNS].to_csv(draft, index=False)


def exponents(table: pd.DataFrame, *, of: str = "cpu_seconds") -> pd.DataFrame:
    """How each stage grows: the slope of a line through all sizes, both axes logarithmic.

    An exponent of 1 says that ten times the rows take ten times as long.

    Parameters
    ----------
    table : DataFrame
        As from ``scaling_table``.
    of : {"cpu_seconds", "seconds", "peak_mb"}

    Returns
    -------
    DataFrame
        Indexed by stage: ``exponent``; ``low`` and ``high``, the least and the greatest slope
        between two neighboring sizes; ``last``, the slope between the two largest sizes;
        ``n_sizes``. Stages that ran at one size alone, or at none, are not among them.

    Examples
    --------
    >>> table = pd.DataFrame({"stage": "read", "rows": [100, 1000, 10_000], "kind": "measured"})
    >>> exponents(table.assign(cpu_seconds=[1.0, 10.0, 400.0])).round(2).loc["read"].to_dict()
    {'exponent': 1.3, 'low': 1.0, 'high': 1.6, 'last': 1.6, 'n_sizes': 3.0}
    """
    found = {}
    for stage in STAGES:
        rows = _run(table, stage)
        if len(rows) > 1:
            x, y = np.log(rows["rows"].to_numpy(float)), np.log(rows[of].to_numpy(float))
            slopes = np.diff(y) / np.diff(x)
            fitted = np.polyfit(x, y, 1)[0]
            found[stage] = [fitted, slopes.min(), slopes.max(), slopes[-1], len(rows)]
    columns = ["exponent", "low", "high", "last", "n_sizes"]
    frame = pd.DataFrame.from_dict(found, orient="index", columns=columns)
    return frame.rename_axis("stage")


def carried_to(table: pd.DataFrame, rows: int = 10**9) -> pd.DataFrame:
    """What each stage would take at a size that was not run: its line carried on.

    Nothing is measured here. Seconds go on from the largest size that ran with the fitted
    exponent, and ``low`` and ``high`` with the least and the greatest slope between neighbors;
    memory goes on with the slope of the two largest sizes, since at small ones the interpreter
    is most of it.

    Parameters
    ----------
    table : DataFrame
    rows : int

    Returns
    -------
    DataFrame
        Indexed by stage: ``cpu_seconds``, ``low``, ``high``, ``peak_mb``, ``carried_from`` (rows),
        ``kind`` ("extrapolated").

    Examples
    --------
    >>> table = pd.DataFrame({"stage": "read", "rows": [100, 1000], "kind": "measured"})
    >>> table = table.assign(cpu_seconds=[1.0, 10.0], peak_mb=[300.0, 300.0])
    >>> carried_to(table, 10_000)["cpu_seconds"].round(1).to_dict()
    {'read': 100.0}
    """
    memory = exponents(table, of="peak_mb")["last"].clip(lower=0.0)
    found = {}
    for stage, slopes in by_stage(exponents(table)).items():
        largest = _run(table, stage).iloc[-1]
        ratio = rows / largest["rows"]
        seconds = [largest["cpu_seconds"] * ratio ** slopes[name] for name in SLOPES]
        peak = largest["peak_mb"] * ratio ** memory[stage]
        found[stage] = [*seconds, peak, int(largest["rows"]), CARRIED]
    columns = ["cpu_seconds", "low", "high", "peak_mb", "carried_from", "kind"]
    frame = pd.DataFrame.from_dict(found, orient="index", columns=columns)
    return frame.rename_axis("stage")


def by_stage(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows of such a frame by their stage."""
    return {str(stage): dict(row) for stage, row in table.iterrows()}


def _run(table: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Rows of a stage that was run, by size."""
    rows = table[(table["stage"] == stage) & table["kind"].isin([MEASURED, PART])]
    return rows.sort_values("rows")


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    if set(table.columns) != set(COLUMNS):
        odd = sorted(set(table.columns) ^ set(COLUMNS))
        raise ValueError(f"{NAME} needs the columns {', '.join(COLUMNS)}; check {odd[:3]}")
    for column, known in (("stage", STAGES), ("kind", KINDS)):
        strange = sorted(set(table[column]) - set(known))
        if strange:
            raise ValueError(f"{NAME}: no {column} is called {strange[0]!r}: {', '.join(known)}")
    return table[COLUMNS].assign(note=table["note"].astype(object).fillna("").astype(str))
