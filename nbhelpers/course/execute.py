"""Run notebooks from top to bottom, store what they show, and measure what they take."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from nbhelpers.course.jupytext_pairs import from_md, lessons, sources, write

# Generous: a busy machine needs ten times as long as an idle one.
CELL_SECONDS = 900
NOTEBOOK_SECONDS = 3600
OUTPUT_SECONDS = 120
# Text of one stream that is stored: nobody reads more, and 50 MB would stop every viewer.
STORED_CHARACTERS = 20_000
CUT = "\n... cut: a stored output ends here\n"
REPORT = "run_report.csv"
# Two threads wait for each other, and nobody watches a progress bar that is not stored.
QUIET = {"OMP_NUM_THREADS": "1", "CI": "true"}
WIDGET = "application/vnd.jupyter.widget-view+json"
# The table that fastai writes while it trains, and what remains of a bar and its style sheet.
EPOCHS, EPOCH_TEXTS = '<table class="fastprogress">', ("text/html", "text/plain")
BAR_LEFT = re.compile(r"\s*(?:<div>\s*</div>|<style>.*progress.*</style>)?\s*", re.DOTALL)


class NotebookFailedError(RuntimeError):
    """A notebook stopped: the message names notebook, cell and error."""


def run_course(folder: Path, only: str = "", *, with_labs: bool = False) -> bool:
    """Execute the lessons in order, and print a line for each.

    Each runs in a process of its own, so that one that hangs or dies takes nothing with it. The
    seconds and the peak memory of those that finish are kept in ``run_report.csv``.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.
    only : str
        Run only the notebooks, lessons or labs, whose name starts so.
    with_labs : bool
        Run the labs, too.

    Returns
    -------
    bool
        Whether all of them finished.
    """
    everything = sources(folder) if with_labs or only else lessons(folder)
    paths = [path for path in everything if path.name.startswith(only)]
    if not paths:
        raise ValueError(f"no notebook in {folder} starts with {only!r}")
    check_writable(folder)
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
    with _stopped_as_an_exception():
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
        If a cell raises, takes too long, or kills the kernel, or if the kernel does not start.
        The stored file stays as it was.
    OSError
        If the folder takes no files; said before anything runs.
    """
    check_writable(path.parent)
    notebook = from_md(path)
    begun: list[NotebookNode] = []
    client = _Client(
        notebook,
        timeout=cell_seconds,
        iopub_timeout=OUTPUT_SECONDS,
        raise_on_iopub_timeout=True,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=lambda cell, cell_index: begun.append(cell),
    )
    started = time.perf_counter()
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, RuntimeError) as error:
        raise NotebookFailedError(f"{path.name}, {_place(begun)}: {_why(error)}") from None
    finally:
        atexit.unregister(client._cleanup_kernel)  # it stays, and fails, if no kernel started
    seconds = time.perf_counter() - started
    clean(notebook)
    write(notebook, path.with_suffix(".ipynb"))
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, kilobytes here
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    return {"seconds": seconds, "peak_mb": peak}


def check_writable(folder: Path) -> None:
    """Refuse a folder that takes no files, before minutes are spent on what it should hold.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    OSError
        If it takes none; the message says what to do.
    """
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            f"outputs cannot be stored in {folder} ({error.strerror}): copy the course into a "
            "folder of your own and run it there"
        ) from None


def clean(notebook: NotebookNode) -> None:
    """Take out of a notebook, in place, what differs from run to run.

    Progress bars and their style sheets, the column ``time`` of fastai's table of epochs, warnings,
    widgets, time stamps, the parts of an error's traceback that lie in files (a path is that of one
    machine), and the output of cells tagged ``unstored-output``.

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
                output.text = as_shown(output.text)
            if EPOCHS in output.get("data", {}).get("text/html", ""):
                output.data = {kind: _untimed(output.data[kind]) for kind in EPOCH_TEXTS}
            if "traceback" in output:
                output.traceback = [part for part in output.traceback if not _is_elsewhere(part)]


def as_shown(text: str) -> str:
    """What a terminal shows in the end: of each line what follows its last return.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        At most ``STORED_CHARACTERS`` long; a longer text is cut, and says so.
    """
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    shown = "\n".join(lines)
    return shown if len(shown) <= STORED_CHARACTERS else shown[:STORED_CHARACTERS] + CUT


class _Client(NotebookClient):
    """A client that keeps of a cell's text only what it shows in the end."""

    def output(self, outs: list[NotebookNode], *message: Any) -> NotebookNode | None:
        """Add a message of the kernel to a cell's outputs; text joins the text before it."""
        out = super().output(outs, *message)
        if out is None or out.output_type != "stream":
            return out
        same = [o for o in outs if o.output_type == "stream" and o.name == out.name]
        if len(same) == 1:
            out.text = _kept(out.text)
            return out
        outs.pop()
        same[0].text = _kept(same[0].text, out.text)
        return same[0]


def _kept(before: str, new: str = "") -> str:
    """Text so far; a return at its end stays, since the next line may overwrite this one."""
    if before.endswith(CUT):
        return before
    text = as_shown(before + new)
    return text if text.endswith(CUT) or not (before + new).endswith("\r") else text + "\r"


def _passing(output: NotebookNode) -> bool:
    """Whether an output means nothing once the run is over: a warning, a bar, a widget."""
    data = output.get("data", {})
    is_bar = "text/html" in data and BAR_LEFT.fullmatch(data["text/html"]) is not None
    return output.get("name") == "stderr" or WIDGET in data or is_bar


def _untimed(table: str) -> str:
    """Table of epochs of fastai without its last column, if that is the time."""
    if "<th>time</th></tr>" not in table:
        return table
    return re.sub(r"<t([hd])>[^<]*</t\1></tr>", "</tr>", table)


def _is_elsewhere(part: str) -> bool:
    """Whether a part of a traceback, full of color codes, shows a file and no cell."""
    return re.sub(r"\x1b\[[\d;]*m", "", part).startswith("File ")


def _place(begun: list[NotebookNode]) -> str:
    """Where a notebook stopped."""
    if not begun:
        return "before its first cell"
    first = begun[-1].source.strip().splitlines()[0]
    return f"code cell {len(begun)} ({first!r})"


def _why(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return str(error).split(".")[0]


@contextlib.contextmanager
def _stopped_as_an_exception() -> Iterator[None]:
    """Let a polite request to stop unwind the program, so that it ends what it has started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_group(child: subprocess.Popen[str]) -> None:
    """Stop a process and its kernel: politely, so that it ends the kernel, then by force."""
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=10)
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
