"""Run notebooks from top to bottom, store what they show, and measure what they take."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from nbhelpers.course.jupytext_pairs import from_md, sources, write

CELL_SECONDS = 300
NOTEBOOK_SECONDS = 900
REPORT = "run_report.csv"
# Two threads wait for each other, and nobody watches a progress bar that is not stored.
QUIET = {"OMP_NUM_THREADS": "1", "CI": "true"}
WIDGET = "application/vnd.jupyter.widget-view+json"


class NotebookFailedError(RuntimeError):
    """A notebook stopped: the message names notebook, cell and error."""


def run_course(folder: Path, only: str = "") -> bool:
    """Execute every notebook of a folder in order, and print a line for each.

    Each runs in a process of its own, so that one that hangs or dies takes nothing with it. The
    seconds and the peak memory of those that finish are kept in ``run_report.csv``.

    Parameters
    ----------
    folder : Path
    only : str
        Run only the notebooks whose name starts so.

    Returns
    -------
    bool
        Whether all of them finished.
    """
    paths = [path for path in sources(folder) if path.name.startswith(only)]
    if not paths:
        raise ValueError(f"no notebook in {folder} starts with {only!r}")
    finished = {}
    for path in paths:
        print(f"{path.stem:<40}", end=" ", flush=True)
        try:
            finished[path.stem] = run_in_process(path)
        except NotebookFailedError as error:
            print(f"FAILED\n  {error}")
            continue
        took = finished[path.stem]
        print(f"{took['seconds']:6.1f} s  {took['peak_mb']:6.0f} MB", flush=True)
    _keep_report(finished, folder)
    failed = len(paths) - len(finished)
    print(f"{failed} of {len(paths)} notebooks failed" if failed else _where_to_look(folder))
    return not failed


def run_in_process(path: Path, *, seconds: float = NOTEBOOK_SECONDS) -> dict[str, float]:
    """Execute one notebook in a process of its own.

    Parameters
    ----------
    path : Path
        The ``.md``.
    seconds : float
        Time limit for the whole notebook.

    Returns
    -------
    dict
        ``seconds`` and ``peak_mb``.

    Raises
    ------
    NotebookFailedError
        If a cell raises, the kernel dies, or the time is up.
    """
    command = [sys.executable, "-m", "nbhelpers", "run-one", str(path)]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**QUIET, **os.environ},
    )
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NotebookFailedError(f"{path.name}: not finished after {seconds:.0f} s") from None
    finally:
        _stop_group(child)
    if child.returncode:
        said = err.rpartition("error: ")[2].strip()
        raise NotebookFailedError(said or f"{path.name}: died with code {child.returncode}")
    took: dict[str, float] = json.loads(out.splitlines()[-1])
    return took


def run_notebook(path: Path, *, cell_seconds: int = CELL_SECONDS) -> dict[str, float]:
    """Execute the notebook of a ``.md`` in a fresh kernel and store it as ``.ipynb``.

    Parameters
    ----------
    path : Path
        The ``.md``.
    cell_seconds : int
        Time limit for a cell.

    Returns
    -------
    dict
        ``seconds``, and ``peak_mb``, the peak memory of the kernel.

    Raises
    ------
    NotebookFailedError
        If a cell raises, takes too long, or kills the kernel. The stored file stays as it was.
    """
    notebook = from_md(path)
    begun: list[NotebookNode] = []
    client = NotebookClient(
        notebook,
        timeout=cell_seconds,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=lambda cell, cell_index: begun.append(cell),
    )
    started = time.perf_counter()
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        first = begun[-1].source.strip().splitlines()[0]
        raise NotebookFailedError(
            f"{path.name}, code cell {len(begun)} ({first!r}): {_why(error)}"
        ) from None
    seconds = time.perf_counter() - started
    clean(notebook)
    write(notebook, path.with_suffix(".ipynb"))
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, kilobytes here
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    return {"seconds": seconds, "peak_mb": peak}


def clean(notebook: NotebookNode) -> None:
    """Take out of a notebook, in place, what differs from run to run.

    Progress bars, warnings, widgets, time stamps, the parts of an error's traceback that lie in
    files (a path is that of one machine), and the output of cells tagged ``unstored-output``.

    Parameters
    ----------
    notebook : NotebookNode
    """
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        if "unstored-output" in cell.metadata.get("tags", []):
            cell.outputs = []
        cell.outputs = [output for output in cell.outputs if not _passing(output)]
        for output in cell.outputs:
            if "text" in output:
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
            if "traceback" in output:
                output.traceback = [part for part in output.traceback if not _is_elsewhere(part)]


def _passing(output: NotebookNode) -> bool:
    """Whether an output means nothing once the run is over: a warning, a bar, a widget."""
    return output.get("name") == "stderr" or WIDGET in output.get("data", {})


def _is_elsewhere(part: str) -> bool:
    """Whether a part of a traceback, full of color codes, shows a file and no cell."""
    return re.sub(r"\x1b\[[\d;]*m", "", part).startswith("File ")


def _why(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return str(error).split(".")[0]


def _stop_group(child: subprocess.Popen[str]) -> None:
    """Stop a process and its kernel, whatever they are doing."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _keep_report(finished: dict[str, dict[str, float]], folder: Path) -> None:
    """Put new measurements beside older ones; a notebook that is gone takes its row along."""
    new = pd.DataFrame.from_dict(finished, orient="index", columns=["seconds", "peak_mb"]).round(0)
    new.index.name = "notebook"
    if (folder / REPORT).exists():
        old = pd.read_csv(folder / REPORT, index_col="notebook")
        new = pd.concat([old[~old.index.isin(new.index)], new])
    there = new.index.isin([path.stem for path in sources(folder)])
    new[there].astype(int).sort_index().to_csv(folder / REPORT)


def _where_to_look(folder: Path) -> str:
    first = sources(folder)[0].with_suffix(".ipynb")
    return f"Outputs are stored. Open {first} in your editor, or all of them by `make lab`."
