"""Programs in several processes: one line if something goes wrong, and nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbhelpers.training.distributed_launch import FailedProcessError, launch

# What each process does: it waits for the others, and rank 1 may end otherwise.
PROGRAM = """
import os, signal, sys, time
from nbhelpers.training.distributed_launch import told_by_launcher
rank = os.environ["RANK"]
name = "-".join([rank, os.environ["OMP_NUM_THREADS"], str(os.getpid())])
open(os.path.join(sys.argv[1], name), "w").close()
with told_by_launcher():
    if rank == "1":
        {what}
    time.sleep({seconds})
"""


def started(folder):
    """Rank, threads and number of each process that has started."""
    return sorted(tuple(path.name.split("-")) for path in folder.iterdir() if path.is_file())


def program(tmp_path, what, seconds=60):
    (tmp_path / "program.py").write_text(PROGRAM.format(what=what, seconds=seconds))
    folder = tmp_path / "started"
    folder.mkdir()
    return [str(tmp_path / "program.py"), str(folder)], folder


def is_alive(number):
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_every_process_runs_with_one_thread(tmp_path):
    arguments, folder = program(tmp_path, "pass", seconds=0)
    launch(arguments, n_processes=3)
    assert [(rank, threads) for rank, threads, _ in started(folder)] == [
        ("0", "1"),
        ("1", "1"),
        ("2", "1"),
    ]
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", r"process of rank 1 was killed \(SIGKILL\)"),
        ("raise ValueError('the lamp is broken: buy another')", "^the lamp is broken: buy another"),
        ("os._exit(7)", "a process ended with exit code 7"),
    ],
    ids=["killed", "an error", "an exit"],
)
def test_one_failure_ends_all_and_is_told_in_one_line(tmp_path, capfd, what, message):
    arguments, folder = program(tmp_path, what)
    with pytest.raises(FailedProcessError, match=message) as failed:
        launch(arguments, n_processes=2)
    assert "\n" not in str(failed.value)
    assert capfd.readouterr().err == ""
    assert not any(is_alive(number) for *_, number in started(folder))


@pytest.mark.slow
def test_a_signal_to_the_command_reaches_the_processes(tmp_path):
    arguments, folder = program(tmp_path, "pass")
    code = (
        f"from nbhelpers.training.distributed_launch import *; launch({arguments}, n_processes=2)"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    while len(started(folder)) < 2:
        time.sleep(0.05)
    command.send_signal(signal.SIGTERM)
    assert command.wait(timeout=60) == 128 + signal.SIGTERM
    assert command.stderr.read() == b""
    assert not any(is_alive(number) for *_, number in started(folder))


def test_a_number_of_processes_below_one_is_refused():
    with pytest.raises(ValueError, match="n_processes must be at least 1, got 0"):
        launch(["-c", "pass"], n_processes=0)
