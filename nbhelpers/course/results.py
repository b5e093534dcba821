"""The honest table: one row for each model, data set, split and metric."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from filelock import FileLock

from nbhelpers.data.datasets.load import default_dataset

if TYPE_CHECKING:
    import torch

KEY = ["notebook", "model", "dataset", "split", "metric"]
NUMBERS = ["value", "low", "high", "n_seeds", "train_seconds", "eval_seconds", "n_parameters"]
COLUMNS = [*KEY, *NUMBERS, "device"]
TABLE = "honest_table.csv"
PUBLISHED = "ml-100k"  # the data set of that table
ROOT = Path(__file__).parents[2]
# Room for a value whose interval has no width.
LEAST = 0.001


def results_path() -> Path:
    """File that results are written to: the variable ``CF_RESULTS``, or that of the course.

    Returns
    -------
    Path
        The ``honest_table.csv`` of this folder or, for a lab, of the folder above; in a folder
        that has none yet, a new one. On a data set other than ``ml-100k`` (see
        ``default_dataset``) a file beside it, such as ``honest_table_ml-1m.csv``: the table of
        the course holds the results that its pages show.
    """
    if "CF_RESULTS" in os.environ:
        return Path(os.environ["CF_RESULTS"])
    above = Path("..", TABLE)
    course = above if above.exists() and not Path(TABLE).exists() else Path(TABLE)
    name = default_dataset()
    return course if name == PUBLISHED else course.with_stem(f"{course.stem}_{name}")


def stored_results_path() -> Path:
    """File that results of other notebooks are quoted from: the table as it was published.

    Returns
    -------
    Path
        That of this folder or the one above, of the repository, or the one that was installed
        with the package, whichever comes first.

    Raises
    ------
    ValueError
        If there is none.
    """
    places = [Path(TABLE), Path("..", TABLE), ROOT / "notebooks" / TABLE]
    with contextlib.suppress(PackageNotFoundError):
        installed = distribution("nbhelpers").files or []
        places += [Path(str(file.locate())) for file in installed if file.name == TABLE]
    for place in places:
        if place.exists():
            return place
    raise ValueError(f"no {TABLE} is here or came with the package: run inside the course's folder")


class Quote(NamedTuple):
    """A value of the honest table, printed with its interval."""

    value: float
    low: float
    high: float
    n_seeds: int

    def __repr__(self) -> str:
        over = f"{self.n_seeds} seeds" if self.n_seeds > 1 else "users or rows of one run"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, {over})"


def quoted(
    notebook: str, model: str, *, metric: str | None = None, split: str | None = None
) -> Quote:
    """A result of another lesson or lab, read from the published honest table.

    Parameters
    ----------
    notebook : str
        Number of the lesson, as in "03", or name of the lab, as in "01_weight_decay".
    model : str
        Name of the row.
    metric, split : str, optional
        Needed where the model has several rows.

    Returns
    -------
    Quote
        ``value``, ``low``, ``high`` (95 % interval) and ``n_seeds``.

    Raises
    ------
    KeyError
        If there is no such row, or more than one.

    Examples
    --------
    >>> split = "last like out, all films, rated ones masked"
    >>> quoted("05", "popularity", metric="HR@10", split=split).n_seeds
    1
    """
    table = read_results(stored_results_path())
    rows = table[table["notebook"] == notebook]
    if rows.empty:
        raise KeyError(f"{notebook!r} has no results; these have: {sorted(set(table.notebook))}")
    named = rows[rows["model"] == model]
    if named.empty:
        raise KeyError(f"{notebook!r} has no row {model!r}; it has {sorted(set(rows.model))}")
    wanted = {"metric": metric, "split": split}
    for column, value in wanted.items():
        if value is not None:
            named = named[named[column] == value]
    if len(named) != 1:
        found = rows.loc[rows["model"] == model, ["metric", "split"]].to_dict("records")
        raise KeyError(f"{len(named)} rows fit {model!r} with {wanted}: name one of {found}")
    row = named.iloc[0]
    return Quote(float(row.value), float(row.low), float(row.high), int(row.n_seeds))


def record_result(
    *,
    notebook: str,
    model: str,
    dataset: str,
    split: str,
    metric: str,
    value: float,
    interval: tuple[float, float],
    train_seconds: float,
    eval_seconds: float,
    n_parameters: int,
    n_seeds: int = 1,
    device: torch.device | str | None = None,
) -> None:
    """Put one row into the honest table, in the place of an older row with the same names.

    Parameters
    ----------
    notebook, model, dataset, split, metric : str
        Names of the row; together they are its key. ``notebook`` is the number of a lesson, as in
        "01", or the name of a lab, as in "01_weight_decay".
    value : float
        Mean over the seeds.
    interval : (float, float)
        95 % interval over users, or over seeds where there are several.
    train_seconds, eval_seconds : float
        Of one training and one evaluation.
    n_parameters : int
    n_seeds : int
    device : torch.device or str, optional
        Where the model was trained; without it the one where this process has held tensors.

    Raises
    ------
    ValueError
        If the value lies outside its interval.

    Examples
    --------
    >>> import tempfile
    >>> from unittest.mock import patch
    >>> row = {"notebook": "01", "model": "BiasOnly", "dataset": "ml-100k", "split": "random"}
    >>> row |= {"metric": "MSE", "train_seconds": 0.1, "eval_seconds": 0.1, "n_parameters": 2600}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with patch.dict("os.environ", CF_RESULTS=f"{folder}/table.csv"):  # else in this folder
    ...         record_result(**row, value=0.88, interval=(0.86, 0.9))
    ...         record_result(**row, value=0.87, interval=(0.85, 0.89))  # in the place of it
    ...         table = read_results(results_path())
    >>> table[["notebook", "model", "value"]]
      notebook     model  value
    0       01  BiasOnly   0.87
    """
    low, high = interval
    if not low <= value <= high:
        raise ValueError(f"value {value} lies outside its interval {low} to {high}")
    numbers = [round(number, 6) for number in (value, low, high)]  # tables round again
    seconds = [round(train_seconds, 1), round(eval_seconds, 2)]
    row = [notebook, model, dataset, split, metric, *numbers, n_seeds, *seconds, n_parameters]
    path = results_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        table = read_results(path)
        mine = (table[KEY] == row[: len(KEY)]).all(axis=1)
        new = pd.DataFrame([[*row, str(device or device_in_use())]], columns=COLUMNS)
        table = new if mine.all() else pd.concat([table[~mine], new])
        _write(table.sort_values("notebook", kind="stable"), path)


def device_in_use() -> str:
    """Where this process has held tensors: a GPU if it has taken memory of one, else the CPU.

    Returns
    -------
    str
        "cuda", "mps" or "cpu", whatever the variable ``CF_DEVICE`` asks for.
    """
    if "torch" not in sys.modules:
        return "cpu"
    import torch

    if torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0:
        return "cuda"
    if torch.backends.mps.is_available() and torch.mps.current_allocated_memory() > 0:
        return "mps"
    return "cpu"


def differences(fresh: pd.DataFrame, stored: pd.DataFrame) -> list[str]:
    """What a new run of the course found otherwise than the stored table says.

    Names, seeds and parameters are to be equal. A value may move within its stored interval, or by
    0.001: processors round differently, and training carries a last bit on (a network's hit rate
    moved by a third of half its interval between two kinds of vector unit).

    Parameters
    ----------
    fresh, stored : DataFrame
        As from ``read_results``.

    Returns
    -------
    list of str
        One line for each row that is missing, new, or different; empty if they agree.
    """
    both = stored.merge(fresh, on=KEY, how="outer", suffixes=("", "_new"), indicator=True)
    lines = []
    for row in both.to_dict("records"):
        name = ", ".join(str(row[key]) for key in KEY)
        if row["_merge"] == "left_only":
            lines.append(f"{name}: stored, and not made again")
        elif row["_merge"] == "right_only":
            lines.append(f"{name}: made, and not stored: run `make run`")
        else:
            lines += [f"{name}: {what}" for what in _changes(row)]
    return lines


def _changes(row: Mapping[Any, Any]) -> list[str]:
    """What differs between the stored and the new numbers of one row."""
    least, most = (row["value"] + sign * LEAST for sign in (-1, 1))
    low, high = min(row["low"], least), max(row["high"], most)
    far = not low <= row["value_new"] <= high  # nan is far
    found = [f"{row['value_new']:g} instead of {row['value']:g} ({low:g} to {high:g})"] * far
    for column in ("n_seeds", "n_parameters"):
        if row[column] != row[f"{column}_new"]:
            found.append(f"{column} {row[f'{column}_new']:g} is not {row[column]:g}")
    return found


def read_results(path: Path) -> pd.DataFrame:
    """The table of a file, empty if there is none yet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        With the columns of ``COLUMNS``.
    """
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype={"notebook": str})


def show_results(notebook: str) -> pd.DataFrame:
    """Rows of one notebook without what differs between machines.

    Parameters
    ----------
    notebook : str
        Number of the lesson, as in "01", or name of the lab.

    Returns
    -------
    DataFrame
        Model, split, metric, value, interval and parameters, in the order of the table.

    Examples
    --------
    >>> import tempfile
    >>> from unittest.mock import patch
    >>> row = {"notebook": "01", "model": "BiasOnly", "dataset": "ml-100k", "split": "random"}
    >>> row |= {"metric": "MSE", "train_seconds": 0.1, "eval_seconds": 0.1, "n_parameters": 2600}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with patch.dict("os.environ", CF_RESULTS=f"{folder}/table.csv"):  # else in this folder
    ...         record_result(**row, value=0.88, interval=(0.86, 0.9))
    ...         table = show_results("01")
    >>> table[["model", "value", "low", "high"]]
          model  value   low  high
    0  BiasOnly   0.88  0.86   0.9
    """
    table = read_results(results_path())
    columns = ["model", "split", "metric", "value", "low", "high", "n_seeds", "n_parameters"]
    return table.loc[table["notebook"] == notebook, columns].reset_index(drop=True).round(3)


def results_markdown(table: pd.DataFrame) -> str:
    """Honest table as Markdown.

    Parameters
    ----------
    table : DataFrame
        As from ``read_results``.

    Returns
    -------
    str
        A heading line, a rule, and a line for each row.
    """
    heads = ["notebook", "model", "data, split", "metric", "value", "95 % interval", "seeds"]
    heads += ["train s", "evaluate s", "parameters", "device"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in table.itertuples(index=False):
        interval = f"{row.low:.3f} to {row.high:.3f}"
        cells: list[object] = [row.notebook, row.model, f"{row.dataset}, {row.split}", row.metric]
        cells += [f"{row.value:.3f}", interval, row.n_seeds, f"{row.train_seconds:.1f}"]
        cells += [f"{row.eval_seconds:.2f}", f"{row.n_parameters:,}", row.device]
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        table.to_csv(file, index=False)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
