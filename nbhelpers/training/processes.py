"""Which process of a run this is, what the others say, and what happens when one is gone."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LOST = re.compile(r"gloo|nccl|Dist\w+Error|connection (was )?(closed|reset)|recvvalue", re.I)
NO_PORT = re.compile(r"failed to listen|EADDRINUSE|address already in use", re.I)


class LostProcessError(RuntimeError):
    """Another process of the run has ended, or does not answer."""


@dataclass(frozen=True)
class Process:
    """One of the processes that train a model together.

    Attributes
    ----------
    rank, world : int
        Its number, from 0, and how many there are.
    local_rank, local_world : int
        The same among those on this machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1


def this_process(environment: Mapping[str, str] | None = None) -> Process:
    """Which process this is, from the variables that ``torchrun`` sets; without any, the only one.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Left out, ``os.environ``.

    Raises
    ------
    ValueError
        If only some of the variables are there, or they are no numbers that fit each other.

    Examples
    --------
    >>> this_process({})
    Process(rank=0, world=1, local_rank=0, local_world=1)
    """
    given = os.environ if environment is None else environment
    if "RANK" not in given and "WORLD_SIZE" not in given:
        return Process()
    missing = [name for name in VARIABLES if not given.get(name)]
    if missing:
        raise ValueError(
            f"of a run with several processes {', '.join(VARIABLES)} are required, {missing[0]} is "
            f"not set: start by torchrun, which sets them, or unset RANK and WORLD_SIZE"
        )
    numbers = {name: given[name] for name in VARIABLES if name != "MASTER_ADDR"}
    for name, text in numbers.items():
        if not text.isdecimal():
            raise ValueError(f"{name} must be a whole number, got {text!r}: start by torchrun")
    rank, world, local_rank, local_world, _ = map(int, numbers.values())
    if not (rank < world and local_rank < local_world and world % local_world == 0):
        raise ValueError(
            f"RANK must be below WORLD_SIZE, got {rank} and {world}, LOCAL_RANK below "
            f"LOCAL_WORLD_SIZE, got {local_rank} and {local_world}, and every machine must have as "
            f"many processes as the others"
        )
    return Process(rank, world, local_rank, local_world)


def is_shared() -> bool:
    """Whether other processes take part, and are connected."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def added_up(values: list[float], device: torch.device) -> list[float]:
    """Sums of numbers over all processes, in double precision.

    Examples
    --------
    >>> added_up([1.5, 2.0], torch.device("cpu"))  # of a single process
    [1.5, 2.0]
    """
    if not is_shared():
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return list(total.tolist())


def from_all(value: Any) -> list[Any]:
    """What each process holds, by rank.

    Examples
    --------
    >>> from_all("here")  # of a single process
    ['here']
    """
    if not is_shared():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def from_first(value: Any) -> Any:
    """What the process of rank 0 holds.

    Examples
    --------
    >>> from_first("here")  # of a single process
    'here'
    """
    held = [value]
    if is_shared():
        dist.broadcast_object_list(held, src=0)
    return held[0]


@contextmanager
def lost_processes_named(process: Process) -> Iterator[None]:
    """Errors that come of a process that has gone become ``LostProcessError``, with one line.

    Meanwhile this process ends by itself if the one that started it is killed.
    """
    ended = threading.Event()
    if process.world > 1:
        watch = threading.Thread(target=_end_with_parent, args=(os.getppid(), ended), daemon=True)
        watch.start()
    try:
        yield
    except RuntimeError as error:
        if NO_PORT.search(str(error)):
            where = f"{os.environ['MASTER_PORT']} of {os.environ['MASTER_ADDR']}"
            raise ValueError(f"port {where} is in use: choose another by --master-port") from error
        if process.world == 1 or not LOST.search(f"{type(error).__name__} {error}"):
            raise
        raise LostProcessError(
            f"rank {process.rank}: another of the {process.world} processes has ended or does not "
            f"answer: start all again in the same folder to go on from the last checkpoint"
        ) from error
    finally:
        ended.set()


def _end_with_parent(parent: int, ended: threading.Event) -> None:
    while not ended.wait(1.0):
        if os.getppid() != parent:
            os._exit(1)
