"""Real processes for tests: forked, so that they need not import anything again."""

import multiprocessing
import os
import socket
import traceback
import warnings
from pathlib import Path

import torch

PATIENCE = 120.0  # seconds


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


def in_processes(world, function, folder, *arguments, **named):
    """What the function returns in each process, by rank; ``folder`` must be empty."""
    folder.mkdir(parents=True)
    port, context = free_port(), multiprocessing.get_context("fork")
    started = [
        context.Process(target=_call, args=(rank, world, port, folder, function, arguments, named))
        for rank in range(world)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork of a process with threads
        for process in started:
            process.start()
    for process in started:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
    failed = [path.read_text() for path in sorted(folder.glob("*.failed"))]
    if failed or any(process.exitcode for process in started):
        raise RuntimeError("\n".join([str([each.exitcode for each in started]), *failed]))
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(world)]


def _call(rank, world, port, folder: Path, function, arguments, named):
    os.environ.update(variables(rank, world, port))
    try:
        torch.save(function(*arguments, **named), folder / f"{rank}.pt")
    except BaseException:
        (folder / f"{rank}.failed").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)
