"""Real processes for tests.

They are forked from a server that has imported what they need and has done nothing else. A fork of
the process of pytest, where threads of gloo may run, could hang. So what runs in a process is
pickled: functions are given by their name in a module.
"""

import multiprocessing
import os
import socket
import time
import traceback
from multiprocessing import forkserver
from pathlib import Path
from unittest.mock import patch

import torch

PATIENCE = 60.0  # seconds, for all processes of a call together
IMPORTED_ONCE = ["pytest", "nbhelpers.training.distributed", "tests.training.test_distributed"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def variables(rank, world, port):
    """What torchrun sets."""
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def in_processes(world, function, folder, *arguments, patience=PATIENCE, **named):
    """What the function returns in each process, by rank; ``folder`` must be empty."""
    folder.mkdir(parents=True)
    port, context = free_port(), _server()
    started = [
        context.Process(target=_call, args=(rank, world, port, folder, function, arguments, named))
        for rank in range(world)
    ]
    for process in started:
        process.start()
    _wait(started, patience)
    failed = [path.read_text() for path in sorted(folder.glob("*.failed"))]
    if failed or any(process.exitcode for process in started):
        raise RuntimeError("\n".join([str([each.exitcode for each in started]), *failed]))
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(world)]


def _server():
    """What starts the processes: no thread of ours in it, and the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED_ONCE)
    with patch.dict(os.environ, ONE_THREAD):
        forkserver.ensure_running()
    return context


def _wait(started, patience):
    """Until all have ended; those that have not after ``patience`` seconds are killed."""
    end = time.monotonic() + patience
    for process in started:
        process.join(max(0.0, end - time.monotonic()))
    late = [rank for rank, process in enumerate(started) if process.is_alive()]
    for rank in late:
        started[rank].kill()
        started[rank].join()
    if late:
        raise TimeoutError(f"ranks {late} of {len(started)} ran for over {patience} s: killed")


def _call(rank, world, port, folder: Path, function, arguments, named):
    os.environ.update(variables(rank, world, port))
    torch.set_num_threads(1)
    try:
        torch.save(function(*arguments, **named), folder / f"{rank}.pt")
    except BaseException:
        (folder / f"{rank}.failed").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)
