"""Independent blocks of work on several threads, each of which computes on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from threading import Lock
from typing import TypeVar

import torch

Task = TypeVar("Task")


def on_threads(work: Callable[[Task], None], tasks: Iterable[Task]) -> None:
    """Do ``work`` for every task, on as many threads as torch uses.

    One thread does a whole task, so threads never wait for each other inside a call of torch,
    as they do when torch splits each call among them. What ``work`` computes may not depend on
    the order of the tasks. A single task is done by the caller, with torch's own threads.

    Parameters
    ----------
    work : callable
        Of one task; it writes its answer to a place of its own.
    tasks : iterable
        Taken one at a time, so that at most one for each thread is in memory.

    Raises
    ------
    Exception
        Whatever ``work`` raises, once the other threads have ended.

    Examples
    --------
    >>> squares = [0, 0, 0]
    >>> on_threads(lambda task: squares.__setitem__(task, task**2), range(3))
    >>> squares
    [0, 1, 4]
    """
    waiting = iter(tasks)
    first = list(islice(waiting, 2))
    n_threads = torch.get_num_threads()
    if n_threads == 1 or len(first) < 2:
        _do(work, chain(first, waiting))
        return
    try:
        _pooled(work, _Shared(chain(first, waiting)), n_threads)
    finally:
        torch.set_num_threads(n_threads)  # what each thread set for itself reached MKL for all


def _pooled(work: Callable[[Task], None], tasks: Iterator[Task], n_threads: int) -> None:
    """Let each thread take tasks until none is left."""
    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        jobs = [pool.submit(_do, work, tasks) for _ in range(n_threads)]
    for job in jobs:
        job.result()


def _do(work: Callable[[Task], None], tasks: Iterator[Task]) -> None:
    for task in tasks:
        work(task)


class _Shared(Iterator[Task]):
    """Tasks that several threads take, each one once."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self.tasks, self.lock = tasks, Lock()

    def __next__(self) -> Task:
        with self.lock:
            return next(self.tasks)
